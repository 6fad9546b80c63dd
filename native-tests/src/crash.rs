//! Scripts of edits for a program that is killed in the midst of them, and what its file may hold then.
//!
//! Both sides play one script: the program `crash` on a mapping, and whoever kills it on a [`Model`] of the file, up to
//! the first call that the program has not reported to have returned.

use std::ops::Range;

use portable_mmap::{Backend, Mapping, Result};

use crate::others::{PAGE, UNIT};
use crate::random::{Random, patternless};

/// The shortest and the longest that a script makes its file.
const LENGTHS: Range<usize> = 2 * UNIT..6 * UNIT;

/// What the file holds before it is mapped.
#[must_use]
pub fn content() -> Vec<u8> {
    patternless(4 * UNIT + 1000)
}

/// What a script does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Changes bytes.
    Put {
        /// The first of them.
        at: usize,
        /// What they become.
        bytes: Vec<u8>,
    },
    /// Changes single bytes: runs of changes that do not join, up to more than a page has written one by one.
    Scatter {
        /// The first of them.
        at: usize,
        /// From one to the next.
        every: usize,
        /// What they become.
        bytes: Vec<u8>,
    },
    /// Copies bytes over others.
    Move {
        /// Where to.
        to: usize,
        /// Where from.
        from: usize,
        /// How many.
        count: usize,
    },
    /// Writes the changes of a range back.
    Flush {
        /// Starts at a page of every system.
        range: Range<usize>,
        /// Whether to the disk, or only where readers of the file see them.
        to_disk: bool,
    },
    /// Makes mapping and file longer or shorter.
    Resize {
        /// What they become.
        len: usize,
    },
}

impl Step {
    /// Whether its return promises something about the file.
    #[must_use]
    pub fn promises(&self) -> bool {
        matches!(self, Self::Flush { .. } | Self::Resize { .. })
    }

    /// Does it.
    ///
    /// # Errors
    /// That of the call.
    pub fn apply<B: Backend>(&self, map: &mut Mapping<B>) -> Result<()> {
        match self {
            Self::Put { at, bytes } => map.range_mut(*at..at + bytes.len()).map(|range| range.copy_from_slice(bytes)),
            Self::Scatter { at, every, bytes } => {
                let places = map.range_mut(*at..=at + (bytes.len() - 1) * every)?.iter_mut().step_by(*every);
                places.zip(bytes).for_each(|(place, byte)| *place = *byte);
                Ok(())
            }
            Self::Move { to, from, count } => map.move_within(*to, *from, *count),
            Self::Flush { range, to_disk } if range.len() == map.len() => {
                if *to_disk {
                    map.flush()
                } else {
                    map.flush_async()
                }
            }
            Self::Flush { range, to_disk: true } => map.flush_range(range.start, range.len()),
            Self::Flush { range, to_disk: false } => map.flush_async_range(range.start, range.len()),
            Self::Resize { len } => map.resize(*len),
        }
    }
}

/// The steps of a seed, without end.
#[derive(Clone, Debug)]
pub struct Script {
    random: Random,
    len: usize,
}

impl Script {
    /// The script of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), len: content().len() }
    }

    fn values(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.random.number().to_le_bytes()[7]).collect()
    }
}

impl Iterator for Script {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let random = &mut self.random;
        Some(match random.below(20) {
            0..=7 => {
                let longest = random.pick(&[1, 9, 100, PAGE, 5 * PAGE]);
                let count = 1 + random.below(longest);
                let at = random.below(self.len - count);
                Step::Put { at, bytes: self.values(count) }
            }
            8..=10 => {
                let (every, count) = (2 + random.below(100), 1 + random.below(200));
                let at = random.below(self.len - every * count);
                Step::Scatter { at, every, bytes: self.values(count) }
            }
            11 => {
                let count = 1 + random.below(5 * PAGE);
                Step::Move { to: random.below(self.len - count), from: random.below(self.len - count), count }
            }
            12..=18 => {
                let start = UNIT * random.below(self.len.div_ceil(UNIT));
                let range = if random.chance(2) { 0..self.len } else { start..start + random.below(self.len - start) };
                Step::Flush { range, to_disk: random.chance(4) }
            }
            _ => {
                self.len = LENGTHS.start + random.below(LENGTHS.len());
                Step::Resize { len: self.len }
            }
        })
    }
}

