//! Memory of the allocator, for targets without another source of memory: WebAssembly, and Miri.

use std::ops::Range;
use std::ptr::NonNull;

use super::PAGE;
use crate::region::block::Block;

#[derive(Debug)]
pub(super) struct Reserved(Block);

impl Reserved {
    pub(super) fn new(len: usize) -> Option<Self> {
        Block::new(len, PAGE).map(Self)
    }

    #[inline]
    pub(super) fn start(&self) -> NonNull<u8> {
        self.0.start()
    }

    #[expect(clippy::unused_self, reason = "Windows has something to do")]
    pub(super) fn commit(&self, _: &Range<usize>) -> bool {
        true
    }
}
