//! The meaning of libFuzzer's bytes: steps of a few numbers each, which are adjusted to their mapping.

use std::io::SeekFrom;

use arbitrary::{Arbitrary, Unstructured};
use portable_mmap::{Access, Advice};

use super::call::{Call, Change, Notation};
use super::file::{MAX_PAGES, PAGE};

/// The number of mappings at once.
pub(super) const SLOTS: usize = 3;

/// The maximum number of steps, because people have to read a finding.
const MAX_STEPS: usize = 48;

/// A file, and operations on mappings of it.
#[derive(Debug)]
pub struct Input {
    pub(super) len: Length,
    pub(super) is_text: bool,
    /// Whether the file is truncated while it is mapped. Then OS mappings have a guard.
    pub(super) has_cuts: bool,
    pub(super) steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let (len, is_text, has_cuts) = bytes.arbitrary()?;
        Ok(Self { len, is_text, has_cuts, steps: crate::all_of(bytes, MAX_STEPS)? })
    }
}

/// A step. All steps have the same size and no unused byte, so most changes of an input have an effect.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) struct Step {
    operation: u8,
    pub(super) slot: u8,
    at: Length,
    len: Length,
    byte: u8,
    more: u8,
}

/// An index or a length: near a page border in half of the cases.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) struct Length(u16);

/// The operation of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Map,
    Drop,
    /// A write by another writer.
    Write,
    SetLen,
    /// A call of a mapping.
    Call(Kind),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    ReadLine,
    ReadByte,
    Write,
    WriteByte,
    Seek,
    GetItem,
    SetItem,
    GetSlice,
    SetSlice,
    Range,
    Index,
    Find,
    Move,
    Flush,
    Advise,
    Refresh,
    Resize,
    Size,
    Close,
}

/// The operations and their frequencies, in 64ths.
const OPERATIONS: [(u8, Operation); 24] = [
    (5, Operation::Map),
    (1, Operation::Drop),
    (6, Operation::Write),
    (3, Operation::SetLen),
    (2, Operation::Call(Kind::Read)),
    (1, Operation::Call(Kind::ReadLine)),
    (1, Operation::Call(Kind::ReadByte)),
    (4, Operation::Call(Kind::Write)),
    (1, Operation::Call(Kind::WriteByte)),
    (2, Operation::Call(Kind::Seek)),
    (2, Operation::Call(Kind::GetItem)),
    (3, Operation::Call(Kind::SetItem)),
    (2, Operation::Call(Kind::GetSlice)),
    (2, Operation::Call(Kind::SetSlice)),
    (6, Operation::Call(Kind::Range)),
    (4, Operation::Call(Kind::Index)),
    (2, Operation::Call(Kind::Find)),
    (2, Operation::Call(Kind::Move)),
    (5, Operation::Call(Kind::Flush)),
    (1, Operation::Call(Kind::Advise)),
    (5, Operation::Call(Kind::Refresh)),
    (2, Operation::Call(Kind::Resize)),
    (1, Operation::Call(Kind::Size)),
    (1, Operation::Call(Kind::Close)),
];

impl Length {
    /// A number up to `len`, and sometimes above.
    pub(super) fn within(self, len: usize) -> usize {
        let Self(n) = self;
        let [low, high] = n.to_le_bytes();
        if high < 0x80 {
            return usize::from(n) % (len + len / 16 + 2);
        }
        let page = usize::from(high) % (len / PAGE + 1);
        (page * PAGE).saturating_add_signed(low.cast_signed().into())
    }

    /// A length of the file from `offset`.
    pub(super) fn of_file(self, offset: usize) -> usize {
        let most = MAX_PAGES * PAGE - offset;
        self.within(most).min(most)
    }
}

/// The options of a new mapping.
#[derive(Clone, Copy, Debug)]
pub(super) struct MapRequest {
    pub(super) offset: usize,
    pub(super) len: usize,
    pub(super) access: Access,
    pub(super) guard: bool,
    pub(super) extend: bool,
    /// Whether all pages should be loaded at once.
    pub(super) populate: bool,
}

/// The mapping of a call.
pub(super) struct Context<'a> {
    pub(super) offset: usize,
    pub(super) len: usize,
    pub(super) is_text: bool,
    /// The byte at an index.
    pub(super) content: &'a dyn Fn(usize) -> u8,
}

impl Step {
    pub(super) fn operation(self) -> Operation {
        let mut left = self.operation % 64;
        for (share, operation) in OPERATIONS {
            if left < share {
                return operation;
            }
            left -= share;
        }
        unreachable!("the shares add up to 64")
    }

    pub(super) fn map_request(self) -> MapRequest {
        let offset = usize::from(self.byte % 3) * PAGE;
        let access = [Access::Write, Access::Write, Access::Write, Access::Default, Access::Copy, Access::Read];
        MapRequest {
            offset,
            // Half of the mappings reach to the end of the file.
            len: if self.more & 8 == 0 { 0 } else { self.len.of_file(offset) },
            access: access[usize::from(self.at.0) % access.len()],
            guard: self.more & 1 != 0,
            extend: self.more & 6 == 6,
            populate: self.more & 0x70 == 0x70 && access[usize::from(self.at.0) % access.len()] == Access::Default,
        }
    }

