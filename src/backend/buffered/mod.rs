//! The emulation: it reads pages into memory when they are accessed, and writes changed bytes back.

use std::ops::Range;
use std::ptr::NonNull;

use self::copies::Copies;
use self::faults::Guard;
use self::flights::Flights;
use self::load::{Caller, Pattern};
use self::unsynced::Unsynced;
use super::sealed::{Bytes, Faults, Ready};
use crate::error::Operation;
use crate::guard::{Fault, FaultKind};
use crate::page_set::LoadedPages;
use crate::plan::Plan;
use crate::process::Maker;
use crate::region::Durability;
use crate::region::heap::{HeapRegion, PAGE};
use crate::region::sealed::Memory as _;
use crate::span;
use crate::storage::{FileKind, OsFile, Storage, with_length};
use crate::{Advice, Error, Flags, Result, UncheckedAdvice};

mod copies;
mod faults;
mod flights;
mod load;
mod pointer;
mod refresh;
mod resize;
mod unsynced;
mod write_back;

/// A mapping without the operating system, over a file or any [`Storage`].
///
/// Making it reads nothing. A page of 4096 bytes is read when it is first accessed. If pages are accessed in sequence,
/// it reads ahead up to 64 KiB at a time (1 MiB after [`Advice::Sequential`], nothing after [`Advice::Random`]).
///
/// A page that is borrowed mutably is copied first. `flush` and `close` write exactly the runs of bytes that differ
/// from the copy. They join adjacent runs, write at most 1 MiB per call, and never write past the end of the file. A
/// page with more than 32 runs is read again, merged and written once. If another writer changes that page between the
/// read and the write, that change is lost. Bytes that could not be written still count as changed, and the next
/// `flush` or `close` writes them.
///
/// The runs that were written are remembered until a sync succeeds. After a failed sync, the next call of `close`, or
/// of any form of `flush` on their pages, writes them again and syncs. It succeeds only if both succeed.
///
/// A mapping of which k pages were accessed takes the memory of k pages, and a copy of each page that was borrowed
/// mutably since it was last written. For bookkeeping it takes less than 1/256 of its length, and 16 bytes for each run
/// that was written since the last sync. If there are more than 32768 runs, those that share a page are joined.
#[derive(Debug)]
pub struct Buffered<S: Storage = OsFile> {
    /// `None` for anonymous memory.
    storage: Option<S>,
    /// The plan that it was made from. A resize updates the span.
    plan: Plan,
    region: HeapRegion,
    loaded: LoadedPages,
    flights: Flights<Pattern>,
    changes: Changes,
    unsynced: Unsynced,
    /// Bytes may be written through a pointer, so borrows do not show which pages change. Every page keeps its copy.
    tracks_all: bool,
    guard: Option<Guard>,
    /// The process that made the mapping. `None` if nothing is written back.
    maker: Option<Maker>,
}

/// How changes are tracked.
#[derive(Debug)]
enum Changes {
    /// Nothing can be changed.
    ReadOnly,
    /// Copies of pages from before they were changed. Changes go to the storage, or stay in memory.
    Kept(Copies),
    /// The bytes have no storage, so changes are not tracked.
    Anonymous,
}

impl Changes {
    fn of(plan: &Plan) -> Self {
        if !plan.access.is_writable() {
            Self::ReadOnly
        } else if plan.anonymous {
            Self::Anonymous
        } else {
            Self::Kept(Copies::default())
        }
    }
}

/// Memory for the plan's bytes, none of them loaded, and a guard if the plan has one. An error contains the requested
/// length, as in every backend.
fn memory(plan: &Plan) -> Result<(HeapRegion, LoadedPages, Option<Guard>)> {
    let len = plan.span.len();
    let pages = len.div_ceil(PAGE);
    let make = || {
        let guard = if plan.guard && !plan.anonymous { Some(Guard::new(pages)?) } else { None };
        // With a guard no byte is ready, because every access checks for a fault.
        let ready = if guard.is_some() { 0 } else { len };
        Ok((HeapRegion::new(pages)?, LoadedPages::none(pages, ready)?, guard))
    };
    make().map_err(|_: Error| Error::NoMemory { operation: Operation::Map, huge_pages: false, len: len as u64 })
}

