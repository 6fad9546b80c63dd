//! The expected contents of a mapping, page by page.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Bytes, FileModel};
use crate::common::PAGE;

/// The number of pieces of lost pages from which a refresh maps all of them again, because each is an area of memory.
const MOST_PIECES: usize = 8;

/// The contents of one page of a mapping.
#[derive(Debug)]
enum Page {
    /// The file, as it is now. For a private mapping POSIX does not define whether later changes of the file appear. On
    /// Linux they appear in a page until the guest has stored to it, whether it has read it or not. These tests are for
    /// Linux.
    File,
    /// The guest's own bytes: a page of a private mapping to which it has stored.
    Own(Bytes),
    /// Zeros and later stores, which do not reach the file.
    Lost(Bytes),
}

/// A mapping.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// Its address in the memory.
    pub(crate) start: usize,
    pub(crate) file: usize,
    /// The offset of its first byte in the file.
    pub(crate) offset: usize,
    pub(crate) is_shared: bool,
    pages: Vec<Page>,
    /// Lost pages that were accessed.
    noted: BTreeSet<usize>,
    first: Option<usize>,
}

impl Mapping {
    pub(crate) fn new(start: usize, file: usize, offset: usize, len: usize, is_shared: bool) -> Self {
        let pages = (0..len.div_ceil(PAGE)).map(|_| Page::File).collect();
        Self { start, file, offset, is_shared, pages, noted: BTreeSet::new(), first: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.pages.len() * PAGE
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.start..self.start + self.len()
    }

    /// The pages that contain bytes of a range of the memory.
    pub(crate) fn pages_in(&self, range: &Range<usize>) -> Range<usize> {
        let range = self.range().start.max(range.start)..self.range().end.min(range.end);
        if range.is_empty() { 0..0 } else { pages_of(&(range.start - self.start..range.end - self.start)) }
    }

    /// The range of the page in the file, if it is the file's.
    pub(crate) fn place(&self, page: usize) -> Option<Range<usize>> {
        let start = self.offset + page * PAGE;
        matches!(self.pages[page], Page::File).then_some(start..start + PAGE)
    }

    /// Whether the page is truncated: it is mapped, and the file ends before it.
    pub(crate) fn is_truncated(&self, page: usize, file: &FileModel) -> bool {
        self.place(page).is_some_and(|place| place.start >= file.len())
    }

    /// A truncated page was accessed: it is lost, with all other pages behind the end of the file.
    pub(crate) fn lose(&mut self, page: usize, file: &FileModel) {
        assert!(self.is_truncated(page, file), "a lost page was mapped before, and the file ends before it");
        for page in 0..self.pages.len() {
            if self.is_truncated(page, file) {
                self.pages[page] = Page::Lost(Bytes::zeros(PAGE));
            }
        }
        self.noted.insert(page);
        self.first.get_or_insert(page);
    }

    /// The page that was recorded first. If that fault was cleared, the lowest of the others.
    pub(crate) fn fault(&self) -> Option<usize> {
        self.first
    }

    pub(crate) fn is_lost(&self, page: usize) -> bool {
        matches!(self.pages[page], Page::Lost(_))
    }

    /// Clears the faults of these pages, and maps lost pages without a fault of their own again.
    pub(crate) fn refresh(&mut self, pages: &Range<usize>) {
        for page in 0..self.pages.len() {
            if self.is_lost(page) && (pages.contains(&page) || !self.noted.contains(&page)) {
                self.pages[page] = Page::File;
                self.noted.remove(&page);
            }
        }
        if self.first.is_some_and(|first| !self.noted.contains(&first)) {
            self.first = self.noted.first().copied();
        }
        let starts = (0..self.pages.len()).filter(|&page| self.is_lost(page) && (page == 0 || !self.is_lost(page - 1)));
        if starts.count() >= MOST_PIECES {
            self.refresh(&(0..self.pages.len()));
        }
    }

    /// The file was truncated: the guest's own copies of pages wholly behind its end are dropped too.
    pub(crate) fn truncated(&mut self, file: &FileModel) {
        for (index, page) in self.pages.iter_mut().enumerate() {
            if matches!(page, Page::Own(_)) && self.offset + index * PAGE >= file.len() {
                *page = Page::File;
            }
        }
    }

    /// The expected bytes of one page.
    pub(crate) fn show(&self, page: usize, file: &FileModel) -> Bytes {
        match &self.pages[page] {
            Page::File => {
                let start = self.offset + page * PAGE;
                file.show(start..start + PAGE)
            }
            Page::Own(bytes) | Page::Lost(bytes) => bytes.clone(),
        }
    }

    /// A store to the memory, from its byte `at` on: handles the part in one page.
    pub(crate) fn store(&mut self, page: usize, at: usize, bytes: &Bytes, file: &mut FileModel) {
        if !self.is_shared && matches!(self.pages[page], Page::File) {
            self.pages[page] = Page::Own(self.show(page, file));
        }
        let page_start = self.start + page * PAGE;
        let part = at.max(page_start)..(at + bytes.len()).min(page_start + PAGE);
        let stored = bytes.get(part.start - at..part.end - at);
        let in_page = part.start - page_start;
        match &mut self.pages[page] {
            Page::File => file.store(self.offset + page * PAGE + in_page, &stored),
            Page::Own(bytes) | Page::Lost(bytes) => bytes.put(in_page, &stored),
        }
    }
}

/// The pages that contain bytes of a range; none if it is empty.
pub(crate) fn pages_of(range: &Range<usize>) -> Range<usize> {
    if range.is_empty() { 0..0 } else { range.start / PAGE..range.end.div_ceil(PAGE) }
}
