//! `find` and `rfind`: from the position, and in a range in slice notation.

use std::io::SeekFrom;
use std::ops::Bound;

use portable_mmap::{Mapping, MmapOptions};

use crate::random::patternless;
use crate::{FileBackend, Scene, cases};

cases!("search":
    searching_starts_at_the_position_and_leaves_it,
    searching_backwards_stops_at_the_position,
    a_range_overrides_the_position,
    a_range_is_in_slice_notation,
    a_range_backwards_is_in_slice_notation,
    a_range_of_indices_takes_the_last_result,
    an_inclusive_end_of_minus_one_is_the_end,
    an_exclusive_start_is_after_its_byte,
    a_match_lies_wholly_in_the_range,
    an_empty_needle_is_found_at_the_start_and_at_the_end,
    nothing_is_found_past_the_end,
    nothing_is_found_from_a_position_past_the_end,
    a_needle_longer_than_the_mapping_is_not_found,
    a_needle_may_be_the_whole_mapping,
    indices_count_from_the_mappings_start,
    any_bytes_are_a_needle,
    changes_are_found_before_they_are_flushed,
    all_matches_can_be_walked_in_both_directions,
    bytes_past_the_end_of_the_mapping_are_not_found,
    matches_that_overlap_are_first_and_last,
    periodic_needles_are_found_among_near_misses,
    a_long_periodic_needle_is_found_across_its_own_length;
    large matches_across_every_border_are_found;
    large a_needle_longer_than_every_step_is_found
);

/// The results of `find` and `rfind`, in a range or from the position.
type Found = (Option<usize>, Option<usize>);

fn both<B: FileBackend>(map: &Mapping<B>, needle: impl AsRef<[u8]>) -> Found {
    (map.find(&needle).unwrap(), map.rfind(&needle).unwrap())
}

fn both_in<B: FileBackend>(map: &Mapping<B>, needle: impl AsRef<[u8]>, start: isize, end: isize) -> Found {
    (map.find_in(&needle, start..end).unwrap(), map.rfind_in(&needle, start..end).unwrap())
}

fn at<B: FileBackend>(map: &mut Mapping<B>, position: u64) -> &Mapping<B> {
    map.seek(SeekFrom::Start(position)).unwrap();
    map
}

fn searching_starts_at_the_position_and_leaves_it<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"one two one two");
    scene.eq("at 0", both(at(&mut map, 0), "one"), (Some(0), Some(8)));
    scene.eq("at 1", both(at(&mut map, 1), "one"), (Some(8), Some(8)));
    scene.eq("at 8", both(at(&mut map, 8), "one"), (Some(8), Some(8)));
    scene.eq("the position", map.tell(), 8);
    scene.eq("at 9", both(at(&mut map, 9), "one"), (None, None));
    scene.eq("at the end", both(at(&mut map, 15), "o"), (None, None));
    scene.eq("the position", map.tell(), 15);
}

fn searching_backwards_stops_at_the_position<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    scene.eq("rfind h at 0", at(&mut map, 0).rfind("h").unwrap(), Some(0));
    scene.eq("rfind h at 1", at(&mut map, 1).rfind("h").unwrap(), None);
    scene.eq("rfind l at 3", at(&mut map, 3).rfind("l").unwrap(), Some(3));
    scene.eq("rfind ll at 3", map.rfind("ll").unwrap(), None);
    scene.eq("rfind ll at 2", at(&mut map, 2).rfind("ll").unwrap(), Some(2));
    scene.eq("rfind l at 4", at(&mut map, 4).rfind("l").unwrap(), None);
}

fn a_range_overrides_the_position<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"one two one two");
    map.seek(SeekFrom::Start(9)).unwrap();
    scene.eq("find_in ..", map.find_in("one", ..).unwrap(), Some(0));
    scene.eq("rfind_in ..", map.rfind_in("one", ..).unwrap(), Some(8));
    scene.eq("find_in 0..5", map.find_in("one", 0..5).unwrap(), Some(0));
    // A range without a start starts at the start of the mapping, not at the position.
    scene.eq("rfind_in ..5", map.rfind_in("one", ..5).unwrap(), Some(0));
    scene.eq("tell", map.tell(), 9);
}

