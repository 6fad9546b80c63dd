//! What the guest of one store may map, and what it has mapped.

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
use crate::reads::Reads;
use crate::used::{UsedMemories, overlap};
use crate::{OnFault, policy};

/// How many mappings this process has placed in guests.
static PLACED: AtomicUsize = AtomicUsize::new(0);

/// How many mappings a store may have, unless its builder says otherwise.
const MAX_MAPPINGS: usize = 64;

/// How many bytes a store may have mapped, unless its builder says otherwise. It is all that its memory can hold.
const MAX_BYTES: u64 = 4 << 30;

/// How many mappings all stores of a process may have, unless a builder says otherwise. Each uses up to 20 of the areas
/// of memory that Linux gives a process, 65,530 unless `vm.max_map_count` says otherwise. At that limit allocators
/// fail, and a host ends. Areas that ended mappings leave behind are counted separately: see `memory/areas.rs`.
const MAX_PROCESS_MAPPINGS: usize = 2048;

/// The kind of access that a guest requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// The guest reads the file. Its stores stay in its own memory.
    Private,
    /// The guest's stores reach the file immediately.
    Shared,
}

type Policy = dyn Fn(&File, Access) -> bool + Send + Sync;
type ReadPolicy = dyn Fn(&File) -> bool + Send + Sync;

/// What the guest of one store may map, and what it has mapped. It belongs to the store's data, see
/// [`attach`](crate::attach).
pub struct HostMapCtx {
    /// A reference to the token that the store owns. It cannot be upgraded after the store has released its memories,
    /// and it is `None` if the context is not attached.
    pub(crate) store: Option<Weak<()>>,
    max_mappings: usize,
    max_bytes: u64,
    max_process_mappings: usize,
    policy: Arc<Policy>,
    on_fault: OnFault,
    /// Selects the files that are read without a copy.
    zero_copy_reads: Option<Arc<ReadPolicy>>,
    mappings: BTreeMap<i32, Placed>,
    reads: Reads,
    /// The addresses that have had mappings.
    used: UsedMemories,
    components: Components,
    /// How many bytes are mapped.
    bytes: u64,
    last_handle: i32,
}

impl HostMapCtx {
    /// A context with the defaults of [`HostMapCtxBuilder`], which are safe for untrusted guests.
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
            zero_copy_reads: None,
        }
    }

    /// How many mappings the store has, including those that replace reads.
    #[must_use]
    pub fn mappings(&self) -> usize {
        self.mappings.len() + self.reads.len()
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

    /// Whether the store still has the memory that mappings are placed in.
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

    /// The largest initial size, in bytes, of the memories of the store's components. `None` if that is not known.
    pub(crate) fn component_memory(&self) -> Option<u64> {
        self.components.initial_memory()
    }

    /// Whether a file is read without a copy.
    pub(crate) fn reads_without_copy(&self, file: &File) -> bool {
        self.zero_copy_reads.as_ref().is_some_and(|policy| policy(file))
    }

    /// Whether any file may be read without a copy.
    pub(crate) fn has_zero_copy_reads(&self) -> bool {
        self.zero_copy_reads.is_some() && self.is_attached()
    }

    /// Checks the limits for a mapping at these addresses, calls `place` to make it, and returns its handle. The
    /// addresses are part of `memory`, and all of `memory` lies in one memory.
    ///
    /// # Errors
    /// An errno.
    pub(crate) fn add(
        &mut self,
        memory: Range<usize>,
        addresses: Range<usize>,
        place: impl FnOnce() -> Result<Placed, i32>,
    ) -> Result<i32, i32> {
        if self.last_handle == i32::MAX {
            return Err(errno::MFILE);
        }
        let placed = self.place(memory, &addresses, place)?;
        // A handle is never reused after its mapping has ended.
        self.last_handle += 1;
        self.mappings.insert(self.last_handle, placed);
        Ok(self.last_handle)
    }

    /// Like [`add`](Self::add), for a mapping that replaces a read: it has no handle.
    pub(crate) fn add_read(
        &mut self,
        memory: Range<usize>,
        addresses: Range<usize>,
        place: impl FnOnce() -> Result<Placed, i32>,
    ) -> Result<(), i32> {
        let placed = self.place(memory, &addresses, place)?;
        let before = self.reads.len();
        self.reads.add(placed);
        // A mapping that was joined to another one no longer counts by itself.
        PLACED.fetch_sub(before + 1 - self.reads.len(), Ordering::Relaxed);
        Ok(())
    }

    /// Calls `place` to make a mapping, if the limits allow another one, and ends the reads that it replaces.
    fn place(
        &mut self,
        memory: Range<usize>,
        addresses: &Range<usize>,
        place: impl FnOnce() -> Result<Placed, i32>,
    ) -> Result<Placed, i32> {
        if !self.used.has_room_for(&memory) {
            return Err(errno::MFILE);
        }
        let replaced = self.reads.bytes_in(addresses);
        let bytes = (self.bytes - replaced).checked_add(addresses.len() as u64);
        let bytes = bytes.filter(|&bytes| bytes <= self.max_bytes).ok_or(errno::NOMEM)?;
        // A read that it replaces in part may become two mappings.
        let most = if replaced > 0 { 2 } else { 1 };
        if self.mappings() + most > self.max_mappings {
            return Err(errno::MFILE);
        }
        let count = |placed: usize| (placed + most <= self.max_process_mappings).then_some(placed + most);
        PLACED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).map_err(|_| errno::MFILE)?;
        let before = self.reads.len() + most;
        let left = self.reads.leave(addresses);
        let placed = place().inspect_err(|_| {
            Reads::reset(left);
        });
        let now = self.reads.len() + usize::from(placed.is_ok());
        PLACED.fetch_sub(before - now, Ordering::Relaxed);
        self.bytes = if placed.is_ok() { bytes } else { self.bytes - replaced };
        let placed = placed?;
        self.used.note(memory, addresses.clone());
        Ok(placed)
    }

    pub(crate) fn get(&mut self, handle: i32) -> Option<&mut Placed> {
        self.mappings.get_mut(&handle)
    }

    /// Replaces a mapping with plain memory. Returns false if there is no such mapping.
    pub(crate) fn remove(&mut self, handle: i32) -> bool {
        let Some(placed) = self.mappings.remove(&handle) else { return false };
        self.bytes -= placed.len() as u64;
        PLACED.fetch_sub(1, Ordering::Relaxed);
        placed.restore_plain_memory();
        true
    }

    /// Replaces all mappings with plain memory.
    pub(crate) fn clear(&mut self) {
        while let Some(&handle) = self.mappings.keys().next() {
            self.remove(handle);
        }
        PLACED.fetch_sub(self.reads.len(), Ordering::Relaxed);
        self.reads.take().for_each(Placed::restore_plain_memory);
        self.bytes = 0;
    }
}

