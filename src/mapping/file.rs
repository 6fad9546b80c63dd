//! The mapping as a file: a position, and reading and writing there. (Python: "and like a file object")

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use super::Lines;
use crate::backend::Backend;
use crate::error::Asked;
use crate::{Error, Mapping, Result};

/// The maximum number of bytes that [`BufRead::fill_buf`] returns: one step of reading ahead.
const READ_AHEAD: usize = 64 << 10;
/// How many bytes are searched for the end of a line on the fast path, which loads and checks nothing.
const FIRST_LINE_STEP: usize = 1 << 10;

impl<B: Backend> Mapping<B> {
    /// The position, in bytes from the start of the mapping. May lie past the end after the mapping was made shorter.
    #[must_use]
    pub fn tell(&self) -> u64 {
        self.position as u64
    }

    /// Sets the position, and returns it. It must lie between 0 and the length.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for any other target. The position then stays the same.
    #[inline]
    pub fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        // The fast path for most seeks. A mapping with bytes that are ready is open, and no guard has noted a fault.
        if let SeekFrom::Start(target) = to {
            if let Some(position) = usize::try_from(target).ok().filter(|&position| self.door.is_ready_up_to(position))
            {
                self.position = position;
                return Ok(target);
            }
        }
        self.seek_from(to)
    }

    /// Sets the position relative to any origin.
    #[inline(never)]
    fn seek_from(&mut self, to: SeekFrom) -> Result<u64> {
        self.door.open()?;
        let len = self.len();
        let target = match to {
            SeekFrom::Start(from_start) => i128::from(from_start),
            SeekFrom::Current(distance) => self.position as i128 + i128::from(distance),
            SeekFrom::End(distance) => len as i128 + i128::from(distance),
        };
        match usize::try_from(target) {
            Ok(position) if position <= len => {
                self.position = position;
                Ok(position as u64)
            }
            _ => Err(Error::OutOfRange { what: Asked::Seek, start: target, len: 0, limit: len as u64 }),
        }
    }

    /// The range from the position to the end, or `limit` bytes if that is less.
    #[inline]
    fn rest(&self, limit: usize) -> Result<Range<usize>> {
        self.door.open()?;
        let len = self.len();
        let start = self.position.min(len);
        Ok(start..start.saturating_add(limit).min(len))
    }

    /// Reads `n` bytes, and moves the position past them. Reads all remaining bytes if there are fewer than `n`, or if
    /// `n` is `None`. At or past the end it returns an empty slice. (Python's `read`)
    ///
    /// The result borrows the mapping: use it before the next call.
    ///
    /// ```
    /// # fn main() -> portable_mmap::Result<()> {
    /// let mut map = portable_mmap::Mmap::anonymous(10)?;
    /// let mut total = 0;
    /// loop {
    ///     let part = map.read_bytes(4)?;
    ///     if part.is_empty() {
    ///         break;
    ///     }
    ///     total += part.len();
    /// }
    /// assert_eq!(total, 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Closed`], and those of loading the bytes. The position then stays the same.
    #[inline]
    pub fn read_bytes(&mut self, n: impl Into<Option<usize>>) -> Result<&[u8]> {
        let range = self.rest(n.into().unwrap_or(usize::MAX))?;
        self.advance_over(range)
    }

    /// Reads a line with its newline. The last line may have no newline. At the end it returns an empty slice.
    ///
    /// ```
    /// # fn main() -> portable_mmap::Result<()> {
    /// let mut map = portable_mmap::Mmap::anonymous(9)?;
    /// map[..].copy_from_slice(b"one\ntwo\n3");
    /// let mut lines = 0;
    /// while !map.readline()?.is_empty() {
    ///     lines += 1;
    /// }
    /// assert_eq!(lines, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`read_bytes`](Self::read_bytes).
    #[inline]
    pub fn readline(&mut self) -> Result<&[u8]> {
        let Some(line) = self.door.ready_line(self.position, FIRST_LINE_STEP) else {
            return self.read_unready_line();
        };
        self.position += line.len();
        // SAFETY: the bytes are ready, and the mapping stays borrowed as long as the line.
        Ok(unsafe { line.as_ref() })
    }

    /// The lines from the position on, each as [`readline`](Self::readline) returns it, with its newline. The position
    /// stays the same. This is faster than `readline`, because it searches many lines at once.
    ///
    /// A buffer loads the lines as they are needed. After an error the iterator ends.
    ///
    /// ```
    /// # fn main() -> portable_mmap::Result<()> {
    /// let mut map = portable_mmap::Mmap::anonymous(9)?;
    /// map[..].copy_from_slice(b"one\ntwo\n3");
    /// let lines = map.lines_with_terminator().collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(lines, [&b"one\n"[..], b"two\n", b"3"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The iterator returns [`Error::Closed`], and errors of loading the bytes.
    #[must_use]
    pub fn lines_with_terminator(&self) -> Lines<'_, B> {
        Lines::new(self)
    }

    /// [`readline`](Self::readline) for a line that is long or not ready.
    #[inline(never)]
    fn read_unready_line(&mut self) -> Result<&[u8]> {
        let Range { start, .. } = self.rest(0)?;
        let end = self.line_end(start)?;
        self.advance_over(start..end)
    }

    /// The end of the line whose bytes before `searched` have no newline: after its newline, or at the end of the
    /// mapping. Reads no page after the line, because it may be gone.
    pub(super) fn line_end(&self, mut searched: usize) -> Result<usize> {
        self.door.open()?;
        let (end, page) = (self.len(), B::page_size());
        while searched < end {
            let page_end = (searched / page + 1).saturating_mul(page).min(end);
            if let Some(index) = memchr::memchr(b'\n', self.door.bytes(searched..page_end)?) {
                return Ok(searched + index + 1);
            }
            searched = page_end;
        }
        Ok(end)
    }

    /// Returns the bytes of a range that starts at the position, and moves the position past them.
    #[inline]
    fn advance_over(&mut self, range: Range<usize>) -> Result<&[u8]> {
        let Self { door, position } = self;
        let bytes = door.bytes(range.clone())?;
        // The position moves only after the bytes were loaded without a fault.
        if !range.is_empty() {
            *position = range.end;
        }
        Ok(bytes)
    }

    /// Reads the byte at the position, and moves the position past it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] at the end, and those of loading the byte. The position then stays the same.
    #[inline]
    pub fn read_byte(&mut self) -> Result<u8> {
        if let Some(&byte) = self.door.ready_ref(self.position) {
            self.position += 1;
            return Ok(byte);
        }
        self.read_unready_byte()
    }

    /// [`read_byte`](Self::read_byte) for a byte that is not ready.
    #[cold]
    #[inline(never)]
    fn read_unready_byte(&mut self) -> Result<u8> {
        if let Some(byte) = self.door.ready_byte(self.position) {
            self.position += 1;
            return Ok(byte);
        }
        let range = self.room(1, Asked::Read)?;
        let byte = self.door.read(|reader| Ok(reader.bytes(range)?[0]))?;
        self.position += 1;
        Ok(byte)
    }

    /// The range of `len` bytes from the position on. All of them must lie in the mapping.
    #[inline]
    fn room(&self, len: usize, what: Asked) -> Result<Range<usize>> {
        self.door.open()?;
        crate::span::checked_range(what, self.position, len, self.len())
    }

    /// Writes all of `data` at the position, moves the position past it, and returns the length of `data`. (Python's
    /// `write`)
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::OutOfRange`] if `data` does not fit, or if the position lies past the end; those
    /// of loading the bytes. Nothing is written then, and the position stays the same.
    pub fn write_bytes(&mut self, data: &[u8]) -> Result<usize> {
        self.door.check_writable()?;
        let range = self.room(data.len(), Asked::Write)?;
        self.door.write(|mut writer| {
            writer.bytes(range)?.copy_from_slice(data);
            Ok(())
        })?;
        self.position += data.len();
        Ok(data.len())
    }

    /// Writes a byte at the position, and moves the position past it.
    ///
    /// # Errors
    /// As for [`write_bytes`](Self::write_bytes).
    #[inline]
    pub fn write_byte(&mut self, byte: u8) -> Result<()> {
        let position = self.position;
        if let Some(place) = self.door.ready_mut(position) {
            *place = byte;
            self.position += 1;
            return Ok(());
        }
        self.write_unready_byte(byte)
    }

    /// [`write_byte`](Self::write_byte) for a byte that is not ready.
    #[cold]
    #[inline(never)]
    fn write_unready_byte(&mut self, byte: u8) -> Result<()> {
        self.write_bytes(&[byte]).map(|_| ())
    }
}

/// Reads like [`Mapping::read_bytes`].
impl<B: Backend> Read for Mapping<B> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let range = self.rest(buf.len())?;
        let n = range.len();
        self.door.read(|reader| {
            buf[..n].copy_from_slice(reader.bytes(range)?);
            Ok(())
        })?;
        self.position += n;
        Ok(n)
    }
}

/// Returns at most 64 KiB at a time, so that a buffer does not load bytes that are not used.
impl<B: Backend> BufRead for Mapping<B> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let range = self.rest(READ_AHEAD)?;
        Ok(self.door.bytes(range)?)
    }

    /// Moves the position, at most to the end.
    fn consume(&mut self, amount: usize) {
        let end = self.len().max(self.position);
        self.position = self.position.saturating_add(amount).min(end);
    }
}

/// Writes like [`Mapping::write_bytes`]: either all bytes or none.
impl<B: Backend> Write for Mapping<B> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(self.write_bytes(data)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(Mapping::flush(self)?)
    }
}

/// Seeks like [`Mapping::seek`]: never past the end.
impl<B: Backend> Seek for Mapping<B> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        Ok(Mapping::seek(self, to)?)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.tell())
    }
}
