//! Mappings that the host places in the guest's memory: the bytes are the file's own.
//!
//! On Preview 1 a guest requests them by a call that every host has, and that has no effect in a host that cannot map
//! files. A component has to import the request, and does not start in a host without it, so there a flag turns it on.

use std::io;

use portable_mmap::raw::RawHosted;
use portable_mmap::{Access, OsFile};

use super::advice::Advice;

/// A mapping of the host.
pub(super) struct Hosted(RawHosted);

impl Hosted {
    /// Lets the host map `len` bytes of a file from `offset`, which is the start of a page. Returns `None` if it does
    /// not, for any reason: a buffer does not need the host.
    ///
    /// This includes small mappings: only then do all mappings of a file show the same bytes.
    pub(super) fn map(file: &OsFile, offset: u64, len: usize, access: Access) -> Option<Self> {
        RawHosted::map(file, offset, len, access).ok()?.map(Self)
    }

    #[inline]
    pub(super) fn ptr(&self) -> *mut u8 {
        self.0.as_ptr()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Flushes the changes of a range, which are already in the file.
    pub(super) fn flush(&self, offset: usize, len: usize, to_disk: bool) -> io::Result<()> {
        let flushed = if to_disk { self.0.flush_range(offset, len) } else { self.0.flush_async_range(offset, len) };
        Ok(flushed?)
    }

    /// Passes advice on, if the host may use it.
    pub(super) fn advise(&self, advice: Advice, offset: usize, len: usize) -> io::Result<()> {
        use portable_mmap::Advice as Hint;
        let hint = match advice {
            Advice::Normal => Hint::Normal,
            Advice::Random => Hint::Random,
            Advice::Sequential => Hint::Sequential,
            Advice::WillNeed | Advice::PopulateRead => Hint::WillNeed,
            _ => return Ok(()),
        };
        Ok(self.0.advise_range(hint, offset, len)?)
    }
}
