//! A pointer to the bytes: it stays valid, and a store through it is a change like any other.

use std::io::SeekFrom;

use portable_mmap::{Access, Advice, Mapping, MmapOptions};

use crate::others::{UNIT, pattern};
use crate::{FileBackend, Scene, cases};

cases!("exporting":
    stores_through_a_pointer_reach_the_file_at_every_flush,
    stores_through_a_pointer_reach_the_file_when_it_closes,
    the_pointer_outlives_every_call_but_a_resize,
    a_refresh_loses_no_later_store,
    a_copy_keeps_its_stores,
    a_read_only_mapping_is_read_through_its_pointer,
    anonymous_memory_has_a_pointer,
    a_closed_mapping_has_no_pointer
);

/// Stores a byte through a pointer, as code in another language does.
fn store(start: *mut u8, index: usize, byte: u8) {
    // SAFETY: callers store inside the mapping, and borrow none of its bytes meanwhile.
    unsafe { start.wrapping_add(index).write(byte) };
}

fn load(start: *mut u8, index: usize) -> u8 {
    // SAFETY: callers load inside the mapping, and borrow none of its bytes mutably meanwhile.
    unsafe { start.wrapping_add(index).read() }
}

fn stores_through_a_pointer_reach_the_file_at_every_flush<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    let start = map.export().unwrap();
    let mut want = pattern(2 * UNIT);
    for round in 0..3 {
        for index in [round, UNIT + round] {
            store(start, index, 255);
            want[index] = 255;
        }
        // The mapping cannot detect a store to a page that was written back before.
        let flushed = if round == 1 { map.flush_range(0, None) } else { map.flush() };
        flushed.unwrap();
        scene.file_is("f", &want);
    }
}

fn stores_through_a_pointer_reach_the_file_when_it_closes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    let start = map.export().unwrap();
    map.flush().unwrap();
    store(start, 0, b'J');
    map.close().unwrap();
    scene.file_is("f", b"Jello");
}

fn the_pointer_outlives_every_call_but_a_resize<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello world");
    let start = map.export().unwrap();
    store(start, 4, b'0');
    scene.eq("found", map.find("0").unwrap(), Some(4));
    map.seek(SeekFrom::Start(6)).unwrap();
    map.write_bytes(b"W").unwrap();
    scene.eq("written", load(start, 6), b'W');
    map.move_within(0, 6, 2).unwrap();
    map.advise(Advice::DontNeed).unwrap();
    map.flush_async().unwrap();
    map.refresh().unwrap();
    let mut map = std::convert::identity(map);
    scene.eq("moved", load(start, 0), b'W');
    store(start, 10, b'!');
    scene.bytes("map", &map, b"Woll0 Worl!");
    scene.eq("again", map.export().unwrap() == start, true);
    map.resize(5).unwrap();
    let start = map.export().unwrap();
    store(start, 1, b'0');
    map.flush().unwrap();
    scene.file_is("f", b"W0ll0");
}

fn a_refresh_loses_no_later_store<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    let start = map.export().unwrap();
    store(start, 3, 0);
    scene.overwrite("f", 5, b"other");
    map.refresh().unwrap();
    scene.eq("the bytes of another writer", load(start, 5), b'o');
    // Neither in the page that another writer has changed nor in an unchanged one.
    store(start, 4, 0);
    store(start, UNIT + 7, 0);
    map.flush().unwrap();
    let mut want = pattern(2 * UNIT);
    want[5..10].copy_from_slice(b"other");
    want[3] = 0;
    want[4] = 0;
    want[UNIT + 7] = 0;
    scene.file_is("f", want);
}

fn a_copy_keeps_its_stores<B: FileBackend>(scene: &mut Scene<B>) {
    drop(scene.file("f", b"hello"));
    let mut map = scene.map(MmapOptions::new().access(Access::Copy), &scene.open_read("f")).unwrap();
    let start = map.export().unwrap();
    store(start, 0, b'J');
    map.flush().unwrap();
    map.refresh().unwrap();
    scene.bytes("map", &map, b"Jello");
    map.close().unwrap();
    scene.file_is("f", b"hello");
}

fn a_read_only_mapping_is_read_through_its_pointer<B: FileBackend>(scene: &mut Scene<B>) {
    drop(scene.file("f", &pattern(UNIT + 5)));
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &scene.open_read("f")).unwrap();
    let start = map.export().unwrap();
    for index in [0, UNIT, UNIT + 4] {
        scene.eq(&format!("{index}"), load(start, index), pattern(index + 1)[index]);
    }
    map.advise(Advice::DontNeed).unwrap();
    scene.eq("after advice", load(start, 9), pattern(10)[9]);
}

fn anonymous_memory_has_a_pointer<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map: Mapping<B> = scene.anonymous(UNIT + 1);
    let start = map.export().unwrap();
    store(start, UNIT, b'x');
    map.flush().unwrap();
    scene.eq("find", map.find("x").unwrap(), Some(UNIT));
    scene.eq("zeros", load(start, 1), 0);
}

fn a_closed_mapping_has_no_pointer<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.close().unwrap();
    scene.err("export", map.export().map(<*mut u8>::is_null), "Closed");
}
