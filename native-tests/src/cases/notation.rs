//! Python's `m[i]` and `m[start:stop:step]`, read and assigned.

use std::fmt::Debug;

use portable_mmap::{Access, Error, MmapOptions, Slice};

use crate::random::patternless;
use crate::{FileBackend, Scene, cases};

cases!("notation":
    an_item_counts_from_either_end,
    an_item_outside_is_an_index_error,
    setting_an_item_reaches_the_file,
    setting_a_read_only_item_fails_before_its_index_is_checked,
    ranges_are_slices,
    bounds_outside_are_clamped,
    a_slice_that_ends_before_it_starts_is_empty,
    an_inclusive_end_of_minus_one_is_the_end,
    a_step_skips_bytes,
    a_negative_step_goes_backwards,
    a_negative_step_clamps_to_the_last_byte,
    the_greatest_bounds_and_steps_do_not_overflow,
    a_step_of_zero_is_an_error,
    a_step_over_several_pages_picks_a_byte_of_each,
    a_whole_mapping_can_be_read_backwards,
    a_slice_is_assigned_as_many_bytes,
    a_slice_is_assigned_backwards,
    assigning_nothing_to_an_empty_slice_is_fine,
    another_number_of_bytes_is_a_mismatch_and_writes_nothing,
    assigning_a_read_only_slice_fails_before_other_checks,
    assigning_with_a_step_changes_those_bytes_alone,
    assigning_over_several_pages_changes_a_byte_of_each,
    assigning_a_slice_across_pages_reaches_the_file,
    assigning_to_a_copy_leaves_the_file
);

/// Only the variant of an error, because its numbers depend on the target.
fn named<T: Debug>(result: Result<T, Error>) -> Result<T, &'static str> {
    result.map_err(|e| e.name())
}

fn an_item_counts_from_either_end<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"hello");
    let items: Vec<char> = (-5..5).map(|index| char::from(map.get_item(index).unwrap())).collect();
    scene.eq("from -5 to 4", items, ['h', 'e', 'l', 'l', 'o', 'h', 'e', 'l', 'l', 'o']);
    let content = patternless(9000);
    let map = scene.mapped("g", &content);
    scene.eq("-1", map.get_item(-1).unwrap(), content[8999]);
    scene.eq("-4904", map.get_item(-4904).unwrap(), content[4096]);
}

fn an_item_outside_is_an_index_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    for index in [5, 6, -6, -7, 4096, -4096] {
        scene.fails(&format!("get {index}"), &mut map, "IndexOutOfRange", |map| map.get_item(index));
        scene.fails(&format!("set {index}"), &mut map, "IndexOutOfRange", |map| map.set_item(index, 0));
    }
    scene.eq("get the greatest", named(map.get_item(isize::MAX)), Err("IndexOutOfRange"));
    scene.eq("get the least", named(map.get_item(isize::MIN)), Err("IndexOutOfRange"));
    scene.eq("set the greatest", named(map.set_item(isize::MAX, 0)), Err("IndexOutOfRange"));
    scene.eq("set the least", named(map.set_item(isize::MIN, 0)), Err("IndexOutOfRange"));
    map.flush().unwrap();
    scene.file_is("f", b"hello");
}

fn setting_an_item_reaches_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.set_item(0, b'j').unwrap();
    map.set_item(-1, b'y').unwrap();
    map.set_item(-5, b'J').unwrap();
    map.set_item(4, b'Y').unwrap();
    scene.bytes("map", &map, b"JellY");
    map.flush().unwrap();
    scene.file_is("f", b"JellY");
}

fn setting_a_read_only_item_fails_before_its_index_is_checked<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    for index in [0, -5, 5, -6] {
        scene.fails(&format!("set {index}"), &mut map, "ReadOnly", |map| map.set_item(index, 0));
    }
    scene.eq("get -1", map.get_item(-1).unwrap(), b'o');
    scene.fails("get 5", &mut map, "IndexOutOfRange", |map| map.get_item(5));
}

fn ranges_are_slices<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"0123456789");
    scene.bytes("..", map.get_slice(..).unwrap(), b"0123456789");
    scene.bytes("2..5", map.get_slice(2..5).unwrap(), b"234");
    scene.bytes("2..=5", map.get_slice(2..=5).unwrap(), b"2345");
    scene.bytes("7..", map.get_slice(7..).unwrap(), b"789");
    scene.bytes("..3", map.get_slice(..3).unwrap(), b"012");
    scene.bytes("..=3", map.get_slice(..=3).unwrap(), b"0123");
    scene.bytes("-3..", map.get_slice(-3..).unwrap(), b"789");
    scene.bytes("..-3", map.get_slice(..-3).unwrap(), b"0123456");
    scene.bytes("-5..-2", map.get_slice(-5..-2).unwrap(), b"567");
    scene.bytes("-5..=-2", map.get_slice(-5..=-2).unwrap(), b"5678");
    let (from, to) = (4, -4);
    scene.bytes("4..-4", map.get_slice(from..to).unwrap(), b"45");
    scene.bytes("-8..4", map.get_slice(-8..4).unwrap(), b"23");
    scene.bytes("[2:5]", map.get_slice(Slice::new(2, 5, None)).unwrap(), b"234");
    scene.bytes("[:]", map.get_slice(Slice::new(None, None, None)).unwrap(), b"0123456789");
}

