//! What OS mappings promise: every window shows the file as it is; a private one its own copy of what it has changed.

use std::ops::Range;

use portable_mmap::{Access, Advice};

use super::file::{File, PAGE};
use super::promise::{Promise, Window};

type Page = Option<Box<[u8]>>;

/// A window of an OS mapping.
pub(super) struct Mapped {
    window: Window,
    /// What stands in place of pages that were touched when they were gone.
    replaced: Vec<Page>,
    /// What a private window has changed.
    own: Vec<Page>,
    /// All bytes borrowed mutably since a flush of them all lie in here: a flush may call each of them changed.
    borrowed: Range<usize>,
    /// The bytes that were stored to since they were flushed: these a flush has to call changed.
    stored: Vec<bool>,
}

impl Promise for Mapped {
    const NAME: &'static str = "mapped";
    const LAZY: bool = true;

    fn new(window: Window) -> Self {
        let pages = window.pages();
        Self {
            window,
            replaced: vec![None; pages],
            own: vec![None; pages],
            borrowed: 0..0,
            stored: vec![false; window.len],
        }
    }

    fn window(&self) -> &Window {
        &self.window
    }

    fn is_unsure(&self, file: &File, page: usize) -> bool {
        let start = self.window.start_of(page);
        self.replaced[page].is_none() && self.own[page].is_none() && file.is_unsure(start..start + PAGE)
    }

    fn saw(&mut self, file: &mut File, page: usize, seen: Option<&[u8]>) -> bool {
        seen.is_some_and(|seen| file.saw(self.window.start_of(page), seen).is_none())
    }

    fn is_gone(&self, file: &File, page: usize) -> bool {
        self.replaced[page].is_none() && self.window.is_behind(file, page)
    }

    fn shown<'a>(&'a self, file: &'a File, page: usize) -> &'a [u8] {
        let instead = self.replaced[page].as_deref().or(self.own[page].as_deref());
        instead.unwrap_or_else(|| file.page(self.window.start_of(page)))
    }

    fn load(&mut self, file: &File, page: usize) {
        if self.is_gone(file, page) {
            self.replaced[page] = Some(vec![0; PAGE].into());
        }
    }

    fn may_load(&mut self, _: &File, _: usize) {}

    fn may_read_ahead(&mut self, _: &File, _: usize) {}

    fn borrow(&mut self, range: &Range<usize>) {
        if self.window.reaches_file() && !range.is_empty() {
            let Range { start, end } = self.borrowed;
            self.borrowed = if start < end { start.min(range.start)..end.max(range.end) } else { range.clone() };
        }
    }

    fn store(&mut self, file: &mut File, index: usize, bytes: &[u8]) {
        let (page, within) = (index / PAGE, index % PAGE..index % PAGE + bytes.len());
        self.stored[index..index + bytes.len()].fill(self.window.reaches_file());
        if let Some(instead) = &mut self.replaced[page] {
            instead[within].copy_from_slice(bytes);
        } else if self.window.access == Access::Copy {
            let start = self.window.start_of(page);
            let own = self.own[page].get_or_insert_with(|| file.page(start).into());
            own[within].copy_from_slice(bytes);
        } else {
            file.store(self.window.offset + index, bytes);
        }
    }

    fn flush(&mut self, file: &mut File, range: &Range<usize>, truncated: bool) -> bool {
        if !self.window.reaches_file() {
            return true;
        }
        let reach = file.size().saturating_sub(self.window.offset);
        let must_fail = self.stored[range.start.max(reach).min(range.end)..range.end].contains(&true);
        let end = self.borrowed.end.min(range.end);
        let may_fail = self.borrowed.start.max(range.start) < end && end > reach;
        if must_fail || may_fail && truncated {
            return false;
        }
        self.stored[range.clone()].fill(false);
        if range.start <= self.borrowed.start && self.borrowed.end <= range.end {
            self.borrowed = 0..0;
        }
        true
    }

    fn cut(&mut self, file: &File) {
        for page in 0..self.window.pages() {
            if self.window.is_behind(file, page) {
                self.own[page] = None;
            }
        }
    }

    fn resize(&mut self, _: &File, len: usize) {
        self.window.len = len;
        let pages = self.window.pages();
        self.replaced.resize(pages, None);
        self.own.resize(pages, None);
        self.stored.resize(len, false);
        self.borrowed = self.borrowed.start.min(len)..self.borrowed.end.min(len);
    }

    fn refresh(&mut self, _: &File, pages: Range<usize>) {
        self.replaced[pages].fill(None);
    }

    fn advise(&mut self, _: &File, _: Advice, _: Range<usize>) {}
}
