//! Using a mapping as a slice panics with the same message as a slice, and panics where changing an immutable slice
//! would not compile.

use std::hint::black_box;

use portable_mmap::{Access, MmapOptions};

use crate::{FileBackend, Scene, cases};

// If versions of Rust have different messages, the text is the common part.
cases!("panics":
    ;
    panicking reading_an_index_past_the_end "index out of bounds: the len is 5 but the index is 5";
    panicking reading_the_greatest_index "index out of bounds: the len is 5 but the index is";
    panicking reading_a_range_that_ends_past_the_end "range end index 6 out of range for slice of length 5";
    panicking reading_a_range_that_starts_past_the_end "index 6 out of range for slice of length 5";
    panicking reading_a_range_that_ends_before_it_starts "slice index starts at 3 but ends at 2";
    panicking reading_from_past_the_end "range start index 6 out of range for slice of length 5";
    panicking reading_an_inclusive_range_that_ends_past_the_end "out of range for slice of length 5";
    panicking reading_an_inclusive_range_that_ends_before_it_starts "slice index starts at 3 but ends at 2";
    panicking reading_to_past_the_end "range end index 6 out of range for slice of length 5";
    panicking reading_to_past_the_end_inclusively "out of range for slice of length 5";
    panicking reading_to_the_greatest_index "slice";
    panicking writing_an_index_past_the_end "index out of bounds: the len is 5 but the index is 5";
    panicking writing_a_range_that_ends_past_the_end "range end index 6 out of range for slice of length 5";
    panicking writing_a_range_that_ends_before_it_starts "slice index starts at 3 but ends at 2";
    panicking writing_from_past_the_end "range start index 6 out of range for slice of length 5";
    panicking writing_an_inclusive_range_that_ends_past_the_end "out of range for slice of length 5";
    panicking writing_to_past_the_end "range end index 6 out of range for slice of length 5";
    panicking writing_to_past_the_end_inclusively "out of range for slice of length 5";
    panicking writing_an_index_of_a_read_only_mapping "the mapping is read-only";
    panicking writing_all_of_a_read_only_mapping "the mapping is read-only";
    panicking writing_a_range_of_a_read_only_mapping "the mapping is read-only";
    panicking writing_an_inclusive_range_of_a_read_only_mapping "the mapping is read-only";
    panicking writing_from_an_index_of_a_read_only_mapping "the mapping is read-only";
    panicking writing_to_an_index_of_a_read_only_mapping "the mapping is read-only";
    panicking writing_inclusively_to_an_index_of_a_read_only_mapping "the mapping is read-only";
    panicking writing_nothing_to_a_read_only_mapping "the mapping is read-only";
    panicking reading_the_first_byte_of_a_closed_mapping "the mapping is closed";
    panicking writing_the_first_byte_of_a_closed_mapping "the mapping is closed";
    panicking reading_a_range_of_a_closed_mapping "the mapping is closed";
    panicking reading_from_an_index_of_a_closed_mapping "the mapping is closed";
    panicking reading_an_inclusive_range_of_a_closed_mapping "the mapping is closed";
    panicking reading_to_an_index_of_a_closed_mapping "the mapping is closed";
    panicking writing_a_range_of_a_closed_mapping "the mapping is closed";
    panicking reading_past_a_shrunk_end "index out of bounds: the len is 3 but the index is 3"
);

macro_rules! reading {
    ($($case:ident: $range:expr;)*) => {$(
        fn $case<B: FileBackend>(scene: &mut Scene<B>) {
            let map = scene.mapped("f", b"hello");
            scene.bytes("map", &map, b"hello");
            let _ = black_box(&map[$range]);
        }
    )*};
}

// Wrong bounds go through `black_box`, because otherwise the compiler would reject them.
reading! {
    reading_an_index_past_the_end: 5;
    reading_the_greatest_index: usize::MAX;
    reading_a_range_that_ends_past_the_end: 0..6;
    reading_a_range_that_starts_past_the_end: 6..6;
    reading_a_range_that_ends_before_it_starts: 3..black_box(2);
    reading_from_past_the_end: 6..;
    reading_an_inclusive_range_that_ends_past_the_end: 0..=5;
    reading_an_inclusive_range_that_ends_before_it_starts: 3..=black_box(1);
    reading_to_past_the_end: ..6;
    reading_to_past_the_end_inclusively: ..=5;
    reading_to_the_greatest_index: ..=usize::MAX;
}

macro_rules! writing {
    ($($case:ident: $range:expr;)*) => {$(
        fn $case<B: FileBackend>(scene: &mut Scene<B>) {
            let mut map = scene.mapped("f", b"hello");
            scene.bytes("map", &map, b"hello");
            map[$range].fill(b'x');
        }
    )*};
}

writing! {
    writing_a_range_that_ends_past_the_end: 0..6;
    writing_a_range_that_ends_before_it_starts: 3..black_box(2);
    writing_from_past_the_end: 6..;
    writing_an_inclusive_range_that_ends_past_the_end: 0..=5;
    writing_to_past_the_end: ..6;
    writing_to_past_the_end_inclusively: ..=5;
}

fn writing_an_index_past_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    scene.bytes("map", &map, b"hello");
    map[5] = b'x';
}

macro_rules! writing_read_only {
    ($($case:ident: $range:expr;)*) => {$(
        fn $case<B: FileBackend>(scene: &mut Scene<B>) {
            let file = scene.file("f", b"hello");
            let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
            scene.bytes("map", &map, b"hello");
            map[$range].fill(b'x');
        }
    )*};
}

writing_read_only! {
    writing_all_of_a_read_only_mapping: ..;
    writing_a_range_of_a_read_only_mapping: 1..3;
    writing_an_inclusive_range_of_a_read_only_mapping: 1..=3;
    writing_from_an_index_of_a_read_only_mapping: 1..;
    writing_to_an_index_of_a_read_only_mapping: ..3;
    writing_inclusively_to_an_index_of_a_read_only_mapping: ..=3;
    writing_nothing_to_a_read_only_mapping: 2..2;
}

fn writing_an_index_of_a_read_only_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    scene.bytes("map", &map, b"hello");
    map[0] = b'x';
}

macro_rules! reading_closed {
    ($($case:ident: $range:expr;)*) => {$(
        fn $case<B: FileBackend>(scene: &mut Scene<B>) {
            let mut map = scene.mapped("f", b"hello");
            map.close().unwrap();
            scene.eq("len", map.len(), 0);
            let _ = black_box(&map[$range]);
        }
    )*};
}

reading_closed! {
    reading_the_first_byte_of_a_closed_mapping: 0;
    reading_a_range_of_a_closed_mapping: 0..5;
    reading_from_an_index_of_a_closed_mapping: 1..;
    reading_an_inclusive_range_of_a_closed_mapping: 0..=4;
    reading_to_an_index_of_a_closed_mapping: ..1;
}

fn writing_the_first_byte_of_a_closed_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.close().unwrap();
    scene.eq("len", map.len(), 0);
    map[0] = b'x';
}

fn writing_a_range_of_a_closed_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.close().unwrap();
    scene.eq("len", map.len(), 0);
    map[0..5].fill(b'x');
}

fn reading_past_a_shrunk_end<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.resize(3).unwrap();
    scene.bytes("map", &map, b"hel");
    let _ = black_box(map[3]);
}
