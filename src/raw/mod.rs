//! Low level: a buffer that is accessed through a pointer, for crates with another interface to mapped files.
//!
//! [`Mapping`](crate::Mapping) returns slices and knows from their borrows which bytes may have changed. If an
//! interface gives its users a pointer, or flushes through `&self` while a slice is alive, there is no such borrow.
//! [`RawBuffer`] does not need one. It loads all bytes before it returns the pointer. Once it is
//! [watched](RawBuffer::watch), every flush compares all bytes of its range with a copy of what the file held.
//!
//! This costs a copy of all bytes as long as the buffer exists, and a pass over them for each flush. Use
//! [`Mapping`](crate::Mapping) if you can.
//!
//! On WASI there is also `RawHosted`: a mapping that the host has placed in the guest's memory. It needs neither.

#[cfg(target_os = "wasi")]
mod hosted;

use std::fmt;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Asked, Buffered, BufferedMmap, OsFile, Result, Storage, span};

#[cfg(target_os = "wasi")]
pub use hosted::RawHosted;

/// The bytes of a buffer, at a fixed address until it is dropped.
///
/// The drop writes the changes back and ignores errors. Flush the buffer first to see them. In a forked child the drop
/// writes nothing.
///
/// # References
/// [`watch`](Self::watch), the flushes and the drop read bytes of the buffer. While one of them runs, nobody may write
/// to the bytes that it reads, and no `&mut` to them may be live. A `&mut` is live if it is used after the call, itself
/// or through a reference or a pointer that was made from it. It is also live while a function runs that has it as an
/// argument.
///
/// The pointer of [`as_ptr`](Self::as_ptr) and shared references stay valid across these calls.
///
/// ```
/// use portable_mmap::{MmapOptions, raw::RawBuffer};
///
/// # fn main() -> portable_mmap::Result<()> {
/// # let dir = tempfile::tempdir_in(".").unwrap();
/// # let path = dir.path().join("file");
/// # std::fs::write(&path, b"0123456789").unwrap();
/// let mut buffer = RawBuffer::new(MmapOptions::new().open_buffered(&path)?)?;
/// buffer.watch()?;
/// // SAFETY: the first of ten bytes, which nobody borrows.
/// unsafe { buffer.as_ptr().write(b'A') };
/// // SAFETY: nobody writes meanwhile, and no reference is live.
/// unsafe { buffer.flush_range(0, 10)? };
/// assert_eq!(std::fs::read(&path).unwrap(), b"A123456789");
/// # Ok(())
/// # }
/// ```
pub struct RawBuffer<S: Storage = OsFile> {
    /// Behind a lock, because a flush takes `&self`.
    map: Mutex<BufferedMmap<S>>,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the pointer is to memory that the mapping owns, and a mapping may be sent.
unsafe impl<S: Storage> Send for RawBuffer<S> {}
// SAFETY: the mapping is behind a lock, and users of the pointer keep Rust's rules themselves.
unsafe impl<S: Storage> Sync for RawBuffer<S> {}

impl<S: Storage> RawBuffer<S> {
    /// Makes a raw buffer from a mapping, and loads all of its bytes.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed), and those of loading.
    pub fn new(mut map: BufferedMmap<S>) -> Result<Self> {
        let (start, len) = (map.act(|backend| backend.start())?, map.len());
        Ok(Self { map: Mutex::new(map), start, len })
    }

    /// Tracks changes through the pointer. From now on flushes write bytes that were changed through the pointer to the
    /// file, if the mapping's access allows that. A second call does nothing.
    ///
    /// The call reads all bytes: see [References](Self#references).
    ///
    /// # Errors
    /// [`Error::ReadOnly`](crate::Error::ReadOnly), and [`Error::NoMemory`](crate::Error::NoMemory) for the copy.
    pub fn watch(&mut self) -> Result<()> {
        self.map.get_mut().unwrap_or_else(PoisonError::into_inner).act_writable(Buffered::track_all)
    }

    /// The address of the first byte, which is the start of a page. It stays the same until the buffer is dropped, also
    /// if the buffer is moved, flushed or watched.
    ///
    /// All [`len`](Self::len) bytes are initialised. They may be read at any time. They may be written once the buffer
    /// is watched, or if the changes need not be kept. The caller keeps Rust's rules for reading and writing, and for
    /// references that are made from the pointer. The buffer reads too: see [References](Self#references).
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// How many bytes there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// As [`Mapping::flush_range`](crate::Mapping::flush_range).
    ///
    /// # Safety
    /// The call reads all bytes of the pages that hold the range. Nobody writes to these bytes while the call runs, and
    /// no `&mut` to them is live: see [References](Self#references).
    ///
    /// # Errors
    /// As for [`Mapping::flush_range`](crate::Mapping::flush_range).
    pub unsafe fn flush_range(&self, offset: usize, len: usize) -> Result<()> {
        self.lock().flush_range(offset, len)
    }

    /// As [`Mapping::flush_async_range`](crate::Mapping::flush_async_range).
    ///
    /// # Safety
    /// As for [`flush_range`](Self::flush_range).
    ///
    /// # Errors
    /// As for [`flush_range`](Self::flush_range).
    pub unsafe fn flush_async_range(&self, offset: usize, len: usize) -> Result<()> {
        self.lock().flush_async_range(offset, len)
    }

    /// Makes the pages that hold a range show what others have written to the file since the pages were read. Changes
    /// of this buffer stay, byte by byte. A buffer that is not watched stays as it is.
    ///
    /// # Safety
    /// The call reads and writes bytes of the pages that hold the range. Nobody else uses these bytes while the call
    /// runs, and no reference to them is live.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange), and errors of reading. Pages after the one that failed stay as
    /// they were.
    pub unsafe fn refresh_range(&self, offset: usize, len: usize) -> Result<()> {
        let range = span::checked_range(Asked::Refresh, offset, len, self.len)?;
        self.lock().act(|backend| backend.refresh_tracked(&range))
    }

    /// Finds the first conflict in the pages that hold a range: a byte that a flush of the range would overwrite,
    /// although somebody else has changed it in the file since it was read. Returns its index, or `None` if there is no
    /// conflict.
    ///
    /// A byte is a conflict if it was changed here and the file has a third value. Others can write between this call
    /// and a flush.
    ///
    /// # Safety
    /// As for [`flush_range`](Self::flush_range).
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange), and those of reading.
    pub unsafe fn first_conflict(&self, offset: usize, len: usize) -> Result<Option<usize>> {
        let range = span::checked_range(Asked::Flush, offset, len, self.len)?;
        self.lock().act(|backend| backend.first_conflict(&range))
    }

    fn lock(&self) -> MutexGuard<'_, BufferedMmap<S>> {
        // A panic in a storage leaves the buffer valid: bytes that were not written still count as changed.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prints the address and the length, never the bytes.
impl<S: Storage> fmt::Debug for RawBuffer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawBuffer").field("start", &self.start).field("len", &self.len).finish_non_exhaustive()
    }
}
