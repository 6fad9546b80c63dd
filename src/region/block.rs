//! A block of the allocator, aligned by hand.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;

/// A block that is aligned by hand inside an allocation of alignment 8. Allocators are slow when they zero and move
/// blocks of a larger alignment, and with such blocks the allocator of wasip1 grows without limit.
#[derive(Debug)]
pub(super) struct Block {
    start: NonNull<u8>,
    /// The allocation, which is freed when the block is dropped.
    allocation: NonNull<u8>,
    layout: Layout,
}

impl Block {
    const ALIGN: usize = 8;

    /// `len` uninitialised bytes that start at a multiple of `align`. `align` is a multiple of 8. Returns `None` if
    /// there is no memory.
    pub(super) fn new(len: usize, align: usize) -> Option<Self> {
        let layout = Layout::from_size_align(len.checked_add(align - Self::ALIGN)?, Self::ALIGN).ok()?;
        if layout.size() == 0 {
            return None;
        }
        // SAFETY: the size is not 0.
        let allocation = NonNull::new(unsafe { alloc(layout) })?;
        let padding = allocation.addr().get().wrapping_neg() % align;
        // SAFETY: the padding is below `align`, and a multiple of 8 as the address is: within the extra bytes.
        let start = unsafe { allocation.add(padding) };
        Some(Self { start, allocation, layout })
    }

    #[inline]
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and nothing borrows from a region that is dropped.
        unsafe { dealloc(self.allocation.as_ptr(), self.layout) };
    }
}
