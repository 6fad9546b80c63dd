//! One mapping of the model: the calls with Python's rules and those of the guard, over the bytes of the mapping.
//!
//! Some rules are choices where the documentation leaves a question open:
//!
//! - A call that touches several missing pages records the lowest one; if it goes backwards or uses two ranges, any of
//!   them.
//! - `readline` touches only the pages of its line: the state of the pages after the line does not matter.
//! - A move of no bytes, and a move of bytes to the same place, touch nothing.

use std::io::SeekFrom;
use std::ops::Range;

use super::call::{Call, Change, Notation, Outcome, Value};
use super::file::{File, PAGE};
use super::memory::{Memory, Missing, TRUNCATED};
use super::rows::Backend;
use super::window::{Window, pages};

/// A mapping.
pub(super) struct View {
    pub(super) bytes: Memory,
    pub(super) position: usize,
    /// Whether the last write-back may have succeeded where the model says that it fails.
    pub(super) is_undecided: bool,
}

/// The range of `len` bytes from `start`, if it ends at or before `limit`.
fn within(start: usize, len: usize, limit: usize) -> Result<Range<usize>, &'static str> {
    start.checked_add(len).filter(|&end| end <= limit).map(|end| start..end).ok_or("OutOfRange")
}

/// The pages of single bytes, in their order.
fn pages_of(indices: &[usize]) -> Vec<usize> {
    let mut pages: Vec<usize> = indices.iter().map(|index| index / PAGE).collect();
    pages.dedup();
    pages
}

impl View {
    pub(super) fn new(backend: Backend, window: Window, guard: bool) -> Self {
        Self { bytes: Memory::new(backend, window, guard), position: 0, is_undecided: false }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.window().len
    }

    /// The pages that a call touches, in order, if its checks succeed.
    pub(super) fn reached(&self, file: &File, call: &Call) -> Vec<usize> {
        let len = self.len();
        let clamped = |start: usize, count: usize| pages(&(start.min(len)..start.saturating_add(count).min(len)));
        match *call {
            Call::Read(n) => clamped(self.position, n).collect(),
            Call::ReadByte => clamped(self.position, 1).collect(),
            Call::Write(ref data) => clamped(self.position, data.len()).collect(),
            Call::ReadLine => pages(&self.line(file)).collect(),
            Call::Find { ref needle, within, .. } => match self.searched(needle, within) {
                Some(range) if !needle.is_empty() => pages(&range).collect(),
                _ => vec![],
            },
            Call::GetItem(index) | Call::SetItem(index, _) => self.index(index).map_or(vec![], |at| vec![at / PAGE]),
            Call::GetSlice(slice) | Call::SetSlice(slice, _) => pages_of(&self.picked(slice)),
            Call::Range { start, len: count, .. } | Call::Index { start, len: count, .. } => {
                clamped(start, count).collect()
            }
            Call::Move { dest, src, .. } if dest == src => vec![],
            Call::Move { dest, src, count } => clamped(src, count).chain(clamped(dest, count)).collect(),
            _ => vec![],
        }
    }

    fn index(&self, index: isize) -> Option<usize> {
        let len = self.len().cast_signed();
        let at = if index < 0 { index + len } else { index };
        (0..len).contains(&at).then(|| at.cast_unsigned())
    }

    /// The indices that a slice selects.
    fn picked(&self, slice: Notation) -> Vec<usize> {
        if slice.step == 0 { vec![] } else { slice.indices(self.len()) }
    }

    /// The range of a search. `None` if the needle is too long for it.
    fn searched(&self, needle: &[u8], within: Option<(usize, usize)>) -> Option<Range<usize>> {
        let (start, end) = within.unwrap_or((self.position, self.len()));
        let end = end.min(self.len());
        (start <= end && needle.len() <= end - start).then_some(start..end)
    }

    /// The bytes from the position up to the first end of a line, or up to a missing page.
    fn line(&self, file: &File) -> Range<usize> {
        let start = self.position.min(self.len());
        for page in pages(&(start..self.len())) {
            let part = self.part(page, &(start..self.len()));
            let newline = self.get(file, part.clone()).iter().position(|&byte| byte == b'\n');
            if let Some(distance) = newline {
                return start..part.start + distance + 1;
            }
            if self.bytes.is_gone(file, page) {
                return start..part.end;
            }
        }
        start..self.len()
    }

    /// The bytes of a range in one page.
    fn part(&self, page: usize, range: &Range<usize>) -> Range<usize> {
        let page = self.bytes.window().page(page);
        range.start.max(page.start)..range.end.min(page.end)
    }

    pub(super) fn byte(&self, file: &File, index: usize) -> u8 {
        self.bytes.shown(file, index / PAGE)[index % PAGE]
    }

