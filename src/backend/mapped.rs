//! A mapping whose bytes are those of the file, in the memory of a [`Region`].

use std::io;
use std::ops::Range;
use std::ptr::NonNull;

use super::sealed::{Bytes, Faults, Ready};
use crate::error::{Operation, Reason};
use crate::guard::{Fault, FaultKind};
use crate::page_set::PageSet;
use crate::plan::Plan;
use crate::process::Maker;
use crate::region::Durability;
use crate::region::{OsRegion, Region};
use crate::span::{self, Span};
use crate::storage::{FileKind, OsFile, Storage, read_full, with_length};
use crate::{Advice, Error, Result, UncheckedAdvice};

mod sync;

use sync::Unsynced;

/// A mapping of the operating system. Its bytes are those of the file.
#[derive(Debug)]
pub struct Mapped<R: Region = OsRegion> {
    /// Declared before the source, because its guard uses the source's file.
    region: R,
    /// `None` for anonymous memory, and if the source was dropped after mapping.
    source: Option<OsFile>,
    /// The plan that it was made from. A resize updates the span.
    plan: Plan,
    /// How many bytes may be read without a check: all, or 0 under a guard.
    ready: usize,
    /// Bytes that may be changed without noting their pages, which are noted already or need not be. Only the hull is
    /// updated.
    known_changed: Range<usize>,
    /// Whether changes reach a file.
    tracks_changes: bool,
    /// The page size is 2 to this power.
    page_shift: u32,
    /// The pages that were borrowed mutably since they were last flushed, if changes reach the file.
    changed: PageSet,
    /// A range that contains all bytes that were borrowed mutably. It starts and ends in changed pages: at a byte that
    /// was borrowed, or at the border of the page if changes before or after the page were flushed since. [`EMPTY`] if
    /// there are no changes.
    hull: Range<usize>,
    unsynced: Unsynced,
    /// A caller has a pointer to the bytes, so every page counts as borrowed mutably.
    exported: bool,
    /// The process that made the mapping. `None` if changes reach no file.
    maker: Option<Maker>,
}

/// A range that starts after its end. Widened by another range it equals that range.
const EMPTY: Range<usize> = Range { start: usize::MAX, end: 0 };

impl<R: Region> Mapped<R> {
    fn new(region: R, source: Option<OsFile>, plan: Plan) -> Self {
        let unsynced = Unsynced::of(&plan, source.as_ref());
        let page_shift = R::page_size().trailing_zeros();
        let (changed, hull, tracks_changes) = (PageSet::default(), EMPTY, plan.reaches_file());
        let mut mapped = Self {
            region,
            source,
            plan,
            ready: 0,
            known_changed: 0..0,
            tracks_changes,
            page_shift,
            changed,
            hull,
            unsynced,
            exported: false,
            maker: tracks_changes.then(Maker::current),
        };
        mapped.make_ready();
        mapped
    }

    /// Sets how many bytes are ready: all, or 0 under a guard.
    fn make_ready(&mut self) {
        self.ready = if self.region.is_guarded() { 0 } else { self.region.len() };
        self.reset_known_changed();
    }

    /// Forgets which bytes are known as changed. If changes are not tracked, all bytes count as known.
    fn reset_known_changed(&mut self) {
        let is_free = self.plan.access.is_writable() && !self.tracks_changes;
        self.known_changed = 0..if is_free { self.ready } else { 0 };
    }

    /// The error of a lost region. Callers have checked every range, so a range can lie outside of the region only if
    /// it was lost, which happens only on Windows.
    #[cold]
    #[inline(never)]
    fn lost(&self) -> Error {
        let span = self.plan.span;
        Error::io(Operation::Map, span.offset(), span.len() as u64, Reason::Lost)
    }

    /// Returns an error if the region is lost and so does not contain the range.
    #[inline]
    fn check_range(&self, range: &Range<usize>) -> Result<()> {
        if range.end <= self.region.len() { Ok(()) } else { Err(self.lost()) }
    }

