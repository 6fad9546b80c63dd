//! Resizing: the mapping and its file grow and shrink together.
//!
//! The cases of `faults` test failures during a resize.

use std::io::SeekFrom;

use portable_mmap::{Access, Flags, Mapping, MmapOptions};

use crate::others::{PAGE, UNIT, pattern, resize};
use crate::storages::{Emulated, Op};
use crate::{FileBackend, Scene, cases};

cases!("resize":
    growing_adds_zeros_to_mapping_and_file,
    shrinking_truncates_mapping_and_file,
    truncated_bytes_come_back_as_zeros,
    every_pair_of_lengths_around_a_page_border,
    a_file_longer_than_the_mapping_is_truncated,
    growing_into_a_page_shows_what_the_file_holds_there,
    growing_into_a_changed_page_keeps_the_change,
    the_same_length_truncates_the_rest_of_the_file,
    a_window_at_an_offset_resizes_from_there,
    a_read_only_mapping_is_an_error_before_the_length_is_checked,
    resizing_a_copy_is_an_error,
    a_length_of_zero_is_an_error_and_leaves_the_file,
    a_length_longer_than_memory_is_an_error,
    an_end_past_the_longest_file_is_an_error,
    resizing_an_untracked_mapping_is_an_error,
    shared_anonymous_memory_only_shrinks,
    private_anonymous_memory_grows_and_shrinks,
    resizing_read_only_anonymous_memory_is_an_error,
    a_position_past_the_end_reads_nothing_and_writes_nothing,
    unflushed_changes_stay,
    truncated_changes_are_lost,
    a_resized_mapping_still_flushes_and_refreshes,
    a_script_of_lengths_matches_the_model,
    allocating_grows_the_same_way,
    a_file_that_another_truncated_grows_again [Truncation],
    a_file_that_another_made_longer_is_truncated,
    a_buffer_keeps_what_it_loaded
);

fn growing_adds_zeros_to_mapping_and_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.resize(UNIT + 3).unwrap();
    let mut want = b"hello".to_vec();
    resize(&mut want, UNIT + 3, 0);
    scene.eq("length, size", (map.len(), map.size().unwrap()), (UNIT + 3, UNIT as u64 + 3));
    scene.bytes("map", &map, &want);
    map[UNIT + 2] = 7;
    want[UNIT + 2] = 7;
    map.close().unwrap();
    scene.file_is("f", want);
}

fn shrinking_truncates_mapping_and_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    for len in [UNIT + 1, UNIT, 5, 1] {
        map.resize(len).unwrap();
        scene.eq("length, size", (map.len(), map.size().unwrap()), (len, len as u64));
        scene.bytes("map", &map, pattern(len));
        scene.file_is("f", pattern(len));
    }
}

fn truncated_bytes_come_back_as_zeros<B: FileBackend>(scene: &mut Scene<B>) {
    for touched in [true, false] {
        let mut map = scene.mapped("f", &pattern(2 * UNIT));
        if touched {
            // Loaded and changed pages must lose their bytes too.
            map[..].fill(b'x');
            map.flush().unwrap();
            map[100..UNIT].fill(b'y');
        }
        map.resize(100).unwrap();
        map.resize(2 * UNIT).unwrap();
        let mut want = if touched { vec![b'x'; 100] } else { pattern(100) };
        resize(&mut want, 2 * UNIT, 0);
        scene.bytes("map", &map, &want);
        map.close().unwrap();
        scene.file_is("f", want);
    }
}

fn every_pair_of_lengths_around_a_page_border<B: FileBackend>(scene: &mut Scene<B>) {
    let lens = [1, 4095, 4096, 4097, 8192];
    for (from, to) in lens.into_iter().flat_map(|from| lens.map(|to| (from, to))) {
        let mut map = scene.mapped("f", &pattern(from));
        map[from - 1] = 0xff;
        map.resize(to).unwrap();
        let mut want = pattern(from);
        want[from - 1] = 0xff;
        resize(&mut want, to, 0);
        scene.note("from, to", (from, to));
        scene.bytes("map", &map, &want);
        map[to - 1] = 0xfe;
        want[to - 1] = 0xfe;
        map.close().unwrap();
        scene.file_is("f", want);
    }
}

