//! Indexing and iterating as a slice does: what cannot fail, and panics.

use std::borrow::Borrow;
use std::ops::{
    Bound, Deref, Index, IndexMut, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive,
};
use std::slice::SliceIndex;

use crate::Mapping;
use crate::backend::Backend;

/// The bytes of a mapping one after the other: see [`Mapping::iter`].
#[derive(Debug)]
pub struct Iter<'m, B: Backend> {
    mapping: &'m Mapping<B>,
    loaded: std::slice::Iter<'m, u8>,
    /// The index behind what was loaded.
    next: usize,
}

/// How many bytes an iterator borrows at a time.
const ITER_STEP: usize = 64 << 10;

impl<'m, B: Backend> Iter<'m, B> {
    pub(crate) fn new(mapping: &'m Mapping<B>) -> Self {
        Self { mapping, loaded: [].iter(), next: 0 }
    }
}

impl<'m, B: Backend> Iterator for Iter<'m, B> {
    type Item = &'m u8;

    fn next(&mut self) -> Option<&'m u8> {
        loop {
            if let Some(byte) = self.loaded.next() {
                return Some(byte);
            }
            let end = self.next.saturating_add(ITER_STEP).min(self.mapping.len());
            if self.next >= end {
                return None;
            }
            self.loaded = self.mapping.door.look(self.next..end).iter();
            self.next = end;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.mapping.len() - self.next + self.loaded.len();
        (left, Some(left))
    }
}

impl<B: Backend> ExactSizeIterator for Iter<'_, B> {}

impl<'m, B: Backend> IntoIterator for &'m Mapping<B> {
    type Item = &'m u8;
    type IntoIter = Iter<'m, B>;

    fn into_iter(self) -> Iter<'m, B> {
        self.iter()
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

impl<B: Backend> AsRef<[u8]> for Mapping<B> {
    fn as_ref(&self) -> &[u8] {
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
        if !self.door.is_ready_to_change(index) {
            check_index(index, self.len());
        }
        self.door.byte_mut(index)
    }
}

macro_rules! index_by {
    ($($range:ty),*) => {$(
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
                {
                let len = self.len();
                self.door.look_mut(checked(range, len))
            }
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
fn check_index(index: usize, len: usize) {
    let () = UNITS[..len][index];
}

/// A range that lies within `len` bytes. Panics where a slice does, with a slice's own words, in the caller's name.
#[inline]
#[track_caller]
fn checked<R>(range: R, len: usize) -> Range<usize>
where
    R: RangeBounds<usize> + Clone + SliceIndex<[()], Output = [()]>,
{
    let count = UNITS[..len][range.clone()].len();
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before + 1,
        Bound::Unbounded => 0,
    };
    start..start + count
}
