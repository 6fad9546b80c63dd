//! Where a buffer may differ from an OS mapping: the rows of the specification's table, and nothing else.

/// A row of the table "Where a buffer is not an OS mapping" (section 6 of the specification), in its order.
///
/// The model lets the backends differ only where it asks [`Backend::differs`], and there it names the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// "a page holds what the file held when it was first loaded"
    FirstLoad,
    /// "a second mapping or a writer of the same file (seen after `flush` there and `refresh` here)"
    OtherWriters,
    /// "changes not yet flushed when the process ends": no script ends the process.
    ProcessEnd,
    /// "storing an equal value is no write"
    EqualValue,
    /// "the memory of what was touched, and of a kept copy of what is borrowed mutably": no script measures it.
    Memory,
    /// "a file that shrinks while mapped without a guard"
    UnguardedShrink,
    /// "what a repeated write after a failed sync overwrites": no sync fails in a script.
    RepeatedWrite,
    /// "fork": no script forks.
    Fork,
    /// "executable memory, huge pages, tags, `lock`": no script asks for them.
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

/// What a mapping is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    Mapped,
    Buffered,
}

impl Backend {
    /// Whether this backend may do other than an OS mapping does, as the row says.
    pub(super) fn differs(self, row: Row) -> bool {
        match self {
            Self::Mapped => false,
            Self::Buffered => Row::ALL.contains(&row),
        }
    }
}
