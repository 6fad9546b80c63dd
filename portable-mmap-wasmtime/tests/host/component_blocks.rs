//! Blocks of a component's memory that cannot be mapped over, and lists that do not describe a block.

use std::os::unix::fs::FileExt as _;

use crate::common::component::{Guest, Place, text};
use crate::common::guest::TWO_PAGES;
use crate::common::host::read;
use crate::common::{AT, BLOCK, HostKind, PAGE, SHARED, Scene, Test, pattern, tests, trusting};

pub(crate) const TESTS: &[Test] = tests![
    lists_that_are_not_one_byte_long_are_invalid,
    ends_at_another_distance_than_a_block_are_invalid,
    a_components_block_that_does_not_start_at_a_block_is_invalid,
    a_components_block_before_the_origin_is_not_mapped,
    a_components_block_in_the_initial_memory_is_not_mapped,
    a_wrong_origin_of_a_component_only_makes_the_host_stricter,
    lists_outside_of_memory_end_the_call,
    blocks_of_a_component_that_overlap_are_not_mapped,
    a_component_maps_into_each_of_its_memories,
    the_largest_initial_memory_counts_for_all_memories,
    the_largest_initial_memory_of_all_components_counts,
    a_component_that_passes_many_origins_is_limited,
];

/// The number of blocks in the file.
const BLOCKS: usize = 4;

/// A component with bytes in its memory and a file.
fn full(scene: &Scene) -> (Guest, i64) {
    let file = scene.file("f", &pattern(BLOCKS * BLOCK));
    let mut guest = scene.components().guest();
    guest.call("fill", &[AT as i64, 8, 2 * BLOCKS as i64 * BLOCK as i64]);
    let inode = guest.open(&file);
    (guest, inode)
}

/// Checks that a request fails with this error, and changes nothing.
#[track_caller]
fn assert_fails(guest: &mut Guest, place: Place, error: &str) {
    let mappings = guest.mappings();
    for flags in [0, SHARED] {
        assert_eq!(guest.place(Place { flags, ..place }), Err(error), "{place:?}");
    }
    assert!(guest.bytes(AT..AT + BLOCK).iter().all(|&byte| byte == 8), "the memory has not changed: {place:?}");
    assert_eq!(guest.mappings(), mappings);
}

fn lists_that_are_not_one_byte_long_are_invalid(scene: &Scene) {
    let (mut guest, inode) = full(scene);
    let right = Place::new(inode, AT, BLOCK, 0);
    for len in [0, 2, BLOCK as i64] {
        for place in [
            Place { origin: [right.origin[0], len], ..right },
            Place { first: [right.first[0], len], ..right },
            Place { last: [right.last[0], len], ..right },
        ] {
            assert_fails(&mut guest, place, "invalid");
        }
    }
    guest.place(right).unwrap().unwrap();
}

fn ends_at_another_distance_than_a_block_are_invalid(scene: &Scene) {
    let (mut guest, inode) = full(scene);
    let right = Place::new(inode, AT, BLOCK, 0);
    let (first, last, block) = (right.first[0], right.last[0], BLOCK as i64);
    for (first, last, len) in [
        (first, last, 0),
        (first, last, block + 1),
        (first, last, 2 * block),
        (first, last, -1),
        (first, last, i64::MIN),
        (first, last - 1, block),
        (first, last + 1, block),
        (first, last + block, block),
        (first, first, block),
        // The last byte before the first.
        (last, first, block),
        (first + block, first - 1, block),
    ] {
        assert_fails(&mut guest, Place { first: [first, 1], last: [last, 1], len, ..right }, "invalid");
    }
}

fn a_components_block_that_does_not_start_at_a_block_is_invalid(scene: &Scene) {
    let (mut guest, inode) = full(scene);
    for at in [AT + 1, AT + PAGE, AT + BLOCK - 1] {
        assert_fails(&mut guest, Place::new(inode, at, BLOCK, 0), "invalid");
    }
    // The distance from the origin is right, but the address is not a page boundary of the host.
    let place = Place::new(inode, AT + 8, BLOCK, 0);
    assert_fails(&mut guest, Place { origin: [8, 1], ..place }, "unsupported");
}

fn a_components_block_before_the_origin_is_not_mapped(scene: &Scene) {
    let (mut guest, inode) = full(scene);
    for origin in [AT + 1, AT + BLOCK, AT + 8 * BLOCK] {
        let place = Place { origin: [origin as i64, 1], ..Place::new(inode, AT, BLOCK, 0) };
        assert_fails(&mut guest, place, "fault");
    }
}

fn a_components_block_in_the_initial_memory_is_not_mapped(scene: &Scene) {
    let (mut guest, inode) = full(scene);
    for (at, blocks) in [(0, 1), (0, 3), (BLOCK, 1), (BLOCK, 2)] {
        assert_fails(&mut guest, Place::new(inode, at, blocks * BLOCK, 0), "address-not-available");
    }
    assert_eq!(guest.bytes(BLOCK..BLOCK + 8), b"segment\0");
    guest.mapped(inode, 2 * BLOCK, BLOCK, 0);
}

/// The host assumes that the memory begins at the origin, and with the largest possible initial size.
fn a_wrong_origin_of_a_component_only_makes_the_host_stricter(scene: &Scene) {
    let (mut guest, inode) = full(scene);
    let place = Place::new(inode, AT, BLOCK, 0);
    for back in [0, 1] {
        let origin = [(AT - back * BLOCK) as i64, 1];
        assert_fails(&mut guest, Place { origin, ..place }, "address-not-available");
    }
    guest.place(Place { origin: [(AT - 2 * BLOCK) as i64, 1], ..place }).unwrap().unwrap();
}

