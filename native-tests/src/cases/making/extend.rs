//! `extend`: the file is made longer when it is mapped.

use std::fs;

use portable_mmap::{Access, Flags, MmapOptions, Prot};

use super::{STEP, expect_error, pattern};
use crate::others::resize;
use crate::{FileBackend, Scene, cases};

cases!("extend":
    a_longer_length_makes_the_file_longer_with_zeros,
    an_empty_file_is_made_longer,
    a_window_past_the_end_is_reached,
    a_file_that_is_long_enough_stays_as_it_is,
    without_a_length_nothing_is_made_longer,
    every_access_makes_the_file_longer,
    a_file_that_is_not_open_for_writing_is_an_error,
    a_failed_call_makes_nothing_longer,
    a_length_longer_than_the_disk_leaves_the_file_as_it_was,
    allocated_blocks_are_zeros_too,
    open_makes_the_file_longer_whatever_the_access
);

fn a_longer_length_makes_the_file_longer_with_zeros<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.map(MmapOptions::new().len(10).extend(true), &scene.file("f", b"hello")).unwrap();
    scene.eq("the file at once", scene.file_len("f"), 10);
    scene.bytes("bytes", &map, b"hello\0\0\0\0\0");
    map[4..8].copy_from_slice(b"OOOO");
    map.close().unwrap();
    scene.file_is("f", b"hellOOOO\0\0");
}

fn an_empty_file_is_made_longer<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.map(MmapOptions::new().len(5000).extend(true), &scene.file("f", b"")).unwrap();
    scene.bytes("zeros", &map, [0; 5000]);
    map[4999] = b'!';
    map.close().unwrap();
    let mut want = [0; 5000];
    want[4999] = b'!';
    scene.file_is("f", want);
}

fn a_window_past_the_end_is_reached<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().offset(STEP).len(7).extend(true), &file).unwrap();
    scene.bytes("zeros", &map, [0; 7]);
    map[..].copy_from_slice(b"goodbye");
    map.close().unwrap();
    let mut want = b"hello".to_vec();
    resize(&mut want, 65_536, 0);
    want.extend(b"goodbye");
    scene.file_is("f", want);
}

fn a_file_that_is_long_enough_stays_as_it_is<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello world");
    for len in [0, 5, 11] {
        let map = scene.map(MmapOptions::new().len(len).extend(true), &file).unwrap();
        scene.bytes("bytes", &map, &b"hello world"[..if len == 0 { 11 } else { len }]);
        scene.file_is("f", b"hello world");
    }
}

fn without_a_length_nothing_is_made_longer<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    scene.err("an offset", scene.map(MmapOptions::new().offset(STEP).extend(true), &file), "OffsetPastEnd");
    scene.file_is("f", b"hello");
    let empty = scene.file("g", b"");
    scene.err("an empty file", scene.map(MmapOptions::new().extend(true), &empty), "EmptyFile");
    scene.file_is("g", b"");
}

fn every_access_makes_the_file_longer<B: FileBackend>(scene: &mut Scene<B>) {
    for access in [Access::Default, Access::Read, Access::Write, Access::Copy] {
        let file = scene.file("f", b"hello");
        let mut map = scene.map(MmapOptions::new().access(access).len(6).extend(true), &file).unwrap();
        scene.bytes("bytes", &map, b"hello\0");
        if access.is_writable() {
            map[5] = b'!';
        }
        map.close().unwrap();
        scene.file_is("f", if matches!(access, Access::Default | Access::Write) { b"hello!" } else { b"hello\0" });
    }
}

fn a_file_that_is_not_open_for_writing_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    drop(scene.file("f", b"hello"));
    let file = scene.open_read("f");
    for access in [Access::Default, Access::Read, Access::Write, Access::Copy] {
        let result = scene.map(MmapOptions::new().access(access).len(6).extend(true), &file);
        scene.err("longer", result, "Io(PermissionDenied)");
    }
    let map = scene.map(MmapOptions::new().access(Access::Read).len(5).extend(true), &file).unwrap();
    scene.bytes("if the file is long enough", &map, b"hello");
    scene.file_is("f", b"hello");
}

fn a_failed_call_makes_nothing_longer<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let longer = MmapOptions::new().len(10).extend(true).clone();
    expect_error(scene, "a misaligned offset", scene.map(longer.clone().offset(1), &file), "Misaligned");
    let both = Flags::SHARED | Flags::PRIVATE;
    scene.err("flags that conflict", scene.map(longer.clone().flags(both), &file), "Conflict");
    expect_error(scene, "huge pages", scene.map(longer.clone().flags(Flags::HUGETLB), &file), "Unsupported");
    scene.err("all of prot", scene.map(longer.clone().prot(Prot::all()), &file), "Unsupported");
    let result = scene.map(longer.clone().access(Access::Copy).prot(Prot::READ), &file);
    scene.err("access and prot", result, "Conflict");
    scene.file_is("f", b"hello");
}

fn a_length_longer_than_the_disk_leaves_the_file_as_it_was<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let most = isize::MAX as usize;
    // Either the disk or the memory may fail first.
    scene.eq("fails", scene.map(MmapOptions::new().len(most).extend(true), &file).is_err(), true);
    scene.file_is("f", b"hello");
}

fn allocated_blocks_are_zeros_too<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(5000);
    let options = MmapOptions::new().len(100_000).extend(true).allocate(true).clone();
    let mut map = scene.map(&options, &scene.file("f", &content)).unwrap();
    let mut want = content;
    resize(&mut want, 100_000, 0);
    scene.bytes("bytes", &map, &want);
    map[99_999] = 1;
    want[99_999] = 1;
    map.close().unwrap();
    scene.file_is("f", want);
}

fn open_makes_the_file_longer_whatever_the_access<B: FileBackend>(scene: &mut Scene<B>) {
    let path = scene.path("f");
    for access in [Access::Default, Access::Read, Access::Write, Access::Copy] {
        let options = MmapOptions::new().access(access).len(7).extend(true).clone();
        fs::write(&path, b"hello").unwrap();
        // SAFETY: nobody else uses the file.
        let map = unsafe { options.open(&path) }.unwrap();
        scene.bytes("open", &map, b"hello\0\0");
        drop(map);
        scene.file_is("f", b"hello\0\0");
        fs::write(&path, b"hello").unwrap();
        scene.bytes("open_buffered", options.open_buffered(&path).unwrap(), b"hello\0\0");
        scene.file_is("f", b"hello\0\0");
    }
}
