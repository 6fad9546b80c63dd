//! The bytes that were written since the last successful sync.
//!
//! A system may drop bytes that it could not write to the disk. After a failed sync the next one succeeds, although the
//! bytes are not on the disk. So the bytes are remembered until a sync succeeds, and are written again after a failed
//! one.

use std::ops::Range;

use super::PAGE;
use crate::{Error, Result};

/// If there are more runs than this, runs that share a page are joined.
const MANY: usize = if cfg!(test) { 1 << 8 } else { 1 << 15 };

/// The runs of bytes that were written, and whether the length was set.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    /// Sorted and not adjacent after [`sort`](Self::sort).
    runs: Vec<Range<usize>>,
    is_sorted: bool,
    /// The length of the storage was set.
    pub(super) has_new_len: bool,
    /// A sync failed. The bytes of all runs may be lost until they are written again and a sync succeeds.
    pub(super) has_failed: bool,
    /// The number of failed syncs of the storage, when it was last read.
    failed_syncs: usize,
}

impl Unsynced {
    /// The state of a mapping that has written nothing yet, of a storage with this number of failed syncs.
    pub(super) fn new(failed_syncs: usize, has_new_len: bool) -> Self {
        Self { has_new_len, failed_syncs, ..Self::default() }
    }

    /// Takes the current number of failed syncs of the storage, of all mappings. Returns whether the number has
    /// changed.
    pub(super) fn adopt(&mut self, failed_syncs: usize) -> bool {
        let is_new = self.failed_syncs != failed_syncs;
        self.failed_syncs = failed_syncs;
        self.has_failed |= is_new && !self.is_empty();
        is_new
    }

