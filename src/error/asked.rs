//! The details of two errors: which value was out of range, and which unit an offset must be a multiple of.

/// Which value was out of range: see [`Error::OutOfRange`](crate::Error::OutOfRange).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Asked {
    /// The length of a mapping. It is at most `isize::MAX`.
    Length,
    /// The end of a mapping in its file. It is at most `i64::MAX`.
    End,
    /// The length of an anonymous mapping. It must not be 0.
    AnonymousLength,
    /// The new length of a mapping. It must not be 0.
    NewLength,
    /// A range of bytes.
    Range,
    /// The step of a slice. It must not be 0.
    Step,
    /// The range to flush.
    Flush,
    /// The range to refresh.
    Refresh,
    /// The start of the range that the advice is for.
    Advice,
    /// The position to seek to.
    Seek,
    /// The byte to read at the position.
    Read,
    /// The bytes to write at the position.
    Write,
    /// The bytes to move.
    MoveFrom,
    /// The place to move bytes to.
    MoveTo,
}

/// The unit that an offset must be a multiple of: see [`Error::Misaligned`](crate::Error::Misaligned).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// [`Mapping::allocation_granularity`](crate::Mapping::allocation_granularity).
    AllocationGranularity,
    /// [`Mapping::page_size`](crate::Mapping::page_size).
    PageSize,
}
