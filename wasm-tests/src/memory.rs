//! Linear memory of guests: the limit of it, and how much of it was touched.
//!
//! wasmtime says where a module's memory is, and nothing of a component's. So on unix the sandbox makes the memories itself,
//! as wasmtime would: address space for all that a guest may ever have, of which the guest's part can be used.

use wasmtime::ResourceLimiter;

pub(crate) use imp::{configure, resident};

/// Counts a guest's linear memory, and refuses more than its limit. `StoreLimits` would limit each memory by itself, and
/// could not tell afterwards that it had refused anything.
pub(crate) struct Meter {
    limit: u64,
    held: u64,
    /// The most that it held.
    pub(crate) most: u64,
    /// The size that it wanted when it was last refused.
    pub(crate) refused: Option<u64>,
}

impl Meter {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, held: 0, most: 0, refused: None }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.held - current as u64 + desired as u64;
        if wanted > self.limit || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = Some(wanted);
            return Ok(false);
        }
        self.held = wanted;
        self.most = self.most.max(wanted);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // A table element takes a few words; no program needs a million functions.
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

    /// Has the sandbox make its memories here.
    pub(crate) fn configure(config: &mut Config) {
        config.with_host_memory(Arc::new(Creator));
    }

    /// How many bytes of this thread's guest are in the host's memory: a guest lives on a thread of its own. Nothing where
    /// its memory was not made here.
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
        /// All of it, with the guard behind.
        reserved: usize,
        capacity: usize,
        /// What the guest can use.
        size: AtomicUsize,
    }

    // SAFETY: the pointer is an address to this type, which never follows it; wasmtime decides who does.
    unsafe impl Send for Memory {}
    // SAFETY: as for `Send`.
    unsafe impl Sync for Memory {}

    impl Memory {
        fn new(capacity: usize, guard: usize) -> rustix::io::Result<Self> {
            let reserved = capacity + guard;
            // SAFETY: new addresses, chosen by the system.
            let start = unsafe { mmap_anonymous(null_mut(), reserved, ProtFlags::empty(), MapFlags::PRIVATE) }?;
            let memory = Self { start, reserved, capacity, size: AtomicUsize::new(0) };
            // A huge page would be counted whole where a guest has touched one byte of it. It is advice: where it fails
            // there are none.
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
            // SAFETY: nobody holds the memory any more. What fails leaves the addresses taken, which is all there is to it.
            let _ = unsafe { munmap(self.start, self.reserved) };
        }
    }

    struct Creator;

    // SAFETY: memories start as zeros, lie at one address with their capacity and the guard behind it, and nobody but
    // wasmtime follows their addresses.
    unsafe impl MemoryCreator for Creator {
        fn new_memory(
            &self,
            _: MemoryType,
            minimum: usize,
            _: Option<usize>,
            reserved: Option<usize>,
            guard: usize,
        ) -> Result<Box<dyn LinearMemory>, String> {
            let capacity = reserved.ok_or("a memory that may move is not for this sandbox")?;
            let memory = Memory::new(capacity.max(minimum), guard).and_then(|memory| {
                memory.grow(minimum)?;
                Ok(Arc::new(memory))
            });
            let memory = memory.map_err(|error| error.to_string())?;
            MEMORIES.with_borrow_mut(|memories| memories.push(Arc::downgrade(&memory)));
            Ok(Box::new(Linear(memory)))
        }
    }

    /// wasmtime's share in a memory.
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

/// Nothing can be told here; wasmtime makes its memories itself.
#[cfg(not(all(unix, target_pointer_width = "64")))]
mod imp {
    pub(crate) fn configure(_: &mut wasmtime::Config) {}

    pub(crate) fn resident() -> Option<u64> {
        None
    }
}