    /// Whether a sync has nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.has_no_runs() && !self.has_new_len && !self.has_failed
    }

    /// Whether no bytes were written.
    pub(super) fn has_no_runs(&self) -> bool {
        self.runs.is_empty()
    }

    /// Notes a run before it is written.
    ///
    /// # Errors
    /// [`Error::NoMemory`]; the runs are as before.
    pub(super) fn note(&mut self, run: Range<usize>) -> Result<()> {
        if let Some(last) = self.runs.last_mut().filter(|last| last.start <= run.start && run.start <= last.end) {
            last.end = last.end.max(run.end);
            return Ok(());
        }
        if self.runs.len() == self.runs.capacity() {
            self.sort();
            // This is rare, because half of the capacity is free afterwards.
            if self.runs.len() >= self.runs.capacity() / 2 {
                self.reserve(self.runs.len().max(4))?;
            }
        }
        self.is_sorted = self.runs.last().is_none_or(|last| self.is_sorted && last.end < run.start);
        self.runs.push(run);
        Ok(())
    }

    /// Reserves memory for one more run, which [`remove`](Self::remove) may need.
    ///
    /// # Errors
    /// [`Error::NoMemory`].
    pub(super) fn make_room(&mut self) -> Result<()> {
        self.reserve(1)
    }

    fn reserve(&mut self, more: usize) -> Result<()> {
        let len = (more * size_of::<Range<usize>>()) as u64;
        self.runs.try_reserve(more).map_err(|_| Error::no_memory(len))
    }

    /// Sorts the runs, as the functions below require, and joins adjacent ones.
    pub(super) fn sort(&mut self) {
        if !self.is_sorted {
            self.runs.sort_unstable_by_key(|run| run.start);
            self.join(|run, next| next.start <= run.end);
            self.is_sorted = true;
        }
        if self.runs.len() > MANY {
            self.join(|run, next| next.start / PAGE <= (run.end - 1) / PAGE);
        }
    }

    /// Joins neighbouring runs for which `are_joined` returns true.
    fn join(&mut self, are_joined: impl Fn(&Range<usize>, &Range<usize>) -> bool) {
        self.runs.dedup_by(|next, run| {
            let joined = are_joined(run, next);
            if joined {
                run.end = run.end.max(next.end);
            }
            joined
        });
    }

    /// The first run with bytes in a range, limited to the range.
    pub(super) fn first_in(&self, range: &Range<usize>) -> Option<Range<usize>> {
        debug_assert!(self.is_sorted || self.has_no_runs());
        let run = self.runs.get(self.runs.partition_point(|run| run.end <= range.start))?;
        let part = run.start.max(range.start)..run.end.min(range.end);
        (!part.is_empty()).then_some(part)
    }

    /// Whether bytes of a page were written since the last successful sync.
    pub(super) fn is_in_page(&self, page: usize) -> bool {
        self.first_in(&(page * PAGE..(page + 1) * PAGE)).is_some()
    }

    /// Forgets the bytes of a range. Allocates nothing after [`make_room`](Self::make_room), or if no run extends past
    /// the range.
    pub(super) fn remove(&mut self, range: &Range<usize>) {
        let first = self.runs.partition_point(|run| run.end <= range.start);
        let end = self.runs.partition_point(|run| run.start < range.end);
        if first >= end {
            return;
        }
        let before = self.runs[first].start..range.start;
        let behind = range.end..self.runs[end - 1].end;
        if end - first == 1 && !before.is_empty() && !behind.is_empty() {
            self.runs[first] = before;
            self.runs.insert(end, behind);
            return;
        }
        let mut kept = first;
        for rest in [before, behind].into_iter().filter(|rest| !rest.is_empty()) {
            self.runs[kept] = rest;
            kept += 1;
        }
        self.runs.drain(kept..end);
    }

    /// Notes that a sync begins. It counts as failed until [`end_sync`](Self::end_sync). Returns whether an earlier one
    /// had failed.
    pub(super) fn begin_sync(&mut self) -> bool {
        std::mem::replace(&mut self.has_failed, true)
    }

    /// Notes that the sync succeeded. If an earlier one had failed, `written_again` is the range in which bytes were
    /// written again.
    pub(super) fn end_sync(&mut self, written_again: Option<&Range<usize>>) {
        self.has_new_len = false;
        if let Some(range) = written_again {
            self.sort();
            self.remove(range);
        } else {
            self.runs.clear();
        }
        if self.has_no_runs() {
            // Frees the memory too.
            *self = Self::new(self.failed_syncs, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn bytes(unsynced: &Unsynced) -> BTreeSet<usize> {
        unsynced.runs.iter().cloned().flatten().collect()
    }

    #[test]
    fn runs_behave_like_a_set_of_bytes() {
        let mut seed = 5_u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for _ in 0..if cfg!(miri) { 2 } else { 50 } {
            let (mut unsynced, mut model) = (Unsynced::default(), BTreeSet::new());
            for _ in 0..if cfg!(miri) { 10 } else { 60 } {
                let start = random(300);
                let range = start..start + 1 + random(20);
                if random(4) > 0 {
                    unsynced.note(range.clone()).unwrap();
                    model.extend(range.clone());
                } else {
                    unsynced.sort();
                    unsynced.make_room().unwrap();
                    let room = unsynced.runs.capacity();
                    unsynced.remove(&range);
                    assert_eq!(unsynced.runs.capacity(), room, "it allocates nothing");
                    model.retain(|byte| !range.contains(byte));
                }
                assert_eq!(bytes(&unsynced), model);
                unsynced.sort();
                assert_eq!(bytes(&unsynced), model);
                assert!(unsynced.runs.windows(2).all(|pair| pair[0].end < pair[1].start), "sorted, and not adjacent");
                let first = model.range(range.clone()).next().copied();
                assert_eq!(unsynced.first_in(&range).map(|run| run.start), first);
                assert!(unsynced.first_in(&range).is_none_or(|run| run.end <= range.end && run.start < run.end));
                assert_eq!(unsynced.first_in(&(start..start)), None);
            }
        }
    }

    #[test]
    fn very_many_runs_are_joined_within_their_pages() {
        let (mut unsynced, mut model) = (Unsynced::default(), BTreeSet::new());
        for round in 0..4 {
            for at in (0..20 * PAGE).step_by(PAGE / 32).map(|at| at + 2 * round) {
                unsynced.note(at..at + 1).unwrap();
                model.insert(at);
            }
            assert!(unsynced.runs.capacity() <= 4 * MANY, "room for {} runs", unsynced.runs.capacity());
        }
        assert!(model.is_subset(&bytes(&unsynced)), "all bytes are noted");
        unsynced.sort();
        assert!(unsynced.runs.len() <= MANY, "{} runs", unsynced.runs.len());
        assert!(unsynced.runs.iter().all(|run| run.start / PAGE == (run.end - 1) / PAGE), "no run crosses a page");
    }

    #[test]
    fn after_a_failure_only_bytes_written_again_are_forgotten() {
        let mut unsynced = Unsynced::default();
        unsynced.note(0..PAGE + 10).unwrap();
        assert!(!unsynced.begin_sync() && unsynced.begin_sync());
        unsynced.make_room().unwrap();
        unsynced.end_sync(Some(&(0..PAGE)));
        assert!(unsynced.has_failed && unsynced.first_in(&(0..2 * PAGE)) == Some(PAGE..PAGE + 10));
        unsynced.end_sync(Some(&(PAGE..2 * PAGE)));
        assert!(unsynced.is_empty() && unsynced.runs.capacity() == 0);
        unsynced.note(5..7).unwrap();
        assert!(!unsynced.begin_sync());
        unsynced.end_sync(None);
        assert!(unsynced.is_empty());
    }
}
