//! Identifies the process. A fork copies a mapping, and only the process that made the mapping may write changes back
//! when it is dropped.

/// The process that made a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Maker(u32);

impl Maker {
    /// This process.
    #[cfg(unix)]
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    /// These targets have no fork, and WASI has no process ids.
    #[cfg(not(unix))]
    pub(crate) fn current() -> Self {
        Self(0)
    }

    /// Whether this process made the mapping. A forked child did not.
    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }
}
