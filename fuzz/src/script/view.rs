//! One mapping of the model: Python's rules over the bytes that a backend promises.

use std::collections::BTreeSet;
use std::io::SeekFrom;
use std::ops::Range;

use super::call::{Call, Change, Notation, Outcome, Value};
use super::file::{File, PAGE};
use super::promise::{Promise, Window, pages};

/// Who touches bytes, and so what comes of those that are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touch {
    /// A call: an error.
    Call,
    /// A borrow, or the slice face: zeros.
    Use,
}

/// A mapping.
pub(super) struct View<P> {
    pub(super) bytes: P,
    pub(super) position: usize,
    pub(super) guard: bool,
    /// The pages that were touched in vain since the last refresh of them all: there is a fault while there are any.
    pub(super) vain: BTreeSet<usize>,
    /// Those of which it is not known whether they were, behind such a page.
    maybe_vain: BTreeSet<usize>,
}

const TRUNCATED: Outcome = Err("Truncated");

/// `len` bytes from `start`, if they lie within `limit`.
fn within(start: usize, len: usize, limit: usize) -> Result<Range<usize>, &'static str> {
    start.checked_add(len).filter(|&end| end <= limit).map(|end| start..end).ok_or("OutOfRange")
}

/// The ranges that single bytes make: what lies between them is not touched.
fn singles(indices: &[usize]) -> Vec<Range<usize>> {
    indices.iter().map(|&at| at..at + 1).collect()
}

impl<P: Promise> View<P> {
    pub(super) fn new(window: Window, guard: bool) -> Self {
        Self { bytes: P::new(window), position: 0, guard, vain: BTreeSet::new(), maybe_vain: BTreeSet::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.window().len
    }

    /// The bytes that a call is about to touch, in order; those of a search may be.
    pub(super) fn reached(&self, call: &Call) -> Vec<Range<usize>> {
        let len = self.len();
        let clamped = |start: usize, count: usize| start.min(len)..start.saturating_add(count).min(len);
        match *call {
            Call::Read(n) => vec![clamped(self.position, n)],
            Call::ReadByte => vec![clamped(self.position, 1)],
            Call::Write(ref data) => vec![clamped(self.position, data.len())],
            Call::ReadLine | Call::Find { within: None, .. } => vec![clamped(self.position, len)],
            Call::Find { within: Some((start, end)), .. } => vec![start.min(end).min(len)..end.min(len); 1],
            Call::GetItem(index) | Call::SetItem(index, _) => self.index(index).map_or(vec![], |at| singles(&[at])),
            Call::GetSlice(slice) | Call::SetSlice(slice, _) => self.picked(slice).1,
            Call::Range { start, len: count, .. } | Call::Index { start, len: count, .. } => {
                vec![clamped(start, count)]
            }
            Call::Move { dest, src, count } => vec![clamped(src, count), clamped(dest, count)],
            _ => vec![],
        }
    }

    pub(super) fn has_gone(&self, file: &File, ranges: &[Range<usize>]) -> bool {
        ranges.iter().flat_map(pages).any(|page| self.bytes.is_gone(file, page))
    }

    fn index(&self, index: isize) -> Option<usize> {
        let len = self.len().cast_signed();
        let at = if index < 0 { index + len } else { index };
        (0..len).contains(&at).then(|| at.cast_unsigned())
    }

    /// The indices that a slice picks, and the bytes that are touched for them: all in between, unless they lie in
    /// pages of their own.
    fn picked(&self, slice: Notation) -> (Vec<usize>, Vec<Range<usize>>) {
        if slice.step == 0 {
            return (vec![], vec![]);
        }
        let indices = slice.indices(self.len());
        let ranges = match (indices.iter().min(), indices.iter().max()) {
            (Some(&lowest), Some(&highest)) if slice.step.unsigned_abs() <= PAGE => vec![lowest..highest + 1; 1],
            _ => singles(&indices),
        };
        (indices, ranges)
    }

    pub(super) fn byte(&self, file: &File, index: usize) -> u8 {
        self.bytes.shown(file, index / PAGE)[index % PAGE]
    }

    fn get(&self, file: &File, range: Range<usize>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(range.len());
        for page in pages(&range) {
            let part = range.start.max(page * PAGE)..range.end.min((page + 1) * PAGE);
            bytes.extend_from_slice(&self.bytes.shown(file, page)[part.start - page * PAGE..part.end - page * PAGE]);
        }
        bytes
    }

    /// Sets the bytes from an index on.
    fn set(&mut self, file: &mut File, mut index: usize, mut data: &[u8]) {
        while !data.is_empty() {
            let (part, rest) = data.split_at(data.len().min(PAGE - index % PAGE));
            self.bytes.store(file, index, part);
            (index, data) = (index + part.len(), rest);
        }
    }

    /// Touches ranges in order. After an error nothing but what is loaded has changed.
    fn touch(&mut self, file: &File, ranges: &[Range<usize>], touch: Touch) -> Result<(), &'static str> {
        if touch == Touch::Call && !P::LAZY {
            self.load_all(file, ranges)?;
        }
        let has_gone = self.has_gone(file, ranges);
        for page in ranges.iter().flat_map(pages) {
            if self.bytes.is_gone(file, page) {
                self.vain.insert(page);
            }
            self.bytes.load(file, page);
        }
        if has_gone && touch == Touch::Call { Err("Truncated") } else { Ok(()) }
    }

