//! What an embedder promises, and what of it can be checked.

use std::sync::Arc;

use wasmtime::{Config, Func, Result, Store, bail};

use crate::HostMapView;

/// Configures an engine so that memories can hold mappings: they never move.
pub fn configure(config: &mut Config) -> &mut Config {
    config.memory_may_move(false)
}

/// Lets the guest of a store map files into its memory.
///
/// Without this, or after [`detach`], the guest is told that mappings are not supported, and falls back to the emulation.
///
/// # Safety
///
/// As long as the store lives and is not detached:
///
/// - The [`HostMapCtx`](crate::HostMapCtx) that [`host_map`](HostMapView::host_map) returns stays in the store's data, and is
///   dropped with it. It is neither moved out nor leaked nor swapped with that of another store, for example by
///   [`std::mem::swap`] of the data of two stores. At the end of the store it puts plain memory back in place of the mappings;
///   if it does not, does so for another store, or too late, a pooling allocator hands the file to the next guest.
/// - Every component that is instantiated in the store was handed to
///   [`HostMapCtxBuilder::component`](crate::HostMapCtxBuilder::component), if one was. A mapping over the memory that another
///   one begins with leaves its next instance in a pool zeros in place of its data.
/// - [`Store::into_data`] is called after [`detach`] alone: it gives the memories up first.
/// - The engine has no [`MemoryCreator`](wasmtime::MemoryCreator) of somebody else and no memory protection keys: a mapping
///   over a page resets its key.
/// - Threads that run guests, or borrow their memory, do not block `SIGBUS`, and whoever installs a handler for it later
///   passes on what is not their own. Else a guest ends the process: it maps a file, truncates it and touches it.
/// - Nobody changes a file that the guest maps while the host borrows memory of the guest. The host does that wherever it is
///   given a path, a string or a buffer, in wasmtime-wasi too, and in [`Memory::data`](wasmtime::Memory::data). A byte that
///   changes under a borrow is undefined behaviour, and a guest decides when. So the default policy, [`policy::immutable`],
///   admits only what nobody can change. A policy that admits more is a promise: that nobody changes the files, or that every
///   guest who may change one or map it is trusted as much as the host's own code is.
///
/// [`policy::immutable`]: crate::policy::immutable
///
/// # Errors
///
/// An engine whose memories may move, or which does not handle signals; a store that is attached already. The store is as
/// before.
pub unsafe fn attach<T: HostMapView + 'static>(store: &mut Store<T>) -> Result<()> {
    let engine = store.engine();
    if engine.get_memory_may_move() {
        bail!(
            "this engine's memories may move, which would copy mapped files: call `portable_mmap_wasmtime::configure`, or \
             `Config::memory_may_move(false)`"
        );
    }
    if !engine.get_signals_based_traps() {
        bail!("this engine handles no signals, so its memories need not lie in pages: leave `signals_based_traps` on");
    }
    if store.data_mut().host_map().ctx.is_attached() {
        bail!("this store's context is attached to a store already");
    }
    // Something that the store owns and drops with its memories. Whoever has a `Weak` of it knows whether they are there.
    let token = Arc::new(());
    store.data_mut().host_map().ctx.store = Some(Arc::downgrade(&token));
    Func::wrap(&mut *store, move || {
        let _ = &token;
    });
    Ok(())
}

/// Puts plain memory back in place of all mappings of the store, and lets its guest map no more: before
/// [`Store::into_data`], and before the context is moved out of the store's data.
///
/// What the guest has stored in a shared mapping is the file's already. Pages of it that are read afterwards are zeros; so is
/// what the guest has read without a copy, so that it is not to be run any more.
pub fn detach<T: HostMapView>(store: &mut Store<T>) {
    let ctx = store.data_mut().host_map().ctx;
    ctx.clear();
    ctx.store = None;
}
