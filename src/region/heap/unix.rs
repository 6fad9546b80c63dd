//! Anonymous memory that takes no room until it is accessed. So a buffer may be longer than the machine's memory.

use std::ops::Range;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

#[derive(Debug)]
pub(super) struct Reserved {
    start: NonNull<u8>,
    len: usize,
}

/// From so many bytes on, one call costs less than a fault for each page.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MANY: usize = 16 << 10;

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

    /// Asks for the memory of a range that is about to be written, where the system has such a call.
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), expect(clippy::unused_self))]
    pub(super) fn commit(&self, range: &Range<usize>) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if range.len() >= MANY {
            let start = self.start.as_ptr().wrapping_add(range.start).cast();
            // SAFETY: the range lies in our own mapping, and no byte of it changes.
            let _ = unsafe { rustix::mm::madvise(start, range.len(), rustix::mm::Advice::LinuxPopulateWrite) };
        }
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
