//! memmap2's three types of mapping, and what they have in common.

use std::ops::{Deref, DerefMut};
use std::{fmt, io, slice};

use super::advice::{Advice, UncheckedAdvice};
use super::buffer::{Buffer, unsupported};

/// A read-only mapping of a file: a slice of its bytes as they were when it was mapped. If the host maps the file, they
/// are the file's own bytes, and others may change them.
pub struct Mmap {
    inner: Buffer,
}

/// A writable mapping of a file or of anonymous memory, as a slice.
///
/// A flush reads the bytes. After a flush, do not write through a pointer that was made from a slice before it.
///
/// Changes reach the file when the mapping is flushed, made read-only or dropped; if the host maps the file, at once.
/// If a drop cannot write them, it calls the hook of [`emulation`](crate::emulation).
pub struct MmapMut {
    inner: Buffer,
}

/// A mapping of a file behind a pointer. The user of the pointer has to keep Rust's rules.
///
/// # References
/// With an OS mapping the kernel does the work of a flush. Here a flush reads the bytes of its pages, and a drop reads
/// all bytes. While one of them runs, nobody may write to these bytes, and no `&mut` to them may be live.
///
/// memmap2's `flush` is a safe function, so this one is too, and cannot require this of its caller. The `unsafe` code
/// that makes a `&mut` from the pointer has to keep the rule. A program that uses the same `&mut` before and after a
/// flush is sound with memmap2, but has undefined behaviour here. Make a new `&mut` after the flush, or use only the
/// pointer, which stays valid.
pub struct MmapRaw {
    inner: Buffer,
}

/// Options of [`MmapMut::remap`].
#[derive(Copy, Clone, Default, Debug)]
pub struct RemapOptions {
    may_move: bool,
}

impl RemapOptions {
    /// By default the mapping must not move.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether the mapping may move to another address. Here a mapping can only become longer if it may move.
    #[must_use]
    pub fn may_move(mut self, may_move: bool) -> Self {
        self.may_move = may_move;
        self
    }
}

/// The methods of all three types.
macro_rules! any_mapping {
    ($type:ident, $name:literal) => {
        impl $type {
            pub(super) fn over(inner: Buffer) -> Self {
                Self { inner }
            }

            /// Advises how all bytes will be used.
            ///
            /// # Errors
            /// None.
            pub fn advise(&self, advice: Advice) -> io::Result<()> {
                self.advise_range(advice, 0, self.inner.len())
            }

            /// Advises how a range will be used.
            ///
            /// # Errors
            /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a range that starts past the end, or that is longer
            /// than the mapping. As in memmap2, a range that only ends past the end is accepted.
            pub fn advise_range(&self, advice: Advice, offset: usize, len: usize) -> io::Result<()> {
                self.inner.advise(advice, offset, len)
            }

            /// Gives advice that changes bytes.
            ///
            /// # Safety
            /// Nobody borrows the bytes.
            ///
            /// # Errors
            /// As for [`unchecked_advise_range`](Self::unchecked_advise_range).
            pub unsafe fn unchecked_advise(&self, advice: UncheckedAdvice) -> io::Result<()> {
                // SAFETY: the caller guarantees it.
                unsafe { self.unchecked_advise_range(advice, 0, self.inner.len()) }
            }

            /// Gives advice that changes bytes.
            ///
            /// # Safety
            /// Nobody borrows the bytes of the range.
            ///
            /// # Errors
            /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a range that is not inside the mapping, and
            /// [`Unsupported`](io::ErrorKind::Unsupported) for files.
            pub unsafe fn unchecked_advise_range(
                &self,
                advice: UncheckedAdvice,
                offset: usize,
                len: usize,
            ) -> io::Result<()> {
                // SAFETY: the caller guarantees it.
                unsafe { self.inner.advise_unchecked(advice, offset, len) }
            }

            /// Keeps the bytes in memory and out of swap space.
            ///
            /// # Errors
            /// [`Unsupported`](io::ErrorKind::Unsupported): a guest cannot control what its host swaps.
            pub fn lock(&self) -> io::Result<()> {
                Err(unsupported("locking a guest's memory"))
            }

            /// Undoes [`lock`](Self::lock).
            ///
            /// # Errors
            /// [`Unsupported`](io::ErrorKind::Unsupported).
            pub fn unlock(&self) -> io::Result<()> {
                Err(unsupported("unlocking a guest's memory"))
            }

            /// Changes the length of the mapping. The length of the file does not change.
            ///
            /// # Safety
            /// There are no pointers into the mapping; and as for [`MmapOptions`](crate::MmapOptions).
            ///
            /// # Errors
            /// As for [`MmapOptions`](crate::MmapOptions); [`OutOfMemory`](io::ErrorKind::OutOfMemory) if it would
            /// become longer and must not move; and the errors of a flush. After an error the mapping is unchanged.
            pub unsafe fn remap(&mut self, new_len: usize, options: RemapOptions) -> io::Result<()> {
                // SAFETY: the caller guarantees it.
                unsafe { self.inner.remap(new_len, options.may_move) }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name).field("ptr", &self.inner.ptr()).field("len", &self.inner.len()).finish()
            }
        }
    };
}

