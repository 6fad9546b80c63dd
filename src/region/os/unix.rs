//! What memmap2 lacks on unix: anonymous memory that is shared with a forked child, huge pages of files, every
//! `MADV_*`, and resizing together with a file.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};

use memmap2::MmapRaw;
use rustix::mm::{MapFlags, MsyncFlags, ProtFlags, mmap, mmap_anonymous, msync, munmap};

use super::{Memory, OsRegion, View, map_error};
use crate::error::Operation;
use crate::plan::Plan;
use crate::region::Durability;
use crate::region::numbers::{hint_number, unchecked_number};
use crate::storage::{OsFile, Storage, with_length};
use crate::{Advice, Error, Flags, Result, UncheckedAdvice};

pub(super) fn page_size() -> usize {
    rustix::param::page_size()
}

pub(super) fn allocation_granularity() -> usize {
    page_size()
}

pub(super) fn check_supported(plan: &Plan) -> Result<()> {
    if plan.tag_name.is_some() {
        return Err(Error::Unsupported { what: "only Windows has tag names" });
    }
    Ok(())
}

/// A mapping of memmap2, unless the file uses huge pages. A mapping of huge pages must be unmapped in whole huge pages.
pub(super) fn view_of_file(file: &OsFile, plan: &Plan) -> Result<View> {
    // Where blocks are no longer than a page, there is no need to ask the system.
    match plan.has_long_blocks.then(|| huge_page_of(&**file.get())).flatten() {
        Some(unit) => Ok(View::Own(OwnView::new(Some((file, unit)), plan)?)),
        None => View::of_file(file, plan),
    }
}

/// The size of the huge pages of a file, in bytes, or `None` if it does not use them.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn huge_page_of(file: impl AsFd) -> Option<usize> {
    /// `HUGETLBFS_MAGIC`, which libc has as different types.
    const HUGETLBFS: u64 = 0x9584_58f6;
    let stat = rustix::fs::fstatfs(file).ok()?;
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "its type differs from machine to machine")]
    let is_huge = stat.f_type as u64 & 0xffff_ffff == HUGETLBFS;
    if is_huge { usize::try_from(stat.f_bsize).ok() } else { None }
}

/// Only Linux has files in huge pages.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn huge_page_of(_: impl AsFd) -> Option<usize> {
    None
}

/// Anonymous memory: a mapping of memmap2 if it is private and has no other properties, otherwise our own.
pub(super) fn anonymous_view(plan: &Plan) -> Result<View> {
    let is_huge = plan.hints.contains(Flags::HUGETLB);
    if !plan.private || plan.executable || is_huge || !plan.access.is_writable() {
        return Ok(View::Own(OwnView::new(None, plan)?));
    }
    let mut options = memmap2::MmapOptions::new();
    options.len(plan.span.len());
    if plan.hints.contains(Flags::POPULATE) {
        options.populate();
    }
    if plan.hints.contains(Flags::NORESERVE) {
        options.no_reserve_swap();
    }
    if plan.hints.contains(Flags::STACK) {
        options.stack();
    }
    Ok(View::Memmap(MmapRaw::from(options.map_anon().map_err(|e| map_error(plan.span, e))?)))
}

/// The size of the huge pages that this crate asks for, in bytes.
const HUGE_PAGE: usize = 1 << HUGE_PAGE_BITS;
const HUGE_PAGE_BITS: u8 = 21;

/// A mapping that this crate made or took over itself: anonymous memory that is shared with a forked child, huge pages,
/// or a mapping whose length was changed.
#[derive(Debug)]
pub(super) struct OwnView {
    start: *mut u8,
    /// The mapped length in bytes, a multiple of `unit`.
    mapped: usize,
    /// The size of a page, or of a huge page.
    unit: usize,
    /// False if a flush has nothing to do.
    has_file: bool,
}

// SAFETY: it owns its memory, and access goes through the mapping's own borrows.
unsafe impl Send for OwnView {}
// SAFETY: as for `Send`.
unsafe impl Sync for OwnView {}

impl OwnView {
    /// Maps the plan's span of a file whose pages have this size, or anonymous memory.
    fn new(file: Option<(&OsFile, usize)>, plan: &Plan) -> Result<Self> {
        let mut prot = ProtFlags::READ;
        prot.set(ProtFlags::WRITE, plan.access.is_writable());
        prot.set(ProtFlags::EXEC, plan.executable);
        let huge_or_small = if plan.hints.contains(Flags::HUGETLB) { HUGE_PAGE } else { page_size() };
        let unit = file.map_or(huge_or_small, |(_, unit)| unit);
        let no_memory = Error::no_memory(plan.span.len() as u64);
        let Some(mapped) = plan.span.len().checked_next_multiple_of(unit) else { return Err(no_memory) };
        let (address, flags) = (ptr::null_mut(), map_flags(plan));
        let start = match file.map(|(file, _)| &**file.get()) {
            // SAFETY: a new mapping at an address of the system's choice disturbs nothing.
            Some(file) => unsafe { mmap(address, mapped, prot, flags, file, plan.span.offset()) },
            // SAFETY: as above.
            None => unsafe { mmap_anonymous(address, mapped, prot, flags) },
        };
        let start = start.map_err(|e| match map_error(plan.span, e.into()) {
            Error::NoMemory { operation, len, .. } => {
                Error::NoMemory { operation, huge_pages: unit > page_size(), len }
            }
            error => error,
        })?;
        Ok(Self { start: start.cast(), mapped, unit, has_file: file.is_some() })
    }

