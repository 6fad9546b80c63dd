//! The storage that ships: a file of the operating system.

use std::fs::{self, File};
use std::io;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::calls::{end_by, uninterrupted};
use super::failed_syncs::FailedSyncs;
use super::{FileKind, Metadata, OpenMode, Storage, os};
use crate::error::Reason;

/// A file of the operating system.
///
/// Holds the [`File`] itself and not its number: WASI has no `dup`, and a number that is kept alone may come to name
/// another file.
#[derive(Debug)]
pub struct OsFile {
    pub(super) file: Arc<File>,
    /// What it was opened for, if that need not be asked.
    mode: Option<OpenMode>,
    /// Known once the metadata is, which is asked when the file is mapped.
    failed_syncs: OnceLock<FailedSyncs>,
    /// Whether a caller was given a reference to `file`, which its counts do not show. A file layer that moves the cursor
    /// holds the lock until the cursor is back.
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

    /// The length of a file of this kind. A system says of a block device that it has none, and a host may do so even when
    /// it is asked to seek to its end: where there is no call, reads find the end.
    fn len_by(&self, kind: FileKind, data: &fs::Metadata) -> io::Result<u64> {
        if kind != FileKind::BlockDevice {
            return Ok(data.len());
        }
        let len = os::device_len(&self.file).filter(|&len| len > 0);
        len.map_or_else(|| end_by(|offset| Ok(uninterrupted(|| self.read_at(&mut [0], offset))? > 0)), Ok)
    }

    /// Waits until no read uses the cursor, and keeps reads away from it.
    fn lent(&self) -> MutexGuard<'_, bool> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for OsFile {
    fn clone(&self) -> Self {
        // The clone can lend the file at once, so no read may use the cursor now. Later the count of the `Arc` is 2.
        let _lent = self.lent();
        let failed_syncs = self.failed_syncs.clone();
        Self { file: self.file.clone(), mode: self.mode, failed_syncs, lent: Mutex::new(false) }
    }
}

impl OsFile {
    /// Where its failed syncs are counted, once it was mapped.
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

/// The file that it holds.
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
            // It is not mapped, whatever it was opened for.
            (FileKind::Directory, _) => OpenMode::READ,
            (_, Some(mode)) => mode,
            (_, None) => os::mode(&self.file)?,
        };
        let mut metadata = Metadata { kind, ..Metadata::new(self.len_by(kind, &data)?, mode) };
        // This crate asks for no such mode when it opens a file.
        metadata.has_whole_blocks_only = self.mode.is_none() && os::has_whole_blocks_only(&self.file);
        metadata.unwritable = match kind {
            FileKind::Regular if mode.write && os::is_sealed(&self.file) => Some(Reason::Sealed),
            FileKind::BlockDevice if mode.write && os::is_read_only(&self.file) => Some(Reason::ReadOnlyDevice),
            _ => None,
        };
        Ok(metadata)
    }

    fn len(&self) -> io::Result<u64> {
        let data = self.file.metadata()?;
        self.len_by(self.kind(&data)?, &data)
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
