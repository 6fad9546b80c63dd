//! How a mapping is made: with options, or with none, of the whole file.

use std::io;

use super::buffer::{Access, Buffer, check_len, unsupported};
use super::descriptor::{Descriptor, MmapAsRawDesc};
use super::if_safe::MapIfSafeError;
use super::live;
use super::mappings::{Mmap, MmapMut, MmapRaw};

/// How to make a mapping: a builder whose setters can be chained.
///
/// # Safety
///
/// The functions that map a file are `unsafe` for two reasons:
///
/// - Where the host maps files, the bytes are the file's own. While there is a reference to bytes of a mapping, nobody
///   may change them in another way: not in another mapping, nor in the file, nor from another process. In a buffer the
///   bytes are a copy in memory, which nobody else changes.
/// - These functions write the changes of the file's buffers to the file first, and read their bytes for that. While
///   one of these functions runs, nobody may write to the bytes of another mapping of the same file, in any thread, and
///   no `&mut` to them may be live.
///
/// [`map_raw`](Self::map_raw) and [`map_raw_read_only`](Self::map_raw_read_only) are safe and show the file as it is: flush
/// other mappings first.
///
/// # Errors
///
/// All of them load everything, unless the host maps the file, and fail as reading the file does: with the system's
/// error, with [`OutOfMemory`](io::ErrorKind::OutOfMemory), [`IsADirectory`](io::ErrorKind::IsADirectory), with
/// [`Unsupported`](io::ErrorKind::Unsupported) for what is neither file nor directory, and with
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied) for a file that is not open for what is asked. A length over
/// `isize::MAX`, or none and an offset behind the end of the file, is [`InvalidData`](io::ErrorKind::InvalidData).
#[derive(Clone, Debug, Default)]
pub struct MmapOptions {
    offset: u64,
    len: Option<usize>,
    huge: Option<u8>,
}

#[expect(clippy::needless_pass_by_value, reason = "the interface has it so")]
impl MmapOptions {
    /// The whole file.
    #[must_use]
    pub fn new() -> MmapOptions {
        MmapOptions::default()
    }

    /// Where the mapping starts, in bytes from the start of the file: anywhere.
    pub fn offset(&mut self, offset: u64) -> &mut Self {
        self.offset = offset;
        self
    }

    /// How many bytes to map, which may be none, or more than the file has: behind its end there are zeros, and a change
    /// of these is an error when it is written back. Without a length the mapping ends where the file ends.
    pub fn len(&mut self, len: usize) -> &mut Self {
        self.len = Some(len);
        self
    }

    /// The memory is used as a stack: a hint that does nothing.
    pub fn stack(&mut self) -> &mut Self {
        self
    }

    /// Anonymous memory of huge pages, which [`map_anon`](Self::map_anon) then answers with
    /// [`Unsupported`](io::ErrorKind::Unsupported).
    pub fn huge(&mut self, page_bits: Option<u8>) -> &mut Self {
        self.huge = Some(page_bits.unwrap_or(0));
        self
    }

    /// Load everything when mapping: a buffer does so in any case, and to a host it is no order.
    pub fn populate(&mut self) -> &mut Self {
        self
    }

    /// Reserve no swap space: a hint that does nothing.
    pub fn no_reserve_swap(&mut self) -> &mut Self {
        self
    }

    /// Does nothing but on Windows.
    pub fn no_probe_handle(&mut self) -> &mut Self {
        self
    }

