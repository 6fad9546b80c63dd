//! The bytes of one mapping: the content of each page, the changed pages, and the lost pages.
//!
//! Some rules are choices where the documentation leaves a question open:
//!
//! - A flush or close that fails has written the pages before the end of the file: they no longer count as changed.
//! - A lost page keeps bytes stored in it when another fault loses more pages.
//! - A refresh unloads a page of a buffer that was not changed and is past the end of the file: the next touch loses
//!   it, as in an OS mapping. A changed page stays complete until the file is long enough again.
//! - If a changed page of a buffer contains the file's end, a refresh shows zeros past the end, except for changed
//!   bytes. Afterwards a byte counts as changed if it differs from the byte that the refresh read from the file, or
//!   from the zero past its end.

use std::ops::Range;

use portable_mmap::{Access, Advice};

use super::file::{File, PAGE};
use super::rows::{Backend, Row};
use super::window::{Window, pages};

type Bytes = Box<[u8]>;

/// The error of a call that needs bytes past the file's end.
pub(super) const TRUNCATED: &str = "Truncated";

/// The changes that a write-back cannot write to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Missing {
    Nothing,
    /// A change in the page with the file's end, which may be before the end.
    Perhaps,
    Something,
}

/// The bytes of a mapping.
pub(super) struct Memory {
    backend: Backend,
    window: Window,
    guard: bool,
    pages: Vec<Page>,
    /// Whether a buffer may load more pages than those that are touched.
    reads_ahead: bool,
    /// The page of the reported fault.
    fault: Option<usize>,
}

#[derive(Clone)]
struct Page {
    content: Content,
    /// Whether it was borrowed mutably since it was last flushed.
    is_changed: bool,
    lost: Option<Lost>,
}

/// The content of a page that is not lost.
#[derive(Clone)]
enum Content {
    /// The file, as it is at the next touch. A buffer may have loaded the page earlier: then it has one of these
    /// contents.
    File(Vec<Bytes>),
    /// Its own bytes: a loaded page of a buffer, or the private copy that a store to a page makes.
    Own {
        shown: Bytes,
        /// The bytes that the file had there.
        base: Bytes,
    },
}

/// A page that reads as zeros and whose stores reach no file.
#[derive(Clone)]
struct Lost {
    /// Zeros, and the bytes stored since.
    shown: Bytes,
    /// A fault happened at this page.
    is_noted: bool,
    /// A refresh may have restored it.
    may_be_restored: bool,
}

/// The result of reading a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Observation {
    /// The page has an allowed content, and the model now has this content.
    Known,
    /// The page is zeros, as both a lost page and a loaded one can be.
    Ambiguous,
    /// The page has a content that is not allowed.
    Impossible,
}

impl Page {
    fn absent() -> Self {
        Self { content: Content::File(Vec::new()), is_changed: false, lost: None }
    }
}

impl Memory {
    pub(super) fn new(backend: Backend, window: Window, guard: bool) -> Self {
        let pages = vec![Page::absent(); window.pages()];
        Self { backend, window, guard, pages, reads_ahead: true, fault: None }
    }

    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    pub(super) fn has_guard(&self) -> bool {
        self.guard
    }

    /// The page of the reported fault.
    pub(super) fn fault(&self) -> Option<usize> {
        self.fault
    }

    /// Whether touching a page loses it: the page is completely past the file's end, and is not in memory.
    pub(super) fn is_gone(&self, file: &File, page: usize) -> bool {
        let Page { content, lost, .. } = &self.pages[page];
        lost.is_none() && matches!(content, Content::File(_)) && self.window.is_past_end(file, page)
    }

    /// Whether it is not known if a page is lost.
    pub(super) fn may_be_restored(&self, page: usize) -> bool {
        self.pages[page].lost.as_ref().is_some_and(|lost| lost.may_be_restored)
    }

    /// Whether a page has several allowed contents: it is read before anything depends on it.
    pub(super) fn is_unsure(&self, file: &File, page: usize) -> bool {
        let Page { content: Content::File(loaded), lost, .. } = &self.pages[page] else { return false };
        if self.backend.differs(Row::FirstLoad) {
            let is_elsewhere = lost.is_some() || self.window.is_past_end(file, page);
            return !loaded.is_empty() && (is_elsewhere || *loaded != [self.in_file(file, page)]);
        }
        let start = self.window.start_of(page);
        lost.is_none() && file.is_unsure(start..start + PAGE)
    }

