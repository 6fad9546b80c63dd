//! Flushing: its four forms, the checks and their order, and a file that was truncated before.
//!
//! Exactly which bytes a buffer writes is the subject of `write_back`.

use std::io::Write;

use portable_mmap::{Access, Mapping, MmapOptions};

use crate::others::{UNIT, pattern, resize};
use crate::{FileBackend, Scene, cases};

cases!("flush":
    every_form_writes_changes_to_the_file,
    the_trait_flushes_as_the_call_does,
    a_range_outside_is_an_error_with_every_access,
    a_misaligned_offset_is_an_error_only_if_changes_would_be_written,
    the_range_is_checked_before_its_alignment,
    an_empty_range_is_fine_up_to_the_end,
    a_range_without_a_length_ends_with_the_mapping,
    flushing_a_read_only_mapping_or_a_copy_does_nothing,
    flushing_anonymous_memory_does_nothing,
    changes_of_a_window_reach_their_place_in_the_file,
    flushing_without_changes_and_twice_is_fine,
    the_position_stays,
    a_change_past_a_truncated_end_is_an_error_and_stays [Truncation],
    a_change_across_a_truncated_end_is_written_up_to_it [Truncation],
    a_range_before_a_truncated_end_is_flushed [Truncation],
    a_file_truncated_before_the_window_is_an_error [Truncation],
    a_clean_mapping_of_a_truncated_file_flushes [Truncation],
    truncated_changes_reach_the_file_once_it_has_grown_again [Truncation]
);

fn every_form_writes_changes_to_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    let mut want = pattern(2 * UNIT);
    for (at, form) in ["flush", "flush_range", "flush_async", "flush_async_range"].into_iter().enumerate() {
        for at in [at, UNIT + at] {
            map[at] = 0;
            want[at] = 0;
        }
        match form {
            "flush" => map.flush(),
            "flush_range" => map.flush_range(0, 2 * UNIT),
            "flush_async" => map.flush_async(),
            _ => map.flush_async_range(0, UNIT).and_then(|()| map.flush_async_range(UNIT, UNIT)),
        }
        .unwrap();
        scene.note("form", form);
        scene.file_is("f", &want);
    }
}

fn the_trait_flushes_as_the_call_does<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    Write::write_all(&mut map, b"HE").unwrap();
    Write::flush(&mut map).unwrap();
    scene.file_is("f", b"HEllo");
    map.close().unwrap();
    let error = Write::flush(&mut map).unwrap_err();
    scene.eq("closed", error.kind(), std::io::ErrorKind::InvalidInput);
}

/// One mapping of each access, and anonymous memory.
fn of_every_kind<B: FileBackend>(scene: &Scene<B>, len: usize) -> Vec<(&'static str, Mapping<B>)> {
    let file = scene.file("f", &pattern(len));
    let of = |access| scene.map(MmapOptions::new().access(access), &file).expect("a file can be mapped");
    vec![
        ("Write", of(Access::Write)),
        ("Read", of(Access::Read)),
        ("Copy", of(Access::Copy)),
        ("anonymous", scene.anonymous(len)),
    ]
}

fn a_range_outside_is_an_error_with_every_access<B: FileBackend>(scene: &mut Scene<B>) {
    for (kind, mut map) in of_every_kind(scene, UNIT) {
        scene.note("kind", kind);
        scene.fails("one too long", &mut map, "OutOfRange", |map| map.flush_range(0, UNIT + 1));
        scene.fails("past the end", &mut map, "OutOfRange", |map| map.flush_range(UNIT + 1, 0));
        scene.fails("async", &mut map, "OutOfRange", |map| map.flush_async_range(UNIT, 1));
        let result = map.flush_range(usize::MAX, 2);
        scene.variant("an end that overflows", result, "OutOfRange");
    }
}

fn a_misaligned_offset_is_an_error_only_if_changes_would_be_written<B: FileBackend>(scene: &mut Scene<B>) {
    for (kind, mut map) in of_every_kind(scene, UNIT) {
        scene.note("kind", kind);
        for offset in [1, 4095, UNIT - 1] {
            for flushed in [map.flush_range(offset, 1), map.flush_async_range(offset, 1)] {
                match kind {
                    "Read" | "Copy" => scene.eq("flushed", flushed.is_ok(), true),
                    _ => scene.variant("not flushed", flushed, "Misaligned"),
                }
            }
        }
    }
}

fn the_range_is_checked_before_its_alignment<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(UNIT));
    scene.fails("both wrong", &mut map, "OutOfRange", |map| map.flush_range(1, UNIT));
}

fn an_empty_range_is_fine_up_to_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    for (kind, mut map) in of_every_kind(scene, UNIT) {
        scene.eq(kind, map.flush_range(0, 0).is_ok() && map.flush_range(UNIT, 0).is_ok(), true);
        scene.eq("async", map.flush_async_range(UNIT, 0).is_ok(), true);
    }
}

fn a_range_without_a_length_ends_with_the_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    for form in ["flush_range", "flush_async_range"] {
        let mut map = scene.mapped("f", &pattern(2 * UNIT));
        let flush = |map: &mut Mapping<B>, offset: usize| match form {
            "flush_range" => map.flush_range(offset, None),
            _ => map.flush_async_range(offset, None),
        };
        map[2 * UNIT - 1] = 0;
        flush(&mut map, UNIT).unwrap();
        let mut want = pattern(2 * UNIT);
        want[2 * UNIT - 1] = 0;
        scene.file_is("f", want);
        flush(&mut map, 2 * UNIT).unwrap();
        scene.fails("past the end", &mut map, "OutOfRange", |map| flush(map, 2 * UNIT + 1));
        scene.fails("misaligned", &mut map, "Misaligned", |map| flush(map, 1));
    }
}

