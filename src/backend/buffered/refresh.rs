//! Makes changes of others visible: unloads clean pages, and applies the mapping's own changes to the current bytes of
//! the storage.

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
                    // The page has no changes, so it is unloaded like any other and read again. If it has bytes to be
                    // synced, it stays loaded with the storage's current bytes.
                    copies.drop_page(page);
                    unsynced.remove(&(start + read..start + PAGE));
                    if unsynced.is_in_page(page) {
                        own.copy_from_slice(fresh);
                    }
                } else if read > 0 {
                    // If the storage ends within the page, the rest of the page is zeros.
                    renew_page(own, copy, fresh, start, unsynced);
                }
                // A changed page that the storage no longer has stays as it is, and the next flush returns an error.
            }
        }
        self.forget_clean(pages.clone());
        if let Some(guard) = &mut self.guard {
            // None of these pages has changes, because bytes that are stored in a lost page do not count as changes.
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

/// Copies the storage's current bytes into the page that starts at byte `start` of the mapping, and keeps the mapping's
/// own changes. The unsynced runs are sorted.
pub(super) fn renew_page(own: &mut [u8], copy: Option<&mut [u8]>, fresh: &[u8], start: usize, unsynced: &Unsynced) {
    let mut before = [0; PAGE];
    let before = &mut before[..own.len()];
    before.copy_from_slice(copy.as_deref().map_or(&*own, |copy| &copy[..own.len()]));
    let end = start + own.len();
    let mut suspect = unsynced.first_in(&(start..end)).filter(|_| unsynced.has_failed);
    while let Some(run) = suspect {
        // After a failed sync the storage may have lost these bytes, so they are kept like changes.
        (run.start - start..run.end - start).for_each(|at| before[at] = !own[at]);
        suspect = unsynced.first_in(&(run.end..end));
    }
    copy_unchanged_bytes(own, before, fresh);
    if let Some(copy) = copy {
        copy[..fresh.len()].copy_from_slice(fresh);
    }
}

/// Copies the storage's current bytes over the bytes of a page that are equal to the bytes before.
fn copy_unchanged_bytes(own: &mut [u8], before: &[u8], fresh: &[u8]) {
    for ((own, &before), &fresh) in own.iter_mut().zip(before).zip(fresh) {
        if *own == before {
            *own = fresh;
        }
    }
}
