//! The numbers of advice, flags and protections on unix systems.

use crate::{Advice, Flags, Prot, UncheckedAdvice};

/// The number of a hint on this system.
pub(crate) fn hint_number(advice: Advice) -> Option<i32> {
    Some(match advice {
        Advice::Normal => libc::MADV_NORMAL,
        Advice::Random => libc::MADV_RANDOM,
        Advice::Sequential => libc::MADV_SEQUENTIAL,
        Advice::WillNeed => libc::MADV_WILLNEED,
        Advice::DontNeed => libc::MADV_DONTNEED,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Advice::DontFork => libc::MADV_DONTFORK,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Advice::DoFork => libc::MADV_DOFORK,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Advice::Mergeable => libc::MADV_MERGEABLE,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Advice::Unmergeable => libc::MADV_UNMERGEABLE,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Advice::HugePage => libc::MADV_HUGEPAGE,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Advice::NoHugePage => libc::MADV_NOHUGEPAGE,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Advice::DontDump => libc::MADV_DONTDUMP,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Advice::DoDump => libc::MADV_DODUMP,
        #[cfg(target_os = "freebsd")]
        Advice::NoSync => libc::MADV_NOSYNC,
        #[cfg(target_os = "freebsd")]
        Advice::AutoSync => libc::MADV_AUTOSYNC,
        #[cfg(target_os = "freebsd")]
        Advice::NoCore => libc::MADV_NOCORE,
        #[cfg(target_os = "freebsd")]
        Advice::Core => libc::MADV_CORE,
        #[cfg(target_os = "freebsd")]
        Advice::Protect => libc::MADV_PROTECT,
        _ => return None,
    })
}

/// The number of an advice that can change bytes on this system.
pub(crate) fn unchecked_number(advice: UncheckedAdvice) -> Option<i32> {
    Some(match advice {
        UncheckedAdvice::Free => libc::MADV_FREE,
        #[cfg(target_vendor = "apple")]
        UncheckedAdvice::FreeReusable => libc::MADV_FREE_REUSABLE,
        #[cfg(target_vendor = "apple")]
        UncheckedAdvice::FreeReuse => libc::MADV_FREE_REUSE,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        UncheckedAdvice::Remove => libc::MADV_REMOVE,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        UncheckedAdvice::HwPoison => libc::MADV_HWPOISON,
        #[cfg(target_os = "linux")]
        UncheckedAdvice::SoftOffline => libc::MADV_SOFT_OFFLINE,
        #[allow(unreachable_patterns, reason = "reachable on every system that lacks one of them")]
        _ => return None,
    })
}

/// The number of one flag on this system.
pub(crate) fn flag_number(flag: Flags) -> Option<i32> {
    Some(match flag {
        Flags::SHARED => libc::MAP_SHARED,
        Flags::PRIVATE => libc::MAP_PRIVATE,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Flags::POPULATE => libc::MAP_POPULATE,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Flags::NORESERVE => libc::MAP_NORESERVE,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Flags::STACK => libc::MAP_STACK,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Flags::HUGETLB => libc::MAP_HUGETLB,
        _ => return None,
    })
}

/// The number of one protection on this system.
pub(crate) fn prot_number(prot: Prot) -> Option<i32> {
    Some(match prot {
        Prot::READ => libc::PROT_READ,
        Prot::WRITE => libc::PROT_WRITE,
        Prot::EXEC => libc::PROT_EXEC,
        _ => return None,
    })
}

/// The flag of memory without a file. It is ignored in a number, because a separate function makes anonymous memory.
pub(crate) const ANONYMOUS: i32 = libc::MAP_ANON;
