//! Scripts of edits for a program whose file loses all changes that were not synced, and the allowed states of the file
//! afterwards.
//!
//! Two programs run the same script: `power` on a mapping, and its file system on a [`Model`] of the file. `power`
//! reports each act that has returned by a write to a second file of the same file system. So the model has the current
//! guarantees whenever the file system gets a request.

mod model;

use std::ops::Range;

use crate::crash::Step;
use crate::others::{PAGE, UNIT};
use crate::random::{Random, patternless};

pub use model::Model;

/// The name of the edited file.
pub const FILE: &str = "file";

/// The name of the file for reports, each with the number of an act that has returned. Its bytes are not kept.
pub const REPORTS: &str = "reports";

/// The lengths that a script gives its file.
const LENGTHS: Range<usize> = 2 * UNIT..5 * UNIT;

/// The synced bytes of the file before it is mapped.
#[must_use]
pub fn content() -> Vec<u8> {
    patternless(3 * UNIT + 1000)
}

/// An act of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A call on the mapping.
    Step(Step),
    /// Closes the mapping, syncs the file through another handle, and maps it again with another length.
    Reopen {
        /// The old length.
        from: usize,
        /// The new length, which is not less.
        to: usize,
    },
}

impl Act {
    /// Whether its return guarantees something about the disk.
    #[must_use]
    pub fn guarantees(&self) -> bool {
        matches!(self, Self::Step(Step::Flush { to_disk: true, .. }) | Self::Reopen { .. })
    }
}

/// The endless acts of a seed.
#[derive(Clone, Debug)]
pub struct Script {
    random: Random,
    len: usize,
    /// Whether the last act has changed the length.
    has_new_len: bool,
}

impl Script {
    /// The script of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), len: content().len(), has_new_len: false }
    }

    fn values(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.random.number().to_le_bytes()[7]).collect()
    }

    /// A flush to the disk, three times out of four.
    fn flush(&mut self) -> Step {
        let random = &mut self.random;
        let start = UNIT * random.below(self.len.div_ceil(UNIT));
        let part = start..start + 1 + random.below(self.len - start);
        Step::Flush { range: if random.chance(2) { 0..self.len } else { part }, to_disk: !random.chance(4) }
    }
}

impl Iterator for Script {
    type Item = Act;

    fn next(&mut self) -> Option<Act> {
        // Often there is only a new length to sync.
        if std::mem::take(&mut self.has_new_len) && self.random.chance(2) {
            return Some(Act::Step(self.flush()));
        }
        let random = &mut self.random;
        Some(Act::Step(match random.below(20) {
            0..=5 => {
                let longest = random.pick(&[1, 9, 100, PAGE, 5 * PAGE]);
                let count = 1 + random.below(longest);
                let at = random.below(self.len - count);
                Step::Put { at, bytes: self.values(count) }
            }
            6..=8 => {
                let (every, count) = (2 + random.below(100), 1 + random.below(200));
                let at = random.below(self.len - every * count);
                Step::Scatter { at, every, bytes: self.values(count) }
            }
            9 => {
                let count = 1 + random.below(5 * PAGE);
                Step::Move { to: random.below(self.len - count), from: random.below(self.len - count), count }
            }
            10..=16 => self.flush(),
            17..=18 => {
                self.len = LENGTHS.start + random.below(LENGTHS.len());
                self.has_new_len = true;
                Step::Resize { len: self.len }
            }
            _ => {
                let from = self.len;
                self.len += random.below(LENGTHS.end - from);
                self.has_new_len = true;
                return Some(Act::Reopen { from, to: self.len });
            }
        }))
    }
}
