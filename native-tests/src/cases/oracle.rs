//! Random operations compared with slow and obvious code over a `Vec<u8>`. A failure prints the seed and the operation.

use std::io::SeekFrom;
use std::ops::Bound;
use std::sync::Arc;

use portable_mmap::{Error, Mapping, MmapOptions, Slice};

use crate::random::{Random, patternless};
use crate::{FileBackend, Scene, cases};

cases!("oracle":
    ;
    large slices_are_those_of_an_obvious_loop;
    large assignments_are_those_of_an_obvious_loop;
    large short_searches_are_those_of_an_obvious_loop;
    large long_searches_are_those_of_an_obvious_loop;
    large the_file_face_is_that_of_a_vector_and_a_number
);

/// Lengths around page sizes and the steps of loading.
const LENS: [usize; 9] = [1, 2, 5, 255, 4095, 4096, 4097, 65_537, 200_003];

/// A new mapping of the file every few operations, so that pages are absent again.
const OPERATIONS_A_MAPPING: usize = 8;

/// The indices that a slice selects, in order, computed one at a time as in Python's documentation.
fn picked(start: Option<i64>, stop: Option<i64>, stride: i64, len: usize) -> Vec<usize> {
    let len = i64::try_from(len).unwrap();
    let from_start = |bound: i64| if bound < 0 { bound + len } else { bound };
    let mut at = match start {
        None if stride > 0 => 0,
        None => len - 1,
        Some(start) if stride > 0 => from_start(start).max(0),
        Some(start) => from_start(start).min(len - 1),
    };
    let mut indices = Vec::new();
    while (0..len).contains(&at) {
        match stop {
            Some(stop) if stride > 0 && at >= from_start(stop) => break,
            Some(stop) if stride < 0 && at <= from_start(stop) => break,
            _ => indices.push(usize::try_from(at).unwrap()),
        }
        at += stride;
    }
    indices
}

/// A bound that is missing, near an end, around a page border, anywhere, or the largest of a 32-bit target.
fn bound(random: &mut Random, len: usize) -> Option<isize> {
    let len = isize::try_from(len).unwrap();
    let small = isize::try_from(random.below(13)).unwrap() - 6;
    let anywhere = isize::try_from(random.below(4 * len.unsigned_abs() + 1)).unwrap() - 2 * len;
    let far = random.pick(&[i32::MIN, i32::MAX]);
    random.pick(&[
        None,
        Some(small),
        Some(len + small),
        Some(small - len),
        Some(4096 + small),
        Some(65_536 + small),
        Some(anywhere),
        Some(anywhere),
        Some(isize::try_from(far).unwrap()),
    ])
}

fn step(random: &mut Random) -> isize {
    let small = isize::try_from(random.below(7)).unwrap() - 3;
    let page = isize::try_from(random.below(5)).unwrap() + 4094;
    let wide = isize::try_from(random.below(100_000)).unwrap() + 1;
    let far = isize::try_from(random.pick(&[i32::MIN, i32::MAX])).unwrap();
    random.pick(&[1, 1, -1, small, page, -page, wide, -wide, far])
}

fn slice(random: &mut Random, len: usize) -> ([Option<isize>; 2], isize, Slice) {
    let bounds = [bound(random, len), bound(random, len)];
    let step = step(random);
    // A step of 1 may be omitted.
    let written = if step == 1 { random.pick(&[None, Some(1)]) } else { Some(step) };
    (bounds, step, Slice::new(bounds[0], bounds[1], written))
}

fn wide(bound: Option<isize>) -> Option<i64> {
    bound.map(|bound| bound as i64)
}

fn named<T>(result: Result<T, Error>) -> Result<T, &'static str> {
    result.map_err(|e| e.name())
}

