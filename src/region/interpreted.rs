//! Replaces an operating system's mapping under Miri, under loom and in the façade over the emulation: memory that is
//! read from the file when it is made, and written to the file when it is flushed or dropped.
//!
//! Every access is to an allocation, so Miri can check it. Changes that others make to the file are not visible here,
//! so cases that need two views of one file are left out.

use std::io;
use std::ops::Range;
use std::ptr::NonNull;

use super::heap::{HeapRegion, PAGE};
use super::sealed::{Memory, Region};
use crate::error::Operation;
use crate::guard::FaultKind;
use crate::plan::Plan;
use crate::region::Durability;
use crate::storage::{OsFile, Storage, read_full, with_length, write_some, zeroed};
use crate::{Advice, Error, Flags, Result, UncheckedAdvice};

/// Memory in place of an OS mapping.
#[derive(Debug)]
pub struct OsRegion {
    memory: HeapRegion,
    len: usize,
    /// The file that changes are written to, and the offset.
    written_to: Option<(OsFile, u64)>,
}

impl OsRegion {
    /// Zeros, of the plan's length.
    fn zeros(plan: &Plan) -> Result<Self> {
        let len = plan.span.len();
        let memory = HeapRegion::new(len.div_ceil(PAGE)).map_err(|_| Error::no_memory(len as u64))?;
        // SAFETY: nobody else has access to this memory.
        zeroed(unsafe { memory.uninit(0..memory.len()) }?);
        Ok(Self { memory, len, written_to: None })
    }

    fn of_file(file: &OsFile, plan: &Plan) -> Result<Self> {
        let mut region = Self::zeros(plan)?;
        let all = 0..region.len;
        // SAFETY: initialised, and owned by this call.
        read_full(file, unsafe { region.memory.slice_mut(all) }, plan.span.offset())?;
        region.written_to = plan.reaches_file().then(|| (file.clone(), plan.span.offset()));
        Ok(region)
    }

    /// Writes the bytes of a range, as far as the file reaches.
    fn write(&self, range: Range<usize>) -> io::Result<()> {
        let Some((file, offset)) = &self.written_to else { return Ok(()) };
        let reach = usize::try_from(file.len()?.saturating_sub(*offset)).unwrap_or(usize::MAX);
        let mut rest = range.start..range.end.min(reach);
        while rest.start < rest.end {
            // SAFETY: initialised, and borrowed by nobody mutably while the region is.
            let bytes = unsafe { self.memory.slice(rest.clone()) };
            rest.start += write_some(file, bytes, offset + rest.start as u64)?;
        }
        Ok(())
    }
}

impl Memory for OsRegion {
    fn start(&self) -> NonNull<u8> {
        self.memory.start()
    }

    fn len(&self) -> usize {
        self.len
    }
}

impl Region for OsRegion {
    const NAME: &'static str = "mapped";

    fn page_size() -> usize {
        PAGE
    }

    fn allocation_granularity() -> usize {
        PAGE
    }

    fn supports(_: Advice) -> bool {
        true
    }

    fn supports_unchecked(_: UncheckedAdvice) -> bool {
        true
    }

    fn check_supported(plan: &Plan) -> Result<()> {
        if plan.tag_name.is_some() {
            return Err(Error::Unsupported { what: "only Windows has tag names" });
        }
        if plan.hints.contains(Flags::HUGETLB) {
            return Err(Error::Unsupported {
                what: "a mapping of a file cannot ask for huge pages; anonymous memory can",
            });
        }
        Ok(())
    }

    unsafe fn map(file: &OsFile, plan: &Plan) -> Result<Self> {
        Self::of_file(file, plan)
    }

    fn anonymous(plan: &Plan) -> Result<Self> {
        Self::zeros(plan)
    }

    fn resize(&mut self, file: Option<&OsFile>, _: &Plan, new: &Plan) -> Result<()> {
        let mut region = match file.filter(|_| !new.anonymous) {
            None => Self::zeros(new)?,
            Some(file) => {
                let size = file.len().map_err(|e| Error::io(Operation::Metadata, 0, 0, e))?;
                let from = (new.span.end() > size).then_some(size);
                let region = with_length(file, from, new.span.end(), new.allocate, || Self::of_file(file, new))?;
                if new.span.end() < size {
                    file.set_len(new.span.end()).map_err(|e| Error::io(Operation::Truncate, new.span.end(), 0, e))?;
                }
                region
            }
        };
        // SAFETY: initialised; one is this call's own memory, and the other is borrowed mutably by it.
        unsafe { region.copy_start_of(self) };
        // The new region has the changes. The old one must not write them.
        self.written_to = None;
        *self = region;
        Ok(())
    }

    fn flush(&self, range: Range<usize>, _: Durability) -> io::Result<()> {
        self.write(range)
    }

    fn lock(&self) -> io::Result<()> {
        Ok(())
    }

    fn unlock(&self) -> io::Result<()> {
        Ok(())
    }

    fn advise(&self, _: Range<usize>, _: Advice) {}

    unsafe fn advise_unchecked(&self, _: Range<usize>, _: UncheckedAdvice) -> Option<io::Result<()>> {
        Some(Ok(()))
    }

    fn is_guarded(&self) -> bool {
        false
    }

    fn page(&self) -> usize {
        PAGE
    }

    fn fault(&self) -> Option<(usize, FaultKind)> {
        None
    }

    fn is_lost(&self, _: usize) -> bool {
        false
    }

    fn refresh(&mut self, _: Range<usize>, _: Option<&OsFile>, _: &Plan) -> Result<()> {
        Ok(())
    }
}

impl Drop for OsRegion {
    fn drop(&mut self) {
        // A drop cannot report an error.
        let _ = self.write(0..self.len);
    }
}
