//! The guard of a mapping that a host places in the memory of a guest.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use rustix::mm::{MapFlags, ProtFlags};

use super::Traps;
use crate::guard::{self, Watched};
use crate::storage::FileKind;
use crate::{FaultKind, Result};

/// In so many pieces a mapping may lose pages that cannot be read. Each takes up two of the areas of memory that a process
/// may have, and at their limit the host's own allocator fails.
const MOST_PIECES: usize = 8;

/// Watches over pages that a host has mapped over a block of a guest's memory. A touch of what the file no longer has reads
/// zeros, in the guest's code and in the host's.
#[derive(Debug)]
pub struct Guard {
    /// Before the file, which it uses.
    inner: guard::Guard,
    flags: MapFlags,
    page: usize,
    len: usize,
    file: Arc<File>,
}

impl Guard {
    /// In so many areas of memory a mapping and what it has lost may lie, with what it leaves of the memory around it.
    pub const MOST_AREAS: usize = 4 + 2 * MOST_PIECES;

    /// Watches over the `len` bytes at `start`, where the file is mapped from `offset` on, for reading and writing. A fault of
    /// one of `traps` ends the guest with a trap, where the system and the processor allow it, and any other becomes zeros.
    ///
    /// # Safety
    /// They are mapped so as long as the guard is there, and nothing of them is used by anybody who does not expect them to
    /// become zeros.
    ///
    /// # Errors
    /// [`Error::NoMemory`](crate::Error::NoMemory), and what the operating system says of a handler for `SIGBUS`.
    pub unsafe fn watch(
        start: *mut u8,
        len: usize,
        file: Arc<File>,
        offset: u64,
        shared: bool,
        traps: Option<Traps>,
    ) -> Result<Self> {
        let page = rustix::param::page_size();
        let inner = guard::Guard::watch(Watched {
            start,
            len,
            page,
            prot: ProtFlags::READ | ProtFlags::WRITE,
            kind: FileKind::Regular,
            file: &file,
            offset,
            most_pieces: MOST_PIECES,
            traps,
        })?;
        let flags = if shared { MapFlags::SHARED } else { MapFlags::PRIVATE | guard::NORESERVE };
        Ok(Self { inner, flags, page, len, file })
    }

    /// The first page that was touched and is not there any more, in bytes from the start of the mapping, and why.
    #[must_use]
    pub fn fault(&self) -> Option<(usize, FaultKind)> {
        self.inner.fault().map(|(page, kind)| (page * self.page, kind))
    }

    /// Whether zeros stand in place of the page that holds the byte at `offset` of the mapping.
    #[must_use]
    pub fn is_lost(&self, offset: usize) -> bool {
        self.inner.is_lost(offset / self.page)
    }

    /// Takes the faults of the pages that hold bytes of the range back, and maps the file again in place of what was
    /// replaced.
    ///
    /// # Errors
    /// What the operating system says; the pages that it concerns stay replaced, and their faults stay.
    pub fn refresh(&mut self, range: &Range<usize>) -> Result<()> {
        let end = range.end.min(self.len);
        // No byte of an empty range lies in a page.
        let pages = if range.start < end { range.start / self.page..end.div_ceil(self.page) } else { 0..0 };
        self.inner.map_again(&pages, &self.file, ProtFlags::READ | ProtFlags::WRITE, self.flags)
    }
}
