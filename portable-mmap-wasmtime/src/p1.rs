//! For modules of WASI Preview 1, by an import of their own.

use std::ops::Range;

use portable_mmap::host::{self, BLOCK, MODULE, errno, fault_word};
use wasmtime::{Caller, Extern, Linker, Result};

use crate::memory::{Placed, page_size, sync_number};
use crate::{Access, HostMapCtx, HostMapView, file};

/// Adds the functions that a guest with portable-mmap's feature `host-mapping` imports.
///
/// A `sync` that the guest asks for blocks this thread until the disk is done. In an asynchronous host use
/// [`add_to_linker_async`].
///
/// # Errors
/// What the linker says: the functions are there already.
pub fn add_to_linker_sync<T: HostMapView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    add_common(linker)?;
    linker.func_wrap(MODULE, "sync", |mut caller: Caller<'_, T>, handle: i32, offset: u32, len: u32, how: u32| {
        result(prepare_sync(&mut caller, handle, offset, len, how).and_then(|range| match range {
            Some(range) => mapping(&mut caller, handle)?.sync(&range),
            None => Ok(()),
        }))
    })?;
    Ok(())
}

/// [`add_to_linker_sync`], for stores of an asynchronous host: a `sync` that the guest asks for waits on a thread of its own. It
/// brings all of the file to the disk, and not the range alone.
///
/// # Errors
/// As for [`add_to_linker_sync`].
pub fn add_to_linker_async<T: HostMapView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    add_common(linker)?;
    linker.func_wrap_async(
        MODULE,
        "sync",
        |mut caller: Caller<'_, T>, (handle, offset, len, how): (i32, u32, u32, u32)| {
            let file = prepare_sync(&mut caller, handle, offset, len, how).and_then(|range| match range {
                Some(_) => Ok(mapping(&mut caller, handle)?.file_to_sync()),
                None => Ok(None),
            });
            Box::new(async move {
                let file = match file {
                    Ok(Some(file)) => file,
                    Ok(None) => return 0,
                    Err(errno) => return -errno,
                };
                let synced = wasmtime_wasi::runtime::spawn_blocking(move || file.sync_data()).await;
                result(synced.map_err(|error| sync_number(&error)))
            })
        },
    )?;
    Ok(())
}

/// All functions but `sync`, which may take long.
fn add_common<T: HostMapView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    linker.func_wrap(
        MODULE,
        "map",
        |mut caller: Caller<'_, T>, inode: u64, offset: u64, start: u32, len: u32, flags: u32| {
            map(&mut caller, inode, offset, start as usize, len as usize, flags).unwrap_or_else(|errno| -errno)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "unmap",
        |mut caller: Caller<'_, T>, handle: i32| {
            if ctx(&mut caller).remove(handle) { 0 } else { -errno::BADF }
        },
    )?;
    linker.func_wrap(
        MODULE,
        "advise",
        |mut caller: Caller<'_, T>, handle: i32, offset: u32, len: u32, advice: u32| {
            result(mapping(&mut caller, handle).and_then(|placed| {
                let range = range_in(placed, offset, len)?;
                placed.advise(&range, advice)
            }))
        },
    )?;
    linker.func_wrap(MODULE, "refresh", |mut caller: Caller<'_, T>, handle: i32, offset: u32, len: u32| {
        result(mapping(&mut caller, handle).and_then(|placed| {
            let range = range_in(placed, offset, len)?;
            placed.refresh(&range)
        }))
    })?;
    linker.func_wrap(MODULE, "fault", |mut caller: Caller<'_, T>, handle: i32| {
        mapping(&mut caller, handle).map_or_else(|errno| i64::from(-errno), |placed| fault_word(placed.fault()))
    })?;
    linker.func_wrap(MODULE, "lost", |mut caller: Caller<'_, T>, handle: i32, offset: u32| {
        mapping(&mut caller, handle)
            .and_then(|placed| range_in(placed, offset, 1).map(|range| i32::from(placed.is_lost(range.start))))
            .unwrap_or_else(|errno| -errno)
    })?;
    Ok(())
}

fn result(done: Result<(), i32>) -> i32 {
    done.map_or_else(|errno| -errno, |()| 0)
}

fn ctx<'c, T: HostMapView + 'static>(caller: &'c mut Caller<'_, T>) -> &'c mut HostMapCtx {
    caller.data_mut().host_map().ctx
}

