//! What a mapping must show, page by page.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Bytes, FileModel};
use crate::common::PAGE;

/// From so many pieces of lost pages on a refresh takes all of them back: each is an area of memory of the host's.
const MOST_PIECES: usize = 8;

/// What one page of a mapping shows.
#[derive(Debug)]
enum Page {
    /// The file, as it is now. Of a private mapping POSIX says nothing about changes by others; on Linux a page shows
    /// them until the guest has stored in it, whether it has read it before or not. These tests are for Linux.
    File,
    /// The guest's own bytes: in a private mapping, a page that it has stored in.
    Own(Bytes),
    /// Zeros and what was stored in them since, which reaches no file.
    Lost(Bytes),
}

/// A mapping.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// Where it lies in the memory.
    pub(crate) start: usize,
    pub(crate) file: usize,
    /// Of its first byte, in the file.
    pub(crate) offset: usize,
    pub(crate) is_shared: bool,
    pages: Vec<Page>,
    /// Lost pages that somebody has touched.
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

    /// The pages that hold bytes of a range of the memory.
    pub(crate) fn pages_in(&self, range: &Range<usize>) -> Range<usize> {
        let range = self.range().start.max(range.start)..self.range().end.min(range.end);
        if range.is_empty() { 0..0 } else { pages_of(&(range.start - self.start..range.end - self.start)) }
    }

    /// Where in the file the page is, if it shows the file.
    pub(crate) fn place(&self, page: usize) -> Option<Range<usize>> {
        let start = self.offset + page * PAGE;
        matches!(self.pages[page], Page::File).then_some(start..start + PAGE)
    }

    /// Whether a touch of the page finds that the file ends before it.
    pub(crate) fn is_gone(&self, page: usize, file: &FileModel) -> bool {
        self.place(page).is_some_and(|place| place.start >= file.len())
    }

    /// A page that is gone was touched: it is lost, with all others behind the file's end.
    pub(crate) fn lose(&mut self, page: usize, file: &FileModel) {
        assert!(self.is_gone(page, file), "what is lost was there before, and the file ends before it");
        for page in 0..self.pages.len() {
            if self.is_gone(page, file) {
                self.pages[page] = Page::Lost(Bytes::zeros(PAGE));
            }
        }
        self.noted.insert(page);
        self.first.get_or_insert(page);
    }

    /// The page that was noted first. If that fault was taken back, the lowest of the others.
    pub(crate) fn fault(&self) -> Option<usize> {
        self.first
    }

    pub(crate) fn is_lost(&self, page: usize) -> bool {
        matches!(self.pages[page], Page::Lost(_))
    }

    /// Takes back the faults of these pages, and whatever is lost without a fault of its own.
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

    /// The file has become shorter: the guest's own copies of pages wholly behind its end are gone as well.
    pub(crate) fn truncated(&mut self, file: &FileModel) {
        for (index, page) in self.pages.iter_mut().enumerate() {
            if matches!(page, Page::Own(_)) && self.offset + index * PAGE >= file.len() {
                *page = Page::File;
            }
        }
    }

    /// What one page shows.
    pub(crate) fn show(&self, page: usize, file: &FileModel) -> Bytes {
        match &self.pages[page] {
            Page::File => {
                let start = self.offset + page * PAGE;
                file.show(start..start + PAGE)
            }
            Page::Own(bytes) | Page::Lost(bytes) => bytes.clone(),
        }
    }

    /// Somebody stores in the memory, from its byte `at` on: what of it lies in one page.
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

/// The pages that hold bytes of a range: none if it is empty.
pub(crate) fn pages_of(range: &Range<usize>) -> Range<usize> {
    if range.is_empty() { 0..0 } else { range.start / PAGE..range.end.div_ceil(PAGE) }
}
