//! The lost pages of a guarded mapping. Both backends use the same rules.
//!
//! A page whose bytes cannot be read is *lost*: it reads as zeros, and bytes stored in it reach no file. If an access
//! to a lost page caused the fault, the page is *noted*. The first access past the end of the file makes all pages past
//! the end lost, and notes the page that was accessed.

use std::ops::Range;

use super::FaultKind;
use crate::Result;
use crate::page_set::PageSet;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// The lost pages of a mapping. A signal handler may call the functions that take `&self`, because they take no lock
/// and allocate nothing.
#[derive(Debug)]
pub(crate) struct Lost {
    /// How many pages there are.
    pages: AtomicUsize,
    gone: PageSet,
    /// The pages at which a fault was noted. All of them are lost.
    noted: PageSet,
    /// The noted pages that the file still has.
    unreadable: PageSet,
    /// The page that was noted first, counted from 1; 0 if none is noted.
    first: AtomicUsize,
}

impl Lost {
    /// No lost pages, of `pages` pages.
    pub(crate) fn new(pages: usize) -> Result<Self> {
        let [gone, noted, unreadable] =
            [PageSet::with_room(pages)?, PageSet::with_room(pages)?, PageSet::with_room(pages)?];
        Ok(Self { pages: AtomicUsize::new(pages), gone, noted, unreadable, first: AtomicUsize::new(0) })
    }

