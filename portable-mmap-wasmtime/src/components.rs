//! The initial size of the memories of a store's components.

use wasmtime::component::Component;

/// The largest size of a page in bytes. wasmtime reports the size of a component's memory in pages.
const WASM_PAGE: u64 = 64 << 10;

/// What is known of the components of a store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Components {
    /// There are none.
    #[default]
    None,
    /// Each of their memories begins with at most this many bytes.
    AtMost(u64),
    /// The size with which they begin cannot be known.
    Unknown,
}

impl Components {
    /// Adds a component.
    pub(crate) fn add(&mut self, component: &Component) {
        let pages = component.resources_required().map(|resources| resources.max_initial_memory_size.unwrap_or(0));
        *self = match (*self, pages.map(|pages| pages.saturating_mul(WASM_PAGE))) {
            (Self::Unknown, _) | (_, None) => Self::Unknown,
            (Self::None, Some(bytes)) => Self::AtMost(bytes),
            (Self::AtMost(most), Some(bytes)) => Self::AtMost(most.max(bytes)),
        };
    }

    /// The largest size in bytes with which one of their memories begins. `None` if that is not known.
    pub(crate) fn initial_memory(self) -> Option<u64> {
        match self {
            Self::AtMost(bytes) => Some(bytes),
            Self::None | Self::Unknown => None,
        }
    }
}