impl Default for HostMapCtx {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for HostMapCtx {
    /// A store drops its data before it releases its memories.
    fn drop(&mut self) {
        if self.is_attached() {
            self.clear();
            // Otherwise the next guest in a pool would have the areas of memory that the mappings have left behind.
            self.used.take().for_each(join);
            return;
        }
        // The memory is released already, and another store may use it.
        PLACED.fetch_sub(self.mappings(), Ordering::Relaxed);
        std::mem::take(&mut self.mappings).into_values().chain(self.reads.take()).for_each(Placed::forget);
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
    zero_copy_reads: Option<Arc<ReadPolicy>>,
}

impl HostMapCtxBuilder {
    /// How many mappings the store may have at once. The default is 64.
    #[must_use]
    pub fn max_mappings(mut self, mappings: usize) -> Self {
        self.max_mappings = mappings;
        self
    }

    /// How many bytes the store may have mapped at once, in whole pages. The default is 4 GiB.
    /// [`StoreLimits`](wasmtime::StoreLimits) do not count mappings, but a mapping lies in memory that they have
    /// counted.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How many mappings all stores of the process may have at once. The default is 2,048. A store's mapping fails if
    /// there are that many.
    ///
    /// Linux gives a process 65,530 areas of memory, unless `vm.max_map_count` says otherwise. A process that has used
    /// all of them cannot allocate any more, and ends. A mapping uses up to 20 of them, and more if the guest stores
    /// between faults. Whatever this limit is, guests map nothing more when three quarters of the areas are in use.
    #[must_use]
    pub fn max_process_mappings(mut self, mappings: usize) -> Self {
        self.max_process_mappings = mappings;
        self
    }

    /// Selects the files that the guest may map, among those that it has open with the permissions that the mapping
    /// needs. The default is [`policy::immutable`].
    ///
    /// The policy is called for each mapping. If it admits a file that may change, the embedder must give the
    /// guarantees that the documentation of [`attach`](crate::attach) describes.
    #[must_use]
    pub fn policy(mut self, policy: impl Fn(&File, Access) -> bool + Send + Sync + 'static) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// What happens on an access to a mapped byte that the file no longer has. The default is that it reads zeros.
    #[must_use]
    pub fn on_fault(mut self, on_fault: OnFault) -> Self {
        self.on_fault = on_fault;
        self
    }

    /// Lets a component map files. Call this for every component that is instantiated in the store; there may be
    /// several. Without it, [`p2`](crate::p2) supports no mappings.
    ///
    /// The component tells the host with how much memory it begins, and this memory is never mapped over. The size is
    /// unknown if a component instantiates core modules that it imports. If there is one such component, no component
    /// of the store can map files.
    #[must_use]
    pub fn component(mut self, component: &Component) -> Self {
        self.components.add(component);
        self
    }

    /// Lets the guest read the files that `policy` admits without a copy. Without this call, every read is a copy.
    ///
    /// If a guest reads whole pages into a block that starts at a page boundary, the file is then mapped there,
    /// privately, instead of copied. The guest needs no code for that, and is not informed. Its stores there stay its
    /// own. Reads of less than 128 KiB, and reads into memory that the module starts with, are still copied. So are
    /// reads that exceed the limits above: such a mapping counts like any other until something else is mapped there or
    /// the store is dropped.
    ///
    /// A read returns the bytes that the file has at that moment; a mapping shows later changes of the file. So by
    /// admitting a file, the policy guarantees that **nobody changes or truncates the file** as long as the store
    /// lives, not even the guest itself. It is called for each read. If the guarantee is broken, the guest reads other
    /// bytes, or zeros instead of bytes that the file no longer has, whatever [`on_fault`](Self::on_fault) says; and
    /// the rules of [`attach`](crate::attach) for a file that changes apply.
    ///
    /// It requires the functions of [`p1`](crate::p1) with a handshake in the linker.
    #[cfg(feature = "handshake")]
    #[must_use]
    pub fn zero_copy_reads(mut self, policy: impl Fn(&File) -> bool + Send + Sync + 'static) -> Self {
        self.zero_copy_reads = Some(Arc::new(policy));
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
            zero_copy_reads: self.zero_copy_reads.clone(),
            reads: Reads::default(),
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

/// The store's data that mappings need.
#[derive(Debug)]
pub struct HostMapCtxView<'a> {
    /// The store's own context.
    pub ctx: &'a mut HostMapCtx,
    /// The table of the guest's open files: that of wasmtime-wasi.
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
