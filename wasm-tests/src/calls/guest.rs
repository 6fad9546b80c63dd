//! The store's data of a guest: what wasmtime-wasi needs, its mappings, and what counts its calls and its memory.

use portable_mmap_wasmtime::{HostMapCtx, HostMapCtxView, HostMapView};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::Counter;
use crate::memory::Meter;

/// What belongs to one run of a guest: the store's data.
pub(crate) struct Guest {
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) calls: Counter,
    pub(crate) memory: Meter,
    /// What it may map. The guest of a store that is not attached maps nothing.
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
