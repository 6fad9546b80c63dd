//! memmap2's three types of mapping, and what they have in common.

use std::ops::{Deref, DerefMut};
use std::{fmt, io, slice};

use super::advice::{Advice, UncheckedAdvice};
use super::buffer::{Buffer, unsupported};

/// A file for reading: a slice of its bytes as they were when it was mapped. Where the host maps files they are the
/// file's own, which others may change.
pub struct Mmap {
    inner: Buffer,
}

/// A file or anonymous memory for reading and writing, as a slice.
///
/// A flush reads the bytes. A pointer that was made from a slice before a flush may not be used to write after it.
///
/// Changes reach the file when it is flushed, made read-only or dropped, and where the host maps files at once. A drop
/// that cannot write them tells [`emulation`](crate::emulation).
pub struct MmapMut {
    inner: Buffer,
}

/// A file behind a pointer, for those who keep Rust's rules themselves.
///
/// # References
/// With a mapping of the operating system, the kernel does the work of a flush. Here a flush reads the bytes of its pages,
/// and a drop reads all bytes. While one of them runs, nobody may write to these bytes, and no `&mut` to them may be live.
///
/// memmap2's `flush` is a safe function, so this one is too, and it cannot demand this of its caller. The code that makes
/// a `&mut` from the pointer keeps the rule. A program that uses the same `&mut` before and after a flush is sound with
/// memmap2 and has undefined behaviour here. Make a new `&mut` after the flush, or use the pointer alone, which stays
/// valid.
pub struct MmapRaw {
    inner: Buffer,
}

/// How [`MmapMut::remap`] may go about it.
#[derive(Copy, Clone, Default, Debug)]
pub struct RemapOptions {
    may_move: bool,
}

impl RemapOptions {
    /// The bytes stay where they are.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the bytes may come to lie elsewhere. Only then a mapping can become longer here.
    #[must_use]
    pub fn may_move(mut self, may_move: bool) -> Self {
        self.may_move = may_move;
        self
    }
}