/// A set of values of a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values([u64; 4]);

impl Values {
    pub(crate) fn one(value: u8) -> Self {
        let mut values = Self::default();
        values.add(value);
        values
    }

    pub(crate) fn add(&mut self, value: u8) {
        self.0[usize::from(value / 64)] |= 1 << (value % 64);
    }

    pub(crate) fn has(self, value: u8) -> bool {
        self.0[usize::from(value / 64)] & (1 << (value % 64)) != 0
    }
}

/// What is known of one byte of the file.
#[derive(Clone, Copy, Debug)]
struct Byte {
    /// What the mapping holds.
    now: u8,
    /// What the file held when the last call returned that promised something about it.
    promised: u8,
    /// What the file may hold.
    allowed: Values,
    /// What has ever stood there, in the mapping or the file.
    ever: Values,
}

impl Byte {
    fn new(value: u8) -> Self {
        Self { now: value, promised: value, allowed: Values::one(value), ever: Values::one(value) }
    }
}

/// What the file of a script may hold.
#[derive(Clone, Debug)]
pub struct Model {
    /// Whether a change is in the file as soon as it is made, as in an OS mapping, and not only when it is flushed.
    reaches_file_at_once: bool,
    bytes: Vec<Byte>,
    /// The length of the file, before and after a resize that may not have returned.
    lengths: [usize; 2],
}

/// What stands in a file, byte by byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Bytes that were looked at.
    pub bytes: usize,
    /// Bytes of another time: older than a flush that has returned, or changed again before one wrote them; or missing.
    pub lost: usize,
    /// Bytes that nobody has put there.
    pub foreign: usize,
    /// Bytes that are newer than the last call that returned: the program was ended after it had begun to change them.
    pub newer: usize,
    /// What is wrong, the first of it.
    pub first_wrong: Option<String>,
}

impl Model {
    /// Of a file as it is before a script.
    #[must_use]
    pub fn new(content: &[u8], reaches_file_at_once: bool) -> Self {
        let bytes = content.iter().map(|&value| Byte::new(value)).collect();
        Self { reaches_file_at_once, bytes, lengths: [content.len(); 2] }
    }

    /// After a script whose last call that promises something and is known to have returned is step `last`. The steps
    /// up to the next such call may have been done, as a whole, in part, or not at all.
    #[must_use]
    pub fn after(script: Script, last: Option<usize>, reaches_file_at_once: bool) -> Self {
        let mut model = Self::new(&content(), reaches_file_at_once);
        for (index, step) in script.enumerate() {
            let returned = last.is_some_and(|last| index <= last);
            model.play(&step, returned);
            if step.promises() && !returned {
                break;
            }
        }
        model
    }

    /// Does a step; `returned` tells whether it is known to have returned.
    pub fn play(&mut self, step: &Step, returned: bool) {
        match step {
            Step::Put { at, bytes } => self.put(*at, 1, bytes),
            Step::Scatter { at, every, bytes } => self.put(*at, *every, bytes),
            Step::Move { to, from, count } => {
                let bytes: Vec<u8> = self.bytes[*from..from + count].iter().map(|byte| byte.now).collect();
                self.put(*to, 1, &bytes);
            }
            Step::Flush { range, .. } => {
                // The changes of whole pages are written, and promised are those of the range.
                let end = range.end.next_multiple_of(PAGE).min(self.bytes.len());
                self.bytes[range.start..end].iter_mut().for_each(|byte| byte.allowed.add(byte.now));
                if returned {
                    for byte in &mut self.bytes[range.clone()] {
                        (byte.promised, byte.allowed) = (byte.now, Values::one(byte.now));
                    }
                }
            }
            Step::Resize { len } => {
                if returned || *len > self.bytes.len() {
                    self.bytes.resize(*len, Byte::new(0));
                }
                self.lengths = if returned { [*len; 2] } else { [self.lengths[0], *len] };
            }
        }
    }

    fn put(&mut self, at: usize, every: usize, values: &[u8]) {
        for (byte, &value) in self.bytes[at..].iter_mut().step_by(every).zip(values) {
            byte.now = value;
            byte.ever.add(value);
            if self.reaches_file_at_once {
                byte.allowed.add(value);
            }
        }
    }

