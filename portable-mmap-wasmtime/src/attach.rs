//! The contract of an embedder, and the checks of the parts that can be checked.

use std::sync::Arc;

use wasmtime::{Config, Func, Result, Store, bail};

use crate::HostMapView;

/// Configures an engine so that memories can hold mappings: they never move.
pub fn configure(config: &mut Config) -> &mut Config {
    config.memory_may_move(false)
}

/// Lets the guest of a store map files into its memory.
///
/// Without this, or after [`detach`], the guest receives the result that mappings are not supported, and falls back to
/// the emulation.
///
/// # Safety
///
/// As long as the store lives and is not detached:
///
/// - The [`HostMapCtx`](crate::HostMapCtx) that [`host_map`](HostMapView::host_map) returns stays in the store's data,
///   and is dropped with it. It is not moved out, leaked, or swapped with that of another store, for example by
///   [`std::mem::swap`] of the data of two stores. At the end of the store it replaces the mappings with plain memory.
///   If it does not do this, or does it for another store or too late, a pooling allocator gives the next guest memory
///   that holds the file.
/// - If any component of the store was passed to [`HostMapCtxBuilder::component`](crate::HostMapCtxBuilder::component),
///   every component that is instantiated in the store was. Otherwise a mapping could lie over the initial memory of
///   another component, whose next instance in a pool would then read zeros instead of its data.
/// - [`Store::into_data`] is called only after [`detach`], because it releases the memories first.
/// - The engine has no custom [`MemoryCreator`](wasmtime::MemoryCreator) and no memory protection keys, because a
///   mapping over a page resets its key.
/// - Threads that run guests, or borrow their memory, do not block `SIGBUS`, and a handler for it that is installed
///   later passes on the signals that it does not handle. Otherwise a guest can end the process: it maps a file,
///   truncates it and accesses it.
/// - A file that the guest maps does not change while the host borrows memory of the guest. The host does that wherever
///   it receives a path, a string or a buffer, in wasmtime-wasi too, and in [`Memory::data`](wasmtime::Memory::data).
///   It is undefined behaviour if a byte changes during a borrow, and a guest decides when. So the default policy,
///   [`policy::immutable`], admits only files that nobody can change. With a policy that admits more, the embedder
///   guarantees that nobody changes the files, or that every guest that may change one or map it is trusted as much as
///   the host's own code.
///
/// [`policy::immutable`]: crate::policy::immutable
///
/// # Errors
///
/// Fails if the engine's memories may move, if the engine does not handle signals, or if the store is attached already.
/// The store is then unchanged.
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
    // The store owns this token and drops it with its memories: while a `Weak` of it can be upgraded, the memories
    // exist.
    let token = Arc::new(());
    store.data_mut().host_map().ctx.store = Some(Arc::downgrade(&token));
    Func::wrap(&mut *store, move || {
        let _ = &token;
    });
    Ok(())
}

/// Replaces all mappings of the store with plain memory, and lets its guest map no more. Call it before
/// [`Store::into_data`], and before the context is moved out of the store's data.
///
/// Bytes that the guest has stored in a shared mapping are in the file already. Pages of the former mappings then read
/// as zeros. This includes bytes that the guest has read without a copy, so the guest must not run any more.
pub fn detach<T: HostMapView>(store: &mut Store<T>) {
    let ctx = store.data_mut().host_map().ctx;
    ctx.clear();
    ctx.store = None;
}
