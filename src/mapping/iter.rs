//! Iteration over the bytes of a mapping.

use std::iter::FusedIterator;
use std::ops::Range;
use std::slice;

use crate::Mapping;
use crate::backend::Backend;

/// How many bytes an iterator borrows at a time if they have to be loaded first.
const STEP: usize = 64 << 10;

/// An iterator over the bytes of a mapping, from both ends: see [`Mapping::iter`].
///
/// `nth`, `nth_back`, `count` and `last` skip bytes without loading them. To return a byte, a buffer loads a piece of up
/// to 64 KiB that contains it.
#[derive(Debug)]
pub struct Iter<'m, B: Backend> {
    mapping: &'m Mapping<B>,
    /// The rest of the bytes that were borrowed at the front.
    front: slice::Iter<'m, u8>,
    /// The indices of the bytes that were not borrowed yet.
    middle: Range<usize>,
    /// The rest of the bytes that were borrowed at the back.
    back: slice::Iter<'m, u8>,
}

impl<'m, B: Backend> Iter<'m, B> {
    pub(crate) fn new(mapping: &'m Mapping<B>) -> Self {
        Self { mapping, front: [].iter(), middle: 0..mapping.len(), back: [].iter() }
    }

    /// Borrows a range. The caller removes it from the middle.
    fn borrow(&self, range: Range<usize>) -> slice::Iter<'m, u8> {
        self.mapping.door.look(range).iter()
    }

    /// Whether the whole middle can be borrowed without loading bytes.
    fn is_ready(&self) -> bool {
        self.mapping.door.ready_bytes(self.middle.clone()).is_some()
    }

    /// The end of the next piece at the front: a multiple of the step, or the end of the middle.
    fn next_end(&self) -> usize {
        let Range { start, end } = self.middle;
        if self.is_ready() { end } else { (start / STEP + 1).saturating_mul(STEP).min(end) }
    }

    /// Calls `step` with a copy of the iterator, and then assigns the copy. In a loop an iterator whose own address is
    /// never taken stays in registers.
    #[inline]
    fn step_on_copy(&mut self, step: fn(&mut Self) -> Option<&'m u8>) -> Option<&'m u8> {
        let mut copy = self.clone();
        let byte = step(&mut copy);
        *self = copy;
        byte
    }

    /// [`next`](Iterator::next) when the front is used up.
    #[inline(never)]
    fn next_of_rest(&mut self) -> Option<&'m u8> {
        if self.middle.is_empty() {
            return self.back.next();
        }
        let end = self.next_end();
        self.front = self.borrow(self.middle.start..end);
        self.middle.start = end;
        self.front.next()
    }

    /// [`next_back`](DoubleEndedIterator::next_back) when the back is used up.
    #[inline(never)]
    fn next_back_of_rest(&mut self) -> Option<&'m u8> {
        if self.middle.is_empty() {
            return self.front.next_back();
        }
        let Range { start, end } = self.middle;
        let start = if self.is_ready() { start } else { ((end - 1) / STEP * STEP).max(start) };
        self.back = self.borrow(start..self.middle.end);
        self.middle.end = start;
        self.back.next_back()
    }
}

impl<'m, B: Backend> Iterator for Iter<'m, B> {
    type Item = &'m u8;

    #[inline]
    fn next(&mut self) -> Option<&'m u8> {
        match self.front.next() {
            None => self.step_on_copy(Self::next_of_rest),
            byte => byte,
        }
    }

    fn nth(&mut self, n: usize) -> Option<&'m u8> {
        if n < self.front.len() {
            return self.front.nth(n);
        }
        let n = n - self.front.len();
        self.front = [].iter();
        if n < self.middle.len() {
            self.middle.start += n;
            return self.next_of_rest();
        }
        let n = n - self.middle.len();
        self.middle.start = self.middle.end;
        self.back.nth(n)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.front.len() + self.middle.len() + self.back.len();
        (left, Some(left))
    }

    fn count(self) -> usize {
        self.len()
    }

    fn last(mut self) -> Option<&'m u8> {
        self.next_back()
    }

    fn fold<A, F: FnMut(A, &'m u8) -> A>(mut self, start: A, mut f: F) -> A {
        let mut sum = self.front.clone().fold(start, &mut f);
        while !self.middle.is_empty() {
            let end = self.next_end();
            sum = self.borrow(self.middle.start..end).fold(sum, &mut f);
            self.middle.start = end;
        }
        self.back.fold(sum, f)
    }
}

impl<'m, B: Backend> DoubleEndedIterator for Iter<'m, B> {
    #[inline]
    fn next_back(&mut self) -> Option<&'m u8> {
        match self.back.next_back() {
            None => self.step_on_copy(Self::next_back_of_rest),
            byte => byte,
        }
    }

    fn nth_back(&mut self, n: usize) -> Option<&'m u8> {
        if n < self.back.len() {
            return self.back.nth_back(n);
        }
        let n = n - self.back.len();
        self.back = [].iter();
        if n < self.middle.len() {
            self.middle.end -= n;
            return self.next_back_of_rest();
        }
        let n = n - self.middle.len();
        self.middle.end = self.middle.start;
        self.front.nth_back(n)
    }
}

impl<B: Backend> ExactSizeIterator for Iter<'_, B> {}

impl<B: Backend> FusedIterator for Iter<'_, B> {}

impl<B: Backend> Clone for Iter<'_, B> {
    fn clone(&self) -> Self {
        Self { middle: self.middle.clone(), front: self.front.clone(), back: self.back.clone(), ..*self }
    }
}

impl<'m, B: Backend> IntoIterator for &'m Mapping<B> {
    type Item = &'m u8;
    type IntoIter = Iter<'m, B>;

    fn into_iter(self) -> Iter<'m, B> {
        self.iter()
    }
}

impl<'m, B: Backend> IntoIterator for &'m mut Mapping<B> {
    type Item = &'m mut u8;
    type IntoIter = slice::IterMut<'m, u8>;

    fn into_iter(self) -> slice::IterMut<'m, u8> {
        self.iter_mut()
    }
}
