//! The position of a mapping: `tell` and `seek`.

use std::io::SeekFrom;

use portable_mmap::{Access, Mapping, MmapOptions};

use crate::random::patternless;
use crate::{FileBackend, Scene, cases};

cases!("position":
    a_new_mapping_is_at_its_start,
    seeking_from_the_start_goes_anywhere_up_to_the_end,
    seeking_from_the_position_adds,
    seeking_from_the_end_adds,
    seeking_outside_is_an_error_and_the_position_stays,
    seeking_to_the_greatest_numbers_does_not_overflow,
    the_position_counts_from_the_mappings_start,
    a_shrink_leaves_the_position_past_the_end,
    a_position_past_the_end_comes_back_by_seeking,
    growing_lets_the_position_go_further,
    a_read_only_mapping_can_be_sought_in,
    the_position_is_independent_of_the_file
);

fn a_new_mapping_is_at_its_start<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &patternless(70_000));
    let map = scene.map(MmapOptions::new().offset(64 << 10), &file).unwrap();
    scene.eq("tell", (map.tell(), map.seekable()), (0, true));
    let map = scene.anonymous(5);
    scene.eq("tell of anonymous memory", (map.tell(), map.seekable()), (0, true));
}

fn seeking_from_the_start_goes_anywhere_up_to_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    for target in [3, 0, 5, 5, 1] {
        scene.eq("seek", map.seek(SeekFrom::Start(target)).unwrap(), target);
        scene.eq("tell", map.tell(), target);
    }
}

fn seeking_from_the_position_adds<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    for (distance, target) in [(3, 3), (0, 3), (-2, 1), (4, 5), (-5, 0)] {
        scene.eq(&format!("seek {distance}"), map.seek(SeekFrom::Current(distance)).unwrap(), target);
        scene.eq("tell", map.tell(), target);
    }
}

fn seeking_from_the_end_adds<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    for (distance, target) in [(0, 5), (-1, 4), (-5, 0), (-3, 2)] {
        scene.eq(&format!("seek {distance}"), map.seek(SeekFrom::End(distance)).unwrap(), target);
        scene.eq("tell", map.tell(), target);
    }
}

fn seeking_outside_is_an_error_and_the_position_stays<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.seek(SeekFrom::Start(3)).unwrap();
    for to in [
        SeekFrom::Start(6),
        SeekFrom::Start(4096),
        SeekFrom::Current(3),
        SeekFrom::Current(-4),
        SeekFrom::End(1),
        SeekFrom::End(-6),
    ] {
        scene.fails(&format!("{to:?}"), &mut map, "OutOfRange", |map| map.seek(to));
    }
    scene.eq("tell", map.tell(), 3);
    scene.bytes("the bytes read", map.read_bytes(None).unwrap(), b"lo");
}

fn seeking_to_the_greatest_numbers_does_not_overflow<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.seek(SeekFrom::Start(5)).unwrap();
    for to in [
        SeekFrom::Start(u64::MAX),
        SeekFrom::Start(1 << 63),
        // A 32-bit position would convert these to 0 and 5.
        SeekFrom::Start(1 << 32),
        SeekFrom::Start((1 << 32) + 5),
        SeekFrom::Current(1 << 32),
        SeekFrom::Current(i64::MAX),
        SeekFrom::Current(i64::MIN),
        SeekFrom::End(i64::MAX),
        SeekFrom::End(i64::MIN),
        SeekFrom::End(-(1 << 32)),
    ] {
        scene.fails(&format!("{to:?}"), &mut map, "OutOfRange", |map| map.seek(to));
    }
    scene.eq("tell", map.tell(), 5);
}