impl<S: Storage> Buffered<S> {
    /// Memory for a plan, without a storage yet.
    fn new(plan: Plan) -> Result<Self> {
        let (region, loaded, guard) = memory(&plan)?;
        let changes = Changes::of(&plan);
        let maker = matches!(changes, Changes::Kept(_)).then(Maker::current);
        let flights = Flights::new(Pattern::new());
        Ok(Self {
            storage: None,
            plan,
            region,
            loaded,
            flights,
            changes,
            unsynced: Unsynced::default(),
            tracks_all: false,
            guard,
            maker,
        })
    }

    /// A buffer of these bytes without a storage. The plan's span has the same length.
    pub(super) fn of_bytes(bytes: &[u8], plan: Plan) -> Result<Self> {
        let mut buffer = Self::new(Plan { anonymous: true, ..plan })?;
        let all = 0..buffer.plan.span.len();
        buffer.load(&all, Caller::Fallible)?;
        // SAFETY: just loaded: zeros, because there is no storage.
        unsafe { buffer.region.slice_mut(all) }.copy_from_slice(bytes);
        Ok(buffer)
    }

    #[inline]
    fn page_count(&self) -> usize {
        self.region.len() / PAGE
    }

    /// The bytes of a range.
    #[inline]
    fn loaded_bytes(&self, range: Range<usize>, caller: Caller) -> Result<&[u8]> {
        assert!(range.end <= self.plan.span.len());
        self.load(&range, caller)?;
        // SAFETY: loaded, so initialised; and loaded pages are written to through `&mut self` only.
        Ok(unsafe { self.region.slice(range) })
    }

    /// The bytes of a range, mutably.
    #[inline]
    fn loaded_bytes_mut(&mut self, range: Range<usize>, caller: Caller) -> Result<&mut [u8]> {
        assert!(range.end <= self.plan.span.len());
        self.load(&range, caller)?;
        if !matches!(self.changes, Changes::Anonymous) {
            self.expect_changes(&range)?;
        }
        // SAFETY: loaded, so initialised.
        Ok(unsafe { self.region.slice_mut(range) })
    }

    /// Notes that the bytes of a range, which are loaded, may be changed from now on. Bytes that are stored in lost
    /// pages do not count as changes.
    fn expect_changes(&mut self, range: &Range<usize>) -> Result<()> {
        let (pages, count) = (span::pages(range, PAGE), self.page_count());
        let lost = self.guard.as_ref().filter(|guard| guard.lost.fault().is_some());
        let is_lost = |page: usize| lost.is_some_and(|guard| guard.lost.contains(page));
        match &mut self.changes {
            Changes::ReadOnly | Changes::Anonymous => {}
            Changes::Kept(copies) => {
                for page in pages.filter(|&page| !is_lost(page)) {
                    // SAFETY: loaded, and nobody writes while the buffer is borrowed by this call.
                    copies.keep(page, count, unsafe { self.region.slice(page * PAGE..(page + 1) * PAGE) })?;
                }
            }
        }
        Ok(())
    }

    /// Unloads the pages of a range that have no changes, so that they are read again when they are accessed. Keeps
    /// pages that a failed sync may require to be written again.
    fn forget_clean(&mut self, pages: Range<usize>) {
        self.unsynced.sort();
        let unsynced = &self.unsynced;
        match &self.changes {
            Changes::ReadOnly if self.storage.is_some() => self.loaded.remove(&pages),
            Changes::Kept(copies) if copies.is_empty() && unsynced.has_no_runs() => self.loaded.remove(&pages),
            Changes::ReadOnly | Changes::Anonymous => {}
            Changes::Kept(copies) => {
                let is_clean = |page: &usize| copies.get(*page).is_none() && !unsynced.is_in_page(*page);
                pages.filter(is_clean).for_each(|page| self.loaded.remove(&(page..page + 1)));
            }
        }
    }
}

