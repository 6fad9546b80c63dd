//! The lines of a mapping one after the other.

use std::iter::FusedIterator;

use crate::backend::Backend;
use crate::newlines::{BLOCK, newlines};
use crate::{Mapping, Result};

/// The lines of a mapping one after the other: see [`Mapping::lines_with_terminator`].
#[derive(Debug)]
pub struct Lines<'m, B: Backend> {
    mapping: &'m Mapping<B>,
    /// The bytes that are borrowed at the moment: those of the next line come first, or lines that were returned before it.
    bytes: &'m [u8],
    /// The index of the first of them in the mapping.
    base: usize,
    /// Where in `bytes` the next line starts.
    start: usize,
    /// Where in `bytes` the last block starts that was searched, and which of its newlines are left.
    block: usize,
    newlines: u64,
    /// How many of `bytes` were searched.
    searched: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was borrowed yet.
    New,
    Running,
    /// The last line, or an error, was returned.
    Done,
}

impl<'m, B: Backend> Lines<'m, B> {
    pub(super) fn new(mapping: &'m Mapping<B>) -> Self {
        let base = mapping.position.min(mapping.len());
        Self { mapping, bytes: &[], base, start: 0, block: 0, newlines: 0, searched: 0, state: State::New }
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

    /// [`next`](Iterator::next), where all whole blocks are searched.
    #[inline(never)]
    fn next_of_rest(&mut self) -> Option<Result<&'m [u8]>> {
        loop {
            if let Some(index) = memchr::memchr(b'\n', &self.bytes[self.searched..]) {
                self.searched += index + 1;
                return Some(Ok(self.up_to(self.searched)));
            }
            self.searched = self.bytes.len();
            let is_at_end = self.base + self.searched == self.mapping.len();
            if self.state == State::Done || (self.state == State::Running && is_at_end) {
                self.state = State::Done;
                let line = self.up_to(self.searched);
                return (!line.is_empty()).then_some(Ok(line));
            }
            if let Err(error) = self.borrow_more() {
                self.state = State::Done;
                self.start = self.searched;
                return Some(Err(error));
            }
            if let Some(line) = self.next_of_blocks() {
                return Some(Ok(line));
            }
        }
    }

    /// Borrows what has been searched of the next line, and more: all that is ready, or the next page.
    fn borrow_more(&mut self) -> Result<()> {
        let (start, searched) = (self.base + self.start, self.base + self.searched);
        let (end, page) = (self.mapping.len(), B::page_size());
        self.bytes = match self.mapping.door.ready_bytes(start..end) {
            Some(bytes) if end > 0 => bytes,
            // No page behind the line is looked at: it may be gone.
            _ => self.mapping.door.bytes(start..(searched / page + 1).saturating_mul(page).min(end))?,
        };
        (self.base, self.start, self.searched, self.newlines) = (start, 0, searched - start, 0);
        self.state = State::Running;
        Ok(())
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