    /// Maps a file for reading.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map<T: MmapAsRawDesc>(&self, file: T) -> io::Result<Mmap> {
        // SAFETY: the caller vouches for it.
        unsafe { self.after_others(&file, Access::Default) }.map(Mmap::over)
    }

    /// Maps a file for reading. Nothing is executable, here or anywhere in WebAssembly.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map_exec<T: MmapAsRawDesc>(&self, file: T) -> io::Result<Mmap> {
        // SAFETY: the caller vouches for it.
        unsafe { self.after_others(&file, Access::Default) }.map(Mmap::over)
    }

    /// Maps a file for reading and writing: changes reach it when the mapping is flushed or dropped, and where the host
    /// maps it at once.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map_mut<T: MmapAsRawDesc>(&self, file: T) -> io::Result<MmapMut> {
        // SAFETY: the caller vouches for it.
        unsafe { self.after_others(&file, Access::Write) }.and_then(changeable).map(MmapMut::over)
    }

    /// Maps a file for reading and writing: changes stay in memory.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map_copy<T: MmapAsRawDesc>(&self, file: T) -> io::Result<MmapMut> {
        // SAFETY: the caller vouches for it.
        unsafe { self.after_others(&file, Access::Copy) }.and_then(changeable).map(MmapMut::over)
    }

    /// Maps a file for reading, and for changes that stay in memory once [`make_mut`](Mmap::make_mut) allows them.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map_copy_read_only<T: MmapAsRawDesc>(&self, file: T) -> io::Result<Mmap> {
        // SAFETY: the caller vouches for it.
        unsafe { self.after_others(&file, Access::Copy) }.map(Mmap::over)
    }

    /// Maps a file from safe code, if the kernel vouches that nobody changes it.
    ///
    /// # Errors
    /// [`MapIfSafeError::not_supported`], always.
    pub fn map_if_safe<T: MmapAsRawDesc>(&self, file: T) -> Result<Mmap, MapIfSafeError> {
        drop(file);
        Err(MapIfSafeError::new_not_supported())
    }

    /// Zeros without a file. Needs a [`len`](Self::len).
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub fn map_anon(&self) -> io::Result<MmapMut> {
        let len = check_len(self.len.unwrap_or(0) as u64)?;
        if self.huge.is_some() {
            return Err(unsupported("huge pages in a buffer"));
        }
        Buffer::anonymous(len).map(MmapMut::over)
    }

    /// As [`map_mut`](Self::map_mut), behind a pointer. Changes of other buffers that were not flushed do not show.
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub fn map_raw<T: MmapAsRawDesc>(&self, file: T) -> io::Result<MmapRaw> {
        self.of_file(&file, Access::Write).and_then(changeable).map(MmapRaw::over)
    }

    /// As [`map`](Self::map), behind a pointer. Changes of other buffers that were not flushed do not show.
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub fn map_raw_read_only<T: MmapAsRawDesc>(&self, file: T) -> io::Result<MmapRaw> {
        self.of_file(&file, Access::Default).map(MmapRaw::over)
    }

    /// The file, with the changes of its other mappings.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    unsafe fn after_others<T: MmapAsRawDesc>(&self, file: &T, access: Access) -> io::Result<Buffer> {
        let file = Descriptor::new(&file.as_raw_desc())?;
        // SAFETY: the caller vouches for it.
        unsafe { live::write_back(&file) };
        self.load(&file, access)
    }

    /// The file as it is.
    fn of_file<T: MmapAsRawDesc>(&self, file: &T, access: Access) -> io::Result<Buffer> {
        self.load(&Descriptor::new(&file.as_raw_desc())?, access)
    }

    fn load(&self, file: &Descriptor, access: Access) -> io::Result<Buffer> {
        let len = match self.len {
            Some(len) => len as u64,
            None => file
                .end()?
                .checked_sub(self.offset)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "memory map offset is larger than length"))?,
        };
        Buffer::of_file(file, self.offset, check_len(len)?, access)
    }
}

fn changeable(mut buffer: Buffer) -> io::Result<Buffer> {
    buffer.make_mut()?;
    Ok(buffer)
}

impl Mmap {
    /// As [`MmapOptions::map`], of the whole file.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map<T: MmapAsRawDesc>(file: T) -> io::Result<Mmap> {
        // SAFETY: the caller vouches for it.
        unsafe { MmapOptions::new().map(file) }
    }

    /// As [`MmapOptions::map_if_safe`].
    ///
    /// # Errors
    /// [`MapIfSafeError::not_supported`], always.
    pub fn map_if_safe<T: MmapAsRawDesc>(file: T) -> Result<Mmap, MapIfSafeError> {
        MmapOptions::new().map_if_safe(file)
    }
}

impl MmapMut {
    /// As [`MmapOptions::map_mut`], of the whole file.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map_mut<T: MmapAsRawDesc>(file: T) -> io::Result<MmapMut> {
        // SAFETY: the caller vouches for it.
        unsafe { MmapOptions::new().map_mut(file) }
    }

    /// `length` zeros without a file.
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub fn map_anon(length: usize) -> io::Result<MmapMut> {
        MmapOptions::new().len(length).map_anon()
    }
}

impl MmapRaw {
    /// As [`MmapOptions::map_raw`], of the whole file.
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub fn map_raw<T: MmapAsRawDesc>(file: T) -> io::Result<MmapRaw> {
        MmapOptions::new().map_raw(file)
    }
}
