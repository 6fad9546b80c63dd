//! Sets of pages, with a bit for each page. Several threads may read a set and add pages to it at the same time.

use std::ops::Range;

mod words;

use words::Words;

use crate::region::heap::PAGE;
use crate::sync::atomic::{AtomicUsize, Ordering};
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

/// The first page of `range` whose bit is set in the words that `bits` returns, or the end of the range if no bit is
/// set.
fn find(range: &Range<usize>, bits: impl Fn(usize) -> u64) -> usize {
    for word in words(range) {
        let hits = bits(word) & mask(word, range);
        if hits != 0 {
            return word * BITS + hits.trailing_zeros() as usize;
        }
    }
    range.end
}

/// The first run of pages within `range` whose bits are set. If no bit is set, the run is empty, at the end of the
/// range.
fn first_run(range: &Range<usize>, bits: impl Fn(usize) -> u64) -> Range<usize> {
    let start = find(range, &bits);
    start..find(&(start..range.end), |word| !bits(word))
}

/// All runs of pages within `range` whose bits are set, in order.
fn all_runs(range: Range<usize>, bits: impl Fn(usize) -> u64) -> impl Iterator<Item = Range<usize>> {
    let mut rest = range;
    std::iter::from_fn(move || {
        let run = first_run(&rest, &bits);
        rest.start = run.end;
        (!run.is_empty()).then_some(run)
    })
}

/// A vector of `len` values of `T::default()`, or an error.
pub(crate) fn try_vec<T: Default>(len: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len).map_err(|_| Error::no_memory((len * size_of::<T>()) as u64))?;
    vec.resize_with(len, T::default);
    Ok(vec)
}

/// A set of pages.
///
/// Pages are added with Release and looked up with Acquire, so a thread that finds a page in the set sees what the
/// thread that added it did before. No function takes a lock, and only [`with_room`](Self::with_room),
/// [`add`](Self::add) and [`resize`](Self::resize) allocate memory. A signal handler may call the others.
#[derive(Debug, Default)]
pub(crate) struct PageSet {
    /// Without words no page is in the set, and [`add`](PageSet::add) allocates them.
    words: Words,
}

impl PageSet {
    /// An empty set with room for `pages` pages, which [`insert`](Self::insert) needs.
    pub(crate) fn with_room(pages: usize) -> Result<Self> {
        Ok(Self { words: Words::zeros(pages.div_ceil(BITS))? })
    }

    #[inline]
    fn word(&self, word: usize) -> u64 {
        self.words.get(word).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Whether a page is in the set.
    #[inline]
    pub(crate) fn contains(&self, page: usize) -> bool {
        (self.word(page / BITS) >> (page % BITS)) & 1 == 1
    }

    /// Whether every page of a range is in the set.
    #[inline]
    pub(crate) fn contains_all(&self, range: &Range<usize>) -> bool {
        words(range).all(|word| {
            let mask = mask(word, range);
            self.word(word) & mask == mask
        })
    }

    /// The first run of pages within `range` that are in the set. If none is, the run is empty, at the end of the
    /// range.
    pub(crate) fn first_present(&self, range: &Range<usize>) -> Range<usize> {
        if self.words.is_empty() { range.end..range.end } else { first_run(range, |word| self.word(word)) }
    }

    /// The first run of pages within `range` that are not in the set. If all are in the set, the run is empty, at the
    /// end of the range.
    pub(crate) fn first_absent(&self, range: &Range<usize>) -> Range<usize> {
        first_run(range, |word| !self.word(word))
    }

    /// The runs of pages within `range` that are in the set, in order.
    pub(crate) fn runs(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
        // Without words the set is empty.
        let range = if self.words.is_empty() { 0..0 } else { range };
        all_runs(range, |word| self.word(word))
    }

    /// The runs of pages within `range` that are not in the set, in order.
    pub(crate) fn gaps(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
        all_runs(range, |word| !self.word(word))
    }

    /// Adds the pages of a range to a set that has room for them. Allocates no memory and takes no lock.
    pub(crate) fn insert(&self, range: &Range<usize>) {
        for word in words(range) {
            self.words[word].fetch_or(mask(word, range), Ordering::Release);
        }
    }

    /// Adds the pages of a range to a set that has room for them, and calls `added` with each run of pages that this
    /// call has added. If two calls run at the same time, only one of them adds a page. Stops if `added` returns false,
    /// and returns false.
    pub(crate) fn claim(&self, range: &Range<usize>, mut added: impl FnMut(Range<usize>) -> bool) -> bool {
        let mut run = range.start..range.start;
        for word in words(range) {
            let asked = mask(word, range);
            let mut new = asked & !self.words[word].fetch_or(asked, Ordering::AcqRel);
            while new != 0 {
                let first = new.trailing_zeros() as usize;
                let count = (new >> first).trailing_ones() as usize;
                let page = word * BITS + first;
                if page != run.end {
                    if !run.is_empty() && !added(run) {
                        return false;
                    }
                    run = page..page;
                }
                run.end = page + count;
                new &= !mask(word, &(page..page + count));
            }
        }
        run.is_empty() || added(run)
    }

    /// Removes the pages of a range, and returns how many of them were in the set.
    pub(crate) fn remove(&self, range: &Range<usize>) -> usize {
        let mut count = 0;
        for word in words(range).start..words(range).end.min(self.words.len()) {
            let mask = mask(word, range);
            count += (self.words[word].fetch_and(!mask, Ordering::AcqRel) & mask).count_ones() as usize;
        }
        count
    }
}

/// Functions for OS mappings.
#[allow(dead_code, reason = "not every target has them")]
impl PageSet {
    /// The last page within `range` that is in the set.
    pub(crate) fn last(&self, range: &Range<usize>) -> Option<usize> {
        let words = words(range);
        (words.start..words.end.min(self.words.len())).rev().find_map(|word| {
            let bits = self.word(word) & mask(word, range);
            (bits != 0).then(|| word * BITS + (BITS - 1) - bits.leading_zeros() as usize)
        })
    }