fn bounds_outside_are_clamped<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"hello");
    scene.bytes("..99", map.get_slice(..99).unwrap(), b"hello");
    scene.bytes("-99..", map.get_slice(-99..).unwrap(), b"hello");
    scene.bytes("-99..99", map.get_slice(-99..99).unwrap(), b"hello");
    scene.bytes("3..99", map.get_slice(3..99).unwrap(), b"lo");
    scene.bytes("-99..-3", map.get_slice(-99..-3).unwrap(), b"he");
    scene.bytes("5..", map.get_slice(5..).unwrap(), b"");
    scene.bytes("99..", map.get_slice(99..).unwrap(), b"");
    scene.bytes("..-99", map.get_slice(..-99).unwrap(), b"");
    scene.bytes("[99::-1]", map.get_slice(Slice::new(99, None, -1)).unwrap(), b"olleh");
    scene.bytes("[-99::-1]", map.get_slice(Slice::new(-99, None, -1)).unwrap(), b"");
}

fn a_slice_that_ends_before_it_starts_is_empty<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"hello");
    for (start, stop, step) in [(3, 2, 1), (3, 3, 1), (-1, -5, 1), (4, -4, 2), (2, 3, -1), (3, 3, -1), (-4, 4, -1)] {
        let got = map.get_slice(Slice::new(start, stop, step)).unwrap();
        scene.bytes(&format!("[{start}:{stop}:{step}]"), got, b"");
    }
}

fn an_inclusive_end_of_minus_one_is_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    scene.bytes("..=-1", map.get_slice(..=-1).unwrap(), b"hello");
    scene.bytes("-2..=-1", map.get_slice(-2..=-1).unwrap(), b"lo");
    scene.bytes("..=-2", map.get_slice(..=-2).unwrap(), b"hell");
    scene.bytes("..=-5", map.get_slice(..=-5).unwrap(), b"h");
    scene.bytes("..=-6", map.get_slice(..=-6).unwrap(), b"");
    // An exclusive end of -1 excludes the last byte.
    scene.bytes("..-1", map.get_slice(..-1).unwrap(), b"hell");
    map.set_slice(-2..=-1, b"LO").unwrap();
    map.flush().unwrap();
    scene.file_is("f", b"helLO");
}

fn a_step_skips_bytes<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"0123456789");
    scene.bytes("[::2]", map.get_slice(Slice::new(None, None, 2)).unwrap(), b"02468");
    scene.bytes("[1::2]", map.get_slice(Slice::new(1, None, 2)).unwrap(), b"13579");
    scene.bytes("[::3]", map.get_slice(Slice::new(None, None, 3)).unwrap(), b"0369");
    scene.bytes("[1:8:3]", map.get_slice(Slice::new(1, 8, 3)).unwrap(), b"147");
    scene.bytes("[1:7:3]", map.get_slice(Slice::new(1, 7, 3)).unwrap(), b"14");
    scene.bytes("[-7:-1:2]", map.get_slice(Slice::new(-7, -1, 2)).unwrap(), b"357");
    scene.bytes("[::9]", map.get_slice(Slice::new(None, None, 9)).unwrap(), b"09");
    scene.bytes("[::10]", map.get_slice(Slice::new(None, None, 10)).unwrap(), b"0");
    scene.bytes("[9::1000000]", map.get_slice(Slice::new(9, None, 1_000_000)).unwrap(), b"9");
}

fn a_negative_step_goes_backwards<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"0123456789");
    scene.bytes("[::-1]", map.get_slice(Slice::new(None, None, -1)).unwrap(), b"9876543210");
    scene.bytes("[::-2]", map.get_slice(Slice::new(None, None, -2)).unwrap(), b"97531");
    scene.bytes("[::-4]", map.get_slice(Slice::new(None, None, -4)).unwrap(), b"951");
    scene.bytes("[5::-1]", map.get_slice(Slice::new(5, None, -1)).unwrap(), b"543210");
    scene.bytes("[:5:-1]", map.get_slice(Slice::new(None, 5, -1)).unwrap(), b"9876");
    scene.bytes("[8:2:-3]", map.get_slice(Slice::new(8, 2, -3)).unwrap(), b"85");
    scene.bytes("[-2:-6:-1]", map.get_slice(Slice::new(-2, -6, -1)).unwrap(), b"8765");
    scene.bytes("[0::-1]", map.get_slice(Slice::new(0, None, -1)).unwrap(), b"0");
}

