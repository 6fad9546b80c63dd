//! With how much memory the components of a store begin.

use wasmtime::component::Component;

/// In units of so many bytes wasmtime tells the size of a component's memory: a page has no more.
const WASM_PAGE: u64 = 64 << 10;

/// What is known of the components of a store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Components {
    /// There are none.
    #[default]
    None,
    /// Each of their memories begins with no more than so many bytes.
    AtMost(u64),
    /// With how many they begin cannot be known.
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

    /// With how many bytes each of their memories begins at the most. `None` where that is not known.
    pub(crate) fn initial_memory(self) -> Option<u64> {
        match self {
            Self::AtMost(bytes) => Some(bytes),
            Self::None | Self::Unknown => None,
        }
    }
}
