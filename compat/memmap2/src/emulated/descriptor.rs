//! A file that somebody else may close: read and written through its number, and only while that still names it.

use std::fs::File;
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use portable_mmap::{Metadata, OpenMode, OsFile, Storage};
use rustix::fs::FileType;

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

/// Which file a descriptor names, and for what it was opened.
///
/// WASI has no `dup`, so a mapping that outlives its `File` is left with a number, and a number that is closed is given
/// to the file that is opened next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    kind: FileType,
    mode: OpenMode,
}

/// The file behind a mapping. Clones share what they know of it.
#[derive(Clone, Debug)]
pub(super) struct Descriptor(Arc<Borrowed>);

#[derive(Debug)]
struct Borrowed {
    /// The caller's: never closed here.
    file: ManuallyDrop<OsFile>,
    fd: RawFd,
    identity: Identity,
    /// Whether the number is known to name the file still.
    trusted: AtomicBool,
    /// How far the file is made to seem to reach while it is loaded, in bytes: zeros stand behind its end.
    reach: AtomicU64,
}

impl Descriptor {
    /// Looks at the file that a descriptor names now.
    pub(super) fn new(desc: &MmapRawDescriptor) -> io::Result<Self> {
        let fd = desc.0;
        if fd < 0 {
            // std keeps this number for itself.
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the number of an open file"));
        }
        // SAFETY: whoever gives a number to map vouches that it is open, and the file made of it is never closed.
        let file = ManuallyDrop::new(OsFile::from(unsafe { File::from_raw_fd(fd) }));
        // The caller can use the cursor at any time. After this call the file never moves it.
        let _ = file.file();
        let identity = identity(fd, &file)?;
        let (trusted, reach) = (AtomicBool::new(true), AtomicU64::new(0));
        Ok(Self(Arc::new(Borrowed { file, fd, identity, trusted, reach })))
    }

    /// Where the file ends, in bytes.
    pub(super) fn end(&self) -> io::Result<u64> {
        self.0.file.len()
    }

    /// Whether both were the same file when they were looked at.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        let (this, other) = (self.0.identity, other.0.identity);
        (this.device, this.inode) == (other.device, other.inode)
    }

    /// For what it was opened.
    pub(super) fn opened_for(&self) -> OpenMode {
        self.0.identity.mode
    }

    /// Makes the file seem to reach up to `end`, if it does not: there are zeros.
    pub(super) fn pretend(&self, end: u64) {
        self.0.reach.store(end, Ordering::Relaxed);
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
    Ok(Identity { device: stat.st_dev, inode: stat.st_ino, kind, mode: file.metadata()?.mode })
}

/// Miri cannot tell for what a file was opened. There every file counts as open for reading and writing.
#[cfg(miri)]
fn identity(_: RawFd, file: &OsFile) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;

    let stat = file.file().ok_or(io::ErrorKind::Other)?.metadata()?;
    let kind = FileType::from_raw_mode(stat.mode());
    let mode = OpenMode { read: true, write: true, append: false };
    Ok(Identity { device: stat.dev(), inode: stat.ino(), kind, mode })
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
        self.0.checked()?.write_at(buf, offset)
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
