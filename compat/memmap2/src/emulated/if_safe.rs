//! Mapping from safe code, which needs a kernel that vouches for the file.

use std::marker::PhantomData;
use std::{error, fmt, io};

/// Why [`map_if_safe`](crate::Mmap::map_if_safe) made no mapping: no host of WASI can vouch for a file, so it is always
/// [`not_supported`](Self::not_supported).
pub struct MapIfSafeError {
    /// As there: what holds an [`io::Error`] may be sent and shared, and is not safe to unwind.
    cause: PhantomData<io::Error>,
}

impl MapIfSafeError {
    pub(crate) fn new_not_supported() -> Self {
        Self { cause: PhantomData }
    }

    /// Whether this system cannot tell if a file is safe to map: always.
    #[must_use]
    pub fn not_supported(&self) -> bool {
        true
    }

    /// Whether the file may change while it is mapped: never known.
    #[must_use]
    pub fn not_safe(&self) -> bool {
        false
    }

    /// Whether mapping itself failed: it is never tried.
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
