//! Reserves addresses when a buffer is made, and commits memory when its pages are loaded.

use std::ops::Range;
use std::ptr::{self, NonNull};

use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_READWRITE, VirtualAlloc, VirtualFree,
};

/// Memory is committed in multiples of this many bytes. With single pages, a buffer of which every other page is loaded
/// has very many small areas of committed memory. In Wine this fails at 65,530 areas, the limit of Linux.
const UNIT: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Reserved {
    start: NonNull<u8>,
    len: usize,
}

impl Reserved {
    pub(super) fn new(len: usize) -> Option<Self> {
        // A reservation cannot be empty, so this reserves a page that is never used.
        // SAFETY: addresses of the system's choice disturb nothing.
        let start = unsafe { VirtualAlloc(ptr::null(), len.max(1), MEM_RESERVE, PAGE_READWRITE) };
        NonNull::new(start.cast()).map(|start| Self { start, len })
    }

    #[inline]
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Commits the memory of a range. Bytes that were committed before keep their values. Returns false if there is no
    /// memory.
    pub(super) fn commit(&self, range: &Range<usize>) -> bool {
        if range.is_empty() {
            return true;
        }
        let first = range.start - range.start % UNIT;
        let end = range.end.checked_next_multiple_of(UNIT).map_or(self.len, |end| end.min(self.len));
        let start = self.start.as_ptr().wrapping_add(first);
        // SAFETY: within our own reservation, as the region has checked.
        !unsafe { VirtualAlloc(start.cast(), end - first, MEM_COMMIT, PAGE_READWRITE) }.is_null()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        // SAFETY: our own reservation, and nothing borrows from a region that is dropped.
        let freed = unsafe { VirtualFree(self.start.as_ptr().cast(), 0, MEM_RELEASE) };
        debug_assert!(freed != 0, "a whole reservation can be freed");
    }
}