impl<S: Storage> Bytes for Buffered<S> {
    type Source = S;

    fn name(&self) -> &'static str {
        "buffered"
    }

    fn page_size() -> usize {
        PAGE
    }

    fn allocation_granularity() -> usize {
        PAGE
    }

    fn supports(advice: Advice) -> bool {
        matches!(advice, Advice::Normal | Advice::Random | Advice::Sequential | Advice::WillNeed | Advice::DontNeed)
    }

    fn supports_unchecked(_: UncheckedAdvice) -> bool {
        false
    }

    fn check_supported(plan: &Plan) -> Result<()> {
        let what = if plan.executable {
            "a buffer cannot be executable; an OS mapping can"
        } else if plan.hints.contains(Flags::HUGETLB) {
            "a buffer has no huge pages; an OS mapping may have them"
        } else if plan.tag_name.is_some() {
            "a buffer has no tag name; an OS mapping on Windows may have one"
        } else if plan.kind == FileKind::Special {
            "a buffer cannot map a character device, a pipe or a socket, which has no length; map_any reads as much of it \
             as len says"
        } else if plan.has_whole_blocks_only {
            "a buffer cannot map a file that is open with O_DIRECT or FILE_FLAG_NO_BUFFERING, because it reads and writes \
             at any offset; open the file without that flag, or use an OS mapping"
        } else {
            return Ok(());
        };
        Err(Error::Unsupported { what })
    }

    unsafe fn map(storage: S, plan: Plan) -> Result<Self> {
        let mut buffer = Self::new(plan)?;
        let (plan, failed_syncs) = (&buffer.plan, storage.failed_syncs());
        with_length(&storage, plan.extend_from, plan.span.end(), plan.allocate, || Ok(()))?;
        buffer.unsynced = Unsynced::new(failed_syncs, plan.extend_from.is_some());
        buffer.storage = Some(storage);
        if plan.hints.contains(Flags::POPULATE) {
            // This is a hint. A read that fails here fails again when the page is accessed.
            let _ = buffer.load(&(0..plan.span.len()), Caller::Hint);
        }
        Ok(buffer)
    }

    fn anonymous(plan: Plan) -> Result<Self> {
        Self::new(plan)
    }

    #[inline]
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn source(&self) -> Option<&S> {
        self.storage.as_ref()
    }

    fn into_source(mut self) -> Option<S> {
        self.storage.take()
    }

    fn bytes(&self, range: Range<usize>) -> Result<&[u8]> {
        self.loaded_bytes(range, Caller::Fallible)
    }

    fn bytes_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]> {
        self.loaded_bytes_mut(range, Caller::Fallible)
    }

    #[inline]
    fn look(&self, range: Range<usize>) -> Result<&[u8]> {
        self.loaded_bytes(range, Caller::Slice)
    }

    #[inline]
    fn look_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]> {
        self.loaded_bytes_mut(range, Caller::Slice)
    }

    fn copy_within(&mut self, from: Range<usize>, to: usize) -> Result<()> {
        self.load(&from, Caller::Fallible)?;
        self.bytes_mut(to..to + from.len())?;
        // SAFETY: both ranges are loaded.
        unsafe { self.region.copy_within(from, to) };
        Ok(())
    }

    fn flush(&mut self, range: Range<usize>, durability: Durability) -> Result<()> {
        loop {
            self.adopt_failures();
            // After a failed sync only a successful one shows that the bytes are on the disk.
            let durability = if self.unsynced.has_failed { Durability::Disk } else { durability };
            self.write_back(&range)?;
            if durability == Durability::Visible || self.sync(&range)? {
                return Ok(());
            }
        }
    }

    fn export(&mut self) -> Result<NonNull<u8>> {
        self.track_all()?;
        Ok(self.region.start())
    }

    fn lock(&mut self) -> Result<()> {
        Err(Error::Unsupported { what: "a buffer cannot be locked in memory; an OS mapping can" })
    }

    fn unlock(&mut self) -> Result<()> {
        Err(Error::Unsupported { what: "a buffer cannot be locked in memory, and so it cannot be unlocked" })
    }

    fn advise(&mut self, advice: Advice, range: Range<usize>) {
        match advice {
            Advice::Normal | Advice::Random | Advice::Sequential => {
                self.flights.with(|pattern| pattern.advice = advice);
            }
            Advice::WillNeed => {
                // This is a hint. A read that fails here fails again when the page is accessed, and is not a fault
                // before that.
                let _ = self.load(&range, Caller::Hint);
            }
            Advice::DontNeed if !self.plan.private && !self.tracks_all => {
                self.forget_clean(span::pages(&range, PAGE));
            }
            _ => {}
        }
    }

    unsafe fn advise_unchecked(&mut self, _: UncheckedAdvice, _: Range<usize>) -> Result<()> {
        Err(Error::Unsupported { what: "a buffer does not support advice that changes bytes; some OS mappings do" })
    }

    fn resize(&mut self, len: usize) -> Result<()> {
        self.resize_to(len)
    }

    fn refresh(&mut self, range: Range<usize>) -> Result<()> {
        let refreshed = self.refresh_pages(span::pages(&range, PAGE));
        if self.tracks_all {
            // The holder of the pointer may write to any page at any time.
            self.track_all()?;
        }
        refreshed
    }

    fn close(&mut self) -> Result<()> {
        self.flush(0..self.plan.span.len(), Durability::Visible)
    }
}

