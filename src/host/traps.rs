//! The instructions of a guest that may end it with a trap.

use std::fmt;
use std::sync::Arc;

/// The set of instructions in a guest's compiled code that the handler for `SIGSEGV` turns into a trap.
#[derive(Clone)]
pub struct Traps(Arc<dyn Fn(usize) -> bool + Send + Sync>);

impl Traps {
    /// The instructions at the addresses for which `known` returns true. A signal handler calls `known` while it
    /// interrupts the guest's code, so it must take no lock and allocate nothing.
    pub fn new(known: impl Fn(usize) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(known))
    }

    /// Whether the instruction at an address is in the set.
    #[must_use]
    pub fn has(&self, address: usize) -> bool {
        (self.0)(address)
    }
}

impl fmt::Debug for Traps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traps").finish_non_exhaustive()
    }
}
