//! Seeing what others wrote: clean pages are forgotten, own changes are laid over what the storage holds now.

use std::ops::Range;

use super::{Buffered, Changes, PAGE};
use crate::Result;
use crate::region::sealed::Memory as _;
use crate::storage::{Storage, read_full};

impl<S: Storage> Buffered<S> {
    pub(super) fn refresh_pages(&mut self, pages: Range<usize>) -> Result<()> {
        if let (Changes::Kept(copies), Some(storage)) = (&mut self.changes, &self.storage) {
            let mut rest = pages.clone();
            while let Some(page) = copies.first_page(rest) {
                rest = page + 1..pages.end;
                let start = page * PAGE;
                let end = self.plan.span.len().min(start + PAGE);
                let mut fresh = [0; PAGE];
                let fresh = &mut fresh[..end - start];
                let read = read_full(storage, fresh, self.plan.span.file_offset(start))?;
                // SAFETY: a page with a copy is loaded.
                let own = unsafe { self.region.slice_mut(start..end) };
                let copy = copies.get_mut(page).unwrap_or_default();
                if own == &copy[..end - start] {
                    // Borrowed and not changed: it is read again, or is gone, like any other.
                    copies.drop_page(page);
                } else if read > 0 {
                    // Behind the end that divides a page there are zeros.
                    lay_over(own, copy, fresh);
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

/// Lays the bytes of a page that differ from its copy over what the storage holds now.
fn lay_over(own: &mut [u8], copy: &mut [u8], fresh: &[u8]) {
    for ((own, copy), &fresh) in own.iter_mut().zip(copy).zip(fresh) {
        if *own == *copy {
            *own = fresh;
        }
        *copy = fresh;
    }
}
