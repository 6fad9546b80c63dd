//! Which files guests may map.

use std::fs::File;

use crate::Access;
#[cfg(target_os = "linux")]
use crate::file;

/// Admits private mappings of files that nobody can change. This is the default, and the policy for untrusted guests.
///
/// On Linux, these files are memory files that are sealed against writing and shrinking, files with fs-verity, and
/// files on squashfs and erofs, which have no way to write. On other systems there are none.
///
/// A file on a file system that is mounted read-only is not among them: it may be mounted for writing somewhere else.
/// An operator who knows that it is not can use another policy:
///
/// ```
/// use portable_mmap_wasmtime::{Access, HostMapCtx, policy};
///
/// let vouched = |file: &std::fs::File, access: Access| {
///     // Nobody writes to files of this owner while guests run.
///     # #[cfg(unix)]
///     # use std::os::unix::fs::MetadataExt as _;
///     # #[cfg(unix)]
///     let is_release = file.metadata().is_ok_and(|data| data.uid() == 4711);
///     # #[cfg(not(unix))]
///     # let is_release = false;
///     policy::immutable(file, access) || access == Access::Private && is_release
/// };
/// let ctx = HostMapCtx::builder().policy(vouched).build();
/// ```
#[must_use]
pub fn immutable(file: &File, access: Access) -> bool {
    access == Access::Private && nobody_can_write(file)
}

/// Admits every file and access, for guests that are trusted as much as the host's own code. See
/// [`attach`](crate::attach).
#[must_use]
pub fn trusted(_: &File, _: Access) -> bool {
    true
}

#[cfg(target_os = "linux")]
fn nobody_can_write(file: &File) -> bool {
    use rustix::fs::{AtFlags, SealFlags, StatxAttributes, StatxFlags, fcntl_get_seals, statx};

    /// The magic numbers of squashfs and erofs.
    const READ_ONLY_BY_NATURE: [u32; 2] = [0x7371_7368, 0xe0f5_e1e2];

    let sealed = SealFlags::WRITE | SealFlags::SHRINK;
    if fcntl_get_seals(file).is_ok_and(|seals| seals.contains(sealed)) {
        return true;
    }
    let stat = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::empty());
    let has_verity = stat.is_ok_and(|stat| {
        let verity = StatxAttributes::VERITY;
        stat.stx_attributes_mask.contains(verity) && stat.stx_attributes.contains(verity)
    });
    has_verity || file::system_of(file).is_some_and(|system| READ_ONLY_BY_NATURE.contains(&system))
}

/// No such property is known on this system.
#[cfg(not(target_os = "linux"))]
fn nobody_can_write(_: &File) -> bool {
    false
}
