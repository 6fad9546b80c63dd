//! What memmap2 lacks on Windows: memory with a tag name, and resizing together with a file, which cannot shrink while
//! it is mapped.

use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use memmap2::MmapRaw;
use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_COPY, FILE_MAP_READ, FILE_MAP_WRITE, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile,
    PAGE_READONLY, PAGE_READWRITE, PAGE_WRITECOPY, UnmapViewOfFile, VirtualLock, VirtualUnlock,
};
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};

use super::{OsRegion, View, map_error};
use crate::error::{Operation, Reason};
use crate::guard::FaultKind;
use crate::plan::Plan;
use crate::region::Durability;
use crate::storage::{OsFile, Storage, with_length};
use crate::{Advice, Error, Result, UncheckedAdvice};

fn system_info() -> SYSTEM_INFO {
    let mut info = SYSTEM_INFO::default();
    // SAFETY: fills the structure that it is given.
    unsafe { GetSystemInfo(&raw mut info) };
    info
}

pub(super) fn page_size() -> usize {
    system_info().dwPageSize as usize
}

pub(super) fn allocation_granularity() -> usize {
    system_info().dwAllocationGranularity as usize
}

pub(super) fn check_supported(plan: &Plan) -> Result<()> {
    if plan.executable && (plan.anonymous || plan.tag_name.is_some()) {
        return Err(Error::Unsupported {
            what: "anonymous memory and memory with a tag name cannot be executable on Windows",
        });
    }
    if plan.hints.contains(crate::Flags::HUGETLB) {
        return Err(Error::Unsupported { what: "Windows has no huge pages; Linux does" });
    }
    Ok(())
}

/// Memory of a file, under the plan's tag name if it has one.
pub(super) fn view_of_file(file: &OsFile, plan: &Plan) -> Result<View> {
    if plan.tag_name.is_some() { tagged(Some(file), plan, Tag::Any) } else { View::of_file(file, plan) }
}

/// Anonymous memory. Windows has no fork, so shared and private memory do not differ unless the memory has a tag name.
pub(super) fn anonymous_view(plan: &Plan) -> Result<View> {
    if plan.tag_name.is_some() {
        return tagged(None, plan, Tag::Any);
    }
    let map = memmap2::MmapOptions::new().len(plan.span.len()).map_anon();
    let map = if plan.access.is_writable() {
        map.map(MmapRaw::from)
    } else {
        map.and_then(memmap2::MmapMut::make_read_only).map(MmapRaw::from)
    };
    Ok(View::Memmap(map.map_err(|e| map_error(plan.span, e))?))
}

/// Whether a tag name may be in use already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    /// It must not be in use.
    New,
    /// It may be in use. The memory is then shared.
    Any,
}

fn tagged(file: Option<&OsFile>, plan: &Plan, tag: Tag) -> Result<View> {
    Ok(View::Own(OwnView::new(file, plan, tag).map_err(|e| map_error(plan.span, e))?))
}

/// A view of a section with a tag name. Everybody who opens the same name shares its memory.
#[derive(Debug)]
pub(super) struct OwnView {
    start: *mut u8,
    /// Keeps the name alive.
    _section: OwnedHandle,
}

// SAFETY: it owns its view, and access goes through the mapping's own borrows.
unsafe impl Send for OwnView {}
// SAFETY: as for `Send`.
unsafe impl Sync for OwnView {}

impl OwnView {
    fn new(file: Option<&OsFile>, plan: &Plan, tag: Tag) -> io::Result<Self> {
        let span = plan.span;
        let name = plan.tag_name.as_deref().unwrap_or_default();
        if name.contains('\0') {
            return Err(Reason::TagName.into());
        }
        let name: Vec<u16> = OsStr::new(name).encode_wide().chain([0]).collect();
        let (protect, access) = if !plan.access.is_writable() {
            (PAGE_READONLY, FILE_MAP_READ)
        } else if plan.private {
            (PAGE_WRITECOPY, FILE_MAP_COPY)
        } else {
            (PAGE_READWRITE, FILE_MAP_READ | FILE_MAP_WRITE)
        };
        let file = file.map(OsFile::get);
        let handle = file.map_or(INVALID_HANDLE_VALUE, |file| file.as_raw_handle());
        // The section of a file extends to the end of the file.
        let size = if file.is_some() { 0 } else { span.len() as u64 };
        let (high, low) = halves(size);
        // SAFETY: the handle is open while `file` is borrowed, and the name ends in 0.
        let section = unsafe { CreateFileMappingW(handle, ptr::null(), protect, high, low, name.as_ptr()) };
        // If a section with this name already existed, the call succeeds and the last error says so.
        let said = io::Error::last_os_error();
        if section.is_null() {
            return Err(said);
        }
        // SAFETY: a handle that was just made, and nobody else's.
        let section = unsafe { OwnedHandle::from_raw_handle(section) };
        if tag == Tag::New && said.kind() == io::ErrorKind::AlreadyExists {
            return Err(said);
        }
        let (high, low) = halves(span.offset());
        // SAFETY: a view at an address of the system's choice disturbs nothing. The call fails if an existing section
        // with this name is too short.
        let view = unsafe { MapViewOfFile(section.as_raw_handle(), access, high, low, span.len()) };
        if view.Value.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start: view.Value.cast(), _section: section })
    }

    pub(super) fn as_mut_ptr(&self) -> *mut u8 {
        self.start
    }

    #[expect(clippy::unused_self, reason = "unix has huge pages")]
    pub(super) fn page(&self) -> usize {
        page_size()
    }

    /// Does nothing: a change is visible in the file immediately, if there is a file.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "unix has work to do, which can fail")]
    pub(super) fn flush(&self, _: Range<usize>, _: Durability) -> io::Result<()> {
        Ok(())
    }

    /// Returns an error: memory with a tag name has the same length for all mappings that share it.
    #[expect(clippy::unused_self, reason = "unix has work to do")]
    pub(super) fn shrink(&mut self, _: usize) -> Result<()> {
        Err(Error::Unsupported { what: "memory with a tag name cannot be resized" })
    }
}