fn a_file_longer_than_the_mapping_is_truncated<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(UNIT + 100));
    let mut map = scene.map(MmapOptions::new().len(10), &file).unwrap();
    for len in [20, 5000, 5] {
        map.resize(len).unwrap();
        // Growing shows the bytes of the file past the old end. Afterwards the file ends at the new end, even if it was
        // longer.
        let mut want = pattern(len.min(20));
        resize(&mut want, len, 0);
        scene.bytes("map", &map, &want);
        scene.file_is("f", want);
    }
}

fn growing_into_a_page_shows_what_the_file_holds_there<B: FileBackend>(scene: &mut Scene<B>) {
    for touched in [false, true] {
        let file = scene.file("f", &pattern(UNIT));
        let mut map = scene.map(MmapOptions::new().len(100), &file).unwrap();
        if touched {
            scene.bytes("before", &map, pattern(100));
        }
        map.resize(UNIT - 1).unwrap();
        scene.bytes("after", &map, pattern(UNIT - 1));
        scene.eq("size", map.size().unwrap(), UNIT as u64 - 1);
    }
}

fn growing_into_a_changed_page_keeps_the_change<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(UNIT));
    let mut map = scene.map(MmapOptions::new().len(100), &file).unwrap();
    map[99] = 0;
    // Bytes that another writer wrote past the mapping are bytes of the file like any others.
    scene.overwrite("f", 200, b"another");
    let mut want = pattern(UNIT);
    want[99] = 0;
    want[200..207].copy_from_slice(b"another");
    map.resize(5000).unwrap();
    scene.bytes("after", &map, &want[..5000]);
    map.close().unwrap();
    scene.file_is("f", &want[..5000]);
}

fn the_same_length_truncates_the_rest_of_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"0123456789");
    let mut map = scene.map(MmapOptions::new().len(4), &file).unwrap();
    map[0] = b'x';
    map.resize(4).unwrap();
    scene.bytes("map", &map, b"x123");
    map.flush().unwrap();
    scene.file_is("f", b"x123");
}

fn a_window_at_an_offset_resizes_from_there<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(UNIT + 300));
    let mut map = scene.map(MmapOptions::new().offset(UNIT as u64).len(100), &file).unwrap();
    map[0] = 0;
    let mut want = pattern(UNIT + 300);
    want[UNIT] = 0;
    for len in [200, 1, 5000] {
        map.resize(len).unwrap();
        let was = want.len();
        resize(&mut want, was.min(UNIT + len), 0);
        resize(&mut want, UNIT + len, 0);
        scene.bytes("map", &map, &want[UNIT..]);
        map.flush().unwrap();
        scene.file_is("f", &want);
    }
}

fn a_read_only_mapping_is_an_error_before_the_length_is_checked<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    for len in [0, 3, 5, 8] {
        scene.fails("resize", &mut map, "ReadOnly", |map| map.resize(len));
    }
    let mut map = scene.map(MmapOptions::new().access(Access::Read).track_file(false), &file).unwrap();
    scene.fails("untracked too", &mut map, "ReadOnly", |map| map.resize(3));
    scene.file_is("f", b"hello");
}

fn resizing_a_copy_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    for options in [MmapOptions::new().access(Access::Copy), MmapOptions::new().flags(Flags::PRIVATE)] {
        let mut map = scene.map(options, &file).unwrap();
        map[0] = b'j';
        for len in [0, 3, 5, 8] {
            scene.fails("resize", &mut map, "ReadOnly", |map| map.resize(len));
        }
    }
    scene.file_is("f", b"hello");
}

fn a_length_of_zero_is_an_error_and_leaves_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map[0] = b'j';
    map.seek(SeekFrom::Start(2)).unwrap();
    let resized = map.resize(0);
    scene.variant("resize", resized, "OutOfRange");
    scene.bytes("map", &map, b"jello");
    scene.eq("position, size", (map.tell(), map.size().unwrap()), (2, 5));
    let mut map = scene.anonymous(5);
    let resized = map.resize(0);
    scene.variant("anonymous", resized, "OutOfRange");
    scene.eq("length", map.len(), 5);
}

fn a_length_longer_than_memory_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    for len in [usize::MAX, isize::MAX as usize + 1] {
        let resized = map.resize(len);
        scene.variant("resize", resized, "OutOfRange");
    }
    scene.bytes("map", &map, b"hello");
    scene.file_is("f", b"hello");
}

