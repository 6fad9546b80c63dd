//! For modules of WASI Preview 1: with imported functions, or with a call that every host has.
//!
//! A guest that imports the functions runs only in hosts that provide them. A guest without the import calls
//! `fd_pread`, and runs in every host. [`answer`] recognizes such a request and performs it. With the feature
//! `handshake`, the functions `add_to_linker_with_handshake_sync` and `add_to_linker_with_handshake_async` replace
//! wasmtime-wasi's `fd_pread` with one that calls it.

mod handshake;
#[cfg(feature = "handshake")]
mod shadow;
#[cfg(feature = "handshake")]
mod zero_copy;

use std::ops::Range;

use portable_mmap::host::request::Request;
use portable_mmap::host::{MODULE, errno};
use wasmtime::{Caller, Extern, Linker, Memory, Result};

pub use handshake::{answer, answer_async};
#[cfg(feature = "handshake")]
pub use shadow::{add_to_linker_with_handshake_async, add_to_linker_with_handshake_sync};

use crate::calls::{self, GuestMemory, mapping, prepare_sync};
use crate::memory::sync_number;
use crate::{HostMapCtx, HostMapView, trap};

/// Adds the functions that a guest with portable-mmap's feature `host-mapping` imports.
///
/// A `sync` of the guest blocks this thread until the disk is done. In an asynchronous host use
/// [`add_to_linker_async`].
///
/// # Errors
/// Fails if the linker already has the functions.
pub fn add_to_linker_sync<T: HostMapView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    add_common(linker)?;
    linker.func_wrap(MODULE, "sync", |mut caller: Caller<'_, T>, handle: i32, offset: u32, len: u32, how: u32| {
        number(perform(&mut caller, Request::Sync { handle, offset, len, how }).blocking(&mut caller))
    })?;
    Ok(())
}

/// [`add_to_linker_sync`], for stores of an asynchronous host: a `sync` of the guest waits on a thread of its own. It
/// writes the whole file to the disk, not only the range.
///
/// # Errors
/// As for [`add_to_linker_sync`].
pub fn add_to_linker_async<T: HostMapView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    add_common(linker)?;
    linker.func_wrap_async(
        MODULE,
        "sync",
        |mut caller: Caller<'_, T>, (handle, offset, len, how): (i32, u32, u32, u32)| {
            Box::new(async move {
                let outcome = perform(&mut caller, Request::Sync { handle, offset, len, how });
                number(outcome.waiting(&mut caller).await)
            })
        },
    )?;
    Ok(())
}

/// Adds all functions except `sync`, which may take long.
fn add_common<T: HostMapView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    linker.func_wrap(
        MODULE,
        "map",
        |mut caller: Caller<'_, T>, file: u64, offset: u64, start: u32, len: u32, flags: u32| {
            number(at_once(&mut caller, Request::Map { file, offset, start, len, flags }))
        },
    )?;
    linker.func_wrap(MODULE, "unmap", |mut caller: Caller<'_, T>, handle: i32| {
        number(at_once(&mut caller, Request::Unmap { handle }))
    })?;
    linker.func_wrap(
        MODULE,
        "advise",
        |mut caller: Caller<'_, T>, handle: i32, offset: u32, len: u32, advice: u32| {
            number(at_once(&mut caller, Request::Advise { handle, offset, len, advice }))
        },
    )?;
    linker.func_wrap(MODULE, "refresh", |mut caller: Caller<'_, T>, handle: i32, offset: u32, len: u32| {
        number(at_once(&mut caller, Request::Refresh { handle, offset, len }))
    })?;
    linker.func_wrap(MODULE, "fault", |mut caller: Caller<'_, T>, handle: i32| {
        at_once(&mut caller, Request::Fault { handle })
    })?;
    linker.func_wrap(MODULE, "lost", |mut caller: Caller<'_, T>, handle: i32, offset: u32| {
        number(at_once(&mut caller, Request::Lost { handle, offset }))
    })?;
    Ok(())
}

/// A result of 32 bits. Every result except that of `fault` has 32.
fn number(result: i64) -> i32 {
    i32::try_from(result).unwrap_or(-errno::INVAL)
}

/// The outcome of a request.
enum Outcome {
    /// The result; an errno is negative.
    Result(i64),
    /// These bytes of a mapping have to be written to the disk, which may take long.
    ToSync(i32, Range<usize>),
}

