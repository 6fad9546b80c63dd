//! A mapping as a slice: indexing and slicing as with a `[u8]`.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::{Bound, RangeInclusive};

use portable_mmap::{Access, Error, Mapping, MmapOptions};
use regex::bytes::Regex;

use crate::random::patternless;
use crate::{FileBackend, Scene, cases};
use std::hint::black_box;

cases!("slice":
    ranges_of_every_form_borrow_their_bytes,
    assigning_through_an_index_reaches_the_file,
    ranges_of_every_form_can_be_assigned,
    an_empty_range_lies_anywhere_up_to_the_end,
    ranges_across_pages_hold_their_bytes,
    ranges_across_pages_can_be_assigned,
    indices_count_from_the_mappings_start,
    an_early_borrow_lives_while_other_bytes_are_touched,
    checked_ranges_borrow_their_bytes,
    a_checked_range_outside_is_an_error,
    a_mutable_range_is_read_only_before_its_bounds_are_checked,
    getting_bytes_past_the_end_gives_none,
    first_and_last_are_the_ends,
    starts_and_ends_are_compared,
    a_byte_is_contained_or_not,
    a_mapping_can_be_passed_as_a_slice,
    a_mapping_is_looked_up_by_its_bytes,
    a_mapping_has_the_methods_of_a_slice,
    the_methods_of_a_mutable_range_change_the_file,
    a_mapping_has_the_methods_of_a_mutable_slice,
    a_regular_expression_searches_a_mapping,
    a_regular_expression_finds_across_pages,
    a_mapping_of_one_byte_is_a_slice_of_one,
    assignments_to_a_copy_stay_in_memory
);

fn ranges_of_every_form_borrow_their_bytes<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"hello");
    scene.bytes("..", &map[..], b"hello");
    scene.bytes("1..3", &map[1..3], b"el");
    scene.bytes("1..=3", &map[1..=3], b"ell");
    scene.bytes("..2", &map[..2], b"he");
    scene.bytes("..=2", &map[..=2], b"hel");
    scene.bytes("3..", &map[3..], b"lo");
    scene.bytes("5..", &map[5..], b"");
    scene.eq("0", map[0], b'h');
    scene.eq("4", map[4], b'o');
}

fn assigning_through_an_index_reaches_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map[0] = 97;
    map[2..4].copy_from_slice(b"LL");
    scene.bytes("map", &map, b"aeLLo");
    map.flush().unwrap();
    scene.file_is("f", b"aeLLo");
}

fn ranges_of_every_form_can_be_assigned<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    map[8..].copy_from_slice(b"AB");
    map[..1].copy_from_slice(b"C");
    map[2..=3].copy_from_slice(b"DE");
    map[4..5].copy_from_slice(b"F");
    scene.bytes("after four forms", &map[..], b"C1DEF567AB");
    map[..=1].copy_from_slice(b"GH");
    scene.bytes("after ..=1", &map[..], b"GHDEF567AB");
    map.flush().unwrap();
    scene.file_is("f", b"GHDEF567AB");
    map[..].copy_from_slice(b"abcdefghij");
    map[9] ^= 0x20;
    map.close().unwrap();
    scene.file_is("f", b"abcdefghiJ");
}

fn an_empty_range_lies_anywhere_up_to_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    scene.bytes("0..0", &map[0..0], b"");
    scene.bytes("5..5", &map[5..5], b"");
    scene.bytes("..0", &map[..0], b"");
    let (after, last): (usize, usize) = (5, 4);
    scene.bytes("5..=4", &map[after..=last], b"");
    map[5..].copy_from_slice(b"");
    map[2..2].fill(0);
    map.flush().unwrap();
    scene.file_is("f", b"hello");
}

/// Borders of pages, of the steps of a search, and of the steps of reading ahead.
const BORDERS: [usize; 4] = [4096, 3 * 4096, 64 << 10, 192 << 10];

