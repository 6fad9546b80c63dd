//! The guard of a mapping that a host places in the memory of a guest.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use rustix::mm::{MapFlags, ProtFlags};

use super::Traps;
use crate::guard::{self, Watched};
use crate::storage::FileKind;
use crate::{FaultKind, Result};

/// The maximum number of pieces in which a mapping may lose pages that cannot be read. Each piece takes two of the
/// memory areas that a process may have, and at the limit of these areas the host's own allocator fails.
const MOST_PIECES: usize = 8;

/// Guards pages that a host has mapped over a block of a guest's memory. An access to a page that the file no longer
/// has reads zeros, in the guest's code and in the host's.
#[derive(Debug)]
pub struct Guard {
    /// Declared before the file, because it uses the file.
    inner: guard::Guard,
    flags: MapFlags,
    page: usize,
    len: usize,
    file: Arc<File>,
}

impl Guard {
    /// The maximum number of memory areas for a mapping, its lost pages, and the parts of the memory around it.
    pub const MOST_AREAS: usize = 4 + 2 * MOST_PIECES;

    /// Guards the `len` bytes at `start`, where the file is mapped from `offset` on, for reading and writing. A fault
    /// of an instruction in `traps` ends the guest with a trap, if the system and the processor support that. After any
    /// other fault the page is zeros.
    ///
    /// # Safety
    /// The bytes stay mapped in this way as long as the guard exists, and everybody who uses them expects that they can
    /// become zeros.
    ///
    /// # Errors
    /// [`Error::NoMemory`](crate::Error::NoMemory), and any error of installing a handler for `SIGBUS`.
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

    /// The offset of the first page with a fault, in bytes from the start of the mapping, and the kind of fault.
    #[must_use]
    pub fn fault(&self) -> Option<(usize, FaultKind)> {
        self.inner.fault().map(|(page, kind)| (page * self.page, kind))
    }

    /// Whether the page that holds the byte at `offset` of the mapping was replaced with zeros.
    #[must_use]
    pub fn is_lost(&self, offset: usize) -> bool {
        self.inner.is_lost(offset / self.page)
    }

    /// Clears the faults of the pages that hold bytes of the range, and maps the file again over pages that were
    /// replaced.
    ///
    /// # Errors
    /// Any error of the operating system. The pages that it concerns stay replaced, and their faults stay.
    pub fn refresh(&mut self, range: &Range<usize>) -> Result<()> {
        let end = range.end.min(self.len);
        // An empty range has no pages.
        let pages = if range.start < end { range.start / self.page..end.div_ceil(self.page) } else { 0..0 };
        self.inner.map_again(&pages, &self.file, ProtFlags::READ | ProtFlags::WRITE, self.flags)
    }
}
