//! Linear memory of guests: its limit, and how much of it was accessed.
//!
//! wasmtime reports the address of a module's memory, but not of a component's. So on unix the sandbox allocates the
//! memories itself, in the same way as wasmtime: it reserves addresses for all memory that a guest can get, and makes
//! the guest's current part accessible.

use wasmtime::ResourceLimiter;

pub(crate) use imp::{configure, resident};

/// Counts a guest's linear memory, and lets it grow up to its limit. `StoreLimits` would limit each memory separately,
/// and could not report afterwards that a memory had reached the limit.
pub(crate) struct Meter {
    limit: u64,
    held: u64,
    /// The largest size that it had.
    pub(crate) most: u64,
    /// The size that was requested when growing last failed.
    pub(crate) over_limit: Option<u64>,
}

impl Meter {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, held: 0, most: 0, over_limit: None }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.held - current as u64 + desired as u64;
        if wanted > self.limit || maximum.is_some_and(|maximum| desired > maximum) {
            self.over_limit = Some(wanted);
            return Ok(false);
        }
        self.held = wanted;
        self.most = self.most.max(wanted);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // A table element takes a few words, and no program needs a million functions.
        Ok(desired <= 1 << 20 && maximum.is_none_or(|maximum| desired <= maximum))
    }
}

#[cfg(all(unix, target_pointer_width = "64"))]
mod imp {
    use std::cell::RefCell;
    use std::ffi::c_void;
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Weak};

    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
    use wasmtime::{Config, LinearMemory, MemoryCreator, MemoryType};

    thread_local! {
        /// The memories that were made on this thread.
        static MEMORIES: RefCell<Vec<Weak<Memory>>> = const { RefCell::new(Vec::new()) };
    }

    /// Configures an engine so that its memories are allocated here.
    pub(crate) fn configure(config: &mut Config) {
        config.with_host_memory(Arc::new(Creator));
    }

    /// How many bytes of the memory of this thread's guest are resident. Each guest runs on a thread of its own. `None`
    /// if its memory was not allocated here.
    pub(crate) fn resident() -> Option<u64> {
        MEMORIES.with_borrow(|memories| {
            let mut memories = memories.iter().filter_map(Weak::upgrade).peekable();
            memories.peek()?;
            memories.map(|memory| memory.resident()).sum()
        })
    }

    /// A range of addresses.
    #[derive(Debug)]
    struct Memory {
        start: *mut c_void,
        /// The reserved size, including the guard at the end.
        reserved: usize,
        capacity: usize,
        /// The size that the guest can access.
        size: AtomicUsize,
    }

    // SAFETY: this type uses the pointer only as an address. Only wasmtime dereferences it.
    unsafe impl Send for Memory {}
    // SAFETY: as for `Send`.
    unsafe impl Sync for Memory {}

    impl Memory {
        fn new(capacity: usize, guard: usize) -> rustix::io::Result<Self> {
            let reserved = capacity + guard;
            // SAFETY: new addresses, chosen by the system.
            let start = unsafe { mmap_anonymous(null_mut(), reserved, ProtFlags::empty(), MapFlags::PRIVATE) }?;
            let memory = Self { start, reserved, capacity, size: AtomicUsize::new(0) };
            // A huge page would count as resident as a whole after the guest has accessed one byte of it. This is
            // advice: if it fails, the system has no huge pages.
            #[cfg(target_os = "linux")]
            // SAFETY: the range is this memory's own, and the advice changes no byte.
            let _ = unsafe { rustix::mm::madvise(start, reserved, rustix::mm::Advice::LinuxNoHugepage) };
            Ok(memory)
        }

        fn grow(&self, size: usize) -> rustix::io::Result<()> {
            if size > self.capacity {
                return Err(rustix::io::Errno::NOMEM);
            }
            // SAFETY: the range is this memory's own, and is not made smaller: `size` only grows.
            unsafe { mprotect(self.start, size, MprotectFlags::READ | MprotectFlags::WRITE) }?;
            self.size.store(size, Ordering::Relaxed);
            Ok(())
        }

        fn resident(&self) -> Option<u64> {
            let (page, size) = (rustix::param::page_size(), self.size.load(Ordering::Relaxed));
            let mut pages = vec![0_u8; size.div_ceil(page)];
            // SAFETY: the range is mapped, and there is a byte for each of its pages.
            let answer = unsafe { libc::mincore(self.start, size, pages.as_mut_ptr().cast()) };
            let resident = pages.iter().filter(|&&flags| flags & 1 != 0).count();
            (answer == 0).then(|| (resident * page) as u64)
        }
    }

    impl Drop for Memory {
        fn drop(&mut self) {
            // SAFETY: the memory is not used any more. If the call fails, the addresses stay reserved, without other
            // effects.
            let _ = unsafe { munmap(self.start, self.reserved) };
        }
    }

    struct Creator;

    // SAFETY: memories start as zeros, lie at a fixed address with their capacity and the guard behind it, and only
    // wasmtime dereferences their addresses.
    unsafe impl MemoryCreator for Creator {
        fn new_memory(
            &self,
            _: MemoryType,
            minimum: usize,
            _: Option<usize>,
            reserved: Option<usize>,
            guard: usize,
        ) -> Result<Box<dyn LinearMemory>, String> {
            let capacity = reserved.ok_or("this sandbox has no memories that may move")?;
            let memory = Memory::new(capacity.max(minimum), guard).and_then(|memory| {
                memory.grow(minimum)?;
                Ok(Arc::new(memory))
            });
            let memory = memory.map_err(|error| error.to_string())?;
            MEMORIES.with_borrow_mut(|memories| memories.push(Arc::downgrade(&memory)));
            Ok(Box::new(Linear(memory)))
        }
    }

    /// The reference to a memory that wasmtime owns.
    struct Linear(Arc<Memory>);

    // SAFETY: as for the creator.
    unsafe impl LinearMemory for Linear {
        fn byte_size(&self) -> usize {
            self.0.size.load(Ordering::Relaxed)
        }

        fn byte_capacity(&self) -> usize {
            self.0.capacity
        }

        fn grow_to(&mut self, size: usize) -> wasmtime::Result<()> {
            Ok(self.0.grow(size)?)
        }

        fn as_ptr(&self) -> *mut u8 {
            self.0.start.cast()
        }
    }
}

/// On other systems resident memory is unknown, and wasmtime allocates its memories itself.
#[cfg(not(all(unix, target_pointer_width = "64")))]
mod imp {
    pub(crate) fn configure(_: &mut wasmtime::Config) {}

    pub(crate) fn resident() -> Option<u64> {
        None
    }
}