fn ranges_across_pages_hold_their_bytes<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(200_001);
    let map = scene.mapped("f", &content);
    // From the end to the start, so that no page is read ahead.
    for border in BORDERS.into_iter().rev() {
        let around = border - 3..border + 3;
        scene.bytes("around a border", &map[around.clone()], &content[around]);
        scene.eq("the last byte of a page", map[border - 1], content[border - 1]);
        scene.eq("the first byte of a page", map[border], content[border]);
    }
    scene.bytes("several pages", &map[5000..140_000], &content[5000..140_000]);
    scene.bytes("the end", &map[199_990..], &content[199_990..]);
    scene.bytes("all", &map[..], &content);
}

fn ranges_across_pages_can_be_assigned<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = patternless(200_001);
    let mut map = scene.mapped("f", &content);
    for border in BORDERS {
        map[border - 2..=border + 1].copy_from_slice(b"edge");
        content[border - 2..=border + 1].copy_from_slice(b"edge");
    }
    map[200_000] = b'!';
    content[200_000] = b'!';
    scene.bytes("map", &map, &content);
    map.flush().unwrap();
    scene.file_is("f", &content);
}

fn indices_count_from_the_mappings_start<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = patternless((128 << 10) + 100);
    let file = scene.file("f", &content);
    let mut map = scene.map(MmapOptions::new().offset(64 << 10).len(5000), &file).unwrap();
    scene.eq("len", map.len(), 5000);
    scene.bytes("..", &map[..], &content[64 << 10..][..5000]);
    scene.eq("the last byte", map[4999], content[(64 << 10) + 4999]);
    map[0] = b'<';
    map[4999] = b'>';
    map.close().unwrap();
    content[64 << 10] = b'<';
    content[(64 << 10) + 4999] = b'>';
    scene.file_is("f", &content);
}

fn an_early_borrow_lives_while_other_bytes_are_touched<B: FileBackend>(scene: &mut Scene<B>) {
    // Miri takes a minute for that many.
    let len = if cfg!(miri) { 30_000 } else { 300_000 };
    let content = patternless(len);
    let map = scene.mapped("f", &content);
    let (first, middle) = (&map[..10], &map[len / 2]);
    let rest = &map[4000..len - 10_000];
    scene.eq("a search", map.find_in(&content[len - 1000..], ..).unwrap(), Some(len - 1000));
    let all = &map[..];
    scene.bytes("first", first, &content[..10]);
    scene.eq("middle", *middle, content[len / 2]);
    scene.bytes("rest", rest, &content[4000..len - 10_000]);
    scene.bytes("all", all, &content);
    scene.eq("one address", all.as_ptr() == first.as_ptr(), true);
}

fn checked_ranges_borrow_their_bytes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    scene.bytes("as_slice", map.as_slice().unwrap(), b"hello");
    scene.bytes("..", map.range(..).unwrap(), b"hello");
    scene.bytes("1..3", map.range(1..3).unwrap(), b"el");
    scene.bytes("1..=3", map.range(1..=3).unwrap(), b"ell");
    scene.bytes("..2", map.range(..2).unwrap(), b"he");
    scene.bytes("..=2", map.range(..=2).unwrap(), b"hel");
    scene.bytes("3..", map.range(3..).unwrap(), b"lo");
    scene.bytes("5..", map.range(5..).unwrap(), b"");
    let behind_the_first = (Bound::Excluded(0), Bound::Included(2));
    scene.bytes("after 0 up to 2", map.range(behind_the_first).unwrap(), b"el");
    map.range_mut(behind_the_first).unwrap().copy_from_slice(b"EL");
    map.range_mut(4..).unwrap()[0] = b'O';
    map.as_mut_slice().unwrap()[0] = b'H';
    map.flush().unwrap();
    scene.file_is("f", b"HELlO");
}