fn slices_are_those_of_an_obvious_loop<B: FileBackend>(scene: &mut Scene<B>) {
    for (seed, len) in (100..).zip(LENS) {
        scene.note("seed", seed);
        let mut random = Random::new(seed);
        let content = patternless(len);
        let file = scene.file("f", &content);
        let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
        let mut picked_in_all = 0;
        for operation in 0..400 {
            if operation % OPERATIONS_A_MAPPING == 0 {
                map = scene.map(&MmapOptions::new(), &file).unwrap();
            }
            let ([start, stop], stride, slice) = slice(&mut random, len);
            let got = named(map.get_slice(slice));
            let want = if stride == 0 {
                Err("OutOfRange")
            } else {
                let indices = picked(wide(start), wide(stop), stride as i64, len);
                Ok(indices.into_iter().map(|at| content[at]).collect::<Vec<u8>>())
            };
            assert!(got == want, "seed {seed}, operation {operation}: [{start:?}:{stop:?}:{stride}] of {len} bytes");
            picked_in_all += want.map_or(0, |bytes| bytes.len());
        }
        scene.note("len, and bytes picked", (len, picked_in_all));
        assert!(picked_in_all > 80, "nearly all slices of {len} bytes were empty");
    }
}

fn assignments_are_those_of_an_obvious_loop<B: FileBackend>(scene: &mut Scene<B>) {
    for (seed, len) in (200..).zip(LENS) {
        scene.note("seed", seed);
        let mut random = Random::new(seed);
        let mut content = patternless(len);
        let file = scene.file("f", &content);
        let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
        let (mut assigned, mut refused) = (0, 0);
        for operation in 0..400 {
            if operation % OPERATIONS_A_MAPPING == 0 {
                map.close().unwrap();
                map = scene.map(&MmapOptions::new(), &file).unwrap();
            }
            let ([start, stop], stride, slice) = slice(&mut random, len);
            let indices = if stride == 0 { Vec::new() } else { picked(wide(start), wide(stop), stride as i64, len) };
            // Sometimes one byte more or less.
            let count = random.pick(&[indices.len(); 8]) + random.pick(&[0, 0, 0, 0, 0, 0, 1, 2]);
            let count = count.saturating_sub(random.pick(&[0, 0, 0, 0, 0, 0, 0, 1]));
            let first = random.below(256);
            let data: Vec<u8> = (0..count).map(|i| u8::try_from((first + 7 * i) % 251).unwrap()).collect();
            let got = named(map.set_slice(slice, &data));
            let want = match (stride, count == indices.len()) {
                (0, _) => Err("OutOfRange"),
                (_, false) => Err("SizeMismatch"),
                (_, true) => {
                    indices.iter().zip(&data).for_each(|(&at, &byte)| content[at] = byte);
                    Ok(())
                }
            };
            let what = format!(
                "seed {seed}, operation {operation}: [{start:?}:{stop:?}:{stride}] of {len} bytes = {count} bytes"
            );
            assert!(got == want, "{what}: got {got:?}, want {want:?}");
            assert!(map[..] == content[..], "{what}: the bytes differ");
            if got.is_ok() { assigned += 1 } else { refused += 1 }
        }
        scene.note("len, assigned and failed", (len, assigned, refused));
        assert!(assigned > 100 && refused > 20, "too few assignments of {len} bytes succeed or fail");
        map.close().unwrap();
        scene.file_is("f", &content);
    }
}

/// All positions of the needle in `start..end`, in order.
fn places<'a>(
    bytes: &'a [u8],
    needle: &'a [u8],
    start: usize,
    end: usize,
) -> impl DoubleEndedIterator<Item = usize> + 'a {
    let last = end.checked_sub(needle.len());
    let places = last.map_or(0..0, |last| start..last + 1);
    places.filter(move |&at| bytes[at..].starts_with(needle))
}

