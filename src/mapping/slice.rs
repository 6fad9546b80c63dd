//! The mapping as a slice: access by index and by Python's slice notation, searching, moving. (Python: "behaves like a
//! bytearray")

use std::ops::RangeBounds;

use super::door::Writer;
use crate::backend::Backend;
use crate::error::Asked;
use crate::notation::{Picked, SearchRange, Slice};
use crate::{Error, Mapping, Result, search, span};

impl<B: Backend> Mapping<B> {
    /// All bytes. A buffer loads them all.
    ///
    /// # Errors
    /// [`Error::Closed`], and those of loading.
    pub fn as_slice(&self) -> Result<&[u8]> {
        self.range(..)
    }

    /// The bytes of a range, counted from the mapping's start.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if it does not lie in the mapping, [`Error::Closed`], and those of loading.
    pub fn range(&self, range: impl RangeBounds<usize>) -> Result<&[u8]> {
        self.door.open()?;
        self.door.bytes(span::resolve_range(&range, self.len())?)
    }

    /// All bytes, mutably. A buffer loads and copies them all.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Closed`], [`Error::NoMemory`], and those of loading.
    pub fn as_mut_slice(&mut self) -> Result<&mut [u8]> {
        self.range_mut(..)
    }

    /// The bytes of a range, mutably.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], which is checked before [`Error::OutOfRange`]; [`Error::Closed`], [`Error::NoMemory`], and
    /// those of loading.
    pub fn range_mut(&mut self, range: impl RangeBounds<usize>) -> Result<&mut [u8]> {
        self.door.check_writable()?;
        let range = span::resolve_range(&range, self.len())?;
        self.door.bytes_mut(range)
    }

    /// The byte at an index; a negative one counts from the end. (Python's `m[i]`)
    ///
    /// # Errors
    /// [`Error::IndexOutOfRange`], [`Error::Closed`], and those of loading.
    pub fn get_item(&self, index: isize) -> Result<u8> {
        self.door.read(|reader| {
            let at = resolve_index(index, self.len())?;
            Ok(reader.bytes(at..at + 1)?[0])
        })
    }

    /// Sets the byte at an index; a negative one counts from the end. (Python's `m[i] = byte`)
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::IndexOutOfRange`], [`Error::Closed`], and those of loading.
    pub fn set_item(&mut self, index: isize, byte: u8) -> Result<()> {
        let len = self.len();
        self.door.write(|mut writer| {
            let at = resolve_index(index, len)?;
            writer.bytes(at..at + 1)?[0] = byte;
            Ok(())
        })
    }

    /// The bytes of a slice in Python's notation, clamped to the mapping.
    ///
    /// ```
    /// use portable_mmap::{Mmap, Slice};
    ///
    /// # fn main() -> portable_mmap::Result<()> {
    /// let mut map = Mmap::anonymous(6)?;
    /// map[..].copy_from_slice(b"abcdef");
    /// assert_eq!(map.get_slice(-2..)?, b"ef");
    /// assert_eq!(map.get_slice(Slice::new(None, None, -2))?, b"fdb");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a step of 0, [`Error::Closed`], [`Error::NoMemory`], and those of loading.
    pub fn get_slice(&self, slice: impl Into<Slice>) -> Result<Vec<u8>> {
        self.door.read(|reader| {
            let picked = slice.into().pick(self.len())?;
            let mut out = Vec::new();
            out.try_reserve_exact(picked.count).map_err(|_| Error::no_memory(picked.count as u64))?;
            if picked.is_sparse(B::page_size()) {
                for at in picked.indices() {
                    out.push(reader.bytes(at..at + 1)?[0]);
                }
            } else {
                pick_from(reader.bytes(picked.hull())?, picked.step, &mut out);
            }
            Ok(out)
        })
    }

    /// Assigns bytes to a slice in Python's notation. `data` must have as many bytes as the slice.
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::OutOfRange`] for a step of 0; [`Error::SizeMismatch`]; [`Error::Closed`],
    /// [`Error::NoMemory`], and those of loading. Nothing is written then.
    pub fn set_slice(&mut self, slice: impl Into<Slice>, data: &[u8]) -> Result<()> {
        let len = self.len();
        self.door.write(|mut writer| {
            let picked = slice.into().pick(len)?;
            if picked.count != data.len() {
                return Err(Error::SizeMismatch { expected: picked.count, given: data.len() });
            }
            if picked.is_sparse(B::page_size()) {
                return set_sparse(&mut writer, picked, data);
            }
            let bytes = writer.bytes(picked.hull())?;
            let stride = picked.step.unsigned_abs();
            match picked.step {
                1 => bytes.copy_from_slice(data),
                2.. => bytes.iter_mut().step_by(stride).zip(data).for_each(|(byte, &new)| *byte = new),
                _ => bytes.iter_mut().rev().step_by(stride).zip(data).for_each(|(byte, &new)| *byte = new),
            }
            Ok(())
        })
    }

    /// The index of the first `needle` at or after the position. The position stays the same. (Python's `find(sub)`)
    ///
    /// # Errors
    /// [`Error::Closed`], and those of loading.
    pub fn find(&self, needle: impl AsRef<[u8]>) -> Result<Option<usize>> {
        self.search(needle.as_ref(), true, |len| (self.position, len))
    }

    /// The index of the last `needle` at or after the position. The position stays the same. (Python's `rfind(sub)`)
    ///
    /// # Errors
    /// [`Error::Closed`], and those of loading.
    pub fn rfind(&self, needle: impl AsRef<[u8]>) -> Result<Option<usize>> {
        self.search(needle.as_ref(), false, |len| (self.position, len))
    }

    /// The index of the first `needle` that lies wholly in a range. The index counts from the mapping's start.
    /// (Python's `find(sub, start, end)`)
    ///
    /// The bounds of the range are `usize`, so that a result can be the next start, or `isize` in slice notation: a
    /// negative bound counts from the end, and an inclusive end of -1 means the end. See [`SearchRange`].
    ///
    /// ```
    /// # fn main() -> portable_mmap::Result<()> {
    /// let mut map = portable_mmap::Mmap::anonymous(8)?;
    /// map[..].copy_from_slice(b"abcabcab");
    /// assert_eq!(map.find_in("ab", 1..)?, Some(3));
    /// assert_eq!(map.rfind_in("ab", ..-1)?, Some(3));
    /// assert_eq!(map.find_in("ca", -3..)?, Some(5));
    ///
    /// let (mut found, mut start) = (0, 0);
    /// while let Some(index) = map.find_in("ab", start..)? {
    ///     found += 1;
    ///     start = index + 1;
    /// }
    /// assert_eq!(found, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Closed`], and those of loading.
    #[expect(clippy::needless_pass_by_value, reason = "ranges are passed by value")]
    pub fn find_in(&self, needle: impl AsRef<[u8]>, range: impl SearchRange) -> Result<Option<usize>> {
        self.search(needle.as_ref(), true, |len| range.bounds(len))
    }

