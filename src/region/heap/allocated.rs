//! Memory of the allocator, where nothing else is to be had: WebAssembly, and Miri.

use std::alloc::{Layout, alloc, dealloc};
use std::ops::Range;
use std::ptr::NonNull;

use super::PAGE;

/// An allocation, aligned by hand inside one of alignment 8: allocators zero and move over-aligned blocks at a cost, and
/// the one of wasip1 grows without end when they come and go.
#[derive(Debug)]
pub(super) struct Reserved {
    start: NonNull<u8>,
    /// What the allocator gave, to be given back.
    allocation: NonNull<u8>,
    layout: Layout,
}

impl Reserved {
    const ALIGN: usize = 8;

    pub(super) fn new(len: usize) -> Option<Self> {
        let layout = Layout::from_size_align(len.checked_add(PAGE - Self::ALIGN)?, Self::ALIGN).ok()?;
        // SAFETY: the size is not 0: `PAGE - ALIGN` bytes come with every allocation.
        let allocation = NonNull::new(unsafe { alloc(layout) })?;
        let padding = allocation.addr().get().wrapping_neg() % PAGE;
        // SAFETY: the padding is below `PAGE`, and a multiple of `ALIGN` as the address is: within the extra bytes.
        let start = unsafe { allocation.add(padding) };
        Some(Self { start, allocation, layout })
    }

    #[inline]
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    #[expect(clippy::unused_self, reason = "Windows has something to do")]
    pub(super) fn commit(&self, _: &Range<usize>) -> bool {
        true
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        // SAFETY: allocated with this very layout, and nothing borrows from a region that is dropped.
        unsafe { dealloc(self.allocation.as_ptr(), self.layout) };
    }
}
