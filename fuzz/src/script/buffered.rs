//! What a buffer promises: a page holds what the file held when it was first loaded; others see its changes after a
//! flush, and it sees those of others after a refresh.

use std::ops::Range;

use portable_mmap::{Access, Advice};

use super::file::{File, PAGE};
use super::promise::{Promise, Window, pages};

/// A page in memory.
#[derive(Clone)]
enum Page {
    /// Loaded: what it shows, and what it held before its own changes.
    Known { own: Box<[u8]>, base: Box<[u8]> },
    /// Not loaded; or loaded without a touch or kept by a refresh, with one of these contents and no changes.
    Unknown(Vec<Box<[u8]>>),
}

/// A window of a buffer.
pub(super) struct Buffered {
    window: Window,
    pages: Vec<Page>,
    reads_ahead: bool,
}

impl Buffered {
    /// What loading a page gives now: the file's bytes, and zeros behind them.
    fn now(&self, file: &File, page: usize) -> Box<[u8]> {
        let mut bytes = vec![0; PAGE];
        let held = file.held(self.in_file(self.window.page(page)));
        bytes[..held.len()].copy_from_slice(held);
        bytes.into()
    }

    fn in_file(&self, range: Range<usize>) -> Range<usize> {
        self.window.offset + range.start..self.window.offset + range.end
    }
}

/// The file's bytes laid over those without changes of their own.
fn overlay(own: &mut [u8], base: &mut [u8], fresh: &[u8]) {
    for ((own, base), &fresh) in own.iter_mut().zip(base).zip(fresh) {
        if own == base {
            *own = fresh;
        }
        *base = fresh;
    }
}

impl Promise for Buffered {
    const NAME: &'static str = "buffered";
    const LAZY: bool = false;

    fn new(window: Window) -> Self {
        Self { window, pages: vec![Page::Unknown(Vec::new()); window.pages()], reads_ahead: true }
    }

    fn window(&self) -> &Window {
        &self.window
    }

    fn is_unsure(&self, file: &File, page: usize) -> bool {
        let Page::Unknown(ahead) = &self.pages[page] else { return false };
        let is_behind = self.window.is_behind(file, page);
        !ahead.is_empty() && (is_behind || *ahead != [self.now(file, page)])
    }

    fn saw(&mut self, file: &mut File, page: usize, seen: Option<&[u8]>) -> bool {
        let now = (!self.window.is_behind(file, page)).then(|| self.now(file, page));
        let Page::Unknown(ahead) = &mut self.pages[page] else { return false };
        let Some(seen) = seen else {
            ahead.clear();
            return now.is_none();
        };
        let shown = ahead.drain(..).chain(now).find(|bytes| &bytes[..seen.len()] == seen);
        shown.is_some_and(|bytes| {
            self.pages[page] = Page::Known { own: bytes.clone(), base: bytes };
            self.may_read_ahead(file, page);
            true
        })
    }

    fn is_gone(&self, file: &File, page: usize) -> bool {
        matches!(self.pages[page], Page::Unknown(_)) && self.window.is_behind(file, page)
    }

    fn shown<'a>(&'a self, file: &'a File, page: usize) -> &'a [u8] {
        match &self.pages[page] {
            Page::Known { own, .. } => own,
            Page::Unknown(_) => file.page(self.window.start_of(page)),
        }
    }

    fn load(&mut self, file: &File, page: usize) {
        if matches!(self.pages[page], Page::Unknown(_)) {
            let bytes = self.now(file, page);
            self.pages[page] = Page::Known { own: bytes.clone(), base: bytes };
            self.may_read_ahead(file, page);
        }
    }

    fn may_load(&mut self, file: &File, page: usize) {
        if self.window.is_behind(file, page) {
            return;
        }
        let now = self.now(file, page);
        if let Page::Unknown(ahead) = &mut self.pages[page]
            && !ahead.contains(&now)
        {
            ahead.push(now);
        }
    }