    /// The index of the last `needle` that lies wholly in a range; see [`find_in`](Self::find_in).
    ///
    /// # Errors
    /// [`Error::Closed`], and those of loading.
    #[expect(clippy::needless_pass_by_value, reason = "ranges are passed by value")]
    pub fn rfind_in(&self, needle: impl AsRef<[u8]>, range: impl SearchRange) -> Result<Option<usize>> {
        self.search(needle.as_ref(), false, |len| range.bounds(len))
    }

    /// Searches within the bounds that `bounds` returns for the mapping's length.
    fn search(
        &self,
        needle: &[u8],
        first: bool,
        bounds: impl FnOnce(usize) -> (usize, usize),
    ) -> Result<Option<usize>> {
        self.door.read(|reader| {
            let (start, end) = bounds(self.len());
            if start > end {
                return Ok(None);
            }
            match (needle, first) {
                ([], true) => Ok(Some(start)),
                ([], false) => Ok(Some(end)),
                (_, true) => {
                    // Ready bytes need no loading, so they are one piece. In a sandbox this saves up to a tenth of the time.
                    let step = if self.door.is_ready_up_to(end) { usize::MAX } else { search::FIRST_STEP };
                    search::find(start..end, needle, step, |piece| reader.bytes(piece))
                }
                (_, false) => search::rfind(start..end, needle, |piece| reader.bytes(piece)),
            }
        })
    }

    /// Copies `count` bytes from `src` to `dest`. The ranges may overlap. (Python's `move`)
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::OutOfRange`] if a part of a range lies outside of the mapping; [`Error::Closed`],
    /// [`Error::NoMemory`], and those of loading. Nothing is moved then.
    pub fn move_within(&mut self, dest: usize, src: usize, count: usize) -> Result<()> {
        let len = self.len();
        self.door.write(|mut writer| {
            let from = span::checked_range(Asked::MoveFrom, src, count, len)?;
            let to = span::checked_range(Asked::MoveTo, dest, count, len)?;
            if count == 0 || from == to { Ok(()) } else { writer.copy_within(from, to.start) }
        })
    }
}

/// Resolves an index in `len` bytes. A negative one counts from the end.
fn resolve_index(index: isize, len: usize) -> Result<usize> {
    let at = if index < 0 { len.checked_sub(index.unsigned_abs()) } else { Some(index.unsigned_abs()) };
    at.filter(|&at| at < len).ok_or(Error::IndexOutOfRange { index, len })
}

/// Appends every byte that a step picks to `out`. `bytes` starts and ends with a picked byte.
fn pick_from(bytes: &[u8], step: isize, out: &mut Vec<u8>) {
    let stride = step.unsigned_abs();
    // Splits the bytes into pieces as long as the stride. Their number is known, so the vector is filled without a
    // check of its capacity for each byte.
    if step == 1 {
        out.extend_from_slice(bytes);
    } else if step > 0 {
        let pieces = bytes.chunks_exact(stride);
        let last = pieces.remainder().first();
        out.extend(pieces.map(|piece| piece[0]));
        out.extend(last);
    } else if stride == 1 {
        out.extend(bytes.iter().rev());
    } else {
        let pieces = bytes.rchunks_exact(stride);
        let last = pieces.remainder().last();
        out.extend(pieces.map(|piece| piece[piece.len() - 1]));
        out.extend(last);
    }
}

/// Sets bytes that lie further apart than a page. Loads all pages first, so that an error occurs before a byte is set.
fn set_sparse<B: Backend>(writer: &mut Writer<'_, B>, picked: Picked, data: &[u8]) -> Result<()> {
    for at in picked.indices() {
        writer.bytes(at..at + 1)?;
    }
    for (at, &new) in picked.indices().zip(data) {
        writer.bytes(at..at + 1)?[0] = new;
    }
    Ok(())
}