/// Ranges of `abcabcab`, and the positions of `ab` in them.
const RANGES: [(isize, isize, Found); 16] = [
    (0, 8, (Some(0), Some(6))),
    (1, 8, (Some(3), Some(6))),
    (1, 7, (Some(3), Some(3))),
    (0, 2, (Some(0), Some(0))),
    (0, 1, (None, None)),
    (4, 6, (None, None)),
    (-2, 8, (Some(6), Some(6))),
    (-1, 8, (None, None)),
    (-8, 8, (Some(0), Some(6))),
    (-99, 99, (Some(0), Some(6))),
    (0, -1, (Some(0), Some(3))),
    (-6, -3, (Some(3), Some(3))),
    (0, -7, (None, None)),
    (0, -99, (None, None)),
    (5, 2, (None, None)),
    (99, 100, (None, None)),
];

fn a_range_is_in_slice_notation<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"abcabcab");
    for (start, end, (first, _)) in RANGES {
        scene.eq(&format!("{start}..{end}"), map.find_in("ab", start..end).unwrap(), first);
    }
    scene.eq("2..", map.find_in("ab", 2..).unwrap(), Some(3));
    scene.eq("-3..", map.find_in("ca", -3..).unwrap(), Some(5));
    scene.eq("..4", map.find_in("ca", ..4).unwrap(), Some(2));
    scene.eq("..3", map.find_in("ca", ..3).unwrap(), None);
    scene.eq("..=3", map.find_in("ca", ..=3).unwrap(), Some(2));
    scene.eq("3..=4", map.find_in("ab", 3..=4).unwrap(), Some(3));
    scene.eq("3..=3", map.find_in("ab", 3..=3).unwrap(), None);
    scene.eq("the least to the greatest", map.find_in("b", isize::MIN..isize::MAX).unwrap(), Some(1));
    scene.eq("..= the greatest", map.find_in("b", ..=isize::MAX).unwrap(), Some(1));
    scene.eq("from the greatest", map.find_in("b", isize::MAX..).unwrap(), None);
    scene.eq("to the least", map.find_in("b", ..isize::MIN).unwrap(), None);
}

fn a_range_of_indices_takes_the_last_result<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"abcabcab");
    let (mut forwards, mut start) = (Vec::new(), 0);
    while let Some(index) = map.find_in("ab", start..).unwrap() {
        forwards.push(index);
        start = index + 1;
    }
    scene.eq("forwards", forwards, [0, 3, 6]);
    let (mut backwards, mut end) = (Vec::new(), map.len());
    while let Some(index) = map.rfind_in("ab", ..end).unwrap() {
        backwards.push(index);
        end = index;
    }
    scene.eq("backwards", backwards, [6, 3, 0]);
    let [zero, five, eight] = [0_usize, 5, 8];
    scene.eq("5..8", map.find_in("ab", five..eight).unwrap(), Some(6));
    scene.eq("0..=4", map.rfind_in("ab", zero..=4).unwrap(), Some(3));
    scene.eq("..=4", map.rfind_in("ab", ..=five - 1).unwrap(), Some(3));
    scene.eq("..8", map.rfind_in("ab", ..eight).unwrap(), Some(6));
    scene.eq("past the end", map.find_in("", eight + 1..).unwrap(), None);
    scene.eq("at the end", map.find_in("", eight..).unwrap(), Some(8));
    scene.eq("the greatest", map.find_in("ab", zero..=usize::MAX).unwrap(), Some(0));
    let behind = (Bound::Excluded(zero), Bound::Unbounded);
    scene.eq("after the first", map.find_in("ab", behind).unwrap(), Some(3));
    let behind = (Bound::Excluded(-1), Bound::Unbounded);
    scene.eq("after the last", map.find_in("", behind).unwrap(), Some(8));
}

fn a_range_backwards_is_in_slice_notation<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"abcabcab");
    for (start, end, (_, last)) in RANGES {
        scene.eq(&format!("{start}..{end}"), map.rfind_in("ab", start..end).unwrap(), last);
    }
    scene.eq("2..", map.rfind_in("ab", 2..).unwrap(), Some(6));
    scene.eq("..-1", map.rfind_in("ab", ..-1).unwrap(), Some(3));
    scene.eq("..=-2", map.rfind_in("ab", ..=-2).unwrap(), Some(3));
    scene.eq("..=3", map.rfind_in("ab", ..=3).unwrap(), Some(0));
    scene.eq("..=4", map.rfind_in("ab", ..=4).unwrap(), Some(3));
    scene.eq("the least to the greatest", map.rfind_in("b", isize::MIN..isize::MAX).unwrap(), Some(7));
    scene.eq("..= the greatest", map.rfind_in("b", ..=isize::MAX).unwrap(), Some(7));
    scene.eq("from the greatest", map.rfind_in("b", isize::MAX..).unwrap(), None);
}

