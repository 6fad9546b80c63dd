//! Syncs an OS mapping, and writes pages again after a failed sync.
//!
//! A system may drop pages that it could not write to the disk. They count as clean then, and the next sync succeeds
//! although they are not on the disk. So the pages are made dirty again before the next sync.

use std::ops::Range;

use super::Mapped;
use crate::error::Operation;
use crate::page_set::PageSet;
use crate::plan::Plan;
use crate::region::{Durability, Region};
use crate::storage::{FailedSyncs, FileKind, OsFile, Storage};
use crate::{Error, Result};

/// The pages that were changed since the last successful sync.
#[derive(Debug)]
pub(super) struct Unsynced {
    /// The pages that no longer count as changed, but were not synced since. If the set of changed pages has room for
    /// all pages, so has this set.
    pub(super) pages: PageSet,
    /// The file's length was changed.
    pub(super) has_new_len: bool,
    /// A sync failed. Every changed page may be lost until it is made dirty again and a sync succeeds.
    pub(super) has_failed: bool,
    /// The place where failed syncs of the file are counted, also after the file was dropped. `None` for anonymous
    /// memory.
    counted: Option<FailedSyncs>,
    /// The number of failed syncs, when it was last read.
    failed_syncs: usize,
}

impl Unsynced {
    pub(super) fn of(plan: &Plan, source: Option<&OsFile>) -> Self {
        let counted = source.and_then(OsFile::counted);
        let failed_syncs = counted.map_or(0, FailedSyncs::count);
        let has_new_len = plan.extend_from.is_some();
        Self { pages: PageSet::default(), has_new_len, has_failed: false, counted, failed_syncs }
    }
}

impl<R: Region> Mapped<R> {
    /// Writes the changes of a range to the file. After a failed sync it also syncs, because only a successful sync
    /// shows that the bytes are on the disk. After an error every page that was written since the last successful sync
    /// may be lost.
    pub(super) fn bring_to_file(
        &mut self,
        range: &Range<usize>,
        pages: &Range<usize>,
        durability: Durability,
    ) -> Result<()> {
        loop {
            self.adopt_failures();
            let durability = if self.unsynced.has_failed { Durability::Disk } else { durability };
            if self.unsynced.has_failed {
                self.make_dirty_again(pages)?;
            }
            if let Err(error) = self.sync(range, durability) {
                self.adopt_failures();
                self.mark_written_as_changed();
                return Err(error);
            }
            if durability == Durability::Visible {
                self.changed.runs(self.changed_part(pages)).for_each(|run| self.unsynced.pages.insert(&run));
                return Ok(());
            }
            // A sync of another mapping may have failed after the bytes were stored here, and may have lost them.
            if !self.adopt_failures() {
                self.unsynced.pages.remove(pages);
                self.unsynced.has_new_len = false;
                return Ok(());
            }
        }
    }

    /// Writes the changes of a range and the file's length.
    fn sync(&mut self, range: &Range<usize>, durability: Durability) -> Result<()> {
        let span = self.plan.span;
        // Windows takes a length of 0 for everything up to the end of the mapping, and fails at its end.
        let flush = || if range.is_empty() { Ok(()) } else { self.region.flush(range.clone(), durability) };
        let flushed = match (self.unsynced.counted, durability) {
            (Some(counted), Durability::Disk) => counted.sync(flush),
            _ => flush(),
        };
        flushed.map_err(|e| Error::io(Operation::Flush, span.file_offset(range.start), range.len() as u64, e))?;
        if let (Durability::Disk, true, Some(source)) = (durability, self.unsynced.has_new_len, &self.source) {
            // POSIX guarantees for `msync` that the bytes are on the disk, but does not mention the file's length.
            source.sync().map_err(|e| Error::io(Operation::Sync, span.offset(), span.len() as u64, e))?;
        }
        Ok(())
    }

    /// Whether a sync of the file, by this mapping or another, has failed since the bytes were last known to be on the
    /// disk.
    pub(super) fn may_have_failed(&self) -> bool {
        let counted = self.unsynced.counted;
        self.unsynced.has_failed || counted.is_some_and(|counted| counted.count() != self.unsynced.failed_syncs)
    }

    /// Notes failed syncs of other mappings of the file. Returns whether they concern bytes of this mapping.
    pub(super) fn adopt_failures(&mut self) -> bool {
        let Some(failed_syncs) = self.unsynced.counted.map(FailedSyncs::count) else { return false };
        if std::mem::replace(&mut self.unsynced.failed_syncs, failed_syncs) == failed_syncs {
            return false;
        }
        let all = 0..self.page_count();
        let is_written = |pages: &PageSet| pages.last(&all).is_some();
        let has_unsynced = is_written(&self.changed) || is_written(&self.unsynced.pages) || self.unsynced.has_new_len;
        let concerns = has_unsynced && self.plan.reaches_file();
        if concerns {
            self.mark_written_as_changed();
        }
        concerns
    }

    /// Marks every page that was written since the last successful sync as changed again, because the system may have
    /// dropped it.
    #[cold]
    fn mark_written_as_changed(&mut self) {
        let all = 0..self.page_count();
        for run in self.unsynced.pages.runs(all.clone()) {
            self.changed.insert(&run);
        }
        // It is not known which bytes of such a page were changed. The first one counts as changed.
        let (first, last) = (self.unsynced.pages.first_present(&all), self.unsynced.pages.last(&all));
        if let Some(last) = last {
            self.widen_hull(&(first.start << self.page_shift..(last << self.page_shift) + 1));
        }
        self.unsynced.pages.remove(&all);
        self.unsynced.has_failed = true;
    }

    /// After a failed sync: makes the changed pages among these dirty again, up to the end of the file, and sets the
    /// file's length again.
    #[cold]
    fn make_dirty_again(&mut self, pages: &Range<usize>) -> Result<()> {
        let (span, shift) = (self.plan.span, self.page_shift);
        // Without the file its end is not known, and an access past the end would kill the process.
        let Some(source) = &self.source else {
            let is_changed = self.changed.last(pages).is_some();
            return if is_changed { Err(Error::Untracked { operation: Operation::Flush }) } else { Ok(()) };
        };
        if self.plan.kind == FileKind::Special {
            // The system does not cache pages of a device, and a write to a device can have side effects.
            return Ok(());
        }
        let size = self.len_of(source).map_err(|e| Error::io(Operation::Metadata, span.offset(), 0, e))?;
        let reach = usize::try_from(size.saturating_sub(span.offset())).unwrap_or(usize::MAX);
        let there = pages.start..pages.end.min(reach.div_ceil(R::page_size()));
        let unit = self.region.page() >> shift;
        for page in self.changed.runs(there).flatten().filter(|page| !self.region.is_lost(page / unit)) {
            // SAFETY: the page lies in the file, and in a mapping that may be written to.
            unsafe { self.region.make_dirty(page << shift) };
        }
        // If the file has another length, somebody else has set it.
        if self.unsynced.has_new_len && size == span.end() {
            source.set_len(size).map_err(|e| Error::io(Operation::Extend, size, 0, e))?;
        }
        Ok(())
    }
}
