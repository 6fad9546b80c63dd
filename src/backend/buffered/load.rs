//! Loading: absent pages are read when they are asked for, and a sequential reader's are read ahead.

use std::ops::Range;
use std::sync::{MutexGuard, PoisonError};

use super::{Buffered, PAGE};
use crate::backend::storage::{Storage, read_some, zeroed};
use crate::backend::{Face, Fault, FaultKind};
use crate::span;
use crate::{Advice, Error, Result};

/// How far is read ahead, in pages: hosts give at most 64 KiB a call, so more would not save a call.
const MAX_WINDOW: usize = (64 << 10) / PAGE;
/// How far after the advice [`Advice::Sequential`].
const MAX_SEQUENTIAL_WINDOW: usize = (1 << 20) / PAGE;

/// What loading remembers, under the one lock.
#[derive(Debug)]
pub(super) struct Loading {
    /// The page after the last one that was loaded: who asks for it next is reading sequentially.
    next: usize,
    /// How many pages were read ahead last, at least 1.
    window: usize,
    pub(super) pattern: Advice,
    pub(super) faults: Faults,
}

/// What a guard has noted.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) first: Option<Fault>,
    /// All pages that were asked for in vain since then lie in here.
    pages: Range<usize>,
}

impl Faults {
    fn note(&mut self, pages: Range<usize>, fault: Fault) {
        let Range { start, end } = self.pages;
        self.pages = if start < end { start.min(pages.start)..end.max(pages.end) } else { pages };
        self.first.get_or_insert(fault);
    }

    /// Forgets the faults if all their pages are in `pages`: while zeros stand in place of what is gone they stay.
    pub(super) fn forget(&mut self, pages: &Range<usize>) {
        if pages.start <= self.pages.start && self.pages.end <= pages.end {
            *self = Self::default();
        }
    }
}

impl Loading {
    pub(super) fn new(pattern: Advice) -> Self {
        // No page is next: the first touch reads what it asks for, wherever it is.
        Self { next: usize::MAX, window: 1, pattern, faults: Faults::default() }
    }

    /// How many pages to load from `page` on, beyond those asked for.
    fn window_at(&mut self, page: usize) -> usize {
        let max = match self.pattern {
            Advice::Random => 1,
            Advice::Sequential => MAX_SEQUENTIAL_WINDOW,
            _ => MAX_WINDOW,
        };
        self.window = if page == self.next { (self.window * 2).min(max) } else { 1 };
        self.window
    }
}

impl<S: Storage> Buffered<S> {
    /// Makes sure that the bytes of a range are initialised.
    #[inline]
    pub(super) fn load(&self, range: &Range<usize>, face: Face) -> Result<()> {
        if self.loaded.are_all() {
            return Ok(());
        }
        let pages = span::pages(range, PAGE);
        if self.loaded.contains_all(&pages) { Ok(()) } else { self.load_absent(pages, face) }
    }

    pub(super) fn loading(&self) -> MutexGuard<'_, Loading> {
        // A panic in a storage leaves nothing half done here: pages are added after their bytes.
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    #[inline(never)]
    fn load_absent(&self, mut pages: Range<usize>, face: Face) -> Result<()> {
        let mut loading = self.loading();
        loop {
            let absent = self.loaded.first_absent(&pages);
            if absent.is_empty() {
                return Ok(());
            }
            let ahead = absent.start + loading.window_at(absent.start);
            let wanted = absent.start..absent.end.max(ahead.min(self.page_count()));
            let run = self.loaded.first_absent(&wanted);
            self.load_run(&mut loading, run.clone(), absent.end, face)?;
            loading.next = run.end;
            pages.start = run.end.min(pages.end);
        }
    }

    /// Loads the pages of `run`, all of them absent, of which those before `needed` are asked for.
    fn load_run(&self, loading: &mut Loading, run: Range<usize>, needed: usize, face: Face) -> Result<()> {
        let start = run.start * PAGE;
        // SAFETY: absent pages are handed out to nobody, and only who holds the lock loads them.
        let memory = unsafe { self.block.uninit(start..run.end * PAGE) };
        let end = memory.len().min(self.span.len() - start);
        let mut filled = 0;
        let mut result = Ok(());
        while let (true, Some(storage)) = (filled < end && result.is_ok(), &self.storage) {
            let offset = self.span.file_offset(start + filled);
            match read_some(storage, &mut memory[filled..end], offset) {
                Ok(0) => {
                    // As in an OS mapping the last page of a file goes on with zeros; pages behind it are gone.
                    let page_end = filled.next_multiple_of(PAGE);
                    zeroed(&mut memory[filled..page_end]);
                    filled = page_end;
                    if filled < end {
                        result = Err(shortened(storage, self.span.file_offset(start + filled), end - filled));
                    }
                }
                Ok(n) => filled += n,
                Err(e) => result = Err(Error::io("read", offset, (end - filled) as u64, e)),
            }
        }
        let mut loaded = run.start + filled / PAGE;
        if result.is_ok() {
            // Behind the end of the mapping, and everywhere in anonymous memory.
            zeroed(&mut memory[filled..]);
            loaded = run.end;
        } else if loaded < needed && self.guard {
            let kind =
                if matches!(result, Err(Error::Truncated { .. })) { FaultKind::Shortened } else { FaultKind::Io };
            let offset = self.span.file_offset(loaded * PAGE);
            loading.faults.note(loaded..needed, Fault { offset, kind });
            if face == Face::Slice {
                // What is gone reads as zeros, in the pages that were asked for.
                zeroed(&mut memory[(loaded - run.start) * PAGE..(needed - run.start) * PAGE]);
                loaded = needed;
            }
        }
        self.loaded.insert(&(run.start..loaded));
        // What was read ahead in vain is nobody's error.
        if loaded < needed { result } else { Ok(()) }
    }
}

/// The error of a storage that ended at `offset`, `len` bytes before the mapping does.
fn shortened<S: Storage>(storage: &S, offset: u64, len: usize) -> Error {
    let len = len as u64;
    match storage.len() {
        Ok(size) => Error::Truncated { offset, len, size },
        Err(e) => Error::io("stat", offset, len, e),
    }
}
