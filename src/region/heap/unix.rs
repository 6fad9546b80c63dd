//! Anonymous memory that is not committed until it is accessed, so a buffer may be longer than the machine's memory.
//! The memory of a short buffer is a block of the allocator.

use std::ops::Range;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use super::PAGE;
use crate::region::block::Block;

#[derive(Debug)]
pub(super) struct Reserved {
    start: NonNull<u8>,
    len: usize,
    /// The block of the allocator, if the memory is short.
    block: Option<Block>,
}

/// Up to this many bytes come from the allocator. It reuses memory, and new memory costs a page fault for each page.
/// With it a program that maps many short files reads them in a fifth of the time.
const SHORT: usize = 1 << 20;

/// From this many bytes on, one call costs less than a fault for each page.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MANY: usize = 16 << 10;

impl Reserved {
    pub(super) fn new(len: usize) -> Option<Self> {
        // An allocation or a mapping cannot be empty, so an empty one has a byte that is never used.
        let len = len.max(1);
        if len <= SHORT {
            let block = Block::new(len, PAGE)?;
            return Some(Self { start: block.start(), len, block: Some(block) });
        }
        let flags = MapFlags::PRIVATE;
        // Without this flag Linux counts all of it as used.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let flags = flags | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the system's choice disturbs nothing.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, flags) };
        Some(Self { start: NonNull::new(start.ok()?.cast())?, len, block: None })
    }

    #[inline]
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Commits the memory of a range that is about to be written, if that saves page faults.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn commit(&self, range: &Range<usize>) -> bool {
        if range.len() >= MANY && self.block.is_none() {
            let start = self.start.as_ptr().wrapping_add(range.start).cast();
            // SAFETY: the range lies in our own mapping, and no byte of it changes.
            let _ = unsafe { rustix::mm::madvise(start, range.len(), rustix::mm::Advice::LinuxPopulateWrite) };
        }
        true
    }

    /// Other systems have no such call.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    #[expect(clippy::unused_self, reason = "others have something to do")]
    pub(super) fn commit(&self, _: &Range<usize>) -> bool {
        true
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.block.is_some() {
            // The block frees its memory itself.
            return;
        }
        // SAFETY: our own mapping, and nothing borrows from a region that is dropped.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "a whole mapping can be unmapped");
    }
}