fn a_checked_range_outside_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    let (start, end) = (3, 2);
    scene.err("..6", map.range(..6), "OutOfRange");
    scene.err("..=5", map.range(..=5), "OutOfRange");
    scene.err("6..", map.range(6..), "OutOfRange");
    scene.err("6..6", map.range(6..6), "OutOfRange");
    scene.err("3..2", map.range(start..end), "OutOfRange");
    // For the largest number the transcript has only the variant, because it differs by target.
    let named = |result: Result<&[u8], Error>| result.map_err(|e| e.name()).map(<[u8]>::to_vec);
    scene.eq("up to the greatest index", named(map.range(..=usize::MAX)), Err("OutOfRange"));
    scene.eq("from the greatest index", named(map.range(usize::MAX..)), Err("OutOfRange"));
    scene.eq("the greatest range", named(map.range(RangeInclusive::new(0, usize::MAX))), Err("OutOfRange"));
    scene.eq(
        "after the greatest index",
        named(map.range((Bound::Excluded(usize::MAX), Bound::Unbounded))),
        Err("OutOfRange"),
    );
    scene.fails("..6, to be changed", &mut map, "OutOfRange", |map| map.range_mut(..6).map(|bytes| bytes.fill(0)));
    scene.fails("3..2, to be changed", &mut map, "OutOfRange", |map| {
        map.range_mut(start..end).map(|bytes| bytes.fill(0))
    });
}

fn a_mutable_range_is_read_only_before_its_bounds_are_checked<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    for range in [0..5, 2..2, 4..9] {
        scene.fails(&format!("{range:?}"), &mut map, "ReadOnly", |map| map.range_mut(range).map(|bytes| bytes.len()));
    }
    scene.fails("as_mut_slice", &mut map, "ReadOnly", |map| map.as_mut_slice().map(|bytes| bytes.len()));
    scene.bytes("the same range, to be read", map.range(1..3).unwrap(), b"el");
}

fn getting_bytes_past_the_end_gives_none<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(5000);
    let mut map = scene.mapped("f", &content);
    for index in [0, 4095, 4096, 4999] {
        scene.eq(&format!("{index}"), map.get(index).copied(), Some(content[index]));
    }
    // 5000 is in the last page, whose memory ends at 8192.
    for index in [5000, 8191, 8192] {
        scene.eq(&format!("{index}"), map.get(index), None);
        scene.eq(&format!("{index}, to be changed"), map.get_mut(index).is_none(), true);
    }
    scene.eq("the greatest index", map.get(usize::MAX), None);
    scene.eq("the greatest index, to be changed", map.get_mut(usize::MAX).is_none(), true);
    scene.eq("a range", map.get(4090..4100), Some(&content[4090..4100]));
    scene.eq("a range to the end", map.get(4990..), Some(&content[4990..]));
    scene.eq("nothing at the end", map.get(5000..), Some(&[][..]));
    scene.eq("everything", map.get(..).map(<[u8]>::len), Some(5000));
    scene.eq("an inclusive range", map.get(..=4999).map(<[u8]>::len), Some(5000));
    let [three, two] = black_box([3, 2]);
    scene.eq("a range past the end", map.get(4990..5001), None);
    scene.eq("an inclusive range past the end", map.get(4990..=5000), None);
    scene.eq("a start past the end", map.get(5001..), None);
    scene.eq("an end before the start", map.get(three..two), None);
    scene.eq("the greatest inclusive end", map.get(..=usize::MAX), None);
    *map.get_mut(4096).unwrap() = b'!';
    map.get_mut(..2).unwrap().fill(b'?');
    map.flush().unwrap();
    let mut expected = content;
    expected[4096] = b'!';
    expected[..2].fill(b'?');
    scene.file_is("f", expected);
}

fn first_and_last_are_the_ends<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    scene.eq("first", map.first(), Some(&b'h'));
    scene.eq("last", map.last(), Some(&b'o'));
    map.resize(3).unwrap();
    scene.eq("last of three", map.last(), Some(&b'l'));
    let map = scene.mapped("g", b"x");
    scene.eq("the only one", (map.first(), map.last()), (Some(&b'x'), Some(&b'x')));
}

