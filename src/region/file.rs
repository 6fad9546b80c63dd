//! The contract of a region: memory that an operating system or a host maps.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};

use super::sealed::Memory;
use crate::guard::FaultKind;
use crate::plan::Plan;
use crate::region::Durability;
use crate::storage::OsFile;
use crate::{Advice, Result, UncheckedAdvice, span};

/// Memory that is mapped from a file, or anonymous. Every byte is initialised.
///
/// A guarded region replaces pages that the file no longer has with zeros, and records which. Page numbers count from
/// the start of the region, in units of [`page`](Self::page).
pub trait Region: Memory + Sized {
    /// The name of the backend over this region.
    const NAME: &'static str;

    /// The unit of `flush` and `advise`, in bytes.
    fn page_size() -> usize;

    /// The unit that an offset in a file must be a multiple of, in bytes.
    fn allocation_granularity() -> usize;

    /// Whether a hint has an effect.
    fn supports(advice: Advice) -> bool;

    /// Whether this advice is supported.
    fn supports_unchecked(advice: UncheckedAdvice) -> bool;

    /// Returns an error for a plan that this region cannot map. Changes nothing.
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
    /// Any error of the operating system.
    unsafe fn map(file: &OsFile, plan: &Plan) -> Result<Self>;

    /// Maps zeros of the plan's length, without a file.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn anonymous(plan: &Plan) -> Result<Self>;

    /// Gives the region and the file the length of the new plan. `old` is the plan by which the region was mapped.
    ///
    /// # Errors
    /// Any error of the system. The region and the file are then as before. If an operating system must unmap the file
    /// first and cannot map it again, the region is lost and its length is 0.
    fn resize(&mut self, file: Option<&OsFile>, old: &Plan, new: &Plan) -> Result<()>;

    /// Writes changes to the file.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn flush(&self, range: Range<usize>, durability: Durability) -> io::Result<()>;

    /// Keeps all bytes in memory until they are unlocked or the region is dropped. A resize may unlock them too.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn lock(&self) -> io::Result<()>;

    /// Undoes [`lock`](Self::lock).
    ///
    /// # Errors
    /// Any error of the operating system.
    fn unlock(&self) -> io::Result<()>;

    /// Gives a hint to the system, which may ignore it. Changes no byte.
    fn advise(&self, range: Range<usize>, advice: Advice);

    /// Applies the advice. Returns `None` if it is not supported here.
    ///
    /// # Safety
    /// The bytes of the range may change.
    unsafe fn advise_unchecked(&self, range: Range<usize>, advice: UncheckedAdvice) -> Option<io::Result<()>>;

    /// Whether it has a guard.
    fn is_guarded(&self) -> bool;

    /// The size of the pages that the guard replaces, in bytes.
    fn page(&self) -> usize;

    /// Reads one byte of each page that holds bytes of the range, and ignores its value.
    fn touch(&self, range: &Range<usize>) {
        let page = self.page();
        let start = self.pointer(range).wrapping_sub(range.start);
        for number in span::pages(range, page) {
            let byte = start.wrapping_add(range.start.max(number * page));
            // SAFETY: the byte lies in the range, which lies in the memory. The read is volatile, because its value is
            // not used.
            unsafe { byte.read_volatile() };
        }
    }

    /// Marks the page that holds a byte as dirty, so that a flush writes it. Replaces the byte with itself, atomically.
    /// If somebody else writes the byte at the same time, their value stays, and the page is dirty too.
    ///
    /// # Safety
    /// The byte lies in the memory, which may be written to, and in the file.
    unsafe fn make_dirty(&self, index: usize) {
        let byte = self.pointer(&(index..index + 1));
        // SAFETY: the byte lies in the memory, and a byte needs no alignment. Other processes may write to it. In this
        // process it is written only by atomic operations, because the flush borrows the mapping.
        let byte = unsafe { AtomicU8::from_ptr(byte) };
        let value = byte.load(Ordering::Relaxed);
        // The compiler must not see that the value stays the same, because it could then remove the store.
        let same = std::hint::black_box(value);
        let _ = byte.compare_exchange(value, same, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The first page with a fault that the guard has noted, and the kind of fault.
    fn fault(&self) -> Option<(usize, FaultKind)>;

    /// Whether the guard has replaced a page with zeros.
    fn is_lost(&self, page: usize) -> bool;

    /// Clears the faults in these pages, and maps the file again over every page that was replaced, except pages with
    /// other faults.
    ///
    /// # Errors
    /// Any error of the operating system. The pages that it concerns stay replaced, and their faults stay.
    fn refresh(&mut self, pages: Range<usize>, file: Option<&OsFile>, plan: &Plan) -> Result<()>;
}
