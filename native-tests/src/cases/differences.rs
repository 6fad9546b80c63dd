//! The differences between a buffer and an OS mapping: a case for each row of the table in the documentation.
//!
//! These cases always use the emulation, with whatever backend they run. The effect of a fork on a buffer has its own
//! test, and so has the memory that a buffer takes.

use std::io::ErrorKind;
use std::mem;

use portable_mmap::{Access, MmapOptions};

use crate::others::{PAGE, pattern};
use crate::storages::{Emulated, Op};
use crate::{FileBackend, Scene, cases};

cases!("differences":
    a_page_holds_what_the_file_held_when_it_was_first_loaded,
    a_page_not_loaded_yet_holds_what_the_file_holds_by_then,
    another_writer_is_seen_after_refresh,
    another_mapping_is_seen_after_flush_there_and_refresh_here,
    unflushed_changes_are_lost_with_the_process,
    flushed_changes_survive_the_process,
    storing_an_equal_value_is_no_write,
    only_accessed_pages_take_memory,
    loaded_pages_stay_when_the_file_is_truncated,
    a_flush_past_the_end_of_a_file_is_an_error_and_keeps_changes,
    a_copy_keeps_its_changed_bytes_over_those_of_another_writer,
    a_repeated_write_after_a_failed_sync_overwrites_bytes_of_others
);

fn a_page_holds_what_the_file_held_when_it_was_first_loaded<B: FileBackend>(scene: &mut Scene<B>) {
    let e = Emulated::new(pattern(2 * PAGE));
    scene.eq("loaded", e.map[0], 1);
    e.memory.overwrite(0, b"another");
    scene.bytes("not seen", &e.map[..7], pattern(7));
}

fn a_page_not_loaded_yet_holds_what_the_file_holds_by_then<B: FileBackend>(scene: &mut Scene<B>) {
    let e = Emulated::new(pattern(2 * PAGE));
    e.memory.overwrite(PAGE, b"another");
    scene.bytes("seen", &e.map[PAGE..PAGE + 7], b"another");
}

fn another_writer_is_seen_after_refresh<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(2 * PAGE));
    let _ = e.map.to_vec();
    e.memory.overwrite(0, b"another");
    scene.bytes("before", &e.map[..7], pattern(7));
    e.map.refresh().unwrap();
    scene.bytes("after", &e.map[..7], b"another");
}

fn another_mapping_is_seen_after_flush_there_and_refresh_here<B: FileBackend>(scene: &mut Scene<B>) {
    let mut here = Emulated::new(pattern(PAGE));
    let mut there = MmapOptions::new().map_storage(here.memory.clone()).unwrap();
    scene.eq("here", here.map[0], 1);
    there[0] = 0xff;
    here.map.refresh().unwrap();
    scene.eq("refreshed, not flushed", here.map[0], 1);
    there.flush_async().unwrap();
    scene.eq("flushed, not refreshed", here.map[0], 1);
    here.map.refresh().unwrap();
    scene.eq("both", here.map[0], 0xff);
}

fn unflushed_changes_are_lost_with_the_process<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(2 * PAGE));
    e.map[0] = 0;
    e.map.set_slice(5..8, b"new").unwrap();
    e.map.write_bytes(b"more").unwrap();
    e.map.move_within(PAGE, 0, 100).unwrap();
    e.map.refresh().unwrap();
    // A process that traps or is killed here runs no more code, so it leaves these bytes.
    scene.bytes("left behind", e.memory.content(), pattern(2 * PAGE));
    scene.eq("writes", e.rig.calls(Op::Write), []);
}

fn flushed_changes_survive_the_process<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(2 * PAGE));
    e.map[0] = 0;
    e.map.flush().unwrap();
    e.map[1] = 0;
    let left_behind = e.memory.content();
    scene.bytes("left behind", &left_behind[..3], [0, 2, 3]);
    e.map.flush_async().unwrap();
    scene.bytes("left behind", &e.memory.content()[..3], [0, 0, 3]);
}

fn storing_an_equal_value_is_no_write<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(PAGE));
    e.map[0] = 1;
    e.memory.overwrite(0, b"!");
    e.map.flush().unwrap();
    scene.eq("another's byte", e.memory.content()[0], b'!');
    scene.eq("writes", e.rig.calls(Op::Write), []);
}

fn only_accessed_pages_take_memory<B: FileBackend>(scene: &mut Scene<B>) {
    // The bytes that were read are the memory that the buffer takes: only touched pages.
    let mut e = Emulated::new(pattern(100 * PAGE));
    for place in [90, 3, 50] {
        e.map[place * PAGE] = 0;
    }
    scene.eq("bytes read", e.rig.count(Op::Read), (3, 3 * PAGE as u64));
    scene.eq("size of the value is small", mem::size_of_val(&e.map) < 1024, true);
}

fn loaded_pages_stay_when_the_file_is_truncated<B: FileBackend>(scene: &mut Scene<B>) {
    let e = Emulated::new(pattern(2 * PAGE));
    let _ = e.map[PAGE];
    e.memory.set_size(0);
    scene.bytes("loaded", &e.map[PAGE..], &pattern(2 * PAGE)[PAGE..]);
    scene.err("not loaded", e.map.get_item(0), "Truncated");
}

fn a_flush_past_the_end_of_a_file_is_an_error_and_keeps_changes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(2 * PAGE));
    e.map[PAGE + 3] = 0;
    e.memory.set_size(PAGE);
    let flushed = e.map.flush();
    scene.err("flush", flushed, "Truncated");
    scene.eq("length", e.memory.content().len(), PAGE);
    e.memory.set_size(2 * PAGE);
    e.memory.overwrite(PAGE, b"another");
    e.map.flush().unwrap();
    scene.bytes("kept", &e.memory.content()[PAGE..PAGE + 7], b"ano\0her");
}

fn a_copy_keeps_its_changed_bytes_over_those_of_another_writer<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::with(MmapOptions::new().access(Access::Copy), pattern(2 * PAGE));
    e.map[0] = 0;
    e.memory.overwrite(0, b"another");
    scene.bytes("own page", &e.map[..3], [0, 2, 3]);
    e.map.refresh().unwrap();
    scene.bytes("own change, and the bytes of another writer beside it", &e.map[..7], b"\0nother");
    scene.bytes("the storage", &e.memory.content()[..7], b"another");
}

fn a_repeated_write_after_a_failed_sync_overwrites_bytes_of_others<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(PAGE));
    e.map[5..9].fill(0);
    e.rig.fail(Op::Sync, 0, 1, ErrorKind::TimedOut);
    let flushed = e.map.flush();
    scene.err("flush", flushed, "Io(TimedOut)");
    e.memory.overwrite(4, b"!!");
    e.map.flush().unwrap();
    scene.bytes("disk", &e.memory.durable()[4..9], b"!\0\0\0\0");
}
