//! What one store's guest may map, and what it has mapped.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use portable_mmap::host::errno;
use wasmtime::component::{Component, ResourceTable};

use crate::components::Components;
use crate::memory::{Placed, join};
use crate::used::{UsedMemories, overlap};
use crate::{OnFault, policy};

/// How many mappings this process has placed in guests.
static PLACED: AtomicUsize = AtomicUsize::new(0);

/// How many mappings a store may have, unless its builder says otherwise.
const MAX_MAPPINGS: usize = 64;

/// How many bytes a store may have mapped, unless its builder says otherwise: all that its memory can hold.
const MAX_BYTES: u64 = 4 << 30;

/// How many mappings the stores of a process may have, unless a builder says otherwise. Each takes up to 20 of the areas of
/// memory that Linux gives a process, 65,530 unless `vm.max_map_count` says otherwise. At that limit allocators fail, and a
/// host ends. What mappings leave behind is counted beside this: see `memory/areas.rs`.
const MAX_PROCESS_MAPPINGS: usize = 2048;

/// What a guest wants of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// The guest reads the file. What it stores stays in its own memory.
    Private,
    /// What the guest stores reaches the file, at once.
    Shared,
}

type Policy = dyn Fn(&File, Access) -> bool + Send + Sync;

/// What one store's guest may map, and what it has mapped. It belongs to the store's data, see [`attach`](crate::attach).
pub struct HostMapCtx {
    /// Of the token that the store owns: dead once the store has given its memories up. `None`: not attached.
    pub(crate) store: Option<Weak<()>>,
    max_mappings: usize,
    max_bytes: u64,
    max_process_mappings: usize,
    policy: Arc<Policy>,
    on_fault: OnFault,
    mappings: BTreeMap<i32, Placed>,
    /// Where there have been mappings.
    used: UsedMemories,
    components: Components,
    /// How many bytes are mapped.
    bytes: u64,
    last_handle: i32,
}

impl HostMapCtx {
    /// A context with the defaults of [`HostMapCtxBuilder`], which are right for guests that nobody trusts.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A builder of a context.
    #[must_use]
    pub fn builder() -> HostMapCtxBuilder {
        HostMapCtxBuilder {
            max_mappings: MAX_MAPPINGS,
            max_bytes: MAX_BYTES,
            max_process_mappings: MAX_PROCESS_MAPPINGS,
            policy: Arc::new(policy::immutable),
            on_fault: OnFault::default(),
            components: Components::default(),
        }
    }

    /// How many mappings the store has.
    #[must_use]
    pub fn mappings(&self) -> usize {
        self.mappings.len()
    }

    /// How many bytes of the store's memory are mapped, in whole pages.
    #[must_use]
    pub fn mapped_bytes(&self) -> u64 {
        self.bytes
    }

    /// How many mappings all stores of this process have.
    #[must_use]
    pub fn process_mappings() -> usize {
        PLACED.load(Ordering::Relaxed)
    }

    /// Whether the store has the memory that mappings are placed in.
    pub(crate) fn is_attached(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.strong_count() > 0)
    }

    pub(crate) fn allows(&self, file: &File, access: Access) -> bool {
        (self.policy)(file, access)
    }

    pub(crate) fn on_fault(&self) -> OnFault {
        self.on_fault
    }

    /// Whether a range of addresses overlaps a mapping.
    pub(crate) fn overlaps(&self, start: usize, len: usize) -> bool {
        self.mappings.values().any(|placed| overlap(&placed.range(), &(start..start + len)))
    }

    /// With how many bytes each memory of the store's components begins at most. `None` where that is not known.
    pub(crate) fn component_memory(&self) -> Option<u64> {
        self.components.initial_memory()
    }

    /// Makes room for a mapping of `len` bytes, then has it made, and returns its handle. It lies at addresses of `memory`,
    /// which all lie in one memory.
    ///
    /// # Errors
    /// An errno.
    pub(crate) fn add(
        &mut self,
        memory: Range<usize>,
        len: usize,
        place: impl FnOnce() -> Result<Placed, i32>,
    ) -> Result<i32, i32> {
        let bytes = self.bytes.checked_add(len as u64).filter(|&bytes| bytes <= self.max_bytes).ok_or(errno::NOMEM)?;
        if self.mappings.len() >= self.max_mappings || self.last_handle == i32::MAX {
            return Err(errno::MFILE);
        }
        if !self.used.has_room_for(&memory) {
            return Err(errno::MFILE);
        }
        let count = |placed: usize| (placed < self.max_process_mappings).then_some(placed + 1);
        PLACED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).map_err(|_| errno::MFILE)?;
        let placed = place().inspect_err(|_| {
            PLACED.fetch_sub(1, Ordering::Relaxed);
        })?;
        self.bytes = bytes;
        self.used.note(memory, placed.range());
        // A handle is used once: one that was given back is never another mapping's.
        self.last_handle += 1;
        self.mappings.insert(self.last_handle, placed);
        Ok(self.last_handle)
    }

    pub(crate) fn get(&mut self, handle: i32) -> Option<&mut Placed> {
        self.mappings.get_mut(&handle)
    }

    /// Puts plain memory back in place of a mapping. False if there is no such mapping.
    pub(crate) fn remove(&mut self, handle: i32) -> bool {
        let Some(placed) = self.mappings.remove(&handle) else { return false };
        self.bytes -= placed.len() as u64;
        PLACED.fetch_sub(1, Ordering::Relaxed);
        placed.take_back();
        true
    }

    /// Puts plain memory back in place of all mappings.
    pub(crate) fn clear(&mut self) {
        while let Some(&handle) = self.mappings.keys().next() {
            self.remove(handle);
        }
    }
}

