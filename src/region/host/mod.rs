//! Hosted mappings: a host maps a file over a block of this guest's memory.
//!
//! The host maps the file over a block of the allocator, and restores plain memory before the allocator gets the block
//! back. So the bytes are those of the file, as in an OS mapping. Nothing borrows from a block before the host's call,
//! or after the call that ends the mapping.

use std::io;
use std::ops::Range;
use std::ptr::NonNull;

use super::block::Block;
use super::sealed::{Memory, Region};
use crate::error::Operation;
use crate::guard::FaultKind;
use crate::host::{self, BLOCK, PAGE};
use crate::plan::Plan;
use crate::region::Durability;
use crate::storage::{FileKind, OsFile, Storage, with_length};
use crate::{Advice, Error, Flags, Result, UncheckedAdvice};

// The interface to the host.
cfg_if::cfg_if! {
    if #[cfg(all(target_os = "wasi", target_env = "p1"))] {
        mod preview1;
        use preview1::Placed;
    } else if #[cfg(all(
        target_os = "wasi",
        target_env = "p2",
        any(feature = "host-mapping", all(feature = "facade", memmap2_host_mapping))
    ))] {
        mod component;
        use component::Placed;
    } else {
        mod none;
        use none::Placed;
    }
}

/// Memory in which a host has placed a mapping of a file.
#[derive(Debug)]
pub struct HostRegion {
    /// `None` for anonymous memory, which needs no host.
    placed: Option<Placed>,
    /// Freed after the mapping has ended. `None` if the block is leaked, because the host did not end its mapping.
    block: Option<Block>,
    start: NonNull<u8>,
    len: usize,
    is_guarded: bool,
}

// SAFETY: it owns its block, and access goes through the mapping's own borrows.
unsafe impl Send for HostRegion {}
// SAFETY: as for `Send`.
unsafe impl Sync for HostRegion {}

const UNSUPPORTED: Error = Error::Unsupported {
    what: "this host places no mappings in the memory of its guests; HostMapping::Auto falls back to a buffer",
};

/// Allocates whole blocks for `len` bytes.
fn block(len: usize) -> Result<(Block, usize)> {
    let no_memory = || Error::no_memory(len as u64);
    let size = len.checked_next_multiple_of(BLOCK).ok_or_else(no_memory)?;
    Ok((Block::new(size, BLOCK).ok_or_else(no_memory)?, size))
}

/// Whether the host's error means that the block lies in memory that the program started with.
fn lies_in_image(error: &io::Error) -> bool {
    error.raw_os_error() == Some(host::errno::ADDRNOTAVAIL)
}

impl HostRegion {
    /// Whether the host may place mappings. If not, it need not be asked for any.
    #[cfg(target_os = "wasi")]
    pub(crate) fn is_possible() -> bool {
        Placed::is_possible()
    }

    /// Asks the host to map the plan's span of a file. Returns `None` if the host does not place mappings.
    pub(crate) fn of_file(file: &OsFile, plan: &Plan) -> Result<Option<Self>> {
        let (offset, len) = (plan.span.offset(), plan.span.len());
        let flags = if plan.reaches_file() { host::SHARED } else { 0 };
        if !Placed::is_possible() {
            return Ok(None);
        }
        // Keeps blocks that cannot be used until it has found another one. Otherwise the allocator would return them
        // again.
        let mut unusable = Vec::new();
        let (block, placed) = loop {
            let (block, size) = block(len)?;
            let start = block.start().as_ptr();
            // The memory after the last page of the mapping stays plain memory.
            let mapped = len.next_multiple_of(PAGE);
            debug_assert!(mapped <= size, "blocks have whole pages");
            // SAFETY: the block is this function's own, and holds nothing.
            match unsafe { Placed::map(file.get(), offset, start, len, flags) } {
                Ok(Some(placed)) => break (block, placed),
                Ok(None) => return Ok(None),
                Err(e) if lies_in_image(&e) => unusable.push(block),
                Err(e) => return Err(Error::io(Operation::Map, offset, len as u64, e)),
            }
        };
        let region =
            Self { start: block.start(), placed: Some(placed), block: Some(block), len, is_guarded: plan.guard };
        if plan.hints.contains(Flags::POPULATE) {
            region.advise(0..len, Advice::WillNeed);
        }
        Ok(Some(region))
    }

    /// [`of_file`](Self::of_file), but returns an error if the host does not place mappings.
    fn required(file: &OsFile, plan: &Plan) -> Result<Self> {
        Self::of_file(file, plan)?.ok_or(UNSUPPORTED)
    }

    /// Changes the length of anonymous memory.
    fn resize_anonymous(&mut self, new: &Plan) -> Result<()> {
        let mut region = Self::anonymous(new)?;
        // SAFETY: initialised; one is this call's own memory, and the other is borrowed mutably by it.
        unsafe { region.copy_start_of(self) };
        *self = region;
        Ok(())
    }
}

impl Memory for HostRegion {
    #[inline]
    fn start(&self) -> NonNull<u8> {
        self.start
    }

