//! Anonymous memory that takes no room until it is accessed. So a buffer may be longer than the machine's memory.

use std::ops::Range;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

#[derive(Debug)]
pub(super) struct Reserved {
    start: NonNull<u8>,
    len: usize,
}

impl Reserved {
    pub(super) fn new(len: usize) -> Option<Self> {
        // A mapping cannot be empty, so this maps a page that is never used.
        let len = len.max(1);
        let flags = MapFlags::PRIVATE;
        // Without this flag Linux counts all of it as used.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let flags = flags | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the system's choice disturbs nothing.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, flags) };
        Some(Self { start: NonNull::new(start.ok()?.cast())?, len })
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
        // SAFETY: our own mapping, and nothing borrows from a region that is dropped.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "a whole mapping can be unmapped");
    }
}
