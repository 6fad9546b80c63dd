//! Maps files over existing memory, on unix.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use portable_mmap::host::{self, Guard, Traps, errno};
use portable_mmap::{Error, FaultKind};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MsyncFlags, ProtFlags, mmap, mmap_anonymous, msync, munmap};

use crate::Access;

// Only Linux limits the areas of memory that a process may have.
cfg_if::cfg_if! {
    if #[cfg(any(target_os = "linux", target_os = "android"))] {
        #[path = "areas.rs"]
        mod areas;
        use areas::{released as areas_released, take as areas_left};
    } else {
        fn areas_left() -> bool {
            true
        }

        fn areas_released() {}
    }
}

pub(crate) fn page_size() -> usize {
    rustix::param::page_size()
}

/// A mapping that needs no memory until it is written to.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NORESERVE: MapFlags = MapFlags::NORESERVE;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const NORESERVE: MapFlags = MapFlags::empty();

const PROT: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

fn flags_of(access: Access) -> MapFlags {
    match access {
        Access::Shared => MapFlags::SHARED,
        Access::Private => MapFlags::PRIVATE | NORESERVE,
    }
}

/// A file that is mapped over whole pages of a guest's memory. The pages are readable and writable, so that a store of
/// a host function or of `memory.fill` never hits a protected page, which would end the host.
///
/// Dropping it leaves the file mapped. The owner calls [`restore_plain_memory`](Self::restore_plain_memory), or
/// [`forget`](Self::forget) if the memory is released already.
#[derive(Debug)]
pub(crate) struct Placed {
    start: usize,
    len: usize,
    access: Access,
    guard: Guard,
    file: Arc<File>,
    /// The position in the file where the mapping starts.
    offset: u64,
}

impl Placed {
    /// Maps a file somewhere else for a moment, so that a mapping that the system does not allow replaces nothing:
    /// before Linux 6.12, a [`map`](Self::map) that fails unmaps the memory that it should have replaced.
    ///
    /// # Errors
    /// An errno.
    pub(crate) fn check_mappable(file: &File, offset: u64, len: usize, access: Access) -> Result<(), i32> {
        if has_huge_pages(file) {
            return Err(errno::NOTSUP);
        }
        if !areas_left() {
            return Err(errno::NOMEM);
        }
        // SAFETY: a new mapping, which nothing uses.
        let trial = unsafe { mmap(ptr::null_mut(), len, PROT, flags_of(access), file, offset) }.map_err(number)?;
        // SAFETY: as above.
        unsafe { munmap(trial, len) }.map_err(number)
    }

    /// Maps a file over the `len` bytes at `start`. [`check_mappable`](Self::check_mappable) has succeeded for it.
    ///
    /// # Safety
    /// The bytes are whole pages of memory that the caller may replace, until
    /// [`restore_plain_memory`](Self::restore_plain_memory) was called for them; and the contract of
    /// [`attach`](crate::attach) for the file holds.
    ///
    /// # Errors
    /// An errno. The bytes at `start` are then zeros.
    pub(crate) unsafe fn map(
        file: Arc<File>,
        offset: u64,
        start: *mut u8,
        len: usize,
        access: Access,
        traps: Option<Traps>,
    ) -> Result<Self, i32> {
        let flags = flags_of(access) | MapFlags::FIXED;
        // SAFETY: the caller guarantees that these pages may be replaced.
        let mapped = unsafe { mmap(start.cast(), len, PROT, flags, &*file, offset) };
        if let Err(error) = mapped {
            put_plain_memory(start.expose_provenance(), len);
            return Err(number(error));
        }
        // SAFETY: the pages were just mapped so, and a guard may put zeros in a guest's memory.
        let guard = unsafe { Guard::watch(start, len, file.clone(), offset, access == Access::Shared, traps) };
        match guard {
            Ok(guard) => Ok(Self { start: start.expose_provenance(), len, access, guard, file, offset }),
            Err(error) => {
                put_plain_memory(start.expose_provenance(), len);
                Err(number_of(&error))
            }
        }
    }

    /// The length in bytes, which is whole pages.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Its addresses.
    pub(crate) fn range(&self) -> Range<usize> {
        self.start..self.start + self.len
    }