    fn may_read_ahead(&mut self, file: &File, page: usize) {
        if self.reads_ahead {
            (page + 1..self.pages.len()).for_each(|page| self.may_load(file, page));
        }
    }

    fn borrow(&mut self, _: &Range<usize>) {}

    fn store(&mut self, _: &mut File, index: usize, bytes: &[u8]) {
        if let Page::Known { own, .. } = &mut self.pages[index / PAGE] {
            own[index % PAGE..index % PAGE + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn flush(&mut self, file: &mut File, range: &Range<usize>, _: bool) -> bool {
        if !self.window.reaches_file() {
            return true;
        }
        let mut all_written = true;
        for page in pages(range) {
            let start = self.window.start_of(page);
            let Page::Known { own, base } = &mut self.pages[page] else { continue };
            if own == base {
                continue;
            }
            for (at, (own, base)) in (start..).zip(own.iter().zip(base)) {
                if own != base && at < file.size() {
                    file.write(at, &[*own]);
                    *base = *own;
                } else if own != base {
                    all_written = false;
                }
            }
        }
        all_written
    }

    fn cut(&mut self, _: &File) {}

    fn resize(&mut self, file: &File, len: usize) {
        let old = self.window.len;
        let (border, page) = (old.min(len), old.min(len) / PAGE);
        if border % PAGE != 0 {
            let first = border % PAGE;
            // Growing shows what the file holds behind the mapping.
            let end = len.min((page + 1) * PAGE);
            let shown = if len > old { file.held(self.in_file(border..end)) } else { &[] };
            let fill = |bytes: &mut [u8]| {
                bytes[first..].fill(0);
                bytes[first..first + shown.len()].copy_from_slice(shown);
            };
            match &mut self.pages[page] {
                Page::Known { own, base } => {
                    fill(own);
                    fill(base);
                    if own == base && len > old {
                        // It may be read again.
                        self.pages[page] = Page::Unknown(vec![own.clone()]);
                    }
                }
                Page::Unknown(ahead) => ahead.iter_mut().for_each(|bytes| fill(bytes)),
            }
        }
        self.window.len = len;
        self.pages.resize(self.window.pages(), Page::Unknown(Vec::new()));
    }

    fn refresh(&mut self, file: &File, pages: Range<usize>) {
        for page in pages {
            let fresh = file.held(self.in_file(self.window.page(page)));
            let is_copy = self.window.access == Access::Copy;
            if self.window.access == Access::Read {
                self.pages[page] = Page::Unknown(Vec::new());
                continue;
            }
            match &mut self.pages[page] {
                Page::Known { own, base } if own == base => {
                    // It is read again: now if it was borrowed mutably, else when it is touched.
                    if !is_copy {
                        base[..fresh.len()].copy_from_slice(fresh);
                    }
                    self.pages[page] = Page::Unknown(vec![base.clone()]);
                }
                _ if is_copy => {}
                Page::Known { own, base } => overlay(own, base, fresh),
                Page::Unknown(ahead) => {
                    for bytes in ahead.iter_mut() {
                        bytes[..fresh.len()].copy_from_slice(fresh);
                    }
                    ahead.dedup();
                }
            }
        }
    }

    fn advise(&mut self, file: &File, advice: Advice, pages: Range<usize>) {
        match advice {
            Advice::Random => self.reads_ahead = false,
            Advice::Normal | Advice::Sequential => self.reads_ahead = true,
            Advice::WillNeed => {
                pages.clone().for_each(|page| self.may_load(file, page));
                self.may_read_ahead(file, pages.start);
            }
            Advice::DontNeed if self.window.access != Access::Copy => {
                for page in pages {
                    if let Page::Known { own, base } = &self.pages[page]
                        && own == base
                    {
                        self.pages[page] = Page::Unknown(vec![own.clone()]);
                    }
                }
            }
            _ => {}
        }
    }
}
