//! What was out of range, and what an offset has to be a multiple of.

/// What was asked for that lies out of range: see [`Error::OutOfRange`](crate::Error::OutOfRange).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Asked {
    /// The length of a mapping, which is at most `isize::MAX`.
    Length,
    /// The end of a mapping in its file, which is at most `i64::MAX`.
    End,
    /// The length of an anonymous mapping, which is not 0.
    AnonymousLength,
    /// The new length of a mapping, which is not 0.
    NewLength,
    /// A range of bytes.
    Range,
    /// The step of a slice, which is not 0.
    Step,
    /// The range to flush.
    Flush,
    /// The range to refresh.
    Refresh,
    /// The start of the range that advice is given on.
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

/// What an offset has to be a multiple of: see [`Error::Misaligned`](crate::Error::Misaligned).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// [`Mapping::allocation_granularity`](crate::Mapping::allocation_granularity).
    AllocationGranularity,
    /// [`Mapping::page_size`](crate::Mapping::page_size).
    PageSize,
}
