//! A mapping whose bytes are the file's own: those of a [`Region`].

use std::io;
use std::ops::Range;

use super::sealed::{Bytes, Faults, Ready};
use super::{Durability, Face, Fault, FaultKind};
use crate::page_set::PageSet;
use crate::plan::Plan;
use crate::region::{OsRegion, Region};
use crate::span::{self, Span};
use crate::storage::{OsFile, Storage, read_full, with_length};
use crate::{Advice, Error, Result, UncheckedAdvice};

/// A mapping that the operating system makes: the bytes are the file's own.
#[derive(Debug)]
pub struct Mapped<R: Region = OsRegion> {
    /// Before the source, whose file its guard uses.
    region: R,
    /// None: anonymous, or given up after mapping.
    source: Option<OsFile>,
    /// What it was made from, its span kept up to date.
    plan: Plan,
    /// So many bytes may be read as they are: all, or none where there is a guard.
    ready: usize,
    /// The page size is this power of two.
    page_shift: u32,
    /// The pages that were borrowed mutably since they were last flushed, if changes reach the file.
    changed: PageSet,
    /// All bytes that were borrowed mutably lie in here, which starts and ends within changed pages: with a byte that was
    /// borrowed, or with the page, if changes before or behind it were flushed since.
    hull: Range<usize>,
    /// The file's length was changed, and no sync has followed.
    unsynced_len: bool,
}

impl<R: Region> Mapped<R> {
    fn new(region: R, source: Option<OsFile>, plan: Plan) -> Self {
        let unsynced_len = plan.extend_from.is_some();
        let ready = if region.is_guarded() { 0 } else { region.len() };
        let page_shift = R::page_size().trailing_zeros();
        Self { region, source, plan, ready, page_shift, changed: PageSet::default(), hull: 0..0, unsynced_len }
    }

    /// The error of a region that is lost, which only Windows knows.
    #[cold]
    fn lost(&self) -> Error {
        let cause = "a resize had to unmap the file, and could not map it again";
        let span = self.plan.span;
        Error::io("map", span.offset(), span.len() as u64, io::Error::other(cause))
    }

    /// Makes sure that the bytes of a range can be had, as far as `face` wants that known.
    #[inline]
    fn reach(&self, range: &Range<usize>, face: Face) -> Result<()> {
        if range.end > self.region.len() {
            assert!(range.end <= self.plan.span.len(), "callers check ranges");
            return Err(self.lost());
        }
        if self.region.is_guarded() && face == Face::Calls { self.touch(range) } else { Ok(()) }
    }

    /// Touches every page of a range.
    #[inline(never)]
    fn touch(&self, range: &Range<usize>) -> Result<()> {
        self.region.touch(range);
        match self.fault() {
            None => Ok(()),
            Some(fault) => Err(self.fault_error(fault)),
        }
    }

    /// Notes a range, which is not empty, as borrowed mutably.
    #[inline]
    fn note_changed(&mut self, range: &Range<usize>) -> Result<()> {
        let pages = range.start >> self.page_shift..((range.end - 1) >> self.page_shift) + 1;
        if self.hull.start <= range.start && range.end <= self.hull.end && self.changed.contains_all(&pages) {
            return Ok(());
        }
        self.note_newly_changed(pages, range)
    }

    /// [`note_changed`](Self::note_changed), of a range whose pages are not all noted. What is stored in lost pages is
    /// nobody's change.
    #[inline(never)]
    fn note_newly_changed(&mut self, pages: Range<usize>, range: &Range<usize>) -> Result<()> {
        if self.region.fault().is_none() {
            return self.add_changed(&pages, range);
        }
        let unit = self.region.page() >> self.page_shift;
        for page in pages {
            if !self.region.is_lost(page / unit) {
                self.add_changed(&(page..page + 1), range)?;
            }
        }
        Ok(())
    }

