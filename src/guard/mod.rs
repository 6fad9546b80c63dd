//! The guard: if a file is truncated while it is mapped, calls return an error and the process continues.
//!
//! [`lost`] has the rules for which pages are lost, and until when, for every backend. A buffer finds lost pages when
//! it loads them. An OS mapping gets a SIGBUS, whose handler looks up the address in the [`registry`] and replaces the
//! page with zeros.

pub(crate) mod lost;

// Miri and loom do not support signals. Both check the registry.
#[cfg(all(unix, not(any(miri, all(loom, test)))))]
mod handler;
#[cfg(all(unix, any(test, not(miri))))]
mod registry;
#[cfg(all(unix, not(any(miri, all(loom, test)))))]
mod trap;

#[cfg(all(unix, not(any(miri, all(loom, test)))))]
pub(crate) use handler::{Guard, NORESERVE, Watched};

/// An access to a guarded mapping past the end of its file, or at a page that could not be read.
///
/// See [`MmapOptions::guard`](crate::MmapOptions::guard).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The offset of the page that was accessed, in bytes from the start of the file.
    pub offset: u64,
    /// Why the bytes could not be read.
    pub kind: FaultKind,
}

/// Why the bytes of a guarded mapping could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// The file is shorter than the mapping.
    Truncated,
    /// The file has the page, but reading it failed, or no disk space was left for a hole in the file.
    Io,
}