fn a_negative_step_clamps_to_the_last_byte<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"hello");
    scene.bytes("[5::-2]", map.get_slice(Slice::new(5, None, -2)).unwrap(), b"olh");
    scene.bytes("[9:0:-2]", map.get_slice(Slice::new(9, 0, -2)).unwrap(), b"ol");
    // A stop of -1 is the last byte, not the position before the first byte.
    scene.bytes("[:-1:-1]", map.get_slice(Slice::new(None, -1, -1)).unwrap(), b"");
    scene.bytes("[:-6:-1]", map.get_slice(Slice::new(None, -6, -1)).unwrap(), b"olleh");
    scene.bytes("[:-5:-1]", map.get_slice(Slice::new(None, -5, -1)).unwrap(), b"olle");
}

fn the_greatest_bounds_and_steps_do_not_overflow<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    let (least, greatest) = (isize::MIN, isize::MAX);
    for (label, slice, expected) in [
        ("least to greatest", Slice::new(least, greatest, 1), "hello"),
        ("greatest to least, backwards", Slice::new(greatest, least, -1), "olleh"),
        ("greatest step", Slice::new(None, None, greatest), "h"),
        ("least step", Slice::new(None, None, least), "o"),
        ("greatest step from the last", Slice::new(-1, greatest, greatest), "o"),
        ("least step from the first", Slice::new(0, least, least), "h"),
        ("from the greatest", Slice::new(greatest, None, 1), ""),
        ("to the least", Slice::new(None, least, 1), ""),
        ("from the least, backwards", Slice::new(least, None, -1), ""),
        ("..= greatest", Slice::from(..=greatest), "hello"),
    ] {
        scene.bytes(label, map.get_slice(slice).unwrap(), expected);
    }
    map.set_slice(Slice::new(None, None, least), b"!").unwrap();
    map.set_slice(Slice::new(None, None, greatest), b"H").unwrap();
    scene.bytes("map", &map, b"Hell!");
}

fn a_step_of_zero_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    let zero = Slice::new(None, None, 0);
    scene.fails("get", &mut map, "OutOfRange", |map| map.get_slice(zero));
    scene.fails("set", &mut map, "OutOfRange", |map| map.set_slice(zero, b"HELLO"));
    scene.fails("set nothing", &mut map, "OutOfRange", |map| map.set_slice(Slice::new(3, 3, 0), b""));
    map.flush().unwrap();
    scene.file_is("f", b"hello");
}

/// Steps around the page sizes of all systems, and steps of several pages.
const WIDE: [isize; 8] = [4095, 4096, 4097, 16_384, 16_385, 40_000, 65_537, 131_072];

fn a_step_over_several_pages_picks_a_byte_of_each<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(300_000);
    let file = scene.file("f", &content);
    for step in WIDE {
        // A new mapping, so that no page is loaded yet.
        let map = scene.map(&MmapOptions::new(), &file).unwrap();
        let stride = step.unsigned_abs();
        let forwards: Vec<u8> = content.iter().skip(7).step_by(stride).copied().collect();
        let backwards: Vec<u8> = content.iter().rev().step_by(stride).copied().collect();
        scene.bytes(&format!("[7::{step}]"), map.get_slice(Slice::new(7, None, step)).unwrap(), forwards);
        scene.bytes(&format!("[::-{step}]"), map.get_slice(Slice::new(None, None, -step)).unwrap(), backwards);
    }
}

fn a_whole_mapping_can_be_read_backwards<B: FileBackend>(scene: &mut Scene<B>) {
    // Byte by byte, which takes Miri minutes.
    let mut content = patternless(if cfg!(miri) { 8_001 } else { 200_001 });
    let map = scene.mapped("f", &content);
    content.reverse();
    scene.bytes("[::-1]", map.get_slice(Slice::new(None, None, -1)).unwrap(), &content);
}

fn a_slice_is_assigned_as_many_bytes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    map.set_slice(2..4, b"AB").unwrap();
    map.set_slice(-2.., b"CD").unwrap();
    map.set_slice(..1, b"E").unwrap();
    map.set_slice(5..=5, b"F").unwrap();
    map.set_slice(Slice::new(6, 99, 3), b"G").unwrap_err();
    map.set_slice(Slice::new(6, 99, 2), b"GH").unwrap();
    scene.bytes("map", &map, b"E1AB4FG7HD");
    map.set_slice(.., b"abcdefghij").unwrap();
    map.flush().unwrap();
    scene.file_is("f", b"abcdefghij");
}

