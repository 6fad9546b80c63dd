//! Mappings that the host of the guest places in its memory: the bytes are the file's own.
//!
//! Preview 1 has a call by which a guest asks any host for them, and hears nothing from one that does not know it. A
//! component imports what it asks, and does not start where that is missing: so there it is a flag.

use std::io;

use portable_mmap::raw::RawHosted;
use portable_mmap::{Access, OsFile};

use super::advice::Advice;

/// A mapping of the host.
pub(super) struct Hosted(RawHosted);

impl Hosted {
    /// Has the host map `len` bytes of a file from `offset` on, which is one of a page. None where it does not:
    /// whatever its reason, a buffer needs no host.
    ///
    /// Small ones too: only then do all mappings of a file show the same bytes.
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

    /// Has the system see to the changes of a range, which the file has already.
    pub(super) fn flush(&self, offset: usize, len: usize, to_disk: bool) -> io::Result<()> {
        let flushed = if to_disk { self.0.flush_range(offset, len) } else { self.0.flush_async_range(offset, len) };
        Ok(flushed?)
    }

    /// Hands a hint on, if the host can have a use for it.
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