    /// Takes over a mapping of memmap2 that starts at a page boundary.
    fn take_over(map: MmapRaw) -> Self {
        let (start, unit) = (map.as_mut_ptr(), page_size());
        debug_assert!(start.addr() % unit == 0, "offsets are multiples of the page");
        // The mapped length, rounded up to a page, fits in `usize`.
        let mapped = map.len().next_multiple_of(unit);
        // From now on the returned value owns the mapping and unmaps it.
        std::mem::forget(map);
        Self { start, mapped, unit, has_file: true }
    }

    pub(super) fn as_mut_ptr(&self) -> *mut u8 {
        self.start
    }

    pub(super) fn page(&self) -> usize {
        self.unit
    }

    /// Writes changes to the file, if there is one.
    pub(super) fn flush(&self, range: Range<usize>, durability: Durability) -> io::Result<()> {
        if !self.has_file {
            return Ok(());
        }
        let flags = match durability {
            Durability::Disk => MsyncFlags::SYNC,
            Durability::Visible => MsyncFlags::ASYNC,
        };
        // SAFETY: the range lies within our own mapping.
        Ok(unsafe { msync(self.start.wrapping_add(range.start).cast(), range.len(), flags) }?)
    }

    /// Unmaps the pages after the first `len` bytes.
    pub(super) fn shrink(&mut self, len: usize) -> Result<()> {
        let kept = len.next_multiple_of(self.unit);
        if kept < self.mapped {
            let tail = self.start.wrapping_add(kept);
            // SAFETY: whole pages at the end of our own mapping, and the caller borrows it mutably.
            let unmapped = unsafe { munmap(tail.cast(), self.mapped - kept) };
            unmapped.map_err(|e| Error::io(Operation::Unmap, kept as u64, (self.mapped - kept) as u64, e))?;
            self.mapped = kept;
        }
        Ok(())
    }

    /// Extends the mapping to `len` bytes. It may get another address if `may_move` is true. Returns false if the
    /// system cannot extend it.
    #[cfg(target_os = "linux")]
    fn grow(&mut self, len: usize, may_move: bool) -> bool {
        use rustix::mm::{MremapFlags, mremap};
        let Some(wanted) = len.checked_next_multiple_of(self.unit) else { return false };
        if wanted <= self.mapped {
            return true;
        }
        let flags = if may_move { MremapFlags::MAYMOVE } else { MremapFlags::empty() };
        // SAFETY: the whole of our own mapping, and the caller borrows it mutably. The call fails for huge pages, and
        // if the system has split the mapping after pages were replaced or advice was given.
        let Ok(start) = (unsafe { mremap(self.start.cast(), self.mapped, wanted, flags) }) else { return false };
        (self.start, self.mapped) = (start.cast(), wanted);
        true
    }

    /// Only Linux can extend a mapping.
    #[cfg(not(target_os = "linux"))]
    fn grow(&mut self, len: usize, _: bool) -> bool {
        len <= self.mapped
    }
}

impl Drop for OwnView {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and nothing borrows from a mapping that is dropped.
        let unmapped = unsafe { munmap(self.start.cast(), self.mapped) };
        debug_assert!(unmapped.is_ok(), "a whole mapping can be unmapped");
    }
}

