//! The store's data of a guest: what wasmtime-wasi needs, and what counts its calls and its memory.

use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::Counter;
use crate::memory::Meter;

/// What belongs to one run of a guest: the store's data.
pub(crate) struct Guest {
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) calls: Counter,
    pub(crate) memory: Meter,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}