fn an_inclusive_end_of_minus_one_is_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"abcabcab");
    scene.eq("find ..=-1", map.find_in("b", ..=-1).unwrap(), Some(1));
    scene.eq("rfind ..=-1", map.rfind_in("b", ..=-1).unwrap(), Some(7));
    scene.eq("rfind ..-1", map.rfind_in("b", ..-1).unwrap(), Some(4));
    scene.eq("find -1..=-1", map.find_in("b", -1..=-1).unwrap(), Some(7));
    let (start, end) = (3, -1);
    scene.eq("find 3..=-1", map.find_in("ab", start..=end).unwrap(), Some(3));
    scene.eq("rfind 3..=-1", map.rfind_in("ab", start..=end).unwrap(), Some(6));
    scene.eq("an empty needle", map.rfind_in("", start..=end).unwrap(), Some(8));
}

fn an_exclusive_start_is_after_its_byte<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"abcabcab");
    let behind = |byte: isize| (Bound::Excluded(byte), Bound::Unbounded);
    scene.eq("after 0", map.find_in("ab", behind(0)).unwrap(), Some(3));
    scene.eq("after -3", map.find_in("ab", behind(-3)).unwrap(), Some(6));
    scene.eq("after -2", map.find_in("ab", behind(-2)).unwrap(), None);
    // The position after the last byte is the end, with either index.
    scene.eq("nothing after 7", map.find_in("", behind(7)).unwrap(), Some(8));
    scene.eq("nothing after -1", map.find_in("", behind(-1)).unwrap(), Some(8));
    scene.eq("nothing after 8", map.find_in("", behind(8)).unwrap(), None);
    scene.eq("nothing after the greatest", map.find_in("", behind(isize::MAX)).unwrap(), None);
}

fn a_match_lies_wholly_in_the_range<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"..needle..");
    scene.eq("2..8", both_in(&map, "needle", 2, 8), (Some(2), Some(2)));
    scene.eq("3..8", both_in(&map, "needle", 3, 8), (None, None));
    scene.eq("2..7", both_in(&map, "needle", 2, 7), (None, None));
    scene.eq("-8..-2", both_in(&map, "needle", -8, -2), (Some(2), Some(2)));
    scene.eq("-8..-3", both_in(&map, "needle", -8, -3), (None, None));
    scene.eq("2..=7", map.find_in("needle", 2..=7).unwrap(), Some(2));
}

fn an_empty_needle_is_found_at_the_start_and_at_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    scene.eq("at 0", both(at(&mut map, 0), ""), (Some(0), Some(5)));
    scene.eq("at 3", both(at(&mut map, 3), ""), (Some(3), Some(5)));
    scene.eq("at 5", both(at(&mut map, 5), ""), (Some(5), Some(5)));
    scene.eq("1..3", both_in(&map, "", 1, 3), (Some(1), Some(3)));
    scene.eq("2..2", both_in(&map, "", 2, 2), (Some(2), Some(2)));
    scene.eq("5..9", both_in(&map, "", 5, 9), (Some(5), Some(5)));
    scene.eq("-3..-1", both_in(&map, "", -3, -1), (Some(2), Some(4)));
    scene.eq("-99..99", both_in(&map, "", -99, 99), (Some(0), Some(5)));
    scene.eq("3..2", both_in(&map, "", 3, 2), (None, None));
}

fn nothing_is_found_past_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"hello");
    for start in [6, 7, 4096, 8192] {
        scene.eq(&format!("nothing in {start}.."), map.find_in("", start..).unwrap(), None);
        scene.eq(&format!("nothing in {start}.., backwards"), map.rfind_in("", start..).unwrap(), None);
        scene.eq(&format!("zero in {start}.."), map.find_in("\0", start..).unwrap(), None);
    }
    scene.eq("nothing in 6..6", both_in(&map, "", 6, 6), (None, None));
    scene.eq("nothing in 6..3", both_in(&map, "", 6, 3), (None, None));
    scene.eq("nothing from the greatest", map.find_in("", isize::MAX..).unwrap(), None);
}

fn nothing_is_found_from_a_position_past_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.seek(SeekFrom::End(0)).unwrap();
    map.resize(3).unwrap();
    scene.eq("a letter", both(&map, "h"), (None, None));
    scene.eq("nothing", both(&map, ""), (None, None));
    scene.eq("a range", both_in(&map, "l", 0, 5), (Some(2), Some(2)));
    scene.eq("tell", map.tell(), 5);
}

