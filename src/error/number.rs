//! The operating system's error numbers, for errors that this crate makes itself.

use std::io::{self, ErrorKind};

/// The system's error number for a kind of error.
pub(super) fn of(kind: ErrorKind) -> Option<i32> {
    cfg_if::cfg_if! {
        if #[cfg(any(unix, all(target_os = "wasi", target_env = "p2")))] {
            use rustix::io::Errno;
            let number = match kind {
                ErrorKind::InvalidInput => Errno::INVAL,
                ErrorKind::PermissionDenied => Errno::ACCESS,
                ErrorKind::IsADirectory => Errno::ISDIR,
                ErrorKind::OutOfMemory => Errno::NOMEM,
                ErrorKind::Unsupported => Errno::OPNOTSUPP,
                ErrorKind::Deadlock => Errno::DEADLK,
                _ => return None,
            };
            Some(number.raw_os_error())
        } else if #[cfg(all(target_os = "wasi", target_env = "p1"))] {
            let number = match kind {
                ErrorKind::InvalidInput => wasi::ERRNO_INVAL,
                ErrorKind::PermissionDenied => wasi::ERRNO_ACCES,
                ErrorKind::IsADirectory => wasi::ERRNO_ISDIR,
                ErrorKind::OutOfMemory => wasi::ERRNO_NOMEM,
                ErrorKind::Unsupported => wasi::ERRNO_NOTSUP,
                ErrorKind::Deadlock => wasi::ERRNO_DEADLK,
                _ => return None,
            };
            Some(i32::from(number.raw()))
        } else if #[cfg(windows)] {
            use windows_sys::Win32::Foundation::{
                ERROR_ACCESS_DENIED, ERROR_DIRECTORY_NOT_SUPPORTED, ERROR_INVALID_PARAMETER, ERROR_NOT_ENOUGH_MEMORY,
                ERROR_NOT_SUPPORTED, ERROR_POSSIBLE_DEADLOCK,
            };
            let number = match kind {
                ErrorKind::InvalidInput => ERROR_INVALID_PARAMETER,
                ErrorKind::PermissionDenied => ERROR_ACCESS_DENIED,
                ErrorKind::IsADirectory => ERROR_DIRECTORY_NOT_SUPPORTED,
                ErrorKind::OutOfMemory => ERROR_NOT_ENOUGH_MEMORY,
                ErrorKind::Unsupported => ERROR_NOT_SUPPORTED,
                ErrorKind::Deadlock => ERROR_POSSIBLE_DEADLOCK,
                _ => return None,
            };
            i32::try_from(number).ok()
        } else {
            let _ = kind;
            None
        }
    }
}

/// Whether an error of opening means that the host of a guest on WASI does not allow it: no directory that the host has
/// opened contains the file, or the directory may only be read. Hosts return `EPERM` or `ENOTCAPABLE`.
pub(super) fn is_not_granted(error: &io::Error) -> bool {
    cfg_if::cfg_if! {
        if #[cfg(all(target_os = "wasi", target_env = "p1"))] {
            let numbers = [wasi::ERRNO_PERM, wasi::ERRNO_NOTCAPABLE];
            numbers.iter().any(|number| error.raw_os_error() == Some(i32::from(number.raw())))
        } else if #[cfg(target_os = "wasi")] {
            use rustix::io::Errno;
            let numbers = [Errno::PERM, Errno::NOTCAPABLE];
            numbers.iter().any(|number| error.raw_os_error() == Some(number.raw_os_error()))
        } else {
            let _ = error;
            false
        }
    }
}

/// Whether an error of the system means that this file can never be mapped, by any process.
///
/// On unix, two groups of numbers mean this. The file system or the device does not support mappings: `ENODEV`, and on
/// some systems `EINVAL`, `ENOTSUP` or `ENOSYS`. (`EINVAL` has no other meaning here, because offset and length were
/// checked.) Or a security module forbids mappings of a file that may be read: `EACCES`. (The mode was checked.) Other
/// numbers have other meanings: `EPERM` comes from seals and from file systems mounted without execution, `ENOMEM`,
/// `EAGAIN` and `EOVERFLOW` concern the process, and `EIO` means that the file cannot be read either.
pub(crate) fn says_unmappable(error: &io::Error) -> bool {
    cfg_if::cfg_if! {
        if #[cfg(unix)] {
            use rustix::io::Errno;
            let numbers =
                [Errno::NODEV, Errno::INVAL, Errno::ACCESS, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS];
            Errno::from_io_error(error).is_some_and(|number| numbers.contains(&number))
        } else if #[cfg(windows)] {
            use windows_sys::Win32::Foundation::{ERROR_INVALID_FUNCTION, ERROR_INVALID_PARAMETER, ERROR_NOT_SUPPORTED};
            let number = error.raw_os_error().and_then(|number| u32::try_from(number).ok());
            number.is_some_and(|number| {
                [ERROR_INVALID_FUNCTION, ERROR_INVALID_PARAMETER, ERROR_NOT_SUPPORTED].contains(&number)
            })
        } else {
            // There are no mappings on these targets.
            let _ = error;
            false
        }
    }
}
