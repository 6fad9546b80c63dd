//! Bytes that are reached through a pointer: see [`raw`](crate::raw).

use std::ptr::NonNull;

use super::{Buffered, Changes, PAGE};
use crate::backend::{Face, Storage};
use crate::{Error, Result};

impl<S: Storage> Buffered<S> {
    /// The address of the first byte, once all are loaded.
    pub(crate) fn start(&self) -> Result<NonNull<u8>> {
        self.load(&(0..self.span.len()), Face::Calls)?;
        Ok(self.block.start())
    }

    /// Counts every byte that differs from its copy as changed from now on, whoever wrote it. No slice is made of the
    /// bytes: others may be alive.
    pub(crate) fn watch(&mut self) -> Result<()> {
        self.load(&(0..self.span.len()), Face::Calls)?;
        let count = self.page_count();
        match &mut self.changes {
            Changes::ReadOnly => return Err(Error::ReadOnly),
            Changes::Anonymous => {}
            Changes::Private(own) => own.insert(&(0..count), count)?,
            Changes::WrittenBack(copies) => {
                for page in 0..count {
                    // SAFETY: just loaded, and nobody writes through the pointer while the buffer is borrowed mutably.
                    copies.keep(page, count, unsafe { self.block.slice(page * PAGE..(page + 1) * PAGE) })?;
                }
            }
        }
        self.watched = true;
        Ok(())
    }
}
