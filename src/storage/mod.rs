//! What a buffer maps: a [`Storage`], which reads and writes at offsets. [`OsFile`] is the storage of this crate.

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

// The module that reads and writes files at offsets, for each target.
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

/// Something that [`Buffered`](crate::Buffered) can map. It reads and writes bytes at offsets.
///
/// Offsets and lengths are in bytes from the start. Several threads may call every function at the same time, and no
/// function may move a cursor that others can see. Reads of different pages of one mapping run in parallel. A panic in
/// a function propagates to the caller of the mapping.
///
/// A storage must not use a mapping that is made over it, because it would wait for itself. If a thread asks for bytes
/// that it is already loading, the call returns an error of kind [`Deadlock`](io::ErrorKind::Deadlock). If two threads
/// wait for each other, neither notices.
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
    /// Reads bytes from `offset` on into `buf`, and returns how many. It may read fewer bytes than `buf` has. 0 means
    /// that the end is reached, or that `buf` is empty.
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

    /// Writes bytes of `buf` from `offset` on, and returns how many. It may write fewer bytes than `buf` has. Mappings
    /// never call it to write past the end.
    ///
    /// # Errors
    /// Any error of the storage. After one of kind [`Interrupted`](io::ErrorKind::Interrupted) the call is repeated.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;

    /// Returns the storage's kind, its current length, and whether it can be read and written. Called once, when the
    /// storage is mapped.
    ///
    /// # Errors
    /// Any error of the storage.
    fn metadata(&self) -> io::Result<Metadata>;

    /// Returns the current length in bytes. Called whenever a mapping needs the length.
    ///
    /// The provided implementation calls [`metadata`](Self::metadata).
    ///
    /// # Errors
    /// Any error of the storage.
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len)
    }

    /// Whether the storage is empty now.
    ///
    /// # Errors
    /// As for [`len`](Self::len).
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Sets the length. New bytes are zeros.
    ///
    /// # Errors
    /// Any error of the storage. The length is then as before.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Extends the storage from `from` to `to` bytes and reserves room for all of them, so that a later write of these
    /// bytes cannot fail because the room is used up. It overwrites nothing, not even what another writer appends at
    /// the same time.
    ///
    /// The provided implementation returns an error of kind [`Unsupported`](io::ErrorKind::Unsupported).
    ///
    /// # Errors
    /// Any error of the storage. If it cannot reserve room, an error of kind
    /// [`Unsupported`](io::ErrorKind::Unsupported). The length is then as before.
    fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns once everything that was written would survive a crash.
    ///
    /// # Errors
    /// Any error of the storage.
    fn sync(&self) -> io::Result<()>;

    /// Returns how many syncs of the underlying file or device have failed, including syncs of other storages that
    /// write to it. The bytes that a failed sync did not bring to the disk may be lost for all of these storages. So if
    /// the number has changed, a mapping writes again what it wrote since the last sync that succeeded. The number may
    /// wrap around.
    ///
    /// The provided implementation returns 0. That is right if no two mappings write to the same file or device,
    /// because a mapping knows of its own syncs. It is also right if each mapping gets an error of its own.
    fn failed_syncs(&self) -> usize {
        0
    }

    /// The file, if the storage is a file.
    fn file(&self) -> Option<&Arc<File>> {
        None
    }
}

/// Implements `Storage` for a pointer. Every call is forwarded to the storage that it points to.
macro_rules! forward_storage {
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

forward_storage!(&S, Box<S>, Arc<S>);

/// The kind, the length and the mode of a [`Storage`] at the time of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The kind of the storage.
    pub kind: FileKind,
    /// The length in bytes, or 0 if there is no length. For a block device it is the length of the device, and not what
    /// the system's `stat` returns.
    pub len: u64,
    /// How the storage may be accessed.
    pub mode: OpenMode,
    /// The file is open for reads and writes of whole blocks only, as with `O_DIRECT`.
    pub(crate) has_whole_blocks_only: bool,
    /// Why every write fails although the file is open for writing.
    pub(crate) unwritable: Option<Reason>,
    /// It may lie in huge pages: its blocks are longer than a page.
    pub(crate) has_long_blocks: bool,
}

impl Metadata {
    /// The metadata of bytes with a length: [`FileKind::Regular`]. Set [`kind`](Self::kind) for any other kind.
    #[must_use]
    pub const fn new(len: u64, mode: OpenMode) -> Self {
        Self {
            kind: FileKind::Regular,
            len,
            mode,
            has_whole_blocks_only: false,
            unwritable: None,
            has_long_blocks: false,
        }
    }
}

/// How a file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenMode {
    /// Reading.
    pub read: bool,
    /// Writing.
    pub write: bool,
    /// Every write appends at the end, whatever offset it names.
    pub append: bool,
}

impl OpenMode {
    /// Reading only.
    pub const READ: Self = Self { read: true, write: false, append: false };

    /// Reading, and writing anywhere.
    pub const READ_WRITE: Self = Self { read: true, write: true, append: false };

    /// The mode of a file for which the host does not report it. Tries a read and a write of no bytes.
    #[cfg(target_os = "wasi")]
    fn tried(file: &std::fs::File, append: bool) -> Self {
        Self { read: os::read_at(file, &mut [], 0).is_ok(), write: os::write_at(file, &[], 0).is_ok(), append }
    }
}

/// The kind of a [`Storage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// Bytes with a length.
    Regular,
    /// A directory, which cannot be mapped.
    Directory,
    /// A block device, or anything else with bytes at offsets and a length that cannot be changed.
    BlockDevice,
    /// A character device, a pipe or the like, without a meaningful length. A buffer cannot map it.
    Special,
}