    /// Updates the model after reading a page, as a slice or by a call; `None` if the page is lost.
    pub(super) fn observe(&mut self, file: &mut File, page: usize, seen: Option<&[u8]>, by_slice: bool) -> Observation {
        let is_past_end = self.window.is_past_end(file, page);
        let known = |is_right| if is_right { Observation::Known } else { Observation::Impossible };
        if !self.backend.differs(Row::FirstLoad) {
            return known(seen.is_some_and(|seen| file.observe(self.window.start_of(page), seen).is_none()));
        }
        let now = self.in_file(file, page);
        let Page { content, lost, .. } = &mut self.pages[page];
        let Content::File(loaded) = content else { return Observation::Impossible };
        let Some(seen) = seen else {
            loaded.clear();
            return known(is_past_end);
        };
        let is_zeros = seen.iter().all(|&byte| byte == 0);
        let is_absent = match lost {
            Some(lost) => &lost.shown[..seen.len()] == seen,
            None if is_past_end => by_slice && is_zeros,
            None => &now[..seen.len()] == seen,
        };
        let is_elsewhere = lost.is_some() || is_past_end;
        let loaded = loaded.drain(..).find(|bytes| &bytes[..seen.len()] == seen);
        match loaded {
            Some(_) if is_absent && is_elsewhere => return Observation::Ambiguous,
            Some(bytes) if !is_absent => {
                *content = Content::Own { shown: bytes.clone(), base: bytes };
                *lost = None;
            }
            _ if !is_absent => return Observation::Impossible,
            _ => {}
        }
        Observation::Known
    }

    /// The content of a page after a touch.
    pub(super) fn shown<'a>(&'a self, file: &'a File, page: usize) -> &'a [u8] {
        match &self.pages[page] {
            Page { lost: Some(lost), .. } => &lost.shown,
            Page { content: Content::Own { shown, .. }, .. } => shown,
            Page { content: Content::File(_), .. } => file.page(self.window.start_of(page)),
        }
    }