    /// The bytes of a range that lies in the region, mutably.
    #[inline]
    fn borrow_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]> {
        if self.tracks_changes && !range.is_empty() {
            self.note_changed(&range)?;
        }
        // SAFETY: mapped, writable and initialised, and the mapping is borrowed mutably. The caller that mapped the
        // bytes guarantees that nobody else uses them.
        Ok(unsafe { self.region.slice_mut(range) })
    }

    /// Accesses every page of a range, and returns the error of a fault.
    #[inline(never)]
    fn touch(&self, range: &Range<usize>) -> Result<()> {
        self.region.touch(range);
        match self.fault() {
            None => Ok(()),
            Some(fault) => Err(self.fault_error(fault)),
        }
    }

    /// Notes that a range was borrowed mutably. The range is not empty.
    #[inline]
    fn note_changed(&mut self, range: &Range<usize>) -> Result<()> {
        if self.known_changed.start <= range.start && range.end <= self.known_changed.end {
            self.widen_hull(range);
            return Ok(());
        }
        self.note_newly_changed(range)
    }

    #[inline]
    fn widen_hull(&mut self, range: &Range<usize>) {
        self.hull = self.hull.start.min(range.start)..self.hull.end.max(range.end);
    }

    /// Notes all bytes as changed if a caller has a pointer to them.
    fn note_exported(&mut self) -> Result<()> {
        // A region that is lost has no bytes.
        let all = 0..self.region.len();
        if self.exported && self.tracks_changes && !all.is_empty() { self.note_newly_changed(&all) } else { Ok(()) }
    }

    /// [`note_changed`](Self::note_changed) for a range that is not known as changed. Bytes that are stored in lost
    /// pages do not count as changes.
    #[inline(never)]
    fn note_newly_changed(&mut self, range: &Range<usize>) -> Result<()> {
        let (pages, shift) =
            (range.start >> self.page_shift..((range.end - 1) >> self.page_shift) + 1, self.page_shift);
        // Adds no page, but reserves room for all pages, so that a flush allocates nothing.
        self.unsynced.pages.add(&(0..0), self.page_count())?;
        if self.region.fault().is_none() {
            self.changed.add(&pages, self.page_count())?;
            self.widen_hull(range);
            if self.ready > 0 {
                let run = self.changed.run_around(&pages);
                self.known_changed = run.start << shift..(run.end << shift).min(self.ready);
            }
            return Ok(());
        }
        let unit = self.region.page() >> shift;
        for page in pages {
            if !self.region.is_lost(page / unit) {
                self.changed.add(&(page..page + 1), self.page_count())?;
                self.widen_hull(&(range.start.max(page << shift)..range.end.min((page + 1) << shift)));
            }
        }
        Ok(())
    }

    /// The pages of the hull. All changed pages are among them. The cost of a flush depends on their number, and not on
    /// the length of the mapping.
    fn hull_pages(&self) -> Range<usize> {
        if self.hull.is_empty() { 0..0 } else { span::pages(&self.hull, R::page_size()) }
    }

    /// The pages of a range that lie in the hull.
    fn changed_part(&self, pages: &Range<usize>) -> Range<usize> {
        let hull = self.hull_pages();
        let start = pages.start.max(hull.start);
        start..pages.end.min(hull.end).max(start)
    }

    /// The part of a changed page that lies in the hull. Only bytes in it may have been changed.
    fn changed_within(&self, page: usize) -> Range<usize> {
        let end = ((page + 1) << self.page_shift).min(self.plan.span.len());
        self.hull.start.max(page << self.page_shift)..self.hull.end.min(end)
    }

    /// The current length of the source. A special file has none, so it counts as longer than any mapping.
    fn len_of(&self, source: &OsFile) -> io::Result<u64> {
        if self.plan.kind == FileKind::Special { Ok(u64::MAX) } else { source.len() }
    }

    fn page_count(&self) -> usize {
        self.plan.span.len().div_ceil(R::page_size())
    }

    /// Checks that changes in these pages, which were flushed, do not lie past the end of a file that was truncated.
    /// Changes past the end are lost. They are an error and still count as changes.
    fn check_changes_are_in_file(&mut self, pages: &Range<usize>) -> Result<()> {
        let (Some(last), Some(source)) = (self.changed.last(pages), &self.source) else { return Ok(()) };
        let span = self.plan.span;
        let size = self.len_of(source).map_err(|e| Error::io(Operation::Metadata, span.offset(), 0, e))?;
        let end = span.file_offset(self.changed_within(last).end);
        if end <= size {
            self.forget_changed(pages);
            return Ok(());
        }
        let reach = usize::try_from(size.saturating_sub(span.offset())).unwrap_or(usize::MAX);
        let behind = (reach >> self.page_shift).max(pages.start)..pages.end;
        let is_missing = |page: &usize| self.changed_within(*page).end > reach;
        let first = self.changed.runs(behind).flatten().find(is_missing).unwrap_or(last);
        let offset = size.max(span.file_offset(self.changed_within(first).start));
        // Changes that are in the file no longer count.
        self.forget_changed(&(pages.start..first));
        Err(Error::Truncated { path: None, offset, len: end - offset, size })
    }

    /// Forgets the changes in these pages.
    fn forget_changed(&mut self, pages: &Range<usize>) {
        let all = self.hull_pages();
        self.changed.remove(pages);
        self.reset_known_changed();
        self.hull = match self.changed.last(&all) {
            None => EMPTY,
            Some(last) => {
                let first = self.changed.first_present(&all).start;
                self.changed_within(first).start..self.changed_within(last).end
            }
        };
    }
}

