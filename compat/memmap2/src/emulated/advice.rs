//! Hints, with Linux's numbers.

/// What a program may say about how it will use a range, without changing its bytes. In memory that is loaded as a whole
/// every hint is accepted and does nothing.
#[repr(i32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Advice {
    /// `MADV_NORMAL`: no special treatment.
    Normal = 0,
    /// `MADV_RANDOM`: reading ahead is of no use.
    Random = 1,
    /// `MADV_SEQUENTIAL`: read far ahead.
    Sequential = 2,
    /// `MADV_WILLNEED`: load now.
    WillNeed = 3,
    /// `MADV_DONTFORK`: a forked child does not get the range.
    DontFork = 10,
    /// `MADV_DOFORK`: takes back `DontFork`.
    DoFork = 11,
    /// `MADV_MERGEABLE`: equal pages may share memory.
    Mergeable = 12,
    /// `MADV_UNMERGEABLE`: takes back `Mergeable`.
    Unmergeable = 13,
    /// `MADV_HUGEPAGE`: huge pages are welcome.
    HugePage = 14,
    /// `MADV_NOHUGEPAGE`: takes back `HugePage`.
    NoHugePage = 15,
    /// `MADV_DONTDUMP`: leave the range out of core dumps.
    DontDump = 16,
    /// `MADV_DODUMP`: takes back `DontDump`.
    DoDump = 17,
    /// `MADV_HWPOISON`: treat the pages as broken memory.
    HwPoison = 100,
    /// `MADV_POPULATE_READ`: load now, and say whether that succeeded.
    PopulateRead = 22,
    /// `MADV_POPULATE_WRITE`: make ready to be written to now, and say whether that succeeded.
    PopulateWrite = 23,
}

impl Advice {
    /// Whether memory that is loaded as a whole is as this advice asks.
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
    /// `MADV_DONTNEED`: anonymous memory is zeros from now on. On a file it is `Unsupported`.
    DontNeed = 4,
    /// `MADV_FREE`: the bytes may become zeros at any time until they are written again. Accepted on anonymous memory,
    /// and does nothing.
    Free = 8,
    /// `MADV_REMOVE`: punch a hole into the file. `Unsupported`.
    Remove = 9,
}

impl UncheckedAdvice {
    /// Whether anonymous memory takes this advice.
    #[must_use]
    pub fn is_supported(self) -> bool {
        !matches!(self, Self::Remove)
    }
}
