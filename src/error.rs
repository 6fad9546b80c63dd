//! The one error type: what was asked, and what was there.

use std::{fmt, io};

/// What every fallible call of this crate answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call was refused or did not succeed.
///
/// On any error the mapping, its position and the file are as they were before the call. Offsets and lengths are
/// in bytes. The variants follow the exceptions of Python's `mmap`; [`Error::kind`] gives the matching
/// [`io::ErrorKind`], and `io::Error: From<Error>` keeps this error as its source.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The mapping was closed. (Python: `ValueError`)
    Closed,
    /// Options that exclude each other. (Python: `ValueError`)
    Conflict {
        /// Which ones.
        what: &'static str,
    },
    /// The mapping was made with `track_file(false)`, and the call needs the file. (Python: `ValueError`)
    Untracked {
        /// The call.
        operation: &'static str,
    },
    /// An empty file cannot be mapped without a length. (Python: `ValueError`)
    EmptyFile,
    /// The mapping would start at or past the end of the file. (Python: `ValueError`)
    OffsetPastEnd {
        /// Where the mapping would start, in bytes from the start of the file.
        offset: u64,
        /// The file's length.
        size: u64,
    },
    /// The mapping would end past the end of the file. (Python: `ValueError`)
    LengthPastEnd {
        /// Where the mapping would start, in bytes from the start of the file.
        offset: u64,
        /// The length asked for.
        len: u64,
        /// The file's length.
        size: u64,
    },
    /// A length, position or range that lies outside of what it counts in. (Python: `ValueError`, `OverflowError`)
    OutOfRange {
        /// What was asked for.
        what: &'static str,
        /// Where the range starts.
        start: i128,
        /// How long it is.
        len: u64,
        /// What it has to lie within: `0..=limit`.
        limit: u64,
    },
    /// An index that no byte has. (Python: `IndexError`)
    IndexOutOfRange {
        /// The index; a negative one counts from the end.
        index: isize,
        /// The mapping's length.
        len: usize,
    },
    /// The bytes assigned to a slice are more or fewer than its own. (Python: `IndexError`)
    SizeMismatch {
        /// How many bytes the slice has.
        expected: usize,
        /// How many were given.
        given: usize,
    },
    /// The mapping allows no change. (Python: `TypeError`)
    ReadOnly,
    /// An offset that is not a multiple of what it has to be a multiple of. (Python: `OSError` `EINVAL`)
    Misaligned {
        /// The offset asked for.
        offset: u64,
        /// The granularity or the page size.
        granularity: u64,
    },
    /// This backend or this operating system cannot do it. (Python: `SystemError`, `AttributeError`)
    Unsupported {
        /// What, and where it can be had.
        what: &'static str,
    },
    /// The file has become shorter than what is mapped. (Python: the process dies of `SIGBUS`)
    Truncated {
        /// The first byte that is gone, in bytes from the start of the file.
        offset: u64,
        /// How many mapped bytes from there on were asked for.
        len: u64,
        /// The file's length now.
        size: u64,
    },
    /// There is no memory for it. (Python: `OSError` `ENOMEM`)
    NoMemory {
        /// How many bytes were asked for.
        len: u64,
    },
    /// The operating system or the storage refused. (Python: `OSError`)
    Io {
        /// What was attempted.
        operation: &'static str,
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// How many bytes were still to be moved, or the length concerned.
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
            | Self::EmptyFile
            | Self::OffsetPastEnd { .. }
            | Self::LengthPastEnd { .. }
            | Self::OutOfRange { .. }
            | Self::IndexOutOfRange { .. }
            | Self::SizeMismatch { .. }
            | Self::Misaligned { .. } => ErrorKind::InvalidInput,
            Self::ReadOnly => ErrorKind::PermissionDenied,
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
            Self::EmptyFile => "EmptyFile",
            Self::OffsetPastEnd { .. } => "OffsetPastEnd",
            Self::LengthPastEnd { .. } => "LengthPastEnd",
            Self::OutOfRange { .. } => "OutOfRange",
            Self::IndexOutOfRange { .. } => "IndexOutOfRange",
            Self::SizeMismatch { .. } => "SizeMismatch",
            Self::ReadOnly => "ReadOnly",
            Self::Misaligned { .. } => "Misaligned",
            Self::Unsupported { .. } => "Unsupported",
            Self::Truncated { .. } => "Truncated",
            Self::NoMemory { .. } => "NoMemory",
            Self::Io { .. } => "Io",
        }
    }

    /// An [`Error::Io`] of `operation`.
    pub(crate) fn io(operation: &'static str, offset: u64, len: u64, source: io::Error) -> Self {
        Self::Io { operation, offset, len, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the mapping is closed"),
            Self::Conflict { what } => write!(f, "options that exclude each other: {what}"),
            Self::Untracked { operation } => {
                write!(f, "{operation} needs the file, and the mapping was made with track_file(false)")
            }
            Self::EmptyFile => {
                f.write_str("an empty file cannot be mapped; give a length and extend(true) to make it longer")
            }
            Self::OffsetPastEnd { offset, size } => {
                write!(f, "a mapping from offset {offset} would start past the end of the file, which has {size} bytes")
            }
            Self::LengthPastEnd { offset, len, size } => write!(
                f,
                "a mapping of {len} bytes from offset {offset} would end past the end of the file, which has {size} bytes; \
                 extend(true) makes the file longer"
            ),
            Self::OutOfRange { what, start, len, limit } => {
                write!(f, "{what} is out of range: start {start}, length {len}, limit {limit}")
            }
            Self::IndexOutOfRange { index, len } => {
                write!(f, "index {index} is out of range for a mapping of {len} bytes")
            }
            Self::SizeMismatch { expected, given } => {
                write!(f, "a slice of {expected} bytes cannot be assigned {given} bytes")
            }
            Self::ReadOnly => f.write_str("the mapping is read-only"),
            Self::Misaligned { offset, granularity } => {
                write!(f, "offset {offset} is not a multiple of {granularity}")
            }
            Self::Unsupported { what } => write!(f, "not supported here: {what}"),
            Self::Truncated { offset, len, size } => write!(
                f,
                "{len} mapped bytes from file offset {offset} are gone: the file was shortened and has {size} bytes now"
            ),
            Self::NoMemory { len } => write!(f, "no memory for {len} bytes"),
            Self::Io { operation, offset, len, source } => {
                write!(f, "{operation} of {len} bytes at file offset {offset} failed: {source}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_error_keeps_kind_and_source() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = io::Error::from(Error::io("write", 4096, 10, denied));
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().starts_with("write of 10 bytes at file offset 4096 failed: "));
        let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
        assert!(matches!(inner, Some(Error::Io { offset: 4096, .. })));
    }

    #[test]
    fn messages_give_the_numbers() {
        let error = Error::LengthPastEnd { offset: 65536, len: 7, size: 65540 };
        for number in ["65536", " 7 ", "65540"] {
            assert!(error.to_string().contains(number), "{error}");
        }
    }
}
