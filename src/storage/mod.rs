//! What is mapped: [`Storage`], which reads and writes at offsets; and [`OsFile`], the one that ships.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;

use crate::error::Reason;

mod calls;
mod failed_syncs;
mod os_file;

pub(crate) use calls::{read_full, read_some, uninterrupted, with_length, write_some, zeroed};
pub(crate) use failed_syncs::FailedSyncs;
#[cfg(all(unix, not(any(miri, all(loom, test)))))]
pub(crate) use os::device_len;
pub use os_file::OsFile;

// The second and last ladder: how files are read and written at offsets.
cfg_if::cfg_if! {
    if #[cfg(all(target_os = "wasi", target_env = "p1"))] {
        mod wasip1;
        use wasip1 as os;
    } else if #[cfg(any(unix, all(target_os = "wasi", target_env = "p2")))] {
        mod posix;
        use posix as os;
    } else if #[cfg(windows)] {
        mod windows;
        use windows as os;
    } else {
        mod none;
        use none as os;
    }
}

/// Something that [`Buffered`](crate::Buffered) can map: it reads and writes at offsets.
///
/// Offsets and lengths are in bytes from the start. Every function may be called from several threads at once, and none
/// of them moves a cursor that anybody else sees. Reads of different pages of one mapping run at the same time. A panic
/// in one of them is passed on.
///
/// A storage must not use a mapping that is made over it, because it would wait for itself. A read that asks for bytes
/// which the same thread is loading returns an error of kind [`Deadlock`](io::ErrorKind::Deadlock); two threads that
/// wait for each other do not notice it.
///
/// ```
/// use std::io;
/// use std::sync::Mutex;
/// use portable_mmap::{Metadata, MmapOptions, OpenMode, Storage};
///
/// /// Bytes in memory.
/// struct Memory(Mutex<Vec<u8>>);
///
/// impl Storage for Memory {
///     fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
///         let bytes = self.0.lock().unwrap();
///         let rest = bytes.get(offset as usize..).unwrap_or_default();
///         let n = rest.len().min(buf.len());
///         buf[..n].copy_from_slice(&rest[..n]);
///         Ok(n)
///     }
///     fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
///         self.0.lock().unwrap()[offset as usize..][..buf.len()].copy_from_slice(buf);
///         Ok(buf.len())
///     }
///     fn metadata(&self) -> io::Result<Metadata> {
///         Ok(Metadata::new(self.0.lock().unwrap().len() as u64, OpenMode::READ_WRITE))
///     }
///     fn set_len(&self, len: u64) -> io::Result<()> {
///         self.0.lock().unwrap().resize(len as usize, 0);
///         Ok(())
///     }
///     fn sync(&self) -> io::Result<()> {
///         Ok(())
///     }
/// }
///
/// # fn main() -> portable_mmap::Result<()> {
/// let mut map = MmapOptions::new().map_storage(Memory(Mutex::new(b"Hello!".to_vec())))?;
/// map.set_slice(..5, b"Salut")?;
/// map.flush()?;
/// # Ok(())
/// # }
/// ```
pub trait Storage: Send + Sync {
    /// Reads bytes from `offset` into `buf`. May read fewer than asked for; 0 means that the end is reached, or that
    /// `buf` is empty.
    ///
    /// # Errors
    /// Any error of the storage. After one of kind [`Interrupted`](io::ErrorKind::Interrupted) the call is repeated.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// [`read_at`](Self::read_at) into memory that is not initialised. Returns the bytes read: the start of `buf`.
    /// The provided implementation fills `buf` with zeros first.
    ///
    /// # Errors
    /// As for [`read_at`](Self::read_at).
    fn read_at_uninit<'b>(&self, buf: &'b mut [MaybeUninit<u8>], offset: u64) -> io::Result<&'b mut [u8]> {
        let buf = zeroed(buf);
        let n = self.read_at(buf, offset)?;
        buf.get_mut(..n).ok_or_else(calls::overrun)
    }

    /// Writes bytes of `buf` from `offset` on. May write fewer. Never asked to write past the end.
    ///
    /// # Errors
    /// Any error of the storage. After one of kind [`Interrupted`](io::ErrorKind::Interrupted) the call is repeated.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;

    /// What the storage is, how many bytes it has now, and what may be done with it. Called once, when the storage is
    /// mapped.
    ///
    /// # Errors
    /// Its own.
    fn metadata(&self) -> io::Result<Metadata>;

    /// How many bytes there are now. Called whenever a mapping needs the length.
    ///
    /// The provided implementation calls [`metadata`](Self::metadata).
    ///
    /// # Errors
    /// Its own.
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len)
    }

    /// Whether there are no bytes now.
    ///
    /// # Errors
    /// That of [`len`](Self::len).
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Makes it longer, with zeros, or shorter.
    ///
    /// # Errors
    /// Its own; the length is as before.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes it `to` bytes long, longer than the `from` bytes that it has, and reserves room for all of them, so that a
    /// later write of these bytes cannot fail for want of room. Overwrites nothing, not even what another writer
    /// appends meanwhile.
    ///
    /// The provided implementation returns an error of kind [`Unsupported`](io::ErrorKind::Unsupported).
    ///
    /// # Errors
    /// Any error of the storage, and one of kind [`Unsupported`](io::ErrorKind::Unsupported) if it cannot reserve room;
    /// the length is as before.
    fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns once all that was written is where a crash does not reach it.
    ///
    /// # Errors
    /// Its own.
    fn sync(&self) -> io::Result<()>;

    /// How many syncs of what this storage writes to have failed, also of other storages over the same. What such a
    /// sync was to bring to the disk may be lost for all of them, so a mapping that finds a number other than before
    /// writes again what it wrote since the last sync that succeeded. The number may be one that wraps.
    ///
    /// The provided implementation returns 0. It is right where no two mappings write to the same, since a mapping
    /// knows of its own syncs, and where each of them gets an error of its own.
    fn failed_syncs(&self) -> usize {
        0
    }

    /// The file behind it, if it is one.
    fn file(&self) -> Option<&Arc<File>> {
        None
    }
}

