//! Iteration over the lines of a mapping.

use std::iter::FusedIterator;

use crate::backend::Backend;
use crate::newlines::{BLOCK, newlines};
use crate::{Mapping, Result};

/// An iterator over the lines of a mapping: see [`Mapping::lines_with_terminator`].
#[derive(Debug)]
pub struct Lines<'m, B: Backend> {
    mapping: &'m Mapping<B>,
    /// The bytes that are borrowed now: lines that were returned, and lines after them.
    bytes: &'m [u8],
    /// The index of the first of them in the mapping.
    base: usize,
    /// Where in `bytes` the next line starts.
    start: usize,
    /// Where in `bytes` the block starts that was searched last.
    block: usize,
    /// The newlines that are left in that block: a bit for each byte.
    newlines: u64,
    /// How many of `bytes` were searched.
    searched: usize,
    has_failed: bool,
}

impl<'m, B: Backend> Lines<'m, B> {
    pub(super) fn new(mapping: &'m Mapping<B>) -> Self {
        let base = mapping.position.min(mapping.len());
        Self { mapping, bytes: &[], base, start: 0, block: 0, newlines: 0, searched: 0, has_failed: false }
    }

    /// Searches whole blocks up to the next newline, and returns the line that it ends.
    #[inline]
    fn next_of_blocks(&mut self) -> Option<&'m [u8]> {
        while self.newlines == 0 {
            let block = self.bytes.get(self.searched..)?.first_chunk::<BLOCK>()?;
            (self.block, self.newlines) = (self.searched, newlines(block));
            self.searched += BLOCK;
        }
        let end = self.block + self.newlines.trailing_zeros() as usize + 1;
        self.newlines &= self.newlines - 1;
        Some(self.up_to(end))
    }

    /// The next line, which ends before `end`.
    #[inline]
    fn up_to(&mut self, end: usize) -> &'m [u8] {
        let line = &self.bytes[self.start..end];
        self.start = end;
        line
    }

    /// [`next`](Iterator::next) when all whole blocks were searched.
    #[inline(never)]
    fn next_of_rest(&mut self) -> Option<Result<&'m [u8]>> {
        if self.has_failed {
            return None;
        }
        if let Some(index) = memchr::memchr(b'\n', &self.bytes[self.searched..]) {
            self.searched += index + 1;
            return Some(Ok(self.up_to(self.searched)));
        }
        match self.next_of_pages() {
            Ok([]) => None,
            Ok(line) => Some(Ok(line)),
            Err(error) => {
                self.has_failed = true;
                Some(Err(error))
            }
        }
    }

    /// The next line, which does not end in the bytes that are borrowed. It is empty at the end of the mapping.
    fn next_of_pages(&mut self) -> Result<&'m [u8]> {
        let (mapping, start) = (self.mapping, self.base + self.start);
        let end = mapping.line_end(self.base + self.bytes.len())?;
        // Borrows the lines after it too, if that loads nothing more: up to the end of the mapping, or of the page in
        // which this line ends.
        let len = mapping.len();
        self.bytes = match mapping.door.ready_bytes(start..len) {
            Some(bytes) => bytes,
            None => mapping.door.bytes(start..end.next_multiple_of(B::page_size()).min(len))?,
        };
        (self.base, self.start, self.searched, self.newlines) = (start, 0, end - start, 0);
        Ok(self.up_to(end - start))
    }
}

impl<'m, B: Backend> Iterator for Lines<'m, B> {
    type Item = Result<&'m [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Result<&'m [u8]>> {
        match self.next_of_blocks() {
            Some(line) => Some(Ok(line)),
            None => self.next_of_rest(),
        }
    }
}

impl<B: Backend> FusedIterator for Lines<'_, B> {}

impl<B: Backend> Clone for Lines<'_, B> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}
