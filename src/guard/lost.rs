//! What a guarded mapping has lost: one rule for both backends.
//!
//! A page whose bytes cannot be had is *lost*: it reads as zeros, and what is stored in it reaches no file. A lost page
//! at which somebody noticed that, by a touch, is *noted*. Where a file ends before a page, all pages behind its end are
//! lost with the first of them that is touched, and that one is noted.

use std::ops::Range;

use super::FaultKind;
use crate::Result;
use crate::page_set::PageSet;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// The lost pages of a mapping. A signal handler may use what takes `&self`: it takes no lock and no memory.
#[derive(Debug)]
pub(crate) struct Lost {
    /// How many pages there are.
    pages: AtomicUsize,
    gone: PageSet,
    /// Each of them is lost.
    noted: PageSet,
    /// The noted pages that the file still reaches.
    unreadable: PageSet,
    /// The page that was noted first, counted from 1; 0 if none is noted.
    first: AtomicUsize,
}

impl Lost {
    /// Nothing of `pages` pages.
    pub(crate) fn new(pages: usize) -> Result<Self> {
        let [gone, noted, unreadable] =
            [PageSet::with_room(pages)?, PageSet::with_room(pages)?, PageSet::with_room(pages)?];
        Ok(Self { pages: AtomicUsize::new(pages), gone, noted, unreadable, first: AtomicUsize::new(0) })
    }

    /// Leaves the pages from `pages` on out. Nobody touches the mapping meanwhile.
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

    /// The page of the first fault and why it cannot be had. If that fault was taken back and others are left, the lowest
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

    /// Whether the lost pages lie in at least so many runs.
    #[cfg_attr(any(not(unix), miri, loom), allow(dead_code, reason = "a buffer replaces no memory"))]
    pub(crate) fn has_pieces(&self, pieces: usize) -> bool {
        self.gone.runs(0..self.pages()).nth(pieces.saturating_sub(1)).is_some()
    }

    /// Notes a fault at these pages. They become lost by [`lose`](Self::lose), which comes next: a thread that sees zeros
    /// then sees the fault too.
    pub(crate) fn note(&self, pages: &Range<usize>, kind: FaultKind) {
        if kind == FaultKind::Io {
            self.unreadable.insert(pages);
        }
        self.noted.insert(pages);
        // Of two threads that note a fault at once the first one counts.
        let _ = self.first.compare_exchange(0, pages.start + 1, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Makes pages lost, and calls `replace` with each run of those that were not lost before and that no other thread
    /// has made lost at the same time. Stops where it returns false, and returns that.
    pub(crate) fn lose(&self, pages: &Range<usize>, replace: impl FnMut(Range<usize>) -> bool) -> bool {
        self.gone.claim(pages, replace)
    }

    /// The pages that lie wholly behind the end of a file that reaches `len` bytes from the start of the mapping, whose pages
    /// have `page_size` bytes. All of them are lost with the first that is touched.
    pub(crate) fn behind(&self, len: u64, page_size: usize) -> Range<usize> {
        let first = usize::try_from(len.div_ceil(page_size as u64)).unwrap_or(usize::MAX);
        first.min(self.pages())..self.pages()
    }

    /// Takes the faults in `pages` back, while nobody touches the mapping: calls `restore` with each run of lost pages that are not noted elsewhere, which
    /// are then no longer lost.
    ///
    /// # Errors
    /// That of `restore`; what it was called with is still lost, and its faults stay.
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

    /// The first run of pages in `rest` that are lost, and if noted lie in `pages`.
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

    /// Sixteen pages of a file that ends `len` bytes from the start, of which these are touched.
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
    fn a_touch_past_the_end_loses_all_that_lies_past_it() {
        let lost = touched(2 * PAGE + 1, &[7, 9]);
        assert_eq!(lost.fault(), Some((7, FaultKind::Truncated)));
        assert_eq!(runs(&lost), one(3..16));
        assert!(!lost.contains(2), "the page that the end divides is there");
    }

    #[test]
    fn a_page_that_cannot_be_read_is_lost_alone() {
        let lost = touched(16 * PAGE, &[7]);
        assert_eq!((lost.fault(), runs(&lost)), (Some((7, FaultKind::Io)), one(7..8)));
    }

    #[test]
    fn what_is_lost_and_not_noted_returns_with_any_refresh() {
        let lost = touched(0, &[7]);
        assert_eq!(refresh(&lost, 0..1), [0..7, 8..16]);
        assert_eq!((lost.fault(), runs(&lost)), (Some((7, FaultKind::Truncated)), one(7..8)));
        assert_eq!(refresh(&lost, 7..8), one(7..8));
        assert_eq!((lost.fault(), runs(&lost)), (None, vec![]));
    }

    #[test]
    fn faults_are_taken_back_page_by_page() {
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
    fn what_cannot_be_restored_stays_lost() {
        let lost = touched(3 * PAGE, &[3, 5]);
        let error = lost.refresh(&(0..16), |_| Err(crate::Error::Closed));
        assert!(error.is_err());
        assert_eq!((lost.fault(), runs(&lost)), (Some((3, FaultKind::Truncated)), one(3..16)));
    }
}
