//! Compares slices in Python's notation with a literal implementation of their definition.

use std::cell::RefCell;
use std::ops::Bound;

use arbitrary::{Arbitrary, Unstructured};
use portable_mmap::{BufferedMmap, Error, MmapOptions, Slice};

/// The longest mapping: two pages and a part, so that steps over pages occur.
const MAX_LEN: usize = 9000;

/// The length of a mapping, and calls on it.
#[derive(Debug)]
pub struct Input {
    len: u16,
    calls: Vec<Call>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self { len: bytes.arbitrary()?, calls: crate::all_of(bytes, 32)? })
    }
}

#[derive(Arbitrary, Debug)]
enum Call {
    /// `m[start:stop:step]`
    Get(Option<Number>, Option<Number>, Option<Number>),
    /// `m[start:stop:step] = data`, of the right length or of another.
    Set(Option<Number>, Option<Number>, Option<Number>, u8, i8),
    /// A range of Rust, as a slice.
    Range(Bounds),
    /// `m[index]`
    Item(Number),
    /// `m[index] = byte`
    SetItem(Number, u8),
    /// The bounds of a search are in this notation too. The position of an empty needle shows them.
    Search(EndPoint, EndPoint),
}

/// A number near a limit.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Small(i8),
    AroundLength(i8),
    AroundMinusLength(i8),
    Medium(i16),
    AroundMost(u8),
    AroundLeast(u8),
    Any(isize),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Bounds {
    Range(Number, Number),
    From(Number),
    Full,
    Inclusive(Number, Number),
    To(Number),
    ToInclusive(Number),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum EndPoint {
    Included(Number),
    Excluded(Number),
    Unbounded,
}

impl Number {
    fn of(self, len: usize) -> isize {
        let len = len.cast_signed();
        match self {
            Self::Small(n) => n.into(),
            Self::AroundLength(n) => len + isize::from(n),
            Self::AroundMinusLength(n) => isize::from(n) - len,
            Self::Medium(n) => n.into(),
            Self::AroundMost(n) => isize::MAX - isize::from(n),
            Self::AroundLeast(n) => isize::MIN + isize::from(n),
            Self::Any(n) => n,
        }
    }
}

impl EndPoint {
    fn of(self, len: usize) -> Bound<isize> {
        match self {
            Self::Included(n) => Bound::Included(n.of(len)),
            Self::Excluded(n) => Bound::Excluded(n.of(len)),
            Self::Unbounded => Bound::Unbounded,
        }
    }
}

/// The indices that Python selects: from the start, step by step, as long as they are before the stop. A bound below 0
/// counts from the end, and a bound outside is moved to the nearest index or just past the last one.
fn picked(start: Option<i128>, stop: Option<i128>, step: i128, len: usize) -> Vec<usize> {
    let len = len as i128;
    let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let place = |bound: i128| (if bound < 0 { bound + len } else { bound }).max(lowest).min(highest);
    let mut at = start.map_or(if step > 0 { 0 } else { len - 1 }, place);
    let stop = stop.map_or(if step > 0 { len } else { -1 }, place);
    let mut picked = Vec::new();
    while if step > 0 { at < stop } else { at > stop } {
        picked.push(usize::try_from(at).expect("it is between the bounds"));
        at += step;
    }
    picked
}

/// Python's start and stop for a range of Rust: an inclusive end of -1 means the end.
fn bounds(start: Bound<isize>, end: Bound<isize>, len: usize) -> (Option<i128>, Option<i128>) {
    let start = match start {
        Bound::Included(n) => Some(n as i128),
        // Past the last byte, which -1 + 1 = 0 would not mean.
        Bound::Excluded(-1) => Some(len as i128),
        Bound::Excluded(n) => Some(n as i128 + 1),
        Bound::Unbounded => None,
    };
    let stop = match end {
        Bound::Included(-1) | Bound::Unbounded => None,
        Bound::Included(n) => Some(n as i128 + 1),
        Bound::Excluded(n) => Some(n as i128),
    };
    (start, stop)
}

thread_local! {
    /// Zeros over several pages, made once and resized.
    static MAPPING: RefCell<BufferedMmap> = RefCell::new(
        MmapOptions::new().len(MAX_LEN).flags(portable_mmap::Flags::PRIVATE).anonymous_with().expect("some kilobytes"),
    );
}

/// Makes the calls, and compares the results.
pub fn run(input: &Input) {
    let len = 1 + usize::from(input.len) % MAX_LEN;
    MAPPING.with_borrow_mut(|map| {
        map.resize(len).expect("private memory can be resized");
        let mut bytes: Vec<u8> = (0..len).map(|i| (i * 7 + i / 251).to_le_bytes()[0]).collect();
        map[..].copy_from_slice(&bytes);
        for call in &input.calls {
            check(map, &mut bytes, call);
        }
        assert_eq!(&map[..], bytes);
    });
}

fn check(map: &mut BufferedMmap, bytes: &mut [u8], call: &Call) {
    let len = bytes.len();
    let number = |n: Number| n.of(len);
    let at = |index: isize| {
        let at = if index < 0 { index as i128 + len as i128 } else { index as i128 };
        usize::try_from(at).ok().filter(|&at| at < len)
    };
    match *call {
        Call::Get(start, stop, step) => {
            let [start, stop, step] = [start, stop, step].map(|n| n.map(number));
            let got = map.get_slice(Slice::new(start, stop, step));
            if step == Some(0) {
                assert!(matches!(got, Err(Error::OutOfRange { .. })), "{call:?} of {len}: {got:?}");
                return;
            }
            let picked = picked(start.map(|n| n as i128), stop.map(|n| n as i128), step.unwrap_or(1) as i128, len);
            let want: Vec<u8> = picked.into_iter().map(|at| bytes[at]).collect();
            assert_eq!(got.ok(), Some(want), "{call:?} of {len}");
        }
        Call::Set(start, stop, step, byte, more) => {
            let [start, stop, step] = [start, stop, step].map(|n| n.map(number));
            let picked = picked(
                start.map(|n| n as i128),
                stop.map(|n| n as i128),
                step.filter(|&step| step != 0).unwrap_or(1) as i128,
                len,
            );
            let given = picked.len().saturating_add_signed(more.into());
            let data: Vec<u8> = (0..given).map(|i| byte.wrapping_add(i.to_le_bytes()[0])).collect();
            let got = map.set_slice(Slice::new(start, stop, step), &data);
            if step == Some(0) {
                assert!(matches!(got, Err(Error::OutOfRange { .. })), "{call:?} of {len}: {got:?}");
            } else if given == picked.len() {
                assert!(got.is_ok(), "{call:?} of {len}: {got:?}");
                picked.into_iter().zip(data).for_each(|(at, byte)| bytes[at] = byte);
            } else {
                let numbers = matches!(got, Err(Error::SizeMismatch { expected, given: told, .. })
                    if expected == picked.len() && told == given);
                assert!(numbers, "{call:?} of {len}: {got:?}");
            }
        }
        Call::Range(range) => {
            use Bound::{Excluded, Included, Unbounded};
            let (slice, start, end) = match range {
                Bounds::Range(a, b) => (Slice::from(number(a)..number(b)), Included(number(a)), Excluded(number(b))),
                Bounds::From(a) => (Slice::from(number(a)..), Included(number(a)), Unbounded),
                Bounds::Full => (Slice::from(..), Unbounded, Unbounded),
                Bounds::Inclusive(a, b) => {
                    (Slice::from(number(a)..=number(b)), Included(number(a)), Included(number(b)))
                }
                Bounds::To(b) => (Slice::from(..number(b)), Unbounded, Excluded(number(b))),
                Bounds::ToInclusive(b) => (Slice::from(..=number(b)), Unbounded, Included(number(b))),
            };
            let (start, stop) = bounds(start, end, len);
            let want: Vec<u8> = picked(start, stop, 1, len).into_iter().map(|at| bytes[at]).collect();
            assert_eq!(map.get_slice(slice).ok(), Some(want), "{call:?} of {len}");
        }
        Call::Item(index) => match (map.get_item(number(index)), at(number(index))) {
            (Ok(byte), Some(at)) => assert_eq!(byte, bytes[at], "{call:?} of {len}"),
            (Err(Error::IndexOutOfRange { .. }), None) => {}
            (got, at) => panic!("{call:?} of {len}: {got:?}, not the byte {at:?}"),
        },
        Call::SetItem(index, byte) => match (map.set_item(number(index), byte), at(number(index))) {
            (Ok(()), Some(at)) => bytes[at] = byte,
            (Err(Error::IndexOutOfRange { .. }), None) => {}
            (got, at) => panic!("{call:?} of {len}: {got:?}, not the byte {at:?}"),
        },
        Call::Search(start, end) => {
            let range = (start.of(len), end.of(len));
            let (start, stop) = bounds(range.0, range.1, len);
            // Python does not move a start past the end, so not even an empty needle is found there.
            let place = |bound: i128| (if bound < 0 { bound + len as i128 } else { bound }).max(0);
            let (start, stop) = (start.map_or(0, place), stop.map_or(len as i128, place).min(len as i128));
            let found = |at: i128| (start <= stop).then(|| usize::try_from(at).expect("within the bytes"));
            assert_eq!(map.find_in(b"", range).ok(), Some(found(start)), "{call:?} of {len}");
            assert_eq!(map.rfind_in(b"", range).ok(), Some(found(stop)), "{call:?} of {len}");
        }
    }
}
