//! For components of WASI Preview 2, with an imported interface: `mapping` of `wit/host.wit`.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use portable_mmap_wasmtime::{HostMapCtx, HostMapCtxView, HostMapView, attach, configure};
//! use wasmtime::component::{Component, Linker, ResourceTable};
//! use wasmtime::{Config, Engine, Result, Store, bail};
//! use wasmtime_wasi::p2::bindings::sync::Command;
//! use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
//!
//! struct Data {
//!     wasi: WasiCtx,
//!     table: ResourceTable,
//!     host_map: HostMapCtx,
//! }
//!
//! impl WasiView for Data {
//!     fn ctx(&mut self) -> WasiCtxView<'_> {
//!         WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
//!     }
//! }
//!
//! impl HostMapView for Data {
//!     fn host_map(&mut self) -> HostMapCtxView<'_> {
//!         HostMapCtxView { ctx: &mut self.host_map, table: &mut self.table }
//!     }
//! }
//!
//! fn run(program: &Path, dir: &Path) -> Result<()> {
//!     let engine = Engine::new(configure(&mut Config::new()))?;
//!     let component = Component::from_file(&engine, program)?;
//!     let mut linker = Linker::<Data>::new(&engine);
//!     wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
//!     portable_mmap_wasmtime::p2::add_to_linker_sync(&mut linker)?;
//!
//!     let wasi = WasiCtx::builder().inherit_stdio().preopened_dir(dir, "/", FsPerms::ReadOnly)?.build();
//!     let host_map = HostMapCtx::builder().component(&component).build();
//!     let mut store = Store::new(&engine, Data { wasi, table: ResourceTable::new(), host_map });
//!     // SAFETY: the context stays in the store's data and has the component, nobody blocks `SIGBUS`, and the policy
//!     // is the default one.
//!     unsafe { attach(&mut store)? };
//!     let command = Command::instantiate(&mut store, &component, &linker)?;
//!     match command.wasi_cli_run().call_run(&mut store)? {
//!         Ok(()) => Ok(()),
//!         Err(()) => bail!("the program failed"),
//!     }
//! }
//! # let _ = run;
//! ```
//!
//! # How the host finds the block
//!
//! wasmtime does not tell a function of the host which memory its caller has. It passes lists, and the host can read
//! the addresses of their bytes. So a component passes three lists of one byte, and the host uses only their addresses:
//!
//! - wasmtime has checked that each list lies in the memory that the import was lowered with. An import has one such
//!   memory, so the three bytes, and all bytes between them, are bytes of one memory. A list whose length is not one is
//!   an error.
//! - `first` and `last` are the ends of the block: `last - first + 1` is its length, whole blocks of 64 KiB. Where
//!   components are composed, an adapter copies each list into the memory of the component that calls the host. The
//!   copies do not have this distance by chance. If they have it, that component has placed them so, and the block lies
//!   in its own memory.
//! - `origin` is the byte at address 0. The host cannot check that, but it does not lie before the memory's first byte.
//!   So if a component passes another byte, the host assumes that its memory begins later than it does. The checks
//!   against the start and the initial size of the memory are then only stricter.
//! - The initial size of the caller's memory is not known either. It is at most that of the largest memory that the
//!   component defines: [`HostMapCtxBuilder::component`]. The memory of an import has addresses of 32 bits and is not
//!   shared with other threads, unless the engine has [`wasm_component_model_memory64`], where addresses are longer and
//!   the same holds.
//!
//! [`HostMapCtxBuilder::component`]: crate::HostMapCtxBuilder::component
//! [`wasm_component_model_memory64`]: wasmtime::Config::wasm_component_model_memory64

use std::ops::Range;
use std::ptr;

use portable_mmap::host::{BLOCK, INTERFACE, errno};
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType, WasmList};
use wasmtime::{Result, StoreContextMut};

use crate::calls::{self, GuestMemory, Request, mapping, prepare_sync};
use crate::memory::sync_number;
use crate::{HostMapCtx, HostMapView, trap};

mod types;

use types::{Advice, ErrorCode, Fault, How, Kind};

/// Adds the interface that a component with portable-mmap's feature `host-mapping` imports.
///
/// A `sync` of the component blocks this thread until the disk is done. In an asynchronous host use
/// [`add_to_linker_async`].
///
/// # Errors
/// Fails if the linker already has the interface.
pub fn add_to_linker_sync<T: HostMapView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    let mut interface = linker.instance(INTERFACE)?;
    add_common(&mut interface)?;
    interface.func_wrap("[method]mapped.sync", |mut store: StoreContextMut<'_, T>, call: (Handle, u64, u64, How)| {
        let (handle, offset, len, how) = call;
        let ctx = ctx(&mut store);
        let synced = prepare(ctx, &handle, offset, len, how).and_then(|range| match range {
            Some(range) => mapping(ctx, number(&handle))?.sync(&range),
            None => Ok(()),
        });
        Ok((result(synced),))
    })
}

/// [`add_to_linker_sync`], for stores of an asynchronous host: a `sync` of the component waits on a thread of its own.
/// It writes the whole file to the disk, not only the range.
///
/// # Errors
/// As for [`add_to_linker_sync`].
pub fn add_to_linker_async<T: HostMapView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    let mut interface = linker.instance(INTERFACE)?;
    add_common(&mut interface)?;
    interface.func_wrap_async(
        "[method]mapped.sync",
        |mut store: StoreContextMut<'_, T>, call: (Handle, u64, u64, How)| {
            let (handle, offset, len, how) = call;
            let ctx = ctx(&mut store);
            let file = prepare(ctx, &handle, offset, len, how).and_then(|range| match range {
                Some(_) => Ok(mapping(ctx, number(&handle))?.file_to_sync()),
                None => Ok(None),
            });
            Box::new(async move {
                let file = match file {
                    Ok(Some(file)) => file,
                    Ok(None) => return Ok((Ok(()),)),
                    Err(errno) => return Ok((Err(errno.into()),)),
                };
                let synced = wasmtime_wasi::runtime::spawn_blocking(move || file.sync_data()).await;
                Ok((result(synced.map_err(|error| sync_number(&error))),))
            })
        },
    )
}

