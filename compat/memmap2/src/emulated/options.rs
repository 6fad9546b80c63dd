//! Functions that make mappings, with options or of the whole file.

use std::io;

use super::buffer::{Access, Buffer, check_len, unsupported};
use super::descriptor::{Descriptor, MmapAsRawDesc};
use super::if_safe::MapIfSafeError;
use super::live;
use super::mappings::{Mmap, MmapMut, MmapRaw};

/// A builder for mappings. Its setters can be chained.
///
/// # Safety
///
/// The functions that map a file are `unsafe` for two reasons:
///
/// - If the host maps the file, the bytes are the file's own. While a reference to bytes of a mapping is live, nobody
///   may change them in another way: not in another mapping, in the file, or from another process. In a buffer the
///   bytes are a copy in memory, which nobody else can change.
/// - These functions first write the changes of all buffers of the file to it, and read their bytes for that. While one
///   of these functions runs, no thread may write to the bytes of another mapping of the same file, and no `&mut` to
///   them may be live.
///
/// [`map_raw`](Self::map_raw) and [`map_raw_read_only`](Self::map_raw_read_only) are safe. They do not write changes of
/// other mappings, so flush those first.
///
/// # Errors
///
/// Unless the host maps the file, all of them load the whole mapping, and return the errors of reading the file. Others
/// are [`OutOfMemory`](io::ErrorKind::OutOfMemory); [`IsADirectory`](io::ErrorKind::IsADirectory);
/// [`Unsupported`](io::ErrorKind::Unsupported) for what is neither a regular file nor a directory;
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied) for a file that is not open in the required mode; and
/// [`InvalidData`](io::ErrorKind::InvalidData) for a length over `isize::MAX`, and for an offset past the end of the
/// file without a length.
#[derive(Clone, Debug, Default)]
pub struct MmapOptions {
    offset: u64,
    len: Option<usize>,
    huge: Option<u8>,
}

#[expect(clippy::needless_pass_by_value, reason = "the interface has it so")]
impl MmapOptions {
    /// Options for a mapping of the whole file.
    #[must_use]
    pub fn new() -> MmapOptions {
        MmapOptions::default()
    }

    /// Sets the offset in the file where the mapping starts, in bytes. It can have any value.
    pub fn offset(&mut self, offset: u64) -> &mut Self {
        self.offset = offset;
        self
    }

    /// Sets the length of the mapping in bytes. It may be 0, or more than the file has: past the end there are zeros,
    /// and writing back a change of them is an error. Without a length the mapping ends where the file ends.
    pub fn len(&mut self, len: usize) -> &mut Self {
        self.len = Some(len);
        self
    }

    /// A hint that the memory is used as a stack. It has no effect.
    pub fn stack(&mut self) -> &mut Self {
        self
    }

    /// Requests anonymous memory of huge pages: [`map_anon`](Self::map_anon) then returns
    /// [`Unsupported`](io::ErrorKind::Unsupported).
    pub fn huge(&mut self, page_bits: Option<u8>) -> &mut Self {
        self.huge = Some(page_bits.unwrap_or(0));
        self
    }

    /// Requests that everything is loaded when it is mapped. A buffer always does that; for a hosted mapping it has no
    /// effect.
    pub fn populate(&mut self) -> &mut Self {
        self
    }

    /// A hint to reserve no swap space. It has no effect.
    pub fn no_reserve_swap(&mut self) -> &mut Self {
        self
    }