fn flushing_a_read_only_mapping_or_a_copy_does_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut copy = scene.map(MmapOptions::new().access(Access::Copy), &file).unwrap();
    let mut read = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    copy[..].copy_from_slice(b"HELLO");
    for map in [&mut copy, &mut read] {
        map.flush().unwrap();
        map.flush_range(0, 5).unwrap();
        map.flush_async().unwrap();
        map.flush_async_range(0, 5).unwrap();
    }
    scene.bytes("copy", &copy, b"HELLO");
    scene.bytes("read", &read, b"hello");
    scene.file_is("f", b"hello");
}

fn flushing_anonymous_memory_does_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.anonymous(10);
    map[3] = 3;
    map.flush().unwrap();
    map.flush_range(0, 10).unwrap();
    map.flush_async().unwrap();
    map.flush_async_range(0, 10).unwrap();
    scene.bytes("map", &map, [0, 0, 0, 3, 0, 0, 0, 0, 0, 0]);
}

fn changes_of_a_window_reach_their_place_in_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(2 * UNIT + 100));
    let mut map = scene.map(MmapOptions::new().offset(UNIT as u64).len(UNIT + 50), &file).unwrap();
    let mut want = pattern(2 * UNIT + 100);
    for at in [0, 4095, 4096, UNIT, UNIT + 49] {
        map[at] = 0;
        want[UNIT + at] = 0;
    }
    map.flush_range(UNIT, 50).unwrap();
    map.flush().unwrap();
    scene.file_is("f", want);
}

fn flushing_without_changes_and_twice_is_fine<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.flush().unwrap();
    map[0] = b'j';
    map.flush().unwrap();
    map.flush().unwrap();
    map[4] = b'y';
    map.flush_async().unwrap();
    map.flush().unwrap();
    scene.file_is("f", b"jelly");
}

fn the_position_stays<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.write_bytes(b"HE").unwrap();
    map.flush().unwrap();
    scene.eq("position", map.tell(), 2);
}

fn a_change_past_a_truncated_end_is_an_error_and_stays<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    map[UNIT + 10..UNIT + 13].copy_from_slice(b"new");
    scene.set_file_len("f", UNIT);
    // Each time, because the byte still counts as changed after an error.
    for _ in 0..2 {
        let flushed = map.flush();
        scene.err("flush", flushed, "Truncated");
        let flushed = map.flush_async();
        scene.err("flush_async", flushed, "Truncated");
        let flushed = map.flush_range(UNIT, UNIT);
        scene.err("flush_range", flushed, "Truncated");
        let flushed = map.flush_async_range(UNIT, 100);
        scene.err("flush_async_range", flushed, "Truncated");
        scene.eq("length of the file", scene.file_len("f"), UNIT as u64);
    }
    scene.eq("length", map.len(), 2 * UNIT);
}

fn a_change_across_a_truncated_end_is_written_up_to_it<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    map[4..8].copy_from_slice(b"abcd");
    scene.set_file_len("f", 6);
    let flushed = map.flush();
    scene.err("flush", flushed, "Truncated");
    scene.file_is("f", b"0123ab");
}

fn a_range_before_a_truncated_end_is_flushed<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(3 * UNIT));
    let mut want = pattern(2 * UNIT);
    map[5] = 0;
    map[2 * UNIT + 5] = 0;
    want[5] = 0;
    scene.set_file_len("f", 2 * UNIT);
    scene.eq("a part", map.flush_range(0, UNIT).is_ok(), true);
    scene.eq("the other part", map.flush_range(UNIT, UNIT).is_ok(), true);
    scene.file_is("f", &want);
    let flushed = map.flush();
    scene.variant("all", flushed, "Truncated");
    scene.file_is("f", &want);
}

fn a_file_truncated_before_the_window_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(2 * UNIT));
    let mut map = scene.map(MmapOptions::new().offset(UNIT as u64), &file).unwrap();
    map[7] = 0;
    scene.set_file_len("f", 3);
    let flushed = map.flush();
    scene.err("flush", flushed, "Truncated");
    scene.file_is("f", [1, 2, 3]);
}

fn a_clean_mapping_of_a_truncated_file_flushes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    map[5] = 0;
    map.flush().unwrap();
    scene.set_file_len("f", UNIT);
    scene.eq("flush", map.flush().is_ok(), true);
    scene.eq("close", map.close().is_ok(), true);
    scene.eq("length of the file", scene.file_len("f"), UNIT as u64);
}

fn truncated_changes_reach_the_file_once_it_has_grown_again<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    map[UNIT + 10..UNIT + 13].copy_from_slice(b"new");
    scene.set_file_len("f", UNIT);
    let flushed = map.flush();
    scene.err("flush", flushed, "Truncated");
    scene.set_file_len("f", 2 * UNIT);
    map.flush().unwrap();
    let mut want = pattern(UNIT);
    resize(&mut want, 2 * UNIT, 0);
    want[UNIT + 10..UNIT + 13].copy_from_slice(b"new");
    scene.file_is("f", want);
}