impl Default for HostMapCtx {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for HostMapCtx {
    /// A store drops its data before it gives its memories up.
    fn drop(&mut self) {
        if self.is_attached() {
            self.clear();
            // What mappings have left behind, the next guest of a pool would have too.
            self.used.take().for_each(join);
            return;
        }
        // The memory is gone, and may be another store's.
        PLACED.fetch_sub(self.mappings.len(), Ordering::Relaxed);
        std::mem::take(&mut self.mappings).into_values().for_each(Placed::forget);
    }
}

impl fmt::Debug for HostMapCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostMapCtx")
            .field("is_attached", &self.is_attached())
            .field("mappings", &self.mappings)
            .field("max_mappings", &self.max_mappings)
            .field("max_bytes", &self.max_bytes)
            .field("max_process_mappings", &self.max_process_mappings)
            .field("on_fault", &self.on_fault)
            .finish_non_exhaustive()
    }
}

/// A builder of a [`HostMapCtx`].
#[derive(Clone)]
pub struct HostMapCtxBuilder {
    max_mappings: usize,
    max_bytes: u64,
    max_process_mappings: usize,
    policy: Arc<Policy>,
    on_fault: OnFault,
    components: Components,
}

impl HostMapCtxBuilder {
    /// How many mappings the store may have at once: 64 unless this says otherwise.
    #[must_use]
    pub fn max_mappings(mut self, mappings: usize) -> Self {
        self.max_mappings = mappings;
        self
    }

    /// How many bytes the store may have mapped at once, in whole pages: 4 GiB unless this says otherwise.
    /// [`StoreLimits`](wasmtime::StoreLimits) see no mappings, but a mapping lies in memory that they have seen.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How many mappings all stores of the process may have at once: 2,048 unless this says otherwise. A store's mapping
    /// fails where there are so many.
    ///
    /// Linux gives a process 65,530 areas of memory, unless `vm.max_map_count` says otherwise. A process that has used them
    /// all cannot allocate any more, and ends. A mapping takes up to 20 of them, and more if the guest stores between
    /// faults; whatever this limit is, guests map nothing more when three quarters of the areas are taken.
    #[must_use]
    pub fn max_process_mappings(mut self, mappings: usize) -> Self {
        self.max_process_mappings = mappings;
        self
    }

    /// Which files the guest may map, of those that it has open with the permissions that the mapping needs:
    /// [`policy::immutable`] unless this says otherwise.
    ///
    /// The policy is asked each time. A policy that admits a file which somebody may change makes promises that the text of
    /// [`attach`](crate::attach) names.
    #[must_use]
    pub fn policy(mut self, policy: impl Fn(&File, Access) -> bool + Send + Sync + 'static) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// What a touch of a mapped byte does that the file no longer has: it reads zeros unless this says otherwise.
    #[must_use]
    pub fn on_fault(mut self, on_fault: OnFault) -> Self {
        self.on_fault = on_fault;
        self
    }

    /// Lets a component map files: one that is instantiated in the store, which may have several. For others
    /// [`p2`](crate::p2) supports no mappings.
    ///
    /// It tells with how much memory the component begins, which is never mapped over. That is not known of a component which
    /// instantiates core modules that it imports. Where there is one, the store's components have no mappings.
    #[must_use]
    pub fn component(mut self, component: &Component) -> Self {
        self.components.add(component);
        self
    }

    /// A context for one store.
    #[must_use]
    pub fn build(&self) -> HostMapCtx {
        HostMapCtx {
            store: None,
            max_mappings: self.max_mappings,
            max_bytes: self.max_bytes,
            max_process_mappings: self.max_process_mappings,
            policy: self.policy.clone(),
            on_fault: self.on_fault,
            mappings: BTreeMap::new(),
            used: UsedMemories::default(),
            components: self.components,
            bytes: 0,
            last_handle: 0,
        }
    }
}

impl fmt::Debug for HostMapCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostMapCtxBuilder")
            .field("max_mappings", &self.max_mappings)
            .field("max_bytes", &self.max_bytes)
            .field("max_process_mappings", &self.max_process_mappings)
            .field("on_fault", &self.on_fault)
            .finish_non_exhaustive()
    }
}

/// The store's data, as far as mappings need it.
#[derive(Debug)]
pub struct HostMapCtxView<'a> {
    /// The store's own context.
    pub ctx: &'a mut HostMapCtx,
    /// Where the guest's open files are: that of wasmtime-wasi.
    pub table: &'a mut ResourceTable,
}

/// The data of a store whose guest may map files.
///
/// ```
/// use portable_mmap_wasmtime::{HostMapCtx, HostMapCtxView, HostMapView};
/// use wasmtime_wasi::WasiView as _;
/// use wasmtime_wasi::p1::WasiP1Ctx;
///
/// struct Data {
///     wasi: WasiP1Ctx,
///     host_map: HostMapCtx,
/// }
///
/// impl HostMapView for Data {
///     fn host_map(&mut self) -> HostMapCtxView<'_> {
///         HostMapCtxView { ctx: &mut self.host_map, table: self.wasi.ctx().table }
///     }
/// }
/// ```
pub trait HostMapView: Send {
    /// The context and the table.
    fn host_map(&mut self) -> HostMapCtxView<'_>;
}
