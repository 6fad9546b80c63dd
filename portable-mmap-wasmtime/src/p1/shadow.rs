//! `fd_pread` and `fd_read` in the place of wasmtime-wasi's: they answer requests, read without a copy, and hand everything else
//! on.
//!
//! The functions that they hand calls on to are public and not meant for others: that these do the same as those that the linker
//! had before is to be looked at for each release of wasmtime-wasi.

use wasmtime::{AsContextMut as _, Caller, Extern, Linker, Result, bail};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as abi, WasiSnapshotPreview1 as _};
use wasmtime_wasi::runtime::in_tokio;
use wiggle::GuestMemory;

use super::zero_copy::{Read, read_without_copy};
use super::{add_to_linker_async, add_to_linker_sync, answer, answer_async};
use crate::HostMapView;

const WASI: &str = "wasi_snapshot_preview1";

/// [`add_to_linker_sync`], and functions in the place of the linker's: an `fd_pread` that also serves guests without the import,
/// which portable-mmap is built for without its feature `host-mapping`, and which run in every host; and it and `fd_read` with
/// [`zero_copy_reads`](crate::HostMapCtxBuilder::zero_copy_reads).
///
/// It is called after [`wasmtime_wasi::p1::add_to_linker_sync`], with the same function that finds WASI's context. As in a new
/// linker, functions cannot be shadowed afterwards: see [`Linker::allow_shadowing`].
///
/// # Errors
/// As for [`add_to_linker_sync`].
pub fn add_to_linker_with_handshake_sync<T: HostMapView + 'static>(
    linker: &mut Linker<T>,
    wasi: impl Fn(&mut T) -> &mut WasiP1Ctx + Copy + Send + Sync + 'static,
) -> Result<()> {
    add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);
    linker.func_wrap(
        WASI,
        "fd_pread",
        move |mut caller: Caller<'_, T>, fd: i32, iovs: i32, iovs_len: i32, offset: i64, nread: i32| {
            if let Some(errno) = answer(&mut caller, iovs, iovs_len, offset, nread) {
                return Ok(errno);
            }
            in_tokio(read(&mut caller, wasi, Read { fd, iovs, iovs_len, offset: Some(offset), nread }))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_read",
        move |mut caller: Caller<'_, T>, fd: i32, iovs: i32, iovs_len: i32, nread: i32| {
            in_tokio(read(&mut caller, wasi, Read { fd, iovs, iovs_len, offset: None, nread }))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// [`add_to_linker_with_handshake_sync`], for stores of an asynchronous host, and after
/// [`wasmtime_wasi::p1::add_to_linker_async`]. See [`add_to_linker_async`].
///
/// # Errors
/// As for [`add_to_linker_sync`].
pub fn add_to_linker_with_handshake_async<T: HostMapView + 'static>(
    linker: &mut Linker<T>,
    wasi: impl Fn(&mut T) -> &mut WasiP1Ctx + Copy + Send + Sync + 'static,
) -> Result<()> {
    add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    linker.func_wrap_async(
        WASI,
        "fd_pread",
        move |mut caller: Caller<'_, T>, (fd, iovs, iovs_len, offset, nread): (i32, i32, i32, i64, i32)| {
            Box::new(async move {
                if let Some(errno) = answer_async(&mut caller, iovs, iovs_len, offset, nread).await {
                    return Ok(errno);
                }
                read(&mut caller, wasi, Read { fd, iovs, iovs_len, offset: Some(offset), nread }).await
            })
        },
    )?;
    linker.func_wrap_async(
        WASI,
        "fd_read",
        move |mut caller: Caller<'_, T>, (fd, iovs, iovs_len, nread): (i32, i32, i32, i32)| {
            Box::new(async move { read(&mut caller, wasi, Read { fd, iovs, iovs_len, offset: None, nread }).await })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Reads without a copy where that may be done, and else as wasmtime-wasi does, with its context and the guest's memory as its
/// own linker finds them.
async fn read<T: HostMapView + 'static>(
    caller: &mut Caller<'_, T>,
    wasi: impl Fn(&mut T) -> &mut WasiP1Ctx + Copy,
    this: Read,
) -> Result<i32> {
    if let Some(errno) = read_without_copy(caller, wasi, this).await {
        return Ok(errno);
    }
    let fuel = caller.as_context_mut().hostcall_fuel();
    let export = caller.get_export("memory");
    let (mut memory, wasi) = match &export {
        Some(Extern::Memory(memory)) => {
            let (memory, data) = memory.data_and_store_mut(caller);
            (GuestMemory::Unshared(memory), wasi(data))
        }
        Some(Extern::SharedMemory(memory)) => (GuestMemory::Shared(memory.data()), wasi(caller.data_mut())),
        _ => bail!("missing required memory export"),
    };
    wasi.set_hostcall_fuel(fuel);
    let Read { fd, iovs, iovs_len, offset, nread } = this;
    match offset {
        Some(offset) => abi::fd_pread(wasi, &mut memory, fd, iovs, iovs_len, offset, nread).await,
        None => abi::fd_read(wasi, &mut memory, fd, iovs, iovs_len, nread).await,
    }
}
