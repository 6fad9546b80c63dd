//! The bytes of memmap2's three types of mapping.

use std::io;
use std::ptr::NonNull;
use std::sync::Arc;

pub(super) use portable_mmap::Access;
use portable_mmap::raw::RawBuffer;
use portable_mmap::{Buffered, FileKind, Flags, MmapOptions, Storage as _};

use super::advice::{Advice, UncheckedAdvice};
use super::descriptor::Descriptor;
use super::hosted::Hosted;
use super::live;
use crate::emulation;

/// Offsets in a file are rounded down to this, and the pointer is moved forward by the difference. So what is aligned
/// in the file is aligned in memory.
pub(super) const PAGE: usize = 4096;

/// The memory of a mapping.
enum Bytes {
    /// No byte is mapped.
    None,
    /// A copy of the file's bytes, loaded when the mapping was made. A writable one is registered in [`live`].
    Loaded(Arc<RawBuffer<Descriptor>>),
    /// The file's own bytes: changes are in the file, and nothing is written back.
    Hosted(Hosted),
}

/// A mapping: a loaded copy, or a mapping of the host.
pub(super) struct Buffer {
    bytes: Bytes,
    /// `None` for anonymous memory.
    file: Option<Descriptor>,
    /// The offset of the mapping in the file, in bytes.
    offset: u64,
    len: usize,
    /// Whether changes go to the file, stay in memory, or are not allowed.
    access: Access,
    /// Whether changes are recorded.
    watched: bool,
}

impl Buffer {
    /// Maps `len` bytes of a file from `offset` through the host, or loads them. With [`Access::Default`],
    /// [`Self::make_mut`] can allow changes later if the file is open for writing.
    pub(super) fn of_file(file: &Descriptor, offset: u64, len: usize, access: Access) -> io::Result<Self> {
        let mode = file.opened_for();
        let access = match access {
            Access::Default if mode.write && !mode.append => Access::Write,
            Access::Default => Access::Read,
            access => access,
        };
        check_mappable(file, access)?;
        let mut buffer = Self { bytes: Bytes::None, file: Some(file.clone()), offset, len, access, watched: false };
        let before = buffer.before();
        if len > 0 {
            let whole = len.checked_add(before).ok_or_else(length_overflow)?;
            // If the number now names another file, loading returns the error.
            let named = file.checked().ok();
            if let Some(hosted) = named.and_then(|file| Hosted::map(file, offset - before as u64, whole, access)) {
                buffer.bytes = Bytes::Hosted(hosted);
                return Ok(buffer);
            }
            if access == Access::Write {
                file.hold();
            }
            file.set_apparent_end(offset.saturating_add(len as u64));
            let map =
                MmapOptions::new().access(access).offset(offset - before as u64).len(whole).map_storage(file.clone());
            let loaded = map.and_then(RawBuffer::new);
            // From now on the file has its true length: writing back a change past its end is an error.
            file.set_apparent_end(0);
            buffer.bytes = Bytes::Loaded(Arc::new(loaded?));
        }
        Ok(buffer)
    }

    /// Makes zero-filled memory without a file.
    pub(super) fn anonymous(len: usize) -> io::Result<Self> {
        let mut buffer = Self { bytes: Bytes::None, file: None, offset: 0, len, access: Access::Copy, watched: true };
        if len > 0 {
            let map = MmapOptions::new().flags(Flags::PRIVATE).len(len).anonymous_with::<Buffered<Descriptor>>()?;
            buffer.bytes = Bytes::Loaded(Arc::new(RawBuffer::new(map)?));
        }
        Ok(buffer)
    }