impl<S: Storage> Ready for Buffered<S> {
    #[inline]
    fn ready(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.region.start(), self.loaded.ready())
    }

    #[inline]
    fn ready_byte(&self, index: usize) -> Option<u8> {
        if self.guard.is_some() || index >= self.plan.span.len() || !self.loaded.contains(index / PAGE) {
            return None;
        }
        // SAFETY: the index lies in the mapping; loaded, and written to through `&mut self` only.
        Some(unsafe { self.region.byte(index) })
    }

    #[inline]
    fn ready_mut(&mut self, index: usize) -> Option<NonNull<u8>> {
        let is_loaded = || index < self.plan.span.len() && self.loaded.contains(index / PAGE);
        if index >= self.loaded.ready() && (self.guard.is_some() || !is_loaded()) {
            return None;
        }
        let is_known = match &self.changes {
            Changes::ReadOnly => false,
            Changes::Anonymous => true,
            Changes::Kept(copies) => copies.get(index / PAGE).is_some(),
        };
        // SAFETY: the index lies in the mapping.
        is_known.then(|| unsafe { self.region.start().add(index) })
    }
}

impl<S: Storage> Faults for Buffered<S> {
    #[inline]
    fn fault(&self) -> Option<Fault> {
        let (page, kind) = self.guard.as_ref()?.lost.fault()?;
        Some(Fault { offset: self.plan.span.file_offset(page * PAGE), kind })
    }

    #[cold]
    fn fault_error(&self, fault: Fault) -> Error {
        let (span, Fault { offset, kind }) = (self.plan.span, fault);
        let len = span.end().saturating_sub(offset);
        if let (Some(guard), FaultKind::Io) = (&self.guard, kind) {
            let page = usize::try_from((offset - span.offset()) / PAGE as u64).unwrap_or(usize::MAX);
            return guard.cause(page, offset, len);
        }
        let size = self.storage.as_ref().and_then(|storage| storage.len().ok()).unwrap_or(offset);
        Error::Truncated { path: None, offset, len, size }
    }
}

impl<S: Storage> Drop for Buffered<S> {
    fn drop(&mut self) {
        // A forked child has a copy of its parent's changes and must not write them. A drop cannot report an error;
        // `close` does.
        if self.maker.is_some_and(Maker::is_current) {
            let _ = self.close();
        }
    }
}