any_mapping!(Mmap, "Mmap");
any_mapping!(MmapMut, "MmapMut");
any_mapping!(MmapRaw, "MmapRaw");

/// The methods of the types that can be written to.
macro_rules! flushed {
    ($type:ident, $references:literal) => {
        impl $type {
            /// Writes all changes to the file, and returns when they are on the disk.
            ///
            #[doc = $references]
            ///
            /// # Errors
            /// As for [`flush_range`](Self::flush_range).
            pub fn flush(&self) -> io::Result<()> {
                self.flush_range(0, self.inner.len())
            }

            /// Writes all changes to the file, and returns when all readers of the file see them.
            ///
            #[doc = $references]
            ///
            /// # Errors
            /// As for [`flush_range`](Self::flush_range).
            pub fn flush_async(&self) -> io::Result<()> {
                self.flush_async_range(0, self.inner.len())
            }

            /// Writes the changes of all pages that overlap a range to the file, and returns when they are on the disk.
            ///
            #[doc = $references]
            ///
            /// # Errors
            /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a range that is not inside the mapping;
            /// [`StaleNetworkFileHandle`](io::ErrorKind::StaleNetworkFileHandle) if the file has been closed;
            /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) for changes past its end; and the errors of the system.
            /// Bytes that were not written still count as changed.
            pub fn flush_range(&self, offset: usize, len: usize) -> io::Result<()> {
                // SAFETY: a `&mut` from a `MmapMut` borrows it mutably, so none is live. Code that makes one from the
                // pointer of a `MmapRaw`, or writes through the pointer, keeps the rules in its documentation.
                unsafe { self.inner.flush(offset, len, true) }
            }

            /// Writes the changes of all pages that overlap a range to the file, and returns when all readers of the
            /// file see them.
            ///
            #[doc = $references]
            ///
            /// # Errors
            /// As for [`flush_range`](Self::flush_range).
            pub fn flush_async_range(&self, offset: usize, len: usize) -> io::Result<()> {
                // SAFETY: as in `flush_range`.
                unsafe { self.inner.flush(offset, len, false) }
            }
        }
    };
}

flushed!(
    MmapMut,
    "The call reads the bytes: after it, do not write through a pointer that was made from a slice before it."
);
flushed!(MmapRaw, "The call reads the bytes: no `&mut` to them may be live, see [References](MmapRaw#references).");

/// The traits of the types that are slices.
macro_rules! slices {
    ($type:ident) => {
        // SAFETY: the address of the bytes does not change when the value is moved. Only `remap` changes it, which
        // borrows the mapping mutably and is `unsafe`.
        #[cfg(feature = "stable_deref_trait")]
        unsafe impl stable_deref_trait::StableDeref for $type {}

        impl Deref for $type {
            type Target = [u8];

            #[inline]
            fn deref(&self) -> &[u8] {
                // SAFETY: that many bytes are initialised there, and they change only through a mutable borrow.
                unsafe { slice::from_raw_parts(self.inner.ptr(), self.inner.len()) }
            }
        }

        impl AsRef<[u8]> for $type {
            #[inline]
            fn as_ref(&self) -> &[u8] {
                self
            }
        }
    };
}

slices!(Mmap);
slices!(MmapMut);

impl Mmap {
    /// Makes the mapping writable. The file must have been open for writing when it was mapped, except for a copy.
    ///
    /// # Errors
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) if it was not open for writing, and
    /// [`OutOfMemory`](io::ErrorKind::OutOfMemory).
    pub fn make_mut(mut self) -> io::Result<MmapMut> {
        self.inner.make_mut()?;
        Ok(MmapMut { inner: self.inner })
    }
}

impl MmapMut {
    /// Writes all changes to the file, as [`flush_async`](Self::flush_async) does, and makes the mapping read-only.
    ///
    /// # Errors
    /// As for [`flush_range`](Self::flush_range). After an error the mapping is dropped, and the drop tries to write
    /// once more.
    pub fn make_read_only(mut self) -> io::Result<Mmap> {
        self.inner.make_read_only()?;
        Ok(Mmap { inner: self.inner })
    }

    /// Does the same as [`make_read_only`](Self::make_read_only). WebAssembly has no executable memory.
    ///
    /// # Errors
    /// As for [`make_read_only`](Self::make_read_only).
    pub fn make_exec(self) -> io::Result<Mmap> {
        self.make_read_only()
    }
}

impl DerefMut for MmapMut {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: that many bytes are initialised there, and the mapping is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.inner.ptr_mut(), self.inner.len()) }
    }
}

impl AsMut<[u8]> for MmapMut {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl MmapRaw {
    /// The address of the first byte.
    #[inline]
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.inner.ptr()
    }

    /// The address of the first byte. It can be written to if the mapping is writable. For references that are made
    /// from it see [References](Self#references).
    #[inline]
    #[must_use]
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.inner.ptr()
    }

    /// The number of bytes.
    #[inline]
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the interface has none")]
    pub fn len(&self) -> usize {
        self.inner.len()
    }
}

impl From<Mmap> for MmapRaw {
    fn from(value: Mmap) -> Self {
        Self { inner: value.inner }
    }
}

impl From<MmapMut> for MmapRaw {
    fn from(value: MmapMut) -> Self {
        Self { inner: value.inner }
    }
}
