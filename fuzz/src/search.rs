//! Compares `find` and `rfind` with a search that tries every position.

use std::cell::RefCell;
use std::io::SeekFrom;
use std::sync::OnceLock;

use arbitrary::{Arbitrary, Unstructured};
use portable_mmap::{Backend, BufferedMmap, Flags, Mapping, Mmap, MmapOptions};

/// The length limit of most texts, in bytes. Others have up to three times [`STEP`].
const SHORT: usize = 1500;

/// The first step of a search, in bytes; the second is twice as long.
const STEP: usize = 64 << 10;

/// A text and needles.
#[derive(Debug)]
pub struct Input {
    is_mapped: bool,
    text: Text,
    searches: Vec<Search>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let (is_mapped, text): (bool, Text) = bytes.arbitrary()?;
        // A limit, because a search that tries every position is slow.
        let most = if text.len.is_long() { 1 } else { 4 };
        Ok(Self { is_mapped, text, searches: crate::all_of(bytes, most)? })
    }
}

/// A text that is short in the input but may be long when it is searched.
#[derive(Arbitrary, Debug)]
struct Text {
    /// This many of these are repeated; see [`letters`].
    unit: [u8; 9],
    unit_len: u8,
    len: Length,
    /// Written over the text at these positions, counted from both ends in turn.
    marks: [(u16, [u8; 5], u8); 4],
}

/// A length. It is usually short, so that more inputs are tried.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Length {
    len: u16,
    size: u8,
}

impl Length {
    /// Once in eight times.
    fn is_long(self) -> bool {
        self.size % 8 == 7
    }

    fn of(self, short: usize) -> usize {
        if self.is_long() { usize::from(self.len) * 3 + 64 } else { usize::from(self.len) % short }
    }
}

#[derive(Arbitrary, Debug)]
struct Search {
    needle: Needle,
    start: i32,
    end: i32,
    position: u32,
}

#[derive(Arbitrary, Debug)]
enum Needle {
    Given([u8; 6], u8),
    /// A part of the text, unchanged or with another first or last letter, which nearly matches.
    Part {
        start: u32,
        len: Length,
        change: Change,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Change {
    None,
    First,
    Last,
    Middle,
}

/// Bytes of three values, so that there are many near matches.
fn letters(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| b'a' + byte % 3).collect()
}

/// Letters without a period, longer than any text.
fn aperiodic() -> &'static [u8] {
    static LETTERS: OnceLock<Vec<u8>> = OnceLock::new();
    LETTERS.get_or_init(|| {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        letters(&(0..200_000).map(|_| next()).collect::<Vec<_>>())
    })
}

impl Text {
    fn bytes(&self) -> Vec<u8> {
        let len = 1 + self.len.of(SHORT);
        let mut bytes = if self.len.is_long() {
            // In periodic bytes, trying every position would take quadratic time.
            aperiodic()[usize::from(self.unit_len)..][..len].to_vec()
        } else {
            let unit = letters(&self.unit[..=usize::from(self.unit_len % 9)]);
            unit.repeat(len.div_ceil(unit.len()))
        };
        bytes.truncate(len);
        for (i, (place, mark, mark_len)) in self.marks.iter().enumerate() {
            let mark = &mark[..usize::from(mark_len % 6)];
            let place = usize::from(*place) * 3 % len;
            let place = if i % 2 == 0 { place } else { len - 1 - place };
            for (byte, &new) in bytes[place..].iter_mut().zip(&letters(mark)) {
                *byte = new;
            }
        }
        bytes
    }
}

/// For some numbers, and if the text is long enough, returns a position at which `needle_len` bytes cross the border of
/// the first two steps of a search from `position` or from the end.
fn over_border(number: u32, needle_len: usize, position: usize, len: usize) -> Option<usize> {
    let [distance, border, ..] = number.to_le_bytes();
    // Usually by one byte on either side.
    let distance = match distance % 4 {
        0 => 1,
        1 => needle_len.saturating_sub(1),
        _ => usize::from(distance) % (needle_len + 2),
    };
    let border = match border % 8 {
        0..3 => position + STEP,
        3..6 => len.checked_sub(STEP)?,
        6 => position + 3 * STEP,
        _ => return None,
    };
    border.checked_sub(distance).filter(|&start| start < len)
}

