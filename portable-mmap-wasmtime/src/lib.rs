//! Real file mappings inside the memory of wasmtime's guests.
//!
//! A program on WASI has no `mmap`: it reads a file, and what it has read is its own copy. With this crate a host places a
//! mapping of its operating system over a block of the guest's linear memory. Mapping a file of 1 GiB takes microseconds,
//! its pages are shared with the system's cache and with every other guest and process that maps the file, and what is
//! stored is in the file at once.
//!
//! The guest uses [`portable-mmap`](portable_mmap). It needs no other code than natively: `Mmap` asks the host, and becomes a
//! buffer where the host does not map a file. Built for `wasm32-wasip1`, the same program runs in hosts without this crate.
//! Built for `wasm32-wasip2`, it needs the feature `host-mapping`, and a host that maps files.
//!
//! This is a host of modules of WASI Preview 1. A host of components has the example in [`p2`].
//!
//! ```no_run
//! use std::path::Path;
//!
//! use portable_mmap_wasmtime::{HostMapCtx, HostMapCtxView, HostMapView, attach, configure};
//! use wasmtime::{Config, Engine, Linker, Module, Result, Store};
//! use wasmtime_wasi::p1::{self, WasiP1Ctx};
//! use wasmtime_wasi::{FsPerms, WasiCtx, WasiView as _};
//!
//! struct Data {
//!     wasi: WasiP1Ctx,
//!     host_map: HostMapCtx,
//! }
//!
//! impl HostMapView for Data {
//!     fn host_map(&mut self) -> HostMapCtxView<'_> {
//!         HostMapCtxView { ctx: &mut self.host_map, table: self.wasi.ctx().table }
//!     }
//! }
//!
//! fn run(program: &Path, dir: &Path) -> Result<()> {
//!     let engine = Engine::new(configure(&mut Config::new()))?;
//!     let module = Module::from_file(&engine, program)?;
//!     let mut linker = Linker::<Data>::new(&engine);
//!     p1::add_to_linker_sync(&mut linker, |data| &mut data.wasi)?;
//!     portable_mmap_wasmtime::p1::add_to_linker_with_handshake_sync(&mut linker, |data| &mut data.wasi)?;
//!
//!     let wasi = WasiCtx::builder().inherit_stdio().preopened_dir(dir, "/", FsPerms::ReadOnly)?.build_p1();
//!     let mut store = Store::new(&engine, Data { wasi, host_map: HostMapCtx::new() });
//!     // SAFETY: the context stays in the store's data, nobody blocks `SIGBUS`, and the policy is the default one.
//!     unsafe { attach(&mut store)? };
//!     let instance = linker.instantiate(&mut store, &module)?;
//!     instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())
//! }
//! # let _ = run;
//! ```
//!
//! # How guests ask
//!
//! | the guest | how it asks | the host |
//! |---|---|---|
//! | as it is | by `fd_pread`, at an offset where no file has bytes | the feature `handshake`, and [`add_to_linker_with_handshake_sync`](p1) or `..._async` |
//! | as it is | in the same way | an `fd_pread` of the embedder's own, which calls [`p1::answer`] first |
//! | with portable-mmap's feature `host-mapping` | by an import, without which it is not instantiated | [`p1::add_to_linker_sync`] or [`p1::add_to_linker_async`]; the functions with a handshake add these imports as well |
//!
//! The feature `handshake` calls functions that wasmtime-wasi says are not for others; the rest does not. A module that exports
//! no memory of the name `memory` maps nothing: its calls return an error, or end it.
//!
//! A host needs the features `cranelift` of wasmtime, to compile modules, and `p1` of wasmtime-wasi, or `p2` for components.
//!
//! # Guests that do not ask
//!
//! With the feature `handshake` a host can also map a file in place of copying what a guest reads: see
//! `HostMapCtxBuilder::zero_copy_reads`. The guest is any program that reads many whole pages at once into memory that starts
//! at a page, as portable-mmap's emulation does. It is for files that nobody changes, and off by default.
//!
//! # Whom it may serve
//!
//! | the guest | the files | the policy |
//! |---|---|---|
//! | anybody's | that nobody can change: sealed memory files, fs-verity, squashfs, erofs | [`policy::immutable`], the default |
//! | anybody's | that the operator knows nobody changes while guests run | one of yours, for [`Access::Private`] alone |
//! | trusted as much as the host's own code | any | [`policy::trusted`] |
//!
//! So with the default policy, files of an ordinary directory are not mapped, and the guest reads them: its `backend_name` is
//! `"buffered"`. A sealed memory file has no path under which a guest could open it. A host puts it into the guest's table,
//! as a [`Descriptor::File`](wasmtime_wasi::filesystem::Descriptor).
//!
//! The reason is not what the guest can reach: it maps only files that it has open, with the permissions that it has. The
//! reason is the host's own code. It borrows the guest's memory whenever it is given a path or a buffer, and a byte that
//! somebody changes under a borrow is undefined behaviour. The text of [`attach`] is the whole contract.
//!
//! # What is enforced
//!
//! - Mapped pages are always readable and writable, so that no store by the host or by `memory.fill` meets a protected page.
//!   Without [`Access::Shared`] they are private: such a store stays in the guest.
//! - A touch of what the file no longer has reads zeros, in the guest's code and in the host's. A handler for `SIGBUS`,
//!   which all of portable-mmap shares, sees to that; the guest can ask where it happened. With [`OnFault::Trap`] such a load
//!   or store in the guest's code ends the guest instead.
//! - Plain memory is put back before the guest's allocator gets a block again, and before the store gives its memory up. If
//!   the system does not do that, the process is aborted: the next guest must not see the file.
//! - A block lies in the guest's memory, behind what its module starts with, and overlaps no other mapping. Memory that may
//!   move, is shared between threads or has 64-bit addresses is not mapped over. How that is known of a component's memory,
//!   [`p2`] says.
//! - Mappings and bytes are limited for each store, and mappings for the process. On Linux a process has so many areas of
//!   memory, and its allocator fails when there are no more. A guest that maps, stores and unmaps in a bad order leaves some
//!   behind until its store is dropped; so they are counted, and a guest maps no more when three quarters are taken.
//!
//! # What a hostile guest can do
//!
//! - **Wait**: a load of a mapped byte waits for the disk, and neither fuel nor an epoch interrupts it. In an asynchronous
//!   host it blocks the executor's thread; a dead network file system blocks it for ever.
//! - **Keep a file's room**: a mapping keeps the blocks of a deleted file until it ends.
//! - **Write fast**: through a shared mapping it makes pages dirty faster than a limit on writes sees.
//! - **Watch others**: guests that map one file can tell by time which of its pages another has used.
//! - **Use the areas of memory up** that guests may have: others then map nothing more until its store is dropped, and read
//!   files instead. Fewer [`max_mappings`](HostMapCtxBuilder::max_mappings) make that slower.
//! - **Use its memory up**: private pages that it changes are its own. Limits on linear memory count them already, since a
//!   mapping lies in linear memory.
//!
//! It cannot read or change a file that it has not opened, reach memory of the host or of another store, leave a file in memory that
//! the next guest gets, or end the process by truncating a file.
//!
//! # Systems
//!
//! It is tested on Linux alone. It compiles for macOS, where nobody has run it yet. On Windows, where a file cannot be mapped
//! over memory that is there, a guest is told that mappings are not supported, and reads files instead.
//!
//! Each release is for one release of wasmtime: this one is for 48.

#![cfg_attr(not(unix), allow(clippy::zero_sized_map_values, reason = "nothing is mapped there"))]
#![cfg_attr(not(feature = "handshake"), allow(dead_code, reason = "it adds the functions that read without a copy"))]

mod attach;
mod calls;
mod components;
mod ctx;
mod file;
mod memory;
pub mod p1;
pub mod p2;
pub mod policy;
mod reads;
mod trap;
mod used;

pub use attach::{attach, configure, detach};
pub use ctx::{Access, HostMapCtx, HostMapCtxBuilder, HostMapCtxView, HostMapView};
pub use trap::OnFault;
