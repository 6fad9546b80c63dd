//! What the model asks of a backend's promise about the bytes of one window.

use std::ops::Range;

use portable_mmap::{Access, Advice};

use super::file::{File, PAGE};

/// The part of the file that a mapping shows, and what may be done to it.
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

    /// Where a page starts in the file.
    pub(super) fn start_of(&self, page: usize) -> usize {
        self.offset + page * PAGE
    }

    /// The bytes of a page, within the window.
    pub(super) fn page(&self, page: usize) -> Range<usize> {
        page * PAGE..((page + 1) * PAGE).min(self.len)
    }

    /// Whether the file no longer reaches a page.
    pub(super) fn is_behind(&self, file: &File, page: usize) -> bool {
        self.start_of(page) >= file.size()
    }

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

/// The bytes of one window, as a backend promises them.
///
/// Where a promise leaves freedom, a page is *unsure*: it is looked at before anything depends on it.
pub(super) trait Promise {
    /// The backend.
    const NAME: &'static str;

    /// Whether bytes that are borrowed are touched only when the borrow is used: then what is gone is no error of the
    /// call that borrows.
    const LAZY: bool;

    fn new(window: Window) -> Self;

    fn window(&self) -> &Window;

    fn is_unsure(&self, file: &File, page: usize) -> bool;

    /// Takes over what a page shows; none: that it is gone. False if it can show no such thing.
    fn saw(&mut self, file: &mut File, page: usize, seen: Option<&[u8]>) -> bool;

    /// Whether a touch of a page finds nothing.
    fn is_gone(&self, file: &File, page: usize) -> bool;

    /// What a touch of a page shows; zeros if it is gone.
    fn shown<'a>(&'a self, file: &'a File, page: usize) -> &'a [u8];

    /// A page is touched; zeros stand in its place if it is gone. Pages behind it may be loaded, too.
    fn load(&mut self, file: &File, page: usize);

    /// A page may be loaded now, if there is one.
    fn may_load(&mut self, file: &File, page: usize);

    /// Pages behind one that may have been loaded may be loaded, too.
    fn may_read_ahead(&mut self, file: &File, page: usize);

    /// A range is borrowed mutably.
    fn borrow(&mut self, range: &Range<usize>);

    /// Bytes of one touched page are changed.
    fn store(&mut self, file: &mut File, index: usize, bytes: &[u8]);

    /// Writes the changes of a range back; `truncated` is what the call answered. False: that it has to be Truncated.
    fn flush(&mut self, file: &mut File, range: &Range<usize>, truncated: bool) -> bool;

    /// The file has become shorter.
    fn cut(&mut self, file: &File);

    /// The window becomes longer or shorter; the file will.
    fn resize(&mut self, file: &File, len: usize);

    fn refresh(&mut self, file: &File, pages: Range<usize>);

    fn advise(&mut self, file: &File, advice: Advice, pages: Range<usize>);
}
