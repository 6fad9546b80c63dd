//! Advice about how a program will use a range: Python's `madvise` and its `MADV_*` constants.

/// Advice that never changes bytes: a hint.
///
/// A hint on a valid range never fails. A hint that the operating system or the buffer does not support does nothing;
/// [`Advice::is_supported`] says whether it is supported. On a buffer `Normal`, `Random`, `Sequential`, `WillNeed` and
/// `DontNeed` control what is read from the file, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// `MADV_NORMAL`: no special treatment. Undoes `Random` and `Sequential`.
    Normal,
    /// `MADV_RANDOM`: do not read ahead.
    Random,
    /// `MADV_SEQUENTIAL`: read far ahead.
    Sequential,
    /// `MADV_WILLNEED`: load the range now.
    WillNeed,
    /// `MADV_DONTNEED`: free the memory of clean pages. Never drops a change: it does nothing on private mappings,
    /// because Linux would drop their changes.
    DontNeed,
    /// `MADV_DONTFORK` (Linux): a forked child does not get the range.
    DontFork,
    /// `MADV_DOFORK` (Linux): undoes `DontFork`.
    DoFork,
    /// `MADV_MERGEABLE` (Linux): equal pages may share memory.
    Mergeable,
    /// `MADV_UNMERGEABLE` (Linux): undoes `Mergeable`.
    Unmergeable,
    /// `MADV_HUGEPAGE` (Linux): use huge pages if possible.
    HugePage,
    /// `MADV_NOHUGEPAGE` (Linux): undoes `HugePage`.
    NoHugePage,
    /// `MADV_DONTDUMP` (Linux): leave the range out of core dumps.
    DontDump,
    /// `MADV_DODUMP` (Linux): undoes `DontDump`.
    DoDump,
    /// `MADV_NOSYNC` (FreeBSD): do not write changes back until it is necessary.
    NoSync,
    /// `MADV_AUTOSYNC` (FreeBSD): undoes `NoSync`.
    AutoSync,
    /// `MADV_NOCORE` (FreeBSD): leave the range out of core dumps.
    NoCore,
    /// `MADV_CORE` (FreeBSD): undoes `NoCore`.
    Core,
    /// `MADV_PROTECT` (FreeBSD): do not kill this process when swap space runs out.
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

/// Advice that can change bytes while they are borrowed, or later: for
/// [`Mapping::advise_unchecked`](crate::Mapping::advise_unchecked), which is `unsafe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UncheckedAdvice {
    /// `MADV_FREE` (Linux 4.5, macOS, BSD): the kernel may drop the bytes at any later time, until they are written
    /// again.
    Free,
    /// `MADV_FREE_REUSABLE` (macOS): like `Free`, and the memory no longer counts toward the process.
    FreeReusable,
    /// `MADV_FREE_REUSE` (macOS): undoes `FreeReusable`.
    FreeReuse,
    /// `MADV_REMOVE` (Linux): punch a hole in the file. The range reads as zeros from now on, in the file too.
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