    /// Extends a range of pages that are all in the set by the pages around it that are also in the set. Goes no
    /// further than the words of 64 bits that hold the first and the last page.
    pub(crate) fn run_around(&self, range: &Range<usize>) -> Range<usize> {
        let (first, last) = (range.start, range.end - 1);
        // The number of pages from the first down, and from the last up.
        let before = (self.word(first / BITS) << (BITS - 1 - first % BITS)).leading_ones() as usize;
        let behind = (self.word(last / BITS) >> (last % BITS)).trailing_ones() as usize;
        first + 1 - before.max(1)..last + behind.max(1)
    }

    /// Adds the pages of a range to a set of a mapping of `pages` pages.
    ///
    /// # Errors
    /// [`Error::NoMemory`] for the first pages that are added.
    #[inline]
    pub(crate) fn add(&mut self, range: &Range<usize>, pages: usize) -> Result<()> {
        if self.words.is_empty() {
            self.words = Words::zeros(pages.div_ceil(BITS))?;
        }
        for word in words(range) {
            // Nobody else adds pages at the same time, so this needs no atomic read-modify-write operation.
            let word_bits = &self.words[word];
            word_bits.store(word_bits.load(Ordering::Relaxed) | mask(word, range), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Makes room for `pages` pages, and removes the pages after them. A set without words stays without words.
    ///
    /// # Errors
    /// [`Error::NoMemory`]; the set is as before.
    pub(crate) fn resize(&mut self, pages: usize) -> Result<()> {
        if self.words.is_empty() {
            return Ok(());
        }
        let before = self.words.len() * BITS;
        self.words.resize(pages.div_ceil(BITS))?;
        // The last word may have bits of pages past the new end.
        self.remove(&(pages.min(before)..before));
        Ok(())
    }
}

/// The pages whose bytes are initialised: a set, and the number of ready bytes at the start.
///
/// A page is added after its bytes were written, and looked up before a slice of them is made. Pages are removed only
/// through `&mut self`, when no slice is alive.
#[derive(Debug)]
pub(crate) struct LoadedPages {
    set: PageSet,
    pages: usize,
    count: AtomicUsize,
    /// How many bytes are ready once every page is in the set: the mapping's length, or 0 if no byte may count as
    /// ready.
    len: usize,
    /// How many bytes at the start are ready: those of pages that are in the set, without a gap. With this number one
    /// comparison shows that an index lies in the mapping and that its byte is loaded. It may be too small while pages
    /// are added.
    ready: AtomicUsize,
}

impl LoadedPages {
    /// An empty set for `pages` pages. `len` bytes are ready once all of them are loaded.
    pub(crate) fn none(pages: usize, len: usize) -> Result<Self> {
        let set = PageSet::with_room(pages)?;
        Ok(Self { set, pages, count: AtomicUsize::new(0), len, ready: AtomicUsize::new(0) })
    }

    /// How many bytes at the start may be read without another check.
    #[inline]
    pub(crate) fn ready(&self) -> usize {
        self.ready.load(Ordering::Acquire)
    }

    /// Whether a page is in the set.
    #[inline]
    pub(crate) fn contains(&self, page: usize) -> bool {
        self.set.contains(page)
    }

    /// The set of loaded pages.
    #[inline]
    pub(crate) fn set(&self) -> &PageSet {
        &self.set
    }

    /// Adds the pages of a range. Their bytes were written before. None of them is in the set, and no other thread adds
    /// them.
    pub(crate) fn insert(&self, range: &Range<usize>) {
        self.set.insert(range);
        // Through the counter, the thread that adds the last pages sees all pages that the others added before.
        let before = self.count.fetch_add(range.len(), Ordering::AcqRel);
        if before + range.len() == self.pages {
            self.ready.store(self.len, Ordering::Release);
        } else {
            self.extend(range);
        }
    }

    /// If all bytes before a range of pages are ready, counts as ready the bytes of the range, and of the loaded pages
    /// directly after it.
    fn extend(&self, range: &Range<usize>) {
        // Pages that another thread adds at the same time may not be seen, and are not counted then. The call that adds
        // the last pages counts them.
        let page = self.ready.load(Ordering::Relaxed) / PAGE;
        if range.contains(&page) {
            let end = self.set.first_absent(&(range.end..self.pages)).start;
            // The set was read with Acquire, so a thread that sees this number sees the bytes of all these pages.
            let end = self.len.min(end * PAGE);
            let _ = self.ready.fetch_update(Ordering::Release, Ordering::Relaxed, |ready| (ready < end).then_some(end));
        }
    }

    /// Removes the pages of a range. Nobody may be using their bytes.
    pub(crate) fn remove(&mut self, range: &Range<usize>) {
        let removed = self.set.remove(range);
        let count = self.count.load(Ordering::Relaxed);
        self.count.store(count - removed, Ordering::Relaxed);
        let before = range.start.saturating_mul(PAGE);
        if removed > 0 && before < self.ready.load(Ordering::Relaxed) {
            self.ready.store(before, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn masks_hold_exactly_their_bits() {
        assert_eq!(mask(0, &(0..64)), u64::MAX);
        assert_eq!(mask(0, &(3..5)), 0b11000);
        assert_eq!(mask(1, &(3..66)), 0b11);
        assert_eq!(mask(0, &(63..200)), 1 << 63);
        assert_eq!(mask(2, &(63..128)), 0);
    }

    /// The runs of consecutive pages within a range that are in the model, or that are not in it.
    fn plain_runs(model: &BTreeSet<usize>, range: Range<usize>, present: bool) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for page in range.filter(|page| model.contains(page) == present) {
            match runs.last_mut() {
                Some(run) if run.end == page => run.end += 1,
                _ => runs.push(page..page + 1),
            }
        }
        runs
    }

    #[test]
    fn a_page_set_behaves_like_a_set_of_numbers() {
        let mut seed = 7_u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for _ in 0..if cfg!(miri) { 1 } else { 100 } {
            let mut pages = 1 + random(300);
            let (mut set, mut model) = (PageSet::default(), BTreeSet::new());
            for _ in 0..if cfg!(miri) { 10 } else { 60 } {
                let start = random(pages + 1);
                let range = start..start + random(pages + 1 - start);
                match random(5) {
                    0 | 1 => {
                        set.add(&range, pages).unwrap();
                        model.extend(range.clone());
                    }
                    2 => {
                        let before = model.len();
                        model.retain(|page| !range.contains(page));
                        assert_eq!(set.remove(&range), before - model.len());
                    }
                    3 if !model.is_empty() => {
                        let mut added = Vec::new();
                        let new = plain_runs(&model, range.clone(), false);
                        set.claim(&range, |run| {
                            added.push(run);
                            true
                        });
                        assert_eq!(added, new);
                        model.extend(range.clone());
                    }
                    _ => {
                        pages = 1 + random(300);
                        set.resize(pages).unwrap();
                        model.retain(|page| *page < pages);
                        continue;
                    }
                }
                assert!((0..pages).all(|page| set.contains(page) == model.contains(&page)));
                assert_eq!(set.last(&range), model.range(range.clone()).last().copied());
                assert_eq!(set.contains_all(&range), range.clone().all(|page| model.contains(&page)));
                if !range.is_empty() && set.contains_all(&range) {
                    let around = set.run_around(&range);
                    assert!(around.start <= range.start && around.end >= range.end, "{around:?} of {range:?}");
                    assert!(around.clone().all(|page| model.contains(&page)), "{around:?} of {range:?}");
                    assert!(around.start % BITS == 0 || !model.contains(&(around.start - 1)));
                    assert!(around.end % BITS == 0 || !model.contains(&around.end));
                }
                let runs: Vec<_> = set.runs(range.clone()).collect();
                assert_eq!(runs, plain_runs(&model, range.clone(), true));
                assert_eq!(set.first_present(&range), runs.first().cloned().unwrap_or(range.end..range.end));
                let gaps: Vec<_> = set.gaps(range.clone()).collect();
                assert_eq!(gaps, plain_runs(&model, range.clone(), false));
                assert_eq!(set.first_absent(&range), gaps.first().cloned().unwrap_or(range.end..range.end));
            }
        }
    }

    #[test]
    fn a_set_of_very_many_pages_behaves_like_any_other() {
        let pages = if cfg!(miri) { 1 << 12 } else { 1 << 20 };
        let mut set = PageSet::with_room(pages).unwrap();
        assert!(set.first_present(&(0..pages)).is_empty());
        set.insert(&(pages - 1..pages));
        assert_eq!(set.runs(0..pages).collect::<Vec<_>>(), std::iter::once(pages - 1..pages).collect::<Vec<_>>());
        set.resize(2 * pages).unwrap();
        assert!(set.contains(pages - 1) && !set.contains(pages));
        set.resize(pages - 1).unwrap();
        set.resize(pages).unwrap();
        assert!(!set.contains(pages - 1), "a page that was removed is not in the set again");
    }

    #[test]
    fn a_set_allocates_memory_for_its_first_page() {
        let mut set = PageSet::default();
        assert!(!set.contains(3) && set.words.is_empty());
        set.resize(500).unwrap();
        assert!(set.words.is_empty());
        set.add(&(60..70), 128).unwrap();
        assert!(!set.contains(59) && set.contains(60) && set.contains(69) && !set.contains(70));
    }

    #[test]
    fn all_bytes_are_ready_once_every_page_is_loaded() {
        let mut loaded = LoadedPages::none(200, 200 * PAGE - 1).unwrap();
        loaded.insert(&(0..70));
        loaded.insert(&(130..140));
        assert!(loaded.contains(69) && !loaded.contains(70) && loaded.contains(130) && !loaded.contains(200));
        loaded.insert(&(70..130));
        assert_eq!(loaded.ready(), 140 * PAGE);
        loaded.insert(&(140..200));
        assert_eq!(loaded.ready(), 200 * PAGE - 1);
        loaded.remove(&(200..200));
        assert_eq!(loaded.ready(), 200 * PAGE - 1);
        loaded.remove(&(5..6));
        assert!(!loaded.contains(5) && loaded.contains(6));
        assert_eq!(loaded.ready(), 5 * PAGE);
        loaded.insert(&(5..6));
        assert_eq!(loaded.ready(), 200 * PAGE - 1);
    }

    #[test]
    fn the_bytes_before_the_first_page_that_is_not_loaded_are_ready() {
        let mut loaded = LoadedPages::none(200, 200 * PAGE).unwrap();
        loaded.insert(&(64..70));
        assert_eq!(loaded.ready(), 0);
        loaded.insert(&(0..3));
        assert_eq!(loaded.ready(), 3 * PAGE);
        loaded.insert(&(3..64));
        assert_eq!(loaded.ready(), 70 * PAGE);
        loaded.remove(&(69..200));
        assert_eq!(loaded.ready(), 69 * PAGE);
        loaded.remove(&(80..90));
        assert_eq!(loaded.ready(), 69 * PAGE);
        loaded.remove(&(2..3));
        loaded.insert(&(69..70));
        assert_eq!(loaded.ready(), 2 * PAGE);
    }

    #[test]
    fn under_a_guard_no_byte_is_ready() {
        let loaded = LoadedPages::none(2, 0).unwrap();
        loaded.insert(&(0..1));
        assert_eq!(loaded.ready(), 0);
        loaded.insert(&(1..2));
        assert_eq!(loaded.ready(), 0);
    }
}
