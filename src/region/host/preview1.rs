//! A host of WASI Preview 1.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use crate::FaultKind;
use crate::host::{errno, read_fault_word};

// How the host is called: through imports, or through `fd_pread`.
cfg_if::cfg_if! {
    if #[cfg(feature = "host-mapping")] {
        mod imported;
        use imported as calls;
    } else {
        mod asked;
        use asked as calls;
    }
}

/// A mapping that the host has placed. `unmap` ends it.
#[derive(Debug)]
pub(super) struct Placed {
    /// The handle, or 0 once the mapping has ended.
    handle: i32,
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::from_raw_os_error(result.wrapping_neg())) } else { Ok(result) }
}

impl Placed {
    /// Whether this host may place mappings. If not, `map` must not be called.
    pub(super) fn is_possible() -> bool {
        calls::is_available()
    }

    /// Asks the host to map a file over a block. Returns `None` if the host does not place mappings.
    ///
    /// # Safety
    /// The caller owns the block, and its contents are no longer used.
    ///
    /// # Errors
    /// The host's reason not to map this file over this block.
    pub(super) unsafe fn map(
        file: &File,
        offset: u64,
        start: *mut u8,
        len: usize,
        flags: u32,
    ) -> io::Result<Option<Self>> {
        #[expect(clippy::cast_sign_loss, reason = "an open descriptor is not negative")]
        let fd = file.as_raw_fd() as wasi::Fd;
        // SAFETY: a call without memory of ours.
        let filestat = unsafe { wasi::fd_filestat_get(fd) };
        let inode = filestat.map_err(|errno| io::Error::from_raw_os_error(errno.raw().into()))?.ino;
        // SAFETY: the caller owns the block.
        let handle = check(unsafe { calls::map(inode, offset, start, len, flags) })?;
        Ok((handle > 0).then_some(Self { handle }))
    }

    pub(super) fn sync(&self, range: &Range<usize>, how: u32) -> io::Result<()> {
        check(calls::sync(self.handle, range.start, range.len(), how)).map(drop)
    }

    pub(super) fn advise(&self, range: &Range<usize>, advice: u32) {
        // It is not an error if the host does not support a hint.
        let _ = calls::advise(self.handle, range.start, range.len(), advice);
    }

    pub(super) fn refresh(&mut self, range: &Range<usize>) -> io::Result<()> {
        // SAFETY: bytes of the mapping change, and it is borrowed mutably.
        check(unsafe { calls::refresh(self.handle, range.start, range.len()) }).map(drop)
    }

    /// The offset of the page with the first fault, in bytes from the start of the mapping, and the kind of fault.
    pub(super) fn fault(&self) -> Option<(usize, FaultKind)> {
        let (offset, kind) = read_fault_word(calls::fault(self.handle))?;
        Some((usize::try_from(offset).ok()?, kind))
    }

    pub(super) fn is_lost(&self, offset: usize) -> bool {
        calls::lost(self.handle, offset) > 0
    }

    /// Ends the mapping: the host restores plain memory. Returns false if the host did not do that.
    pub(super) fn unmap(&mut self) -> bool {
        let handle = std::mem::take(&mut self.handle);
        handle != 0 && matches!(calls::unmap(handle), 0 | UNKNOWN)
    }
}

/// The host no longer knows a mapping that it has ended itself.
const UNKNOWN: i32 = -errno::BADF;