    /// Has an effect only on Windows.
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
        // SAFETY: the caller guarantees it.
        unsafe { self.map_after_write_back(&file, Access::Default) }.map(Mmap::over)
    }

    /// Maps a file for reading. WebAssembly has no executable memory.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map_exec<T: MmapAsRawDesc>(&self, file: T) -> io::Result<Mmap> {
        // SAFETY: the caller guarantees it.
        unsafe { self.map_after_write_back(&file, Access::Default) }.map(Mmap::over)
    }

    /// Maps a file for reading and writing. Changes reach the file when the mapping is flushed or dropped; if the host
    /// maps the file, at once.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map_mut<T: MmapAsRawDesc>(&self, file: T) -> io::Result<MmapMut> {
        // SAFETY: the caller guarantees it.
        unsafe { self.map_after_write_back(&file, Access::Write) }.and_then(changeable).map(MmapMut::over)
    }

    /// Maps a file for reading and writing. Changes stay in memory.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map_copy<T: MmapAsRawDesc>(&self, file: T) -> io::Result<MmapMut> {
        // SAFETY: the caller guarantees it.
        unsafe { self.map_after_write_back(&file, Access::Copy) }.and_then(changeable).map(MmapMut::over)
    }

    /// Maps a file for reading. After [`make_mut`](Mmap::make_mut) it can be changed, and changes stay in memory.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map_copy_read_only<T: MmapAsRawDesc>(&self, file: T) -> io::Result<Mmap> {
        // SAFETY: the caller guarantees it.
        unsafe { self.map_after_write_back(&file, Access::Copy) }.map(Mmap::over)
    }

    /// Maps a file from safe code, if the kernel guarantees that nobody changes it.
    ///
    /// # Errors
    /// [`MapIfSafeError::not_supported`], always.
    pub fn map_if_safe<T: MmapAsRawDesc>(&self, file: T) -> Result<Mmap, MapIfSafeError> {
        drop(file);
        Err(MapIfSafeError::new_not_supported())
    }

    /// Makes zero-filled memory without a file. Needs a [`len`](Self::len).
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

    /// Does the same as [`map_mut`](Self::map_mut), behind a pointer. Changes of other buffers that were not flushed do
    /// not show.
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub fn map_raw<T: MmapAsRawDesc>(&self, file: T) -> io::Result<MmapRaw> {
        self.of_file(&file, Access::Write).and_then(changeable).map(MmapRaw::over)
    }

    /// Does the same as [`map`](Self::map), behind a pointer. Changes of other buffers that were not flushed do not
    /// show.
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub fn map_raw_read_only<T: MmapAsRawDesc>(&self, file: T) -> io::Result<MmapRaw> {
        self.of_file(&file, Access::Default).map(MmapRaw::over)
    }

    /// Maps the file after writing the changes of its other mappings to it.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    unsafe fn map_after_write_back<T: MmapAsRawDesc>(&self, file: &T, access: Access) -> io::Result<Buffer> {
        let file = Descriptor::new(&file.as_raw_desc())?;
        // SAFETY: the caller guarantees it.
        unsafe { live::write_back(&file) };
        self.load(&file, access)
    }

    /// Maps the file as it is.
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
    /// Does the same as [`MmapOptions::map`], for the whole file.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map<T: MmapAsRawDesc>(file: T) -> io::Result<Mmap> {
        // SAFETY: the caller guarantees it.
        unsafe { MmapOptions::new().map(file) }
    }

    /// Does the same as [`MmapOptions::map_if_safe`].
    ///
    /// # Errors
    /// [`MapIfSafeError::not_supported`], always.
    pub fn map_if_safe<T: MmapAsRawDesc>(file: T) -> Result<Mmap, MapIfSafeError> {
        MmapOptions::new().map_if_safe(file)
    }
}

impl MmapMut {
    /// Does the same as [`MmapOptions::map_mut`], for the whole file.
    ///
    /// # Safety
    /// As for [`MmapOptions`].
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub unsafe fn map_mut<T: MmapAsRawDesc>(file: T) -> io::Result<MmapMut> {
        // SAFETY: the caller guarantees it.
        unsafe { MmapOptions::new().map_mut(file) }
    }

    /// Makes `length` bytes of zero-filled memory without a file.
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub fn map_anon(length: usize) -> io::Result<MmapMut> {
        MmapOptions::new().len(length).map_anon()
    }
}

impl MmapRaw {
    /// Does the same as [`MmapOptions::map_raw`], for the whole file.
    ///
    /// # Errors
    /// As for [`MmapOptions`].
    pub fn map_raw<T: MmapAsRawDesc>(file: T) -> io::Result<MmapRaw> {
        MmapOptions::new().map_raw(file)
    }
}