    fn get(&self, file: &File, range: Range<usize>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(range.len());
        for page in pages(&range) {
            let part = self.part(page, &range);
            bytes.extend_from_slice(&self.bytes.shown(file, page)[part.start - page * PAGE..part.end - page * PAGE]);
        }
        bytes
    }

    /// Sets the bytes from an index.
    fn set(&mut self, file: &mut File, mut index: usize, mut data: &[u8]) {
        while !data.is_empty() {
            let (part, rest) = data.split_at(data.len().min(PAGE - index % PAGE));
            self.bytes.store(file, index, part);
            (index, data) = (index + part.len(), rest);
        }
    }

    /// Applies a change to a range, and returns its bytes.
    fn set_some(&mut self, file: &mut File, range: Range<usize>, change: Option<Change>) -> Value {
        if let Some(change) = change {
            self.bytes.borrow_mut(&pages(&range).collect::<Vec<_>>());
            for index in change.indices(range.len()) {
                self.set(file, range.start + index, &[change.byte]);
            }
        }
        Value::Bytes(self.get(file, range))
    }

    /// Returns the expected result of a call. `fault` is the page of the fault that the mapping reports after it.
    pub(super) fn expect(&mut self, file: &mut File, call: &Call, fault: Option<usize>) -> Outcome {
        let reached = self.reached(file, call);
        let is_writable = self.bytes.window().is_writable();
        match call {
            Call::Index { start, len, change } => {
                self.bytes.use_pages(file, &reached);
                return Ok(self.set_some(file, *start..start + len, *change));
            }
            Call::Refresh(range) => {
                let (start, len) = range.unwrap_or((0, self.len()));
                self.bytes.refresh(file, pages(&within(start, len, self.len())?));
                return Ok(Value::Nothing);
            }
            Call::Close => return self.write_back(file, &(0..self.len())),
            // The fault is reported before any other error.
            _ if self.bytes.fault().is_some() => return Err(TRUNCATED),
            Call::Write(_) | Call::SetItem(..) | Call::SetSlice(..) | Call::Move { .. } if !is_writable => {
                return Err("ReadOnly");
            }
            Call::Range { change: Some(_), .. } if !is_writable => return Err("ReadOnly"),
            _ => {}
        }
        // Of several missing pages, a call that does not go forwards may record any.
        let first = match call {
            Call::GetSlice(slice) | Call::SetSlice(slice, _) if slice.step < 0 => fault,
            Call::Move { .. } | Call::Find { is_first: false, .. } => fault,
            _ => None,
        };
        match call {
            Call::Flush { .. } | Call::Advise(..) | Call::Resize(_) | Call::Size | Call::Seek(_) => {
                self.manage(file, call)
            }
            Call::Read(_) | Call::ReadLine | Call::ReadByte | Call::GetItem(_) | Call::GetSlice(_) => {
                self.read(file, call, &reached, first)
            }
            Call::Find { needle, within, is_first } => self.find(file, (needle, *within), *is_first, &reached, first),
            _ => self.write(file, call, &reached, first),
        }
    }

    /// The results of calls that return bytes.
    fn read(&mut self, file: &File, call: &Call, reached: &[usize], first: Option<usize>) -> Outcome {
        let (len, start) = (self.len(), self.position.min(self.len()));
        let range = match call {
            Call::Read(n) => start..start.saturating_add(*n).min(len),
            Call::ReadByte => within(self.position, 1, len)?,
            Call::ReadLine => {
                // A buffer reads ahead to find the end of the line.
                pages(&(start..len)).for_each(|page| self.bytes.may_load(file, page));
                self.line(file)
            }
            Call::GetItem(index) => {
                let at = self.index(*index).ok_or("IndexOutOfRange")?;
                self.bytes.touch(file, reached, first)?;
                return Ok(Value::Bytes(self.get(file, at..at + 1)));
            }
            Call::GetSlice(slice) if slice.step != 0 => {
                self.bytes.touch(file, reached, first)?;
                return Ok(Value::Bytes(self.picked(*slice).into_iter().map(|at| self.byte(file, at)).collect()));
            }
            _ => return Err("OutOfRange"),
        };
        self.bytes.touch(file, reached, first)?;
        if !range.is_empty() {
            self.position = range.end;
        }
        Ok(Value::Bytes(self.get(file, range)))
    }