/// wasmtime checks the lists before it calls the host.
fn lists_outside_of_memory_end_the_call(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let host = scene.components();
    let end = ((2 + 1024) * BLOCK) as i64;
    for (first, last) in [(end, end + BLOCK as i64 - 1), (end - 1, end), (-(BLOCK as i64), -1)] {
        let mut guest = host.guest();
        let inode = guest.open(&file);
        let [file, len, flags] = [inode, BLOCK as i64, 0];
        let error = guest.try_call("place", &[file, 0, len, 0, 1, first, 1, last, 1, flags]).unwrap_err();
        assert!(format!("{error:?}").contains("out of bounds"), "{error:?}");
        assert_eq!(guest.mappings(), 0);
    }
}

fn blocks_of_a_component_that_overlap_are_not_mapped(scene: &Scene) {
    let (mut guest, inode) = full(scene);
    let at = AT + 2 * BLOCK;
    guest.mapped(inode, at, 2 * BLOCK, SHARED);
    for (start, blocks) in [(at, 1), (at, 2), (at + BLOCK, 1), (at - BLOCK, 2), (at - BLOCK, 4), (at + BLOCK, 2)] {
        assert_fails(&mut guest, Place::new(inode, start, blocks * BLOCK, 0), "address-in-use");
    }
    guest.mapped(inode, at - BLOCK, BLOCK, 0);
    guest.mapped(inode, at + 2 * BLOCK, BLOCK, 0);
}

fn a_component_maps_into_each_of_its_memories(scene: &Scene) {
    let files = ["f", "g"].map(|name| scene.file(name, &pattern(BLOCK)));
    files[1].write_all_at(&vec![77; BLOCK], 0).unwrap();
    let host = scene.components_of(&text(&[TWO_PAGES, r#"(memory (export "memory") 1)"#]));
    let mut guest = host.guest();
    assert!(guest.call("grow1", &[1024]) >= 0);
    let parts = ["", "1"];
    for part in parts {
        let inodes = [0, 1].map(|i| guest.open(&files[i]));
        let handles =
            [0, 1].map(|i| guest.place_in(parts[i], Place::new(inodes[i], AT, BLOCK, SHARED)).unwrap().unwrap());
        for (part, file) in parts.into_iter().zip(&files) {
            assert!(guest.bytes_in(part, AT..AT + BLOCK) == read(file, 0, BLOCK), "{part}");
        }
        guest.drop_mapped(handles[0]);
        assert!(guest.bytes(AT..AT + BLOCK).iter().all(|&byte| byte == 0));
        assert_eq!(guest.bytes_in("1", AT..AT + 8), [77; 8], "the other memory still has its mapping");
        // At its end the store does not change memory between its two memories.
        drop(guest);
        guest = host.guest();
        assert!(guest.call("grow1", &[1024]) >= 0);
        for part in parts {
            assert!(guest.bytes_in(part, AT..AT + BLOCK).iter().all(|&byte| byte == 0), "the next component has zeros");
        }
        // The memory has not become larger.
        let behind = ((2 + 1024) * BLOCK) as i64;
        assert!(
            guest.try_call(&format!("load{part}"), &[behind]).is_err(),
            "addresses behind a memory are not part of it"
        );
        drop(guest);
        guest = host.guest();
        assert!(guest.call("grow1", &[1024]) >= 0);
    }
}

/// The host does not know in which of its memories a component maps.
fn the_largest_initial_memory_counts_for_all_memories(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let host = scene.components_of(&text(&[TWO_PAGES, r#"(memory (export "memory") 20)"#]));
    let mut guest = host.guest();
    let inode = guest.open(&file);
    for at in [2, 19] {
        let place = Place::new(inode, at * BLOCK, BLOCK, 0);
        assert_eq!(guest.place(place), Err("address-not-available"));
    }
    guest.mapped(inode, 20 * BLOCK, BLOCK, 0);
    guest.assert_shows(20 * BLOCK, &file);
}

/// The host does not know either which component makes the request.
fn the_largest_initial_memory_of_all_components_counts(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let host = scene.components();
    let large = text(&[r#"(memory (export "memory") 20)"#]);
    let large = wasmtime::component::Component::new(&host.host.engine, large).unwrap();
    for [first, second] in [[&host.component, &large], [&large, &host.component]] {
        let mut guest = host.guest_with(&trusting().component(first).component(second));
        let inode = guest.open(&file);
        assert_eq!(guest.place(Place::new(inode, 19 * BLOCK, BLOCK, 0)), Err("address-not-available"));
        guest.mapped(inode, 20 * BLOCK, BLOCK, 0);
    }
}

/// Each of the memories that it seems to have would leave an area behind in a pool.
fn a_component_that_passes_many_origins_is_limited(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let host = scene.components();
    let mut guest = host.guest_with(&trusting().max_mappings(1000).component(&host.component));
    let inode = guest.open(&file);
    let place = |i: usize| {
        let at = AT + 4 * i * BLOCK;
        Place { origin: [at as i64, 1], ..Place::new(inode, at + 2 * BLOCK, BLOCK, 0) }
    };
    for i in 0..64 {
        let handle = guest.place(place(i)).unwrap().unwrap();
        guest.drop_mapped(handle);
    }
    assert_eq!(guest.place(place(64)), Err("too-many-mappings"));
    // The right origin shows that they are one memory, so others are possible again.
    guest.mapped(inode, AT + 4 * 64 * BLOCK, BLOCK, 0);
    guest.place(place(65)).unwrap().unwrap();
}
