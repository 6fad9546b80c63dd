//! The slice face: bytes by index and by Python's slice notation, searching, moving. (Python: "behaves like a bytearray")

use std::ops::{Bound, Range, RangeBounds};

use crate::backend::Backend;
use crate::index::Iter;
use crate::notation::{Picked, Slice};
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
        let range = span::resolve_range(&range, self.backend()?.len())?;
        self.load(range)
    }

    /// The byte at an index, or none.
    ///
    /// # Errors
    /// [`Error::Closed`], and those of loading.
    pub fn get(&self, index: usize) -> Result<Option<u8>> {
        if index >= self.backend()?.len() {
            return Ok(None);
        }
        let byte = self.load(index..index + 1)?[0];
        self.settled(Some(byte))
    }

    /// The first byte.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub fn first(&self) -> Result<Option<u8>> {
        self.get(0)
    }

    /// The last byte.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub fn last(&self) -> Result<Option<u8>> {
        self.get(self.len().saturating_sub(1))
    }

    /// Whether the bytes start with `needle`.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub fn starts_with(&self, needle: impl AsRef<[u8]>) -> Result<bool> {
        let needle = needle.as_ref();
        if needle.len() > self.backend()?.len() {
            return Ok(false);
        }
        let equal = self.load(0..needle.len())? == needle;
        self.settled(equal)
    }

    /// Whether the bytes end with `needle`.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub fn ends_with(&self, needle: impl AsRef<[u8]>) -> Result<bool> {
        let (needle, len) = (needle.as_ref(), self.backend()?.len());
        if needle.len() > len {
            return Ok(false);
        }
        let equal = self.load(len - needle.len()..len)? == needle;
        self.settled(equal)
    }

    /// Whether one of the bytes is `byte`.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub fn contains(&self, byte: &u8) -> Result<bool> {
        Ok(self.find_in([*byte], ..)?.is_some())
    }

    /// The bytes one after the other. A buffer loads them as they come, and a failure is a panic.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, B> {
        Iter::new(self)
    }

    /// All bytes, to be changed. A buffer loads and copies them all.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Closed`], [`Error::NoMemory`], and those of loading.
    pub fn as_mut_slice(&mut self) -> Result<&mut [u8]> {
        self.range_mut(..)
    }

    /// The bytes of a range, to be changed.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], which is reported before [`Error::OutOfRange`]; [`Error::Closed`], [`Error::NoMemory`], and
    /// those of loading.
    pub fn range_mut(&mut self, range: impl RangeBounds<usize>) -> Result<&mut [u8]> {
        self.check_writable()?;
        let range = span::resolve_range(&range, self.len())?;
        self.load_mut(range)
    }

    /// The byte at an index; a negative one counts from the end. (Python's `m[i]`)
    ///
    /// # Errors
    /// [`Error::IndexOutOfRange`], [`Error::Closed`], and those of loading.
    pub fn get_item(&self, index: isize) -> Result<u8> {
        let at = self.resolve_index(index)?;
        let byte = self.load(at..at + 1)?[0];
        self.settled(byte)
    }

    /// Sets the byte at an index; a negative one counts from the end. (Python's `m[i] = byte`)
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::IndexOutOfRange`], [`Error::Closed`], and those of loading.
    pub fn set_item(&mut self, index: isize, byte: u8) -> Result<()> {
        self.check_writable()?;
        let at = self.resolve_index(index)?;
        self.load_mut(at..at + 1)?[0] = byte;
        self.settled(())
    }

    fn resolve_index(&self, index: isize) -> Result<usize> {
        let len = self.backend()?.len();
        let at = if index < 0 { len.checked_sub(index.unsigned_abs()) } else { Some(index.unsigned_abs()) };
        at.filter(|&at| at < len).ok_or(Error::IndexOutOfRange { index, len })
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
        let picked = slice.into().pick(self.backend()?.len())?;
        let mut out = Vec::new();
        out.try_reserve_exact(picked.count).map_err(|_| Error::NoMemory { len: picked.count as u64 })?;
        if picked.step == 1 {
            out.extend_from_slice(self.load(picked.hull())?);
        } else if picked.is_sparse(B::page_size()) {
            for at in picked.indices() {
                out.push(self.load(at..at + 1)?[0]);
            }
        } else {
            let hull = picked.hull();
            let bytes = self.load(hull.clone())?;
            let stride = picked.step.unsigned_abs();
            // By pieces as long as the stride: of these it is known how many there are, and the vector is filled without a
            // look at its capacity. The hull begins and ends with a byte that is picked.
            if picked.step > 0 {
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
        self.settled(out)
    }

    /// Assigns as many bytes as the slice has, in Python's notation.
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::OutOfRange`] for a step of 0; [`Error::SizeMismatch`]; [`Error::Closed`],
    /// [`Error::NoMemory`], and those of loading. Nothing is written.
    pub fn set_slice(&mut self, slice: impl Into<Slice>, data: &[u8]) -> Result<()> {
        self.check_writable()?;
        let picked = slice.into().pick(self.len())?;
        if picked.count != data.len() {
            return Err(Error::SizeMismatch { expected: picked.count, given: data.len() });
        }
        if picked.is_sparse(B::page_size()) {
            self.set_sparse(&picked, data)?;
        } else {
            let bytes = self.load_mut(picked.hull())?;
            let stride = picked.step.unsigned_abs();
            match picked.step {
                1 => bytes.copy_from_slice(data),
                2.. => bytes.iter_mut().step_by(stride).zip(data).for_each(|(byte, &new)| *byte = new),
                _ => bytes.iter_mut().rev().step_by(stride).zip(data).for_each(|(byte, &new)| *byte = new),
            }
        }
        self.settled(())
    }

    /// Sets bytes that lie further apart than pages. Whatever can fail fails before the first is set.
    fn set_sparse(&mut self, picked: &Picked, data: &[u8]) -> Result<()> {
        for at in picked.indices() {
            self.load_mut(at..at + 1)?;
        }
        for (at, &new) in picked.indices().zip(data) {
            self.load_mut(at..at + 1)?[0] = new;
        }
        Ok(())
    }

    /// The index of the first `needle` at or behind the position, which stays. (Python's `find(sub)`)
    ///
    /// # Errors
    /// [`Error::Closed`], and those of loading.
    pub fn find(&self, needle: impl AsRef<[u8]>) -> Result<Option<usize>> {
        let len = self.backend()?.len();
        self.search(needle.as_ref(), self.position, len, true)
    }

    /// The index of the last `needle` at or behind the position, which stays. (Python's `rfind(sub)`)
    ///
    /// # Errors
    /// [`Error::Closed`], and those of loading.
    pub fn rfind(&self, needle: impl AsRef<[u8]>) -> Result<Option<usize>> {
        let len = self.backend()?.len();
        self.search(needle.as_ref(), self.position, len, false)
    }

    /// The index of the first `needle` that lies wholly in a range in slice notation: a negative bound counts from the
    /// end, and an inclusive end of -1 means the end. The index counts from the mapping's start. (Python's
    /// `find(sub, start, end)`)
    ///
    /// ```
    /// # fn main() -> portable_mmap::Result<()> {
    /// let mut map = portable_mmap::Mmap::anonymous(8)?;
    /// map[..].copy_from_slice(b"abcabcab");
    /// assert_eq!(map.find_in("ab", 1..)?, Some(3));
    /// assert_eq!(map.rfind_in("ab", ..-1)?, Some(3));
    /// assert_eq!(map.find_in("ca", -3..)?, Some(5));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Closed`], and those of loading.
    pub fn find_in(&self, needle: impl AsRef<[u8]>, range: impl RangeBounds<isize>) -> Result<Option<usize>> {
        let (start, end) = self.search_range(&range)?;
        self.search(needle.as_ref(), start, end, true)
    }

    /// The index of the last `needle` that lies wholly in a range; see [`find_in`](Self::find_in).
    ///
    /// # Errors
    /// [`Error::Closed`], and those of loading.
    pub fn rfind_in(&self, needle: impl AsRef<[u8]>, range: impl RangeBounds<isize>) -> Result<Option<usize>> {
        let (start, end) = self.search_range(&range)?;
        self.search(needle.as_ref(), start, end, false)
    }

    /// The bounds of a search. The start may lie past the end: there even an empty needle is not found.
    fn search_range(&self, range: &impl RangeBounds<isize>) -> Result<(usize, usize)> {
        let len = self.backend()?.len();
        let Slice { start, stop, .. } = Slice::of(range);
        let start = match start {
            // Behind the last byte, which the next higher number does not say.
            _ if range.start_bound() == Bound::Excluded(&-1) => len,
            None => 0,
            Some(start) if start < 0 => len.saturating_sub(start.unsigned_abs()),
            Some(start) => start.unsigned_abs(),
        };
        let end = match stop {
            None => len,
            Some(end) if end < 0 => len.saturating_sub(end.unsigned_abs()),
            Some(end) => end.unsigned_abs().min(len),
        };
        Ok((start, end))
    }

    fn search(&self, needle: &[u8], start: usize, end: usize, first: bool) -> Result<Option<usize>> {
        if start > end {
            return Ok(None);
        }
        let piece = |range: Range<usize>| self.load(range);
        let found = match (needle, first) {
            ([], true) => Some(start),
            ([], false) => Some(end),
            (_, true) => search::find(start..end, needle, piece)?,
            (_, false) => search::rfind(start..end, needle, piece)?,
        };
        if let (Some(backend), true) = (self.backend_if_open(), (1..=end - start).contains(&needle.len())) {
            // An answer stands for every byte that it tells of, and a search may have passed over some without a look.
            backend.touch(&match found {
                Some(at) if first => start..at + needle.len(),
                Some(at) => at..end,
                None => start..end,
            });
        }
        self.settled(found)
    }

    /// Copies `count` bytes from `src` to `dest`, which may overlap. (Python's `move`)
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::OutOfRange`] if any part lies outside; [`Error::Closed`], [`Error::NoMemory`], and
    /// those of loading. Nothing is moved.
    pub fn move_within(&mut self, dest: usize, src: usize, count: usize) -> Result<()> {
        self.check_writable()?;
        let len = self.len();
        let from = span::checked_range("the bytes to move", src, count, len)?;
        let to = span::checked_range("the place to move bytes to", dest, count, len)?;
        if count == 0 || from == to {
            return Ok(());
        }
        self.copy_within(from, to.start)?;
        self.settled(())
    }
}
