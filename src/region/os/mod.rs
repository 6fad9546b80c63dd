//! Memory that the operating system maps, through memmap2. `unix.rs` and `windows.rs` have what memmap2 lacks.

use std::io;
use std::ops::Range;
use std::ptr::NonNull;

use memmap2::MmapRaw;

use super::sealed::{Memory, Region};
use crate::error::Operation;
use crate::guard::FaultKind;
use crate::plan::Plan;
use crate::region::Durability;
use crate::span::Span;
use crate::storage::OsFile;
use crate::{Access, Advice, Error, Flags, Result, UncheckedAdvice};

cfg_if::cfg_if! {
    if #[cfg(unix)] {
        #[cfg(target_os = "linux")]
        mod overlay;
        mod unix;
        use crate::guard::Guard;
        use unix as os;
    } else {
        mod windows;
        use windows as os;
        use windows::Guard;
    }
}

/// Memory that the operating system maps. [`Mapped`](crate::Mapped) is built on it.
#[derive(Debug)]
pub struct OsRegion {
    /// Declared before the view, so that it leaves the registry before the memory is unmapped.
    guard: Option<Guard>,
    /// `None` only during a resize on Windows, and after a resize there that could not map the file again.
    view: Option<View>,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: `start` points into the view, which may be sent; access goes through the mapping's own borrows.
unsafe impl Send for OsRegion {}
// SAFETY: as for `Send`.
unsafe impl Sync for OsRegion {}

/// Mapped memory, which is unmapped when it is dropped.
#[derive(Debug)]
enum View {
    /// A mapping of memmap2: of a file, or private and anonymous.
    Memmap(MmapRaw),
    /// A mapping that memmap2 cannot make.
    Own(os::OwnView),
}

impl View {
    fn start(&self) -> *mut u8 {
        match self {
            Self::Memmap(map) => map.as_mut_ptr(),
            Self::Own(view) => view.as_mut_ptr(),
        }
    }

    /// The unit of its memory, in bytes: a page, or a huge page.
    fn page(&self) -> usize {
        match self {
            Self::Memmap(_) => os::page_size(),
            Self::Own(view) => view.page(),
        }
    }

    /// Maps the plan's span of a file.
    fn of_file(file: &OsFile, plan: &Plan) -> Result<Self> {
        let file = file.get();
        let mut options = memmap2::MmapOptions::new();
        options.offset(plan.span.offset()).len(plan.span.len());
        if plan.hints.contains(Flags::POPULATE) {
            options.populate();
        }
        if plan.hints.contains(Flags::NORESERVE) {
            options.no_reserve_swap();
        }
        let map = if plan.executable {
            // SAFETY: the caller that maps a file guarantees what `MmapOptions::map` requires.
            unsafe { options.map_exec(&**file) }.map(MmapRaw::from)
        } else if plan.private && plan.access == Access::Read {
            // SAFETY: as above.
            unsafe { options.map_copy_read_only(&**file) }.map(MmapRaw::from)
        } else if plan.private {
            // SAFETY: as above.
            unsafe { options.map_copy(&**file) }.map(MmapRaw::from)
        } else if plan.access == Access::Read {
            options.map_raw_read_only(&**file)
        } else {
            options.map_raw(&**file)
        };
        Ok(Self::Memmap(map.map_err(|e| map_error(plan.span, e))?))
    }
}

/// The error of mapping a span.
fn map_error(span: Span, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::OutOfMemory => {
            Error::NoMemory { operation: Operation::Map, huge_pages: false, len: span.len() as u64 }
        }
        _ => Error::io(Operation::Map, span.offset(), span.len() as u64, error),
    }
}

impl OsRegion {
    fn new(view: View, guard: Option<Guard>, plan: &Plan) -> Self {
        let start = NonNull::new(view.start()).unwrap_or(NonNull::dangling());
        Self { guard, view: Some(view), start, len: plan.span.len() }
    }

    /// Maps the plan's span of a file, with a guard if the plan has one.
    fn of_file(file: &OsFile, plan: &Plan) -> Result<Self> {
        let view = os::view_of_file(file, plan)?;
        let guard = if plan.guard { Some(Guard::new(view.start(), view.page(), file, plan)?) } else { None };
        Ok(Self::new(view, guard, plan))
    }