/// What all of them can do.
macro_rules! any_mapping {
    ($type:ident, $name:literal) => {
        impl $type {
            pub(super) fn over(inner: Buffer) -> Self {
                Self { inner }
            }

            /// Says how all bytes will be used.
            ///
            /// # Errors
            /// None.
            pub fn advise(&self, advice: Advice) -> io::Result<()> {
                self.advise_range(advice, 0, self.inner.len())
            }

            /// Says how a range will be used.
            ///
            /// # Errors
            /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a range that starts past the end, or that is longer than the
            /// mapping. One that ends past it is taken, as memmap2 does.
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
                // SAFETY: the caller vouches for it.
                unsafe { self.unchecked_advise_range(advice, 0, self.inner.len()) }
            }

            /// Gives advice that changes bytes.
            ///
            /// # Safety
            /// Nobody borrows the bytes of the range.
            ///
            /// # Errors
            /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a range that does not lie in the mapping, and
            /// [`Unsupported`](io::ErrorKind::Unsupported) for files.
            pub unsafe fn unchecked_advise_range(
                &self,
                advice: UncheckedAdvice,
                offset: usize,
                len: usize,
            ) -> io::Result<()> {
                // SAFETY: the caller vouches for it.
                unsafe { self.inner.advise_unchecked(advice, offset, len) }
            }

            /// Keeps the bytes in memory and out of swap space.
            ///
            /// # Errors
            /// [`Unsupported`](io::ErrorKind::Unsupported): a guest has no say in what its host swaps.
            pub fn lock(&self) -> io::Result<()> {
                Err(unsupported("locking a guest's memory"))
            }

            /// Takes [`lock`](Self::lock) back.
            ///
            /// # Errors
            /// [`Unsupported`](io::ErrorKind::Unsupported).
            pub fn unlock(&self) -> io::Result<()> {
                Err(unsupported("unlocking a guest's memory"))
            }

            /// Maps another length of the same file, which stays as long as it is.
            ///
            /// # Safety
            /// Nobody holds a pointer into the mapping; and as for [`MmapOptions`](crate::MmapOptions).
            ///
            /// # Errors
            /// As for [`MmapOptions`](crate::MmapOptions); [`OutOfMemory`](io::ErrorKind::OutOfMemory) where it would
            /// become longer and may not move; and those of a flush. The mapping is as it was.
            pub unsafe fn remap(&mut self, new_len: usize, options: RemapOptions) -> io::Result<()> {
                // SAFETY: the caller vouches for it.
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

/// What those of them can do that may have been changed.
macro_rules! flushed {
    ($type:ident, $references:literal) => {
        impl $type {
            /// Writes all changes to the file, and returns once they are on the disk.
            ///
            #[doc = $references]
            ///
            /// # Errors
            /// As for [`flush_range`](Self::flush_range).
            pub fn flush(&self) -> io::Result<()> {
                self.flush_range(0, self.inner.len())
            }

            /// Writes all changes to the file, and returns once all who read it see them.
            ///
            #[doc = $references]
            ///
            /// # Errors
            /// As for [`flush_range`](Self::flush_range).
            pub fn flush_async(&self) -> io::Result<()> {
                self.flush_async_range(0, self.inner.len())
            }

            /// Writes the changes of the pages that hold a range to the file, and returns once they are on the disk.
            ///
            #[doc = $references]
            ///
            /// # Errors
            /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a range that does not lie in the mapping;
            /// [`StaleNetworkFileHandle`](io::ErrorKind::StaleNetworkFileHandle) if the file was closed meanwhile;
            /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) for changes behind its end; the system's. What was not
            /// written stays changed.
            pub fn flush_range(&self, offset: usize, len: usize) -> io::Result<()> {
                // SAFETY: a `&mut` from a `MmapMut` borrows it mutably, so none is live. Code that makes one from the
                // pointer of a `MmapRaw`, or writes through the pointer, keeps the rules that stand there.
                unsafe { self.inner.flush(offset, len, true) }
            }

            /// Writes the changes of the pages that hold a range to the file, and returns once all who read it see them.
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
    "The call reads the bytes: do not write after it through a pointer that was made from a slice before."
);
flushed!(MmapRaw, "The call reads the bytes: no `&mut` to them may be live, see [References](MmapRaw#references).");

/// What those of them are that are slices.
macro_rules! slices {
    ($type:ident) => {
        // SAFETY: the bytes stay where they are when the mapping is moved, and nothing but `remap`, which borrows it
        // mutably and is `unsafe`, gives them another place.
        #[cfg(feature = "stable_deref_trait")]
        unsafe impl stable_deref_trait::StableDeref for $type {}

        impl Deref for $type {
            type Target = [u8];

            #[inline]
            fn deref(&self) -> &[u8] {
                // SAFETY: so many bytes are initialised there, and are changed through a mutable borrow only.
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
    /// Lets changes be made: to the file if it was open for writing when it was mapped.
    ///
    /// # Errors
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) if it was not, and
    /// [`OutOfMemory`](io::ErrorKind::OutOfMemory).
    pub fn make_mut(mut self) -> io::Result<MmapMut> {
        self.inner.make_mut()?;
        Ok(MmapMut { inner: self.inner })
    }
}

impl MmapMut {
    /// Writes all changes to the file, as [`flush_async`](Self::flush_async) does, and lets no more be made.
    ///
    /// # Errors
    /// As for [`flush_range`](Self::flush_range); the mapping is dropped, which tries once more.
    pub fn make_read_only(mut self) -> io::Result<Mmap> {
        self.inner.make_read_only()?;
        Ok(Mmap { inner: self.inner })
    }

    /// As [`make_read_only`](Self::make_read_only). Nothing is executable, here or anywhere in WebAssembly.
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
        // SAFETY: so many bytes are initialised there, and the mapping is borrowed mutably.
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

    /// The address of the first byte, to be written to if the mapping was made for that. For references that are made
    /// from it see [References](Self#references).
    #[inline]
    #[must_use]
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.inner.ptr()
    }

    /// How many bytes there are.
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
