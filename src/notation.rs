//! Python's slice notation: `m[start:stop:step]`, including negative indices and steps.

use std::ops::{Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use crate::error::Asked;
use crate::{Error, Result};

/// A slice in Python's notation: optional bounds, of which negative ones count from the end, and a step.
///
/// Bounds outside of the mapping are clamped to it, as in Python. Every range of `isize` converts into a `Slice`. An
/// inclusive end of -1 means the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    start: Option<isize>,
    stop: Option<isize>,
    step: Option<isize>,
}

impl Slice {
    /// `[start:stop:step]`, where `None` stands for a part that Python omits.
    ///
    /// ```
    /// use portable_mmap::Slice;
    /// let backwards = Slice::new(None, None, -1);
    /// let every_other = Slice::new(0, 10, 2);
    /// assert_ne!(backwards, every_other);
    /// ```
    #[must_use]
    #[expect(clippy::similar_names, reason = "Python's names")]
    pub fn new(
        start: impl Into<Option<isize>>,
        stop: impl Into<Option<isize>>,
        step: impl Into<Option<isize>>,
    ) -> Self {
        Self { start: start.into(), stop: stop.into(), step: step.into() }
    }

    /// A range as a slice with step 1.
    pub(crate) fn of(range: &impl RangeBounds<isize>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(&start) => Some(start),
            // No byte follows the last one.
            Bound::Excluded(&-1) => Some(isize::MAX),
            Bound::Excluded(&before) => Some(before.saturating_add(1)),
            Bound::Unbounded => None,
        };
        let stop = match range.end_bound() {
            Bound::Included(&-1) | Bound::Unbounded => None,
            Bound::Included(&last) => Some(last.saturating_add(1)),
            Bound::Excluded(&end) => Some(end),
        };
        Self { start, stop, step: None }
    }

    /// The bytes that the slice picks out of `len` bytes.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a step of 0.
    #[expect(clippy::similar_names, reason = "Python's names")]
    pub(crate) fn pick(self, len: usize) -> Result<Picked> {
        let step = self.step.unwrap_or(1);
        if step == 0 {
            return Err(Error::OutOfRange { what: Asked::Step, start: 0, len: 0, limit: len as u64 });
        }
        // As in Python's `PySlice_AdjustIndices`: with a negative step the bounds range from -1 to len - 1.
        let len = len as i128;
        let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let clamp = |bound: isize| {
            let bound = bound as i128;
            (if bound < 0 { bound + len } else { bound }).clamp(lowest, highest)
        };
        let (first, last) = if step > 0 { (lowest, highest) } else { (highest, lowest) };
        let start = self.start.map_or(first, clamp);
        let stop = self.stop.map_or(last, clamp);
        let distance = if step > 0 { stop - start } else { start - stop };
        let count = if distance > 0 { (distance - 1) / step.unsigned_abs() as i128 + 1 } else { 0 };
        // Both fit: they lie within `0..=len`. The exception is a start of -1, for which the count is 0.
        let fit = |n: i128| usize::try_from(n).unwrap_or(0);
        Ok(Picked { start: fit(start), step, count: fit(count) })
    }
}

macro_rules! from_ranges {
    ($($range:ty),*) => {$(
        impl From<$range> for Slice {
            fn from(range: $range) -> Self {
                Self::of(&range)
            }
        }
    )*};
}

from_ranges!(Range<isize>, RangeFrom<isize>, RangeFull, RangeInclusive<isize>, RangeTo<isize>, RangeToInclusive<isize>);

/// Where [`find_in`](crate::Mapping::find_in) and [`rfind_in`](crate::Mapping::rfind_in) search: a range, or a pair of
/// [`Bound`]s.
///
/// Bounds of `usize` are indices. Bounds of `isize` and `i32` are in slice notation: a negative bound counts from the
/// end, and an inclusive end of -1 means the end. (`i32` is the type of a literal such as `-3..`.) Bounds that lie
/// outside of the mapping are clamped to it. A search that starts past the end finds nothing, not even an empty needle.
/// The trait is sealed.
pub trait SearchRange: sealed::SearchRange {}

mod sealed {
    pub trait SearchRange {
        /// The bounds of the search among `len` bytes. The start may lie past the end.
        fn bounds(&self, len: usize) -> (usize, usize);
    }
}

/// A bound of a search.
trait SearchBound: Copy {
    /// The index of the bound in `len` bytes, not clamped.
    fn index(self, len: usize) -> usize;

    /// The index after the bound.
    fn behind(self, len: usize) -> usize;
}

impl SearchBound for usize {
    fn index(self, _: usize) -> usize {
        self
    }

    fn behind(self, _: usize) -> usize {
        self.saturating_add(1)
    }
}

impl SearchBound for isize {
    fn index(self, len: usize) -> usize {
        if self < 0 { len.saturating_sub(self.unsigned_abs()) } else { self.unsigned_abs() }
    }

    fn behind(self, len: usize) -> usize {
        // -1 plus 1 is 0, which does not count from the end.
        if self == -1 { len } else { self.saturating_add(1).index(len) }
    }
}

impl SearchBound for i32 {
    fn index(self, len: usize) -> usize {
        as_isize(self).index(len)
    }

    fn behind(self, len: usize) -> usize {
        as_isize(self).behind(len)
    }
}