impl<R: Region> super::Backend for Mapped<R> {}

impl<R: Region> Bytes for Mapped<R> {
    type Source = OsFile;

    fn name(&self) -> &'static str {
        R::NAME
    }

    fn page_size() -> usize {
        R::page_size()
    }

    fn allocation_granularity() -> usize {
        R::allocation_granularity()
    }

    fn supports(advice: Advice) -> bool {
        R::supports(advice)
    }

    fn supports_unchecked(advice: UncheckedAdvice) -> bool {
        R::supports_unchecked(advice)
    }

    fn check_supported(plan: &Plan) -> Result<()> {
        R::check_supported(plan)
    }

    unsafe fn map(source: OsFile, plan: Plan) -> Result<Self> {
        let region = with_length(&source, plan.extend_from, plan.span.end(), plan.allocate, || {
            // SAFETY: the caller guarantees what `MmapOptions::map` requires.
            unsafe { R::map(&source, &plan) }
        })?;
        let mut mapped = Self::new(region, Some(source), plan);
        // A guard needs the file, to map it again over pages that it has replaced.
        if !mapped.plan.track_file && !mapped.plan.guard {
            mapped.source = None;
        }
        Ok(mapped)
    }

    fn anonymous(plan: Plan) -> Result<Self> {
        Ok(Self::new(R::anonymous(&plan)?, None, plan))
    }

    #[inline]
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn source(&self) -> Option<&OsFile> {
        self.source.as_ref()
    }

    fn into_source(mut self) -> Option<OsFile> {
        self.source.take()
    }

    fn bytes(&self, range: Range<usize>) -> Result<&[u8]> {
        self.check_range(&range)?;
        if self.region.is_guarded() {
            self.touch(&range)?;
        }
        // SAFETY: mapped, readable and initialised. The caller that mapped them guarantees that nobody else changes
        // them.
        Ok(unsafe { self.region.slice(range) })
    }

    fn bytes_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]> {
        self.check_range(&range)?;
        if self.region.is_guarded() {
            self.touch(&range)?;
        }
        self.borrow_mut(range)
    }

    #[inline]
    fn look(&self, range: Range<usize>) -> Result<&[u8]> {
        self.check_range(&range)?;
        // SAFETY: as in `bytes`.
        Ok(unsafe { self.region.slice(range) })
    }

    #[inline]
    fn look_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]> {
        self.check_range(&range)?;
        if self.region.is_guarded() {
            // Finds lost pages before they would count as changed. A fault is not an error here.
            let _ = self.touch(&range);
        }
        self.borrow_mut(range)
    }

    fn copy_within(&mut self, from: Range<usize>, to: usize) -> Result<()> {
        self.bytes(from.clone())?;
        self.bytes_mut(to..to + from.len())?;
        // SAFETY: both ranges are mapped, and the target is writable.
        unsafe { self.region.copy_within(from, to) };
        Ok(())
    }

    fn flush(&mut self, range: Range<usize>, durability: Durability) -> Result<()> {
        self.check_range(&range)?;
        if !self.plan.reaches_file() || self.plan.anonymous {
            return Ok(());
        }
        self.note_exported()?;
        let pages = span::pages(&range, R::page_size());
        self.bring_to_file(&range, &pages, durability)?;
        let checked = self.check_changes_are_in_file(&self.changed_part(&pages));
        self.unsynced.has_failed &= self.changed.last(&self.hull_pages()).is_some();
        checked
    }

    fn export(&mut self) -> Result<NonNull<u8>> {
        self.bytes(0..self.plan.span.len())?;
        self.exported = true;
        self.note_exported()?;
        Ok(self.region.start())
    }

    fn lock(&mut self) -> Result<()> {
        let span = self.plan.span;
        self.region.lock().map_err(|e| Error::io(Operation::Lock, span.offset(), span.len() as u64, e))
    }

    fn unlock(&mut self) -> Result<()> {
        let span = self.plan.span;
        self.region.unlock().map_err(|e| Error::io(Operation::Unlock, span.offset(), span.len() as u64, e))
    }

    fn advise(&mut self, advice: Advice, range: Range<usize>) {
        // On Linux this advice would drop private changes.
        let drops_changes = advice == Advice::DontNeed && self.plan.private;
        if range.end <= self.region.len() && !drops_changes {
            self.region.advise(range, advice);
        }
    }

    unsafe fn advise_unchecked(&mut self, advice: UncheckedAdvice, range: Range<usize>) -> Result<()> {
        self.check_range(&range)?;
        let (offset, len) = (self.plan.span.file_offset(range.start), range.len() as u64);
        // SAFETY: the caller accepts that the bytes may change.
        match unsafe { self.region.advise_unchecked(range, advice) } {
            None => Err(Error::Unsupported { what: "this operating system does not support this advice" }),
            Some(Ok(())) => Ok(()),
            Some(Err(e)) => Err(Error::io(Operation::Advise, offset, len, e)),
        }
    }

    fn resize(&mut self, len: usize) -> Result<()> {
        let span = Span::new(self.plan.span.offset(), len)?;
        let plan = Plan { span, ..self.plan.clone() };
        // Reserved before anything changes, because it may fail.
        let pages = self.page_count().max(len.div_ceil(R::page_size()));
        let room = self.changed.resize(pages).and_then(|()| self.unsynced.pages.resize(pages));
        room.map_err(|_| Error::no_memory(len as u64))?;
        let resized = self.region.resize(self.source.as_ref(), &self.plan, &plan);
        self.make_ready();
        resized?;
        self.unsynced.has_new_len |= !plan.anonymous;
        self.exported = false;
        self.plan = plan;
        let pages = self.page_count();
        self.changed.resize(pages)?;
        self.unsynced.pages.resize(pages)?;
        self.forget_changed(&(0..0));
        Ok(())
    }

    fn refresh(&mut self, range: Range<usize>) -> Result<()> {
        let pages = span::pages(&range, self.region.page());
        self.region.refresh(pages, self.source.as_ref(), &self.plan)
    }

    fn close(&mut self) -> Result<()> {
        self.note_exported()?;
        self.adopt_failures();
        if self.unsynced.has_failed {
            return self.flush(0..self.region.len(), Durability::Disk);
        }
        self.check_changes_are_in_file(&self.hull_pages())
    }
}