fn starts_and_ends_are_compared<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(10_000);
    let map = scene.mapped("f", &content);
    let mut other = content.clone();
    other[9_999] ^= 1;
    scene.eq("starts with nothing", map.starts_with(b""), true);
    scene.eq("ends with nothing", map.ends_with(b""), true);
    scene.eq("starts with its first", map.starts_with(&content[..5000]), true);
    scene.eq("ends with its last", map.ends_with(&content[5000..]), true);
    scene.eq("starts with its last", map.starts_with(&content[5000..]), false);
    scene.eq("ends with its first", map.ends_with(&content[..5000]), false);
    scene.eq("starts with all", map.starts_with(&content), true);
    scene.eq("ends with all", map.ends_with(&content), true);
    scene.eq("starts with other bytes", map.starts_with(&other), false);
    scene.eq("ends with other bytes", map.ends_with(&other), false);
    other.push(0);
    other[9_999] ^= 1;
    scene.eq("starts with more than there is", map.starts_with(&other), false);
    other.rotate_right(1);
    scene.eq("ends with more than there is", map.ends_with(&other), false);
}

fn a_byte_is_contained_or_not<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = vec![b'.'; 70_000];
    content[69_999] = b'!';
    let mut map = scene.mapped("f", &content);
    scene.eq("the last byte", map.contains(&b'!'), true);
    scene.eq("the others", map.contains(&b'.'), true);
    scene.eq("past the end", map.contains(&0), false);
    // Unlike `find`, it searches all bytes.
    map.seek(std::io::SeekFrom::End(0)).unwrap();
    scene.eq("before the position", map.contains(&b'.'), true);
}

fn as_ref_len(bytes: impl AsRef<[u8]>) -> usize {
    bytes.as_ref().len()
}

fn borrowed(bytes: &impl Borrow<[u8]>) -> Vec<u8> {
    bytes.borrow().to_vec()
}

fn deref(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

fn a_mapping_can_be_passed_as_a_slice<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(5000);
    let map = scene.mapped("f", &content);
    scene.eq("AsRef", as_ref_len(&map), 5000);
    scene.bytes("Borrow", borrowed(&map), &content);
    scene.bytes("Deref", deref(&map), &content);
    scene.bytes("*", &*map, &content);
    // A mapping is a needle too.
    let needle = scene.mapped("g", &content[4070..4100]);
    scene.eq("find", map.find(&needle).unwrap(), Some(4070));
    scene.eq("ends_with", map.ends_with(&map[100..]), true);
}

fn a_mapping_is_looked_up_by_its_bytes<B: FileBackend>(scene: &mut Scene<B>) {
    fn look_up<M: Borrow<[u8]>>(names: &BTreeMap<&[u8], u32>, name: &M) -> Option<u32> {
        names.get(name.borrow()).copied()
    }
    let names = BTreeMap::from([(b"hello".as_slice(), 1), (b"world", 2)]);
    let (hello, other): (Mapping<B>, Mapping<B>) = (scene.mapped("f", b"hello"), scene.mapped("g", b"hello\0"));
    scene.eq("a name", look_up(&names, &hello), Some(1));
    scene.eq("another", look_up(&names, &other), None);
}

fn a_mapping_has_the_methods_of_a_slice<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"acegikmo");
    scene.eq("binary_search", map.binary_search(&b'g'), Ok(3));
    scene.eq("==", map[..] == *b"acegikmo", true);
    scene.eq("<", map[..] < b"acegikmp"[..], true);
    scene.bytes("concat", [&map[..2], b"|", &map[6..]].concat(), b"ac|mo");
    scene.bytes("repeat", map[..2].repeat(3), b"acacac");
    scene.eq("chunks", map.chunks(3).map(<[u8]>::len).collect::<Vec<_>>(), [3, 3, 2]);
    scene.eq("split", map.split(|&byte| byte == b'g').count(), 2);
    scene.eq("to_ascii_uppercase", map.to_ascii_uppercase(), b"ACEGIKMO".to_vec());
}

