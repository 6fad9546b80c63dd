//! Writes changes back: exactly the runs of bytes that differ from the copies.

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
/// Each run is a separate write, because writing the gap between two runs would overwrite changes of another writer.
/// With more runs than this, separate writes cost too much. Then the gaps are written too, with the bytes that were
/// read just before.
const MAX_RUNS: usize = 32;

impl<S: Storage> Buffered<S> {
    /// Writes the changes in the pages of `range`, in order. Once all changes of a page are written, the page is clean
    /// and its copy is freed. After an error exactly the bytes that were not written still count as changed.
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
            // The written part of the page no longer counts as changed, so another writer may change it from now on.
            if let Some(copy) = copies.get_mut(reached / PAGE) {
                let start = reached - reached % PAGE;
                // SAFETY: a page with a copy is loaded, and the mapping is borrowed mutably: nobody writes.
                let written = unsafe { self.region.slice(start..reached) };
                copy[..written.len()].copy_from_slice(written);
            }
        }
        result
    }

    /// After a failed sync: sets the length again, and writes the current bytes of all runs in the pages of `range`
    /// that were written since the last successful sync.
    fn write_again(&mut self, range: &Range<usize>) -> Result<()> {
        let (true, Some(storage)) = (self.unsynced.has_failed, &self.storage) else { return Ok(()) };
        let span = self.plan.span;
        self.unsynced.sort();
        self.unsynced.make_room()?;
        if self.unsynced.has_new_len {
            let size = storage.len().map_err(|e| Error::io(Operation::Metadata, span.offset(), 0, e))?;
            // If the storage has another length, somebody else has set it.
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

    /// Notes failed syncs of other mappings of the storage.
    pub(super) fn adopt_failures(&mut self) {
        if let Some(storage) = &self.storage {
            self.unsynced.adopt(storage.failed_syncs());
        }
    }

    /// Syncs the storage. The pages of `range` were written back just before. Returns false if a sync of another
    /// mapping failed at the same time. That may have lost the bytes, so they must be written again.
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

/// Marks pages as clean after all of their changes were written. Frees their copies, or updates them if the buffer
/// tracks all pages.
fn mark_clean(copies: &mut Copies, pages: Range<usize>, region: &HeapRegion, tracks_all: bool) {
    if !tracks_all {
        return copies.drop_pages(pages);
    }
    for page in pages {
        if let Some(copy) = copies.get_mut(page) {
            // SAFETY: a page with a copy is loaded, and the holder of a pointer does not write during a write-back.
            copy.copy_from_slice(unsafe { region.slice(page * PAGE..(page + 1) * PAGE) });
        }
    }
}

/// Joins adjacent runs, and writes them in order.
struct Writer<'a, S> {
    storage: &'a S,
    span: Span,
    region: &'a HeapRegion,
    /// The end of the storage, in bytes from the start of the mapping, and its length. Read at the first write.
    end: Option<(usize, u64)>,
    /// The run that is not written yet. Everything before it is written.
    pending: Range<usize>,
    unsynced: &'a mut Unsynced,
}

impl<'a, S: Storage> Writer<'a, S> {
    fn new(storage: &'a S, span: Span, region: &'a HeapRegion, unsynced: &'a mut Unsynced) -> Self {
        Self { storage, span, region, end: None, pending: 0..0, unsynced }
    }

    /// Adds the changes of the page that starts at byte `start` of the mapping. `copy` is the copy of the page.
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

    /// Adds a run, which lies after all earlier ones.
    fn add(&mut self, run: Range<usize>) -> Result<()> {
        if self.pending.is_empty() || self.pending.end != run.start {
            self.write_pending()?;
            self.pending = run;
        } else {
            self.pending.end = run.end;
        }
        Ok(())
    }

    /// Writes the pending run.
    fn write_pending(&mut self) -> Result<()> {
        // SAFETY: runs lie in changed pages: see `add_page`.
        let bytes = unsafe { self.region.slice(self.pending.clone()) };
        self.write(bytes)
    }

    /// Writes `bytes` to the pending range, up to the end of the storage.
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

    /// Writes a page with very many runs: reads it again from the first change to the last, applies the changes, and
    /// writes it once.
    fn write_merged(&mut self, start: usize, first: usize, own: &[u8], copy: &[u8]) -> Result<()> {
        self.write_pending()?;
        let last = runs(own, copy).last().map_or(first, |run| run.end);
        self.pending = start + first..start + last;
        let offset = self.span.file_offset(self.pending.start);
        let mut page = [0; PAGE];
        let page = &mut page[first..last];
        // Bytes past the end of the storage are not written.
        read_full(self.storage, page, offset)?;
        for run in runs(own, copy) {
            // The gaps may be another writer's, so they are not noted and not written again.
            self.unsynced.note(start + run.start..start + run.end)?;
            page[run.start - first..run.end - first].copy_from_slice(&own[run]);
        }
        self.write(page)
    }

    /// The end of the storage in bytes from the start of the mapping, and its length.
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
