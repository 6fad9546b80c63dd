//! Finds the file that a request names, among those that the guest has open.

use std::any::Any;
use std::fs::{File, Metadata};
use std::sync::Arc;

use portable_mmap::host::errno;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::{Descriptor, OpenMode};

use crate::Access;

/// The inode number that wasmtime-wasi reports to a guest: a hash of device and inode.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    use std::os::unix::fs::MetadataExt as _;
    let mut hasher = DefaultHasher::new();
    (metadata.dev(), metadata.ino()).hash(&mut hasher);
    hasher.finish()
}

/// Nothing is mapped here.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> u64 {
    0
}

/// The magic number of the file system that holds a file.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn system_of(file: &File) -> Option<u32> {
    let stat = rustix::fs::fstatfs(file).ok()?;
    #[allow(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "the number has 32 bits; its type depends on the machine"
    )]
    let number = stat.f_type as u32;
    Some(number)
}

/// A file that may be mapped.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: Arc<File>,
    pub(crate) len: u64,
}

/// The file with this inode number that the guest has open in a mode that permits the access. If two open files happen
/// to have the same number, either may be returned; a guest still cannot map a file that it has not opened.
///
/// # Errors
/// An errno.
pub(crate) fn find_open_file(table: &mut ResourceTable, inode: u64, access: Access) -> Result<OpenFile, i32> {
    let mut result = Err(errno::BADF);
    for entry in table.iter_mut() {
        let entry: &mut dyn Any = entry;
        let Some(Descriptor::File(file)) = entry.downcast_ref() else { continue };
        let Ok(metadata) = file.file.metadata() else { continue };
        if identity(&metadata) != inode {
            continue;
        }
        if !metadata.is_file() {
            return Err(errno::NODEV);
        }
        let is_writable = !file.perms.write_not_permitted() && file.open_mode.contains(OpenMode::WRITE);
        if file.open_mode.contains(OpenMode::READ) && (access == Access::Private || is_writable) {
            return Ok(OpenFile { file: file.file.clone(), len: metadata.len() });
        }
        result = Err(errno::ACCES);
    }
    result
}