fn the_methods_of_a_mutable_range_change_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hgfedcba");
    map[..].sort_unstable();
    scene.bytes("sorted", &map, b"abcdefgh");
    map[4..].reverse();
    map[..2].fill(b'-');
    map[2..4].make_ascii_uppercase();
    map[..].swap(0, 7);
    map.flush().unwrap();
    scene.file_is("f", b"e-CDhgf-");
}

fn a_mapping_has_the_methods_of_a_mutable_slice<B: FileBackend>(scene: &mut Scene<B>) {
    fn shout(bytes: &mut [u8]) {
        bytes.make_ascii_uppercase();
    }
    fn end(mut bytes: impl AsMut<[u8]>) {
        if let Some(last) = bytes.as_mut().last_mut() {
            *last = b'!';
        }
    }
    let mut map = scene.mapped("f", b"hgfedcba");
    map.sort_unstable();
    scene.bytes("sorted", &map, b"abcdefgh");
    map.swap(0, 7);
    shout(&mut map);
    end(&mut map);
    for byte in map.iter_mut().skip(2).take(2) {
        *byte = b'-';
    }
    for byte in &mut map {
        *byte = byte.saturating_add(u8::from(*byte == b'B'));
    }
    map.flush().unwrap();
    scene.file_is("f", b"HC--EFG!");
    map.fill(0);
    map.flush().unwrap();
    scene.file_is("f", [0; 8]);
    map.close().unwrap();
    scene.eq("closed", (map.iter_mut().count(), map.as_mut().len(), map.first_mut()), (0, 0, None));
}

fn a_regular_expression_searches_a_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"name = first\nsize = 12\n\xff = raw\nname = last");
    let name = Regex::new(r"(?m-u)^name = (\w+)$").unwrap();
    let all: Vec<(usize, String)> = name
        .captures_iter(&map)
        .map(|found| (found.get(0).unwrap().start(), String::from_utf8_lossy(&found[1]).into_owned()))
        .collect();
    scene.eq("names", all, [(0, "first".to_owned()), (31, "last".to_owned())]);
    let raw = Regex::new(r"(?-u)\xff = (...)").unwrap();
    scene.bytes("not UTF-8", &raw.captures(&map).unwrap()[1], b"raw");
    scene.eq("a range", name.find(&map[1..]).map(|found| found.range()), Some(30..41));
    scene.eq("absent", Regex::new("(?-u)nothing").unwrap().is_match(&map), false);
}

fn a_regular_expression_finds_across_pages<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = vec![b' '; 140_000];
    for at in [4090, 65_530, 131_070] {
        content[at..at + 12].copy_from_slice(b"<across 123>");
    }
    let map = scene.mapped("f", &content);
    let found: Vec<usize> =
        Regex::new(r"(?-u)<[a-z]+ [0-9]+>").unwrap().find_iter(&map).map(|found| found.start()).collect();
    scene.eq("found", found, [4090, 65_530, 131_070]);
}

fn a_mapping_of_one_byte_is_a_slice_of_one<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"x");
    scene.bytes("..", &map[..], b"x");
    scene.bytes("1..", &map[1..], b"");
    map[0] += 1;
    scene.eq("len and emptiness", (map.len(), map.is_empty()), (1, false));
    map.flush().unwrap();
    scene.file_is("f", b"y");
}

fn assignments_to_a_copy_stay_in_memory<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(9000);
    drop(scene.file("f", &content));
    let mut map = scene.map(MmapOptions::new().access(Access::Copy), &scene.open_read("f")).unwrap();
    let mut expected = content.clone();
    for bytes in [&mut map[4090..4100], &mut expected[4090..4100]] {
        bytes.fill(b'x');
    }
    map[8999] = b'!';
    expected[8999] = b'!';
    scene.bytes("map", &map, &expected);
    map.flush().unwrap();
    scene.file_is("f", &content);
    map.close().unwrap();
    scene.file_is("f", &content);
}