impl<R: Region> Drop for Mapped<R> {
    fn drop(&mut self) {
        // Changes are in the file already. Only after a failed sync is there something to do, in the process that made
        // the mapping. A drop cannot report an error.
        if self.may_have_failed() && self.maker.is_some_and(Maker::is_current) {
            let _ = self.close();
        }
    }
}

impl<R: Region> Ready for Mapped<R> {
    #[inline]
    fn ready(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.region.start(), self.ready)
    }

    #[inline]
    fn ready_byte(&self, index: usize) -> Option<u8> {
        if index >= self.ready {
            return None;
        }
        // SAFETY: the index lies within the mapping; mapped, readable and initialised, as in `bytes`.
        Some(unsafe { self.region.byte(index) })
    }

    #[inline]
    fn ready_mut(&mut self, index: usize) -> Option<NonNull<u8>> {
        if index < self.known_changed.start || index >= self.known_changed.end {
            return None;
        }
        // Stores a bound only if it changes. With `min` and `max` each access would store both.
        if index < self.hull.start {
            self.hull.start = index;
        }
        if index >= self.hull.end {
            self.hull.end = index + 1;
        }
        // SAFETY: the index lies within the mapping.
        Some(unsafe { self.region.start().add(index) })
    }
}

impl<R: Region> Faults for Mapped<R> {
    #[inline]
    fn fault(&self) -> Option<Fault> {
        let (page, kind) = self.region.fault()?;
        Some(Fault { offset: self.plan.span.file_offset(page * self.region.page()), kind })
    }

    #[cold]
    fn fault_error(&self, fault: Fault) -> Error {
        let Fault { offset, kind } = fault;
        let len = self.plan.span.end().saturating_sub(offset);
        if kind == FaultKind::Truncated {
            let size = self.source.as_ref().and_then(|source| source.len().ok()).unwrap_or(offset);
            return Error::Truncated { path: None, offset, len, size };
        }
        // A signal has no error number, but a read returns one.
        let read = self.source.as_ref().map(|source| read_full(source, &mut [0], offset));
        match read {
            Some(Err(Error::Io { source, .. })) => Error::io(Operation::Read, offset, len, source),
            _ => Error::io(Operation::Read, offset, len, Reason::Touch),
        }
    }
}
