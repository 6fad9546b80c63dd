//! Hosts of each kind.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use portable_mmap_wasmtime::{HostMapCtx, HostMapCtxBuilder, HostMapCtxView, HostMapView, attach, p1, policy};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use wasmtime::{Config, Engine, Linker, Module, PoolingAllocationConfig, Result, Store};
use wasmtime_wasi::filesystem::{self, Descriptor};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{FsPerms, OpenMode, WasiCtx, WasiView as _};

use super::guest::{self, Guest};

/// The data of a store.
pub(crate) struct Data {
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) host_map: HostMapCtx,
}

impl Data {
    fn wasi(&mut self) -> &mut WasiP1Ctx {
        &mut self.wasi
    }
}

impl HostMapView for Data {
    fn host_map(&mut self) -> HostMapCtxView<'_> {
        HostMapCtxView { ctx: &mut self.host_map, table: self.wasi.ctx().table }
    }
}

/// The kind of a host.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostKind {
    /// Each guest has new memory from the system.
    OnDemand,
    /// Guests get their memory from a pool, one after the other at the same addresses.
    Pooled,
    /// Like the first, but called asynchronously.
    Async,
}

impl HostKind {
    pub(crate) const ALL: &[Self] = &[Self::OnDemand, Self::Pooled, Self::Async];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on_demand",
            Self::Pooled => "pooled",
            Self::Async => "async",
        }
    }
}

/// The kind of the host, and the directory of a test.
pub(crate) struct Scene {
    pub(crate) kind: HostKind,
    pub(crate) dir: PathBuf,
}

impl Scene {
    /// A file of these bytes, open for reading and writing.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> File {
        let path = self.dir.join(name);
        fs::write(&path, bytes).unwrap();
        OpenOptions::new().read(true).write(true).open(path).unwrap()
    }

    /// A host with room for one guest at a time if guests come from a pool.
    pub(crate) fn host(&self) -> Host {
        self.host_for(1)
    }

    /// A host with room for this many guests at once.
    pub(crate) fn host_for(&self, guests: u32) -> Host {
        self.host_of(guest::TWO_PAGES, guests, |_, _| {})
    }

    /// A host of guests with this memory. `change` changes its configuration.
    pub(crate) fn host_of(
        &self,
        memory: &str,
        guests: u32,
        change: impl FnOnce(&mut Config, &mut PoolingAllocationConfig),
    ) -> Host {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_memories(guests).total_core_instances(guests);
        let mut config = Config::new();
        portable_mmap_wasmtime::configure(&mut config).epoch_interruption(true);
        change(&mut config, &mut pool);
        if self.kind == HostKind::Pooled {
            config.allocation_strategy(pool);
        }
        let engine = Engine::new(&config).unwrap();
        let module = Module::new(&engine, guest::text(memory)).unwrap();
        let mut linker = Linker::new(&engine);
        if self.kind == HostKind::Async {
            wasmtime_wasi::p1::add_to_linker_async(&mut linker, Data::wasi).unwrap();
            p1::add_to_linker_with_handshake_async(&mut linker, Data::wasi).unwrap();
        } else {
            wasmtime_wasi::p1::add_to_linker_sync(&mut linker, Data::wasi).unwrap();
            p1::add_to_linker_with_handshake_sync(&mut linker, Data::wasi).unwrap();
        }
        Host { engine, module, linker, dir: self.dir.clone(), is_async: self.kind == HostKind::Async }
    }

    /// A guest in a new host that lets it map every file.
    pub(crate) fn guest(&self) -> Guest {
        self.host().guest(&trusting())
    }
}

/// Reads bytes of a file.
pub(crate) fn read(file: &File, offset: usize, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, offset as u64).unwrap();
    bytes
}

/// A sealed memory file of these bytes, which cannot be written.
pub(crate) fn sealed(bytes: &[u8]) -> File {
    let file = File::from(memfd_create("sealed", MemfdFlags::ALLOW_SEALING).unwrap());
    file.write_all_at(bytes, 0).unwrap();
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW).unwrap();
    file
}

/// The inode number that wasmtime-wasi reports to guests for a file: the hash of its device and inode numbers.
pub(crate) fn inode(file: &File) -> u64 {
    let metadata = file.metadata().unwrap();
    let mut hasher = DefaultHasher::new();
    (metadata.dev(), metadata.ino()).hash(&mut hasher);
    hasher.finish()
}

/// Adds an open file to the table of a store's guest, without a directory. Returns its inode.
pub(crate) fn add_open_file(store: &mut Store<Data>, file: &File, perms: FsPerms, mode: OpenMode) -> i64 {
    let entry = filesystem::File::new(file.try_clone().unwrap(), perms, mode, true);
    store.data_mut().host_map().table.push(Descriptor::File(entry)).unwrap();
    inode(file).cast_signed()
}

/// A context that lets a guest map every file.
pub(crate) fn trusting() -> HostMapCtxBuilder {
    HostMapCtx::builder().policy(policy::trusted)
}

/// An engine with the module of the guests.
pub(crate) struct Host {
    pub(crate) engine: Engine,
    module: Module,
    linker: Linker<Data>,
    dir: PathBuf,
    is_async: bool,
}

impl Host {
    /// A store whose guest has the directory with these permissions. It is not attached.
    pub(crate) fn store(&self, ctx: &HostMapCtxBuilder, dir: &Path, perms: FsPerms) -> Store<Data> {
        let mut wasi = WasiCtx::builder();
        // This must precede the directories, which copy it.
        wasi.allow_blocking_current_thread(!self.is_async);
        wasi.preopened_dir(dir, "/", perms).unwrap();
        let mut store = Store::new(&self.engine, Data { wasi: wasi.build_p1(), host_map: ctx.build() });
        store.set_epoch_deadline(1);
        store
    }

    /// A guest of the store.
    pub(crate) fn instance(&self, mut store: Store<Data>) -> Result<Guest> {
        let instance = if self.is_async {
            wasmtime_wasi::runtime::in_tokio(self.linker.instantiate_async(&mut store, &self.module))?
        } else {
            self.linker.instantiate(&mut store, &self.module)?
        };
        Ok(Guest::new(store, instance, self.is_async))
    }

    /// A guest of an attached store that may read and write the test's directory.
    pub(crate) fn guest(&self, ctx: &HostMapCtxBuilder) -> Guest {
        self.guest_in(ctx, &self.dir, FsPerms::ReadWrite)
    }

    /// A guest of an attached store that has a directory with these permissions. Its memory has grown by 64 MiB.
    pub(crate) fn guest_in(&self, ctx: &HostMapCtxBuilder, dir: &Path, perms: FsPerms) -> Guest {
        let mut store = self.store(ctx, dir, perms);
        // SAFETY: the context stays in the data, and tests that change a file do not borrow the memory meanwhile.
        unsafe { attach(&mut store) }.unwrap();
        let mut guest = self.instance(store).unwrap();
        assert!(guest.call("grow", &[1024]) >= 0, "there is memory to grow into");
        guest
    }
}