    /// Adds the pages that hold a range, or some of them.
    fn add_changed(&mut self, pages: &Range<usize>, range: &Range<usize>) -> Result<()> {
        self.changed.add(pages, self.page_count())?;
        let start = range.start.max(pages.start << self.page_shift);
        let end = range.end.min(pages.end << self.page_shift);
        let Range { start: first, end: last } = self.hull;
        self.hull = if first < last { first.min(start)..last.max(end) } else { start..end };
        Ok(())
    }

    /// The bytes of a changed page that may have been changed, as far as that is known.
    fn changed_within(&self, page: usize) -> Range<usize> {
        let end = ((page + 1) << self.page_shift).min(self.plan.span.len());
        self.hull.start.max(page << self.page_shift)..self.hull.end.min(end)
    }

    fn page_count(&self) -> usize {
        self.plan.span.len().div_ceil(R::page_size())
    }

    /// Makes sure that the changes in these pages, which the file has by now, do not lie past the end of a file that was
    /// truncated. Those that do are lost: an error, and they stay changed.
    fn check_changes_are_in_file(&mut self, pages: &Range<usize>) -> Result<()> {
        let (Some(last), Some(source)) = (self.changed.last(pages), &self.source) else { return Ok(()) };
        let span = self.plan.span;
        let size = source.len().map_err(|e| Error::io("stat", span.offset(), 0, e))?;
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
        // What the file has is no change any more.
        self.forget_changed(&(pages.start..first));
        Err(Error::Truncated { offset, len: end - offset, size })
    }

    /// Forgets the changes in these pages.
    fn forget_changed(&mut self, pages: &Range<usize>) {
        self.changed.remove(pages);
        let all = 0..self.page_count();
        self.hull = match self.changed.last(&all) {
            None => 0..0,
            Some(last) => {
                let first = self.changed.first_present(&all).start;
                self.changed_within(first).start..self.changed_within(last).end
            }
        };
    }
}

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

    fn admit(plan: &Plan) -> Result<()> {
        R::admit(plan)
    }

    unsafe fn map(source: OsFile, plan: Plan) -> Result<Self> {
        let region = with_length(&source, plan.extend_from, plan.span.end(), plan.allocate, || {
            // SAFETY: the caller owes what `MmapOptions::map` says.
            unsafe { R::map(&source, &plan) }
        })?;
        // A guard needs the file to map again what it had replaced.
        let source = (plan.track_file || plan.guard).then_some(source);
        Ok(Self::new(region, source, plan))
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

    fn into_source(self) -> Option<OsFile> {
        self.source
    }

    #[inline]
    fn bytes(&self, range: Range<usize>, face: Face) -> Result<&[u8]> {
        self.reach(&range, face)?;
        // SAFETY: mapped, readable and initialised; that nobody else changes the bytes is owed by whoever mapped them.
        Ok(unsafe { self.region.slice(range) })
    }

    #[inline]
    fn bytes_mut(&mut self, range: Range<usize>, face: Face) -> Result<&mut [u8]> {
        self.reach(&range, face)?;
        if self.region.is_guarded() && face == Face::Slice {
            // What is lost is known before it counts as changed.
            let _ = self.touch(&range);
        }
        if self.plan.reaches_file() && !range.is_empty() {
            self.note_changed(&range)?;
        }
        // SAFETY: mapped, writable and initialised, and the mapping is borrowed mutably; that nobody else uses the bytes
        // is owed by whoever mapped them.
        Ok(unsafe { self.region.slice_mut(range) })
    }

    fn copy_within(&mut self, from: Range<usize>, to: usize) -> Result<()> {
        self.bytes(from.clone(), Face::Calls)?;
        self.bytes_mut(to..to + from.len(), Face::Calls)?;
        // SAFETY: both ranges are mapped, and the target is writable.
        unsafe { self.region.copy_within(from, to) };
        Ok(())
    }

    fn flush(&mut self, range: Range<usize>, durability: Durability) -> Result<()> {
        let span = self.plan.span;
        if range.end > self.region.len() {
            return Err(self.lost());
        }
        if self.plan.reaches_file() && !self.plan.anonymous {
            let flushed = self.region.flush(range.clone(), durability);
            flushed.map_err(|e| Error::io("flush", span.file_offset(range.start), range.len() as u64, e))?;
        }
        if let (Durability::Disk, true, Some(source)) = (durability, self.unsynced_len, &self.source) {
            // POSIX promises of `msync` that the bytes are on the disk, and says nothing of the file's length.
            source.sync().map_err(|e| Error::io("sync", span.offset(), span.len() as u64, e))?;
            self.unsynced_len = false;
        }
        let pages = span::pages(&range, R::page_size());
        self.check_changes_are_in_file(&pages)
    }

    fn advise(&mut self, advice: Advice, range: Range<usize>) {
        // On Linux this would take private changes back.
        let drops_changes = advice == Advice::DontNeed && self.plan.private;
        if range.end <= self.region.len() && !drops_changes {
            self.region.advise(range, advice);
        }
    }

    unsafe fn advise_unchecked(&mut self, advice: UncheckedAdvice, range: Range<usize>) -> Result<()> {
        self.reach(&range, Face::Hint)?;
        let (offset, len) = (self.plan.span.file_offset(range.start), range.len() as u64);
        // SAFETY: the caller answers for what becomes of the bytes.
        match unsafe { self.region.advise_unchecked(range, advice) } {
            None => Err(Error::Unsupported { what: "this advice on this operating system" }),
            Some(Ok(())) => Ok(()),
            Some(Err(e)) => Err(Error::io("madvise", offset, len, e)),
        }
    }

    fn resize(&mut self, len: usize) -> Result<()> {
        let span = Span::new(self.plan.span.offset(), len)?;
        let plan = Plan { span, ..self.plan.clone() };
        // Before anything changes: it may want memory.
        self.changed.resize(self.page_count().max(len.div_ceil(R::page_size())))?;
        let resized = self.region.resize(self.source.as_ref(), &self.plan, &plan);
        self.ready = if self.region.is_guarded() { 0 } else { self.region.len() };
        resized?;
        self.unsynced_len |= !plan.anonymous;
        self.plan = plan;
        let pages = self.page_count();
        self.changed.resize(pages)?;
        self.forget_changed(&(0..0));
        Ok(())
    }

    fn refresh(&mut self, range: Range<usize>) -> Result<()> {
        let pages = span::pages(&range, self.region.page());
        self.region.refresh(pages, self.source.as_ref(), &self.plan)
    }

    fn close(&mut self) -> Result<()> {
        self.check_changes_are_in_file(&(0..self.page_count()))
    }
}

