//! Mappings that stand in place of bytes which a guest has read.
//!
//! The guest knows nothing of them. It stores into the block, which changes its own private pages alone; it frees the block,
//! and its allocator writes there and hands parts of it out again. So such a mapping ends only where something else is mapped
//! over it, or with the store: what lies beside that is the guest's live memory, and stays as it is.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::memory::{Placed, reset};

/// These mappings of one store, by the addresses that they start at.
#[derive(Debug, Default)]
pub(crate) struct Reads(BTreeMap<usize, Placed>);

/// What two ranges have in common, which may be nothing.
fn common(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}

impl Reads {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many bytes of a range of addresses they hold.
    pub(crate) fn bytes_in(&self, range: &Range<usize>) -> u64 {
        self.0.values().map(|placed| common(&placed.range(), range).len() as u64).sum()
    }

    /// Leaves a range of addresses to the caller, who maps something else there. To be put in order with
    /// [`reset`](Self::reset) if that fails.
    pub(crate) fn leave(&mut self, range: &Range<usize>) -> Vec<Range<usize>> {
        let overlapped: Vec<Range<usize>> = self.0.values().map(Placed::range).collect();
        let overlapped = overlapped.into_iter().filter(|addresses| !common(addresses, range).is_empty());
        overlapped
            .map(|addresses| {
                let placed = self.0.remove(&addresses.start).expect("it was there");
                for part in placed.without(range).into_iter().flatten() {
                    self.0.insert(part.range().start, part);
                }
                common(&addresses, range)
            })
            .collect()
    }

    /// Puts zeros where a file is that nobody watches over any more.
    pub(crate) fn reset(left: Vec<Range<usize>>) {
        left.into_iter().for_each(reset);
    }

    /// Adds a mapping that overlaps none of them. One that goes on where another ends is one with it.
    pub(crate) fn add(&mut self, placed: Placed) {
        let before = self.0.range(..placed.range().start).next_back().map(|(&start, _)| start);
        let before = before.and_then(|start| self.0.remove(&start));
        let (placed, behind) = match before {
            Some(before) => Placed::joined(before, placed),
            None => (placed, None),
        };
        for placed in [Some(placed), behind].into_iter().flatten() {
            self.0.insert(placed.range().start, placed);
        }
    }

    /// All of them, which are then the caller's.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Placed> + use<> {
        std::mem::take(&mut self.0).into_values()
    }
}
