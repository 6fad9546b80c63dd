//! Real file mappings inside the memory of wasmtime's guests.
//!
//! A program on WASI has no `mmap`: it reads a file, and then has its own copy of the bytes. With this crate, a host
//! places a mapping of its operating system over a block of the guest's linear memory. Mapping a file of 1 GiB takes
//! microseconds. The guest shares the file's pages with the system's cache and with every other guest and process that
//! maps the file, and a store to a shared mapping changes the file immediately.
//!
//! The guest uses [`portable-mmap`](portable_mmap). Its code is the same as for a native target: `Mmap` requests a
//! mapping from the host, and becomes a buffer if the host does not map the file. Built for `wasm32-wasip1`, the same
//! program also runs in hosts without this crate. Built for `wasm32-wasip2`, it needs the feature `host-mapping`, and a
//! host that maps files.
//!
//! This example is a host of modules of WASI Preview 1. A host of components has its example in [`p2`].
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
//! # How guests request mappings
//!
//! | the guest | how it requests a mapping | what the host needs |
//! |---|---|---|
//! | unchanged | with `fd_pread`, at an offset where no file has bytes | the feature `handshake`, and [`add_to_linker_with_handshake_sync`](p1) or `..._async` |
//! | unchanged | in the same way | its own `fd_pread`, which calls [`p1::answer`] first |
//! | built with portable-mmap's feature `host-mapping` | with an import, without which it cannot be instantiated | [`p1::add_to_linker_sync`] or [`p1::add_to_linker_async`]; the functions with a handshake add these imports too |
//!
//! The feature `handshake` calls functions that wasmtime-wasi does not mean for other crates; the rest of this crate
//! does not. A module that exports no memory with the name `memory` cannot map files: its calls return an error, or end
//! it.
//!
//! A host needs the features `cranelift` of wasmtime, to compile modules, and `p1` of wasmtime-wasi, or `p2` for
//! components.
//!
//! # Guests that do not request mappings
//!
//! With the feature `handshake`, a host can also map a file instead of copying what a guest reads: see
//! `HostMapCtxBuilder::zero_copy_reads`. The guest can be any program that reads many whole pages at once into memory
//! that starts at a page boundary, as portable-mmap's emulation does. The option is for files that never change, and
//! off by default.
//!
//! # Guests and files that a host may serve
//!
//! | the guest | the files | the policy |
//! |---|---|---|
//! | any | files that nobody can change: sealed memory files, fs-verity, squashfs, erofs | [`policy::immutable`], the default |
//! | any | files that the operator guarantees not to change while guests run | your own, for [`Access::Private`] only |
//! | trusted as much as the host's own code | any | [`policy::trusted`] |
//!
//! So with the default policy, files of an ordinary directory are not mapped, and the guest reads them: its
//! `backend_name` is `"buffered"`. A sealed memory file has no path with which a guest could open it. A host adds it to
//! the guest's table, as a
//! [`Descriptor::File`](wasmtime_wasi::filesystem::Descriptor).
//!
//! The reason is not what the guest can access: it maps only files that it has open, with the permissions that it has.
//! The reason is the host's own code. It borrows the guest's memory whenever it receives a path or a buffer, and it is
//! undefined behaviour if a byte changes during a borrow. The documentation of [`attach`] is the whole contract.
//!
//! # What is enforced
//!
//! - Mapped pages are always readable and writable, so no store by the host or by `memory.fill` hits a protected page.
//!   Without [`Access::Shared`] they are private: such a store stays in the guest.
//! - An access to bytes that the file no longer has reads zeros, in the guest's code and in the host's. A handler for
//!   `SIGBUS`, which all of portable-mmap shares, does this; the guest can query where it happened. With
//!   [`OnFault::Trap`] such a load or store in the guest's code ends the guest instead.
//! - The host restores plain memory before the guest's allocator gets a block again, and before the store releases its
//!   memory. If the system cannot do that, the process is aborted, because the next guest must not read the file.
//! - A block lies in the guest's memory, behind the memory that its module starts with, and overlaps no other mapping.
//!   Memory that may move, is shared between threads or has 64-bit addresses is not mapped over. [`p2`] explains how
//!   the host checks this for a component's memory.
//! - Mappings and bytes are limited for each store, and mappings for the process. On Linux a process has a limited
//!   number of areas of memory, and its allocator fails when there are no more. A guest that maps, stores and unmaps in
//!   a bad order leaves some behind until its store is dropped. So the areas are counted, and no guest maps any more
//!   when three quarters of them are in use.
//!
//! # What a hostile guest can do
//!
//! - **Block a thread**: a load of a mapped byte waits for the disk, and neither fuel nor an epoch interrupts it. In an
//!   asynchronous host it blocks the executor's thread; a dead network file system blocks it forever.
//! - **Occupy disk space**: a mapping keeps the blocks of a deleted file until it ends.
//! - **Write fast**: through a shared mapping it makes pages dirty faster than a limit on writes can account for.
//! - **Observe others**: guests that map the same file can tell from timing which of its pages another guest has used.
//! - **Use up the areas of memory** that guests may have: other guests then map nothing more until its store is
//!   dropped, and read files instead. A lower limit of [`max_mappings`](HostMapCtxBuilder::max_mappings) makes that
//!   slower.
//! - **Use up its own memory**: private pages that it changes are its own. Limits on linear memory count them already,
//!   because a mapping lies in linear memory.
//!
//! It cannot read or change a file that it has not opened, access memory of the host or of another store, leave a file
//! in memory for the next guest, or end the process by truncating a file.
//!
//! # Systems
//!
//! The crate is tested only on Linux. It compiles for macOS, where it has not been run yet. On Windows a file cannot be
//! mapped over existing memory. There a guest receives the result that mappings are not supported, and reads files
//! instead.
//!
//! Each release is for one release of wasmtime: this one is for 48.

#![cfg_attr(not(unix), allow(clippy::zero_sized_map_values, reason = "nothing is mapped on these targets"))]
#![cfg_attr(
    not(feature = "handshake"),
    allow(dead_code, reason = "the feature adds the functions that read without a copy")
)]

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
