//! The memory of a buffer: whole pages, uninitialised. If the system supports it, they are reserved and not committed.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::NonNull;

use super::sealed::Memory;
use crate::{Error, Result};

// How memory is reserved.
cfg_if::cfg_if! {
    if #[cfg(all(unix, not(miri)))] {
        mod unix;
        use unix::Reserved;
    } else if #[cfg(all(windows, not(miri)))] {
        mod windows;
        use windows::Reserved;
    } else {
        mod allocated;
        use allocated::Reserved;
    }
}

/// The page size of a buffer, in bytes, on every target.
pub(crate) const PAGE: usize = 4096;

/// Whole pages of memory, uninitialised at first.
#[derive(Debug)]
pub(crate) struct HeapRegion {
    reserved: Reserved,
    len: usize,
}

// SAFETY: a region owns its memory. The functions that access it require their callers to guarantee that nobody else
// uses the same bytes in a conflicting way.
unsafe impl Send for HeapRegion {}
// SAFETY: as for `Send`.
unsafe impl Sync for HeapRegion {}

impl Memory for HeapRegion {
    #[inline]
    fn start(&self) -> NonNull<u8> {
        self.reserved.start()
    }

    #[inline]
    fn len(&self) -> usize {
        self.len
    }
}

impl HeapRegion {
    /// Reserves memory for `pages` pages.
    pub(crate) fn new(pages: usize) -> Result<Self> {
        let no_memory = || Error::no_memory((pages as u64).saturating_mul(PAGE as u64));
        let len = pages.checked_mul(PAGE).filter(|&len| isize::try_from(len).is_ok()).ok_or_else(no_memory)?;
        Ok(Self { reserved: Reserved::new(len).ok_or_else(no_memory)?, len })
    }

    /// The memory of a range, so that it can be initialised while other ranges are borrowed.
    ///
    /// # Safety
    /// Nobody else touches these bytes while the slice is alive.
    ///
    /// # Errors
    /// [`Error::NoMemory`] if the system cannot commit the memory.
    #[expect(clippy::mut_from_ref, reason = "pages are loaded under a shared borrow; the caller rules out aliasing")]
    pub(crate) unsafe fn uninit(&self, range: Range<usize>) -> Result<&mut [MaybeUninit<u8>]> {
        let pointer = self.pointer(&range).cast();
        if !self.reserved.commit(&range) {
            return Err(Error::no_memory(range.len() as u64));
        }
        // SAFETY: within the region, and `MaybeUninit` needs no initialised bytes; the caller guarantees the rest.
        Ok(unsafe { std::slice::from_raw_parts_mut(pointer, range.len()) })
    }

    /// Copies the bytes of a range from another region, to the same place.
    ///
    /// # Safety
    /// They are initialised there, and nobody writes to them meanwhile.
    ///
    /// # Errors
    /// As for [`uninit`](Self::uninit).
    pub(crate) unsafe fn copy_from(&mut self, other: &Self, range: Range<usize>) -> Result<()> {
        let source = other.pointer(&range);
        // SAFETY: the region is borrowed mutably.
        let target = unsafe { self.uninit(range) }?;
        // SAFETY: each range lies within its region, and the regions differ, because one is borrowed mutably.
        unsafe { std::ptr::copy_nonoverlapping(source, target.as_mut_ptr().cast(), target.len()) };
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_aligned_and_holds_what_is_written() {
        for pages in 0..if cfg!(miri) { 2 } else { 5 } {
            let mut region = HeapRegion::new(pages).unwrap();
            assert_eq!(region.start().addr().get() % PAGE, 0);
            assert_eq!(region.len(), pages * PAGE);
            let all = 0..region.len();
            // SAFETY: nobody else has access to this region.
            unsafe { region.uninit(all.clone()) }.unwrap().fill(MaybeUninit::new(7));
            // SAFETY: just initialised.
            unsafe { region.slice_mut(all.clone()) }.iter_mut().for_each(|byte| *byte += 1);
            // SAFETY: initialised, and not written to here.
            assert!(unsafe { region.slice(all) }.iter().all(|&byte| byte == 8));
        }
    }

    #[test]
    fn too_large_is_an_error_and_not_an_abort() {
        for pages in [usize::MAX, usize::MAX / PAGE, isize::MAX as usize / PAGE + 1] {
            assert!(matches!(HeapRegion::new(pages), Err(Error::NoMemory { .. })));
        }
    }
}
