//! The causes of an [`Error::Io`](crate::Error::Io) that this crate makes itself, without an error of the system or of
//! a storage.

use std::{fmt, io};

/// The cause. It is the error's `source` field and a part of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Mapped for reading.
    NotOpenForReading,
    /// Mapped for writing.
    NotOpenForWriting,
    /// Mapped for writing.
    OpenForAppend,
    /// Mapped for writing.
    Sealed,
    /// Mapped for writing.
    ReadOnlyDevice,
    /// Mapped with `extend(true)`.
    NotOpenForExtending,
    Directory,
    /// A storage would wait for itself.
    Deadlock,
    /// A page could not be read when it was accessed, but a read now succeeds.
    Touch,
    /// On Windows a resize unmapped the file and could not map it again.
    #[cfg_attr(not(any(unix, windows)), allow(dead_code, reason = "there are no OS mappings"))]
    Lost,
    /// A storage that breaks its contract.
    CountTooLarge,
    /// A storage that breaks its contract.
    ForeignSlice,
    /// A tag name that Windows does not accept.
    #[cfg_attr(not(windows), allow(dead_code, reason = "Windows has tags"))]
    TagName,
}

impl Reason {
    /// The reason that the error was made from, if it was made from one.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }

    fn kind(self) -> io::ErrorKind {
        match self {
            Self::NotOpenForReading
            | Self::NotOpenForWriting
            | Self::OpenForAppend
            | Self::Sealed
            | Self::ReadOnlyDevice
            | Self::NotOpenForExtending => io::ErrorKind::PermissionDenied,
            Self::Directory => io::ErrorKind::IsADirectory,
            Self::Deadlock => io::ErrorKind::Deadlock,
            Self::TagName => io::ErrorKind::InvalidInput,
            Self::Touch | Self::Lost | Self::CountTooLarge | Self::ForeignSlice => io::ErrorKind::Other,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOpenForReading => "the file is not open for reading, which every mapping needs; open it with read(true)",
            Self::NotOpenForWriting => {
                "the file is not open for writing; map it with Access::Read or Access::Copy, or open it for reading and \
                 writing"
            }
            Self::OpenForAppend => {
                "the file is open for append; map it with Access::Read or Access::Copy, or open it for reading and writing"
            }
            Self::Sealed => "the file is sealed against writing; map it with Access::Read or Access::Copy",
            Self::ReadOnlyDevice => "the device is read-only; map it with Access::Read or Access::Copy",
            Self::NotOpenForExtending => {
                "the file is not open for writing, which extend(true) needs where the file is too short; open it for reading \
                 and writing"
            }
            Self::Directory => "it is a directory; map a file in it",
            Self::Deadlock => "the storage uses the mapping that reads from it, and would wait for itself",
            Self::Touch => "the file could not be read when it was touched, or no disk space was left for a hole in it",
            Self::Lost => "a resize had to unmap the file and could not map it again; the mapping is lost",
            Self::CountTooLarge => {
                "the storage returned a count larger than the number of bytes it was asked to read or write"
            }
            Self::ForeignSlice => "the storage returned a slice that is not the start of the buffer it was given",
            Self::TagName => "a tag name cannot contain a 0",
        })
    }
}

impl std::error::Error for Reason {}

impl From<Reason> for io::Error {
    fn from(reason: Reason) -> Self {
        Self::new(reason.kind(), reason)
    }
}