    /// The number of bytes in the first page that are before the mapping's first byte.
    fn before(&self) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "below a page")]
        let before = (self.offset % PAGE as u64) as usize;
        before
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn ptr(&self) -> *mut u8 {
        let start = match &self.bytes {
            Bytes::Loaded(bytes) => bytes.as_ptr(),
            Bytes::Hosted(hosted) => hosted.ptr(),
            // An empty mapping has the address of a page, as those of an operating system have.
            Bytes::None => return NonNull::<Page>::dangling().as_ptr().cast(),
        };
        // SAFETY: the memory starts with that many bytes before the first byte of the mapping.
        unsafe { start.add(self.before()) }
    }

    /// The address of the first byte, for a `&mut`. First reads what other mappings of the file have written since.
    #[inline]
    pub(super) fn ptr_mut(&mut self) -> *mut u8 {
        if self.file.as_ref().is_some_and(|file| file.written_by_others().has_bytes()) {
            self.catch_up();
        }
        self.ptr()
    }

    /// Reads what other mappings of the file have written since the last call. If that fails the bytes stay as they
    /// are, and the next call tries again.
    #[cold]
    fn catch_up(&mut self) {
        let (Bytes::Loaded(bytes), Some(file)) = (&self.bytes, &self.file) else { return };
        let written = file.written_by_others().take();
        let start = self.offset - self.before() as u64;
        let within = |at: u64| usize::try_from(at.saturating_sub(start)).map_or(bytes.len(), |at| at.min(bytes.len()));
        let (from, to) = (within(written.start), within(written.end));
        file.require_check();
        // SAFETY: the mapping is borrowed mutably, so no reference to its bytes is live.
        if unsafe { bytes.refresh_range(from, to - from) }.is_err() {
            file.written_by_others().add(&written);
        }
    }

    /// Allows changes. In a buffer they are recorded from now on.
    pub(super) fn make_mut(&mut self) -> io::Result<()> {
        if !self.access.is_writable() {
            return Err(denied("the file was not open for writing when it was mapped"));
        }
        if let (Bytes::Loaded(bytes), false) = (&mut self.bytes, self.watched) {
            // Nothing shares it before it is watched.
            Arc::get_mut(bytes).ok_or(io::ErrorKind::Other)?.watch()?;
            if let (Some(file), Access::Write) = (&self.file, self.access) {
                live::add(file, bytes);
            }
        }
        self.watched = true;
        Ok(())
    }

    /// Writes the changes to the file, because the next call may be a drop, which cannot return an error.
    pub(super) fn make_read_only(&mut self) -> io::Result<()> {
        self.write_back()
    }

    /// Writes back the changes of all pages that overlap a range. When it returns, others see them, or they are on the
    /// disk if `to_disk` is set.
    ///
    /// # Safety
    /// Nobody writes to the bytes of these pages while the call runs, and no `&mut` to them is live.
    pub(super) unsafe fn flush(&self, offset: usize, len: usize, to_disk: bool) -> io::Result<()> {
        self.check(offset, len)?;
        let start = self.before() + offset;
        let (page, len) = (start - start % PAGE, len + start % PAGE);
        let (bytes, file) = match (&self.bytes, &self.file) {
            (Bytes::Loaded(bytes), Some(file)) => (bytes, file),
            (Bytes::Hosted(hosted), _) => {
                self.record_written(page, len);
                return hosted.flush(page, len, to_disk);
            }
            _ => return Ok(()),
        };
        file.require_check();
        // SAFETY: the caller guarantees it.
        unsafe { self.check_conflict(bytes, page, len) }?;
        if to_disk {
            // SAFETY: as above.
            unsafe { bytes.flush_range(page, len) }?;
        } else {
            // SAFETY: as above.
            unsafe { bytes.flush_async_range(page, len) }?;
        }
        Ok(())
    }

    /// In strict mode, fails if a flush of a range of a buffer would overwrite what somebody else has written.
    ///
    /// # Safety
    /// As for [`flush`](Self::flush).
    unsafe fn check_conflict(&self, bytes: &RawBuffer<Descriptor>, start: usize, len: usize) -> io::Result<()> {
        if !emulation::is_strict() {
            return Ok(());
        }
        // SAFETY: the caller guarantees it.
        let Some(at) = unsafe { bytes.first_conflict(start, len) }? else { return Ok(()) };
        let at = self.offset - self.before() as u64 + at as u64;
        let text = format!(
            "byte {at} of the file has been changed by somebody else since it was mapped, and a flush would overwrite it: map \
             the file anew, or flush after memmap2::emulation::set_strict(false)"
        );
        Err(io::Error::new(io::ErrorKind::ResourceBusy, text))
    }

    /// Returns an error if a range is not inside the mapping.
    pub(super) fn check(&self, offset: usize, len: usize) -> io::Result<()> {
        if offset <= self.len && len <= self.len - offset {
            return Ok(());
        }
        let text = format!("{len} bytes from offset {offset} end past the end of a mapping of {} bytes", self.len);
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }

    /// Passes advice on to the host, which may use it.
    pub(super) fn advise(&self, advice: Advice, offset: usize, len: usize) -> io::Result<()> {
        self.check(offset, 0)?;
        self.check(0, len)?;
        match &self.bytes {
            // A range that ends past the end is accepted; the advice is for the part inside the mapping.
            Bytes::Hosted(hosted) => hosted.advise(advice, self.before() + offset, len.min(self.len - offset)),
            Bytes::Loaded(_) | Bytes::None => Ok(()),
        }
    }

    /// # Safety
    /// Nobody borrows the bytes of the range.
    pub(super) unsafe fn advise_unchecked(&self, advice: UncheckedAdvice, offset: usize, len: usize) -> io::Result<()> {
        self.check(offset, len)?;
        match (advice, &self.bytes) {
            (UncheckedAdvice::DontNeed, Bytes::Loaded(bytes)) if self.file.is_none() => {
                let page = offset - offset % PAGE;
                let end = (offset + len).next_multiple_of(PAGE).min(self.len);
                // SAFETY: the range is inside the mapping, and the caller guarantees that nobody borrows it.
                unsafe { bytes.as_ptr().wrapping_add(page).write_bytes(0, end.saturating_sub(page)) };
                Ok(())
            }
            (UncheckedAdvice::Free | UncheckedAdvice::DontNeed, _) if self.file.is_none() => Ok(()),
            _ => Err(unsupported("advice that changes the bytes of a file's mapping")),
        }
    }

    /// Changes the length of the mapping, not of the file. Changes of the bytes are kept.
    ///
    /// # Safety
    /// As for [`live::write_back`], of all mappings of the file.
    pub(super) unsafe fn remap(&mut self, len: usize, may_move: bool) -> io::Result<()> {
        check_len(len as u64)?;
        if len <= self.len {
            self.len = len;
            return Ok(());
        }
        if !may_move {
            let text = format!("cannot extend {} bytes to {len} in place: set `RemapOptions::may_move`", self.len);
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, text));
        }
        let mut new = if let Some(file) = self.file.clone() {
            if self.access == Access::Write {
                self.write_back()?;
            }
            // SAFETY: the caller guarantees it.
            unsafe { live::write_back(&file) };
            file.require_check();
            file.checked()?;
            Self::of_file(&file, self.offset, len, self.access)?
        } else {
            Self::anonymous(len)?
        };
        if self.watched {
            new.make_mut()?;
        }
        if self.access == Access::Copy {
            // SAFETY: these are two buffers, and the new one is longer.
            unsafe { std::ptr::copy_nonoverlapping(self.ptr(), new.ptr(), self.len) };
        }
        // The changes of the old buffer are written, so its drop has nothing to write back. The new buffer has the
        // file.
        self.file = None;
        *self = new;
        Ok(())
    }

    /// Informs the buffers of the same file that bytes of a hosted mapping may have changed.
    fn record_written(&self, start: usize, len: usize) {
        if let (Some(file), Access::Write, true) = (&self.file, self.access, self.watched) {
            let start = self.offset - self.before() as u64 + start as u64;
            live::record_written(file, &(start..start + len as u64));
        }
    }

    fn write_back(&mut self) -> io::Result<()> {
        let (bytes, file) = match (&self.bytes, &self.file) {
            (Bytes::Loaded(bytes), Some(file)) => (bytes, file),
            (Bytes::Hosted(hosted), _) => {
                self.record_written(0, hosted.len());
                return Ok(());
            }
            _ => return Ok(()),
        };
        file.require_check();
        // SAFETY: the mapping is borrowed mutably, so no slice of it is live. Code that makes a `&mut` from the pointer
        // of a `MmapRaw`, or writes through the pointer, keeps the rules in its documentation.
        unsafe { self.check_conflict(bytes, 0, bytes.len()) }?;
        // SAFETY: as above.
        Ok(unsafe { bytes.flush_async_range(0, bytes.len()) }?)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Err(error) = self.write_back() {
            emulation::report(&error);
            if let Some(file) = &self.file {
                // Otherwise the drop of the storage's mapping would write what has just been rejected.
                file.give_up();
            }
        }
    }
}

/// A page, for its alignment.
#[repr(align(4096))]
struct Page(#[expect(dead_code, reason = "only its alignment counts")] [u8; PAGE]);

/// Returns an error for a file that an operating system could not map, even if the mapping is empty.
fn check_mappable(file: &Descriptor, access: Access) -> io::Result<()> {
    match file.metadata()?.kind {
        FileKind::Regular => {}
        FileKind::Directory => return Err(io::ErrorKind::IsADirectory.into()),
        _ => return Err(unsupported("mapping a file that is not a regular file")),
    }
    let mode = file.opened_for();
    if !mode.read {
        return Err(denied("the file is not open for reading"));
    }
    if access == Access::Write && (!mode.write || mode.append) {
        return Err(denied("the file is not open for writing, or for append only"));
    }
    Ok(())
}

fn denied(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

pub(super) fn unsupported(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}

/// Converts a length that a slice can have.
pub(super) fn check_len(len: u64) -> io::Result<usize> {
    isize::try_from(len).map(isize::unsigned_abs).map_err(|_| length_overflow())
}

fn length_overflow() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "memory map length overflows isize")
}
