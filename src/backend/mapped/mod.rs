//! OS mappings, through memmap2; what it lacks stands in `unix.rs` and `windows.rs`.

use std::io;
use std::ops::Range;
use std::slice;

use memmap2::MmapRaw;

use super::storage::{OsFile, Storage, with_length};
use super::{Backend, Durability, Face, Fault};
use crate::plan::Plan;
use crate::span::{self, Span};
use crate::{Access, Advice, Error, Flags, Result, UncheckedAdvice};

#[cfg(unix)]
mod guard;
#[cfg(unix)]
#[path = "unix.rs"]
mod os;
#[cfg(windows)]
#[path = "windows.rs"]
mod os;

/// A mapping that the operating system makes: the bytes are the file's own.
#[derive(Debug)]
pub struct Mapped {
    /// Before the region: it looks away before the memory goes.
    guard: Option<os::Guard>,
    /// Always there, but while Windows resizes, and after it could not map again what it had unmapped.
    region: Option<Region>,
    /// None: anonymous, or given up after mapping.
    source: Option<OsFile>,
    /// What it was made from, its span kept up to date.
    plan: Plan,
    /// All bytes borrowed mutably since the last flush lie in here, if changes reach the file.
    changed: Range<usize>,
    /// The file's length was changed, and no sync has followed.
    unsynced_len: bool,
}

/// Mapped memory.
#[derive(Debug)]
enum Region {
    /// Of a file, or private and anonymous.
    Memmap(MmapRaw),
    /// What memmap2 lacks: memory shared with a forked child, or by name.
    Shared(os::SharedMemory),
}

impl Region {
    #[inline]
    fn as_mut_ptr(&self) -> *mut u8 {
        match self {
            Self::Memmap(map) => map.as_mut_ptr(),
            Self::Shared(memory) => memory.as_mut_ptr(),
        }
    }

    /// Maps a span of a file.
    fn of_file(source: &OsFile, plan: &Plan, span: Span) -> Result<Self> {
        let Some(file) = source.file() else { return Err(Error::Closed) };
        let mut options = memmap2::MmapOptions::new();
        options.offset(span.offset()).len(span.len());
        if plan.hints.contains(Flags::POPULATE) {
            options.populate();
        }
        if plan.hints.contains(Flags::NORESERVE) {
            options.no_reserve_swap();
        }
        let map = if plan.executable {
            // SAFETY: whoever makes a mapping of a file owes what `MmapOptions::map` says.
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
        Ok(Self::Memmap(map.map_err(|e| map_error(span, e))?))
    }
}

/// The error of mapping a span.
fn map_error(span: Span, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::OutOfMemory => Error::NoMemory { len: span.len() as u64 },
        _ => Error::io("map", span.offset(), span.len() as u64, error),
    }
}

impl Mapped {
    fn new(region: Region, guard: Option<os::Guard>, source: Option<OsFile>, plan: &Plan) -> Self {
        Self {
            guard,
            region: Some(region),
            source,
            plan: plan.clone(),
            changed: 0..0,
            unsynced_len: plan.extend_from.is_some(),
        }
    }

    /// Watches over a new region, if the plan says so.
    fn guard(region: &Region, source: &OsFile, plan: &Plan) -> Result<Option<os::Guard>> {
        if plan.guard { os::Guard::new(region.as_mut_ptr(), source, plan).map(Some) } else { Ok(None) }
    }

    /// The mapped bytes, `len` of them.
    #[inline]
    fn pointer(&self) -> Result<*mut u8> {
        let lost =
            || Error::io("map", self.plan.span.offset(), self.plan.span.len() as u64, io::ErrorKind::Other.into());
        self.region.as_ref().map(Region::as_mut_ptr).ok_or_else(lost)
    }

    /// Notes a range, which is not empty, as borrowed mutably: of what reaches the file.
    #[inline]
    fn note_changed(&mut self, range: Range<usize>) {
        let Range { start, end } = self.changed;
        self.changed = if start < end { start.min(range.start)..end.max(range.end) } else { range };
    }

    /// Changes that lie past the end of a file that has become shorter are lost: an error, and they stay changed.
    fn check_changes_are_in_file(&self, range: &Range<usize>) -> Result<()> {
        let (start, end) = (self.changed.start.max(range.start), self.changed.end.min(range.end));
        let Some(source) = self.source.as_ref().filter(|_| start < end) else { return Ok(()) };
        let span = self.plan.span;
        let size = source.len().map_err(|e| Error::io("stat", span.offset(), 0, e))?;
        if span.file_offset(end) <= size {
            return Ok(());
        }
        let offset = size.max(span.file_offset(start));
        Err(Error::Truncated { offset, len: span.file_offset(end) - offset, size })
    }

