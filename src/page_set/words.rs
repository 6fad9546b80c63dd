//! Words that start as zeros. Where the system supports it, a large number of words takes no memory before they are
//! touched.

use std::ops::Deref;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::{Error, Result};

// Where the memory comes from. Miri and loom do not support the system's calls, and loom's atomics are not plain
// memory.
cfg_if::cfg_if! {
    if #[cfg(all(unix, not(any(miri, all(loom, test)))))] {
        use mapped::Memory;
    } else {
        use allocated::Memory;
    }
}

/// Atomic words, zeros at first.
#[derive(Debug, Default)]
pub(super) struct Words(Memory);

impl Words {
    /// Allocates `len` words.
    ///
    /// # Errors
    /// [`Error::NoMemory`].
    pub(super) fn zeros(len: usize) -> Result<Self> {
        let no_memory = || Error::no_memory((len as u64).saturating_mul(size_of::<AtomicU64>() as u64));
        Memory::zeros(len).map(Self).ok_or_else(no_memory)
    }

    /// Changes the number of words. New words are zeros.
    ///
    /// # Errors
    /// [`Error::NoMemory`]; the words are as before.
    pub(super) fn resize(&mut self, len: usize) -> Result<()> {
        if len != self.len() {
            let new = Self::zeros(len)?;
            for (new, old) in new.iter().zip(self.iter()) {
                new.store(old.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            *self = new;
        }
        Ok(())
    }
}

impl Deref for Words {
    type Target = [AtomicU64];

    #[inline]
    fn deref(&self) -> &[AtomicU64] {
        self.0.words()
    }
}

/// A few words are memory of the allocator. Many words are a mapping of the system, which takes memory only for words
/// that are touched: a guard of a large mapping has bits for each of its pages, and most guards never note a fault.
#[cfg(all(unix, not(any(miri, all(loom, test)))))]
mod mapped {
    use std::ptr::{self, NonNull};
    use std::slice;

    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

    use super::AtomicU64;

    /// From this many bytes on, the words are a mapping of the system.
    const MANY: usize = 16 << 10;

    /// The address and the number of the words. Both kinds of memory use the same fields, so an access needs no branch.
    #[derive(Debug)]
    pub(super) struct Memory {
        start: NonNull<AtomicU64>,
        len: usize,
    }

    // SAFETY: it owns its memory, which holds atomics.
    unsafe impl Send for Memory {}
    // SAFETY: as for `Send`.
    unsafe impl Sync for Memory {}

    impl Default for Memory {
        fn default() -> Self {
            Self { start: NonNull::dangling(), len: 0 }
        }
    }

    /// Whether this many bytes are a mapping of the system.
    fn are_many(bytes: usize) -> bool {
        bytes >= MANY
    }

    impl Memory {
        pub(super) fn zeros(len: usize) -> Option<Self> {
            let bytes = len.checked_mul(size_of::<AtomicU64>())?;
            if !are_many(bytes) {
                let words: Vec<AtomicU64> = super::super::try_vec(len).ok()?;
                return Some(Self { start: NonNull::from(Box::leak(words.into_boxed_slice())).cast(), len });
            }
            // SAFETY: new memory, at an address of the system's choice.
            let start = unsafe {
                mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
            };
            Some(Self { start: NonNull::new(start.ok()?.cast())?, len })
        }

        #[inline]
        pub(super) fn words(&self) -> &[AtomicU64] {
            // SAFETY: the words come from a box or a mapping, so they are aligned and initialised.
            unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
        }
    }

    impl Drop for Memory {
        fn drop(&mut self) {
            let bytes = self.len * size_of::<AtomicU64>();
            if are_many(bytes) {
                // SAFETY: our own mapping, and nobody borrows the words any more.
                let unmapped = unsafe { munmap(self.start.as_ptr().cast(), bytes) };
                debug_assert!(unmapped.is_ok(), "a whole mapping can be unmapped");
            } else {
                let words = ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.len);
                // SAFETY: leaked from a box of this length. A box without words has no allocation.
                drop(unsafe { Box::from_raw(words) });
            }
        }
    }
}

#[cfg(any(not(unix), miri, all(loom, test)))]
mod allocated {
    use super::AtomicU64;

    #[derive(Debug, Default)]
    pub(super) struct Memory(Vec<AtomicU64>);

    impl Memory {
        pub(super) fn zeros(len: usize) -> Option<Self> {
            super::super::try_vec(len).ok().map(Self)
        }

        #[inline]
        pub(super) fn words(&self) -> &[AtomicU64] {
            &self.0
        }
    }
}