    /// The results of calls that set or borrow bytes: they set all bytes or none.
    fn write(&mut self, file: &mut File, call: &Call, reached: &[usize], first: Option<usize>) -> Outcome {
        let len = self.len();
        match call {
            Call::Write(data) => {
                let range = within(self.position, data.len(), len)?;
                self.bytes.touch(file, reached, first)?;
                self.bytes.borrow_mut(reached);
                self.set(file, range.start, data);
                self.position = range.end;
                Ok(Value::Number(data.len() as u64))
            }
            Call::SetItem(index, byte) => {
                let at = self.index(*index).ok_or("IndexOutOfRange")?;
                self.bytes.touch(file, reached, first)?;
                self.bytes.borrow_mut(reached);
                self.set(file, at, &[*byte]);
                Ok(Value::Nothing)
            }
            Call::SetSlice(Notation { step: 0, .. }, _) => Err("OutOfRange"),
            Call::SetSlice(slice, data) => {
                let indices = self.picked(*slice);
                if indices.len() != data.len() {
                    return Err("SizeMismatch");
                }
                self.bytes.touch(file, reached, first)?;
                self.bytes.borrow_mut(reached);
                indices.into_iter().zip(data).for_each(|(at, byte)| self.set(file, at, &[*byte]));
                Ok(Value::Nothing)
            }
            Call::Range { start, len: count, change } => {
                let range = within(*start, *count, len)?;
                self.bytes.touch(file, reached, first)?;
                Ok(self.set_some(file, range, *change))
            }
            Call::Move { dest, src, count } => {
                let from = within(*src, *count, len)?;
                let to = within(*dest, *count, len)?;
                if from != to {
                    self.bytes.touch(file, reached, first)?;
                    self.bytes.borrow_mut(&pages(&to).collect::<Vec<_>>());
                    let data = self.get(file, from);
                    self.set(file, to.start, &data);
                }
                Ok(Value::Nothing)
            }
            _ => unreachable!("{call:?} sets nothing"),
        }
    }

    /// The results of the other calls.
    fn manage(&mut self, file: &mut File, call: &Call) -> Outcome {
        match call {
            Call::Flush { range, .. } => {
                let (start, len) = range.unwrap_or((0, self.len()));
                let range = within(start, len, self.len())?;
                if self.bytes.window().reaches_file() && start % PAGE != 0 {
                    return Err("Misaligned");
                }
                self.write_back(file, &range)
            }
            Call::Advise(_, start, _) if *start >= self.len() => Err("OutOfRange"),
            Call::Advise(_, start, _) if start % PAGE != 0 => Err("Misaligned"),
            Call::Advise(advice, start, len) => {
                let advised = pages(&(*start..start.saturating_add(*len).min(self.len())));
                self.bytes.advise(file, *advice, advised);
                Ok(Value::Nothing)
            }
            Call::Resize(_) if !self.bytes.window().reaches_file() => Err("ReadOnly"),
            Call::Resize(0) => Err("OutOfRange"),
            Call::Resize(len) => {
                self.bytes.resize(file, *len);
                file.set_len(self.bytes.window().offset + len);
                Ok(Value::Nothing)
            }
            Call::Size => Ok(Value::Number(file.size() as u64)),
            Call::Seek(to) => {
                let target = match to {
                    SeekFrom::Start(n) => i128::from(*n),
                    SeekFrom::Current(n) => self.position as i128 + i128::from(*n),
                    SeekFrom::End(n) => self.len() as i128 + i128::from(*n),
                };
                let is_within = (0..=self.len() as i128).contains(&target);
                self.position = usize::try_from(target).ok().filter(|_| is_within).ok_or("OutOfRange")?;
                Ok(Value::Number(self.position as u64))
            }
            _ => unreachable!("{call:?} is not one of these calls"),
        }
    }

    fn write_back(&mut self, file: &mut File, range: &Range<usize>) -> Outcome {
        match self.bytes.write_back(file, range) {
            Missing::Nothing => Ok(Value::Nothing),
            Missing::Something => Err(TRUNCATED),
            Missing::Perhaps => {
                self.is_undecided = true;
                Err(TRUNCATED)
            }
        }
    }

    /// A search touches its whole range, because these mappings are shorter than its first step.
    fn find(
        &mut self,
        file: &File,
        (needle, within): (&[u8], Option<(usize, usize)>),
        is_first: bool,
        reached: &[usize],
        first: Option<usize>,
    ) -> Outcome {
        let Some(Range { start, end }) = self.searched(needle, within) else { return Ok(Value::Place(None)) };
        if needle.is_empty() {
            return Ok(Value::Place(Some(if is_first { start } else { end })));
        }
        self.bytes.touch(file, reached, first)?;
        let bytes = self.get(file, start..end);
        let mut places = bytes.windows(needle.len());
        let is_needle = |window: &[u8]| window == needle;
        let found = if is_first { places.position(is_needle) } else { places.rposition(is_needle) };
        Ok(Value::Place(found.map(|index| start + index)))
    }
}
