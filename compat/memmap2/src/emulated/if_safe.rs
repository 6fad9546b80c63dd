//! Mapping from safe code, which needs a kernel that guarantees that the file does not change.

use std::marker::PhantomData;
use std::{error, fmt, io};

/// The error of [`map_if_safe`](crate::Mmap::map_if_safe). WASI has no way to guarantee that a file does not change, so
/// it is always [`not_supported`](Self::not_supported).
pub struct MapIfSafeError {
    /// Gives this type the auto traits of memmap2's, which contains an [`io::Error`]: it is `Send` and `Sync`, but not
    /// `UnwindSafe`.
    cause: PhantomData<io::Error>,
}

impl MapIfSafeError {
    pub(crate) fn new_not_supported() -> Self {
        Self { cause: PhantomData }
    }

    /// Whether this system cannot determine if a file is safe to map: always `true`.
    #[must_use]
    pub fn not_supported(&self) -> bool {
        true
    }

    /// Whether the file may change while it is mapped: always `false`, because it is not known.
    #[must_use]
    pub fn not_safe(&self) -> bool {
        false
    }

    /// Whether mapping itself failed: always `false`, because it is not tried.
    #[must_use]
    pub fn map_failed(&self) -> bool {
        false
    }
}

impl error::Error for MapIfSafeError {}

impl fmt::Display for MapIfSafeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&why(), f)
    }
}

impl fmt::Debug for MapIfSafeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotSupported")
    }
}

impl From<MapIfSafeError> for io::Error {
    fn from(_: MapIfSafeError) -> Self {
        why()
    }
}

#[cfg(any(target_os = "wasi", memmap2_emulated))]
fn why() -> io::Error {
    io::ErrorKind::Unsupported.into()
}

#[cfg(not(any(target_os = "wasi", memmap2_emulated)))]
fn why() -> io::Error {
    super::absent::unsupported("a file")
}