/// Passes every call on to what a pointer points to.
macro_rules! pass_on {
    ($($pointer:ty),*) => {$(
        impl<S: Storage + ?Sized> Storage for $pointer {
            fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
                (**self).read_at(buf, offset)
            }

            fn read_at_uninit<'b>(&self, buf: &'b mut [MaybeUninit<u8>], offset: u64) -> io::Result<&'b mut [u8]> {
                (**self).read_at_uninit(buf, offset)
            }

            fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
                (**self).write_at(buf, offset)
            }

            fn metadata(&self) -> io::Result<Metadata> {
                (**self).metadata()
            }

            fn len(&self) -> io::Result<u64> {
                (**self).len()
            }

            fn set_len(&self, len: u64) -> io::Result<()> {
                (**self).set_len(len)
            }

            fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
                (**self).allocate(from, to)
            }

            fn sync(&self) -> io::Result<()> {
                (**self).sync()
            }

            fn failed_syncs(&self) -> usize {
                (**self).failed_syncs()
            }

            fn file(&self) -> Option<&Arc<File>> {
                (**self).file()
            }
        }
    )*};
}

pass_on!(&S, Box<S>, Arc<S>);

/// What a [`Storage`] is, as it is when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// How many bytes there are; 0 where it has no length. Of a block device it is the device's length, and not what
    /// the system's `stat` says.
    pub len: u64,
    /// What may be done with it.
    pub mode: OpenMode,
    /// It is open for reads and writes of whole blocks only, as with `O_DIRECT`.
    pub(crate) has_whole_blocks_only: bool,
    /// Why no write succeeds although it is open for writing.
    pub(crate) unwritable: Option<Reason>,
}

impl Metadata {
    /// Bytes with a length: [`FileKind::Regular`]. Set [`kind`](Self::kind) for anything else.
    #[must_use]
    pub const fn new(len: u64, mode: OpenMode) -> Self {
        Self { kind: FileKind::Regular, len, mode, has_whole_blocks_only: false, unwritable: None }
    }
}

/// What a file was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenMode {
    /// Reading.
    pub read: bool,
    /// Writing.
    pub write: bool,
    /// Writing at the end only, wherever a write says it goes.
    pub append: bool,
}

impl OpenMode {
    /// Reading alone.
    pub const READ: Self = Self { read: true, write: false, append: false };

    /// Reading, and writing anywhere.
    pub const READ_WRITE: Self = Self { read: true, write: true, append: false };

    /// What succeeds with a file of which the host does not tell what it was opened for.
    #[cfg(target_os = "wasi")]
    fn tried(file: &std::fs::File, append: bool) -> Self {
        Self { read: os::read_at(file, &mut [], 0).is_ok(), write: os::write_at(file, &[], 0).is_ok(), append }
    }
}

/// What a [`Storage`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// Bytes with a length.
    Regular,
    /// A directory, which cannot be mapped.
    Directory,
    /// A block device, or anything else that has bytes at offsets and a length that cannot be changed.
    BlockDevice,
    /// A character device, a pipe or the like, whose length says nothing. A buffer cannot map it.
    Special,
}
