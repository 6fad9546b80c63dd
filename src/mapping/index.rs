//! Access to a mapping as a slice, with the signatures of `[u8]`. It panics if a slice panics, and if bytes cannot be
//! loaded.

use std::borrow::Borrow;
use std::ops::{
    Bound, Deref, DerefMut, Index, IndexMut, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo,
    RangeToInclusive,
};
use std::slice::{self, SliceIndex};

use super::Iter;
use crate::backend::Backend;
use crate::{Error, Mapping};

/// How many bytes are searched at a time, because not all of them may be needed.
const STEP: usize = 64 << 10;

/// An index of bytes: `usize`, or one of the six ranges of `usize`. The trait is sealed.
pub trait ByteIndex: sealed::ByteIndex {
    /// `u8`, or `[u8]` for a range.
    type Output: ?Sized;
}

mod sealed {
    use std::ops::Range;

    pub trait ByteIndex {
        /// The indices of the bytes, if a mapping of `len` bytes has all of them.
        fn within(self, len: usize) -> Option<Range<usize>>;

        /// The byte or the bytes at the index. `bytes` are exactly these bytes.
        fn of(bytes: &[u8]) -> &<Self as super::ByteIndex>::Output
        where
            Self: super::ByteIndex;

        /// As [`of`](Self::of), mutably.
        fn of_mut(bytes: &mut [u8]) -> &mut <Self as super::ByteIndex>::Output
        where
            Self: super::ByteIndex;
    }
}

impl ByteIndex for usize {
    type Output = u8;
}

impl sealed::ByteIndex for usize {
    #[inline]
    fn within(self, len: usize) -> Option<Range<usize>> {
        (self < len).then(|| self..self + 1)
    }

    #[inline]
    fn of(bytes: &[u8]) -> &u8 {
        &bytes[0]
    }

    #[inline]
    fn of_mut(bytes: &mut [u8]) -> &mut u8 {
        &mut bytes[0]
    }
}

/// Methods of slices, with the same signatures and panics. A buffer loads only the bytes that are needed. The methods
/// panic if a byte cannot be loaded; [`get_item`](Self::get_item) and [`range`](Self::range) return the error instead.
impl<B: Backend> Mapping<B> {
    /// Returns the byte at an index, or the bytes of a range. Returns `None` if they do not all lie in the mapping.
    ///
    /// # Panics
    /// If the bytes cannot be loaded.
    #[must_use]
    #[track_caller]
    pub fn get<I: ByteIndex>(&self, index: I) -> Option<&I::Output> {
        let range = index.within(self.len())?;
        Some(I::of(self.door.look(range)))
    }

    /// Returns the byte at an index, or the bytes of a range, mutably. Returns `None` if they do not all lie in the
    /// mapping.
    ///
    /// # Panics
    /// On a read-only mapping, and if the bytes cannot be loaded.
    #[must_use]
    #[track_caller]
    pub fn get_mut<I: ByteIndex>(&mut self, index: I) -> Option<&mut I::Output> {
        let range = index.within(self.len())?;
        Some(I::of_mut(self.door.look_mut(range)))
    }

    /// Returns the first byte, or `None` if the mapping is closed.
    ///
    /// # Panics
    /// If it cannot be loaded.
    #[must_use]
    #[track_caller]
    pub fn first(&self) -> Option<&u8> {
        self.get(0)
    }

    /// Returns the last byte, or `None` if the mapping is closed.
    ///
    /// # Panics
    /// If it cannot be loaded.
    #[must_use]
    #[track_caller]
    pub fn last(&self) -> Option<&u8> {
        self.get(self.len().wrapping_sub(1))
    }

    /// Whether the bytes start with `needle`.
    ///
    /// # Panics
    /// If the bytes that are compared cannot be loaded.
    #[must_use]
    #[track_caller]
    pub fn starts_with(&self, needle: &[u8]) -> bool {
        self.get(..needle.len()) == Some(needle)
    }

    /// Whether the bytes end with `needle`.
    ///
    /// # Panics
    /// If the bytes that are compared cannot be loaded.
    #[must_use]
    #[track_caller]
    pub fn ends_with(&self, needle: &[u8]) -> bool {
        let Some(start) = self.len().checked_sub(needle.len()) else { return false };
        self.get(start..) == Some(needle)
    }

    /// Whether one of the bytes is `byte`. It searches pieces of 64 KiB, and none after the piece with the first match.
    ///
    /// # Panics
    /// If a piece that it searches cannot be loaded.
    #[must_use]
    #[track_caller]
    pub fn contains(&self, byte: &u8) -> bool {
        let len = self.len();
        // Not in a closure, where a panic would not have the location of the caller.
        for start in (0..len).step_by(STEP) {
            if memchr::memchr(*byte, self.door.look(start..len.min(start + STEP))).is_some() {
                return true;
            }
        }
        false
    }

    /// An iterator over the bytes. A buffer loads them as they are needed.
    ///
    /// # Panics
    /// The iterator panics if a byte cannot be loaded.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, B> {
        Iter::new(self)
    }

    /// A mutable iterator over the bytes. A buffer loads and copies all of them first; for a part of them use
    /// [`range_mut`](Self::range_mut).
    ///
    /// # Panics
    /// On a read-only mapping, and if the bytes cannot be loaded.
    #[track_caller]
    pub fn iter_mut(&mut self) -> slice::IterMut<'_, u8> {
        (**self).iter_mut()
    }
}

