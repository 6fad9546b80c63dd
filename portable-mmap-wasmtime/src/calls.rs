//! The requests of a guest, for all interfaces. Every error is an errno.

use std::ops::Range;

use portable_mmap::host::{self, BLOCK, Traps, errno, fault_word};

use crate::memory::{Placed, page_size};
use crate::{Access, HostMapCtx, HostMapCtxView, file};

/// A guest's memory, as it is now, or the part of it that is known. It does not move: `attach` has checked the engine.
#[derive(Clone, Debug)]
pub(crate) struct GuestMemory {
    /// The address of the known part.
    pub(crate) base: *mut u8,
    /// The size of the known part in bytes.
    pub(crate) size: usize,
    /// The size in bytes that it had at the beginning, or an upper bound: its initial image, which a pooling allocator
    /// keeps for the next guest.
    pub(crate) initial: u64,
    /// The instructions of the guest whose faults are traps, see [`trap::of_caller`](crate::trap::of_caller).
    pub(crate) traps: Option<Traps>,
}

/// The length in bytes from which a mapping costs less than a copy.
pub(crate) const ZERO_COPY_FROM: usize = 128 << 10;

/// A request for a mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// The inode number that WASI reports to the guest for a file that it has open.
    pub(crate) inode: u64,
    /// In bytes from the start of the file.
    pub(crate) offset: u64,
    /// The block, in bytes from the start of the guest's memory.
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) flags: u32,
}

impl GuestMemory {
    /// The addresses of the known part.
    fn addresses(&self) -> Range<usize> {
        self.base.addr()..self.base.addr() + self.size
    }

    /// The address of the `len` bytes from byte `start` on, if it is a page boundary and they are not in the initial
    /// image.
    fn pages(&self, start: usize, len: usize) -> Option<*mut u8> {
        let is_in_memory = start.checked_add(len).is_some_and(|end| end <= self.size);
        let address = self.base.wrapping_add(start);
        let is_page = address.addr().is_multiple_of(page_size()) && self.base.addr().is_multiple_of(page_size());
        (is_in_memory && is_page && start as u64 >= self.initial).then_some(address)
    }

    /// The address of the block of `len` bytes from byte `start` on, if a file can be mapped over it.
    fn block(&self, start: usize, len: usize) -> Result<*mut u8, i32> {
        if !start.is_multiple_of(BLOCK) || len == 0 {
            return Err(errno::INVAL);
        }
        // Checks the whole block, because whole pages are mapped.
        let size = len.checked_next_multiple_of(BLOCK).ok_or(errno::FAULT)?;
        let end = start.checked_add(size).ok_or(errno::FAULT)?;
        if end > self.size {
            return Err(errno::FAULT);
        }
        if (start as u64) < self.initial {
            return Err(errno::ADDRNOTAVAIL);
        }
        if !self.base.addr().is_multiple_of(page_size()) || !BLOCK.is_multiple_of(page_size()) {
            return Err(errno::NOTSUP);
        }
        Ok(self.base.wrapping_add(start))
    }
}

/// Maps a file of the guest over a block of its memory. Returns the handle, or 0 if mappings are not supported.
pub(crate) fn map(view: HostMapCtxView<'_>, memory: GuestMemory, request: Request) -> Result<i32, i32> {
    let HostMapCtxView { ctx, table } = view;
    let Request { inode, offset, start, len, flags } = request;
    if !ctx.is_attached() {
        return Ok(0);
    }
    let access = match flags {
        0 => Access::Private,
        host::SHARED => Access::Shared,
        _ => return Err(errno::INVAL),
    };
    let address = memory.block(start, len)?;
    let page = page_size();
    if !offset.is_multiple_of(page as u64) {
        return Err(errno::INVAL);
    }
    let open = file::find_open_file(table, inode, access)?;
    if offset.checked_add(len as u64).is_none_or(|end| end > open.len) {
        return Err(errno::NXIO);
    }
    if !ctx.allows(&open.file, access) {
        return Err(errno::PERM);
    }
    let mapped = len.next_multiple_of(page);
    if ctx.overlaps(address.addr(), mapped) {
        return Err(errno::ADDRINUSE);
    }
    Placed::check_mappable(&open.file, offset, mapped, access)?;
    let addresses = address.addr()..address.addr() + mapped;
    ctx.add(memory.addresses(), addresses, || {
        // SAFETY: these are whole pages of the guest's memory, which belongs to the store and does not move (`attach`
        // has checked the engine). The guest has released its contents, and plain memory is restored before the store
        // releases its memory. The code that attached the store guarantees the rest.
        unsafe { Placed::map(open.file, offset, address, mapped, access, memory.traps) }
    })
}