fn mapping<'c, T: HostMapView + 'static>(caller: &'c mut Caller<'_, T>, handle: i32) -> Result<&'c mut Placed, i32> {
    ctx(caller).get(handle).ok_or(errno::BADF)
}

/// The bytes of a mapping from `offset` on.
fn range_in(placed: &Placed, offset: u32, len: u32) -> Result<Range<usize>, i32> {
    let (start, len) = (offset as usize, len as usize);
    let end = start.checked_add(len).filter(|&end| end <= placed.len()).ok_or(errno::INVAL)?;
    Ok(start..end)
}

/// Does what a `sync` has to do that takes no time. Returns the range that has to be brought to the disk.
fn prepare_sync<T: HostMapView + 'static>(
    caller: &mut Caller<'_, T>,
    handle: i32,
    offset: u32,
    len: u32,
    how: u32,
) -> Result<Option<Range<usize>>, i32> {
    let placed = mapping(caller, handle)?;
    let range = range_in(placed, offset, len)?;
    match how {
        // A mapping is the file's bytes: whoever reads the file sees them.
        host::VISIBLE => Ok(None),
        host::DISK => Ok(Some(range)),
        host::DIRTY => {
            placed.make_dirty(&range);
            Ok(None)
        }
        _ => Err(errno::INVAL),
    }
}

/// Maps a file over a block of the caller's memory. Returns the handle, or 0 where mappings are not supported.
fn map<T: HostMapView + 'static>(
    caller: &mut Caller<'_, T>,
    inode: u64,
    offset: u64,
    start: usize,
    len: usize,
    flags: u32,
) -> Result<i32, i32> {
    if !ctx(caller).is_attached() {
        return Ok(0);
    }
    let access = match flags {
        0 => Access::Private,
        host::SHARED => Access::Shared,
        _ => return Err(errno::INVAL),
    };
    let address = block(caller, start, len)?;
    let page = page_size();
    if !offset.is_multiple_of(page as u64) {
        return Err(errno::INVAL);
    }
    let view = caller.data_mut().host_map();
    let held = file::held(view.table, inode, access)?;
    if offset.checked_add(len as u64).is_none_or(|end| end > held.len) {
        return Err(errno::NXIO);
    }
    if !view.ctx.allows(&held.file, access) {
        return Err(errno::PERM);
    }
    let mapped = len.next_multiple_of(page);
    if view.ctx.overlaps(address.addr(), mapped) {
        return Err(errno::ADDRINUSE);
    }
    view.ctx.add(address.addr() - start, mapped, || {
        // SAFETY: whole pages of the guest's memory, which is the store's and does not move (`attach` has checked the engine);
        // the guest gives up what is there, and plain memory is put back before the store gives its memory up. The rest is
        // owed by whoever attached the store.
        unsafe { Placed::map(held.file, offset, address, mapped, access) }
    })
}

/// The address of a block of the caller's memory, that a file of `len` bytes can be mapped over.
fn block<T: 'static>(caller: &mut Caller<'_, T>, start: usize, len: usize) -> Result<*mut u8, i32> {
    let memory = match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => memory,
        // Others may use it meanwhile.
        Some(Extern::SharedMemory(_)) => return Err(errno::NOTSUP),
        _ => return Err(errno::INVAL),
    };
    let memory_type = memory.ty(&*caller);
    if memory_type.is_64() || memory_type.is_shared() {
        return Err(errno::NOTSUP);
    }
    if !start.is_multiple_of(BLOCK) || len == 0 {
        return Err(errno::INVAL);
    }
    // The whole block, for what is mapped is whole pages.
    let size = len.checked_next_multiple_of(BLOCK).ok_or(errno::FAULT)?;
    let end = start.checked_add(size).ok_or(errno::FAULT)?;
    if end > memory.data_size(&*caller) {
        return Err(errno::FAULT);
    }
    // The initial image lies there, which a pooling allocator keeps for the next guest.
    if (start as u64) < memory_type.minimum().saturating_mul(memory_type.page_size()) {
        return Err(errno::ADDRNOTAVAIL);
    }
    let base = memory.data_ptr(&*caller);
    if !base.addr().is_multiple_of(page_size()) || !BLOCK.is_multiple_of(page_size()) {
        return Err(errno::NOTSUP);
    }
    Ok(base.wrapping_add(start))
}
