//! Buffers whose bytes are accessed through a pointer: see [`raw`](crate::raw).

use std::ops::Range;
use std::ptr::NonNull;

use super::load::Caller;
use super::refresh::renew_page;
use super::{Buffered, Changes, PAGE};
use crate::Result;
use crate::region::sealed::Memory as _;
use crate::runs::runs;
use crate::span;
use crate::storage::{Storage, read_full};

impl<S: Storage> Buffered<S> {
    /// The address of the first byte, once all are loaded.
    pub(crate) fn start(&self) -> Result<NonNull<u8>> {
        self.load(&(0..self.plan.span.len()), Caller::Fallible)?;
        Ok(self.region.start())
    }

    /// Keeps a copy of every page from now on, so that every byte that differs from its copy counts as changed, whoever
    /// wrote it. Makes no slice of the bytes, because other slices of them may be alive.
    pub(crate) fn track_all(&mut self) -> Result<()> {
        let all = 0..self.plan.span.len();
        self.load(&all, Caller::Fallible)?;
        self.expect_changes(&all)?;
        self.tracks_all = true;
        Ok(())
    }

    /// Copies what the storage holds now into the pages of a range, and keeps the buffer's own changes. For a buffer
    /// that tracks all pages. Pages past the end of the storage stay as they are. Every page stays loaded, even if a
    /// read fails.
    pub(crate) fn refresh_tracked(&mut self, range: &Range<usize>) -> Result<()> {
        let (Changes::Kept(copies), Some(storage)) = (&mut self.changes, &self.storage) else { return Ok(()) };
        self.unsynced.sort();
        for page in span::pages(range, PAGE) {
            let Some(copy) = copies.get_mut(page) else { continue };
            let start = page * PAGE;
            let end = self.plan.span.len().min(start + PAGE);
            let mut fresh = [0; PAGE];
            let fresh = &mut fresh[..end - start];
            if read_full(storage, fresh, self.plan.span.file_offset(start))? > 0 {
                // SAFETY: a page with a copy is loaded, and the holder of the pointer does not use it during a refresh.
                let own = unsafe { self.region.slice_mut(start..end) };
                renew_page(own, Some(copy), fresh, start, &self.unsynced);
            }
        }
        Ok(())
    }

    /// The first byte in the pages of a range that was changed here, and that somebody else has changed in the storage
    /// since it was read. A byte that both changed to the same value does not count.
    pub(crate) fn first_conflict(&mut self, range: &Range<usize>) -> Result<Option<usize>> {
        if !self.plan.reaches_file() {
            return Ok(None);
        }
        let (Changes::Kept(copies), Some(storage)) = (&self.changes, &self.storage) else { return Ok(None) };
        for page in copies.pages(span::pages(range, PAGE)) {
            let start = page * PAGE;
            // SAFETY: a page with a copy is loaded, and the holder of the pointer does not write at the same time.
            let own = unsafe { self.region.slice(start..start + PAGE) };
            let copy = copies.get(page).unwrap_or_default();
            if runs(own, copy).next().is_none() {
                continue;
            }
            let mut now = [0; PAGE];
            let read = read_full(storage, &mut now, self.plan.span.file_offset(start))?;
            let is_overwritten = |at: &usize| now[*at] != copy[*at] && now[*at] != own[*at];
            if let Some(at) = runs(own, copy).flatten().take_while(|at| *at < read).find(is_overwritten) {
                return Ok(Some(start + at));
            }
        }
        Ok(None)
    }
}
