//! A file that somebody else may close. It is read and written through its number, only while the number still names
//! it.
//!
//! If a descriptor can be kept open, it is [held](super::held). The identity of the file is checked anyway, because it
//! can be closed without libc's `close`.

use std::fs::File;
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use portable_mmap::{Metadata, OpenMode, OsFile, Storage};
use rustix::fs::FileType;

use super::held::{self, Hold};
use super::live::{self, WrittenRange};

/// The number of a file that is open.
#[expect(missing_debug_implementations, reason = "the interface has none")]
pub struct MmapRawDescriptor(pub(crate) RawFd);

/// What can be mapped: a reference to a file or to anything else that has a descriptor, or the descriptor's number.
pub trait MmapAsRawDesc {
    /// The descriptor.
    fn as_raw_desc(&self) -> MmapRawDescriptor;
}

impl MmapAsRawDesc for RawFd {
    fn as_raw_desc(&self) -> MmapRawDescriptor {
        MmapRawDescriptor(*self)
    }
}

impl<T> MmapAsRawDesc for &T
where
    T: AsRawFd,
{
    fn as_raw_desc(&self) -> MmapRawDescriptor {
        MmapRawDescriptor(self.as_raw_fd())
    }
}

/// A file, by device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(u64, u64);

/// The file that a descriptor names, and the mode in which it was opened.
///
/// WASI has no `dup`, so a mapping that outlives its `File` has only a number, and the number of a closed descriptor is
/// reused for the next file that is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    id: FileId,
    kind: FileType,
    mode: OpenMode,
}

/// The file of a mapping. Clones share its state.
#[derive(Clone, Debug)]
pub(super) struct Descriptor(Arc<Borrowed>);

/// A weak reference to a [`Descriptor`].
pub(super) struct WeakDescriptor(Weak<Borrowed>);

impl WeakDescriptor {
    pub(super) fn upgrade(&self) -> Option<Descriptor> {
        self.0.upgrade().map(Descriptor)
    }
}

#[derive(Debug)]
struct Borrowed {
    /// The caller's file. It is never closed here unless it is held.
    file: ManuallyDrop<OsFile>,
    fd: RawFd,
    identity: Identity,
    /// Whether the number may no longer name the file, and must be checked.
    needs_check: AtomicBool,
    /// Whether writes are no longer allowed.
    is_given_up: AtomicBool,
    /// While the file is loaded it is treated as at least this long, in bytes, with zeros past its end.
    apparent_end: AtomicU64,
    /// Keeps the descriptor open from when a mapping may write to the file. Where that is impossible, the number is
    /// checked instead.
    hold: OnceLock<Hold>,
    /// The ranges that other mappings of the file have written. Writes through this one are added to theirs.
    written_by_others: WrittenRange,
}

impl Descriptor {
    /// Records the identity of the file that a descriptor names now.
    pub(super) fn new(desc: &MmapRawDescriptor) -> io::Result<Self> {
        let fd = desc.0;
        if fd < 0 {
            // std reserves this number.
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the number of an open file"));
        }
        if held::is_closed(fd) {
            return Err(rustix::io::Errno::BADF.into());
        }
        // SAFETY: the caller guarantees that the number is open, and the `File` made from it is never closed.
        let file = ManuallyDrop::new(OsFile::from(unsafe { File::from_raw_fd(fd) }));
        // The caller can use the cursor at any time. After this call the `OsFile` never moves it.
        let _ = file.file();
        let identity = identity(fd, &file)?;
        Ok(Self(Arc::new(Borrowed {
            file,
            fd,
            identity,
            needs_check: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            apparent_end: AtomicU64::new(0),
            hold: OnceLock::new(),
            written_by_others: WrittenRange::default(),
        })))
    }

    /// The file, if the number still names it.
    pub(super) fn checked(&self) -> io::Result<&OsFile> {
        self.0.checked()
    }

    /// The length of the file, in bytes.
    pub(super) fn end(&self) -> io::Result<u64> {
        self.0.file.len()
    }

    /// The file that the descriptor named when it was mapped.
    pub(super) fn id(&self) -> FileId {
        self.0.identity.id
    }

    /// Keeps the file open until `self` is dropped, even if the program closes it, where that is possible.
    pub(super) fn hold(&self) {
        self.0.hold.get_or_init(|| Hold::new(self.0.fd));
    }

    pub(super) fn downgrade(&self) -> WeakDescriptor {
        WeakDescriptor(Arc::downgrade(&self.0))
    }

    /// Whether both belong to the same mapping.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What other mappings of the file have written.
    pub(super) fn written_by_others(&self) -> &WrittenRange {
        &self.0.written_by_others
    }