    /// Gives anonymous memory another length. Shared memory keeps its address, and whoever shares it keeps sharing it.
    fn resize_anonymous(&mut self, span: Span) -> Result<()> {
        if let Some(Region::Shared(memory)) = &mut self.region {
            return memory.shrink(span.len());
        }
        let new = os::anonymous(&Plan { span, ..self.plan.clone() })?;
        let kept = span.len().min(self.plan.span.len());
        let old = self.bytes(0..kept, Face::Calls)?;
        // SAFETY: the new memory is this call's own and as long as its span.
        unsafe { slice::from_raw_parts_mut(new.as_mut_ptr(), kept) }.copy_from_slice(old);
        self.region = Some(new);
        Ok(())
    }
}

impl Backend for Mapped {
    type Source = OsFile;

    fn name(&self) -> &'static str {
        "mapped"
    }

    fn page_size() -> usize {
        os::page_size()
    }

    fn allocation_granularity() -> usize {
        os::allocation_granularity()
    }

    fn supports(advice: Advice) -> bool {
        os::supports(advice)
    }

    fn admit(plan: &Plan) -> Result<()> {
        if plan.hints.contains(Flags::HUGETLB) && !plan.anonymous {
            return Err(Error::Unsupported { what: "huge pages for a file; anonymous memory may have them" });
        }
        os::admit(plan)
    }

    unsafe fn map(source: OsFile, plan: &Plan) -> Result<Self> {
        let (region, guard) = with_length(&source, plan.extend_from, plan.span.end(), plan.allocate, || {
            let region = if plan.tag_name.is_some() {
                os::tagged(Some(&source), plan)?
            } else {
                Region::of_file(&source, plan, plan.span)?
            };
            let guard = Self::guard(&region, &source, plan)?;
            Ok((region, guard))
        })?;
        // A guard needs the file to map again what it had replaced.
        let source = (plan.track_file || plan.guard).then_some(source);
        Ok(Self::new(region, guard, source, plan))
    }

    fn anonymous(plan: &Plan) -> Result<Self> {
        let region = if plan.tag_name.is_some() { os::tagged(None, plan)? } else { os::anonymous(plan)? };
        Ok(Self::new(region, None, None, plan))
    }

    fn source(&self) -> Option<&OsFile> {
        self.source.as_ref()
    }

    fn into_source(self) -> Option<OsFile> {
        self.source
    }

    #[inline]
    fn len(&self) -> usize {
        self.plan.span.len()
    }

    #[inline]
    fn bytes(&self, range: Range<usize>, _: Face) -> Result<&[u8]> {
        assert!(range.start <= range.end && range.end <= self.len());
        let start = self.pointer()?;
        // SAFETY: the range lies within the mapping.
        let start = unsafe { start.add(range.start) };
        // SAFETY: mapped, readable and initialised; that nobody else changes the bytes is owed by whoever mapped them.
        Ok(unsafe { slice::from_raw_parts(start, range.len()) })
    }

    #[inline]
    fn bytes_mut(&mut self, range: Range<usize>, _: Face) -> Result<&mut [u8]> {
        assert!(range.start <= range.end && range.end <= self.len());
        if !self.plan.access.is_writable() {
            return Err(Error::ReadOnly);
        }
        let start = self.pointer()?;
        if self.plan.reaches_file() && !range.is_empty() {
            self.note_changed(range.clone());
        }
        // SAFETY: the range lies within the mapping.
        let start = unsafe { start.add(range.start) };
        // SAFETY: mapped, writable and initialised, and the mapping is borrowed mutably; that nobody else uses the bytes
        // is owed by whoever mapped them.
        Ok(unsafe { slice::from_raw_parts_mut(start, range.len()) })
    }

    #[inline]
    fn touch(&self, range: &Range<usize>) {
        let (Some(_), Ok(start)) = (&self.guard, self.pointer()) else { return };
        for page in span::pages(range, os::page_size()) {
            let byte = start.wrapping_add(range.start.max(page * os::page_size()));
            // SAFETY: the byte lies in the range, which lies in the mapping.
            unsafe { byte.read_volatile() };
        }
    }

    #[inline]
    fn ready_byte(&self, index: usize) -> Option<u8> {
        let region = self.region.as_ref().filter(|_| self.guard.is_none() && index < self.len())?;
        // SAFETY: the index lies within the mapping.
        let byte = unsafe { region.as_mut_ptr().add(index) };
        // SAFETY: mapped, readable and initialised, as in `bytes`.
        Some(unsafe { byte.read() })
    }

    #[inline]
    fn ready_bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        let is_within = range.start <= range.end && range.end <= self.len();
        let region = self.region.as_ref().filter(|_| self.guard.is_none() && is_within)?;
        // SAFETY: the range lies within the mapping.
        let start = unsafe { region.as_mut_ptr().add(range.start) };
        // SAFETY: mapped, readable and initialised, as in `bytes`.
        Some(unsafe { slice::from_raw_parts(start, range.len()) })
    }

    #[inline]
    fn set_ready_byte(&mut self, index: usize, byte: u8) -> bool {
        let may_change = self.plan.access.is_writable() && self.guard.is_none() && index < self.len();
        let Some(region) = self.region.as_ref().filter(|_| may_change) else { return false };
        // SAFETY: the index lies within the mapping.
        let place = unsafe { region.as_mut_ptr().add(index) };
        if self.plan.reaches_file() {
            self.note_changed(index..index + 1);
        }
        // SAFETY: mapped and writable, as in `bytes_mut`.
        unsafe { place.write(byte) };
        true
    }

    fn copy_within(&mut self, from: Range<usize>, to: usize) -> Result<()> {
        let count = from.len();
        // Both checked and noted as ranges, then reached from the mapping's own pointer: a pointer from a slice would be
        // void once the other slice is made.
        self.bytes(from.clone(), Face::Calls)?;
        self.bytes_mut(to..to + count, Face::Calls)?;
        let start = self.pointer()?;
        let (source, target) = (start.wrapping_add(from.start), start.wrapping_add(to));
        // SAFETY: both ranges are mapped, the target writable, and no slice of either is alive.
        unsafe { std::ptr::copy(source, target, count) };
        Ok(())
    }

    fn flush(&mut self, range: Range<usize>, durability: Durability) -> Result<()> {
        if let Some(Region::Memmap(map)) = &self.region {
            if self.plan.reaches_file() && !self.plan.anonymous {
                let flushed = match durability {
                    Durability::Disk => map.flush_range(range.start, range.len()),
                    Durability::Visible => map.flush_async_range(range.start, range.len()),
                };
                let offset = self.plan.span.file_offset(range.start);
                flushed.map_err(|e| Error::io("flush", offset, range.len() as u64, e))?;
            }
        }
        if let (Durability::Disk, true, Some(source)) = (durability, self.unsynced_len, &self.source) {
            // POSIX promises of `msync` that the bytes are on the disk, and says nothing of the file's length.
            source.sync().map_err(|e| Error::io("sync", self.plan.span.offset(), self.plan.span.len() as u64, e))?;
            self.unsynced_len = false;
        }
        self.check_changes_are_in_file(&range)?;
        if range.start <= self.changed.start && self.changed.end <= range.end {
            self.changed = 0..0;
        }
        Ok(())
    }

    fn advise(&mut self, advice: Advice, range: Range<usize>) {
        // On Linux this would take private changes back.
        let drops_changes = advice == Advice::DontNeed && self.plan.private;
        if let (Ok(start), false) = (self.pointer(), drops_changes) {
            // SAFETY: the range lies within the mapping, and no hint changes a byte of it.
            unsafe { os::advise(start.wrapping_add(range.start), range.len(), advice) };
        }
    }

    unsafe fn advise_unchecked(&mut self, advice: UncheckedAdvice, range: Range<usize>) -> Result<()> {
        let start = self.pointer()?.wrapping_add(range.start);
        let offset = self.plan.span.file_offset(range.start);
        // SAFETY: the range lies within the mapping; the caller answers for what becomes of its bytes.
        match unsafe { os::advise_unchecked(start, range.len(), advice) } {
            None => Err(Error::Unsupported { what: "this advice on this operating system" }),
            Some(Ok(())) => Ok(()),
            Some(Err(e)) => Err(Error::io("madvise", offset, range.len() as u64, e)),
        }
    }

    fn resize(&mut self, len: usize) -> Result<()> {
        let span = Span::new(self.plan.span.offset(), len)?;
        if self.plan.anonymous {
            self.resize_anonymous(span)?;
        } else {
            self.resize_file(span)?;
        }
        self.unsynced_len |= !self.plan.anonymous;
        self.plan.span = span;
        self.changed = self.changed.start.min(len)..self.changed.end.min(len);
        Ok(())
    }

    fn refresh(&mut self, range: Range<usize>) -> Result<()> {
        match (&mut self.guard, &self.source) {
            (Some(guard), Some(source)) => guard.map_again(span::pages(&range, os::page_size()), source, &self.plan),
            _ => Ok(()),
        }
    }

    fn close(&mut self) -> Result<()> {
        self.check_changes_are_in_file(&(0..self.len()))
    }

    #[inline]
    fn fault(&self) -> Option<Fault> {
        self.guard.as_ref().and_then(os::Guard::fault)
    }
}