    /// A call touches pages before it does anything else. If one of them is lost, the call fails and nothing has
    /// changed.
    ///
    /// A guard records the first lost page, or `first` if it is one of them.
    pub(super) fn touch(&mut self, file: &File, touched: &[usize], first: Option<usize>) -> Result<(), &'static str> {
        let gone: Vec<usize> = touched.iter().copied().filter(|&page| self.is_gone(file, page)).collect();
        let Some(&lowest) = gone.first() else {
            self.load(file, touched);
            return Ok(());
        };
        for &page in touched {
            self.may_load(file, page);
        }
        self.may_read_ahead(file, touched.iter().copied().min().unwrap_or_default());
        if self.guard {
            self.note(file, first.filter(|page| gone.contains(page)).unwrap_or(lowest));
        }
        Err(TRUNCATED)
    }

    /// Use as a slice touches pages one after the other: lost pages read as zeros.
    pub(super) fn use_pages(&mut self, file: &File, touched: &[usize]) {
        for &page in touched {
            if self.is_gone(file, page) {
                self.note(file, page);
            }
        }
        self.load(file, touched);
    }

    /// Touching a missing page is a fault, and all missing pages are lost: later touches read zeros. A page that is
    /// already lost keeps bytes stored in it.
    fn note(&mut self, file: &File, page: usize) {
        for other in 0..self.pages.len() {
            if self.is_gone(file, other) {
                let shown = vec![0; PAGE].into();
                self.pages[other].lost = Some(Lost { shown, is_noted: false, may_be_restored: false });
            }
        }
        if let Some(lost) = &mut self.pages[page].lost {
            lost.is_noted = true;
        }
        self.fault.get_or_insert(page);
    }

    /// The current bytes of a page in the file, and zeros past the end.
    fn in_file(&self, file: &File, page: usize) -> Bytes {
        let mut bytes = vec![0; PAGE];
        let held = file.held(self.window.in_file(self.window.page(page)));
        bytes[..held.len()].copy_from_slice(held);
        bytes.into()
    }

    /// A buffer loads a page at its first touch, and may load the pages after it.
    fn load(&mut self, file: &File, touched: &[usize]) {
        if !self.backend.differs(Row::FirstLoad) {
            return;
        }
        let mut first = self.pages.len();
        for &page in touched {
            if let Page { content: Content::File(_), lost: None, .. } = &self.pages[page] {
                let bytes = self.in_file(file, page);
                self.pages[page].content = Content::Own { shown: bytes.clone(), base: bytes };
                first = first.min(page);
            }
        }
        self.may_read_ahead(file, first);
    }

    /// A buffer may load a page now, if it exists. A page that is certainly lost stays lost.
    pub(super) fn may_load(&mut self, file: &File, page: usize) {
        let Page { content, lost, .. } = &self.pages[page];
        let can_be = matches!(content, Content::File(_)) && lost.as_ref().is_none_or(|lost| lost.may_be_restored);
        if !can_be || self.window.is_past_end(file, page) || !self.backend.differs(Row::FirstLoad) {
            return;
        }
        let now = self.in_file(file, page);
        if let Content::File(loaded) = &mut self.pages[page].content
            && !loaded.contains(&now)
        {
            loaded.push(now);
        }
    }

    /// A buffer may load the pages after one that it may have loaded.
    pub(super) fn may_read_ahead(&mut self, file: &File, page: usize) {
        if self.reads_ahead {
            (page + 1..self.pages.len()).for_each(|page| self.may_load(file, page));
        }
    }

    /// Borrows touched pages mutably. Stores to a lost page are not changes.
    pub(super) fn borrow_mut(&mut self, borrowed: &[usize]) {
        for &page in borrowed {
            let page = &mut self.pages[page];
            page.is_changed |= page.lost.is_none() && self.window.reaches_file();
        }
    }

    /// Stores bytes in one touched page.
    pub(super) fn store(&mut self, file: &mut File, index: usize, bytes: &[u8]) {
        let (start, within) = (self.window.start_of(index / PAGE), index % PAGE..index % PAGE + bytes.len());
        match &mut self.pages[index / PAGE] {
            Page { lost: Some(lost), .. } => lost.shown[within].copy_from_slice(bytes),
            Page { content: Content::Own { shown, .. }, .. } => shown[within].copy_from_slice(bytes),
            Page { content, .. } if self.window.access == Access::Copy => {
                let base: Bytes = file.page(start).into();
                let mut shown = base.clone();
                shown[within].copy_from_slice(bytes);
                *content = Content::Own { shown, base };
            }
            Page { content: Content::File(_), .. } => file.store(self.window.offset + index, bytes),
        }
    }

    /// Writes the changes in the pages of a range to the file, and returns whether some are past its end; these stay
    /// changed. Bytes that were written no longer count as changed, even if the rest fails.
    pub(super) fn write_back(&mut self, file: &mut File, range: &Range<usize>) -> Missing {
        let mut missing = Missing::Nothing;
        if !self.window.reaches_file() {
            return missing;
        }
        for page in pages(range) {
            let of_page = self.missing_of(file, page);
            self.pages[page].is_changed &= of_page != Missing::Nothing;
            missing = missing.max(of_page);
            if self.backend.differs(Row::OtherWriters) {
                self.write_page(file, page);
            }
        }
        missing
    }

    /// Whether a change of a page cannot be written because it is past the file's end. A buffer finds the changed
    /// bytes. An OS mapping only has the borrowed pages; in the page with the end it may not be able to determine on
    /// which side the change is.
    fn missing_of(&self, file: &File, page: usize) -> Missing {
        let Page { content, is_changed, .. } = &self.pages[page];
        let bytes = self.window.page(page);
        if !self.backend.differs(Row::EqualValue) {
            return match self.window.in_file(bytes) {
                bytes if !is_changed || bytes.end <= file.size() => Missing::Nothing,
                bytes if bytes.start < file.size() => Missing::Perhaps,
                _ => Missing::Something,
            };
        }
        let Content::Own { shown, base } = content else { return Missing::Nothing };
        let reached = file.held(self.window.in_file(bytes.clone())).len();
        if shown[reached..bytes.len()] == base[reached..bytes.len()] { Missing::Nothing } else { Missing::Something }
    }

    /// Writes the changed bytes of a page that are before the file's end.
    fn write_page(&mut self, file: &mut File, page: usize) {
        let start = self.window.start_of(page);
        let Content::Own { shown, base } = &mut self.pages[page].content else { return };
        if shown == base {
            return;
        }
        for (at, (shown, base)) in (start..file.size()).zip(shown.iter().zip(base)) {
            if shown != base {
                file.write(at, &[*shown]);
                *base = *shown;
            }
        }
    }

    /// The file was truncated. A system drops private copies too; a loaded page of a buffer keeps its bytes.
    pub(super) fn truncate(&mut self, file: &File) {
        for page in 0..self.pages.len() {
            if self.window.is_past_end(file, page) && !self.backend.differs(Row::FirstLoad) {
                self.pages[page].content = Content::File(Vec::new());
            }
        }
    }

    /// Changes the length of the window; the file is changed later. There is no fault, so no page is lost.
    pub(super) fn resize(&mut self, file: &File, len: usize) {
        let old = self.window.len;
        let (border, page) = (old.min(len), old.min(len) / PAGE);
        if border % PAGE != 0 && old != len {
            // The file may continue past a mapping that grows.
            let end = old.max(len).min((page + 1) * PAGE);
            let next = if len > old { file.held(self.window.in_file(border..end)) } else { &[] };
            let fill = |bytes: &mut Bytes| {
                bytes[border % PAGE..].fill(0);
                bytes[border % PAGE..][..next.len()].copy_from_slice(next);
            };
            match &mut self.pages[page].content {
                Content::Own { shown, base } => {
                    fill(shown);
                    fill(base);
                    if shown == base && len > old {
                        // The page may be read again.
                        self.pages[page].content = Content::File(vec![shown.clone()]);
                    }
                }
                Content::File(loaded) => loaded.iter_mut().for_each(fill),
            }
        }
        self.window.len = len;
        self.pages.resize(self.window.pages(), Page::absent());
    }

    /// Refreshes pages. It clears the faults there, and every other lost page is checked again at its next touch; if
    /// there was no fault to clear and others are left, it may be checked again.
    pub(super) fn refresh(&mut self, file: &File, refreshed: Range<usize>) {
        let is_noted = |page: &Page| page.lost.as_ref().is_some_and(|lost| lost.is_noted);
        let takes_back = self.pages[refreshed.clone()].iter().any(is_noted);
        for lost in self.pages[refreshed.clone()].iter_mut().filter_map(|page| page.lost.as_mut()) {
            lost.is_noted = false;
        }
        for page in &mut self.pages {
            page.lost = page.lost.take().filter(|lost| lost.is_noted || !takes_back);
            if let Some(lost) = &mut page.lost {
                lost.may_be_restored |= !lost.is_noted;
            }
        }
        if self.fault.is_some_and(|page| !is_noted(&self.pages[page])) {
            self.fault = self.pages.iter().position(is_noted);
        }
        if self.backend.differs(Row::OtherWriters) {
            refreshed.for_each(|page| self.read_again(file, page));
        }
    }

    /// Later reads of a page of a buffer return the file's bytes, except for changed bytes.
    fn read_again(&mut self, file: &File, page: usize) {
        let is_past_end = self.window.is_past_end(file, page);
        let fresh = self.in_file(file, page);
        match &mut self.pages[page].content {
            Content::Own { shown, base } if shown != base => {
                for (at, &fresh) in fresh.iter().enumerate().filter(|_| !is_past_end) {
                    if shown[at] == base[at] {
                        shown[at] = fresh;
                    }
                    base[at] = fresh;
                }
            }
            content => *content = Content::File(if is_past_end { vec![] } else { vec![fresh] }),
        }
    }

    /// Advice causes no fault and loses nothing. A buffer may load pages, or unload those without changes.
    pub(super) fn advise(&mut self, file: &File, advice: Advice, advised: Range<usize>) {
        match advice {
            Advice::Random => self.reads_ahead = false,
            Advice::Normal | Advice::Sequential => self.reads_ahead = true,
            Advice::WillNeed => {
                advised.clone().for_each(|page| self.may_load(file, page));
                self.may_read_ahead(file, advised.start);
            }
            Advice::DontNeed if self.backend.differs(Row::FirstLoad) => {
                for page in &mut self.pages[advised] {
                    if let Content::Own { shown, base } = &page.content
                        && shown == base
                    {
                        page.content = Content::File(vec![shown.clone()]);
                    }
                }
            }
            _ => {}
        }
    }
}
