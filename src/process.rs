//! Which process this is: a fork copies a mapping, and only one of the two may write back what its owner drops.

/// The process that made a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Maker(u32);

impl Maker {
    /// This process.
    #[cfg(unix)]
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    /// Nothing forks, and WASI has no number for a process.
    #[cfg(not(unix))]
    pub(crate) fn current() -> Self {
        Self(0)
    }

    /// Whether this process is the one that made the mapping, and not a child of it.
    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }
}