    /// Replaces the mapping with plain memory.
    pub(crate) fn restore_plain_memory(self) {
        put_plain_memory(self.start, self.len);
    }

    /// Does not change the memory, which does not belong to the store any more.
    pub(crate) fn forget(self) {
        drop(self);
    }

    /// Joins two private mappings to one, if the second continues the first in memory and in the file. Otherwise
    /// returns both.
    pub(crate) fn joined(first: Self, second: Self) -> (Self, Option<Self>) {
        let is_private = first.access == Access::Private && second.access == Access::Private;
        let ends = (first.start + first.len, first.offset + first.len as u64);
        if !is_private || ends != (second.start, second.offset) || !Arc::ptr_eq(&first.file, &second.file) {
            return (first, Some(second));
        }
        let Self { start, len, guard, file, offset, .. } = first;
        // No page may have two guards.
        drop(guard);
        let len = len + second.len;
        drop(second);
        (Self::watched(start, len, file, offset), None)
    }

    /// Gives up the pages of a private mapping at these addresses, for a caller who replaces them at once. Returns the
    /// parts of the mapping before and behind them.
    pub(crate) fn without(self, range: &Range<usize>) -> [Option<Self>; 2] {
        let Self { start, len, guard, file, offset, .. } = self;
        drop(guard);
        let part = |part: Range<usize>| {
            let skipped = (part.start - start) as u64;
            (!part.is_empty()).then(|| Self::watched(part.start, part.len(), file.clone(), offset + skipped))
        };
        let end = start + len;
        [part(start..range.start.clamp(start, end)), part(range.end.clamp(start, end)..end)]
    }

    /// Installs a guard for pages of a private mapping that have none any more. Without a guard they could end the
    /// host, so a failure aborts the process.
    fn watched(start: usize, len: usize, file: Arc<File>, offset: u64) -> Self {
        let address = ptr::with_exposed_provenance_mut(start);
        // SAFETY: `map` has mapped these pages of this file; and a guard may put zeros in a guest's memory.
        let guard = unsafe { Guard::watch(address, len, file.clone(), offset, false, None) };
        match guard {
            Ok(guard) => Self { start, len, access: Access::Private, guard, file, offset },
            Err(error) => {
                eprintln!("portable-mmap-wasmtime: cannot guard a mapping of {len} bytes any more: {error}");
                std::process::abort();
            }
        }
    }

    /// The file, if changes have to be written to the disk.
    pub(crate) fn file_to_sync(&self) -> Option<Arc<File>> {
        (self.access == Access::Shared).then(|| self.file.clone())
    }

    /// Writes the bytes of a range to the disk.
    pub(crate) fn sync(&self, range: &Range<usize>) -> Result<(), i32> {
        let start = range.start / page_size() * page_size();
        let address = ptr::with_exposed_provenance_mut(self.start + start);
        // SAFETY: the call does not change the memory.
        unsafe { msync(address, range.end - start, MsyncFlags::SYNC) }.map_err(number)
    }

