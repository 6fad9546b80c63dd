//! Mappings that outlive their file. The same tests run over OS mappings, over hosted mappings, and over the emulation
//! where it can keep a file open.

#![cfg(any(
    not(any(target_os = "wasi", memmap2_emulated)),
    all(target_env = "p1", not(memmap2_libc_close)),
    all(target_os = "wasi", memmap2_host_mapping)
))]

// On native targets these tests run over memmap2 itself, for comparison.
#[cfg(not(any(target_os = "wasi", memmap2_emulated)))]
extern crate published as memmap2;

mod common;

use std::fs::{self, File};
use std::io;
use std::path::Path;

use common::{file, open};
use memmap2::{Mmap, MmapMut, MmapRaw};

/// A writable mapping whose `File` is closed.
fn orphan(path: &Path) -> MmapMut {
    // SAFETY: nobody else changes the file meanwhile.
    unsafe { MmapMut::map_mut(&open(path)) }.unwrap()
}

struct FileFirst {
    _file: File,
    map: MmapMut,
}

struct MapFirst {
    map: MmapMut,
    _file: File,
}

#[test]
fn a_struct_that_declares_its_file_first_saves_its_changes() {
    let path = file("file-first", b"0123456789");
    let file = open(&path);
    // SAFETY: nobody else changes the file meanwhile.
    let map = unsafe { MmapMut::map_mut(&file) }.unwrap();
    let mut store = FileFirst { _file: file, map };
    store.map[0] = b'A';
    drop(store);
    assert_eq!(fs::read(&path).unwrap(), b"A123456789");
}

#[test]
fn a_struct_that_declares_its_map_first_saves_its_changes() {
    let path = file("map-first", b"0123456789");
    let file = open(&path);
    // SAFETY: nobody else changes the file meanwhile.
    let map = unsafe { MmapMut::map_mut(&file) }.unwrap();
    let mut store = MapFirst { map, _file: file };
    store.map[0] = b'A';
    drop(store);
    assert_eq!(fs::read(&path).unwrap(), b"A123456789");
}

#[test]
fn every_flush_saves_changes_after_the_file_is_closed() {
    type Flush = fn(&MmapMut) -> io::Result<()>;
    let all: [Flush; 4] =
        [MmapMut::flush, MmapMut::flush_async, |map| map.flush_range(4000, 200), |map| map.flush_async_range(4095, 2)];
    for flush in all {
        let path = file("flushed", &[b'a'; 5000]);
        let mut map = orphan(&path);
        map[4095] = b'X';
        map[4096] = b'Y';
        flush(&map).unwrap();
        assert_eq!(&fs::read(&path).unwrap()[4094..4098], b"aXYa");
    }
}

#[test]
fn changes_are_saved_when_the_mapping_is_made_read_only_and_after_it() {
    let path = file("read-only", b"text");
    let mut map = orphan(&path);
    map[0] = b'n';
    let map = map.make_read_only().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"next");
    let mut map = map.make_mut().unwrap();
    map[3] = b'!';
    drop(map);
    assert_eq!(fs::read(&path).unwrap(), b"nex!");
}

#[test]
fn a_mapping_for_reading_is_made_writable_after_the_file_is_closed() {
    let path = file("made-writable", b"text");
    // SAFETY: nobody else changes the file meanwhile.
    let map = unsafe { Mmap::map(&open(&path)) }.unwrap();
    let mut map = map.make_mut().unwrap();
    map[0] = b'n';
    map.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"next");
}

#[test]
fn changes_through_a_pointer_are_saved() {
    let path = file("raw", b"text");
    let raw = MmapRaw::map_raw(&open(&path)).unwrap();
    // SAFETY: the first byte, which nobody borrows.
    unsafe { raw.as_mut_ptr().write(b'n') };
    drop(raw);
    assert_eq!(fs::read(&path).unwrap(), b"next");
}

#[test]
fn files_that_are_opened_later_are_not_written_to() {
    let path = file("mapped", &[b'a'; 5000]);
    let victim = file("victim", &[b'v'; 5000]);
    let mut map = orphan(&path);
    let other = open(&victim);
    let directory = fs::read_dir(path.parent().unwrap()).unwrap();
    // There are too many runs to write them one by one, so the page is read again first.
    for at in (0..5000).step_by(8) {
        map[at] = b'X';
    }
    let expected = map.to_vec();
    map.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), expected);
    drop((map, other, directory));
    assert_eq!(fs::read(&victim).unwrap(), [b'v'; 5000]);
}

#[test]
fn mappings_of_one_file_can_be_dropped_in_any_order() {
    for is_first_dropped_first in [true, false] {
        let path = file("several", b"0123456789");
        let file = open(&path);
        // SAFETY: nobody else changes the file meanwhile.
        let [mut first, mut second] = [(); 2].map(|()| unsafe { MmapMut::map_mut(&file) }.unwrap());
        let mut third = orphan(&path);
        drop(file);
        (first[0], second[1], third[2]) = (b'A', b'B', b'C');
        if is_first_dropped_first {
            drop(first);
            second.flush().unwrap();
            drop(second);
        } else {
            drop(second);
            first.flush().unwrap();
            drop(first);
        }
        drop(third);
        assert_eq!(fs::read(&path).unwrap(), b"ABC3456789");
    }
}

#[test]
fn a_mapping_of_a_removed_file_does_not_write_to_its_successor() {
    let path = file("removed", b"old text");
    let mut map = orphan(&path);
    map[0] = b'X';
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"new text").unwrap();
    map.flush().unwrap();
    drop(map);
    assert_eq!(fs::read(&path).unwrap(), b"new text");
}

#[test]
fn a_file_can_be_mapped_again_after_a_mapping_is_leaked() {
    let path = file("leaked", b"0123456789");
    let mut leaked = orphan(&path);
    leaked[1] = b'L';
    std::mem::forget(leaked);
    let mut map = orphan(&path);
    assert_eq!(&map[..], b"0L23456789");
    map[0] = b'A';
    drop(map);
    assert_eq!(&orphan(&path)[..], b"AL23456789");
    assert_eq!(fs::read(&path).unwrap(), b"AL23456789");
}

#[cfg(any(target_os = "linux", target_os = "wasi"))]
#[test]
fn a_mapping_can_be_remapped_after_the_file_is_closed() {
    use memmap2::{MmapOptions, RemapOptions};

    let path = file("remapped", b"0123456789");
    // SAFETY: nobody else changes the file meanwhile.
    let mut map = unsafe { MmapOptions::new().len(4).map_mut(&open(&path)) }.unwrap();
    map[1] = b'X';
    // SAFETY: there is no pointer into the mapping.
    unsafe { map.remap(10, RemapOptions::new().may_move(true)) }.unwrap();
    map[9] = b'Y';
    drop(map);
    assert_eq!(fs::read(&path).unwrap(), b"0X2345678Y");
}