/// The start and the end of a range in slice notation.
fn resolved((start, end): (Bound<isize>, Bound<isize>), len: usize) -> (usize, usize) {
    let len = i64::try_from(len).unwrap();
    let from_start = |bound: isize| if bound < 0 { bound as i64 + len } else { bound as i64 };
    let start = match start {
        Bound::Included(start) => from_start(start).max(0),
        Bound::Excluded(before) => (from_start(before) + 1).max(0),
        Bound::Unbounded => 0,
    };
    let end = match end {
        Bound::Included(last) => (from_start(last) + 1).clamp(0, len),
        Bound::Excluded(end) => from_start(end).clamp(0, len),
        Bound::Unbounded => len,
    };
    (usize::try_from(start).unwrap(), usize::try_from(end).unwrap())
}

fn range(random: &mut Random, len: usize) -> (Bound<isize>, Bound<isize>) {
    let end = |random: &mut Random| match (bound(random, len), random.below(2)) {
        (None, _) => Bound::Unbounded,
        (Some(bound), 0) => Bound::Included(bound),
        (Some(bound), _) => Bound::Excluded(bound),
    };
    (end(random), end(random))
}

/// Compares all four searches, from a random position and in a random range. Returns how many found a match.
fn compare_searches<B: FileBackend>(
    map: &mut Mapping<B>,
    content: &[u8],
    needle: &[u8],
    random: &mut Random,
    what: &str,
) -> usize {
    let position = random.below(content.len() + 1);
    map.seek(SeekFrom::Start(position as u64)).unwrap();
    let range = range(random, content.len());
    let (start, end) = resolved(range, content.len());
    let in_all = || places(content, needle, position, content.len());
    let in_range = || places(content, needle, start, end);
    let want = [in_all().next(), in_all().next_back(), in_range().next(), in_range().next_back()];
    let got = [
        map.find(needle).unwrap(),
        map.rfind(needle).unwrap(),
        map.find_in(needle, range).unwrap(),
        map.rfind_in(needle, range).unwrap(),
    ];
    assert!(
        got == want && map.tell() == position as u64,
        "{what}: a needle of {} bytes, {:?}, at {position} and in {range:?}: got {got:?}, want {want:?}",
        needle.len(),
        needle[..needle.len().min(20)].escape_ascii().to_string()
    );
    want.iter().flatten().count()
}

fn short_searches_are_those_of_an_obvious_loop<B: FileBackend>(scene: &mut Scene<B>) {
    scene.note("seed", 300);
    let mut random = Random::new(300);
    let file = scene.file("f", &[0; 60]);
    let (mut found, mut searched) = (0, 0);
    for round in 0..400 {
        let len = 1 + random.below(60);
        // Fewer letters give more matches and near misses.
        let letters = random.pick(&[&b"a"[..], b"ab", b"abc", b"a\0"]);
        let content = random.bytes(len, letters);
        let mut map = scene.map(MmapOptions::new().len(len), &file).unwrap();
        map[..].copy_from_slice(&content);
        for operation in 0..8 {
            let needle_len = random.pick(&[0, 1, 2, 3, 5, 8, len.saturating_sub(1), len, len + 1]);
            let needle = random.bytes(needle_len, letters);
            let what =
                format!("seed 300, round {round}, operation {operation}, in {:?}", content.escape_ascii().to_string());
            found += compare_searches(&mut map, &content, &needle, &mut random, &what);
            searched += 4;
        }
    }
    scene.note("searched and found", (searched, found));
    assert!(found > searched / 4 && found < searched * 3 / 4, "too few or too many searches have found a match");
}