impl Drop for OwnView {
    fn drop(&mut self) {
        let view = MEMORY_MAPPED_VIEW_ADDRESS { Value: self.start.cast() };
        // SAFETY: our own view, and nothing borrows from a mapping that is dropped.
        let unmapped = unsafe { UnmapViewOfFile(view) };
        debug_assert!(unmapped != 0, "a view can be unmapped");
    }
}

/// The high and the low 32 bits.
fn halves(n: u64) -> (u32, u32) {
    let low = n & u64::from(u32::MAX);
    (u32::try_from(n >> 32).unwrap_or(u32::MAX), u32::try_from(low).unwrap_or(u32::MAX))
}

impl OsRegion {
    /// Returns false, because Windows cannot change the length of a mapping.
    pub(super) fn resize_in_place(&mut self, len: usize) -> Result<bool> {
        if let Some(View::Own(view)) = &mut self.view {
            view.shrink(len)?;
        }
        Ok(false)
    }

    /// A mapped file cannot shrink, and memory with a tag name cannot change its length. In both cases this unmaps the
    /// view, sets the length, and maps the file again. After a failure it maps the old span again.
    pub(super) fn resize_file(&mut self, file: &OsFile, old: &Plan, new: &Plan) -> Result<()> {
        let (offset, end) = (new.span.offset(), new.span.end());
        let size = file.len().map_err(|e| Error::io(Operation::Metadata, offset, new.span.len() as u64, e))?;
        let map = |plan: &Plan, tag| match plan.tag_name {
            Some(_) => tagged(Some(file), plan, tag),
            None => View::of_file(file, plan),
        };
        let has_tag = old.tag_name.is_some();
        if end < size || has_tag {
            // The file already has the bytes of the view, so unmapping loses none.
            self.view = None;
            self.len = 0;
        }
        // Checked before anything changes: if somebody else uses the tag name, its memory stays and keeps the file
        // mapped.
        let free = if has_tag { map(old, Tag::New).map(drop) } else { Ok(()) };
        let resized = free.and_then(|()| {
            if end >= size {
                let from = (end > size).then_some(size);
                return with_length(file, from, end, new.allocate, || map(new, Tag::New));
            }
            file.set_len(end).map_err(|e| Error::io(Operation::Truncate, end, size - end, e))?;
            map(new, Tag::New).inspect_err(|_| {
                // The truncated bytes are lost, and zeros take their place. The mapping can hardly fail, because it is
                // shorter than the one before.
                let _ = file.set_len(size);
            })
        });
        let guard = self.guard.take();
        match resized {
            Ok(view) => *self = Self::new(view, guard, new),
            Err(e) => {
                if self.view.is_none() {
                    if let Ok(view) = map(old, Tag::Any) {
                        *self = Self::new(view, guard, old);
                    }
                } else {
                    self.guard = guard;
                }
                return Err(e);
            }
        }
        Ok(())
    }
}

pub(super) fn supports(_: Advice) -> bool {
    false
}

/// # Safety
/// None: Windows has no hints.
pub(super) unsafe fn advise(_: *mut u8, _: usize, _: Advice) {}

pub(super) fn supports_unchecked(_: UncheckedAdvice) -> bool {
    false
}

/// # Safety
/// The memory is mapped.
pub(super) unsafe fn lock(start: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the caller guarantees that the memory is mapped.
    let done = unsafe { VirtualLock(start.cast(), len) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// # Safety
/// The memory is mapped.
pub(super) unsafe fn unlock(start: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the caller guarantees that the memory is mapped.
    let done = unsafe { VirtualUnlock(start.cast(), len) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// # Safety
/// None: Windows has no such advice.
pub(super) unsafe fn advise_unchecked(_: *mut u8, _: usize, _: UncheckedAdvice) -> Option<io::Result<()>> {
    None
}

/// Windows cannot truncate a mapped file, so a guard has nothing to do.
#[derive(Debug)]
pub(super) struct Guard;

impl Guard {
    #[expect(clippy::unnecessary_wraps, reason = "it can fail on unix")]
    pub(super) fn new(_: *mut u8, _: usize, _: &OsFile, _: &Plan) -> Result<Self> {
        Ok(Self)
    }

    #[expect(clippy::unused_self, reason = "unix has work to do")]
    pub(super) fn page(&self) -> usize {
        page_size()
    }

    #[expect(clippy::unused_self, reason = "unix has work to do")]
    pub(super) fn fault(&self) -> Option<(usize, FaultKind)> {
        None
    }

    #[expect(clippy::unused_self, reason = "unix has work to do")]
    pub(super) fn is_lost(&self, _: usize) -> bool {
        false
    }

    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "unix has work to do, which can fail")]
    pub(super) fn refresh(&mut self, _: Range<usize>, _: &OsFile, _: &Plan) -> Result<()> {
        Ok(())
    }
}
