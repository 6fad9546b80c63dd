//! Sets of pages: one that many threads read while one adds, and one that belongs to its owner.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::{Error, Result};

const BITS: usize = u64::BITS as usize;

/// The bits of `range` that lie in word `word`.
#[inline]
fn mask(word: usize, range: &Range<usize>) -> u64 {
    let first = range.start.max(word * BITS) - word * BITS;
    let end = range.end.min((word + 1) * BITS) - word * BITS;
    if first >= end { 0 } else { (u64::MAX << first) & (u64::MAX >> (BITS - end)) }
}

/// The words that hold the bits of `range`.
#[inline]
fn words(range: &Range<usize>) -> Range<usize> {
    range.start / BITS..range.end.div_ceil(BITS)
}

/// A vector of `len` values of `T::default()`, or an error.
pub(super) fn try_vec<T: Default>(len: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len).map_err(|_| Error::NoMemory { len: (len * size_of::<T>()) as u64 })?;
    vec.resize_with(len, T::default);
    Ok(vec)
}

/// The pages whose bytes are initialised: a bit a page, and one number for all.
///
/// Bits are set with Release after the bytes were written, and read with Acquire before a slice over them is made: so
/// whoever sees a bit sees the bytes. Bits are cleared through `&mut self` only, when no slice is alive.
#[derive(Debug)]
pub(super) struct LoadedPages {
    words: Vec<AtomicU64>,
    pages: usize,
    count: AtomicUsize,
    /// The mapping's length in bytes, which is never 0.
    len: usize,
    /// So many bytes are there to be read: that length once every page is in the set, else 0. One comparison tells an
    /// index that it is within the mapping and loaded.
    ready: AtomicUsize,
}

impl LoadedPages {
    /// None of `pages` pages, of a mapping of `len` bytes.
    pub(super) fn none(pages: usize, len: usize) -> Result<Self> {
        let words = try_vec(pages.div_ceil(BITS))?;
        Ok(Self { words, pages, count: AtomicUsize::new(0), len, ready: AtomicUsize::new(0) })
    }

    /// How many bytes from the start may be read as they are, without another question: all, or none.
    #[inline]
    pub(super) fn ready(&self) -> usize {
        self.ready.load(Ordering::Acquire)
    }

    /// Whether every page that there is is in the set.
    #[inline]
    pub(super) fn are_all(&self) -> bool {
        self.ready() != 0
    }

    /// Whether a page is in the set.
    #[inline]
    pub(super) fn contains(&self, page: usize) -> bool {
        self.are_all()
            || self.words.get(page / BITS).is_some_and(|word| (word.load(Ordering::Acquire) >> (page % BITS)) & 1 == 1)
    }

    /// Whether every page of the range is in the set.
    #[inline]
    pub(super) fn contains_all(&self, range: &Range<usize>) -> bool {
        words(range).all(|word| {
            let mask = mask(word, range);
            self.words[word].load(Ordering::Acquire) & mask == mask
        })
    }

    /// The first run of pages within `range` that are not in the set; empty at the end if there is none.
    pub(super) fn first_absent(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.find(range, false);
        let end = self.find(&(start..range.end), true);
        start..end
    }

    /// The first page of `range` that is in the set, or is not, as asked; the end of the range if there is none.
    fn find(&self, range: &Range<usize>, present: bool) -> usize {
        for word in words(range) {
            let bits = self.words[word].load(Ordering::Acquire);
            let hits = (if present { bits } else { !bits }) & mask(word, range);
            if hits != 0 {
                return word * BITS + hits.trailing_zeros() as usize;
            }
        }
        range.end
    }

    /// The first run of pages within `range` that are in the set; empty at the end if there is none.
    pub(super) fn first_present(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.find(range, true);
        let end = self.find(&(start..range.end), false);
        start..end
    }

    /// Adds the pages of a range, none of which is in the set, and whose bytes were written before. One thread at a time
    /// adds: the caller holds the lock.
    pub(super) fn insert(&self, range: &Range<usize>) {
        for word in words(range) {
            self.words[word].fetch_or(mask(word, range), Ordering::Release);
        }
        let before = self.count.fetch_add(range.len(), Ordering::Relaxed);
        if before + range.len() == self.pages {
            self.ready.store(self.len, Ordering::Release);
        }
    }

    /// Takes the pages of a range out: nobody may be using their bytes.
    pub(super) fn remove(&mut self, range: &Range<usize>) {
        for word in words(range) {
            let bits = self.words[word].get_mut();
            let removed = *bits & mask(word, range);
            *bits &= !removed;
            *self.count.get_mut() -= removed.count_ones() as usize;
        }
        *self.ready.get_mut() = 0;
    }
}

/// A set of pages with one owner. It takes no memory until the first page comes in.
#[derive(Debug, Default)]
pub(super) struct PageSet {
    words: Vec<u64>,
}

impl PageSet {
    /// Adds the pages of a range out of `pages` pages.
    pub(super) fn insert(&mut self, range: &Range<usize>, pages: usize) -> Result<()> {
        if self.words.is_empty() {
            self.words = try_vec(pages.div_ceil(BITS))?;
        }
        for word in words(range) {
            self.words[word] |= mask(word, range);
        }
        Ok(())
    }

    /// Whether a page is in the set.
    pub(super) fn contains(&self, page: usize) -> bool {
        self.words.get(page / BITS).is_some_and(|word| (word >> (page % BITS)) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_hold_exactly_their_bits() {
        assert_eq!(mask(0, &(0..64)), u64::MAX);
        assert_eq!(mask(0, &(3..5)), 0b11000);
        assert_eq!(mask(1, &(3..66)), 0b11);
        assert_eq!(mask(0, &(63..200)), 1 << 63);
        assert_eq!(mask(2, &(63..128)), 0);
    }

    #[test]
    fn absent_runs_are_found_across_words() {
        let mut loaded = LoadedPages::none(200, 200 * 4096 - 1).unwrap();
        assert_eq!(loaded.first_absent(&(0..200)), 0..200);
        loaded.insert(&(0..70));
        loaded.insert(&(130..140));
        assert_eq!(loaded.first_absent(&(0..200)), 70..130);
        assert_eq!(loaded.first_absent(&(60..100)), 70..100);
        assert_eq!(loaded.first_absent(&(130..140)), 140..140);
        assert_eq!(loaded.first_present(&(65..200)), 65..70);
        assert_eq!(loaded.first_present(&(70..200)), 130..140);
        assert_eq!(loaded.first_present(&(140..200)), 200..200);
        assert!(loaded.contains(69) && !loaded.contains(70) && loaded.contains(130) && !loaded.contains(200));
        assert!(loaded.contains_all(&(0..70)) && !loaded.contains_all(&(0..71)));
        loaded.insert(&(70..130));
        assert_eq!(loaded.ready(), 0);
        loaded.insert(&(140..200));
        assert_eq!(loaded.ready(), 200 * 4096 - 1);
        loaded.remove(&(5..6));
        assert!(!loaded.contains_all(&(0..200)) && loaded.contains_all(&(6..200)));
        assert_eq!(loaded.first_absent(&(0..200)), 5..6);
    }

    #[test]
    fn a_set_takes_memory_with_its_first_page() {
        let mut set = PageSet::default();
        assert!(!set.contains(3) && set.words.is_empty());
        set.insert(&(60..70), 128).unwrap();
        assert!(!set.contains(59) && set.contains(60) && set.contains(69) && !set.contains(70));
    }
}