impl<R: Region> Ready for Mapped<R> {
    #[inline]
    fn ready_byte(&self, index: usize) -> Option<u8> {
        if index >= self.ready {
            return None;
        }
        // SAFETY: the index lies within the mapping; mapped, readable and initialised, as in `bytes`.
        Some(unsafe { self.region.byte(index) })
    }

    #[inline]
    fn ready_bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        if range.start > range.end || range.end > self.ready {
            return None;
        }
        // SAFETY: the range lies within the mapping; mapped, readable and initialised, as in `bytes`.
        Some(unsafe { self.region.slice_unchecked(range) })
    }

    #[inline]
    fn set_ready_byte(&mut self, index: usize, byte: u8) -> bool {
        if index >= self.ready || self.plan.reaches_file() && self.note_changed(&(index..index + 1)).is_err() {
            return false;
        }
        // SAFETY: the index lies within the mapping; mapped and writable, as in `bytes_mut`.
        unsafe { self.region.set_byte(index, byte) };
        true
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
        if kind == FaultKind::Shortened {
            let size = self.source.as_ref().and_then(|source| source.len().ok()).unwrap_or(offset);
            return Error::Truncated { offset, len, size };
        }
        // A signal does not say why: a read may.
        let cause = "the file could not be read when touched, or no disk space was left for a hole in it";
        let read = self.source.as_ref().map(|source| read_full(source, &mut [0], offset));
        match read {
            Some(Err(Error::Io { source, .. })) => Error::io("read", offset, len, source),
            _ => Error::io("read", offset, len, io::Error::other(cause)),
        }
    }
}