    /// Makes the pages that hold bytes of a range dirty: a byte of each is atomically replaced by itself, so that a
    /// concurrent store to it is not lost. An empty range has no pages.
    pub(crate) fn make_dirty(&mut self, range: &Range<usize>) {
        if self.access == Access::Private || range.is_empty() {
            return;
        }
        for page in range.start / page_size()..range.end.div_ceil(page_size()) {
            let byte = ptr::with_exposed_provenance_mut(self.start + page * page_size());
            // SAFETY: the byte lies in the mapping, whose guard handles its faults, and a byte is always aligned. The
            // guest waits for this call.
            let byte = unsafe { AtomicU8::from_ptr(byte) };
            let value = byte.load(Ordering::Relaxed);
            // `black_box` keeps the compiler from leaving out an exchange that changes nothing.
            let _ = byte.compare_exchange(value, std::hint::black_box(value), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Passes advice to the system. Advice that changes how an area of memory is treated must concern the whole
    /// mapping: for a part of it, the system would divide the area, and a process has a limited number of areas.
    pub(crate) fn advise(&self, range: &Range<usize>, advice: u32) -> Result<(), i32> {
        use rustix::mm::{Advice, madvise};
        let is_all = range.start == 0 && range.end.next_multiple_of(page_size()) == self.len;
        let advice = match advice {
            host::WILL_NEED => Advice::WillNeed,
            // With a private mapping it would drop the guest's own changes.
            host::DONT_NEED if self.access == Access::Shared => Advice::DontNeed,
            host::NORMAL if is_all => Advice::Normal,
            host::SEQUENTIAL if is_all => Advice::Sequential,
            host::RANDOM if is_all => Advice::Random,
            host::NORMAL..=host::DONT_NEED => return Ok(()),
            _ => return Err(errno::INVAL),
        };
        let start = range.start / page_size() * page_size();
        let address = ptr::with_exposed_provenance_mut(self.start + start);
        // SAFETY: the range lies in the mapping, and none of these changes a byte.
        unsafe { madvise(address, range.end - start, advice) }.map_err(number)
    }

    /// Maps lost pages again, see [`Guard::refresh`].
    pub(crate) fn refresh(&mut self, range: &Range<usize>) -> Result<(), i32> {
        if !areas_left() {
            return Err(errno::NOMEM);
        }
        self.guard.refresh(range).map_err(|error| number_of(&error))
    }

    /// The first fault: its offset in bytes from the start of the mapping, and its kind.
    pub(crate) fn fault(&self) -> Option<(u32, FaultKind)> {
        let (offset, kind) = self.guard.fault()?;
        Some((u32::try_from(offset).ok()?, kind))
    }

    pub(crate) fn is_lost(&self, offset: usize) -> bool {
        self.guard.is_lost(offset)
    }
}

/// Whether a file lies in huge pages. The guard cannot replace a part of one.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn has_huge_pages(file: &File) -> bool {
    /// `HUGETLBFS_MAGIC`.
    const HUGETLBFS: u32 = 0x9584_58f6;
    crate::file::system_of(file) == Some(HUGETLBFS)
}

/// Only Linux has files in huge pages.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn has_huge_pages(_: &File) -> bool {
    false
}

/// Replaces a mapping with plain memory. This uses no more areas of memory than the mapping did, so the system has no
/// reason to fail. If it fails anyway, the process is aborted, because no other store may get the memory.
fn put_plain_memory(start: usize, len: usize) {
    let flags = MapFlags::PRIVATE | MapFlags::FIXED | NORESERVE;
    let address = ptr::with_exposed_provenance_mut(start);
    // SAFETY: pages of this store that hold a mapping, or that are not used any more.
    let put = unsafe { mmap_anonymous(address, len, ProtFlags::READ | ProtFlags::WRITE, flags) };
    if let Err(error) = put {
        eprintln!("portable-mmap-wasmtime: cannot remove a mapping of {len} bytes from a guest's memory: {error}");
        std::process::abort();
    }
}

/// Replaces pages that were part of a mapping, and have no guard any more, with zeros.
pub(crate) fn reset(range: Range<usize>) {
    put_plain_memory(range.start, range.len());
}

/// Replaces all memory at these addresses with a single area of zeros. The addresses are whole pages, from a store's
/// first mapping to its last one in one memory, which has grown beyond them and is not used any more.
pub(crate) fn join(used: Range<usize>) {
    put_plain_memory(used.start, used.len());
    areas_released();
}

/// WASI's number for an error of the library.
fn number_of(error: &Error) -> i32 {
    match error {
        Error::NoMemory { .. } => errno::NOMEM,
        Error::Io { source, .. } => sync_number(source),
        _ => errno::IO,
    }
}

/// WASI's number for the error of a call, for example a sync.
pub(crate) fn sync_number(error: &io::Error) -> i32 {
    Errno::from_io_error(error).map_or(errno::IO, number)
}

/// WASI's number for an error of the system.
fn number(error: Errno) -> i32 {
    match error {
        Errno::ACCESS => errno::ACCES,
        Errno::PERM => errno::PERM,
        Errno::NODEV | Errno::NOSYS => errno::NODEV,
        Errno::NOMEM | Errno::AGAIN => errno::NOMEM,
        Errno::INVAL => errno::INVAL,
        Errno::NOSPC | Errno::DQUOT => errno::NOSPC,
        error if error == Errno::NOTSUP || error == Errno::OPNOTSUPP => errno::NOTSUP,
        _ => errno::IO,
    }
}
