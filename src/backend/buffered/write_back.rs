//! Writing changes back: exactly the runs of bytes that differ from the pristine copies.

use std::ops::Range;

use super::copies::Copies;
use super::unsynced::Unsynced;
use super::{Buffered, Changes, PAGE};
use crate::error::Operation;
use crate::region::heap::HeapRegion;
use crate::region::sealed::Memory as _;
use crate::runs::runs;
use crate::span::{self, Span};
use crate::storage::{Storage, read_full, write_some};
use crate::{Error, Result};

/// A page with more runs than this is read again, merged and written once.
///
/// Bridging the gap between two runs would overwrite what another writer put there, so each run is a write of its own.
/// Above this number that costs more than it saves: the gaps are written too, as they were read a moment before.
const MAX_RUNS: usize = 32;

impl<S: Storage> Buffered<S> {
    /// Writes the changes in the pages of `range`, in order. A page is clean, and its copy freed, once all its changes
    /// are written; after an error exactly the bytes that were not written stay changed.
    pub(super) fn write_back(&mut self, range: &Range<usize>) -> Result<()> {
        if !self.plan.reaches_file() {
            return Ok(());
        }
        self.write_again(range)?;
        let (Changes::Kept(copies), Some(storage)) = (&mut self.changes, &self.storage) else { return Ok(()) };
        let pages = span::pages(range, PAGE);
        let mut writer = Writer::new(storage, self.plan.span, &self.region, &mut self.unsynced);
        let result = copies
            .pages(pages.clone())
            .try_for_each(|page| writer.add_page(page * PAGE, copies.get(page).unwrap_or_default()))
            .and_then(|()| writer.write_pending());
        let reached = writer.pending.start;
        if result.is_ok() {
            mark_clean(copies, pages, &self.region, self.tracks_all);
        } else {
            mark_clean(copies, pages.start..reached / PAGE, &self.region, self.tracks_all);
            // What was written of the page is no change any more: another writer may have it from now on.
            if let Some(copy) = copies.get_mut(reached / PAGE) {
                let start = reached - reached % PAGE;
                // SAFETY: a page with a copy is loaded, and the mapping is borrowed mutably: nobody writes.
                let written = unsafe { self.region.slice(start..reached) };
                copy[..written.len()].copy_from_slice(written);
            }
        }
        result
    }

    /// After a sync that failed: sets the length again, and writes the bytes in the pages of `range` again that were written
    /// since the last sync that succeeded, as they are now.
    fn write_again(&mut self, range: &Range<usize>) -> Result<()> {
        let (true, Some(storage)) = (self.unsynced.has_failed, &self.storage) else { return Ok(()) };
        let span = self.plan.span;
        self.unsynced.sort();
        self.unsynced.make_room()?;
        if self.unsynced.has_new_len {
            let size = storage.len().map_err(|e| Error::io(Operation::Metadata, span.offset(), 0, e))?;
            // If it has another length, somebody else has set that.
            if size == span.end() {
                storage.set_len(size).map_err(|e| Error::io(Operation::Extend, size, 0, e))?;
            }
        }
        let mut writer = Writer::new(storage, span, &self.region, &mut self.unsynced);
        let mut rest = in_bytes(&span::pages(range, PAGE));
        while let Some(run) = writer.unsynced.first_in(&rest) {
            rest.start = run.end;
            writer.add(run)?;
        }
        writer.write_pending()
    }

    /// Takes over the failed syncs of other mappings of the storage.
    pub(super) fn adopt_failures(&mut self) {
        if let Some(storage) = &self.storage {
            self.unsynced.adopt(storage.failed_syncs());
        }
    }

    /// Brings what was written to the disk. The pages of `range` were written back a moment before. False if a sync of another
    /// mapping failed meanwhile, which may have lost what was written here: then everything is to be written again.
    pub(super) fn sync(&mut self, range: &Range<usize>) -> Result<bool> {
        let Some(storage) = self.storage.as_ref().filter(|_| !self.unsynced.is_empty()) else { return Ok(true) };
        let span = self.plan.span;
        let had_failed = self.unsynced.begin_sync();
        let synced = storage.sync();
        let has_another_failed = self.unsynced.adopt(storage.failed_syncs());
        synced.map_err(|e| Error::io(Operation::Sync, span.offset(), span.len() as u64, e))?;
        if has_another_failed {
            return Ok(false);
        }
        let written_again = in_bytes(&span::pages(range, PAGE));
        self.unsynced.end_sync(had_failed.then_some(&written_again));
        Ok(true)
    }
}

/// The bytes of pages.
fn in_bytes(pages: &Range<usize>) -> Range<usize> {
    pages.start * PAGE..pages.end * PAGE
}

