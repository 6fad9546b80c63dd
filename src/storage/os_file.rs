//! The storage of this crate: a file of the operating system.

use std::fs::{self, File};
use std::io;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::calls::{find_end, uninterrupted};
use super::failed_syncs::FailedSyncs;
use super::{FileKind, Metadata, OpenMode, Storage, os};
use crate::error::Reason;

/// A file of the operating system.
///
/// Holds the [`File`] itself and not its descriptor. WASI has no `dup`, and a descriptor that is kept alone can later
/// refer to another file.
#[derive(Debug)]
pub struct OsFile {
    pub(super) file: Arc<File>,
    /// How it was opened, if this crate opened it.
    mode: Option<OpenMode>,
    /// Set when the metadata is read, which happens when the file is mapped.
    failed_syncs: OnceLock<FailedSyncs>,
    /// Whether a caller was given a reference to `file`, which the counts of the `Arc` do not show. Code that moves the
    /// cursor holds the lock until the cursor is restored.
    pub(super) lent: Mutex<bool>,
}

impl OsFile {
    fn new(file: Arc<File>, mode: Option<OpenMode>) -> Self {
        Self { file, mode, failed_syncs: OnceLock::new(), lent: Mutex::new(false) }
    }

    /// A file that was just opened for reading, and for writing if `write` says so.
    pub(crate) fn opened(file: File, write: bool) -> Self {
        Self::new(Arc::new(file), Some(OpenMode { read: true, write, append: false }))
    }

    fn kind(&self, data: &fs::Metadata) -> io::Result<FileKind> {
        Ok(if data.is_file() {
            FileKind::Regular
        } else if data.is_dir() {
            FileKind::Directory
        } else {
            os::other_kind(&self.file, data)?
        })
    }

    /// The length of a file of this kind. A system reports a length of 0 for a block device, and on some hosts even a
    /// seek to the end returns 0. Without a call that returns the length, reads find the end.
    fn len_of_kind(&self, kind: FileKind, data: &fs::Metadata) -> io::Result<u64> {
        if kind != FileKind::BlockDevice {
            return Ok(data.len());
        }
        let len = os::device_len(&self.file).filter(|&len| len > 0);
        len.map_or_else(|| find_end(|offset| Ok(uninterrupted(|| self.read_at(&mut [0], offset))? > 0)), Ok)
    }

    /// Waits until no read uses the cursor, and keeps other reads from using it.
    fn lent(&self) -> MutexGuard<'_, bool> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for OsFile {
    fn clone(&self) -> Self {
        // The clone can lend the file immediately, so no read may use the cursor now. Afterwards the count of the `Arc`
        // is 2.
        let _lent = self.lent();
        let failed_syncs = self.failed_syncs.clone();
        Self { file: self.file.clone(), mode: self.mode, failed_syncs, lent: Mutex::new(false) }
    }
}

impl OsFile {
    /// The place where its failed syncs are counted, or `None` before the file is mapped.
    pub(crate) fn counted(&self) -> Option<FailedSyncs> {
        self.failed_syncs.get().copied()
    }

    /// The file, for this crate's own use.
    #[cfg_attr(any(miri, loom), allow(dead_code, reason = "the regions that use it are not compiled there"))]
    pub(crate) fn get(&self) -> &Arc<File> {
        &self.file
    }
}

impl From<Arc<File>> for OsFile {
    fn from(file: Arc<File>) -> Self {
        Self::new(file, None)
    }
}

impl From<File> for OsFile {
    fn from(file: File) -> Self {
        Arc::new(file).into()
    }
}

/// Returns the file.
impl From<OsFile> for Arc<File> {
    fn from(file: OsFile) -> Self {
        file.file
    }
}

impl Storage for OsFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        os::read_at(&self.file, buf, offset)
    }

    fn read_at_uninit<'b>(&self, buf: &'b mut [MaybeUninit<u8>], offset: u64) -> io::Result<&'b mut [u8]> {
        os::read_at_uninit(&self.file, &self.lent, buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        os::write_at(&self.file, buf, offset)
    }

    fn metadata(&self) -> io::Result<Metadata> {
        let data = self.file.metadata()?;
        self.failed_syncs.get_or_init(|| FailedSyncs::of(&self.file, &data));
        let kind = self.kind(&data)?;
        let mode = match (kind, self.mode) {
            // A directory is never mapped, so its mode does not matter.
            (FileKind::Directory, _) => OpenMode::READ,
            (_, Some(mode)) => mode,
            (_, None) => os::mode(&self.file)?,
        };
        let mut metadata = Metadata { kind, ..Metadata::new(self.len_of_kind(kind, &data)?, mode) };
        // This crate never opens a file in this mode.
        metadata.has_whole_blocks_only = self.mode.is_none() && os::has_whole_blocks_only(&self.file);
        metadata.has_long_blocks = has_long_blocks(&data);
        metadata.unwritable = match kind {
            FileKind::Regular if mode.write && os::is_sealed(&self.file) => Some(Reason::Sealed),
            FileKind::BlockDevice if mode.write && os::is_read_only(&self.file) => Some(Reason::ReadOnlyDevice),
            _ => None,
        };
        Ok(metadata)
    }

    fn len(&self) -> io::Result<u64> {
        let data = self.file.metadata()?;
        self.len_of_kind(self.kind(&data)?, &data)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
        os::allocate(&self.file, from, to)
    }

    fn sync(&self) -> io::Result<()> {
        let sync = || self.file.sync_data();
        self.failed_syncs.get().map_or_else(sync, |counted| counted.sync(sync))
    }

    fn failed_syncs(&self) -> usize {
        self.failed_syncs.get().map_or(0, |counted| counted.count())
    }

    fn file(&self) -> Option<&Arc<File>> {
        *self.lent() = true;
        Some(&self.file)
    }
}

/// Whether the blocks of the file are longer than a page. The blocks of a file in huge pages are huge pages.
#[cfg(all(not(miri), any(target_os = "linux", target_os = "android")))]
fn has_long_blocks(data: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    data.blksize() > rustix::param::page_size() as u64
}

/// Only Linux has files in huge pages.
#[cfg(any(miri, not(any(target_os = "linux", target_os = "android"))))]
fn has_long_blocks(_: &std::fs::Metadata) -> bool {
    false
}