fn a_needle_longer_than_the_mapping_is_not_found<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    let long = [b"hello".as_slice(), &vec![0; 70_000]].concat();
    scene.eq("by one", both(&map, "hello!"), (None, None));
    // The rest of the last page is zeros.
    scene.eq("by one zero", both(&map, "hello\0"), (None, None));
    scene.eq("by many bytes", both(&map, &long), (None, None));
    scene.eq("in a range", both_in(&map, "hello", 0, 4), (None, None));
    scene.eq("from the position", both(at(&mut map, 3), "llo"), (None, None));
}

fn a_needle_may_be_the_whole_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(150_000);
    let mut map = scene.mapped("f", &content);
    scene.eq("all", both(&map, &content), (Some(0), Some(0)));
    scene.eq("all but the first", both(&map, &content[1..]), (Some(1), Some(1)));
    scene.eq("all but the last", both(&map, &content[..149_999]), (Some(0), Some(0)));
    let mut other = content.clone();
    other[149_999] ^= 1;
    scene.eq("one byte is another", both(&map, &other), (None, None));
    scene.eq("from the next position", both(at(&mut map, 1), &content), (None, None));
}

fn indices_count_from_the_mappings_start<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = vec![b'.'; 140_000];
    content[70_000..70_006].copy_from_slice(b"needle");
    content[60_000..60_006].copy_from_slice(b"needle");
    let file = scene.file("f", &content);
    let mut map = scene.map(MmapOptions::new().offset(64 << 10), &file).unwrap();
    scene.eq("at 0", both(&map, "needle"), (Some(4464), Some(4464)));
    scene.eq("at 4000", both(at(&mut map, 4000), "needle"), (Some(4464), Some(4464)));
    scene.eq("4000..5000", both_in(&map, "needle", 4000, 5000), (Some(4464), Some(4464)));
    scene.eq("-70000..", map.find_in("needle", -70_001..).unwrap(), Some(4464));
}

fn any_bytes_are_a_needle<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", &(0..=255).chain(0..=255).collect::<Vec<u8>>());
    scene.eq("a string", both(&map, "0"), (Some(48), Some(304)));
    scene.eq("a String", both(&map, String::from("01")), (Some(48), Some(304)));
    scene.eq("an array", both(&map, [255, 0]), (Some(255), Some(255)));
    scene.eq("a vector", both(&map, vec![254, 255]), (Some(254), Some(510)));
    scene.eq("a slice", both(&map, &[0_u8][..]), (Some(0), Some(256)));
    scene.eq("its own bytes", both(&map, &map[250..260]), (Some(250), Some(250)));
    for byte in [0_u8, 1, 10, 127, 128, 255] {
        let first = usize::from(byte);
        scene.eq(&format!("{byte}"), both(&map, [byte]), (Some(first), Some(first + 256)));
    }
}

fn changes_are_found_before_they_are_flushed<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &vec![b'.'; 70_000]);
    map[65_533..65_539].copy_from_slice(b"needle");
    scene.eq("written", both(&map, "needle"), (Some(65_533), Some(65_533)));
    map[65_535] = b'.';
    scene.eq("written over", both(&map, "needle"), (None, None));
    let mut memory = scene.anonymous(10_000);
    scene.eq("zeros", both(&memory, "\0\0"), (Some(0), Some(9998)));
    memory[5000] = 1;
    scene.eq("a one", both(&memory, [1]), (Some(5000), Some(5000)));
}

fn all_matches_can_be_walked_in_both_directions<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"aXbXXcX");
    let (mut forwards, mut start) = (Vec::new(), 0);
    while let Some(at) = map.find_in("X", start..).unwrap() {
        forwards.push(at);
        start = isize::try_from(at).unwrap() + 1;
    }
    let (mut backwards, mut end) = (Vec::new(), 7);
    while let Some(at) = map.rfind_in("X", ..end).unwrap() {
        backwards.push(at);
        end = isize::try_from(at).unwrap();
    }
    scene.eq("forwards", forwards, [1, 3, 4, 6]);
    scene.eq("backwards", backwards, [6, 4, 3, 1]);
}

fn bytes_past_the_end_of_the_mapping_are_not_found<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"one two three");
    let map = scene.map(MmapOptions::new().len(6), &file).unwrap();
    scene.eq("two", both(&map, "two"), (None, None));
    scene.eq("tw", both(&map, "tw"), (Some(4), Some(4)));
    scene.eq("three", both_in(&map, "three", 0, 99), (None, None));
}

