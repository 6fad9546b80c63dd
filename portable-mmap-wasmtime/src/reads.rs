//! Mappings that replace the bytes which a guest has read.
//!
//! The guest does not know of them. It stores into the block, which changes only its own private pages. It frees the
//! block, and its allocator writes there and reuses parts of it. So such a mapping ends only where something else is
//! mapped over it, or with the store. The rest of it is live memory of the guest, and stays mapped.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::memory::{Placed, reset};

/// The mappings of this kind in one store, by their start addresses.
#[derive(Debug, Default)]
pub(crate) struct Reads(BTreeMap<usize, Placed>);

/// The intersection of two ranges, which may be empty.
fn common(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}

impl Reads {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many bytes of a range of addresses they contain.
    pub(crate) fn bytes_in(&self, range: &Range<usize>) -> u64 {
        self.0.values().map(|placed| common(&placed.range(), range).len() as u64).sum()
    }

    /// Removes a range of addresses from the mappings, for a caller who maps something else there. If that fails, the
    /// caller passes the result to [`reset`](Self::reset).
    pub(crate) fn leave(&mut self, range: &Range<usize>) -> Vec<Range<usize>> {
        let overlapped: Vec<Range<usize>> = self.0.values().map(Placed::range).collect();
        let overlapped = overlapped.into_iter().filter(|addresses| !common(addresses, range).is_empty());
        overlapped
            .map(|addresses| {
                let placed = self.0.remove(&addresses.start).expect("the map contains it");
                for part in placed.without(range).into_iter().flatten() {
                    self.0.insert(part.range().start, part);
                }
                common(&addresses, range)
            })
            .collect()
    }

    /// Fills the ranges that [`leave`](Self::leave) has returned with zeros, because no guard protects them any more.
    pub(crate) fn reset(left: Vec<Range<usize>>) {
        left.into_iter().for_each(reset);
    }

    /// Adds a mapping that overlaps none of them. If it continues another one, the two are joined.
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

    /// Removes and returns all of them.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Placed> + use<> {
        std::mem::take(&mut self.0).into_values()
    }
}
