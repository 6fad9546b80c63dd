//! The operations that can fail.

use std::fmt;

/// The operation that failed: see [`Error::Io`](crate::Error::Io).
///
/// Its `Display` form is a verb, for use in a sentence: `"read"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opening the file.
    Open,
    /// Reading the file's type, its length, and its open mode.
    Metadata,
    /// Mapping the file, or memory.
    Map,
    /// Unmapping a part of the mapping.
    Unmap,
    /// Installing the signal handler of a [`guard`](crate::MmapOptions::guard).
    Guard,
    /// Reserving memory.
    Reserve,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Writing changed pages of an OS mapping to the file.
    Flush,
    /// Waiting until what was written is on the disk.
    Sync,
    /// Making the file longer.
    Extend,
    /// Making the file longer, and reserving disk space for it.
    Allocate,
    /// Making the file shorter.
    Truncate,
    /// Asking for the length of the file: see [`Mapping::size`](crate::Mapping::size).
    Size,
    /// Changing the length of the mapping: see [`Mapping::resize`](crate::Mapping::resize).
    Resize,
    /// Advice that can change bytes: see [`Mapping::advise_unchecked`](crate::Mapping::advise_unchecked).
    Advise,
    /// Keeping the mapping in memory.
    Lock,
    /// No longer keeping the mapping in memory.
    Unlock,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Open => "open",
            Self::Metadata => "read metadata",
            Self::Map => "map",
            Self::Unmap => "unmap",
            Self::Guard => "install a signal handler",
            Self::Reserve => "reserve memory",
            Self::Read => "read",
            Self::Write => "write",
            Self::Flush => "flush",
            Self::Sync => "sync",
            Self::Extend => "extend",
            Self::Allocate => "allocate",
            Self::Truncate => "truncate",
            Self::Size => "size",
            Self::Resize => "resize",
            Self::Advise => "advise",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
        })
    }
}