/// Marks pages as clean after all of their changes were written. Frees their copies, or updates them if the buffer tracks
/// all pages.
fn mark_clean(copies: &mut Copies, pages: Range<usize>, region: &HeapRegion, tracks_all: bool) {
    if !tracks_all {
        return copies.drop_pages(pages);
    }
    for page in pages {
        if let Some(copy) = copies.get_mut(page) {
            // SAFETY: a page with a copy is loaded, and who writes through a pointer does not during a write-back.
            copy.copy_from_slice(unsafe { region.slice(page * PAGE..(page + 1) * PAGE) });
        }
    }
}

/// Joins adjacent runs, and writes them in order.
struct Writer<'a, S> {
    storage: &'a S,
    span: Span,
    region: &'a HeapRegion,
    /// Where the storage ends, in bytes from the start of the mapping, and its length: asked at the first write.
    end: Option<(usize, u64)>,
    /// The run that is not written yet. Everything before it is.
    pending: Range<usize>,
    unsynced: &'a mut Unsynced,
}

impl<'a, S: Storage> Writer<'a, S> {
    fn new(storage: &'a S, span: Span, region: &'a HeapRegion, unsynced: &'a mut Unsynced) -> Self {
        Self { storage, span, region, end: None, pending: 0..0, unsynced }
    }

    /// Takes the changes of the page that starts at byte `start` of the mapping and held `copy` before.
    fn add_page(&mut self, start: usize, copy: &[u8]) -> Result<()> {
        // SAFETY: a page with a copy is loaded, and the mapping is borrowed mutably by the write-back: nobody writes.
        let own = unsafe { self.region.slice(start..start + PAGE) };
        let mut found = runs(own, copy);
        let Some(first) = found.next() else { return Ok(()) };
        let mut list = [const { 0..0 }; MAX_RUNS];
        let mut count = 0;
        for run in std::iter::once(first.clone()).chain(found) {
            if count == MAX_RUNS {
                return self.write_merged(start, first.start, own, copy);
            }
            list[count] = run;
            count += 1;
        }
        list.into_iter().take(count).map(|run| start + run.start..start + run.end).try_for_each(|run| {
            self.unsynced.note(run.clone())?;
            self.add(run)
        })
    }

    /// Takes a run, which lies behind all that came before.
    fn add(&mut self, run: Range<usize>) -> Result<()> {
        if self.pending.is_empty() || self.pending.end != run.start {
            self.write_pending()?;
            self.pending = run;
        } else {
            self.pending.end = run.end;
        }
        Ok(())
    }

    /// Writes the run that is pending.
    fn write_pending(&mut self) -> Result<()> {
        // SAFETY: runs lie in changed pages, for which `add_page` gives the reason.
        let bytes = unsafe { self.region.slice(self.pending.clone()) };
        self.write(bytes)
    }

    /// Writes `bytes` over the range that is pending, as far as the storage reaches.
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let base = self.pending.start;
        while !self.pending.is_empty() {
            let (end, size) = self.end()?;
            let Range { start, end: pending_end } = self.pending;
            let offset = self.span.file_offset(start);
            if start >= end {
                return Err(Error::Truncated { path: None, offset, len: (pending_end - start) as u64, size });
            }
            let bytes = &bytes[start - base..pending_end.min(end) - base];
            let written = write_some(self.storage, bytes, offset)
                .map_err(|e| Error::io(Operation::Write, offset, (pending_end - start) as u64, e))?;
            self.pending.start += written;
        }
        Ok(())
    }

    /// Writes a page of very many runs: reads it again from its first change on, lays the changes over, writes it once.
    fn write_merged(&mut self, start: usize, first: usize, own: &[u8], copy: &[u8]) -> Result<()> {
        self.write_pending()?;
        let last = runs(own, copy).last().map_or(first, |run| run.end);
        self.pending = start + first..start + last;
        let offset = self.span.file_offset(self.pending.start);
        let mut page = [0; PAGE];
        let page = &mut page[first..last];
        // What lies past the end of the storage is not written either.
        read_full(self.storage, page, offset)?;
        for run in runs(own, copy) {
            // The gaps are another writer's: they are no part of what is written again.
            self.unsynced.note(start + run.start..start + run.end)?;
            page[run.start - first..run.end - first].copy_from_slice(&own[run]);
        }
        self.write(page)
    }

    /// Where the storage ends.
    fn end(&mut self) -> Result<(usize, u64)> {
        if let Some(end) = self.end {
            return Ok(end);
        }
        let size = self.storage.len().map_err(|e| Error::io(Operation::Metadata, self.span.offset(), 0, e))?;
        let reach = size.saturating_sub(self.span.offset());
        let end = (usize::try_from(reach).unwrap_or(usize::MAX), size);
        self.end = Some(end);
        Ok(end)
    }
}
