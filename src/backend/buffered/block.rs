//! The memory of a buffer: one page-aligned allocation, not initialised, held as a raw pointer.

use std::alloc::{Layout, alloc, dealloc};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::NonNull;

use super::PAGE;
use crate::{Error, Result};

/// Whole pages of memory that start as no bytes at all.
///
/// It is never a `Box` and never covered by one reference: while a shared slice of some pages is alive others are
/// written through the raw pointer, and a reference over all of them would forbid that (Stacked Borrows says so).
///
/// The block is aligned by hand inside an allocation of alignment 8: allocators zero and move over-aligned blocks at a
/// cost, and the one of wasip1 grows without end when they come and go.
#[derive(Debug)]
pub(super) struct Block {
    start: NonNull<u8>,
    /// What the allocator gave, to be given back.
    allocation: NonNull<u8>,
    layout: Layout,
    pages: usize,
}

// SAFETY: a block owns its memory, and all access to it goes through the functions below, whose callers say who else
// may touch the bytes meanwhile.
unsafe impl Send for Block {}
// SAFETY: as for `Send`.
unsafe impl Sync for Block {}

impl Block {
    const ALIGN: usize = 8;

    /// Room for `pages` pages.
    pub(super) fn new(pages: usize) -> Result<Self> {
        let no_memory = Error::NoMemory { len: (pages as u64).saturating_mul(PAGE as u64) };
        let bytes = pages.checked_mul(PAGE).and_then(|bytes| bytes.checked_add(PAGE - Self::ALIGN));
        let layout = bytes.and_then(|bytes| Layout::from_size_align(bytes, Self::ALIGN).ok());
        let Some(layout) = layout else { return Err(no_memory) };
        // SAFETY: the size is not 0: `PAGE - ALIGN` bytes come with every block.
        let Some(allocation) = NonNull::new(unsafe { alloc(layout) }) else { return Err(no_memory) };
        let padding = allocation.addr().get().wrapping_neg() % PAGE;
        // SAFETY: the padding is below `PAGE`, and a multiple of `ALIGN` as the address is: within the extra bytes.
        let start = unsafe { allocation.add(padding) };
        Ok(Self { start, allocation, layout, pages })
    }

    /// How many bytes there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.pages * PAGE
    }

    /// Where it starts: a pointer that no borrow of the block ends.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    #[inline]
    fn pointer(&self, range: &Range<usize>) -> *mut u8 {
        if range.start > range.end || range.end > self.len() {
            outside(range.clone(), self.len());
        }
        // SAFETY: just checked: within the allocation, or at its end.
        unsafe { self.start.add(range.start) }.as_ptr()
    }

    /// The bytes of a range.
    ///
    /// # Safety
    /// They are initialised, and nobody writes to them while the slice is alive.
    #[inline]
    pub(super) unsafe fn slice(&self, range: Range<usize>) -> &[u8] {
        let pointer = self.pointer(&range);
        // SAFETY: within the block; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts(pointer, range.len()) }
    }

    /// [`slice`](Self::slice), for who has looked at the range already.
    ///
    /// # Safety
    /// As for [`slice`](Self::slice); and the range lies in the block.
    #[inline]
    pub(super) unsafe fn slice_unchecked(&self, range: Range<usize>) -> &[u8] {
        // SAFETY: the caller vouches for the range.
        let pointer = unsafe { self.start.add(range.start) };
        // SAFETY: the caller vouches for the bytes.
        unsafe { std::slice::from_raw_parts(pointer.as_ptr(), range.len()) }
    }

    /// The bytes of a range, to be changed.
    ///
    /// # Safety
    /// They are initialised.
    #[inline]
    pub(super) unsafe fn slice_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        let pointer = self.pointer(&range);
        // SAFETY: within the block, which is borrowed mutably; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts_mut(pointer, range.len()) }
    }

    /// The byte at an index.
    ///
    /// # Safety
    /// It lies in the block, is initialised, and nobody writes to it.
    #[inline]
    pub(super) unsafe fn byte(&self, index: usize) -> u8 {
        // SAFETY: the caller vouches for the index.
        let place = unsafe { self.start.add(index) };
        // SAFETY: the caller vouches for the byte.
        unsafe { place.read() }
    }

    /// Changes the byte at an index.
    ///
    /// # Safety
    /// It lies in the block and is initialised.
    #[inline]
    pub(super) unsafe fn set_byte(&mut self, index: usize, byte: u8) {
        // SAFETY: the caller vouches for the index.
        let place = unsafe { self.start.add(index) };
        // SAFETY: the block is borrowed mutably.
        unsafe { place.write(byte) };
    }

    /// Copies the bytes of a range to `to`; they may overlap.
    ///
    /// # Safety
    /// The bytes of the range are initialised.
    pub(super) unsafe fn copy_within(&mut self, from: Range<usize>, to: usize) {
        let (source, target) = (self.pointer(&from), self.pointer(&(to..to + from.len())));
        // SAFETY: both lie within the block, which is borrowed mutably.
        unsafe { std::ptr::copy(source, target, from.len()) };
    }

    /// Copies the bytes of a range from another block, to the same place.
    ///
    /// # Safety
    /// They are initialised there, and nobody writes to them meanwhile.
    pub(super) unsafe fn copy_from(&mut self, other: &Self, range: Range<usize>) {
        let (source, target) = (other.pointer(&range), self.pointer(&range));
        // SAFETY: each range lies within its block, and a block that is borrowed mutably is not the other.
        unsafe { std::ptr::copy_nonoverlapping(source, target, range.len()) };
    }

    /// The memory of a range, to be initialised while other ranges are borrowed.
    ///
    /// # Safety
    /// Nobody else touches these bytes while the slice is alive.
    #[expect(clippy::mut_from_ref, reason = "pages are loaded under a shared borrow; the caller makes sure of whom")]
    pub(super) unsafe fn uninit(&self, range: Range<usize>) -> &mut [MaybeUninit<u8>] {
        let pointer = self.pointer(&range).cast();
        // SAFETY: within the block, and `MaybeUninit` needs no initialised bytes; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts_mut(pointer, range.len()) }
    }
}

/// Out of line, for `assert!` would write the range to memory before every access.
#[cold]
#[inline(never)]
fn outside(range: Range<usize>, len: usize) -> ! {
    panic!("{range:?} lies within {len} bytes");
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated with this very layout, and nothing borrows from a block that is dropped.
        unsafe { dealloc(self.allocation.as_ptr(), self.layout) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_aligned_and_holds_what_is_written() {
        for pages in 0..5 {
            let mut block = Block::new(pages).unwrap();
            assert_eq!(block.start.addr().get() % PAGE, 0);
            assert_eq!(block.len(), pages * PAGE);
            let all = 0..block.len();
            // SAFETY: nobody else knows this block.
            unsafe { block.uninit(all.clone()) }.fill(MaybeUninit::new(7));
            // SAFETY: just initialised.
            unsafe { block.slice_mut(all.clone()) }.iter_mut().for_each(|byte| *byte += 1);
            // SAFETY: initialised, and not written to here.
            assert!(unsafe { block.slice(all) }.iter().all(|&byte| byte == 8));
        }
    }

    #[test]
    fn too_large_is_an_error_and_not_an_abort() {
        for pages in [usize::MAX, usize::MAX / PAGE, isize::MAX as usize / PAGE + 1] {
            assert!(matches!(Block::new(pages), Err(Error::NoMemory { .. })));
        }
    }
}
