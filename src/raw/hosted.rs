//! A mapping that the host has placed, behind a pointer.

use std::fmt;
use std::ops::Range;

use crate::error::{Operation, Reason};
use crate::guard::FaultKind;
use crate::plan::{Limits, Plan};
use crate::region::sealed::{Memory, Region};
use crate::region::{Durability, HostRegion};
use crate::span::{self, Span};
use crate::{Access, Advice, Asked, Error, MmapOptions, OsFile, Result};

/// The bytes of a file that the host of a guest on WASI has mapped into the guest's memory, at one address until this
/// is dropped. There is this type on WASI alone.
///
/// The bytes are the file's own: nothing is loaded or copied, and with [`Access::Write`] a store reaches the file at
/// once. A flush has the host do its work and reads nothing here, so references to the bytes may be live. No descriptor
/// is kept: the file may be closed once it is mapped. The drop ends the mapping, and loses no change.
///
/// What the file no longer has, because somebody made it shorter, reads zeros, unless the host ends the guest for it.
pub struct RawHosted {
    region: HostRegion,
    span: Span,
    /// Changes reach the file.
    is_shared: bool,
}

impl RawHosted {
    /// Has the host map `len` bytes of a file from `offset` on, which is a multiple of 4096; with a length of 0 the
    /// rest of the file. None where the host places no mappings: then a [`RawBuffer`](super::RawBuffer) may do.
    ///
    /// How the host is asked is the same as for [`HostMapping::Require`](crate::HostMapping::Require): on
    /// `wasm32-wasip1` by a call that every host has, and on `wasm32-wasip2` by an import, if the crate is built with
    /// the feature `host-mapping`.
    ///
    /// # Errors
    /// Those of [`MmapOptions::map`], and [`Error::Io`] with the host's reason not to map this file so.
    pub fn map(file: &OsFile, offset: u64, len: usize, access: Access) -> Result<Option<Self>> {
        if !HostRegion::is_possible() {
            return Ok(None);
        }
        let mut options = MmapOptions::new();
        // Guarded, for a flush asks what was lost.
        options.access(access).offset(offset).len(len).guard(true);
        let limits =
            Limits { granularity: HostRegion::allocation_granularity(), check_supported: HostRegion::check_supported };
        let plan = Plan::of_source(&options, file, &limits)?;
        let (span, is_shared) = (plan.span, plan.reaches_file());
        Ok(HostRegion::of_file(file, &plan)?.map(|region| Self { region, span, is_shared }))
    }

    /// The address of the first byte: that of a page, the same until the mapping is dropped, also when it is moved.
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

    /// Returns once the changes in the pages that hold a range are on the disk. Without [`Access::Write`] there are
    /// none.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; what the host says; and [`Error::Truncated`] or [`Error::Io`] if pages of the range have turned
    /// out not to be in the file any more. What was written to these is lost.
    pub fn flush_range(&self, offset: usize, len: usize) -> Result<()> {
        self.flush(offset, len, Durability::Disk)
    }

    /// Returns once everybody who reads the file sees the changes in the pages that hold a range, which is at once.
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

    /// Fails if zeros stand in place of bytes of the range that the file no longer has.
    fn check_nothing_is_lost(&self, range: &Range<usize>) -> Result<()> {
        // Without a fault the host is asked once, and not for each page.
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

    /// Hands a hint on to the host, which may have a use for it. No byte changes.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn advise_range(&self, advice: Advice, offset: usize, len: usize) -> Result<()> {
        let range = span::checked_range(Asked::Advice, offset, len, self.len())?;
        // On Linux this would take private changes back.
        if self.is_shared || advice != Advice::DontNeed {
            self.region.advise(range, advice);
        }
        Ok(())
    }
}

/// The place, never the bytes.
impl fmt::Debug for RawHosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawHosted")
            .field("start", &self.region.start())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