    /// Looks at every byte of a file.
    #[must_use]
    pub fn look_at(&self, file: &[u8]) -> Findings {
        let mut found = Findings { bytes: file.len(), ..Findings::default() };
        for (index, (byte, &value)) in self.bytes.iter().zip(file).enumerate() {
            if byte.allowed.has(value) {
                found.newer += usize::from(value != byte.promised);
                continue;
            }
            *(if byte.ever.has(value) { &mut found.lost } else { &mut found.foreign }) += 1;
            found.first_wrong.get_or_insert_with(|| format!("byte {index} is {value}, promised was {}", byte.promised));
        }
        let (len, [before, after]) = (file.len(), self.lengths);
        if len != before && len != after {
            found.lost += before.max(after).saturating_sub(len);
            found.foreign += len.saturating_sub(before.max(after));
            found.first_wrong = Some(format!("the file has {len} bytes, and may have {before} or {after}"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{Findings, Model, Step};

    fn found(model: &Model, file: &[u8]) -> [usize; 3] {
        let Findings { lost, foreign, newer, .. } = model.look_at(file);
        [lost, foreign, newer]
    }

    fn put(bytes: &[u8]) -> Step {
        Step::Put { at: 1, bytes: bytes.to_vec() }
    }

    const FLUSH: Step = Step::Flush { range: 0..4, to_disk: true };

    #[test]
    fn what_was_flushed_has_to_be_there_and_nothing_else_may() {
        for reaches_file_at_once in [false, true] {
            let mut model = Model::new(b"abcd", reaches_file_at_once);
            model.play(&put(b"BC"), true);
            model.play(&FLUSH, true);
            assert_eq!(found(&model, b"aBCd"), [0, 0, 0]);
            assert_eq!(found(&model, b"aBcd"), [1, 0, 0], "an old byte");
            assert_eq!(found(&model, b"aBCx"), [0, 1, 0], "nobody's byte");
            assert_eq!(found(&model, b"aBC"), [1, 0, 0], "shorter");
            assert_eq!(found(&model, b"aBCdd"), [0, 1, 0], "longer");
        }
    }

    #[test]
    fn what_was_not_flushed_may_be_in_the_file_of_an_os_mapping_alone() {
        for (reaches_file_at_once, expected) in [(false, [2, 0, 0]), (true, [0, 0, 2])] {
            let mut model = Model::new(b"abcd", reaches_file_at_once);
            model.play(&put(b"BC"), false);
            assert_eq!(found(&model, b"abcd"), [0, 0, 0]);
            assert_eq!(found(&model, b"aBCd"), expected);
        }
    }

    #[test]
    fn a_flush_that_has_not_returned_may_have_written_any_part() {
        for reaches_file_at_once in [false, true] {
            let mut model = Model::new(b"abcd", reaches_file_at_once);
            model.play(&put(b"xy"), false);
            model.play(&put(b"BC"), false);
            model.play(&FLUSH, false);
            assert_eq!(found(&model, b"aBcd"), [0, 0, 1]);
            assert_eq!(found(&model, b"abCd"), [0, 0, 1]);
            let between = if reaches_file_at_once { [0, 0, 1] } else { [1, 0, 0] };
            assert_eq!(found(&model, b"axcd"), between, "a value that was overwritten before the flush");
        }
    }

    #[test]
    fn a_resize_that_has_not_returned_leaves_either_length() {
        let mut model = Model::new(b"abcd", false);
        model.play(&Step::Resize { len: 6 }, false);
        assert_eq!(found(&model, b"abcd"), [0, 0, 0]);
        assert_eq!(found(&model, b"abcd\0\0"), [0, 0, 0]);
        assert_eq!(found(&model, b"abcdef"), [0, 2, 0]);
        assert_eq!(found(&model, b"abcd\0"), [1, 0, 0]);
        let mut model = Model::new(b"abcd", false);
        model.play(&Step::Resize { len: 2 }, true);
        assert_eq!(found(&model, b"ab"), [0, 0, 0]);
        assert_eq!(found(&model, b"abcd"), [0, 2, 0]);
    }
}