impl Outcome {
    /// The result, once the bytes are on the disk.
    fn blocking<T: HostMapView + 'static>(self, caller: &mut Caller<'_, T>) -> i64 {
        match self {
            Self::Result(result) => result,
            Self::ToSync(handle, range) => {
                encoded(mapping(ctx(caller), handle).and_then(|placed| placed.sync(&range)).map(|()| 0))
            }
        }
    }

    /// The result, once the whole file is on the disk. Another thread writes it.
    async fn waiting<T: HostMapView + 'static>(self, caller: &mut Caller<'_, T>) -> i64 {
        let handle = match self {
            Self::Result(result) => return result,
            Self::ToSync(handle, _) => handle,
        };
        let file = match mapping(ctx(caller), handle) {
            Ok(placed) => placed.file_to_sync(),
            Err(errno) => return encoded(Err(errno)),
        };
        let Some(file) = file else { return 0 };
        let synced = wasmtime_wasi::runtime::spawn_blocking(move || file.sync_data()).await;
        encoded(synced.map(|()| 0).map_err(|error| sync_number(&error)))
    }
}

/// A result as guests receive it: an errno is negative.
fn encoded(result: Result<i64, i32>) -> i64 {
    result.unwrap_or_else(|errno| i64::from(-errno))
}

/// Performs a request that takes no time: every request except a sync.
fn at_once<T: HostMapView + 'static>(caller: &mut Caller<'_, T>, request: Request) -> i64 {
    match perform(caller, request) {
        Outcome::Result(result) => result,
        Outcome::ToSync(..) => encoded(Err(errno::INVAL)),
    }
}

/// Performs a request, except that it does not wait for a disk.
fn perform<T: HostMapView + 'static>(caller: &mut Caller<'_, T>, request: Request) -> Outcome {
    let result = match request {
        Request::Probe => {
            let has_memory = memory(caller).is_ok();
            Ok(i64::from(has_memory && ctx(caller).is_attached()))
        }
        Request::Map { file, offset, start, len, flags } => {
            let request = calls::Request { inode: file, offset, start: start as usize, len: len as usize, flags };
            let mapped =
                memory(caller).and_then(|(_, memory)| calls::map(caller.data_mut().host_map(), memory, request));
            mapped.map(i64::from)
        }
        Request::Unmap { handle } => calls::unmap(ctx(caller), handle).map(|()| 0),
        Request::Sync { handle, offset, len, how } => match prepare_sync(ctx(caller), handle, offset, len, how) {
            Ok(Some(range)) => return Outcome::ToSync(handle, range),
            Ok(None) => Ok(0),
            Err(errno) => Err(errno),
        },
        Request::Advise { handle, offset, len, advice } => {
            calls::advise(ctx(caller), handle, offset, len, advice).map(|()| 0)
        }
        Request::Refresh { handle, offset, len } => calls::refresh(ctx(caller), handle, offset, len).map(|()| 0),
        Request::Fault { handle } => calls::fault(ctx(caller), handle),
        Request::Lost { handle, offset } => calls::is_lost(ctx(caller), handle, offset).map(i64::from),
    };
    Outcome::Result(encoded(result))
}

fn ctx<'c, T: HostMapView + 'static>(caller: &'c mut Caller<'_, T>) -> &'c mut HostMapCtx {
    caller.data_mut().host_map().ctx
}

/// The caller's memory.
fn memory<T: HostMapView + 'static>(caller: &mut Caller<'_, T>) -> Result<(Memory, GuestMemory), i32> {
    let memory = match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => memory,
        // Other threads may use it at the same time.
        Some(Extern::SharedMemory(_)) => return Err(errno::NOTSUP),
        _ => return Err(errno::INVAL),
    };
    let memory_type = memory.ty(&*caller);
    if memory_type.is_64() || memory_type.is_shared() {
        return Err(errno::NOTSUP);
    }
    let on_fault = ctx(caller).on_fault();
    let guest = GuestMemory {
        base: memory.data_ptr(&*caller),
        size: memory.data_size(&*caller),
        initial: memory_type.minimum().saturating_mul(memory_type.page_size()),
        traps: trap::of_caller(on_fault, &*caller),
    };
    Ok((memory, guest))
}
