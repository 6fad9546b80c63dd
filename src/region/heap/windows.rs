//! Reserves addresses when a buffer is made, and commits memory when its pages are loaded.

use std::ops::Range;
use std::ptr::{self, NonNull};

use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_READWRITE, VirtualAlloc, VirtualFree,
};

#[derive(Debug)]
pub(super) struct Reserved(NonNull<u8>);

impl Reserved {
    pub(super) fn new(len: usize) -> Option<Self> {
        // A reservation cannot be empty, so this reserves a page that is never used.
        // SAFETY: addresses of the system's choice disturb nothing.
        let start = unsafe { VirtualAlloc(ptr::null(), len.max(1), MEM_RESERVE, PAGE_READWRITE) };
        NonNull::new(start.cast()).map(Self)
    }

    #[inline]
    pub(super) fn start(&self) -> NonNull<u8> {
        self.0
    }

    /// Commits the memory of a range. Bytes that were committed before keep their values. Returns false if there is no
    /// memory.
    pub(super) fn commit(&self, range: &Range<usize>) -> bool {
        if range.is_empty() {
            return true;
        }
        let start = self.0.as_ptr().wrapping_add(range.start);
        // SAFETY: within our own reservation, as the region has checked.
        !unsafe { VirtualAlloc(start.cast(), range.len(), MEM_COMMIT, PAGE_READWRITE) }.is_null()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        // SAFETY: our own reservation, and nothing borrows from a region that is dropped.
        let freed = unsafe { VirtualFree(self.0.as_ptr().cast(), 0, MEM_RELEASE) };
        debug_assert!(freed != 0, "a whole reservation can be freed");
    }
}
