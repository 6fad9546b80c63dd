//! Private anonymous memory of the operating system: an OS mapping that Miri supports too.

#![cfg(any(unix, windows))]

use portable_mmap::{Flags, Mmap, MmapOptions};

const PAGE: usize = 4096;

fn private(len: usize) -> Mmap {
    MmapOptions::new().len(len).flags(Flags::PRIVATE).map_anonymous().unwrap()
}

#[test]
fn a_move_may_overlap_in_either_direction() {
    let mut map = private(3 * PAGE);
    map[..5].copy_from_slice(b"abcde");
    map.move_within(1, 0, 4).unwrap();
    assert_eq!(&map[..5], b"aabcd");
    map.move_within(0, 1, 4).unwrap();
    assert_eq!(&map[..5], b"abcdd");
    map.move_within(PAGE - 2, 0, 5).unwrap();
    map.move_within(PAGE, PAGE - 2, 5).unwrap();
    assert_eq!(&map[PAGE - 2..PAGE + 5], b"ababcdd");
}

#[test]
fn a_slice_that_is_borrowed_reads_what_a_move_before_it_wrote() {
    let mut map = private(PAGE);
    map[0] = 1;
    map.move_within(10, 0, 1).unwrap();
    let (first, rest) = map.as_mut_slice().unwrap().split_at_mut(5);
    rest[0] = first[0] + rest[5];
    assert_eq!((map[5], map[10]), (2, 1));
}

#[test]
fn memory_keeps_its_bytes_when_it_grows_and_shrinks() {
    let mut map = private(PAGE);
    map[PAGE - 1] = 7;
    map.resize(3 * PAGE).unwrap();
    assert_eq!((map[PAGE - 1], map[3 * PAGE - 1]), (7, 0));
    map.move_within(2 * PAGE, PAGE - 1, 1).unwrap();
    map.resize(2 * PAGE + 1).unwrap();
    assert_eq!((map[PAGE - 1], map[2 * PAGE]), (7, 7));
}
