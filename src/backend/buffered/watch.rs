//! Bytes that are reached through a pointer: see [`raw`](crate::raw).

use std::ptr::NonNull;

use super::Buffered;
use super::load::Face;
use crate::Result;
use crate::region::sealed::Memory as _;
use crate::storage::Storage;

impl<S: Storage> Buffered<S> {
    /// The address of the first byte, once all are loaded.
    pub(crate) fn start(&self) -> Result<NonNull<u8>> {
        self.load(&(0..self.plan.span.len()), Face::Calls)?;
        Ok(self.region.start())
    }

    /// Counts every byte that differs from its copy as changed from now on, whoever wrote it. No slice is made of the
    /// bytes: others may be alive.
    pub(crate) fn watch(&mut self) -> Result<()> {
        let all = 0..self.plan.span.len();
        self.load(&all, Face::Calls)?;
        self.expect_changes(&all)?;
        self.watched = true;
        Ok(())
    }
}
