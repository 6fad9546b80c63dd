//! `fd_pread` and `fd_read` that replace those of wasmtime-wasi: they perform requests, read without a copy, and
//! otherwise call wasmtime-wasi.
//!
//! The functions of wasmtime-wasi that they call are public and not meant for other crates. For each release of
//! wasmtime-wasi, check that they still do the same as those that the linker had before.

use wasmtime::{AsContextMut as _, Caller, Extern, Linker, Result, bail};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as abi, WasiSnapshotPreview1 as _};
use wasmtime_wasi::runtime::in_tokio;
use wiggle::GuestMemory;

use super::zero_copy::{Read, read_without_copy};
use super::{add_to_linker_async, add_to_linker_sync, answer, answer_async};
use crate::HostMapView;

const WASI: &str = "wasi_snapshot_preview1";

/// [`add_to_linker_sync`], and functions that replace the linker's. Its `fd_pread` also serves guests without the
/// import: portable-mmap without its feature `host-mapping`, which runs in every host. `fd_pread` and `fd_read` also
/// implement [`zero_copy_reads`](crate::HostMapCtxBuilder::zero_copy_reads).
///
/// Call it after [`wasmtime_wasi::p1::add_to_linker_sync`], with the same function that returns WASI's context.
/// Afterwards, as in a new linker, functions cannot be shadowed: see [`Linker::allow_shadowing`].
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

/// Reads without a copy if possible, and otherwise with wasmtime-wasi's function, which gets the context and the
/// guest's memory in the same way as from its own linker.
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