fn map_flags(plan: &Plan) -> MapFlags {
    let mut flags = if plan.private { MapFlags::PRIVATE } else { MapFlags::SHARED };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // rustix has a name for it on Linux only.
    let huge_page = MapFlags::from_bits_retain(u32::from(HUGE_PAGE_BITS) << libc::MAP_HUGE_SHIFT);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    for (hint, flag) in [
        (Flags::POPULATE, MapFlags::POPULATE),
        (Flags::NORESERVE, MapFlags::NORESERVE),
        (Flags::STACK, MapFlags::STACK),
        (Flags::HUGETLB, MapFlags::HUGETLB | huge_page),
    ] {
        flags.set(flag, plan.hints.contains(hint));
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = &mut flags;
    flags
}

impl OsRegion {
    /// Resizes the mapping in place, so that it does not need the addresses of a second mapping. If the system cannot
    /// do that, maps the new span separately.
    ///
    /// Truncating the file loses bytes, so it is the last step that can fail. A mapping that becomes longer must not
    /// move before that step: if the step fails, the mapping gets its old length back and must have its old address.
    pub(super) fn resize_file(&mut self, file: &OsFile, _: &Plan, new: &Plan) -> Result<()> {
        let (offset, end, len, old_len) = (new.span.offset(), new.span.end(), new.span.len(), self.len);
        let size = file.len().map_err(|e| Error::io(Operation::Metadata, offset, len as u64, e))?;
        let from = (end > size).then_some(size);
        let mapped_anew = with_length(file, from, end, new.allocate, || {
            let is_grown = len <= old_len || self.grow(len, end >= size);
            if is_grown { Ok(None) } else { Self::of_file(file, new).map(Some) }
        })?;
        if end < size {
            if let Err(e) = file.set_len(end) {
                self.release_behind(old_len);
                return Err(Error::io(Operation::Truncate, end, size - end, e));
            }
        }
        match mapped_anew {
            Some(region) => *self = region,
            None => self.release_behind(len),
        }
        Ok(())
    }

    /// Changes the length of anonymous memory. Returns false if this needs other memory.
    pub(super) fn resize_in_place(&mut self, len: usize) -> Result<bool> {
        let old_len = self.len;
        if len < old_len {
            let Some(view) = self.own_view() else { return Ok(false) };
            view.shrink(len)?;
            self.len = len;
            return Ok(true);
        }
        if !self.grow(len, true) {
            return Ok(false);
        }
        let page = self.view.as_ref().map_or_else(page_size, View::page);
        let page_end = old_len.checked_next_multiple_of(page).map_or(len, |end| end.min(len));
        // SAFETY: mapped and initialised, and borrowed mutably by this call. The page may hold bytes from before the
        // memory became shorter.
        unsafe { self.slice_mut(old_len..page_end) }.fill(0);
        Ok(true)
    }

    /// Converts the view into one of our own, whose length can be changed.
    fn own_view(&mut self) -> Option<&mut OwnView> {
        self.view = Some(match self.view.take()? {
            View::Memmap(map) => View::Own(OwnView::take_over(map)),
            own @ View::Own(_) => own,
        });
        match &mut self.view {
            Some(View::Own(view)) => Some(view),
            _ => None,
        }
    }

    /// Extends the mapping to `len` bytes, of the file if there is one. Returns false and changes nothing if the system
    /// cannot do that.
    ///
    /// Never extends a mapping with a guard. The guard would have to be registered with the new addresses before
    /// anybody else can get the old ones. That needs memory, so it can fail, and the change could not be undone.
    fn grow(&mut self, len: usize, may_move: bool) -> bool {
        if self.guard.is_some() || !self.own_view().is_some_and(|view| view.grow(len, may_move)) {
            return false;
        }
        self.start = self.view.as_ref().and_then(|view| NonNull::new(view.start())).unwrap_or(self.start);
        self.len = len;
        true
    }

    /// Shortens the region to `len` bytes.
    fn release_behind(&mut self, len: usize) {
        self.len = len;
        if let Some(guard) = &mut self.guard {
            // The guard comes first, because afterwards others may get the addresses.
            guard.shorten(len);
        }
        if let Some(view) = self.own_view() {
            // Pages that cannot be unmapped stay mapped until the region is dropped. Nobody accesses them.
            let _ = view.shrink(len);
        }
    }
}

pub(super) fn supports(advice: Advice) -> bool {
    hint_number(advice).is_some()
}

pub(super) fn supports_unchecked(advice: UncheckedAdvice) -> bool {
    unchecked_number(advice).is_some()
}

/// # Safety
/// The memory is mapped.
pub(super) unsafe fn lock(start: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the caller guarantees that the memory is mapped.
    Ok(unsafe { rustix::mm::mlock(start.cast(), len) }?)
}

/// # Safety
/// The memory is mapped.
pub(super) unsafe fn unlock(start: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the caller guarantees that the memory is mapped.
    Ok(unsafe { rustix::mm::munlock(start.cast(), len) }?)
}

/// # Safety
/// The range is mapped.
pub(super) unsafe fn advise(start: *mut u8, len: usize, advice: Advice) {
    if let Some(number) = hint_number(advice) {
        // SAFETY: the caller guarantees that the range is mapped, and none of these changes a byte.
        // It is not an error if this kernel or file system does not support a hint.
        let _ = unsafe { libc::madvise(start.cast(), len, number) };
    }
}

/// # Safety
/// The range is mapped, and its bytes may change.
pub(super) unsafe fn advise_unchecked(start: *mut u8, len: usize, advice: UncheckedAdvice) -> Option<io::Result<()>> {
    let number = unchecked_number(advice)?;
    // SAFETY: the caller guarantees that the range is mapped and that its bytes may change.
    let done = unsafe { libc::madvise(start.cast(), len, number) };
    Some(if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) })
}