/// Exact if `isize` has 32 bits or more, clamped otherwise.
fn as_isize(bound: i32) -> isize {
    isize::try_from(bound).unwrap_or(if bound < 0 { isize::MIN } else { isize::MAX })
}

fn bounds<T: SearchBound>(range: &impl RangeBounds<T>, len: usize) -> (usize, usize) {
    let start = match range.start_bound() {
        Bound::Included(start) => start.index(len),
        Bound::Excluded(before) => before.behind(len),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.behind(len),
        Bound::Excluded(end) => end.index(len),
        Bound::Unbounded => len,
    };
    (start, end.min(len))
}

macro_rules! search_ranges {
    ($($bound:ty: $($range:ty),*;)*) => {$($(
        impl SearchRange for $range {}

        impl sealed::SearchRange for $range {
            fn bounds(&self, len: usize) -> (usize, usize) {
                bounds::<$bound>(self, len)
            }
        }
    )*)*};
}

macro_rules! search_ranges_of {
    ($($bound:ty),*) => {$(
        search_ranges! {
            $bound: Range<$bound>, RangeFrom<$bound>, RangeInclusive<$bound>, RangeTo<$bound>,
                RangeToInclusive<$bound>, (Bound<$bound>, Bound<$bound>);
        }
    )*};
}

search_ranges_of!(usize, isize, i32);
search_ranges!(usize: RangeFull;);

/// The bytes that a slice picks: `count` bytes from `start` on, at a distance of `step`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picked {
    pub(crate) start: usize,
    pub(crate) step: isize,
    pub(crate) count: usize,
}

impl Picked {
    /// The indices, in the slice's order.
    pub(crate) fn indices(self) -> impl Iterator<Item = usize> {
        (0..self.count).map(move |i| self.at(i))
    }

    fn at(self, i: usize) -> usize {
        let distance = i * self.step.unsigned_abs();
        if self.step > 0 { self.start + distance } else { self.start - distance }
    }

    /// The range from the lowest picked index to the highest.
    pub(crate) fn hull(self) -> Range<usize> {
        if self.count == 0 {
            return 0..0;
        }
        let last = self.at(self.count - 1);
        self.start.min(last)..self.start.max(last) + 1
    }

    /// Whether each byte lies in a page of its own, so that the pages in between need not be accessed.
    pub(crate) fn is_sparse(self, page_size: usize) -> bool {
        self.step.unsigned_abs() > page_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's rule, from its documentation: every index i = start + k * step that lies between the bounds.
    fn oracle(slice: Slice, len: usize) -> Vec<usize> {
        let step = slice.step.unwrap_or(1);
        let len = isize::try_from(len).unwrap();
        let resolve = |bound: isize| if bound < 0 { bound + len } else { bound };
        let mut at = match slice.start {
            None => {
                if step > 0 {
                    0
                } else {
                    len - 1
                }
            }
            Some(start) if step > 0 => resolve(start).max(0),
            Some(start) => resolve(start).min(len - 1),
        };
        let mut all = Vec::new();
        while at >= 0 && at < len {
            let before_stop =
                slice.stop.is_none_or(|stop| if step > 0 { at < resolve(stop) } else { at > resolve(stop) });
            if !before_stop {
                break;
            }
            all.push(at.unsigned_abs());
            at += step;
        }
        all
    }

    #[test]
    fn every_small_slice_is_pythons() {
        let bounds = || std::iter::once(None).chain((-7..=7).map(Some));
        // Miri takes half a minute for all lengths.
        for len in (0..=5).step_by(if cfg!(miri) { 5 } else { 1 }) {
            for (start, stop) in bounds().flat_map(|start| bounds().map(move |stop| (start, stop))) {
                for step in [None, Some(1), Some(2), Some(3), Some(-1), Some(-2), Some(-3)] {
                    let slice = Slice { start, stop, step };
                    let picked = slice.pick(len).unwrap();
                    let expected = oracle(slice, len);
                    assert_eq!(picked.indices().collect::<Vec<_>>(), expected, "{slice:?} of {len}");
                    let hull = picked.hull();
                    assert_eq!(hull.start, expected.iter().min().copied().unwrap_or(0));
                    assert_eq!(hull.end, expected.iter().max().map_or(0, |max| max + 1));
                }
            }
        }
    }

    #[test]
    fn extreme_bounds_and_steps_do_not_overflow() {
        for bound in [isize::MIN, isize::MIN + 1, isize::MAX] {
            for step in [isize::MIN, isize::MAX, 1, -1] {
                let picked = Slice::new(bound, None, step).pick(5).unwrap();
                assert!(picked.count <= 5 && picked.hull().end <= 5);
                let picked = Slice::new(None, bound, step).pick(isize::MAX as usize).unwrap();
                assert!(isize::try_from(picked.hull().end).is_ok());
            }
        }
        assert!(Slice::new(None, None, 0).pick(5).is_err());
    }

    #[test]
    fn an_inclusive_end_of_minus_one_is_the_end() {
        #[expect(clippy::reversed_empty_ranges, reason = "not empty in this notation")]
        let to_the_end = 2..=-1;
        assert_eq!(Slice::from(to_the_end), Slice::new(2, None, None));
        assert_eq!(Slice::from(..=-2), Slice::new(None, -1, None));
        assert_eq!(Slice::from(..), Slice::new(None, None, None));
    }
}
