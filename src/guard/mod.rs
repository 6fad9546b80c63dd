//! The guard: if a file is truncated while it is mapped, calls return an error and the process goes on.
//!
//! [`lost`] is the rule of every backend for which pages are lost, and until when. A buffer learns it when it loads a
//! page. An OS mapping learns it from a SIGBUS, whose handler looks the address up in the [`registry`] and puts zeros
//! there.

pub(crate) mod lost;

// Neither Miri nor loom has signals; the registry is checked by both.
#[cfg(all(unix, not(any(miri, all(loom, test)))))]
mod handler;
#[cfg(all(unix, any(test, not(miri))))]
mod registry;
#[cfg(all(unix, not(any(miri, all(loom, test)))))]
mod trap;

#[cfg(all(unix, not(any(miri, all(loom, test)))))]
pub(crate) use handler::{Guard, NORESERVE, Watched};

/// Where a guarded mapping was touched past the end of its file, or where the file could not be read.
///
/// See [`MmapOptions::guard`](crate::MmapOptions::guard).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The page that was touched, in bytes from the start of the file.
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
    /// The file still reaches as far; reading it failed, or no disk space was left for a hole in it.
    Io,
}
