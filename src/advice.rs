//! What a program may say about how it will use a range: Python's `madvise` and its `MADV_*` constants.

/// Advice that never changes a byte: a hint.
///
/// A hint never fails where its range is right: what an operating system or a buffer lacks is a no-op, and
/// [`Advice::is_supported`] tells. On a buffer `Normal`, `Random`, `Sequential`, `WillNeed` and `DontNeed` govern what
/// is read from the file, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// `MADV_NORMAL`: no special treatment; takes back `Random` and `Sequential`.
    Normal,
    /// `MADV_RANDOM`: reading ahead is of no use.
    Random,
    /// `MADV_SEQUENTIAL`: read far ahead.
    Sequential,
    /// `MADV_WILLNEED`: load now.
    WillNeed,
    /// `MADV_DONTNEED`: give the memory of clean pages up. Never drops a change: it does nothing on private mappings,
    /// whose changes Linux would drop.
    DontNeed,
    /// `MADV_DONTFORK` (Linux): a forked child does not get the range.
    DontFork,
    /// `MADV_DOFORK` (Linux): takes back `DontFork`.
    DoFork,
    /// `MADV_MERGEABLE` (Linux): equal pages may share memory.
    Mergeable,
    /// `MADV_UNMERGEABLE` (Linux): takes back `Mergeable`.
    Unmergeable,
    /// `MADV_HUGEPAGE` (Linux): huge pages are welcome.
    HugePage,
    /// `MADV_NOHUGEPAGE` (Linux): takes back `HugePage`.
    NoHugePage,
    /// `MADV_DONTDUMP` (Linux): leave the range out of core dumps.
    DontDump,
    /// `MADV_DODUMP` (Linux): takes back `DontDump`.
    DoDump,
    /// `MADV_NOSYNC` (FreeBSD): do not write changes back before they must be.
    NoSync,
    /// `MADV_AUTOSYNC` (FreeBSD): takes back `NoSync`.
    AutoSync,
    /// `MADV_NOCORE` (FreeBSD): leave the range out of core dumps.
    NoCore,
    /// `MADV_CORE` (FreeBSD): takes back `NoCore`.
    Core,
    /// `MADV_PROTECT` (FreeBSD): do not end this process when swap space runs out.
    Protect,
}

impl Advice {
    /// Every advice, in the order of Python's documentation.
    pub const ALL: &[Self] = &[
        Self::Normal,
        Self::Random,
        Self::Sequential,
        Self::WillNeed,
        Self::DontNeed,
        Self::DontFork,
        Self::DoFork,
        Self::Mergeable,
        Self::Unmergeable,
        Self::HugePage,
        Self::NoHugePage,
        Self::DontDump,
        Self::DoDump,
        Self::NoSync,
        Self::AutoSync,
        Self::NoCore,
        Self::Core,
        Self::Protect,
    ];
}

/// Advice that can change bytes under a borrow, or later: for
/// [`Mapping::advise_unchecked`](crate::Mapping::advise_unchecked), which is `unsafe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UncheckedAdvice {
    /// `MADV_FREE` (Linux 4.5, macOS, BSD): the kernel may drop the bytes at any later time, until they are written again.
    Free,
    /// `MADV_FREE_REUSABLE` (macOS): like `Free`, and the memory no longer counts as the process's.
    FreeReusable,
    /// `MADV_FREE_REUSE` (macOS): takes back `FreeReusable`.
    FreeReuse,
    /// `MADV_REMOVE` (Linux): punch a hole into the file: zeros from now on, in the file too.
    Remove,
    /// `MADV_HWPOISON` (Linux, privileged): treat the pages as broken memory.
    HwPoison,
    /// `MADV_SOFT_OFFLINE` (Linux, privileged): take the memory behind the pages out of use.
    SoftOffline,
}

impl UncheckedAdvice {
    /// Every advice, in the order of Python's documentation.
    pub const ALL: &[Self] =
        &[Self::Free, Self::FreeReusable, Self::FreeReuse, Self::Remove, Self::HwPoison, Self::SoftOffline];
}