/// Adds all of the interface except `sync`, which may take long.
fn add_common<T: HostMapView + 'static>(interface: &mut LinkerInstance<'_, T>) -> Result<()> {
    interface.resource("mapped", ResourceType::host::<Mapped>(), |mut store, handle| {
        // A detached store has removed the mapping already.
        let _ = calls::unmap(ctx(&mut store), handle.cast_signed());
        Ok(())
    })?;
    interface.func_wrap("place", |mut store: StoreContextMut<'_, T>, parameters: Parameters| {
        Ok((place(&mut store, &parameters),))
    })?;
    interface.func_wrap(
        "[method]mapped.advise",
        |mut store: StoreContextMut<'_, T>, (handle, offset, len, advice): (Handle, u64, u64, Advice)| {
            let advised = small(offset, len)
                .and_then(|(offset, len)| calls::advise(ctx(&mut store), number(&handle), offset, len, advice as u32));
            Ok((result(advised),))
        },
    )?;
    interface.func_wrap(
        "[method]mapped.refresh",
        |mut store: StoreContextMut<'_, T>, (handle, offset, len): (Handle, u64, u64)| {
            let refreshed = small(offset, len)
                .and_then(|(offset, len)| calls::refresh(ctx(&mut store), number(&handle), offset, len));
            Ok((result(refreshed),))
        },
    )?;
    interface.func_wrap("[method]mapped.fault", |mut store: StoreContextMut<'_, T>, (handle,): (Handle,)| {
        let fault = mapping(ctx(&mut store), number(&handle)).map(|placed| placed.fault().map(Fault::from));
        Ok((result(fault),))
    })?;
    interface.func_wrap("[method]mapped.lost", |mut store: StoreContextMut<'_, T>, (handle, offset): (Handle, u64)| {
        let lost = small(offset, 1).and_then(|(offset, _)| calls::is_lost(ctx(&mut store), number(&handle), offset));
        Ok((result(lost),))
    })
}

/// A mapping, as components have it. Its representation is its handle in the context, which a component cannot forge.
#[derive(Debug)]
enum Mapped {}

type Handle = Resource<Mapped>;

fn number(handle: &Handle) -> i32 {
    handle.rep().cast_signed()
}

/// The parameters of `place`.
type Parameters = (u64, u64, u64, WasmList<u8>, WasmList<u8>, WasmList<u8>, Kind);

fn place<T: HostMapView + 'static>(
    store: &mut StoreContextMut<'_, T>,
    (inode, offset, len, origin, first, last, kind): &Parameters,
) -> Result<Option<Handle>, ErrorCode> {
    // Nothing is known about the memory of a component that the embedder has not passed to the context.
    let Some(initial) = ctx(store).component_memory() else { return Ok(None) };
    let (base, start, len) = block([origin, first, last].map(|list| address(store, list)), *len)?;
    let on_fault = ctx(store).on_fault();
    // As far as the host knows, the memory ends with the block.
    let size = start + len.next_multiple_of(BLOCK);
    let memory = GuestMemory { base, size, initial, traps: trap::of_caller(on_fault, &*store) };
    let request = Request { inode: *inode, offset: *offset, start, len, flags: *kind as u32 };
    let handle = calls::map(store.data_mut().host_map(), memory, request)?;
    Ok((handle > 0).then(|| Resource::new_own(handle.cast_unsigned())))
}

/// The address of the byte of a list of one byte.
fn address<T: 'static>(store: &StoreContextMut<'_, T>, list: &WasmList<u8>) -> Option<*mut u8> {
    match list.as_le_slice(store) {
        [byte] => Some(ptr::from_ref(byte).cast_mut()),
        _ => None,
    }
}

/// The base of the memory, as far as the host knows, and the start and the length of the block in it.
fn block(lists: [Option<*mut u8>; 3], len: u64) -> Result<(*mut u8, usize, usize), i32> {
    let [Some(base), Some(first), Some(last)] = lists else { return Err(errno::INVAL) };
    let len = usize::try_from(len).map_err(|_| errno::INVAL)?;
    let distance = |from: *mut u8, to: *mut u8| to.addr().checked_sub(from.addr());
    if distance(first, last).map(|distance| distance + 1) != len.checked_next_multiple_of(BLOCK) {
        return Err(errno::INVAL);
    }
    Ok((base, distance(base, first).ok_or(errno::FAULT)?, len))
}

/// Offsets and lengths in a mapping have 32 bits.
fn small(offset: u64, len: u64) -> Result<(u32, u32), i32> {
    let small = |number: u64| u32::try_from(number).map_err(|_| errno::INVAL);
    Ok((small(offset)?, small(len)?))
}

fn prepare(
    ctx: &mut HostMapCtx,
    handle: &Handle,
    offset: u64,
    len: u64,
    how: How,
) -> Result<Option<Range<usize>>, i32> {
    let (offset, len) = small(offset, len)?;
    prepare_sync(ctx, number(handle), offset, len, how as u32)
}

fn result<R>(done: Result<R, i32>) -> Result<R, ErrorCode> {
    done.map_err(ErrorCode::from)
}

fn ctx<'c, T: HostMapView + 'static>(store: &'c mut StoreContextMut<'_, T>) -> &'c mut HostMapCtx {
    store.data_mut().host_map().ctx
}
