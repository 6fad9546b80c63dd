//! An `fd_pread` in the place of wasmtime-wasi's, which answers requests and hands everything else on.
//!
//! The function that it hands calls on to is public and not meant for others: that it does the same as the one that the linker
//! had before is to be looked at for each release of wasmtime-wasi.

use wasmtime::{AsContextMut as _, Caller, Extern, Linker, Result, bail};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as abi, WasiSnapshotPreview1 as _};
use wasmtime_wasi::runtime::in_tokio;
use wiggle::GuestMemory;

use super::{add_to_linker_async, add_to_linker_sync, answer, answer_async};
use crate::HostMapView;

/// Calls a function of wasmtime-wasi with its context and the guest's memory, as wasmtime-wasi's own linker does. The export
/// has to live as long as shared memory is borrowed, so this is no function.
macro_rules! with_wasi {
    ($caller:ident, $wasi:ident, $memory:ident => $call:expr) => {{
        let fuel = $caller.as_context_mut().hostcall_fuel();
        let export = $caller.get_export("memory");
        let (mut $memory, $wasi) = match &export {
            Some(Extern::Memory(memory)) => {
                let (memory, data) = memory.data_and_store_mut(&mut $caller);
                (GuestMemory::Unshared(memory), $wasi(data))
            }
            Some(Extern::SharedMemory(memory)) => (GuestMemory::Shared(memory.data()), $wasi($caller.data_mut())),
            _ => bail!("missing required memory export"),
        };
        $wasi.set_hostcall_fuel(fuel);
        $call
    }};
}

const WASI: &str = "wasi_snapshot_preview1";

/// [`add_to_linker_sync`], and an `fd_pread` in the place of the linker's that also serves guests without the import: those
/// which portable-mmap is built for without its feature `host-mapping`. Such a guest runs in every host.
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
            with_wasi!(caller, wasi, memory => in_tokio(abi::fd_pread(wasi, &mut memory, fd, iovs, iovs_len, offset, nread)))
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
                with_wasi!(caller, wasi, memory => abi::fd_pread(wasi, &mut memory, fd, iovs, iovs_len, offset, nread).await)
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}
