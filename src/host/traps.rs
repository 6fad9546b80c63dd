//! Which instructions of a guest may end it with a trap.

use std::fmt;
use std::sync::Arc;

/// Knows the instructions of a guest's compiled code that whoever handles `SIGSEGV` makes a trap of.
#[derive(Clone)]
pub struct Traps(Arc<dyn Fn(usize) -> bool + Send + Sync>);

impl Traps {
    /// Those at the addresses for which `known` is true. A signal handler asks it, in the midst of the guest's code: it takes no
    /// lock and no memory.
    pub fn new(known: impl Fn(usize) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(known))
    }

    /// Whether the instruction at an address is one of them.
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
