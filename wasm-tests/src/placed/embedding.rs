//! Hosts like those of embedders, for modules of Preview 1, with and without mappings.

use std::path::Path;

use portable_mmap_wasmtime::{HostMapCtx, HostMapCtxBuilder, HostMapCtxView, HostMapView, attach, configure, policy};
use wasmtime::error::Context as _;
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module, PoolingAllocationConfig, Result, Store,
};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiView as _};

/// The limit on the output of a program in bytes.
const OUTPUT: usize = 1 << 20;

/// The limit on the number of instances at the same time.
const INSTANCES: u32 = 1100;

/// The functions that a host offers its guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// Only the functions of wasmtime.
    Nothing,
    /// Mappings for guests that request them.
    Mappings,
    /// Mappings instead of reads, without a request of the guest.
    ZeroCopyReads,
}

pub(super) struct Data {
    wasi: WasiP1Ctx,
    host_map: HostMapCtx,
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

/// An engine, and the functions that its modules may import.
pub(super) struct Embedding {
    engine: Engine,
    linker: Linker<Data>,
    ctx: HostMapCtxBuilder,
}

impl Embedding {
    /// A host whose memories come from a pool or not.
    pub(super) fn new(pooling: bool, offer: Offer) -> Result<Self> {
        let mut config = Config::new();
        configure(&mut config);
        if pooling {
            let mut pool = PoolingAllocationConfig::new();
            pool.total_core_instances(INSTANCES).total_memories(INSTANCES).total_tables(INSTANCES);
            pool.max_memory_size(4 << 30);
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        }
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        p1::add_to_linker_sync(&mut linker, Data::wasi)?;
        if offer != Offer::Nothing {
            portable_mmap_wasmtime::p1::add_to_linker_with_handshake_sync(&mut linker, Data::wasi)?;
        }
        let ctx = match offer {
            // The policy denies the mappings that the guests request.
            Offer::ZeroCopyReads => HostMapCtx::builder().policy(|_, _| false).zero_copy_reads(|_| true),
            Offer::Nothing | Offer::Mappings => HostMapCtx::builder().policy(policy::trusted),
        };
        Ok(Self { engine, linker, ctx })
    }

    pub(super) fn load(&self, path: &Path) -> Result<InstancePre<Data>> {
        let module = Module::from_file(&self.engine, path);
        self.linker.instantiate_pre(&module.with_context(|| format!("cannot load {}", path.display()))?)
    }

    /// Runs a module to its end, and returns its store, which still has its mappings.
    pub(super) fn start(
        &self,
        module: &InstancePre<Data>,
        dir: &Path,
        args: &[&str],
    ) -> Result<(Store<Data>, MemoryOutputPipe)> {
        let output = MemoryOutputPipe::new(OUTPUT);
        let mut wasi = WasiCtx::builder();
        wasi.allow_blocking_current_thread(true).arg("placed").args(args);
        wasi.stdout(output.clone()).inherit_stderr().preopened_dir(dir, "/", FsPerms::ReadWrite)?;
        let mut store = Store::new(&self.engine, Data { wasi: wasi.build_p1(), host_map: self.ctx.build() });
        // SAFETY: the context stays in the store's data, and the guests are this repository's own.
        unsafe { attach(&mut store) }?;
        let instance = module.instantiate(&mut store)?;
        let ended = instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ());
        match ended {
            Err(error) if error.downcast_ref::<I32Exit>().is_none_or(|exit| exit.0 != 0) => Err(error),
            _ => Ok((store, output)),
        }
    }

    /// Runs a module to its end, and returns its output.
    pub(super) fn run(&self, module: &InstancePre<Data>, dir: &Path, args: &[&str]) -> Result<String> {
        let (_, output) = self.start(module, dir, args)?;
        Ok(String::from_utf8_lossy(&output.contents()).into_owned())
    }
}
