//! Advice, with Linux's numbers.

/// Advice about how a program will use a range, which does not change its bytes. In a buffer every advice is accepted
/// and has no effect.
#[repr(i32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Advice {
    /// `MADV_NORMAL`: no special treatment.
    Normal = 0,
    /// `MADV_RANDOM`: do not read ahead.
    Random = 1,
    /// `MADV_SEQUENTIAL`: read far ahead.
    Sequential = 2,
    /// `MADV_WILLNEED`: load now.
    WillNeed = 3,
    /// `MADV_DONTFORK`: do not give the range to a forked child.
    DontFork = 10,
    /// `MADV_DOFORK`: undoes `DontFork`.
    DoFork = 11,
    /// `MADV_MERGEABLE`: equal pages may share memory.
    Mergeable = 12,
    /// `MADV_UNMERGEABLE`: undoes `Mergeable`.
    Unmergeable = 13,
    /// `MADV_HUGEPAGE`: use huge pages if possible.
    HugePage = 14,
    /// `MADV_NOHUGEPAGE`: undoes `HugePage`.
    NoHugePage = 15,
    /// `MADV_DONTDUMP`: leave the range out of core dumps.
    DontDump = 16,
    /// `MADV_DODUMP`: undoes `DontDump`.
    DoDump = 17,
    /// `MADV_HWPOISON`: treat the pages as broken memory.
    HwPoison = 100,
    /// `MADV_POPULATE_READ`: load the pages now for reading.
    PopulateRead = 22,
    /// `MADV_POPULATE_WRITE`: load the pages now for writing.
    PopulateWrite = 23,
}

impl Advice {
    /// Returns whether a buffer already is as this advice requests.
    #[must_use]
    pub fn is_supported(self) -> bool {
        matches!(
            self,
            Self::Normal | Self::Random | Self::Sequential | Self::WillNeed | Self::PopulateRead | Self::PopulateWrite
        )
    }
}

/// Advice that changes bytes.
#[repr(i32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum UncheckedAdvice {
    /// `MADV_DONTNEED`: fills anonymous memory with zeros. `Unsupported` for files.
    DontNeed = 4,
    /// `MADV_FREE`: the bytes may become zeros at any time until they are written again. Accepted for anonymous memory,
    /// without effect.
    Free = 8,
    /// `MADV_REMOVE`: makes a hole in the file. `Unsupported`.
    Remove = 9,
}

impl UncheckedAdvice {
    /// Returns whether this advice is accepted for anonymous memory.
    #[must_use]
    pub fn is_supported(self) -> bool {
        !matches!(self, Self::Remove)
    }
}
