//! The slice face that cannot fail: it has the signatures of `[u8]`, and panics where a slice does.

use std::borrow::Borrow;
use std::ops::{
    Bound, Deref, DerefMut, Index, IndexMut, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo,
    RangeToInclusive,
};
use std::slice::{self, SliceIndex};

use super::Iter;
use crate::backend::Backend;
use crate::{Error, Mapping};

/// How many bytes are looked at at a time, where not all of them may be needed.
const STEP: usize = 64 << 10;

/// An index of bytes: `usize`, or one of the six ranges of `usize`. It is sealed.
pub trait ByteIndex: sealed::ByteIndex {
    /// `u8`, or `[u8]` for a range.
    type Output: ?Sized;
}

mod sealed {
    use std::ops::Range;

    pub trait ByteIndex {
        /// The indices of the bytes, if a mapping of `len` bytes has all of them.
        fn within(self, len: usize) -> Option<Range<usize>>;

        /// What is asked for, out of exactly its bytes.
        fn of(bytes: &[u8]) -> &<Self as super::ByteIndex>::Output
        where
            Self: super::ByteIndex;

        /// What is asked for, out of exactly its bytes.
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

/// What a slice has, with a slice's own signatures and panics. A buffer loads only what is asked for; a byte that cannot
/// be loaded is a panic, and [`get_item`](Self::get_item) and [`range`](Self::range) return the error instead.
impl<B: Backend> Mapping<B> {
    /// Returns the byte at an index, or the bytes of a range; `None` if they do not all lie in the mapping.
    ///
    /// # Panics
    /// If the bytes cannot be loaded.
    #[must_use]
    #[track_caller]
    pub fn get<I: ByteIndex>(&self, index: I) -> Option<&I::Output> {
        let range = index.within(self.len())?;
        Some(I::of(self.door.look(range)))
    }

    /// Returns the byte at an index, or the bytes of a range, to be changed; `None` if they do not all lie in the mapping.
    ///
    /// # Panics
    /// On a read-only mapping, and if the bytes cannot be loaded.
    #[must_use]
    #[track_caller]
    pub fn get_mut<I: ByteIndex>(&mut self, index: I) -> Option<&mut I::Output> {
        let range = index.within(self.len())?;
        Some(I::of_mut(self.door.look_mut(range)))
    }

    /// Returns the first byte, or `None` once the mapping is closed.
    ///
    /// # Panics
    /// If it cannot be loaded.
    #[must_use]
    #[track_caller]
    pub fn first(&self) -> Option<&u8> {
        self.get(0)
    }

    /// Returns the last byte, or `None` once the mapping is closed.
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
    /// If as many bytes as `needle` has cannot be loaded.
    #[must_use]
    #[track_caller]
    pub fn starts_with(&self, needle: &[u8]) -> bool {
        self.get(..needle.len()) == Some(needle)
    }

    /// Whether the bytes end with `needle`.
    ///
    /// # Panics
    /// If as many bytes as `needle` has cannot be loaded.
    #[must_use]
    #[track_caller]
    pub fn ends_with(&self, needle: &[u8]) -> bool {
        let Some(start) = self.len().checked_sub(needle.len()) else { return false };
        self.get(start..) == Some(needle)
    }

    /// Whether one of the bytes is `byte`. It looks at no byte behind the first one.
    ///
    /// # Panics
    /// If a byte that it looks at cannot be loaded.
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

    /// The bytes one after the other. A buffer loads them as they come.
    ///
    /// # Panics
    /// The iterator panics if a byte cannot be loaded.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, B> {
        Iter::new(self)
    }

    /// The bytes one after the other, to be changed. A buffer loads and copies all of them first:
    /// [`range_mut`](Self::range_mut) takes a part.
    ///
    /// # Panics
    /// On a read-only mapping, and if the bytes cannot be loaded.
    #[track_caller]
    pub fn iter_mut(&mut self) -> slice::IterMut<'_, u8> {
        (**self).iter_mut()
    }
}

/// All bytes; none once closed. A buffer loads them all.
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

/// All bytes, to be changed; none once closed. A buffer loads and copies them all: [`range_mut`](Mapping::range_mut) takes
/// a part.
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
        // For loops over single indices: whatever is not ready, or not there, is looked at more closely.
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
                let count = UNITS[..len].get(self.clone())?.len();
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

        /// The bytes of a range. A buffer loads that range only.
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

/// As many as any slice can have, in no memory at all.
static UNITS: [(); usize::MAX] = [(); usize::MAX];

/// Panics unless a slice of `len` bytes has the index: with a slice's own words, in the caller's name.
#[inline]
#[track_caller]
pub(super) fn check_index(index: usize, len: usize) {
    if len == 0 {
        closed();
    }
    let () = UNITS[..len][index];
}

/// Panics about a byte of a mapping that has none, because it is closed: no open mapping is empty.
#[cold]
#[inline(never)]
#[track_caller]
fn closed() -> ! {
    panic!("{}", Error::Closed)
}

/// A range that lies within `len` bytes. Panics where a slice does, with a slice's own words, in the caller's name.
#[inline]
#[track_caller]
fn checked<R>(range: R, len: usize) -> Range<usize>
where
    R: RangeBounds<usize> + SliceIndex<[()], Output = [()]>,
{
    let start = start_of(&range);
    let count = if len > 0 {
        UNITS[..len][range].len()
    } else {
        let Some(none) = UNITS[..0].get(range) else { closed() };
        none.len()
    };
    start..start + count
}

/// The first index of a range that a slice has.
#[inline]
fn start_of(range: &impl RangeBounds<usize>) -> usize {
    match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before + 1,
        Bound::Unbounded => 0,
    }
}
