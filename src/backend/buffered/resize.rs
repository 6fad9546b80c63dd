//! Changes the length of the mapping and of its storage.

use std::ops::Range;

use super::{Buffered, Changes, PAGE, memory};
use crate::error::Operation;
use crate::plan::Plan;
use crate::region::sealed::Memory as _;
use crate::span::Span;
use crate::storage::{Storage, read_full, with_length};
use crate::{Error, Result};

impl<S: Storage> Buffered<S> {
    /// Everything that can fail is done before the storage changes, and the storage changes before the mapping.
    pub(super) fn resize_to(&mut self, len: usize) -> Result<()> {
        let plan = Plan { span: Span::new(self.plan.span.offset(), len)?, ..self.plan.clone() };
        let pages = len.div_ceil(PAGE);
        let (mut region, loaded, guard) = memory(&plan)?;
        let tables = match &self.changes {
            Changes::Kept(copies) => Some(copies.prepare_resize(pages)?),
            _ => None,
        };

        self.unsynced.sort();
        let last = self.last_page(len)?;
        let kept = pages.min(self.page_count());
        for run in self.loaded.set().runs(0..kept) {
            let bytes = run.start * PAGE..run.end * PAGE;
            // SAFETY: these pages are loaded.
            unsafe { region.copy_from(&self.region, bytes) }?;
            loaded.insert(&run);
        }

        self.unsynced.has_new_len |= self.set_storage_len(plan.span)?;
        self.unsynced.remove(&(len..usize::MAX));

        self.plan = plan;
        self.region = region;
        self.loaded = loaded;
        // With a fault the call would have returned an error before. So no page is lost.
        self.guard = guard;
        // Pointers to the old memory are invalid now.
        self.tracks_all = false;
        if let (Changes::Kept(copies), Some(tables)) = (&mut self.changes, tables) {
            copies.resize(pages, tables);
        }
        self.apply_last_page(last);
        Ok(())
    }

    /// Sets the length of the storage to the end of the span, and returns whether that changed it. After an error the
    /// length is as before.
    fn set_storage_len(&self, span: Span) -> Result<bool> {
        let Some(storage) = &self.storage else { return Ok(false) };
        let size = storage.len().map_err(|e| Error::io(Operation::Metadata, span.offset(), span.len() as u64, e))?;
        let end = span.end();
        if end >= size {
            let from = (end > size).then_some(size);
            return with_length(storage, from, end, self.plan.allocate, || Ok(from.is_some()));
        }
        storage.set_len(end).map_err(|e| Error::io(Operation::Truncate, end, size - end, e))?;
        Ok(true)
    }

    /// What to do with the bytes between the mapping's end and the end of its last page, which were never visible.
    fn last_page(&self, new_len: usize) -> Result<LastPage> {
        let len = self.plan.span.len().min(new_len);
        let page = len / PAGE;
        let hidden = len..(page + 1) * PAGE;
        if len % PAGE == 0 || !self.loaded.contains(page) {
            return Ok(LastPage::Nothing);
        }
        let mut tail = [0; PAGE];
        if new_len > self.plan.span.len() {
            match (&self.changes, &self.storage) {
                // The page has no changes, so it is read again when it is accessed.
                (Changes::Kept(copies), _) if copies.get(page).is_none() && !self.unsynced.is_in_page(page) => {
                    return Ok(LastPage::Forget(page));
                }
                // The file may have bytes after the end of the mapping.
                (Changes::Kept(_), Some(storage)) => {
                    let shown = (hidden.end.min(new_len) - hidden.start).min(PAGE);
                    read_full(storage, &mut tail[..shown], self.plan.span.file_offset(hidden.start))?;
                }
                _ => {}
            }
        }
        Ok(LastPage::Fill { page, hidden, tail })
    }

    fn apply_last_page(&mut self, last: LastPage) {
        match last {
            LastPage::Nothing => {}
            LastPage::Forget(page) => self.loaded.remove(&(page..page + 1)),
            LastPage::Fill { page, hidden, tail } => {
                let tail = &tail[..hidden.len()];
                // SAFETY: the page is loaded.
                unsafe { self.region.slice_mut(hidden) }.copy_from_slice(tail);
                if let Changes::Kept(copies) = &mut self.changes {
                    if let Some(copy) = copies.get_mut(page) {
                        copy[PAGE - tail.len()..].copy_from_slice(tail);
                    }
                }
            }
        }
    }
}

/// See [`Buffered::last_page`].
#[expect(clippy::large_enum_variant, reason = "there is only one at a time, on the stack")]
enum LastPage {
    Nothing,
    Forget(usize),
    Fill { page: usize, hidden: Range<usize>, tail: [u8; PAGE] },
}
