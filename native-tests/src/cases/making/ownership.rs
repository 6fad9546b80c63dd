//! Ownership of the file: a mapping shares it, and never uses only its number, which may later name another file.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use portable_mmap::MmapOptions;

use super::{pattern, read_through, write_through};
use crate::{FileBackend, Scene, cases};

cases!("ownership":
    the_caller_s_file_stays_open_after_close,
    the_caller_s_file_stays_open_after_a_drop,
    a_failed_mapping_leaves_the_caller_s_file_open,
    a_mapping_keeps_its_file_open,
    a_reused_descriptor_number_names_no_other_file,
    a_closed_mapping_holds_no_file,
    file_returns_the_given_file,
    into_file_returns_the_file_with_all_changes,
    into_file_of_a_closed_mapping_is_an_error,
    the_file_s_own_position_does_not_matter,
    a_file_that_is_given_away_keeps_its_position,
    a_mapping_that_is_dropped_writes_back,
    bytes_stay_at_their_address_when_a_mapping_moves
);

fn the_caller_s_file_stays_open_after_close<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    map[0] = b'J';
    map.close().unwrap();
    scene.bytes("read", read_through(&file, 0, 5), b"Jello");
    write_through(&file, 4, b"y");
    scene.file_is("f", b"Jelly");
    let again = scene.map(&MmapOptions::new(), &file).unwrap();
    scene.bytes("mapped again", &again, b"Jelly");
}

fn the_caller_s_file_stays_open_after_a_drop<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    drop(scene.map(&MmapOptions::new(), &file).unwrap());
    scene.bytes("read", read_through(&file, 0, 5), b"hello");
    scene.eq("the caller's alone", Arc::strong_count(&file), 1);
}

fn a_failed_mapping_leaves_the_caller_s_file_open<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    scene.err("too long", scene.map(MmapOptions::new().len(6), &file), "LengthPastEnd");
    scene.eq("the caller's alone", Arc::strong_count(&file), 1);
    scene.bytes("read", read_through(&file, 0, 5), b"hello");
}

fn a_mapping_keeps_its_file_open<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(100_000));
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    drop(file);
    scene.eq("a far byte", map[99_999] == pattern(100_000)[99_999], true);
    map[50_000] = !map[50_000];
    map.flush().unwrap();
    scene.eq("size", map.size().unwrap(), 100_000);
    scene.bytes("through its file", read_through(map.file().unwrap(), 50_000, 1), [map[50_000]]);
}

fn a_reused_descriptor_number_names_no_other_file<B: FileBackend>(scene: &mut Scene<B>) {
    for track_file in [true, false] {
        let file = scene.file("mapped", b"hello");
        let mut map = scene.map(MmapOptions::new().track_file(track_file), &file).unwrap();
        drop(file);
        // New files take all free numbers.
        let others: Vec<_> = (0..8).map(|i| scene.file(&format!("other{i}"), b"other")).collect();
        map[..].copy_from_slice(b"JELLY");
        map.flush().unwrap();
        scene.file_is("mapped", b"JELLY");
        map[4] = b'O';
        map.close().unwrap();
        scene.file_is("mapped", b"JELLO");
        for (i, other) in others.iter().enumerate() {
            scene.bytes("another file", read_through(other, 0, 5), b"other");
            scene.eq("its length", scene.file_len(&format!("other{i}")), 5);
        }
    }
}

fn a_closed_mapping_holds_no_file<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    scene.eq("shared", Arc::strong_count(&file), 2);
    map.close().unwrap();
    scene.eq("the caller's alone", Arc::strong_count(&file), 1);
    scene.eq("file", map.file().is_none(), true);
}

fn file_returns_the_given_file<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let map = scene.map(&MmapOptions::new(), &file).unwrap();
    scene.eq("the same", Arc::ptr_eq(map.file().unwrap(), &file), true);
    scene.eq("length", map.file().unwrap().metadata().unwrap().len(), 5);
}

fn into_file_returns_the_file_with_all_changes<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    map[0] = b'J';
    let back = map.into_file().unwrap().unwrap();
    scene.eq("the same", Arc::ptr_eq(&back, &file), true);
    scene.eq("held by these two", Arc::strong_count(&file), 2);
    scene.bytes("read", read_through(&back, 0, 5), b"Jello");

    let alone = OpenOptions::new().read(true).write(true).open(scene.path("f")).unwrap();
    let map = scene.map(&MmapOptions::new(), &Arc::new(alone)).unwrap();
    let back = Arc::into_inner(map.into_file().unwrap().unwrap());
    scene.eq("not shared", back.is_some(), true);
}

fn into_file_of_a_closed_mapping_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.close().unwrap();
    scene.err("into_file", map.into_file(), "Closed");
}

fn the_file_s_own_position_does_not_matter<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"0123456789");
    (&*file).seek(SeekFrom::Start(3)).unwrap();
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    scene.bytes("bytes", &map, b"0123456789");
    (&*file).seek(SeekFrom::Start(7)).unwrap();
    map[1] = b'a';
    map.flush().unwrap();
    scene.eq("the mapping's own", map.tell(), 0);
    scene.file_is("f", b"0a23456789");
    let mut next = [0; 1];
    (&*file).read_exact(&mut next).unwrap();
    scene.eq("the file's position has not moved", next, *b"7");
}

fn a_file_that_is_given_away_keeps_its_position<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(1 << 20);
    let file = scene.file("f", &content);
    (&*file).seek(SeekFrom::Start(777)).unwrap();
    let alone = Arc::into_inner(file).unwrap();
    // SAFETY: nobody else uses the file.
    let map = unsafe { MmapOptions::new().map_with::<B>(alone) }.unwrap();
    scene.bytes("all at once", map.as_slice().unwrap(), &content);
    let back = map.into_file().unwrap().unwrap();
    let mut next = [0; 10];
    (&*back).read_exact(&mut next).unwrap();
    scene.eq("read from its old position", next[..] == content[777..787], true);
}

fn a_mapping_that_is_dropped_writes_back<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(10_000));
    map[9_999] = b'!';
    drop(map);
    let mut want = pattern(10_000);
    want[9_999] = b'!';
    scene.file_is("f", want);
    fs::remove_file(scene.path("f")).unwrap();
    scene.eq("the file can be removed", fs::exists(scene.path("f")).unwrap(), false);
}

fn bytes_stay_at_their_address_when_a_mapping_moves<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", &pattern(10_000));
    let address = map.as_slice().unwrap().as_ptr();
    let moved = Box::new(map);
    scene.eq("address", moved.as_slice().unwrap().as_ptr() == address, true);
    scene.eq("of a part", moved.range(5000..).unwrap().as_ptr() == address.wrapping_add(5000), true);
    let page = moved.as_slice().unwrap().as_ptr().addr() % 4096;
    scene.eq("at the start of a page", page, 0);
}