fn matches_that_overlap_are_first_and_last<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"aaaaaa");
    scene.eq("aaa", both(&map, "aaa"), (Some(0), Some(3)));
    scene.eq("aaaaaa", both(&map, "aaaaaa"), (Some(0), Some(0)));
    scene.eq("aaaaaaa", both(&map, "aaaaaaa"), (None, None));
    scene.eq("aaa in 1..5", both_in(&map, "aaa", 1, 5), (Some(1), Some(2)));
    let map = scene.mapped("g", b"xababababx");
    scene.eq("abab", both(&map, "abab"), (Some(1), Some(5)));
    scene.eq("baba", both(&map, "baba"), (Some(2), Some(4)));
    scene.eq("abab in -8..-2", both_in(&map, "abab", -8, -2), (Some(3), Some(3)));
}

fn periodic_needles_are_found_among_near_misses<B: FileBackend>(scene: &mut Scene<B>) {
    // Runs of `a` that are one byte too short, and one that is long enough, across a border.
    let mut content = b"aaaaaaaaab".repeat(7000);
    content[65_530..65_541].copy_from_slice(b"aaaaaaaaaab");
    let map = scene.mapped("f", &content);
    scene.eq("ten a", map.find("aaaaaaaaaa").unwrap(), Some(65_530));
    scene.eq("ten a, backwards", map.rfind("aaaaaaaaaab").unwrap(), Some(65_530));
    scene.eq("baaab", both(&map, "baaab"), (None, None));
    let period = both(&map, "b".to_owned() + &"aaaaaaaaab".repeat(6000));
    scene.eq("a long period", period, (Some(9), Some(5529)));
}

fn a_long_periodic_needle_is_found_across_its_own_length<B: FileBackend>(scene: &mut Scene<B>) {
    let content = b"ab".repeat(100_000);
    let map = scene.mapped("f", &content);
    scene.eq("70,000 bytes", both(&map, &content[..70_000]), (Some(0), Some(130_000)));
    scene.eq("70,001 bytes", both(&map, &content[1..70_002]), (Some(1), Some(129_999)));
    let mut other = content[..70_000].to_vec();
    other[69_999] = b'c';
    scene.eq("the last is another", both(&map, &other), (None, None));
    other[69_999] = b'b';
    other[0] = b'c';
    scene.eq("the first is another", both(&map, &other), (None, None));
    scene.eq("200..70199", both_in(&map, &content[..70_000], 200, 70_199), (None, None));
    scene.eq("200..70200", both_in(&map, &content[..70_000], 200, 70_200), (Some(200), Some(200)));
}

fn matches_across_every_border_are_found<B: FileBackend>(scene: &mut Scene<B>) {
    // Not a round number, so that borders counted from the end are at other places.
    const LEN: usize = (3 << 20) + 12_345;
    let mut map = scene.mapped("f", &vec![b'.'; LEN]);
    let needle = b"across";
    let mut checked = 0;
    let borders = [4096, 8192, 64 << 10, 128 << 10, 192 << 10, 448 << 10, 960 << 10, 1 << 20, 2 << 20, 3 << 20, LEN];
    for border in borders.into_iter().chain(borders.map(|border| LEN - border)) {
        for place in border.saturating_sub(2 * needle.len())..=border + needle.len() {
            if place + needle.len() > LEN {
                continue;
            }
            map[place..place + needle.len()].copy_from_slice(needle);
            let found = both(&map, needle);
            assert_eq!(found, (Some(place), Some(place)), "at {place}");
            // A search whose steps start at another place.
            let start = isize::try_from(place).unwrap() - 5000;
            let found = both_in(&map, needle, start.max(0), start + 6000);
            assert_eq!(found, (Some(place), Some(place)), "at {place} from {start}");
            map[place..place + needle.len()].fill(b'.');
            checked += 1;
        }
    }
    scene.eq("places", checked, 394);
    scene.eq("none is left", both(&map, needle), (None, None));
}

fn a_needle_longer_than_every_step_is_found<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(4 << 20);
    let map = scene.mapped("f", &content);
    for (start, len) in [(0, 2 << 20), (1, 1 << 20), (4095, 70_000), (1_100_000, 3_000_000), ((2 << 20) - 1, 1 << 21)] {
        let needle = &content[start..start + len];
        scene.eq(&format!("{len} bytes from {start}"), both(&map, needle), (Some(start), Some(start)));
        let mut other = needle.to_vec();
        other[len - 1] ^= 1;
        scene.eq("with another end", both(&map, &other), (None, None));
    }
}
