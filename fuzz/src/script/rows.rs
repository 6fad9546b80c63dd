//! The allowed differences between a buffer and an OS mapping: those of the documentation's table, and no others.

/// The table "Where a buffer differs from an OS mapping" in `src/lib.rs`, in its order. Its three rows about a
/// truncated file are one here.
///
/// The model allows a difference only where it calls [`Backend::differs`] with the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// A page that was touched has the bytes that the file had when it was first loaded.
    FirstLoad,
    /// Changes of another mapping or writer of the same file are visible after a `flush` there and a `refresh` here.
    OtherWriters,
    /// Changes that are not flushed when the process ends. No script ends the process.
    ProcessEnd,
    /// Storing an equal value is not a write.
    EqualValue,
    /// The memory of a buffer. No script measures it.
    Memory,
    /// A file that is truncated while it is mapped without a guard.
    UnguardedShrink,
    /// A flush after a failed sync. No sync fails in a script.
    RepeatedWrite,
    /// Fork. No script forks.
    Fork,
    /// Executable memory, huge pages, tag names, `lock`. No script uses them.
    SystemMemory,
}

impl Row {
    /// The whole table.
    pub(super) const ALL: [Self; 9] = [
        Self::FirstLoad,
        Self::OtherWriters,
        Self::ProcessEnd,
        Self::EqualValue,
        Self::Memory,
        Self::UnguardedShrink,
        Self::RepeatedWrite,
        Self::Fork,
        Self::SystemMemory,
    ];
}

/// The backend of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    Mapped,
    Buffered,
}

impl Backend {
    /// Whether this backend may differ from an OS mapping as in this row.
    pub(super) fn differs(self, row: Row) -> bool {
        match self {
            Self::Mapped => false,
            Self::Buffered => Row::ALL.contains(&row),
        }
    }
}