    /// Changes the length of anonymous memory. Shared memory keeps its address and stays shared.
    fn resize_anonymous(&mut self, new: &Plan) -> Result<()> {
        if new.span.len() == self.len || self.resize_in_place(new.span.len())? {
            return Ok(());
        }
        let mut region = Self::anonymous(new)?;
        // SAFETY: mapped and initialised; one is this call's own memory, and the other is borrowed mutably by it.
        unsafe { region.copy_start_of(self) };
        *self = region;
        Ok(())
    }
}

impl Memory for OsRegion {
    #[inline]
    fn start(&self) -> NonNull<u8> {
        self.start
    }

    #[inline]
    fn len(&self) -> usize {
        self.len
    }
}

impl Region for OsRegion {
    const NAME: &'static str = "mapped";

    fn page_size() -> usize {
        os::page_size()
    }

    fn allocation_granularity() -> usize {
        os::allocation_granularity()
    }

    fn supports(advice: Advice) -> bool {
        os::supports(advice)
    }

    fn supports_unchecked(advice: UncheckedAdvice) -> bool {
        os::supports_unchecked(advice)
    }

    fn check_supported(plan: &Plan) -> Result<()> {
        if plan.hints.contains(Flags::HUGETLB) && !plan.anonymous {
            return Err(Error::Unsupported {
                what: "a mapping of a file cannot ask for huge pages; anonymous memory can",
            });
        }
        os::check_supported(plan)
    }

    unsafe fn map(file: &OsFile, plan: &Plan) -> Result<Self> {
        Self::of_file(file, plan)
    }

    fn anonymous(plan: &Plan) -> Result<Self> {
        Ok(Self::new(os::anonymous_view(plan)?, None, plan))
    }

    fn resize(&mut self, file: Option<&OsFile>, old: &Plan, new: &Plan) -> Result<()> {
        if new.anonymous {
            return self.resize_anonymous(new);
        }
        let Some(file) = file else { return Err(Error::Untracked { operation: Operation::Resize }) };
        self.resize_file(file, old, new)
    }

    fn flush(&self, range: Range<usize>, durability: Durability) -> io::Result<()> {
        match (&self.view, durability) {
            (Some(View::Memmap(map)), Durability::Disk) => map.flush_range(range.start, range.len()),
            (Some(View::Memmap(map)), Durability::Visible) => map.flush_async_range(range.start, range.len()),
            (Some(View::Own(view)), _) => view.flush(range, durability),
            (None, _) => Ok(()),
        }
    }

    fn lock(&self) -> io::Result<()> {
        // SAFETY: the region's own memory.
        unsafe { os::lock(self.start.as_ptr(), self.len) }
    }

    fn unlock(&self) -> io::Result<()> {
        // SAFETY: the region's own memory.
        unsafe { os::unlock(self.start.as_ptr(), self.len) }
    }

    fn advise(&self, range: Range<usize>, advice: Advice) {
        // SAFETY: the range lies within the mapping, and no hint changes a byte of it.
        unsafe { os::advise(self.pointer(&range), range.len(), advice) };
    }

    unsafe fn advise_unchecked(&self, range: Range<usize>, advice: UncheckedAdvice) -> Option<io::Result<()>> {
        // SAFETY: the range lies within the mapping; the caller accepts that its bytes may change.
        unsafe { os::advise_unchecked(self.pointer(&range), range.len(), advice) }
    }

    #[inline]
    fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }

    #[inline]
    fn page(&self) -> usize {
        self.guard.as_ref().map_or_else(os::page_size, Guard::page)
    }

    #[inline]
    fn fault(&self) -> Option<(usize, FaultKind)> {
        self.guard.as_ref()?.fault()
    }

    fn is_lost(&self, page: usize) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.is_lost(page))
    }

    fn refresh(&mut self, pages: Range<usize>, file: Option<&OsFile>, plan: &Plan) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        if let Some(guard) = &mut self.guard {
            guard.refresh(pages.clone(), file, plan)?;
        }
        #[cfg(target_os = "linux")]
        if let Some(file) = overlay::reopened(file.get(), plan)?.filter(|_| !pages.is_empty()) {
            let unit = self.page();
            // SAFETY: pages of the region, which is borrowed mutably.
            return unsafe { overlay::replace(self.start.as_ptr(), pages.start * unit..pages.end * unit, &file, plan) };
        }
        Ok(())
    }
}
