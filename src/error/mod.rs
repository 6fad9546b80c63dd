//! The error type of this crate.

use std::io;
use std::path::{Path, PathBuf};

use crate::Access;

mod asked;
mod message;
mod number;
mod operation;
mod reason;
#[cfg(all(test, not(loom)))]
mod tests;

pub use asked::{Asked, Unit};
pub(crate) use number::says_unmappable;
pub use operation::Operation;
pub(crate) use reason::Reason;

/// The result type of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
///
/// After an error the mapping, its position and the file are as they were before the call. Only a write-back keeps what
/// it has already written. Offsets and lengths are in bytes. The variants follow the exceptions of Python's `mmap`, and
/// [`kind`](Self::kind) gives the matching [`io::ErrorKind`].
///
/// If a mapping was made from a path, errors that concern the file contain the path.
///
/// The `Display` form of an error is one sentence, without its [`source`](std::error::Error::source). `{error:#}` adds
/// the source.
///
/// An error converts into an [`io::Error`] of the same [`kind`](Self::kind). [`Error::Io`] converts into its source,
/// which has the system's number if there is one. Every other error becomes the inner error of the [`io::Error`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The mapping is closed. (Python: `ValueError`)
    #[non_exhaustive]
    Closed,
    /// Options that exclude each other. (Python: `ValueError`)
    #[non_exhaustive]
    Conflict {
        /// Which options, as a sentence.
        what: &'static str,
    },
    /// The mapping was made with `track_file(false)`, and the call needs the file. (Python: `ValueError`)
    #[non_exhaustive]
    Untracked {
        /// The call.
        operation: Operation,
    },
    /// An empty file cannot be mapped without a length. (Python: `ValueError`)
    #[non_exhaustive]
    EmptyFile {
        /// The file, if it was opened by this crate.
        path: Option<PathBuf>,
    },
    /// The mapping would start at or past the end of the file. (Python: `ValueError`)
    #[non_exhaustive]
    OffsetPastEnd {
        /// The file, if it was opened by this crate.
        path: Option<PathBuf>,
        /// Where the mapping would start, in bytes from the start of the file.
        offset: u64,
        /// The file's length.
        size: u64,
    },
    /// The mapping would end past the end of the file. (Python: `ValueError`)
    #[non_exhaustive]
    LengthPastEnd {
        /// The file, if it was opened by this crate.
        path: Option<PathBuf>,
        /// Where the mapping would start, in bytes from the start of the file.
        offset: u64,
        /// The length asked for.
        len: u64,
        /// The file's length.
        size: u64,
        /// Whether [`extend(true)`](crate::MmapOptions::extend) can make the file longer. It cannot if the file is a
        /// device or a pipe, or reports a wrong length.
        extendable: bool,
    },
    /// A length, a position or a range is too large or too small. (Python: `ValueError`, `OverflowError`)
    #[non_exhaustive]
    OutOfRange {
        /// Which value it is.
        what: Asked,
        /// Where the range starts.
        start: i128,
        /// How long it is.
        len: u64,
        /// The upper limit: the range must lie within `0..=limit`.
        limit: u64,
    },
    /// There is no byte at the index. (Python: `IndexError`)
    #[non_exhaustive]
    IndexOutOfRange {
        /// The index; a negative one counts from the end.
        index: isize,
        /// The mapping's length.
        len: usize,
    },
    /// The number of bytes assigned to a slice differs from its length. (Python: `IndexError`)
    #[non_exhaustive]
    SizeMismatch {
        /// How many bytes the slice has.
        expected: usize,
        /// How many were given.
        given: usize,
    },
    /// The mapping does not allow the change. (Python: `TypeError`)
    #[non_exhaustive]
    ReadOnly {
        /// The access of the mapping: [`Access::Read`], or [`Access::Copy`] for a resize.
        access: Access,
    },
    /// An offset is not a multiple of the unit that it must be a multiple of. (Python: `OSError` `EINVAL`)
    #[non_exhaustive]
    Misaligned {
        /// The offset asked for.
        offset: u64,
        /// The granularity or the page size.
        granularity: u64,
        /// Which of the two.
        unit: Unit,
    },
    /// This backend or this operating system does not support the call. (Python: `SystemError`, `AttributeError`)
    #[non_exhaustive]
    Unsupported {
        /// What is not supported, and where it is, as a sentence.
        what: &'static str,
    },
    /// The file was truncated, and mapped bytes are gone. (Python: `SIGBUS` kills the process)
    #[non_exhaustive]
    Truncated {
        /// The file, if it was opened by this crate.
        path: Option<PathBuf>,
        /// The first byte that is gone, in bytes from the start of the file.
        offset: u64,
        /// How many mapped bytes from there on the call needed.
        len: u64,
        /// The file's length now.
        size: u64,
    },
    /// There is not enough memory. (Python: `OSError` `ENOMEM`)
    #[non_exhaustive]
    NoMemory {
        /// [`Operation::Map`] if the system has no memory for a mapping, [`Operation::Reserve`] if the allocator has
        /// none.
        operation: Operation,
        /// Whether the call asked for huge pages. The system may have no huge pages while it has other memory.
        huge_pages: bool,
        /// How many bytes were asked for.
        len: u64,
    },
    /// The operating system or the storage returned an error, or the file cannot be mapped as it is. (Python:
    /// `OSError`)
    #[non_exhaustive]
    Io {
        /// The operation that failed.
        operation: Operation,
        /// The file, if it was opened by this crate.
        path: Option<PathBuf>,
        /// The offset, in bytes from the start of the file.
        offset: u64,
        /// How many bytes were left to read or write, or the length that the operation concerns.
        len: u64,
        /// The cause.
        source: io::Error,
    },
}

