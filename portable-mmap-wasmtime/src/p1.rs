//! For modules of WASI Preview 1, by an import of their own.

use portable_mmap::host::{MODULE, errno};
use wasmtime::{Caller, Extern, Linker, Result};

use crate::calls::{self, GuestMemory, Request, mapping, prepare_sync};
use crate::memory::sync_number;
use crate::{HostMapCtx, HostMapView, trap};

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
        let ctx = ctx(&mut caller);
        result(prepare_sync(ctx, handle, offset, len, how).and_then(|range| match range {
            Some(range) => mapping(ctx, handle)?.sync(&range),
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
            let ctx = ctx(&mut caller);
            let file = prepare_sync(ctx, handle, offset, len, how).and_then(|range| match range {
                Some(_) => Ok(mapping(ctx, handle)?.file_to_sync()),
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
            let request = Request { inode, offset, start: start as usize, len: len as usize, flags };
            let mapped =
                memory(&mut caller).and_then(|memory| calls::map(caller.data_mut().host_map(), memory, request));
            mapped.unwrap_or_else(|errno| -errno)
        },
    )?;
    linker.func_wrap(MODULE, "unmap", |mut caller: Caller<'_, T>, handle: i32| {
        result(calls::unmap(ctx(&mut caller), handle))
    })?;
    linker.func_wrap(
        MODULE,
        "advise",
        |mut caller: Caller<'_, T>, handle: i32, offset: u32, len: u32, advice: u32| {
            result(calls::advise(ctx(&mut caller), handle, offset, len, advice))
        },
    )?;
    linker.func_wrap(MODULE, "refresh", |mut caller: Caller<'_, T>, handle: i32, offset: u32, len: u32| {
        result(calls::refresh(ctx(&mut caller), handle, offset, len))
    })?;
    linker.func_wrap(MODULE, "fault", |mut caller: Caller<'_, T>, handle: i32| {
        calls::fault(ctx(&mut caller), handle).unwrap_or_else(|errno| i64::from(-errno))
    })?;
    linker.func_wrap(MODULE, "lost", |mut caller: Caller<'_, T>, handle: i32, offset: u32| {
        calls::is_lost(ctx(&mut caller), handle, offset).map_or_else(|errno| -errno, i32::from)
    })?;
    Ok(())
}

fn result(done: Result<(), i32>) -> i32 {
    done.map_or_else(|errno| -errno, |()| 0)
}

fn ctx<'c, T: HostMapView + 'static>(caller: &'c mut Caller<'_, T>) -> &'c mut HostMapCtx {
    caller.data_mut().host_map().ctx
}

/// The caller's memory.
fn memory<T: HostMapView + 'static>(caller: &mut Caller<'_, T>) -> Result<GuestMemory, i32> {
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
    let on_fault = ctx(caller).on_fault();
    Ok(GuestMemory {
        base: memory.data_ptr(&*caller),
        size: memory.data_size(&*caller),
        initial: memory_type.minimum().saturating_mul(memory_type.page_size()),
        traps: trap::of_caller(on_fault, &*caller),
    })
}
