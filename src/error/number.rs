//! The system's numbers, for errors that this crate makes itself.

use std::io::ErrorKind;

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
