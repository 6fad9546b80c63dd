//! The system's numbers, for errors that this crate makes itself.

use std::io::{self, ErrorKind};

/// The number that the system has for errors of a kind.
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

/// Whether a system that was asked to map a file says that this file cannot be mapped, by nobody and at no time.
///
/// On unix: the file system or the device has no mappings (`ENODEV`; some say `EINVAL`, `ENOTSUP` or `ENOSYS`, and nothing else
/// is left that `EINVAL` could mean: offset and length were checked), or they are forbidden for files that may be read
/// (`EACCES`, of a security module; the mode was checked). Not so `EPERM`, of seals and of file systems without programs;
/// `ENOMEM`, `EAGAIN` and `EOVERFLOW`, which speak of the process; and `EIO`, of a file that cannot be read either.
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
            // There are no mappings.
            let _ = error;
            false
        }
    }
}
