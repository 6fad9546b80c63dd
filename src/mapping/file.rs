//! The file face: a position, and reading and writing there. (Python: "and like a file object")

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use crate::backend::Backend;
use crate::error::Asked;
use crate::{Error, Mapping, Result};

/// The most that [`BufRead::fill_buf`] gives at once, in bytes: one step of reading ahead.
const READ_AHEAD: usize = 64 << 10;
/// What is searched for the end of a line before anything is loaded or looked at, in bytes.
const FIRST_LINE_STEP: usize = 1 << 10;

impl<B: Backend> Mapping<B> {
    /// The position, in bytes from the start of the mapping. May lie past the end after a shrink.
    #[must_use]
    pub fn tell(&self) -> u64 {
        self.position as u64
    }

    /// Moves the position to anywhere from 0 to the length, and returns it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for any other target; the position stays.
    #[inline]
    pub fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.door.open()?;
        let len = self.len();
        // What most seeks are, without 128 bits.
        if let SeekFrom::Start(target) = to {
            if let Some(position) = usize::try_from(target).ok().filter(|&position| position <= len) {
                self.position = position;
                return Ok(target);
            }
        }
        self.seek_from(to, len)
    }

    /// Moves the position, from wherever, in a mapping of `len` bytes.
    #[inline(never)]
    fn seek_from(&mut self, to: SeekFrom, len: usize) -> Result<u64> {
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

    /// What is left from the position on, `limit` bytes at the most.
    #[inline]
    fn rest(&self, limit: usize) -> Result<Range<usize>> {
        self.door.open()?;
        let len = self.len();
        let start = self.position.min(len);
        Ok(start..start.saturating_add(limit).min(len))
    }

    /// Reads `n` bytes, or what is left if that is less or `None` is asked for, and moves the position behind them. At
    /// or past the end there are none. (Python's `read`)
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
    /// [`Error::Closed`], and those of loading the bytes; the position stays.
    #[inline]
    pub fn read_bytes(&mut self, n: impl Into<Option<usize>>) -> Result<&[u8]> {
        let range = self.rest(n.into().unwrap_or(usize::MAX))?;
        self.advance_over(range)
    }

    /// Reads a line with its newline; the last one may lack it, and at the end it is empty.
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
        let start = self.position;
        let first = self.door.ready_bytes(start..start.saturating_add(FIRST_LINE_STEP).min(self.len()));
        let Some(index) = first.and_then(|bytes| memchr::memchr(b'\n', bytes)) else {
            return self.read_unready_line();
        };
        self.position = start + index + 1;
        let line = start..self.position;
        match self.door.ready_bytes(line.clone()) {
            Some(bytes) => Ok(bytes),
            None => self.door.bytes(line),
        }
    }

    /// [`readline`](Self::readline), of a line that is long or not ready.
    #[inline(never)]
    fn read_unready_line(&mut self) -> Result<&[u8]> {
        let Range { start, end } = self.rest(usize::MAX)?;
        let (mut searched, page) = (start, B::page_size());
        let mut line = start..end;
        while searched < end {
            // No page behind the line is looked at: it may be gone.
            let page_end = (searched / page + 1).saturating_mul(page).min(end);
            if let Some(index) = memchr::memchr(b'\n', self.door.bytes(searched..page_end)?) {
                line.end = searched + index + 1;
                break;
            }
            searched = page_end;
        }
        self.advance_over(line)
    }

    /// The bytes of a range that starts at the position, which moves behind them.
    #[inline]
    fn advance_over(&mut self, range: Range<usize>) -> Result<&[u8]> {
        let Self { door, position } = self;
        let bytes = door.bytes(range.clone())?;
        // Loaded, and free of faults, before the position moves.
        if !range.is_empty() {
            *position = range.end;
        }
        Ok(bytes)
    }

    /// Reads the byte at the position and moves behind it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] at the end, and those of loading the byte; the position stays.
    #[inline]
    pub fn read_byte(&mut self) -> Result<u8> {
        if let Some(byte) = self.door.ready_byte(self.position) {
            self.position += 1;
            return Ok(byte);
        }
        self.read_unready_byte()
    }

    /// [`read_byte`](Self::read_byte), of a byte that is not ready.
    #[cold]
    #[inline(never)]
    fn read_unready_byte(&mut self) -> Result<u8> {
        let range = self.room(1, Asked::Read)?;
        let byte = self.door.read(|reader| Ok(reader.bytes(range)?[0]))?;
        self.position += 1;
        Ok(byte)
    }

    /// `len` bytes from the position on, all of which have to lie in the mapping.
    #[inline]
    fn room(&self, len: usize, what: Asked) -> Result<Range<usize>> {
        self.door.open()?;
        crate::span::checked_range(what, self.position, len, self.len())
    }

    /// Writes all of `data` at the position, moves behind it and returns its length. (Python's `write`)
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::OutOfRange`] if it does not fit, or the position lies past the end; those of loading
    /// the bytes. Nothing is written and the position stays.
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

    /// Writes a byte at the position and moves behind it.
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

    /// [`write_byte`](Self::write_byte), of a byte that is not ready.
    #[cold]
    #[inline(never)]
    fn write_unready_byte(&mut self, byte: u8) -> Result<()> {
        self.write_bytes(&[byte]).map(|_| ())
    }
}

/// As [`Mapping::read_bytes`].
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

/// Gives 64 KiB at a time at the most, so that a buffer loads what is used.
impl<B: Backend> BufRead for Mapping<B> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let range = self.rest(READ_AHEAD)?;
        Ok(self.door.bytes(range)?)
    }

    /// Moves the position, to the end at the most.
    fn consume(&mut self, amount: usize) {
        let end = self.len().max(self.position);
        self.position = self.position.saturating_add(amount).min(end);
    }
}

/// As [`Mapping::write_bytes`]: all or nothing.
impl<B: Backend> Write for Mapping<B> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(self.write_bytes(data)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(Mapping::flush(self)?)
    }
}

/// As [`Mapping::seek`]: not past the end.
impl<B: Backend> Seek for Mapping<B> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        Ok(Mapping::seek(self, to)?)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.tell())
    }
}