    /// A buffer loads before it does anything else, and nothing more once a page is gone.
    fn load_all(&mut self, file: &File, ranges: &[Range<usize>]) -> Result<(), &'static str> {
        for (at, range) in ranges.iter().enumerate() {
            let Some(gone) = pages(range).find(|&page| self.bytes.is_gone(file, page)) else { continue };
            for page in ranges[..at].iter().flat_map(pages).chain(pages(range).start..gone) {
                self.bytes.may_load(file, page);
                self.bytes.may_read_ahead(file, page);
            }
            if self.guard {
                // As far as nothing is loaded: what of the rest is, nobody has looked at.
                let mut run = (gone..pages(range).end).take_while(|&page| self.bytes.is_gone(file, page));
                self.vain.insert(gone);
                let sure = run.by_ref().skip(1).take_while(|&page| !self.bytes.is_unsure(file, page));
                self.vain.extend(sure);
                self.maybe_vain.extend(self.vain.last().map_or(gone, |last| last + 1)..pages(range).end);
            }
            return Err("Truncated");
        }
        Ok(())
    }

    /// What borrowing a range to read it does.
    const BORROW: Touch = if P::LAZY { Touch::Use } else { Touch::Call };

    /// What a call gives. Where more than one outcome is right, that of `got` is, if it is one of them.
    pub(super) fn expect(&mut self, file: &mut File, call: &Call, got: &Outcome) -> Outcome {
        let has_fault = !self.vain.is_empty();
        match call {
            Call::Index { start, len, change } => return self.borrow(file, *start..start + len, *change, Touch::Use),
            Call::Refresh(range) => return self.refresh(file, *range, got),
            Call::Close => {
                let all_written = self.bytes.flush(file, &(0..self.len()), *got == TRUNCATED);
                return if all_written { Ok(Value::Nothing) } else { TRUNCATED };
            }
            _ if has_fault => return TRUNCATED,
            Call::Write(_)
            | Call::SetItem(..)
            | Call::SetSlice(..)
            | Call::Move { .. }
            | Call::Range { change: Some(_), .. }
                if !self.bytes.window().is_writable() =>
            {
                return Err("ReadOnly");
            }
            _ => {}
        }
        match call {
            Call::Flush { .. } | Call::Advise(..) | Call::Resize(_) | Call::Size => self.manage(file, call, got),
            _ => self.answer(file, call, got),
        }
    }

    /// What the slice face and the file face give, of a mapping that may be used.
    fn answer(&mut self, file: &mut File, call: &Call, got: &Outcome) -> Outcome {
        let ranges = self.reached(call);
        match call {
            Call::Read(_) => {
                let range = ranges[0].clone();
                self.touch(file, &ranges, Self::BORROW)?;
                let bytes = self.get(file, range.clone());
                if !range.is_empty() {
                    self.position = range.end;
                }
                Ok(Value::Bytes(bytes))
            }
            Call::ReadByte => {
                within(self.position, 1, self.len())?;
                self.touch(file, &ranges, Touch::Call)?;
                self.position += 1;
                Ok(Value::Bytes(self.get(file, ranges[0].clone())))
            }
            Call::ReadLine => self.read_line(file, &ranges[0], got),
            Call::Write(data) => {
                let range = within(self.position, data.len(), self.len())?;
                self.change(file, &ranges, range.start, data)?;
                self.position += data.len();
                Ok(Value::Number(data.len() as u64))
            }
            Call::Seek(to) => self.seek(*to),
            Call::GetItem(index) => {
                let at = self.index(*index).ok_or("IndexOutOfRange")?;
                self.touch(file, &ranges, Touch::Call)?;
                Ok(Value::Bytes(self.get(file, at..at + 1)))
            }
            Call::SetItem(index, byte) => {
                let at = self.index(*index).ok_or("IndexOutOfRange")?;
                self.change(file, &ranges, at, &[*byte])
            }
            Call::GetSlice(Notation { step: 0, .. }) | Call::SetSlice(Notation { step: 0, .. }, _) => Err("OutOfRange"),
            Call::GetSlice(slice) => {
                self.touch(file, &ranges, Touch::Call)?;
                let indices = self.picked(*slice).0;
                Ok(Value::Bytes(indices.into_iter().map(|index| self.byte(file, index)).collect()))
            }
            Call::SetSlice(slice, data) => {
                let indices = self.picked(*slice).0;
                if indices.len() != data.len() {
                    return Err("SizeMismatch");
                }
                self.change(file, &ranges, 0, &[])?;
                indices
                    .into_iter()
                    .zip(data)
                    .for_each(|(index, byte)| self.set(file, index, std::slice::from_ref(byte)));
                Ok(Value::Nothing)
            }
            Call::Range { start, len, change } => {
                let range = within(*start, *len, self.len())?;
                self.borrow(file, range, *change, if change.is_some() { Touch::Call } else { Self::BORROW })
            }
            Call::Find { needle, within, is_first } => {
                let (start, end) = within.unwrap_or((self.position, self.len()));
                self.find(file, needle, (start, end.min(self.len())), *is_first, got)
            }
            Call::Move { dest, src, count } => {
                let from = within(*src, *count, self.len())?;
                let to = within(*dest, *count, self.len())?;
                if from == to || from.is_empty() {
                    return Ok(Value::Nothing);
                }
                self.touch(file, &ranges, Touch::Call)?;
                let data = self.get(file, from);
                self.change(file, &ranges, to.start, &data)
            }
            _ => unreachable!("{call:?} is no call of these"),
        }
    }

    /// What the calls that concern the file give.
    fn manage(&mut self, file: &mut File, call: &Call, got: &Outcome) -> Outcome {
        match call {
            Call::Flush { range, .. } => {
                let (start, len) = range.unwrap_or((0, self.len()));
                let range = within(start, len, self.len())?;
                if self.bytes.window().reaches_file() && start % PAGE != 0 {
                    return Err("Misaligned");
                }
                let all_written = self.bytes.flush(file, &range, *got == TRUNCATED);
                if all_written { Ok(Value::Nothing) } else { TRUNCATED }
            }
            Call::Advise(advice, start, len) => {
                if *start >= self.len() {
                    return Err("OutOfRange");
                }
                if start % PAGE != 0 {
                    return Err("Misaligned");
                }
                self.bytes.advise(file, *advice, pages(&(*start..start.saturating_add(*len).min(self.len()))));
                Ok(Value::Nothing)
            }
            Call::Resize(len) => {
                if !self.bytes.window().reaches_file() {
                    return Err("ReadOnly");
                }
                if *len == 0 {
                    return Err("OutOfRange");
                }
                self.bytes.resize(file, *len);
                file.set_len(self.bytes.window().offset + len);
                Ok(Value::Nothing)
            }
            Call::Size => Ok(Value::Number(file.size() as u64)),
            _ => unreachable!("{call:?} is no call of these"),
        }
    }

    /// Sets bytes from an index on, all or none: those of `ranges` are touched first.
    fn change(&mut self, file: &mut File, ranges: &[Range<usize>], index: usize, data: &[u8]) -> Outcome {
        for range in ranges {
            self.bytes.borrow(range);
        }
        self.touch(file, ranges, Touch::Call)?;
        self.set(file, index, data);
        Ok(Value::Nothing)
    }

    fn borrow(&mut self, file: &mut File, range: Range<usize>, change: Option<Change>, touch: Touch) -> Outcome {
        if change.is_some() {
            self.bytes.borrow(&range);
        }
        self.touch(file, std::slice::from_ref(&range), touch)?;
        if let Some(change) = change {
            for index in change.indices(range.len()) {
                self.set(file, range.start + index, &[change.byte]);
            }
        }
        Ok(Value::Bytes(self.get(file, range)))
    }

    fn seek(&mut self, to: SeekFrom) -> Outcome {
        let target = match to {
            SeekFrom::Start(n) => i128::from(n),
            SeekFrom::Current(n) => self.position as i128 + i128::from(n),
            SeekFrom::End(n) => self.len() as i128 + i128::from(n),
        };
        if !(0..=self.len() as i128).contains(&target) {
            return Err("OutOfRange");
        }
        self.position = usize::try_from(target).map_err(|_| "OutOfRange")?;
        Ok(Value::Number(self.position as u64))
    }

    /// A search need not touch what lies behind its answer. True if it has, and in vain.
    fn search_is_in_vain(&mut self, file: &File, range: &Range<usize>, got: &Outcome) -> bool {
        let ranges = std::slice::from_ref(range);
        if self.has_gone(file, ranges) && *got == TRUNCATED {
            let is_in_vain = self.touch(file, ranges, Touch::Call).is_err();
            if let (false, Some(&first)) = (P::LAZY, self.vain.first()) {
                // It is asked for piece by piece: those behind the first may not have been.
                self.maybe_vain.append(&mut self.vain.split_off(&(first + 1)));
            }
            return is_in_vain;
        }
        pages(range).for_each(|page| self.bytes.may_load(file, page));
        pages(range).for_each(|page| self.bytes.may_read_ahead(file, page));
        false
    }

    fn read_line(&mut self, file: &File, rest: &Range<usize>, got: &Outcome) -> Outcome {
        if self.search_is_in_vain(file, rest, got) {
            return TRUNCATED;
        }
        let newline = self.get(file, rest.clone()).iter().position(|&byte| byte == b'\n');
        let line = rest.start..newline.map_or(rest.end, |distance| rest.start + distance + 1);
        if self.has_gone(file, std::slice::from_ref(&line)) {
            return TRUNCATED;
        }
        self.touch(file, std::slice::from_ref(&line), Touch::Call)?;
        if !line.is_empty() {
            self.position = line.end;
        }
        Ok(Value::Bytes(self.get(file, line)))
    }

    fn find(
        &mut self,
        file: &File,
        needle: &[u8],
        (start, end): (usize, usize),
        first: bool,
        got: &Outcome,
    ) -> Outcome {
        if start > end {
            return Ok(Value::Place(None));
        }
        if needle.is_empty() {
            return Ok(Value::Place(Some(if first { start } else { end })));
        }
        if end - start < needle.len() {
            return Ok(Value::Place(None));
        }
        if self.search_is_in_vain(file, &(start..end), got) {
            return TRUNCATED;
        }
        let bytes = self.get(file, start..end);
        let found = if first {
            bytes.windows(needle.len()).position(|window| window == needle)
        } else {
            bytes.windows(needle.len()).rposition(|window| window == needle)
        };
        let found = found.map(|index| start + index);
        // No answer rests on bytes that are gone.
        let looked_at = match found {
            Some(at) if first => start..at + needle.len(),
            Some(at) => at..end,
            None => start..end,
        };
        if self.has_gone(file, &[looked_at]) { TRUNCATED } else { Ok(Value::Place(found)) }
    }

    fn refresh(&mut self, file: &File, range: Option<(usize, usize)>, got: &Outcome) -> Outcome {
        let (start, len) = range.unwrap_or((0, self.len()));
        let refreshed = pages(&within(start, len, self.len())?);
        self.bytes.refresh(file, refreshed.clone());
        // A mapping forgets page by page, a buffer all at once.
        let forgets = |set: &BTreeSet<usize>| set.iter().all(|page| refreshed.contains(page));
        if P::LAZY {
            self.vain.retain(|page| !refreshed.contains(page));
        } else if forgets(&self.vain) && (*got == Ok(Value::Number(0)) || forgets(&self.maybe_vain)) {
            self.vain.clear();
            self.maybe_vain.clear();
        }
        Ok(Value::Number(u64::from(!self.vain.is_empty())))
    }
}