/// Maps a file of the guest over pages of its memory, instead of copying the bytes of a read. Returns how many bytes
/// are mapped, or `None` if the read has to copy.
pub(crate) fn read(view: HostMapCtxView<'_>, memory: &GuestMemory, request: Request) -> Option<usize> {
    let HostMapCtxView { ctx, table } = view;
    let Request { inode, offset, start, len, .. } = request;
    let address = memory.pages(start, len)?;
    let open = file::find_open_file(table, inode, Access::Private).ok()?;
    let page = page_size();
    // A read does not fill the rest of the file's last page.
    let there = usize::try_from(open.len.saturating_sub(offset)).unwrap_or(usize::MAX);
    let mapped = len.min(there) / page * page;
    let is_possible =
        offset.is_multiple_of(page as u64) && mapped >= ZERO_COPY_FROM && !ctx.overlaps(address.addr(), mapped);
    if !is_possible || !ctx.reads_without_copy(&open.file) {
        return None;
    }
    Placed::check_mappable(&open.file, offset, mapped, Access::Private).ok()?;
    let added = ctx.add_read(memory.addresses(), address.addr()..address.addr() + mapped, || {
        // The guest has not requested a mapping, and so no trap.
        // SAFETY: as in `map`; the guest has requested other bytes in these pages.
        unsafe { Placed::map(open.file, offset, address, mapped, Access::Private, None) }
    });
    added.ok().map(|()| mapped)
}

/// Replaces a mapping with plain memory.
pub(crate) fn unmap(ctx: &mut HostMapCtx, handle: i32) -> Result<(), i32> {
    if ctx.remove(handle) { Ok(()) } else { Err(errno::BADF) }
}

/// Does the part of a `sync` that takes no time. Returns the range that has to be written to the disk.
pub(crate) fn prepare_sync(
    ctx: &mut HostMapCtx,
    handle: i32,
    offset: u32,
    len: u32,
    how: u32,
) -> Result<Option<Range<usize>>, i32> {
    let placed = mapping(ctx, handle)?;
    let range = range_in(placed, offset, len)?;
    match how {
        // Readers of the file read the same pages.
        host::VISIBLE => Ok(None),
        host::DISK => Ok(Some(range)),
        host::DIRTY => {
            placed.make_dirty(&range);
            Ok(None)
        }
        _ => Err(errno::INVAL),
    }
}

/// Passes advice to the system.
pub(crate) fn advise(ctx: &mut HostMapCtx, handle: i32, offset: u32, len: u32, advice: u32) -> Result<(), i32> {
    let placed = mapping(ctx, handle)?;
    let range = range_in(placed, offset, len)?;
    placed.advise(&range, advice)
}

/// Maps lost pages again.
pub(crate) fn refresh(ctx: &mut HostMapCtx, handle: i32, offset: u32, len: u32) -> Result<(), i32> {
    let placed = mapping(ctx, handle)?;
    let range = range_in(placed, offset, len)?;
    placed.refresh(&range)
}

/// The first fault, see [`fault_word`].
pub(crate) fn fault(ctx: &mut HostMapCtx, handle: i32) -> Result<i64, i32> {
    mapping(ctx, handle).map(|placed| fault_word(placed.fault()))
}

/// Whether zeros replace a byte.
pub(crate) fn is_lost(ctx: &mut HostMapCtx, handle: i32, offset: u32) -> Result<bool, i32> {
    let placed = mapping(ctx, handle)?;
    range_in(placed, offset, 1).map(|range| placed.is_lost(range.start))
}

pub(crate) fn mapping(ctx: &mut HostMapCtx, handle: i32) -> Result<&mut Placed, i32> {
    ctx.get(handle).ok_or(errno::BADF)
}

/// The bytes of a mapping from `offset` on.
fn range_in(placed: &Placed, offset: u32, len: u32) -> Result<Range<usize>, i32> {
    let (start, len) = (offset as usize, len as usize);
    let end = start.checked_add(len).filter(|&end| end <= placed.len()).ok_or(errno::INVAL)?;
    Ok(start..end)
}