fn an_end_past_the_longest_file_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    // A file cannot have this length, but a storage can report it.
    let Emulated { mut map, memory, .. } = Emulated::new(*b"hello");
    let resized = map.resize(usize::MAX / 2 + 1);
    scene.variant("resize", resized, "OutOfRange");
    scene.bytes("storage", memory.content(), b"hello");
    let file = scene.file("f", b"hello");
    let mapped = scene.map(MmapOptions::new().offset(i64::MAX as u64 + 1 - UNIT as u64).len(UNIT).extend(true), &file);
    scene.variant("map", mapped, "OutOfRange");
    scene.file_is("f", b"hello");
}

fn resizing_an_untracked_mapping_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().track_file(false), &file).unwrap();
    for len in [0, 3, 8] {
        scene.fails("resize", &mut map, "Untracked", |map| map.resize(len));
    }
    map[0] = b'j';
    map.close().unwrap();
    scene.file_is("f", b"jello");
}

fn shared_anonymous_memory_only_shrinks<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.anonymous(UNIT + 10);
    map[..5].copy_from_slice(b"hello");
    map[UNIT + 9] = 1;
    scene.fails("grow", &mut map, "Unsupported", |map| map.resize(UNIT + 11));
    for len in [UNIT + 10, UNIT + 9, 4097, 5] {
        map.resize(len).unwrap();
        let mut want = b"hello".to_vec();
        resize(&mut want, len, 0);
        if len == UNIT + 10 {
            want[UNIT + 9] = 1;
        }
        scene.bytes("map", &map, want);
        scene.eq("size", map.size().unwrap(), len as u64);
    }
    scene.fails("grow back", &mut map, "Unsupported", |map| map.resize(6));
}

fn private_anonymous_memory_grows_and_shrinks<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = MmapOptions::new().len(5).flags(Flags::PRIVATE).anonymous_with::<B>().unwrap();
    map[..].copy_from_slice(b"hello");
    for len in [5000, 4, 4097, UNIT + 1, 3, 8] {
        let kept = map.len().min(len);
        let mut want = map[..kept].to_vec();
        resize(&mut want, len, 0);
        map.resize(len).unwrap();
        scene.bytes("map", &map, want);
        map[len - 1] = 0xff;
    }
}

fn resizing_read_only_anonymous_memory_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = MmapOptions::new().len(5).access(Access::Read).anonymous_with::<B>().unwrap();
    for len in [0, 3, 5, 8] {
        scene.fails("resize", &mut map, "ReadOnly", |map| map.resize(len));
    }
}

fn a_position_past_the_end_reads_nothing_and_writes_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    map.seek(SeekFrom::Start(8)).unwrap();
    map.resize(5).unwrap();
    scene.eq("position", map.tell(), 8);
    scene.bytes("read_bytes", map.read_bytes(3).unwrap(), b"");
    scene.bytes("readline", map.readline().unwrap(), b"");
    scene.fails("read_byte", &mut map, "OutOfRange", Mapping::read_byte);
    scene.fails("write_bytes", &mut map, "OutOfRange", |map| map.write_bytes(b"x"));
    scene.fails("no bytes", &mut map, "OutOfRange", |map| map.write_bytes(b""));
    scene.fails("seek", &mut map, "OutOfRange", |map| map.seek(SeekFrom::Current(-1)));
    scene.eq("find", (map.find(b"0").unwrap(), map.find(b"").unwrap()), (None, None));
    scene.eq("rfind", (map.rfind(b"0").unwrap(), map.rfind(b"").unwrap()), (None, None));
    map.resize(10).unwrap();
    scene.eq("position", map.tell(), 8);
    map.write_bytes(b"xy").unwrap();
    scene.bytes("map", &map, b"01234\0\0\0xy");
}

fn unflushed_changes_stay<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(UNIT));
    let mut want = pattern(UNIT);
    for (at, len) in [(0, UNIT + 5), (UNIT + 4, 2 * UNIT), (4096, UNIT), (4095, 5000), (4999, 4096), (4094, UNIT)] {
        map[at] = 0xff;
        want[at] = 0xff;
        map.resize(len).unwrap();
        resize(&mut want, len, 0);
        scene.bytes("map", &map, &want);
    }
    map.close().unwrap();
    scene.file_is("f", want);
}

