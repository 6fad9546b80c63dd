//! Loads absent pages when they are requested, and reads ahead if they are requested in sequence.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::flights::{Flight, Start};
use super::{Buffered, PAGE};
use crate::backend::sealed::Faults as _;
use crate::error::{Operation, Reason};
use crate::span;
use crate::storage::{Storage, read_some, zeroed};
use crate::{Advice, Error, Result};

/// The maximum number of pages that are read ahead. Hosts return at most 64 KiB per call, so a larger number would not
/// save calls.
const MAX_WINDOW: usize = (64 << 10) / PAGE;
/// The same after the advice [`Advice::Sequential`].
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

/// How the mapping has been read so far.
#[derive(Debug)]
pub(super) struct Pattern {
    /// The page after the last one that was loaded. If it is requested next, the reads are sequential.
    next: usize,
    /// How many pages were read ahead last time, at least 1.
    window: usize,
    pub(super) advice: Advice,
}

impl Pattern {
    pub(super) fn new() -> Self {
        // There is no next page, so the first access reads only the requested pages.
        Self { next: usize::MAX, window: 1, advice: Advice::Normal }
    }

    /// How many pages to load from `page` on, including pages that were not requested.
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
    /// Loads the pages of a range that are absent.
    #[inline]
    pub(super) fn load(&self, range: &Range<usize>, caller: Caller) -> Result<()> {
        if range.end <= self.loaded.ready() {
            return Ok(());
        }
        let (pages, set) = (span::pages(range, PAGE), self.loaded.set());
        // A single byte lies in one page.
        let are_loaded = if pages.len() == 1 { set.contains(pages.start) } else { set.contains_all(&pages) };
        if are_loaded { Ok(()) } else { self.load_absent(&pages, caller) }
    }

    #[cold]
    #[inline(never)]
    fn load_absent(&self, pages: &Range<usize>, caller: Caller) -> Result<()> {
        let lost = self.guard.as_ref().map(|guard| guard.lost.set());
        let count = self.page_count();
        loop {
            let read_ahead_end =
                |pattern: &mut Pattern, run: &Range<usize>| (run.start + pattern.window_at(run.start)).min(count);
            match self.flights.start(self.loaded.set(), lost, pages, read_ahead_end)? {
                Start::Loaded => return Ok(()),
                Start::Flight(flight) => self.load_run(flight, pages.end, caller)?,
                Start::Reentered => {
                    let (offset, len) = (self.plan.span.file_offset(pages.start * PAGE), pages.len() * PAGE);
                    return Err(Error::io(Operation::Read, offset, len as u64, Reason::Deadlock));
                }
            }
        }
    }

    /// Loads the pages of a flight. The pages before `needed` were requested, and the others are read ahead.
    fn load_run(&self, flight: Flight<'_, Pattern>, needed: usize, caller: Caller) -> Result<()> {
        let run = flight.pages.clone();
        let needed = needed.min(run.end);
        // SAFETY: nobody has a reference to absent pages, and only this flight has these.
        let memory = unsafe { self.region.uninit(run.start * PAGE..run.end * PAGE) }?;
        // Pages that somebody else has noted as lost are not read again.
        let known = self.fault().filter(|_| self.guard.as_ref().is_some_and(|guard| guard.lost.contains(run.start)));
        let (filled, failure) = match known {
            Some(fault) => (0, Some(self.fault_error(fault))),
            None => self.read(memory, run.start * PAGE),
        };
        let read = run.start..run.start + filled / PAGE;
        let failed = read.end..needed;
        // An error of pages that were only read ahead is ignored. Requested pages that are gone read as zeros.
        let failure = failure.filter(|_| !failed.is_empty());
        let has_zeros = failure.is_some() && caller == Caller::Slice && self.guard.is_some();
        if has_zeros {
            zeroed(&mut memory[(failed.start - run.start) * PAGE..(failed.end - run.start) * PAGE]);
        }
        let noted_by = self.guard.as_ref().filter(|_| known.is_none() && caller != Caller::Hint);
        // Done before the lock is taken, because a call of the storage may take long.
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
                // Done after the fault was noted, so that a thread that sees the zeros sees the fault too.
                self.loaded.insert(&failed);
                return Ok(());
            }
            Err(not_noted)
        });
        // An error that was noted is returned in the same form as by later calls.
        let again = || self.fault().map(|fault| self.fault_error(fault));
        landed.or_else(|not_noted| not_noted.or_else(again).map_or(Ok(()), Err))
    }

    /// How many bytes the storage has from the start of the mapping on, or 0 if it returns an error.
    fn bytes_in_storage(&self) -> u64 {
        let len = self.storage.as_ref().and_then(|storage| storage.len().ok()).unwrap_or(0);
        len.saturating_sub(self.plan.span.offset())
    }

    /// Reads into the memory that starts at byte `start` of the mapping. Returns how many bytes are initialised, and
    /// the error that ended the read, if there was one. After an error the last page that was not read completely is
    /// absent, as are the pages after it.
    fn read(&self, memory: &mut [MaybeUninit<u8>], start: usize) -> (usize, Option<Error>) {
        let span = self.plan.span;
        let end = memory.len().min(span.len() - start);
        let mut filled = 0;
        while let (true, Some(storage)) = (filled < end, &self.storage) {
            let offset = span.file_offset(start + filled);
            match read_some(storage, &mut memory[filled..end], offset) {
                Ok(0) => {
                    // As in an OS mapping, the rest of the last page of a file is zeros, and pages after it are gone.
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
        // Bytes after the end of the mapping, and all bytes of anonymous memory.
        zeroed(&mut memory[filled..]);
        (memory.len(), None)
    }
}

/// The error of a storage that ends at `offset`, `len` bytes before the end of the mapping.
fn truncated<S: Storage>(storage: &S, offset: u64, len: usize) -> Error {
    let len = len as u64;
    match storage.len() {
        Ok(size) => Error::Truncated { path: None, offset, len, size },
        Err(e) => Error::io(Operation::Metadata, offset, len, e),
    }
}
