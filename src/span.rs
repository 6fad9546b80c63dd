//! Arithmetic on ranges, without overflow. On every target file offsets are `u64` and lengths in memory are `usize`.
//!
//! There is no input or output here.

use std::ops::{Bound, Range, RangeBounds};

use crate::error::{Asked, Unit};
use crate::{Error, Result};

/// The part of a file that a mapping covers: `len` bytes from `offset`. The end fits in `i64`, and the length in
/// `isize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    offset: u64,
    len: usize,
}

impl Span {
    /// A span of `len` bytes from byte `offset` of the file.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if a slice or a file cannot be that long.
    pub(crate) fn new(offset: u64, len: usize) -> Result<Self> {
        let limit = isize::MAX as u64;
        if len as u64 > limit {
            return Err(Error::OutOfRange { what: Asked::Length, start: 0, len: len as u64, limit });
        }
        let limit = i64::MAX as u64;
        match offset.checked_add(len as u64) {
            Some(end) if end <= limit => Ok(Self { offset, len }),
            _ => Err(Error::OutOfRange { what: Asked::End, start: i128::from(offset), len: len as u64, limit }),
        }
    }

    /// Where the span starts, in bytes from the start of the file.
    #[inline]
    pub(crate) const fn offset(self) -> u64 {
        self.offset
    }

    /// How many bytes it covers.
    #[inline]
    pub(crate) const fn len(self) -> usize {
        self.len
    }

    /// Where it ends, in bytes from the start of the file.
    pub(crate) const fn end(self) -> u64 {
        self.offset + self.len as u64
    }

    /// The file offset of byte `index` of the mapping.
    #[inline]
    pub(crate) const fn file_offset(self, index: usize) -> u64 {
        self.offset + index as u64
    }
}

/// Checks that `len` bytes from `start` lie within `0..limit`, and returns their range.
///
/// # Errors
/// [`Error::OutOfRange`] with this `what`.
#[inline]
pub(crate) fn checked_range(what: Asked, start: usize, len: usize, limit: usize) -> Result<Range<usize>> {
    match start.checked_add(len) {
        Some(end) if end <= limit => Ok(start..end),
        _ => Err(Error::OutOfRange { what, start: start as i128, len: len as u64, limit: limit as u64 }),
    }
}

/// Converts any range of `usize` into `start..end` within `0..=limit`.
///
/// # Errors
/// [`Error::OutOfRange`] if it ends past `limit` or before it starts.
pub(crate) fn resolve_range(range: &impl RangeBounds<usize>, limit: usize) -> Result<Range<usize>> {
    let start = match range.start_bound() {
        Bound::Included(&start) => Some(start),
        Bound::Excluded(&before) => before.checked_add(1),
        Bound::Unbounded => Some(0),
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.checked_add(1),
        Bound::Excluded(&end) => Some(end),
        Bound::Unbounded => Some(limit),
    };
    match (start, end) {
        (Some(start), Some(end)) if start <= end && end <= limit => Ok(start..end),
        _ => {
            let start = start.unwrap_or(usize::MAX);
            let len = end.unwrap_or(usize::MAX).saturating_sub(start);
            Err(Error::OutOfRange { what: Asked::Range, start: start as i128, len: len as u64, limit: limit as u64 })
        }
    }
}

/// Checks that `offset` is a multiple of `granularity`.
///
/// # Errors
/// [`Error::Misaligned`] if it is not.
pub(crate) fn check_aligned(offset: u64, granularity: usize, unit: Unit) -> Result<()> {
    let granularity = granularity as u64;
    if offset % granularity == 0 { Ok(()) } else { Err(Error::Misaligned { offset, granularity, unit }) }
}

/// The pages of `page_size` bytes that contain the bytes of `range`. An empty range has no pages.
#[inline]
pub(crate) fn pages(range: &Range<usize>, page_size: usize) -> Range<usize> {
    if range.is_empty() {
        return 0..0;
    }
    range.start / page_size..range.end.div_ceil(page_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_fits_memory_and_file() {
        let span = Span::new(1 << 32, 4096).unwrap();
        assert_eq!((span.offset(), span.len(), span.end()), (1 << 32, 4096, (1 << 32) + 4096));
        assert_eq!(span.file_offset(5), (1 << 32) + 5);
        assert!(matches!(Span::new(0, usize::MAX), Err(Error::OutOfRange { limit, .. }) if limit == isize::MAX as u64));
        assert!(Span::new(0, isize::MAX as usize).is_ok());
        assert!(Span::new(u64::MAX, 1).is_err());
        assert!(Span::new(i64::MAX as u64 - 1, 1).is_ok());
        assert!(Span::new(i64::MAX as u64, 1).is_err());
    }

    #[test]
    fn a_range_is_checked_without_overflow() {
        assert_eq!(checked_range(Asked::Flush, 3, 4, 7).unwrap(), 3..7);
        assert!(checked_range(Asked::Flush, 3, 5, 7).is_err());
        assert!(checked_range(Asked::Flush, usize::MAX, 1, usize::MAX).is_err());
        assert_eq!(checked_range(Asked::Flush, 7, 0, 7).unwrap(), 7..7);
        assert!(checked_range(Asked::Flush, 8, 0, 7).is_err());
    }

    #[test]
    fn every_form_of_range_resolves() {
        assert_eq!(resolve_range(&(..), 9).unwrap(), 0..9);
        assert_eq!(resolve_range(&(2..), 9).unwrap(), 2..9);
        assert_eq!(resolve_range(&(..=8), 9).unwrap(), 0..9);
        assert_eq!(resolve_range(&(Bound::Excluded(2), Bound::Included(4)), 9).unwrap(), 3..5);
        assert!(resolve_range(&(..=usize::MAX), 9).is_err());
        assert!(resolve_range(&(..10), 9).is_err());
        #[expect(clippy::reversed_empty_ranges, reason = "the case under test")]
        let reversed = 5..4;
        assert!(resolve_range(&reversed, 9).is_err());
    }

    #[test]
    fn pages_cover_their_bytes() {
        assert_eq!(pages(&(0..0), 4096), 0..0);
        assert_eq!(pages(&(4095..4097), 4096), 0..2);
        assert_eq!(pages(&(4096..8192), 4096), 1..2);
        assert_eq!(pages(&(0..isize::MAX as usize), 4096).end, isize::MAX as usize / 4096 + 1);
    }

    #[test]
    fn alignment_gives_the_numbers() {
        assert!(check_aligned(8192, 4096, Unit::PageSize).is_ok());
        assert!(matches!(
            check_aligned(100, 4096, Unit::PageSize),
            Err(Error::Misaligned { offset: 100, granularity: 4096, unit: Unit::PageSize })
        ));
    }
}
