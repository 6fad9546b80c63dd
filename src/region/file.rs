//! What an operating system or a host maps: the contract of a region.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};

use super::sealed::Memory;
use crate::guard::FaultKind;
use crate::plan::Plan;
use crate::region::Durability;
use crate::storage::OsFile;
use crate::{Advice, Result, UncheckedAdvice, span};

/// Memory that is a file, or anonymous: every byte is initialised.
///
/// A guarded region puts zeros in place of bytes that the file no longer has, and remembers which. Pages are counted
/// from the start of the region, in units of [`page`](Self::page).
pub trait Region: Memory + Sized {
    /// The backend's name over it.
    const NAME: &'static str;

    /// The unit of `flush` and `advise`, in bytes.
    fn page_size() -> usize;

    /// What an offset in a file must be a multiple of, in bytes.
    fn allocation_granularity() -> usize;

    /// Whether a hint does anything.
    fn supports(advice: Advice) -> bool;

    /// Whether there is such advice.
    fn supports_unchecked(advice: UncheckedAdvice) -> bool;

    /// Returns an error for a plan that it cannot map, before anything is touched.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported).
    fn check_supported(plan: &Plan) -> Result<()>;

    /// Maps the plan's span of a file that reaches at least as far.
    ///
    /// # Safety
    /// As for [`MmapOptions::map`](crate::MmapOptions::map).
    ///
    /// # Errors
    /// What the operating system says.
    unsafe fn map(file: &OsFile, plan: &Plan) -> Result<Self>;

    /// Zeros, of the plan's length.
    ///
    /// # Errors
    /// What the operating system says.
    fn anonymous(plan: &Plan) -> Result<Self>;

    /// Makes region and file as long as the new plan says; `old` is what it was mapped by.
    ///
    /// # Errors
    /// What went wrong; region and file are as before. Where an operating system has to unmap the file first and
    /// cannot map it again, the region is lost and has a length of 0.
    fn resize(&mut self, file: Option<&OsFile>, old: &Plan, new: &Plan) -> Result<()>;

    /// Hands changes to the file.
    ///
    /// # Errors
    /// What the operating system says.
    fn flush(&self, range: Range<usize>, durability: Durability) -> io::Result<()>;

    /// Keeps all bytes in memory until they are unlocked or the region is dropped; a resize may end that too.
    ///
    /// # Errors
    /// What the operating system says.
    fn lock(&self) -> io::Result<()>;

    /// Takes [`lock`](Self::lock) back.
    ///
    /// # Errors
    /// What the operating system says.
    fn unlock(&self) -> io::Result<()>;

    /// Makes use of a hint, or not. It changes no byte.
    fn advise(&self, range: Range<usize>, advice: Advice);

    /// Does what the advice says; none if it is not supported here.
    ///
    /// # Safety
    /// The bytes of the range may change.
    unsafe fn advise_unchecked(&self, range: Range<usize>, advice: UncheckedAdvice) -> Option<io::Result<()>>;

    /// Whether it has a guard.
    fn is_guarded(&self) -> bool;

    /// The unit in which the guard replaces memory, in bytes.
    fn page(&self) -> usize;

    /// Reads one byte of each page that holds bytes of the range, whatever becomes of it.
    fn touch(&self, range: &Range<usize>) {
        let page = self.page();
        let start = self.pointer(range).wrapping_sub(range.start);
        for number in span::pages(range, page) {
            let byte = start.wrapping_add(range.start.max(number * page));
            // SAFETY: the byte lies in the range, which lies in the memory. Volatile, for nobody uses what is read.
            unsafe { byte.read_volatile() };
        }
    }

    /// Makes the page that holds a byte dirty, so that a flush writes it. The byte is replaced by itself, in one step: what
    /// somebody else writes there meanwhile stays, and makes the page dirty too.
    ///
    /// # Safety
    /// The byte lies in the memory, which may be written to, and in the file.
    unsafe fn make_dirty(&self, index: usize) {
        let byte = self.pointer(&(index..index + 1));
        // SAFETY: the byte is there, and its address is aligned, as every byte's is. Other processes may write to it, and
        // nobody in this one but by atomic operations: the mapping is borrowed by its flush.
        let byte = unsafe { AtomicU8::from_ptr(byte) };
        let value = byte.load(Ordering::Relaxed);
        // Not to be seen through: a compiler may leave out what changes nothing.
        let same = std::hint::black_box(value);
        let _ = byte.compare_exchange(value, same, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The first page whose bytes a guard could not give.
    fn fault(&self) -> Option<(usize, FaultKind)>;

    /// Whether zeros stand in place of a page.
    fn is_lost(&self, page: usize) -> bool;

    /// Forgets the faults in these pages, and lets every page that was replaced show the file again, but for those
    /// of other faults.
    ///
    /// # Errors
    /// What the operating system says; the pages that it concerns stay replaced, and their faults stay.
    fn refresh(&mut self, pages: Range<usize>, file: Option<&OsFile>, plan: &Plan) -> Result<()>;
}
