//! The allowed states of a file after a power failure.

use super::Act;
use crate::crash::{Findings, Step, Values};
use crate::others::PAGE;

/// The state of one byte of the file.
#[derive(Clone, Copy, Debug)]
struct Byte {
    /// The byte in the mapping.
    now: u8,
    /// The byte on the disk when the last call returned that guaranteed something about it.
    guaranteed: u8,
    /// The values that the disk may have: the guaranteed one, or one that the file has had since. They may reach the
    /// disk in any order.
    allowed: Values,
    /// All values that the mapping or the file has ever had there.
    ever: Values,
}

impl Byte {
    fn new(value: u8) -> Self {
        Self { now: value, guaranteed: value, allowed: Values::one(value), ever: Values::one(value) }
    }

    fn guarantee(&mut self) {
        (self.guaranteed, self.allowed) = (self.now, Values::one(self.now));
    }
}

/// The allowed states on the disk of the file of a script.
#[derive(Clone, Debug)]
pub struct Model {
    /// Whether a change is in the file as soon as it is made, as in an OS mapping, and not only after a flush.
    reaches_file_at_once: bool,
    /// The states of the bytes, as many as the file has had at its longest.
    bytes: Vec<Byte>,
    /// The possible lengths of the file on the disk: the guaranteed one, then each that was set since.
    lengths: Vec<usize>,
}

impl Model {
    /// A model of a file whose content is on the disk.
    #[must_use]
    pub fn new(content: &[u8], reaches_file_at_once: bool) -> Self {
        let bytes = content.iter().map(|&value| Byte::new(value)).collect();
        Self { reaches_file_at_once, bytes, lengths: vec![content.len()] }
    }

    /// Starts an act. From now on its changes may be on the disk completely, partly, or not at all.
    pub fn begin(&mut self, act: &Act) {
        match act {
            Act::Step(Step::Put { at, bytes }) => self.put(*at, 1, bytes),
            Act::Step(Step::Scatter { at, every, bytes }) => self.put(*at, *every, bytes),
            Act::Step(Step::Move { to, from, count }) => {
                let bytes: Vec<u8> = self.bytes[*from..from + count].iter().map(|byte| byte.now).collect();
                self.put(*to, 1, &bytes);
            }
            // A flush writes the changes of whole pages.
            Act::Step(Step::Flush { range, .. }) => self.write(range.start, range.end.next_multiple_of(PAGE)),
            Act::Step(Step::Resize { len }) => self.set_len(*len),
            Act::Reopen { from, to } => {
                self.write(0, *from);
                self.set_len(*to);
            }
        }
    }

    /// Records that the started act has returned: the changes that it guarantees are on the disk.
    pub fn returned(&mut self, act: &Act) {
        match act {
            Act::Step(Step::Flush { range, to_disk: true }) => {
                self.guarantee_len(self.len());
                self.bytes[range.clone()].iter_mut().for_each(Byte::guarantee);
            }
            // The sync came before the change of the length, so it does not guarantee the new length.
            Act::Reopen { from, to } => {
                self.guarantee_len(*from);
                self.bytes.iter_mut().for_each(Byte::guarantee);
                self.set_len(*to);
            }
            Act::Step(_) => {}
        }
    }

    /// The length that the program has set.
    fn len(&self) -> usize {
        self.lengths.last().copied().unwrap_or_default()
    }