fn truncated_changes_are_lost<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(3 * PAGE));
    for at in [10, 100, PAGE, 2 * PAGE + 7] {
        map[at] = 0xff;
    }
    map.resize(50).unwrap();
    scene.eq("flush", map.flush().is_ok(), true);
    let mut want = pattern(50);
    want[10] = 0xff;
    scene.file_is("f", &want);
    map.resize(3 * PAGE).unwrap();
    resize(&mut want, 3 * PAGE, 0);
    map.close().unwrap();
    scene.file_is("f", want);
}

fn a_resized_mapping_still_flushes_and_refreshes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(100));
    map.resize(2 * UNIT).unwrap();
    map[UNIT] = 1;
    map.flush_range(UNIT, UNIT).unwrap();
    scene.overwrite("f", 5000, b"another");
    map.refresh().unwrap();
    let mut want = pattern(100);
    resize(&mut want, 2 * UNIT, 0);
    want[UNIT] = 1;
    want[5000..5007].copy_from_slice(b"another");
    scene.bytes("map", &map, &want);
    scene.eq("found", map.find(b"another").unwrap(), Some(5000));
    scene.fails("past the new end", &mut map, "OutOfRange", |map| map.flush_range(0, 2 * UNIT + 1));
    scene.file_is("f", want);
}

fn a_script_of_lengths_matches_the_model<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(PAGE));
    let mut want = pattern(PAGE);
    let mut seed = 7_u64;
    for step in 0..40_u8 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let len = 1 + usize::try_from((seed >> 33) % (4 * PAGE as u64)).expect("a small number");
        let at = usize::try_from((seed >> 13) % map.len() as u64).expect("an index");
        map[at] = step;
        want[at] = step;
        if step % 5 == 0 {
            map.flush().unwrap();
        }
        map.resize(len).unwrap();
        resize(&mut want, len, 0);
        assert!(map[..] == want[..], "step {step}: the mapping has the bytes of the model");
    }
    scene.bytes("map", &map, &want);
    map.close().unwrap();
    scene.file_is("f", want);
}

fn allocating_grows_the_same_way<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut options = MmapOptions::new();
    options.allocate(true);
    let mut map = scene.map(options.clone().extend(true).len(9), &file).unwrap();
    let mut want = b"hello".to_vec();
    for len in [9, UNIT + 1, 4, 20_000] {
        map.resize(len).unwrap();
        resize(&mut want, len, 0);
        scene.bytes("map", &map, &want);
        scene.file_is("f", &want);
    }
    let map = scene.map(options.len(3), &file).unwrap();
    scene.bytes("no need to grow", &map, b"hel");
    scene.eq("length of the file", scene.file_len("f"), 20_000);
}

fn a_file_that_another_truncated_grows_again<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    map[5] = 0xff;
    scene.set_file_len("f", UNIT);
    map.resize(3 * UNIT).unwrap();
    map[2 * UNIT] = 1;
    let mut want = pattern(UNIT);
    want[5] = 0xff;
    resize(&mut want, 3 * UNIT, 0);
    want[2 * UNIT] = 1;
    scene.bytes("map", &map, &want);
    map.close().unwrap();
    scene.file_is("f", want);
}

fn a_file_that_another_made_longer_is_truncated<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    scene.set_file_len("f", UNIT);
    scene.overwrite("f", 5, b"another");
    map.resize(8).unwrap();
    scene.bytes("map", &map, b"helloano");
    scene.file_is("f", b"helloano");
}

fn a_buffer_keeps_what_it_loaded<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { rig, mut map, .. } = Emulated::new(pattern(5 * PAGE));
    map.range(2 * PAGE..3 * PAGE).unwrap();
    map[4 * PAGE] = 0xff;
    let _ = rig.take();
    map.resize(10 * PAGE).unwrap();
    scene.eq("calls", rig.take().iter().map(|call| call.op).collect::<Vec<_>>(), [Op::Len, Op::SetLen]);
    map.range(2 * PAGE..3 * PAGE).unwrap();
    scene.eq("own change", map[4 * PAGE], 0xff);
    scene.eq("nothing is read again", rig.take(), []);
    map.resize(3 * PAGE).unwrap();
    map.range(2 * PAGE..3 * PAGE).unwrap();
    scene.eq("writes", rig.calls(Op::Write), []);
    scene.eq("reads", rig.calls(Op::Read), []);
}
