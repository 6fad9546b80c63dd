//! Scripts of edits for a program that is killed during one, and the allowed states of its file afterwards.
//!
//! Two programs run the same script: `crash` on a mapping, and the one that kills it on a [`Model`] of the file, up to
//! the first call whose return was not reported.

use std::ops::Range;

use portable_mmap::{Backend, Mapping, Result};

use crate::others::{PAGE, UNIT};
use crate::random::{Random, patternless};

/// The lengths that a script gives its file.
const LENGTHS: Range<usize> = 2 * UNIT..6 * UNIT;

/// The bytes of the file before it is mapped.
#[must_use]
pub fn content() -> Vec<u8> {
    patternless(4 * UNIT + 1000)
}

/// A step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Changes bytes.
    Put {
        /// The offset of the first one.
        at: usize,
        /// The new values.
        bytes: Vec<u8>,
    },
    /// Changes single bytes that are not adjacent, up to more runs than are written one by one for a page.
    Scatter {
        /// The offset of the first one.
        at: usize,
        /// The distance from one to the next.
        every: usize,
        /// The new values.
        bytes: Vec<u8>,
    },
    /// Copies bytes over others of the mapping.
    Move {
        /// The offset of the destination.
        to: usize,
        /// The offset of the source.
        from: usize,
        /// The number of bytes.
        count: usize,
    },
    /// Writes back the changes of a range.
    Flush {
        /// The range, which starts at a page boundary of every system.
        range: Range<usize>,
        /// Whether the changes have to be on the disk, or only visible to readers of the file.
        to_disk: bool,
    },
    /// Changes the length of the mapping and of the file.
    Resize {
        /// The new length.
        len: usize,
    },
}

impl Step {
    /// Whether its return guarantees something about the file.
    #[must_use]
    pub fn guarantees(&self) -> bool {
        matches!(self, Self::Flush { .. } | Self::Resize { .. })
    }

    /// Runs the step on a mapping.
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

/// The endless steps of a seed.
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

/// The state of one byte of the file.
#[derive(Clone, Copy, Debug)]
struct Byte {
    /// The byte in the mapping.
    now: u8,
    /// The byte in the file when the last call returned that guaranteed something about it.
    guaranteed: u8,
    /// The values that the file may have.
    allowed: Values,
    /// All values that the mapping or the file has ever had there.
    ever: Values,
}

impl Byte {
    fn new(value: u8) -> Self {
        Self { now: value, guaranteed: value, allowed: Values::one(value), ever: Values::one(value) }
    }
}

/// The allowed states of the file of a script.
#[derive(Clone, Debug)]
pub struct Model {
    /// Whether a change is in the file as soon as it is made, as in an OS mapping, and not only after a flush.
    reaches_file_at_once: bool,
    bytes: Vec<Byte>,
    /// The length of the file, before and after a resize that may not have returned.
    lengths: [usize; 2],
}

/// The result of a check of every byte of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The number of checked bytes.
    pub bytes: usize,
    /// Bytes that are missing, or that have a wrong earlier value: one from before a flush that has returned, or one
    /// that no flush has written.
    pub lost: usize,
    /// Bytes with a value that was never stored there.
    pub foreign: usize,
    /// Bytes that are newer than the last call that returned: the program was killed after it had started to change
    /// them.
    pub newer: usize,
    /// A description of the first wrong byte.
    pub first_wrong: Option<String>,
}

impl Model {
    /// A model of a file before the script runs.
    #[must_use]
    pub fn new(content: &[u8], reaches_file_at_once: bool) -> Self {
        let bytes = content.iter().map(|&value| Byte::new(value)).collect();
        Self { reaches_file_at_once, bytes, lengths: [content.len(); 2] }
    }

    /// A model after a script. `last` is the last step that guarantees something and is known to have returned. The
    /// steps up to the next such step may have run completely, partly, or not at all.
    #[must_use]
    pub fn after(script: Script, last: Option<usize>, reaches_file_at_once: bool) -> Self {
        let mut model = Self::new(&content(), reaches_file_at_once);
        for (index, step) in script.enumerate() {
            let returned = last.is_some_and(|last| index <= last);
            model.play(&step, returned);
            if step.guarantees() && !returned {
                break;
            }
        }
        model
    }

    /// Runs a step; `returned` is whether it is known to have returned.
    pub fn play(&mut self, step: &Step, returned: bool) {
        match step {
            Step::Put { at, bytes } => self.put(*at, 1, bytes),
            Step::Scatter { at, every, bytes } => self.put(*at, *every, bytes),
            Step::Move { to, from, count } => {
                let bytes: Vec<u8> = self.bytes[*from..from + count].iter().map(|byte| byte.now).collect();
                self.put(*to, 1, &bytes);
            }
            Step::Flush { range, .. } => {
                // A flush writes the changes of whole pages, but guarantees only those of the range.
                let end = range.end.next_multiple_of(PAGE).min(self.bytes.len());
                self.bytes[range.start..end].iter_mut().for_each(|byte| byte.allowed.add(byte.now));
                if returned {
                    for byte in &mut self.bytes[range.clone()] {
                        (byte.guaranteed, byte.allowed) = (byte.now, Values::one(byte.now));
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

    /// Checks every byte of a file.
    #[must_use]
    pub fn check(&self, file: &[u8]) -> Findings {
        let mut found = Findings { bytes: file.len(), ..Findings::default() };
        for (index, (byte, &value)) in self.bytes.iter().zip(file).enumerate() {
            if byte.allowed.has(value) {
                found.newer += usize::from(value != byte.guaranteed);
                continue;
            }
            *(if byte.ever.has(value) { &mut found.lost } else { &mut found.foreign }) += 1;
            found.first_wrong.get_or_insert_with(|| format!("byte {index} is {value}, not {}", byte.guaranteed));
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
        let Findings { lost, foreign, newer, .. } = model.check(file);
        [lost, foreign, newer]
    }

    fn put(bytes: &[u8]) -> Step {
        Step::Put { at: 1, bytes: bytes.to_vec() }
    }

    const FLUSH: Step = Step::Flush { range: 0..4, to_disk: true };

    #[test]
    fn flushed_bytes_must_be_in_the_file_and_no_others() {
        for reaches_file_at_once in [false, true] {
            let mut model = Model::new(b"abcd", reaches_file_at_once);
            model.play(&put(b"BC"), true);
            model.play(&FLUSH, true);
            assert_eq!(found(&model, b"aBCd"), [0, 0, 0]);
            assert_eq!(found(&model, b"aBcd"), [1, 0, 0], "an old byte");
            assert_eq!(found(&model, b"aBCx"), [0, 1, 0], "a byte that was never stored");
            assert_eq!(found(&model, b"aBC"), [1, 0, 0], "shorter");
            assert_eq!(found(&model, b"aBCdd"), [0, 1, 0], "longer");
        }
    }

    #[test]
    fn unflushed_bytes_may_only_be_in_the_file_of_an_os_mapping() {
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
    fn after_a_resize_that_has_not_returned_either_length_is_allowed() {
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