impl Needle {
    fn bytes(&self, text: &[u8], position: usize) -> Vec<u8> {
        match *self {
            Self::Given(bytes, len) => letters(&bytes[..usize::from(len % 7)]),
            Self::Part { start, len, change } => {
                let len = len.of(64);
                let over_border = over_border(start, len, position, text.len());
                let start = over_border.unwrap_or(start as usize % text.len());
                let mut needle = text[start..text.len().min(start + len)].to_vec();
                let last = needle.len().saturating_sub(1);
                let changed = match change {
                    Change::None => None,
                    Change::First => needle.first_mut(),
                    Change::Last => needle.last_mut(),
                    Change::Middle => needle.get_mut(last / 2),
                };
                if let Some(letter) = changed {
                    *letter = if *letter == b'a' { b'b' } else { b'a' };
                }
                needle
            }
        }
    }
}

/// All positions of the needle, found by trying each one.
fn places(text: &[u8], needle: &[u8]) -> Vec<usize> {
    let Some((first, rest)) = needle.split_first() else { return (0..=text.len()).collect() };
    // The first byte excludes most positions, in a tenth of the time.
    let is_there = |&at: &usize| text[at] == *first && text[at + 1..].starts_with(rest);
    (0..text.len()).filter(is_there).collect()
}

thread_local! {
    static MAPPED: RefCell<Mmap> = RefCell::new(memory());
    static BUFFERED: RefCell<BufferedMmap> = RefCell::new(memory());
}

/// Private memory, which can be resized.
fn memory<B: Backend>() -> Mapping<B> {
    MmapOptions::new().len(1).flags(Flags::PRIVATE).anonymous_with().expect("a page")
}

/// Runs the searches, and compares the results.
pub fn run(input: &Input) {
    let text = input.text.bytes();
    if input.is_mapped {
        MAPPED.with_borrow_mut(|map| check(map, &text, &input.searches));
    } else {
        BUFFERED.with_borrow_mut(|map| check(map, &text, &input.searches));
    }
}

fn check<B: Backend>(map: &mut Mapping<B>, text: &[u8], searches: &[Search]) {
    let len = text.len();
    map.resize(len).expect("private memory can be resized");
    map[..].copy_from_slice(text);
    for search in searches {
        // Near the start in half of the cases.
        let position = match search.position.to_le_bytes() {
            [near, 0..128, ..] => usize::from(near % 16).min(len),
            _ => search.position as usize % (len + 1),
        };
        let needle = search.needle.bytes(text, position);
        let needle_len = needle.len();
        let places = places(text, &needle);
        let within = |start: usize, end: usize| {
            let mut all = places.iter().copied().filter(move |&at| start <= at && at + needle_len <= end);
            let first = all.next();
            (first, all.next_back().or(first))
        };
        let what = || format!("{search:?}, a needle of {needle_len} bytes in {len}");
        map.seek(SeekFrom::Start(position as u64)).expect("it is in the mapping");
        let (first, last) = within(position, len);
        assert_eq!(map.find(&needle).ok(), Some(first), "find, {}", what());
        assert_eq!(map.rfind(&needle).ok(), Some(last), "rfind, {}", what());
        assert_eq!(map.tell(), position as u64);

        let bound = |n: i32| n as isize % (len + len / 8 + 2).cast_signed();
        let (start, end) = (bound(search.start), bound(search.end));
        let place = |n: isize| if n < 0 { len.saturating_sub(n.unsigned_abs()) } else { n.unsigned_abs() };
        let (first, last) = within(place(start), place(end).min(len));
        assert_eq!(map.find_in(&needle, start..end).ok(), Some(first), "find_in {start}..{end}, {}", what());
        assert_eq!(map.rfind_in(&needle, start..end).ok(), Some(last), "rfind_in {start}..{end}, {}", what());
    }
}
