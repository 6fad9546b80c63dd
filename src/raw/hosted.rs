//! A mapping that the host has placed, accessed through a pointer.

use std::fmt;
use std::ops::Range;

use crate::error::{Operation, Reason};
use crate::guard::FaultKind;
use crate::plan::{Limits, Plan};
use crate::region::sealed::{Memory, Region};
use crate::region::{Durability, HostRegion};
use crate::span::{self, Span};
use crate::{Access, Advice, Asked, Error, MmapOptions, OsFile, Result};

/// The bytes of a file that the host of a guest on WASI has mapped into the guest's memory, at a fixed address until
/// this is dropped. This type exists only on WASI.
///
/// The bytes are those of the file. Nothing is loaded or copied, and with [`Access::Write`] a store reaches the file
/// immediately. The host does the work of a flush, and the guest reads no bytes for it, so references to the bytes may
/// be live. The mapping keeps no descriptor, so the file may be closed once it is mapped. The drop ends the mapping,
/// and loses no change.
///
/// If somebody truncates the file, the bytes that are gone read as zeros, unless the host ends the guest for such an
/// access.
pub struct RawHosted {
    region: HostRegion,
    span: Span,
    /// Changes reach the file.
    is_shared: bool,
}

impl RawHosted {
    /// Asks the host to map `len` bytes of a file from `offset` on. The offset must be a multiple of 4096. With a
    /// length of 0 it maps the rest of the file. Returns `None` if the host does not place mappings; use a
    /// [`RawBuffer`](super::RawBuffer) then.
    ///
    /// It asks the host in the same way as [`HostMapping::Require`](crate::HostMapping::Require): on `wasm32-wasip1`
    /// through a call that every host has, and on `wasm32-wasip2` through an import, if the crate is built with the
    /// feature `host-mapping`.
    ///
    /// # Errors
    /// The errors of [`MmapOptions::map`], and [`Error::Io`] with the host's reason not to map this file.
    pub fn map(file: &OsFile, offset: u64, len: usize, access: Access) -> Result<Option<Self>> {
        if !HostRegion::is_possible() {
            return Ok(None);
        }
        let mut options = MmapOptions::new();
        // With a guard, because a flush checks for lost pages.
        options.access(access).offset(offset).len(len).guard(true);
        let limits =
            Limits { granularity: HostRegion::allocation_granularity(), check_supported: HostRegion::check_supported };
        let plan = Plan::of_source(&options, file, &limits)?;
        let (span, is_shared) = (plan.span, plan.reaches_file());
        Ok(HostRegion::of_file(file, &plan)?.map(|region| Self { region, span, is_shared }))
    }

    /// The address of the first byte, which is the start of a page. It stays the same until the mapping is dropped,
    /// also if the value is moved.
    ///
    /// All [`len`](Self::len) bytes are initialised. Others who use the file see what is written here and change what
    /// is read here. The caller keeps Rust's rules for reading and writing, as with a mapping of an operating system,
    /// and writes nothing if the access is [`Access::Read`].
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.region.start().as_ptr()
    }

    /// How many bytes there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.region.len()
    }

    /// Returns once the changes in the pages that hold a range are on the disk. Does nothing without [`Access::Write`].
    ///
    /// # Errors
    /// [`Error::OutOfRange`], any error of the host, and [`Error::Truncated`] or [`Error::Io`] if pages of the range
    /// were found not to be in the file any more. Changes in these pages are lost.
    pub fn flush_range(&self, offset: usize, len: usize) -> Result<()> {
        self.flush(offset, len, Durability::Disk)
    }

    /// Returns once every reader of the file sees the changes in the pages that hold a range, which is immediately.
    ///
    /// # Errors
    /// As for [`flush_range`](Self::flush_range).
    pub fn flush_async_range(&self, offset: usize, len: usize) -> Result<()> {
        self.flush(offset, len, Durability::Visible)
    }

    fn flush(&self, offset: usize, len: usize, durability: Durability) -> Result<()> {
        let range = span::checked_range(Asked::Flush, offset, len, self.len())?;
        if !self.is_shared || range.is_empty() {
            return Ok(());
        }
        let at = self.span.file_offset(range.start);
        self.region.flush(range.clone(), durability).map_err(|e| Error::io(Operation::Flush, at, len as u64, e))?;
        self.check_nothing_is_lost(&range)
    }

    /// Returns an error if pages of the range were replaced with zeros.
    fn check_nothing_is_lost(&self, range: &Range<usize>) -> Result<()> {
        // Without a fault the host is asked only once, and not for each page.
        let Some((_, kind)) = self.region.fault() else { return Ok(()) };
        let page_size = self.region.page();
        let lost = span::pages(range, page_size).find(|&page| self.region.is_lost(page));
        let Some(page) = lost else { return Ok(()) };
        let offset = self.span.file_offset(page * page_size);
        let len = self.span.end() - offset;
        Err(match kind {
            FaultKind::Truncated => Error::Truncated { path: None, offset, len, size: offset },
            FaultKind::Io => Error::io(Operation::Read, offset, len, Reason::Touch),
        })
    }

    /// Passes a hint to the host, which may ignore it. Changes no byte.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn advise_range(&self, advice: Advice, offset: usize, len: usize) -> Result<()> {
        let range = span::checked_range(Asked::Advice, offset, len, self.len())?;
        // On Linux this advice would drop private changes.
        if self.is_shared || advice != Advice::DontNeed {
            self.region.advise(range, advice);
        }
        Ok(())
    }
}

/// Prints the address and the length, never the bytes.
impl fmt::Debug for RawHosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawHosted")
            .field("start", &self.region.start())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