    /// The mode in which the file was opened.
    pub(super) fn opened_for(&self) -> OpenMode {
        self.0.identity.mode
    }

    /// Treats the file as if it reached to `end`, with zeros past its true end.
    pub(super) fn set_apparent_end(&self, end: u64) {
        self.0.apparent_end.store(end, Ordering::Relaxed);
    }

    /// Stops all writes from now on.
    pub(super) fn give_up(&self) {
        self.0.is_given_up.store(true, Ordering::Relaxed);
    }

    /// Requires a new check of the number before the next byte is read or written.
    pub(super) fn require_check(&self) {
        self.0.needs_check.store(true, Ordering::Relaxed);
    }
}

#[cfg(not(miri))]
fn identity(fd: RawFd, file: &OsFile) -> io::Result<Identity> {
    use std::os::fd::BorrowedFd;

    // SAFETY: borrowed for this call. If it was closed the call returns an error.
    let stat = rustix::fs::fstat(unsafe { BorrowedFd::borrow_raw(fd) })?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    Ok(Identity { id: FileId(stat.st_dev, stat.st_ino), kind, mode: file.metadata()?.mode })
}

/// Miri cannot return the mode in which a file was opened. There every file counts as open for reading and writing.
#[cfg(miri)]
fn identity(_: RawFd, file: &OsFile) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;

    let stat = file.file().ok_or(io::ErrorKind::Other)?.metadata()?;
    let kind = FileType::from_raw_mode(stat.mode());
    let mode = OpenMode { read: true, write: true, append: false };
    Ok(Identity { id: FileId(stat.dev(), stat.ino()), kind, mode })
}

impl Borrowed {
    /// The file, if the number still names it and it is still open in the same mode.
    fn checked(&self) -> io::Result<&OsFile> {
        if self.needs_check.load(Ordering::Relaxed) {
            match identity(self.fd, &self.file) {
                Ok(now) if now == self.identity => self.needs_check.store(false, Ordering::Relaxed),
                Ok(_) => return Err(stale(self.fd, "it names another file now")),
                Err(e) => return Err(stale(self.fd, &format!("it names no file now ({e})"))),
            }
        }
        Ok(&self.file)
    }
}

fn stale(fd: RawFd, why: &str) -> io::Error {
    let text = format!("file {fd} was closed while it was mapped: {why}, and nothing is read from it or written to it");
    io::Error::new(io::ErrorKind::StaleNetworkFileHandle, text)
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // SAFETY: it is taken once, and not used after this.
        let file = unsafe { ManuallyDrop::take(&mut self.file) };
        // Release the memory of the `Arc`, but leave the number open: it belongs to the caller.
        if let Some(file) = Arc::into_inner(Arc::<File>::from(file)) {
            let _ = file.into_raw_fd();
        }
    }
}

impl Storage for Descriptor {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let n = self.0.checked()?.read_at(buf, offset)?;
        if n > 0 {
            return Ok(n);
        }
        let zeros = self.zeros(buf.len(), offset);
        buf[..zeros].fill(0);
        Ok(zeros)
    }

    fn read_at_uninit<'b>(&self, buf: &'b mut [MaybeUninit<u8>], offset: u64) -> io::Result<&'b mut [u8]> {
        let n = self.0.checked()?.read_at_uninit(buf, offset)?.len();
        let zeros = self.zeros(buf.len(), offset);
        let read = &mut buf[..if n > 0 { n } else { zeros }];
        if n == 0 {
            read.fill(MaybeUninit::new(0));
        }
        // SAFETY: the file has initialised the first `n` bytes, or the line above has initialised them all; and
        // `MaybeUninit<u8>` has the layout of `u8`.
        Ok(unsafe { &mut *(std::ptr::from_mut(read) as *mut [u8]) })
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        if self.0.is_given_up.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let n = self.0.checked()?.write_at(buf, offset)?;
        live::record_written(self, &(offset..offset.saturating_add(n as u64)));
        Ok(n)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.checked()?.len()?.max(self.0.apparent_end.load(Ordering::Relaxed)))
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        // memmap2 never changes the length of a file.
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.checked()?.sync()
    }

    fn metadata(&self) -> io::Result<Metadata> {
        let mut metadata = self.0.file.metadata()?;
        metadata.mode = self.0.identity.mode;
        metadata.len = metadata.len.max(self.0.apparent_end.load(Ordering::Relaxed));
        Ok(metadata)
    }
}

impl Descriptor {
    /// Returns how many of `len` bytes from `offset`, which is past the end of the file, are zeros.
    fn zeros(&self, len: usize, offset: u64) -> usize {
        let rest = self.0.apparent_end.load(Ordering::Relaxed).saturating_sub(offset);
        usize::try_from(rest).map_or(len, |rest| rest.min(len))
    }
}
