//! Seeing what others wrote: clean pages are forgotten, own changes are laid over what the storage holds now.

use std::ops::Range;

use super::copies::Copies;
use super::unsynced::Unsynced;
use super::{Buffered, Changes, PAGE};
use crate::Result;
use crate::region::sealed::Memory as _;
use crate::storage::{Storage, read_full};

impl<S: Storage> Buffered<S> {
    pub(super) fn refresh_pages(&mut self, pages: Range<usize>) -> Result<()> {
        let unsynced = &mut self.unsynced;
        unsynced.sort();
        if let (Changes::Kept(copies), Some(storage)) = (&mut self.changes, &self.storage) {
            if !unsynced.has_no_runs() {
                unsynced.make_room()?;
            }
            let mut rest = pages.clone();
            while let Some(page) = first_page(copies, unsynced, &rest) {
                rest.start = page + 1;
                let start = page * PAGE;
                let end = self.plan.span.len().min(start + PAGE);
                let mut fresh = [0; PAGE];
                let fresh = &mut fresh[..end - start];
                let read = read_full(storage, fresh, self.plan.span.file_offset(start))?;
                // SAFETY: a page with a copy, or with bytes to be synced, is loaded.
                let own = unsafe { self.region.slice_mut(start..end) };
                let copy = copies.get_mut(page);
                let is_changed = copy.as_ref().is_some_and(|copy| own != &copy[..end - start]);
                let is_suspect = unsynced.has_failed && unsynced.is_in_page(page);
                if !is_changed && !is_suspect {
                    // It is read again, or is gone, like any other; but what has to be synced stays within reach.
                    copies.drop_page(page);
                    unsynced.remove(&(start + read..start + PAGE));
                    if unsynced.is_in_page(page) {
                        own.copy_from_slice(fresh);
                    }
                } else if read > 0 {
                    // Behind the end that divides a page there are zeros.
                    renew_page(own, copy, fresh, start, unsynced);
                }
                // A changed page that the storage no longer has stays as it is, and the next flush says so.
            }
        }
        self.forget_clean(pages.clone());
        if let Some(guard) = &mut self.guard {
            // No page of these has changes: what is stored in a lost page is none.
            guard.refresh(&pages, |run| self.loaded.remove(&run))?;
        }
        Ok(())
    }
}

/// The first page of a range that has a copy, or bytes to be synced.
fn first_page(copies: &Copies, unsynced: &Unsynced, pages: &Range<usize>) -> Option<usize> {
    let written = unsynced.first_in(&(pages.start * PAGE..pages.end * PAGE)).map(|run| run.start / PAGE);
    copies.first_page(pages.clone()).into_iter().chain(written).min()
}

/// Lays what the storage holds now over the page that starts at byte `start` of the mapping, and leaves own changes as they
/// are. The unsynced runs are in order.
pub(super) fn renew_page(own: &mut [u8], copy: Option<&mut [u8]>, fresh: &[u8], start: usize, unsynced: &Unsynced) {
    let mut before = [0; PAGE];
    let before = &mut before[..own.len()];
    before.copy_from_slice(copy.as_deref().map_or(&*own, |copy| &copy[..own.len()]));
    let end = start + own.len();
    let mut suspect = unsynced.first_in(&(start..end)).filter(|_| unsynced.has_failed);
    while let Some(run) = suspect {
        // After a failed sync the storage may not hold what was written: that stays like a change.
        (run.start - start..run.end - start).for_each(|at| before[at] = !own[at]);
        suspect = unsynced.first_in(&(run.end..end));
    }
    lay_over(own, before, fresh);
    if let Some(copy) = copy {
        copy[..fresh.len()].copy_from_slice(fresh);
    }
}

/// Lays what the storage holds now over the bytes of a page that are as they were before.
fn lay_over(own: &mut [u8], before: &[u8], fresh: &[u8]) {
    for ((own, &before), &fresh) in own.iter_mut().zip(before).zip(fresh) {
        if *own == before {
            *own = fresh;
        }
    }
}