    /// Records a guaranteed length. If the file grows again, there are zeros past it.
    fn guarantee_len(&mut self, len: usize) {
        self.lengths = vec![len];
        for byte in &mut self.bytes[len..] {
            byte.now = 0;
            byte.guarantee();
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

    fn write(&mut self, start: usize, end: usize) {
        let end = end.min(self.len());
        self.bytes[start..end].iter_mut().for_each(|byte| byte.allowed.add(byte.now));
    }

    /// The bytes between the two lengths are removed, or are zeros if the file becomes longer.
    fn set_len(&mut self, len: usize) {
        let before = self.len();
        if len == before {
            return;
        }
        if len > self.bytes.len() {
            self.bytes.resize(len, Byte::new(0));
        }
        for byte in &mut self.bytes[len.min(before)..len.max(before)] {
            byte.now = 0;
            byte.allowed.add(0);
            byte.ever.add(0);
        }
        self.lengths.push(len);
    }

    /// Checks every byte on the disk.
    #[must_use]
    pub fn check(&self, disk: &[u8]) -> Findings {
        let mut found = Findings { bytes: disk.len(), ..Findings::default() };
        let longest = self.lengths.iter().copied().max().unwrap_or_default();
        for (index, (byte, &value)) in self.bytes[..longest].iter().zip(disk).enumerate() {
            if byte.allowed.has(value) {
                found.newer += usize::from(value != byte.guaranteed);
                continue;
            }
            *(if byte.ever.has(value) { &mut found.lost } else { &mut found.foreign }) += 1;
            found.first_wrong.get_or_insert_with(|| format!("byte {index} is {value}, not {}", byte.guaranteed));
        }
        let len = disk.len();
        if !self.lengths.contains(&len) {
            match self.lengths.iter().filter(|&&allowed| allowed > len).min() {
                Some(longer) => found.lost += longer - len,
                // The file is longer than a guaranteed truncation, or has a length that was never set.
                None if len <= self.bytes.len() => found.lost += len - longest,
                None => found.foreign += len - longest,
            }
            found.first_wrong = Some(format!("the file has {len} bytes, and may have {:?}", self.lengths));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{Act, Findings, Model, Step};

    fn found(model: &Model, disk: &[u8]) -> [usize; 3] {
        let Findings { lost, foreign, newer, .. } = model.check(disk);
        [lost, foreign, newer]
    }

    fn put(bytes: &[u8]) -> Act {
        Act::Step(Step::Put { at: 1, bytes: bytes.to_vec() })
    }

    fn flush(len: usize, to_disk: bool) -> Act {
        Act::Step(Step::Flush { range: 0..len, to_disk })
    }

    fn resize(len: usize) -> Act {
        Act::Step(Step::Resize { len })
    }

    /// Runs acts that return.
    fn played(reaches_file_at_once: bool, acts: &[Act]) -> Model {
        let mut model = Model::new(b"abcd", reaches_file_at_once);
        for act in acts {
            model.begin(act);
            model.returned(act);
        }
        model
    }

    #[test]
    fn bytes_flushed_to_the_disk_must_be_there() {
        for reaches_file_at_once in [false, true] {
            let model = played(reaches_file_at_once, &[put(b"BC"), flush(4, true)]);
            assert_eq!(found(&model, b"aBCd"), [0, 0, 0]);
            assert_eq!(found(&model, b"aBcd"), [1, 0, 0], "an old byte");
            assert_eq!(found(&model, b"aBCx"), [0, 1, 0], "a byte that was never stored");
            assert_eq!(found(&model, b"aBC"), [1, 0, 0], "shorter");
            assert_eq!(found(&model, b"aBCdd"), [0, 1, 0], "longer");
        }
    }

    #[test]
    fn bytes_flushed_only_for_readers_may_be_there_in_part() {
        let model = played(false, &[put(b"xy"), flush(4, false), put(b"BC"), flush(4, false)]);
        for disk in [b"abcd", b"axcd", b"aByd", b"axCd"] {
            assert_eq!(found(&model, disk)[..2], [0, 0], "{disk:?}");
        }
        let model = played(false, &[put(b"xy"), put(b"BC"), flush(4, false)]);
        assert_eq!(found(&model, b"axcd"), [1, 0, 0], "a value that was never flushed");
    }

    #[test]
    fn a_flush_that_has_not_returned_guarantees_nothing() {
        let mut model = played(false, &[put(b"BC")]);
        assert_eq!(found(&model, b"aBcd"), [1, 0, 0], "a change that was not flushed");
        model.begin(&flush(4, true));
        assert_eq!(found(&model, b"aBcd"), [0, 0, 1]);
        assert_eq!(found(&model, b"abcd"), [0, 0, 0]);
    }

    #[test]
    fn the_next_flush_guarantees_a_length() {
        let mut model = played(false, &[resize(6)]);
        for disk in [&b"abcd"[..], b"abcd\0\0"] {
            assert_eq!(found(&model, disk), [0, 0, 0]);
        }
        assert_eq!(found(&model, b"abcd\0"), [1, 0, 0], "neither length");
        let act = Act::Step(Step::Flush { range: 0..1, to_disk: true });
        model.begin(&act);
        model.returned(&act);
        assert_eq!(found(&model, b"abcd\0\0"), [0, 0, 0]);
        assert_eq!(found(&model, b"abcd"), [2, 0, 0], "the new length is lost");
    }

    #[test]
    fn a_truncated_file_that_grows_again_has_zeros_or_its_old_bytes_there() {
        let mut model = played(false, &[resize(2), resize(4)]);
        for disk in [&b"abcd"[..], b"ab\0\0", b"ab\0d", b"ab"] {
            assert_eq!(found(&model, disk)[..2], [0, 0], "{disk:?}");
        }
        model.begin(&flush(4, true));
        model.returned(&flush(4, true));
        assert_eq!(found(&model, b"ab\0\0"), [0, 0, 0]);
        assert_eq!(found(&model, b"abcd"), [2, 0, 0]);
        model = played(false, &[resize(2), flush(2, true)]);
        assert_eq!(found(&model, b"abcd"), [2, 0, 0], "a truncation is lost");
    }

    #[test]
    fn a_file_synced_after_a_close_has_all_bytes_except_later_lengths() {
        let model = played(false, &[put(b"BC"), Act::Reopen { from: 4, to: 6 }]);
        assert_eq!(found(&model, b"aBCd"), [0, 0, 0]);
        assert_eq!(found(&model, b"aBCd\0\0"), [0, 0, 0]);
        assert_eq!(found(&model, b"abCd"), [1, 0, 0]);
    }
}