    #[inline]
    fn len(&self) -> usize {
        self.len
    }
}

impl Region for HostRegion {
    const NAME: &'static str = "hosted";

    fn page_size() -> usize {
        PAGE
    }

    fn allocation_granularity() -> usize {
        PAGE
    }

    fn supports(advice: Advice) -> bool {
        number(advice).is_some()
    }

    fn supports_unchecked(_: UncheckedAdvice) -> bool {
        false
    }

    fn check_supported(plan: &Plan) -> Result<()> {
        let what = if plan.executable {
            "no host places executable mappings in the memory of a guest"
        } else if plan.hints.contains(Flags::HUGETLB) {
            "no host places huge pages in the memory of a guest"
        } else if plan.tag_name.is_some() {
            "only Windows has tag names"
        } else if plan.kind != FileKind::Regular {
            "a host places mappings of regular files only; a buffer may map this one"
        } else {
            return Ok(());
        };
        Err(Error::Unsupported { what })
    }

    unsafe fn map(file: &OsFile, plan: &Plan) -> Result<Self> {
        Self::required(file, plan)
    }

    fn anonymous(plan: &Plan) -> Result<Self> {
        let len = plan.span.len();
        let (block, size) = block(len)?;
        // SAFETY: a block of this function's own.
        unsafe { block.start().write_bytes(0, size) };
        Ok(Self { placed: None, start: block.start(), block: Some(block), len, is_guarded: false })
    }

    /// Maps the new span before it unmaps the old one. Truncating the file loses bytes, so this is the last step that
    /// can fail.
    fn resize(&mut self, file: Option<&OsFile>, _: &Plan, new: &Plan) -> Result<()> {
        if new.anonymous {
            return self.resize_anonymous(new);
        }
        let Some(file) = file else { return Err(Error::Untracked { operation: Operation::Resize }) };
        let (offset, end, len) = (new.span.offset(), new.span.end(), new.span.len());
        let size = file.len().map_err(|e| Error::io(Operation::Metadata, offset, len as u64, e))?;
        let region = with_length(file, (end > size).then_some(size), end, new.allocate, || Self::required(file, new))?;
        if end < size {
            file.set_len(end).map_err(|e| Error::io(Operation::Truncate, end, size - end, e))?;
        }
        *self = region;
        Ok(())
    }

    fn flush(&self, range: Range<usize>, durability: Durability) -> io::Result<()> {
        let how = match durability {
            Durability::Disk => host::DISK,
            Durability::Visible => host::VISIBLE,
        };
        self.placed.as_ref().map_or(Ok(()), |placed| placed.sync(&range, how))
    }

    fn lock(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn unlock(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn advise(&self, range: Range<usize>, advice: Advice) {
        if let (Some(placed), Some(number)) = (&self.placed, number(advice)) {
            placed.advise(&range, number);
        }
    }

    unsafe fn advise_unchecked(&self, _: Range<usize>, _: UncheckedAdvice) -> Option<io::Result<()>> {
        None
    }

    #[inline]
    fn is_guarded(&self) -> bool {
        self.is_guarded
    }

    #[inline]
    fn page(&self) -> usize {
        PAGE
    }

    unsafe fn make_dirty(&self, index: usize) {
        if let Some(placed) = &self.placed {
            // The next sync reports an error of this page.
            let _ = placed.sync(&(index..index + 1), host::DIRTY);
        }
    }

    /// The host guards every mapping, but this guest asks for faults only if it asked for a guard.
    fn fault(&self) -> Option<(usize, FaultKind)> {
        let placed = self.placed.as_ref().filter(|_| self.is_guarded)?;
        placed.fault().map(|(offset, kind)| (offset / PAGE, kind))
    }

    fn is_lost(&self, page: usize) -> bool {
        self.placed.as_ref().is_some_and(|placed| placed.is_lost(page * PAGE))
    }

    fn refresh(&mut self, pages: Range<usize>, _: Option<&OsFile>, plan: &Plan) -> Result<()> {
        let Some(placed) = &mut self.placed else { return Ok(()) };
        let range = (pages.start * PAGE).min(self.len)..(pages.end * PAGE).min(self.len);
        let (offset, len) = (plan.span.file_offset(range.start), range.len() as u64);
        placed.refresh(&range).map_err(|e| Error::io(Operation::Map, offset, len, e))
    }
}

impl Drop for HostRegion {
    fn drop(&mut self) {
        if let Some(placed) = &mut self.placed {
            if !placed.unmap() {
                // The file is still mapped there, so the block must not be freed.
                std::mem::forget(self.block.take());
            }
        }
    }
}

/// The host's number for a hint.
fn number(advice: Advice) -> Option<u32> {
    Some(match advice {
        Advice::Normal => host::NORMAL,
        Advice::Random => host::RANDOM,
        Advice::Sequential => host::SEQUENTIAL,
        Advice::WillNeed => host::WILL_NEED,
        Advice::DontNeed => host::DONT_NEED,
        _ => return None,
    })
}
