//! A file that somebody else may close: read and written through its number, and only while that still names it.
//!
//! Where a closed number can be kept open, it is [held](super::held). The file is looked at all the same: who closes it without
//! libc's `close` is not noticed.

use std::fs::File;
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use portable_mmap::{Metadata, OpenMode, OsFile, Storage};
use rustix::fs::FileType;

use super::held::{self, Hold};
use super::live::{self, News};

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

/// Which file a descriptor names, and for what it was opened.
///
/// WASI has no `dup`, so a mapping that outlives its `File` is left with a number, and a number that is closed is given
/// to the file that is opened next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    id: FileId,
    kind: FileType,
    mode: OpenMode,
}

/// The file behind a mapping. Clones share what they know of it.
#[derive(Clone, Debug)]
pub(super) struct Descriptor(Arc<Borrowed>);

/// A file that is not kept open.
pub(super) struct WeakDescriptor(Weak<Borrowed>);

impl WeakDescriptor {
    pub(super) fn upgrade(&self) -> Option<Descriptor> {
        self.0.upgrade().map(Descriptor)
    }
}

#[derive(Debug)]
struct Borrowed {
    /// The caller's, and never closed here unless it is held.
    file: ManuallyDrop<OsFile>,
    fd: RawFd,
    identity: Identity,
    /// Whether the number is known to name the file still.
    trusted: AtomicBool,
    /// Whether nothing is written any more.
    is_given_up: AtomicBool,
    /// How far the file is made to seem to reach while it is loaded, in bytes: zeros stand behind its end.
    reach: AtomicU64,
    /// Keeps the number open, once a mapping may write to the file. Where nothing can, the number is not trusted.
    hold: OnceLock<Hold>,
    /// What other mappings of the file have written. Those are told what is written through this one.
    news: News,
}

impl Descriptor {
    /// Looks at the file that a descriptor names now.
    pub(super) fn new(desc: &MmapRawDescriptor) -> io::Result<Self> {
        let fd = desc.0;
        if fd < 0 {
            // std keeps this number for itself.
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the number of an open file"));
        }
        if held::is_closed(fd) {
            return Err(rustix::io::Errno::BADF.into());
        }
        // SAFETY: whoever gives a number to map vouches that it is open, and the file made of it is never closed.
        let file = ManuallyDrop::new(OsFile::from(unsafe { File::from_raw_fd(fd) }));
        // The caller can use the cursor at any time. After this call the file never moves it.
        let _ = file.file();
        let identity = identity(fd, &file)?;
        Ok(Self(Arc::new(Borrowed {
            file,
            fd,
            identity,
            trusted: AtomicBool::new(true),
            is_given_up: AtomicBool::new(false),
            reach: AtomicU64::new(0),
            hold: OnceLock::new(),
            news: News::default(),
        })))
    }

    /// The file, if the number still names it.
    pub(super) fn checked(&self) -> io::Result<&OsFile> {
        self.0.checked()
    }

    /// Where the file ends, in bytes.
    pub(super) fn end(&self) -> io::Result<u64> {
        self.0.file.len()
    }

    /// Which file it was when it was looked at.
    pub(super) fn id(&self) -> FileId {
        self.0.identity.id
    }

    /// Keeps the file open until this is dropped, even if the program closes it, where that is possible.
    pub(super) fn hold(&self) {
        self.0.hold.get_or_init(|| Hold::new(self.0.fd));
    }

    pub(super) fn downgrade(&self) -> WeakDescriptor {
        WeakDescriptor(Arc::downgrade(&self.0))
    }

    /// Whether both are the same mapping's.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What other mappings of the file have written.
    pub(super) fn news(&self) -> &News {
        &self.0.news
    }

    /// For what it was opened.
    pub(super) fn opened_for(&self) -> OpenMode {
        self.0.identity.mode
    }

    /// Makes the file seem to reach up to `end`, if it does not: there are zeros.
    pub(super) fn pretend(&self, end: u64) {
        self.0.reach.store(end, Ordering::Relaxed);
    }

    /// Lets nothing more be written.
    pub(super) fn give_up(&self) {
        self.0.is_given_up.store(true, Ordering::Relaxed);
    }

    /// Forgets that the number names the file: it is looked at again before the next byte is read or written.
    pub(super) fn distrust(&self) {
        self.0.trusted.store(false, Ordering::Relaxed);
    }
}

#[cfg(not(miri))]
fn identity(fd: RawFd, file: &OsFile) -> io::Result<Identity> {
    use std::os::fd::BorrowedFd;

    // SAFETY: borrowed for this call. If it was closed the call says so.
    let stat = rustix::fs::fstat(unsafe { BorrowedFd::borrow_raw(fd) })?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    Ok(Identity { id: FileId(stat.st_dev, stat.st_ino), kind, mode: file.metadata()?.mode })
}

/// Miri cannot tell for what a file was opened. There every file counts as open for reading and writing.
#[cfg(miri)]
fn identity(_: RawFd, file: &OsFile) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;

    let stat = file.file().ok_or(io::ErrorKind::Other)?.metadata()?;
    let kind = FileType::from_raw_mode(stat.mode());
    let mode = OpenMode { read: true, write: true, append: false };
    Ok(Identity { id: FileId(stat.dev(), stat.ino()), kind, mode })
}

impl Borrowed {
    /// The file, if the number still names it, and it can still be written as it could.
    fn checked(&self) -> io::Result<&OsFile> {
        if !self.trusted.load(Ordering::Relaxed) {
            match identity(self.fd, &self.file) {
                Ok(now) if now == self.identity => self.trusted.store(true, Ordering::Relaxed),
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
        // SAFETY: taken once, for nothing comes after this.
        let file = unsafe { ManuallyDrop::take(&mut self.file) };
        // The memory of the `Arc` is given back, and the number stays open, for it is not ours.
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
        // SAFETY: the file has initialised the first `n` bytes, or all of these were just now; and `MaybeUninit<u8>` has
        // the layout of `u8`.
        Ok(unsafe { &mut *(std::ptr::from_mut(read) as *mut [u8]) })
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        if self.0.is_given_up.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let n = self.0.checked()?.write_at(buf, offset)?;
        live::tell(self, &(offset..offset.saturating_add(n as u64)));
        Ok(n)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.checked()?.len()?.max(self.0.reach.load(Ordering::Relaxed)))
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        // memmap2 never changes how long a file is.
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.checked()?.sync()
    }

    fn metadata(&self) -> io::Result<Metadata> {
        let mut metadata = self.0.file.metadata()?;
        metadata.mode = self.0.identity.mode;
        metadata.len = metadata.len.max(self.0.reach.load(Ordering::Relaxed));
        Ok(metadata)
    }
}

impl Descriptor {
    /// How many of `len` bytes from `offset` on, which lies behind the end of the file, are zeros.
    fn zeros(&self, len: usize, offset: u64) -> usize {
        let rest = self.0.reach.load(Ordering::Relaxed).saturating_sub(offset);
        usize::try_from(rest).map_or(len, |rest| rest.min(len))
    }
}
