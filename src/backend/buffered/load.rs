//! Loading: absent pages are read when they are asked for, and a sequential reader's are read ahead.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::flights::{Flight, Start};
use super::{Buffered, PAGE};
use crate::backend::sealed::Faults as _;
use crate::error::{Operation, Reason};
use crate::span;
use crate::storage::{Storage, read_some, zeroed};
use crate::{Advice, Error, Result};

/// How far is read ahead, in pages: hosts give at most 64 KiB a call, so more would not save a call.
const MAX_WINDOW: usize = (64 << 10) / PAGE;
/// How far after the advice [`Advice::Sequential`].
const MAX_SEQUENTIAL_WINDOW: usize = (1 << 20) / PAGE;

/// Who asks for bytes. This decides what happens if a read fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A call that can fail. It returns the error.
    Fallible,
    /// An access as a slice, which cannot return an error. With a guard it gets zeros.
    Slice,
    /// A hint. It ignores the error.
    Hint,
}

/// How the mapping is read, as far as that is known.
#[derive(Debug)]
pub(super) struct Pattern {
    /// The page after the last one that was loaded: who asks for it next is reading sequentially.
    next: usize,
    /// How many pages were read ahead last, at least 1.
    window: usize,
    pub(super) advice: Advice,
}

impl Pattern {
    pub(super) fn new() -> Self {
        // No page is next: the first touch reads what it asks for, wherever it is.
        Self { next: usize::MAX, window: 1, advice: Advice::Normal }
    }

    /// How many pages to load from `page` on, beyond those asked for.
    fn window_at(&mut self, page: usize) -> usize {
        let max = match self.advice {
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
    pub(super) fn load(&self, range: &Range<usize>, caller: Caller) -> Result<()> {
        if self.loaded.are_all() {
            return Ok(());
        }
        let pages = span::pages(range, PAGE);
        if self.loaded.set().contains_all(&pages) { Ok(()) } else { self.load_absent(&pages, caller) }
    }

    #[cold]
    #[inline(never)]
    fn load_absent(&self, pages: &Range<usize>, caller: Caller) -> Result<()> {
        let lost = self.guard.as_ref().map(|guard| guard.lost.set());
        let count = self.page_count();
        loop {
            let farther =
                |pattern: &mut Pattern, run: &Range<usize>| (run.start + pattern.window_at(run.start)).min(count);
            match self.flights.start(self.loaded.set(), lost, pages, farther)? {
                Start::Loaded => return Ok(()),
                Start::Flight(flight) => self.load_run(flight, pages.end, caller)?,
                Start::Reentered => {
                    let (offset, len) = (self.plan.span.file_offset(pages.start * PAGE), pages.len() * PAGE);
                    return Err(Error::io(Operation::Read, offset, len as u64, Reason::Deadlock));
                }
            }
        }
    }

    /// Loads the pages of a flight, of which those before `needed` are asked for.
    fn load_run(&self, flight: Flight<'_, Pattern>, needed: usize, caller: Caller) -> Result<()> {
        let run = flight.pages.clone();
        let needed = needed.min(run.end);
        // SAFETY: absent pages are handed out to nobody, and only this flight has these.
        let memory = unsafe { self.region.uninit(run.start * PAGE..run.end * PAGE) }?;
        // Pages that somebody else has noted as lost are not read again.
        let known = self.fault().filter(|_| self.guard.as_ref().is_some_and(|guard| guard.lost.contains(run.start)));
        let (filled, failure) = match known {
            Some(fault) => (0, Some(self.fault_error(fault))),
            None => self.read(memory, run.start * PAGE),
        };
        let read = run.start..run.start + filled / PAGE;
        let failed = read.end..needed;
        // What was read ahead and failed is nobody's error. What is gone reads as zeros, where it was asked for.
        let failure = failure.filter(|_| !failed.is_empty());
        let has_zeros = failure.is_some() && caller == Caller::Slice && self.guard.is_some();
        if has_zeros {
            zeroed(&mut memory[(failed.start - run.start) * PAGE..(failed.end - run.start) * PAGE]);
        }
        let noted_by = self.guard.as_ref().filter(|_| known.is_none() && caller != Caller::Hint);
        // Before the lock is taken: the storage is asked, which may take long.
        let reach = if failure.is_some() && noted_by.is_some() { self.bytes_in_storage() } else { 0 };
        let landed = flight.land(|landing| {
            self.loaded.insert(&read);
            let Some(failure) = failure else {
                landing.extra.next = run.end;
                return Ok(());
            };
            let not_noted = match noted_by {
                Some(guard) => {
                    guard.note(failure, &failed, reach, |pages, lose| {
                        self.loaded.set().gaps(pages).for_each(|gap| landing.not_in_flight(gap, &mut *lose));
                    });
                    None
                }
                None => Some(failure),
            };
            if has_zeros {
                // After the fault was noted: a thread that sees zeros sees the fault too.
                self.loaded.insert(&failed);
                return Ok(());
            }
            Err(not_noted)
        });
        // What was noted is returned as later calls return it.
        let again = || self.fault().map(|fault| self.fault_error(fault));
        landed.or_else(|not_noted| not_noted.or_else(again).map_or(Ok(()), Err))
    }

    /// How many bytes the storage has from the start of the mapping on, as far as it says.
    fn bytes_in_storage(&self) -> u64 {
        let len = self.storage.as_ref().and_then(|storage| storage.len().ok()).unwrap_or(0);
        len.saturating_sub(self.plan.span.offset())
    }

    /// Reads into the memory that starts at byte `start` of the mapping. Returns how many bytes are initialised, and the
    /// error that ended it, if one did: then the last page that was begun is as absent as those behind it.
    fn read(&self, memory: &mut [MaybeUninit<u8>], start: usize) -> (usize, Option<Error>) {
        let span = self.plan.span;
        let end = memory.len().min(span.len() - start);
        let mut filled = 0;
        while let (true, Some(storage)) = (filled < end, &self.storage) {
            let offset = span.file_offset(start + filled);
            match read_some(storage, &mut memory[filled..end], offset) {
                Ok(0) => {
                    // As in an OS mapping the last page of a file goes on with zeros; pages behind it are gone.
                    let page_end = filled.next_multiple_of(PAGE);
                    zeroed(&mut memory[filled..page_end]);
                    filled = page_end;
                    if filled < end {
                        return (filled, Some(truncated(storage, span.file_offset(start + filled), end - filled)));
                    }
                }
                Ok(n) => filled += n,
                Err(e) => return (filled, Some(Error::io(Operation::Read, offset, (end - filled) as u64, e))),
            }
        }
        // Behind the end of the mapping, and everywhere in anonymous memory.
        zeroed(&mut memory[filled..]);
        (memory.len(), None)
    }
}

/// The error of a storage that ended at `offset`, `len` bytes before the mapping does.
fn truncated<S: Storage>(storage: &S, offset: u64, len: usize) -> Error {
    let len = len as u64;
    match storage.len() {
        Ok(size) => Error::Truncated { path: None, offset, len, size },
        Err(e) => Error::io(Operation::Metadata, offset, len, e),
    }
}