    /// Removes the pages from `pages` on. Nobody accesses the mapping at the same time.
    #[cfg_attr(
        any(not(unix), miri, loom),
        allow(dead_code, reason = "a buffer makes a new guard, and others have none")
    )]
    pub(crate) fn shorten(&self, pages: usize) {
        let behind = pages.min(self.pages())..self.pages();
        for set in [&self.gone, &self.noted, &self.unreadable] {
            set.remove(&behind);
        }
        self.pages.store(behind.start, Ordering::Release);
    }

    fn pages(&self) -> usize {
        self.pages.load(Ordering::Acquire)
    }

    /// The page of the first fault, and the kind of fault. If that fault was cleared and others are left, the lowest
    /// page of those.
    #[inline]
    pub(crate) fn fault(&self) -> Option<(usize, FaultKind)> {
        let page = self.first.load(Ordering::Acquire).checked_sub(1)?;
        let kind = if self.unreadable.contains(page) { FaultKind::Io } else { FaultKind::Truncated };
        Some((page, kind))
    }

    /// Whether a page is lost.
    pub(crate) fn contains(&self, page: usize) -> bool {
        self.gone.contains(page)
    }

    /// The lost pages.
    pub(crate) fn set(&self) -> &PageSet {
        &self.gone
    }

    /// Whether the lost pages form at least `pieces` runs.
    #[cfg_attr(any(not(unix), miri, loom), allow(dead_code, reason = "a buffer replaces no memory"))]
    pub(crate) fn has_pieces(&self, pieces: usize) -> bool {
        self.gone.runs(0..self.pages()).nth(pieces.saturating_sub(1)).is_some()
    }

    /// Notes a fault at these pages. A call of [`lose`](Self::lose) follows, which makes them lost. With this order a
    /// thread that sees zeros sees the fault too.
    pub(crate) fn note(&self, pages: &Range<usize>, kind: FaultKind) {
        if kind == FaultKind::Io {
            self.unreadable.insert(pages);
        }
        self.noted.insert(pages);
        // If two threads note a fault at the same time, the first one counts.
        let _ = self.first.compare_exchange(0, pages.start + 1, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Makes pages lost. Calls `replace` with each run of pages that were not lost before, and that no other thread
    /// makes lost at the same time. Stops if `replace` returns false, and returns false.
    pub(crate) fn lose(&self, pages: &Range<usize>, replace: impl FnMut(Range<usize>) -> bool) -> bool {
        self.gone.claim(pages, replace)
    }

    /// The pages that lie wholly past the end of the file, which ends `len` bytes after the start of the mapping. Pages
    /// have `page_size` bytes. The first access to one of them makes all of them lost.
    pub(crate) fn behind(&self, len: u64, page_size: usize) -> Range<usize> {
        let first = usize::try_from(len.div_ceil(page_size as u64)).unwrap_or(usize::MAX);
        first.min(self.pages())..self.pages()
    }

    /// Clears the faults in `pages`. Calls `restore` with each run of lost pages, except noted pages outside of
    /// `pages`. These pages are then no longer lost. Nobody accesses the mapping at the same time.
    ///
    /// # Errors
    /// The error of `restore`. The pages that it was called with are still lost, and their faults stay.
    pub(crate) fn refresh(
        &self,
        pages: &Range<usize>,
        mut restore: impl FnMut(Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let mut result = Ok(());
        let mut rest = 0..self.pages();
        while result.is_ok() {
            let run = self.first_restored(&rest, pages);
            if run.is_empty() {
                break;
            }
            result = restore(run.clone());
            if result.is_ok() {
                for set in [&self.gone, &self.noted, &self.unreadable] {
                    set.remove(&run);
                }
            }
            rest.start = run.end;
        }
        let first = self.first.load(Ordering::Acquire);
        if first != 0 && !self.noted.contains(first - 1) {
            let left = self.noted.first_present(&(0..self.pages()));
            self.first.store(if left.is_empty() { 0 } else { left.start + 1 }, Ordering::Release);
        }
        result
    }

    /// The first run of lost pages in `rest`, except noted pages outside of `pages`.
    fn first_restored(&self, rest: &Range<usize>, pages: &Range<usize>) -> Range<usize> {
        let stays = |page: &usize| self.noted.contains(*page) && !pages.contains(page);
        let mut from = rest.start;
        loop {
            let lost = self.gone.first_present(&(from..rest.end));
            let Some(start) = lost.clone().find(|page| !stays(page)) else {
                if lost.is_empty() {
                    return lost;
                }
                from = lost.end;
                continue;
            };
            let end = (start..lost.end).find(stays).unwrap_or(lost.end);
            return start..end;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const PAGE: usize = 4096;

    /// Sixteen pages of a file that ends `len` bytes from the start. These pages are accessed.
    fn touched(len: usize, pages: &[usize]) -> Lost {
        let lost = Lost::new(16).unwrap();
        touch(&lost, len, pages);
        lost
    }

    fn touch(lost: &Lost, len: usize, pages: &[usize]) {
        for &page in pages.iter().filter(|&&page| !lost.contains(page)) {
            let behind = lost.behind(len as u64, PAGE);
            let is_behind = behind.contains(&page);
            let (kind, gone) = if is_behind { (FaultKind::Truncated, behind) } else { (FaultKind::Io, page..page + 1) };
            lost.note(&(page..page + 1), kind);
            assert!(lost.lose(&gone, |_| true));
        }
    }

    fn runs(lost: &Lost) -> Vec<Range<usize>> {
        lost.set().runs(0..16).collect()
    }

    fn one(run: Range<usize>) -> Vec<Range<usize>> {
        std::iter::once(run).collect()
    }

    fn refresh(lost: &Lost, pages: Range<usize>) -> Vec<Range<usize>> {
        let mut restored = Vec::new();
        lost.refresh(&pages, |run| {
            restored.push(run);
            Ok(())
        })
        .unwrap();
        restored
    }

    #[test]
    fn an_access_past_the_end_loses_all_pages_past_it() {
        let lost = touched(2 * PAGE + 1, &[7, 9]);
        assert_eq!(lost.fault(), Some((7, FaultKind::Truncated)));
        assert_eq!(runs(&lost), one(3..16));
        assert!(!lost.contains(2), "the page in which the file ends is not lost");
    }

    #[test]
    fn a_page_that_cannot_be_read_is_lost_alone() {
        let lost = touched(16 * PAGE, &[7]);
        assert_eq!((lost.fault(), runs(&lost)), (Some((7, FaultKind::Io)), one(7..8)));
    }

    #[test]
    fn lost_pages_that_are_not_noted_return_with_any_refresh() {
        let lost = touched(0, &[7]);
        assert_eq!(refresh(&lost, 0..1), [0..7, 8..16]);
        assert_eq!((lost.fault(), runs(&lost)), (Some((7, FaultKind::Truncated)), one(7..8)));
        assert_eq!(refresh(&lost, 7..8), one(7..8));
        assert_eq!((lost.fault(), runs(&lost)), (None, vec![]));
    }

    #[test]
    fn faults_are_cleared_page_by_page() {
        let lost = touched(10 * PAGE, &[12]);
        touch(&lost, 2 * PAGE, &[5]);
        touch(&lost, 16 * PAGE, &[1]);
        assert_eq!((lost.fault(), runs(&lost)), (Some((12, FaultKind::Truncated)), one(1..16)));
        refresh(&lost, 12..13);
        assert_eq!((lost.fault(), runs(&lost)), (Some((1, FaultKind::Io)), vec![1..2, 5..6]));
        refresh(&lost, 2..16);
        assert_eq!((lost.fault(), runs(&lost)), (Some((1, FaultKind::Io)), one(1..2)));
        refresh(&lost, 0..16);
        assert_eq!((lost.fault(), runs(&lost)), (None, vec![]));
    }

    #[test]
    fn pages_that_cannot_be_restored_stay_lost() {
        let lost = touched(3 * PAGE, &[3, 5]);
        let error = lost.refresh(&(0..16), |_| Err(crate::Error::Closed));
        assert!(error.is_err());
        assert_eq!((lost.fault(), runs(&lost)), (Some((3, FaultKind::Truncated)), one(3..16)));
    }
}