fn a_slice_is_assigned_backwards<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    map.set_slice(Slice::new(None, None, -1), b"abcdefghij").unwrap();
    scene.bytes("[::-1]", &map, b"jihgfedcba");
    map.set_slice(Slice::new(7, 1, -2), b"XYZ").unwrap();
    map.flush().unwrap();
    scene.file_is("f", b"jihZfYdXba");
}

fn assigning_nothing_to_an_empty_slice_is_fine<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    for slice in [Slice::new(3, 3, 1), Slice::new(4, 2, 1), Slice::new(99, None, 9999), Slice::new(2, 4, -1)] {
        scene.eq(&format!("{slice:?}"), named(map.set_slice(slice, b"")), Ok(()));
    }
    map.flush().unwrap();
    scene.file_is("f", b"hello");
}

fn another_number_of_bytes_is_a_mismatch_and_writes_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(20_000);
    let mut map = scene.mapped("f", &content);
    for (slice, data) in [
        (Slice::from(2..4), b"x".as_slice()),
        (Slice::from(2..4), b"xyz"),
        (Slice::from(2..4), b""),
        (Slice::from(3..3), b"x"),
        (Slice::new(4, 2, 1), b"x"),
        (Slice::new(None, None, -1), b"x"),
        (Slice::new(None, None, 5000), b"xyz"),
        (Slice::new(None, None, 5000), b"vwxyz"),
        (Slice::new(None, None, -5000), b"vwxyz"),
        (Slice::from(19_999..), b"xy"),
        (Slice::from(20_000..), b"x"),
    ] {
        let label = format!("{slice:?} and {} bytes", data.len());
        scene.fails(&label, &mut map, "SizeMismatch", |map| map.set_slice(slice, data));
    }
    map.flush().unwrap();
    scene.file_is("f", &content);
}

fn assigning_a_read_only_slice_fails_before_other_checks<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    for (slice, data) in [
        (Slice::from(..2), b"ab".as_slice()),
        (Slice::from(..2), b"too many"),
        (Slice::from(2..2), b""),
        (Slice::new(None, None, 0), b"hello"),
    ] {
        scene.fails(&format!("{slice:?}"), &mut map, "ReadOnly", |map| map.set_slice(slice, data));
    }
    scene.bytes("[::-2]", map.get_slice(Slice::new(None, None, -2)).unwrap(), b"olh");
}

fn assigning_with_a_step_changes_those_bytes_alone<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = patternless(if cfg!(miri) { 9_000 } else { 20_000 });
    let mut map = scene.mapped("f", &content);
    let data = patternless((content.len() - 3).div_ceil(7));
    map.set_slice(Slice::new(3, None, 7), &data).unwrap();
    content.iter_mut().skip(3).step_by(7).zip(&data).for_each(|(byte, &new)| *byte = new);
    scene.bytes("map", &map, &content);
    map.flush().unwrap();
    scene.file_is("f", &content);
}

fn assigning_over_several_pages_changes_a_byte_of_each<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = patternless(if cfg!(miri) { 60_000 } else { 300_000 });
    let file = scene.file("f", &content);
    for step in WIDE {
        let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
        let data = patternless(300);
        let count = map.get_slice(Slice::new(None, None, step)).unwrap().len();
        map.set_slice(Slice::new(None, None, step), &data[..count]).unwrap();
        content.iter_mut().step_by(step.unsigned_abs()).zip(&data).for_each(|(byte, &new)| *byte = new);
        let count = map.get_slice(Slice::new(-2, None, -step)).unwrap().len();
        map.set_slice(Slice::new(-2, None, -step), &data[100..100 + count]).unwrap();
        let backwards = content.iter_mut().rev().skip(1).step_by(step.unsigned_abs());
        backwards.zip(&data[100..]).for_each(|(byte, &new)| *byte = new);
        map.close().unwrap();
        scene.note("step", step);
        scene.file_is("f", &content);
    }
}

fn assigning_a_slice_across_pages_reaches_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    // Miri takes a minute for that many.
    let (len, count) = if cfg!(miri) { (15_000_usize, 5_000) } else { (150_000, 100_000) };
    let mut content = patternless(len);
    let mut map = scene.mapped("f", &content);
    let data = patternless(count);
    let start = 5000 - len.cast_signed();
    map.set_slice(start..start + count.cast_signed(), &data).unwrap();
    content[5000..5000 + count].copy_from_slice(&data);
    scene.bytes("map", &map, &content);
    map.close().unwrap();
    scene.file_is("f", &content);
}

fn assigning_to_a_copy_leaves_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    drop(scene.file("f", b"hello"));
    let mut map = scene.map(MmapOptions::new().access(Access::Copy), &scene.open_read("f")).unwrap();
    map.set_item(-1, b'!').unwrap();
    map.set_slice(Slice::new(None, None, 2), b"HLO").unwrap();
    scene.bytes("map", &map, b"HeLlO");
    map.flush().unwrap();
    map.close().unwrap();
    scene.file_is("f", b"hello");
}
