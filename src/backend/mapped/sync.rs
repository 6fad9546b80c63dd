//! Syncing, and what a sync that failed leaves to be done.
//!
//! A system may drop what it could not bring to the disk: its pages count as clean then, and the next sync succeeds although
//! nothing is on the disk. So they are made dirty again before it.

use std::ops::Range;

use super::Mapped;
use crate::error::Operation;
use crate::page_set::PageSet;
use crate::plan::Plan;
use crate::region::{Durability, Region};
use crate::storage::{FailedSyncs, FileKind, OsFile, Storage};
use crate::{Error, Result};

/// What no sync has brought to the disk yet.
#[derive(Debug)]
pub(super) struct Unsynced {
    /// The pages that are not changed any more, but were not synced since. Has room where the set of changed pages has.
    pub(super) pages: PageSet,
    /// The file's length was changed.
    pub(super) has_new_len: bool,
    /// A sync failed: every changed page is suspect until it was made dirty again and a sync succeeded.
    pub(super) has_failed: bool,
    /// Where failed syncs of the file are counted, also after the file was given up. None: anonymous.
    counted: Option<FailedSyncs>,
    /// How many there were when that was last asked.
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
    /// Hands the changes of a range to the file; to the disk if a sync has failed, for only a sync that succeeds tells what
    /// became of the bytes. After an error every page that was written since the last good sync is suspect.
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
                self.suspect();
                return Err(error);
            }
            if durability == Durability::Visible {
                self.changed.runs(pages.clone()).for_each(|run| self.unsynced.pages.insert(&run));
                return Ok(());
            }
            // One of another mapping may have failed after the bytes were stored here, and lost them.
            if !self.adopt_failures() {
                self.unsynced.pages.remove(pages);
                self.unsynced.has_new_len = false;
                return Ok(());
            }
        }
    }

    /// Hands the changes of a range to the file, and its length.
    fn sync(&mut self, range: &Range<usize>, durability: Durability) -> Result<()> {
        let span = self.plan.span;
        let flush = || self.region.flush(range.clone(), durability);
        let flushed = match (self.unsynced.counted, durability) {
            (Some(counted), Durability::Disk) => counted.sync(flush),
            _ => flush(),
        };
        flushed.map_err(|e| Error::io(Operation::Flush, span.file_offset(range.start), range.len() as u64, e))?;
        if let (Durability::Disk, true, Some(source)) = (durability, self.unsynced.has_new_len, &self.source) {
            // POSIX promises of `msync` that the bytes are on the disk, and says nothing of the file's length.
            source.sync().map_err(|e| Error::io(Operation::Sync, span.offset(), span.len() as u64, e))?;
        }
        Ok(())
    }

    /// Whether a sync of the file has failed, of this mapping or another, since the bytes were last known to be on the disk.
    pub(super) fn may_have_failed(&self) -> bool {
        let counted = self.unsynced.counted;
        self.unsynced.has_failed || counted.is_some_and(|counted| counted.count() != self.unsynced.failed_syncs)
    }

    /// Takes over the failed syncs of other mappings of the file. Returns whether some of them concern bytes of this one.
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
            self.suspect();
        }
        concerns
    }

    /// A system may drop what it could not bring to the disk, and the next sync succeeds: every page that was written since
    /// the last sync that succeeded is changed again.
    #[cold]
    fn suspect(&mut self) {
        let all = 0..self.page_count();
        for run in self.unsynced.pages.runs(all.clone()) {
            self.changed.insert(&run);
        }
        // As far as is known, the first byte of such a page was changed, and no other.
        let (first, last) = (self.unsynced.pages.first_present(&all), self.unsynced.pages.last(&all));
        if let Some(last) = last {
            self.widen_hull(&(first.start << self.page_shift..(last << self.page_shift) + 1));
        }
        self.unsynced.pages.remove(&all);
        self.unsynced.has_failed = true;
    }

    /// After a sync that failed: makes the changed pages among these dirty again, as far as the file reaches, and sets the
    /// file's length again.
    #[cold]
    fn make_dirty_again(&mut self, pages: &Range<usize>) -> Result<()> {
        let (span, shift) = (self.plan.span, self.page_shift);
        // Nobody can tell without a file where it ends, and a touch behind its end ends the process.
        let Some(source) = &self.source else {
            let is_changed = self.changed.last(pages).is_some();
            return if is_changed { Err(Error::Untracked { operation: Operation::Flush }) } else { Ok(()) };
        };
        if self.plan.kind == FileKind::Special {
            // The system has no pages of a device, which may do something when it is written to.
            return Ok(());
        }
        let size = self.len_of(source).map_err(|e| Error::io(Operation::Metadata, span.offset(), 0, e))?;
        let reach = usize::try_from(size.saturating_sub(span.offset())).unwrap_or(usize::MAX);
        let there = pages.start..pages.end.min(reach.div_ceil(R::page_size()));
        let unit = self.region.page() >> shift;
        for page in self.changed.runs(there).flatten().filter(|page| !self.region.is_lost(page / unit)) {
            // SAFETY: the file reaches this page, which lies in a mapping that may be written to.
            unsafe { self.region.make_dirty(page << shift) };
        }
        // If it has another length, somebody else has set that.
        if self.unsynced.has_new_len && size == span.end() {
            source.set_len(size).map_err(|e| Error::io(Operation::Extend, size, 0, e))?;
        }
        Ok(())
    }
}