fn long_searches_are_those_of_an_obvious_loop<B: FileBackend>(scene: &mut Scene<B>) {
    scene.note("seed", 400);
    let mut random = Random::new(400);
    let (mut found, mut searched) = (0, 0);
    for round in 0..40 {
        let len = 130_000 + random.below(150_000);
        // Repeated bytes with other bytes scattered over them: none, or so many that the obvious loop ends in a
        // reasonable time.
        let period = 1 + random.below(9);
        let unit = random.bytes(period, b"ab");
        let mut content: Vec<u8> = unit.iter().copied().cycle().take(len).collect();
        for _ in 0..random.pick(&[0, len / 300]) {
            content[random.below(len)] = b'c';
        }
        let file: Arc<_> = scene.file("f", &content);
        for operation in 0..4 {
            let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
            // A part of the bytes near a border, unchanged or with one byte changed.
            let near = random.pick(&[0, 4096, 65_536, 131_072, len - 65_536, len - 4096]).min(len - 1);
            let start = near.saturating_sub(random.below(20));
            let needle_len = random.pick(&[1, 7, 40, 5000, 65_537, 100_000]).min(len - start);
            let mut needle = content[start..start + needle_len].to_vec();
            if random.below(3) == 0 {
                needle[random.below(needle_len.min(64))] = random.pick(b"abcd");
            }
            let what = format!("seed 400, round {round}, operation {operation}, from {start}");
            found += compare_searches(&mut map, &content, &needle, &mut random, &what);
            searched += 4;
        }
    }
    scene.note("searched and found", (searched, found));
    assert!(found > searched / 4 && found < searched * 3 / 4, "too few or too many searches have found a match");
}

fn the_file_face_is_that_of_a_vector_and_a_number<B: FileBackend>(scene: &mut Scene<B>) {
    for (seed, len) in (500..).zip(LENS) {
        scene.note("seed", seed);
        let mut random = Random::new(seed);
        let mut content = patternless(len);
        content.iter_mut().step_by(97).for_each(|byte| *byte = b'\n');
        let file = scene.file("f", &content);
        let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
        let (mut at, mut refused) = (0, 0);
        for operation in 0..600 {
            let n = random.pick(&[0, 1, 2, 100, 5000, 70_000]);
            let what = format!("seed {seed}, operation {operation}, {n} at {at} of {len} bytes");
            let rest = content[at..].to_vec();
            match random.below(7) {
                0 => {
                    let want = &rest[..n.min(rest.len())];
                    assert!(map.read_bytes(n).unwrap() == want, "{what}: read_bytes");
                    at += want.len();
                }
                1 => {
                    let want = rest.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
                    let first = map.lines_with_terminator().next().map_or(&[][..], |line| line.unwrap());
                    assert!(first == want, "{what}: lines_with_terminator");
                    assert!(map.readline().unwrap() == want, "{what}: readline");
                    at += want.len();
                }
                2 => {
                    let want = rest.first().copied().ok_or("OutOfRange");
                    assert!(named(map.read_byte()) == want, "{what}: read_byte");
                    at += usize::from(want.is_ok());
                    refused += usize::from(want.is_err());
                }
                3 => {
                    let data = random.bytes(n, b"abc\n");
                    let want = if n <= rest.len() { Ok(n) } else { Err("OutOfRange") };
                    assert!(named(map.write_bytes(&data)) == want, "{what}: write_bytes");
                    match want {
                        Ok(_) => content[at..at + n].copy_from_slice(&data),
                        Err(_) => refused += 1,
                    }
                    at += want.unwrap_or(0);
                }
                _ => {
                    let target = i64::try_from(random.below(len + 3)).unwrap() - 1;
                    let (len, position) = (i64::try_from(len).unwrap(), i64::try_from(at).unwrap());
                    let to = match random.below(3) {
                        0 => SeekFrom::Start(u64::try_from(target).unwrap_or(u64::MAX)),
                        1 => SeekFrom::Current(target - position),
                        _ => SeekFrom::End(target - len),
                    };
                    let want = u64::try_from(target).ok().filter(|_| target <= len).ok_or("OutOfRange");
                    assert!(named(map.seek(to)) == want, "{what}: {to:?}");
                    at = want.map_or(at, |position| usize::try_from(position).unwrap());
                    refused += usize::from(want.is_err());
                }
            }
            assert!(map.tell() == at as u64, "{what}: the position is {}, not {at}", map.tell());
        }
        scene.note("len, position and failed", (len, at, refused));
        map.close().unwrap();
        scene.file_is("f", &content);
    }
}