/// All bytes, or an empty slice if the mapping is closed. A buffer loads them all.
///
/// # Panics
/// If they cannot be loaded.
impl<B: Backend> Deref for Mapping<B> {
    type Target = [u8];

    #[inline]
    #[track_caller]
    fn deref(&self) -> &[u8] {
        self.door.look(0..self.len())
    }
}

/// All bytes, mutably, or an empty slice if the mapping is closed. A buffer loads and copies them all; for a part of
/// them use [`range_mut`](Mapping::range_mut).
///
/// # Panics
/// On a read-only mapping, and if the bytes cannot be loaded.
impl<B: Backend> DerefMut for Mapping<B> {
    #[inline]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut [u8] {
        let len = self.len();
        self.door.look_mut(0..len)
    }
}

impl<B: Backend> AsRef<[u8]> for Mapping<B> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// # Panics
/// As [`DerefMut`] does.
impl<B: Backend> AsMut<[u8]> for Mapping<B> {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl<B: Backend> Borrow<[u8]> for Mapping<B> {
    fn borrow(&self) -> &[u8] {
        self
    }
}

/// The byte at an index.
///
/// # Panics
/// As a slice does, and if the byte cannot be loaded.
impl<B: Backend> Index<usize> for Mapping<B> {
    type Output = u8;

    #[inline]
    #[track_caller]
    fn index(&self, index: usize) -> &u8 {
        // The fast path, for loops over single indices. It does not take an index that is not ready or out of range.
        if let Some(byte) = self.door.ready_ref(index) {
            return byte;
        }
        check_index(index, self.len());
        &self.door.look(index..index + 1)[0]
    }
}

/// # Panics
/// As a slice does, on a read-only mapping, and if the byte cannot be loaded.
impl<B: Backend> IndexMut<usize> for Mapping<B> {
    #[inline]
    #[track_caller]
    fn index_mut(&mut self, index: usize) -> &mut u8 {
        self.door.byte_mut(index)
    }
}

macro_rules! index_by {
    ($($range:ty),*) => {$(
        impl ByteIndex for $range {
            type Output = [u8];
        }

        impl sealed::ByteIndex for $range {
            #[inline]
            fn within(self, len: usize) -> Option<Range<usize>> {
                let count = LONGEST_SLICE[..len].get(self.clone())?.len();
                Some(start_of(&self)..start_of(&self) + count)
            }

            #[inline]
            fn of(bytes: &[u8]) -> &[u8] {
                bytes
            }

            #[inline]
            fn of_mut(bytes: &mut [u8]) -> &mut [u8] {
                bytes
            }
        }

        /// The bytes of a range. A buffer loads only this range.
        ///
        /// # Panics
        /// As a slice does, and if the bytes cannot be loaded.
        impl<B: Backend> Index<$range> for Mapping<B> {
            type Output = [u8];

            #[inline]
            #[track_caller]
            fn index(&self, range: $range) -> &[u8] {
                self.door.look(checked(range, self.len()))
            }
        }

        /// # Panics
        /// As a slice does, on a read-only mapping, and if the bytes cannot be loaded.
        impl<B: Backend> IndexMut<$range> for Mapping<B> {
            #[inline]
            #[track_caller]
            fn index_mut(&mut self, range: $range) -> &mut [u8] {
                let len = self.len();
                self.door.look_mut(checked(range, len))
            }
        }
    )*};
}

index_by!(Range<usize>, RangeFrom<usize>, RangeFull, RangeInclusive<usize>, RangeTo<usize>, RangeToInclusive<usize>);

/// A slice of the maximum length. Its elements take no memory. Indexing it panics as indexing a slice of bytes does.
static LONGEST_SLICE: [(); usize::MAX] = [(); usize::MAX];

/// Panics if the index is out of range for a slice of `len` bytes, with the message of a slice and the location of the
/// caller.
#[inline]
#[track_caller]
pub(super) fn check_index(index: usize, len: usize) {
    if len == 0 {
        closed();
    }
    let () = LONGEST_SLICE[..len][index];
}

/// Panics because the mapping is closed. Only a closed mapping is empty.
#[cold]
#[inline(never)]
#[track_caller]
fn closed() -> ! {
    panic!("{}", Error::Closed)
}

/// Resolves a range within `len` bytes. Panics if a slice does, with the message of a slice and the location of the
/// caller.
#[inline]
#[track_caller]
fn checked<R>(range: R, len: usize) -> Range<usize>
where
    R: RangeBounds<usize> + SliceIndex<[()], Output = [()]>,
{
    let start = start_of(&range);
    let count = if len > 0 {
        LONGEST_SLICE[..len][range].len()
    } else {
        let Some(none) = LONGEST_SLICE[..0].get(range) else { closed() };
        none.len()
    };
    start..start + count
}

/// The first index of a range that lies in a slice.
#[inline]
fn start_of(range: &impl RangeBounds<usize>) -> usize {
    match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before + 1,
        Bound::Unbounded => 0,
    }
}