fn the_position_counts_from_the_mappings_start<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(140_000);
    let file = scene.file("f", &content);
    let mut map = scene.map(MmapOptions::new().offset(64 << 10).len(1000), &file).unwrap();
    scene.eq("the end", map.seek(SeekFrom::End(0)).unwrap(), 1000);
    scene.fails("past the mapping's end", &mut map, "OutOfRange", |map| map.seek(SeekFrom::Start(1001)));
    map.seek(SeekFrom::Start(10)).unwrap();
    scene.bytes("the bytes read", map.read_bytes(5).unwrap(), &content[(64 << 10) + 10..][..5]);
    scene.eq("tell", map.tell(), 15);
}

fn a_shrink_leaves_the_position_past_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    map.seek(SeekFrom::Start(8)).unwrap();
    map.resize(4).unwrap();
    scene.eq("tell and len", (map.tell(), map.len()), (8, 4));
    scene.bytes("read_bytes", map.read_bytes(None).unwrap(), b"");
    scene.bytes("read_bytes 3", map.read_bytes(3).unwrap(), b"");
    scene.bytes("readline", map.readline().unwrap(), b"");
    scene.eq("tell", map.tell(), 8);
    scene.fails("read_byte", &mut map, "OutOfRange", Mapping::read_byte);
    scene.fails("write_byte", &mut map, "OutOfRange", |map| map.write_byte(b'x'));
    scene.fails("write_bytes", &mut map, "OutOfRange", |map| map.write_bytes(b"x"));
    scene.fails("write_bytes of nothing", &mut map, "OutOfRange", |map| map.write_bytes(b""));
    map.flush().unwrap();
    scene.file_is("f", b"0123");
}

fn a_position_past_the_end_comes_back_by_seeking<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    map.seek(SeekFrom::Start(8)).unwrap();
    map.resize(4).unwrap();
    for distance in [0, 1, -3] {
        let label = format!("by {distance}");
        scene.fails(&label, &mut map, "OutOfRange", |map| map.seek(SeekFrom::Current(distance)));
    }
    scene.eq("to the end", map.seek(SeekFrom::Current(-4)).unwrap(), 4);
    scene.eq("further back", map.seek(SeekFrom::Current(-1)).unwrap(), 3);
    scene.eq("read_byte", map.read_byte().unwrap(), b'3');
}

fn growing_lets_the_position_go_further<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.seek(SeekFrom::End(0)).unwrap();
    map.resize(8).unwrap();
    scene.bytes("the added bytes", map.read_bytes(None).unwrap(), b"\0\0\0");
    scene.eq("the new end", map.seek(SeekFrom::End(0)).unwrap(), 8);
    // A position past the end is inside the mapping again after it has grown.
    map.resize(2).unwrap();
    map.resize(9).unwrap();
    map.write_byte(b'!').unwrap();
    map.flush().unwrap();
    scene.file_is("f", b"he\0\0\0\0\0\0!");
}

fn a_read_only_mapping_can_be_sought_in<B: FileBackend>(scene: &mut Scene<B>) {
    drop(scene.file("f", b"hello"));
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &scene.open_read("f")).unwrap();
    scene.eq("seek", map.seek(SeekFrom::End(-2)).unwrap(), 3);
    scene.bytes("the bytes read", map.read_bytes(None).unwrap(), b"lo");
    scene.fails("past the end", &mut map, "OutOfRange", |map| map.seek(SeekFrom::End(1)));
}

fn the_position_is_independent_of_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    use std::io::Seek;
    let file = scene.file("f", b"hello world");
    (&*file).seek(SeekFrom::Start(6)).unwrap();
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    let mut second = scene.map(&MmapOptions::new(), &file).unwrap();
    scene.bytes("the bytes read", map.read_bytes(5).unwrap(), b"hello");
    scene.eq("the second mapping's", second.tell(), 0);
    scene.bytes("the bytes read by the second", second.read_bytes(2).unwrap(), b"he");
    map.seek(SeekFrom::Start(1)).unwrap();
    map.write_bytes(b"E").unwrap();
    map.flush().unwrap();
    scene.eq("the file's", (&*file).stream_position().unwrap(), 6);
}
