//! Calls of a mapping, and their results.

use std::io::SeekFrom;

use portable_mmap::{Advice, Backend, Error, Mapping, Slice};

use super::file::PAGE;

/// The result of a call: its value, or the name of its error.
pub(super) type Outcome = Result<Value, &'static str>;

/// The value of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    Nothing,
    Number(u64),
    Bytes(Vec<u8>),
    Place(Option<usize>),
}

/// A slice in Python's notation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notation {
    pub(super) start: Option<isize>,
    pub(super) stop: Option<isize>,
    pub(super) step: isize,
}

/// Sets every `stride`-th byte of a borrowed range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) stride: usize,
    pub(super) byte: u8,
}

/// A call, with its arguments.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Read(usize),
    ReadLine,
    ReadByte,
    Write(Vec<u8>),
    Seek(SeekFrom),
    GetItem(isize),
    SetItem(isize, u8),
    GetSlice(Notation),
    SetSlice(Notation, Vec<u8>),
    /// `range` and `range_mut`
    Range {
        start: usize,
        len: usize,
        change: Option<Change>,
    },
    /// `m[a..b]`, inside the mapping.
    Index {
        start: usize,
        len: usize,
        change: Option<Change>,
    },
    /// `find` and `rfind`, in a range of indices or from the position.
    Find {
        needle: Vec<u8>,
        within: Option<(usize, usize)>,
        is_first: bool,
    },
    Move {
        dest: usize,
        src: usize,
        count: usize,
    },
    Flush {
        is_sync: bool,
        range: Option<(usize, usize)>,
    },
    Advise(Advice, usize, usize),
    Refresh(Option<(usize, usize)>),
    Resize(usize),
    Size,
    Close,
}

impl Change {
    /// The indices in a range of `len` bytes that are set.
    pub(super) fn indices(self, len: usize) -> impl Iterator<Item = usize> {
        (0..len).step_by(self.stride)
    }

    fn apply(self, bytes: &mut [u8]) {
        self.indices(bytes.len()).for_each(|index| bytes[index] = self.byte);
    }
}

impl Notation {
    /// The indices that it selects, in order.
    pub(super) fn indices(self, len: usize) -> Vec<usize> {
        let len = len.cast_signed();
        let resolve = |bound: isize| if bound < 0 { bound + len } else { bound };
        let (lowest, highest) = if self.step > 0 { (0, len) } else { (-1, len - 1) };
        let (first, last) = if self.step > 0 { (0, len) } else { (len - 1, -1) };
        let mut at = self.start.map_or(first, |start| resolve(start).clamp(lowest, highest));
        let stop = self.stop.map_or(last, |stop| resolve(stop).clamp(lowest, highest));
        let mut indices = Vec::new();
        while if self.step > 0 { at < stop } else { at > stop } {
            indices.push(at.cast_unsigned());
            at += self.step;
        }
        indices
    }
}

impl From<Notation> for Slice {
    fn from(Notation { start, stop, step }: Notation) -> Self {
        Self::new(start, stop, step)
    }
}

/// Copies bytes that start at this index, page by page. Each page is touched first, so the order of faults does not
/// depend on how the machine copies.
fn copied(mut bytes: &[u8], index: usize) -> Vec<u8> {
    let mut copy = Vec::with_capacity(bytes.len());
    while !bytes.is_empty() {
        let (part, rest) = bytes.split_at(bytes.len().min(PAGE - (index + copy.len()) % PAGE));
        copy.push(std::hint::black_box(part[0]));
        copy.extend_from_slice(&part[1..]);
        bytes = rest;
    }
    copy
}

/// Converts a result to an outcome.
pub(super) fn outcome<T>(result: Result<T, Error>, value: impl FnOnce(T) -> Value) -> Outcome {
    result.map(value).map_err(|error| error.name())
}

impl Call {
    /// Makes the call.
    pub(super) fn perform<B: Backend>(&self, map: &mut Mapping<B>) -> Outcome {
        let nothing = |()| Value::Nothing;
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        let byte = |byte: u8| Value::Bytes(vec![byte]);
        match self {
            Self::Read(n) => outcome(map.read_bytes(*n), bytes),
            Self::ReadLine => outcome(map.readline(), bytes),
            Self::ReadByte => outcome(map.read_byte(), byte),
            Self::Write(data) if data.len() == 1 => outcome(map.write_byte(data[0]), |()| Value::Number(1)),
            Self::Write(data) => outcome(map.write_bytes(data), |n| Value::Number(n as u64)),
            Self::Seek(to) => outcome(map.seek(*to), Value::Number),
            Self::GetItem(index) => outcome(map.get_item(*index), byte),
            Self::SetItem(index, byte) => outcome(map.set_item(*index, *byte), nothing),
            Self::GetSlice(slice) => outcome(map.get_slice(*slice), Value::Bytes),
            Self::SetSlice(slice, data) => outcome(map.set_slice(*slice, data), nothing),
            &Self::Range { start, len, change: None } => outcome(map.range(start..start + len), bytes),
            &Self::Range { start, len, change: Some(change) } => outcome(map.range_mut(start..start + len), |bytes| {
                change.apply(bytes);
                Value::Bytes(bytes.to_vec())
            }),
            &Self::Index { start, len, change } => {
                if let Some(change) = change {
                    change.apply(&mut map[start..start + len]);
                }
                Ok(Value::Bytes(copied(&map[start..start + len], start)))
            }
            Self::Find { needle, within: None, is_first: true } => outcome(map.find(needle), Value::Place),
            Self::Find { needle, within: None, is_first: false } => outcome(map.rfind(needle), Value::Place),
            &Self::Find { ref needle, within: Some((start, end)), is_first } => {
                let range = start.cast_signed()..end.cast_signed();
                let found = if is_first { map.find_in(needle, range) } else { map.rfind_in(needle, range) };
                outcome(found, Value::Place)
            }
            &Self::Move { dest, src, count } => outcome(map.move_within(dest, src, count), nothing),
            Self::Flush { is_sync: true, range: None } => outcome(map.flush(), nothing),
            Self::Flush { is_sync: false, range: None } => outcome(map.flush_async(), nothing),
            &Self::Flush { is_sync: true, range: Some((start, len)) } => outcome(map.flush_range(start, len), nothing),
            &Self::Flush { is_sync: false, range: Some((start, len)) } => {
                outcome(map.flush_async_range(start, len), nothing)
            }
            &Self::Advise(advice, start, len) => outcome(map.advise_range(advice, start, len), nothing),
            Self::Refresh(range) => {
                let done = match *range {
                    None => map.refresh(),
                    Some((start, len)) => map.refresh_range(start, len),
                };
                outcome(done, nothing)
            }
            Self::Resize(len) => outcome(map.resize(*len), nothing),
            Self::Size => outcome(map.size(), Value::Number),
            Self::Close => outcome(map.close(), nothing),
        }
    }
}
