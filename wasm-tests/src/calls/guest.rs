//! The data of a guest's store: the context of wasmtime-wasi, the mappings, and the counters of calls and memory.

use portable_mmap_wasmtime::{HostMapCtx, HostMapCtxView, HostMapView};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::Counter;
use crate::memory::Meter;

/// The data of the store of one run of a guest.
pub(crate) struct Guest {
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) calls: Counter,
    pub(crate) memory: Meter,
    /// Its mappings. The guest of a store that is not attached cannot map.
    pub(crate) host_map: HostMapCtx,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

impl HostMapView for Guest {
    fn host_map(&mut self) -> HostMapCtxView<'_> {
        HostMapCtxView { ctx: &mut self.host_map, table: self.wasi.ctx().table }
    }
}