    /// Whether a file that is truncated grows to its old length at once.
    pub(super) fn grows_again(self) -> bool {
        self.byte % 4 == 3
    }

    /// A new length of the file.
    pub(super) fn file_len(self) -> usize {
        self.len.of_file(0)
    }

    /// Bytes for the file, and their offset.
    pub(super) fn write(self, is_text: bool) -> (usize, Vec<u8>) {
        let at = self.at.of_file(0);
        let mut bytes = self.data(2 * PAGE, is_text);
        bytes.truncate(MAX_PAGES * PAGE - at);
        (at, bytes)
    }

    /// A text has few different bytes, so that a stored byte often equals the old one.
    fn letter(self, n: usize, is_text: bool) -> u8 {
        let byte = self.byte.wrapping_add(n.to_le_bytes()[0]);
        if is_text { b"abc\n"[usize::from(byte % 4)] } else { byte }
    }

    /// Bytes, all equal or not; usually few.
    fn data(self, limit: usize, is_text: bool) -> Vec<u8> {
        let len = self.len.within(if self.more & 6 == 0 { limit } else { limit.min(64) });
        match self.more & 1 {
            0 => vec![self.letter(0, is_text); len],
            _ => (0..len).map(|i| self.letter(i, is_text)).collect(),
        }
    }

    /// One page of a mapping of `len` bytes.
    fn one_page(self, len: usize) -> (usize, usize) {
        let start = usize::from(self.byte) % len.div_ceil(PAGE) * PAGE;
        (start, PAGE.min(len - start))
    }

    /// A page number, which is usually valid.
    fn page(self) -> usize {
        usize::from(self.byte % 8) * PAGE + usize::from(self.byte == 255)
    }

    /// The call.
    pub(super) fn call(self, kind: Kind, context: &Context<'_>) -> Call {
        let &Context { offset, len, is_text, content } = context;
        let (at, count) = (self.at.within(len), self.len.within(len));
        let flag = self.more & 1 != 0;
        let index = if flag { -at.cast_signed() } else { at.cast_signed() };
        let change = (self.more & 2 != 0)
            .then(|| Change { stride: 1 + usize::from(self.more / 4), byte: self.letter(0, is_text) });
        match kind {
            Kind::Read => Call::Read(count),
            Kind::ReadLine => Call::ReadLine,
            Kind::ReadByte => Call::ReadByte,
            Kind::Write => Call::Write(self.data(len, is_text)),
            Kind::WriteByte => Call::Write(vec![self.letter(0, is_text)]),
            Kind::Seek => Call::Seek(match self.byte % 4 {
                0 => SeekFrom::Current(index as i64),
                1 => SeekFrom::End(index as i64),
                _ => SeekFrom::Start(at as u64),
            }),
            Kind::GetItem => Call::GetItem(index),
            Kind::SetItem => Call::SetItem(index, self.letter(0, is_text)),
            Kind::GetSlice => Call::GetSlice(self.notation(len)),
            Kind::SetSlice => {
                let slice = self.notation(len);
                let count = if slice.step == 0 { 0 } else { slice.indices(len).len() };
                // Sometimes one too many.
                let count = count + usize::from(self.byte > 250);
                Call::SetSlice(slice, (0..count).map(|i| self.letter(i, is_text)).collect())
            }
            Kind::Range => Call::Range { start: at, len: count, change },
            Kind::Index => Call::Index { start: at.min(len), len: count.min(len - at.min(len)), change },
            Kind::Find => {
                let (start, most) = (usize::from(self.byte) * 53 % (len + 1), usize::from(self.more / 4 % 16));
                Call::Find {
                    needle: (start..len.min(start + most)).map(content).collect(),
                    within: flag.then_some((at, count)),
                    is_first: self.more & 2 != 0,
                }
            }
            Kind::Move => Call::Move { dest: at, src: usize::from(self.byte) * 67 % (len + 9), count },
            Kind::Flush => {
                let range = if self.more & 4 == 0 { (self.page(), count) } else { self.one_page(len) };
                Call::Flush { is_sync: self.more & 2 != 0, range: flag.then_some(range) }
            }
            Kind::Advise => {
                let hints = [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed, Advice::DontNeed];
                Call::Advise(hints[usize::from(self.more) % hints.len()], self.page(), count)
            }
            Kind::Refresh => {
                let range = if self.more & 4 == 0 { (at, count) } else { self.one_page(len) };
                Call::Refresh(flag.then_some(range))
            }
            Kind::Resize => Call::Resize(self.len.of_file(offset)),
            Kind::Size => Call::Size,
            Kind::Close => Call::Close,
        }
    }

    /// A slice of not too many bytes, because each costs time and the notation has its own target.
    fn notation(self, len: usize) -> Notation {
        let size = isize::from(self.more / 8);
        let step = match self.more % 8 {
            0..3 => 1,
            3 => -1,
            4 => size,
            5 => -size,
            6 => size * 297,
            _ => size * -297,
        };
        let start = self.at.within(len).cast_signed();
        let most = if step.unsigned_abs() == 1 { 300 } else { 40 };
        let stop = start + step * isize::try_from(self.len.0 % most).unwrap_or(0);
        // A negative stop would count from the end, so it is omitted where it means a position before the first byte.
        Notation { start: Some(start), stop: (stop >= 0).then_some(stop), step }
    }
}