impl Error {
    /// The [`io::ErrorKind`] that this error becomes in an [`io::Error`].
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        use io::ErrorKind;
        match self {
            Self::Closed
            | Self::Conflict { .. }
            | Self::Untracked { .. }
            | Self::EmptyFile { .. }
            | Self::OffsetPastEnd { .. }
            | Self::LengthPastEnd { .. }
            | Self::OutOfRange { .. }
            | Self::IndexOutOfRange { .. }
            | Self::SizeMismatch { .. }
            | Self::Misaligned { .. } => ErrorKind::InvalidInput,
            Self::ReadOnly { .. } => ErrorKind::PermissionDenied,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Truncated { .. } => ErrorKind::UnexpectedEof,
            Self::NoMemory { .. } => ErrorKind::OutOfMemory,
            Self::Io { source, .. } => source.kind(),
        }
    }

    /// The variant's name, without its numbers: `"OutOfRange"`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Closed => "Closed",
            Self::Conflict { .. } => "Conflict",
            Self::Untracked { .. } => "Untracked",
            Self::EmptyFile { .. } => "EmptyFile",
            Self::OffsetPastEnd { .. } => "OffsetPastEnd",
            Self::LengthPastEnd { .. } => "LengthPastEnd",
            Self::OutOfRange { .. } => "OutOfRange",
            Self::IndexOutOfRange { .. } => "IndexOutOfRange",
            Self::SizeMismatch { .. } => "SizeMismatch",
            Self::ReadOnly { .. } => "ReadOnly",
            Self::Misaligned { .. } => "Misaligned",
            Self::Unsupported { .. } => "Unsupported",
            Self::Truncated { .. } => "Truncated",
            Self::NoMemory { .. } => "NoMemory",
            Self::Io { .. } => "Io",
        }
    }

    /// The operating system's error number.
    ///
    /// For [`Error::Io`] it is the number of the source, if the source has one. For an error that this crate makes
    /// itself it is the system's number for the kind of error, such as `EINVAL` for [`Error::Misaligned`]. Returns
    /// `None` for [`Error::Truncated`], which the system reports as a signal, and for an error of a
    /// [`Storage`](crate::Storage) without a number.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::Io { source, .. } if Reason::of(source).is_none() => source.raw_os_error(),
            error => number::of(error.kind()),
        }
    }

    /// An [`Error::Io`] of `operation`, without a path.
    pub(crate) fn io(operation: Operation, offset: u64, len: u64, source: impl Into<io::Error>) -> Self {
        Self::Io { operation, path: None, offset, len, source: source.into() }
    }

    /// The error of an allocator that has no memory.
    pub(crate) fn no_memory(len: u64) -> Self {
        Self::NoMemory { operation: Operation::Reserve, huge_pages: false, len }
    }

    /// This error, with the path if it concerns the file and has none.
    #[cold]
    #[must_use]
    pub(crate) fn with_path(mut self, file: Option<&Path>) -> Self {
        if let Self::EmptyFile { path }
        | Self::OffsetPastEnd { path, .. }
        | Self::LengthPastEnd { path, .. }
        | Self::Truncated { path, .. }
        | Self::Io { path, .. } = &mut self
        {
            if path.is_none() {
                *path = file.and_then(owned);
            }
        }
        self
    }
}

/// Panics because bytes could not be loaded when the mapping of the file at `path` was used as a slice. Not inlined, so
/// that indexing can be.
#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn panic_with(error: Error, path: Option<&Path>) -> ! {
    let error = error.with_path(path);
    match error {
        Error::Truncated { .. } => panic!("{error:#}; with guard(true) such bytes read as zeros, without a panic"),
        _ => panic!("{error:#}"),
    }
}

/// A copy of a path, or `None` if there is no memory for it.
pub(crate) fn owned(path: &Path) -> Option<PathBuf> {
    let mut owned = PathBuf::new();
    owned.try_reserve_exact(path.as_os_str().len()).ok()?;
    owned.push(path);
    Some(owned)
}

impl std::error::Error for Error {
    /// The error of the system or of the storage.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // The message already contains a reason of this crate.
            Self::Io { source, .. } if Reason::of(source).is_none() => Some(source),
            _ => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io { source, .. } if Reason::of(&source).is_none() => source,
            error => Self::new(error.kind(), error),
        }
    }
}
