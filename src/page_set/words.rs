//! Words of zeros that take up no memory before they are touched, where there are many of them.

use std::ops::Deref;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::{Error, Result};

// Where they come from. Neither Miri nor loom knows the calls of a system, and loom's words are not plain memory.
cfg_if::cfg_if! {
    if #[cfg(all(unix, not(any(miri, all(loom, test)))))] {
        use mapped::Memory;
    } else {
        use allocated::Memory;
    }
}

/// Words of zeros.
#[derive(Debug, Default)]
pub(super) struct Words(Memory);

impl Words {
    /// So many of them.
    ///
    /// # Errors
    /// [`Error::NoMemory`].
    pub(super) fn zeros(len: usize) -> Result<Self> {
        let no_memory = || Error::no_memory((len as u64).saturating_mul(size_of::<AtomicU64>() as u64));
        Memory::zeros(len).map(Self).ok_or_else(no_memory)
    }

    /// Becomes shorter, or longer by zeros.
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

/// Few words are the allocator's. Many are the system's, which gives memory for those that are touched: a guard over a large
/// mapping has bits for each of its pages, and most guards never meet a fault.
#[cfg(all(unix, not(any(miri, all(loom, test)))))]
mod mapped {
    use std::ptr::{self, NonNull};
    use std::slice;

    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

    use super::AtomicU64;

    /// From so many bytes on they are the system's.
    const MANY: usize = 16 << 10;

    /// Where they are, whosever they are: a look at one asks nothing.
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

    /// Whether so many bytes are the system's.
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
            // SAFETY: of a box, or mapped: aligned, and all zeros are valid atomics.
            unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
        }
    }

    impl Drop for Memory {
        fn drop(&mut self) {
            let bytes = self.len * size_of::<AtomicU64>();
            if are_many(bytes) {
                // SAFETY: the whole of what was mapped, which nobody borrows any more.
                let unmapped = unsafe { munmap(self.start.as_ptr().cast(), bytes) };
                debug_assert!(unmapped.is_ok(), "a whole mapping can be unmapped");
            } else {
                let words = ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.len);
                // SAFETY: leaked of a box of this length; one without words is nowhere.
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
