//! The mapped part of a file.

use std::ops::Range;

use portable_mmap::Access;

use super::file::{File, PAGE};

/// The place of a mapping in the file, and its access.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) offset: usize,
    pub(super) len: usize,
    pub(super) access: Access,
}

impl Window {
    pub(super) fn pages(&self) -> usize {
        self.len.div_ceil(PAGE)
    }

    /// The offset of a page in the file.
    pub(super) fn start_of(&self, page: usize) -> usize {
        self.offset + page * PAGE
    }

    /// The bytes of a page, within the window.
    pub(super) fn page(&self, page: usize) -> Range<usize> {
        page * PAGE..((page + 1) * PAGE).min(self.len)
    }

    /// A range of the window, in the file.
    pub(super) fn in_file(&self, range: Range<usize>) -> Range<usize> {
        self.offset + range.start..self.offset + range.end
    }

    /// Whether a page is completely past the file's end.
    pub(super) fn is_past_end(&self, file: &File, page: usize) -> bool {
        self.start_of(page) >= file.size()
    }

    /// Whether changes reach the file.
    pub(super) fn reaches_file(&self) -> bool {
        matches!(self.access, Access::Write | Access::Default)
    }

    pub(super) fn is_writable(&self) -> bool {
        self.access != Access::Read
    }
}

/// The pages of a range, which may be empty.
pub(super) fn pages(range: &Range<usize>) -> Range<usize> {
    if range.is_empty() { 0..0 } else { range.start / PAGE..range.end.div_ceil(PAGE) }
}
