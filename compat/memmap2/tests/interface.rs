//! Guarantees on all targets. The same tests run over OS mappings and over the emulation.

// On native targets these tests run over memmap2 itself, for comparison.
#[cfg(not(any(target_os = "wasi", memmap2_emulated)))]
extern crate published as memmap2;

mod common;

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use common::{file, open};
use memmap2::{Mmap, MmapMut, MmapOptions, MmapRaw};

/// More than two pages, in which each byte differs from the one a page later.
fn pattern() -> Vec<u8> {
    (0..10_000_u32).map(|i| (i % 251) as u8).collect()
}

#[test]
fn an_empty_file_is_an_empty_slice() {
    let path = file("empty", b"");
    // SAFETY: nobody changes the file meanwhile.
    let map = unsafe { Mmap::map(&open(&path)) }.unwrap();
    assert!(map.is_empty());
    // SAFETY: as above.
    let map = unsafe { MmapMut::map_mut(&open(&path)) }.unwrap();
    assert!(map.is_empty());
    map.flush().unwrap();
    map.flush_range(0, 0).unwrap();
    drop(map);
    assert_eq!(fs::read(path).unwrap(), b"");
}

#[test]
fn a_mapping_of_length_zero_is_an_empty_slice() {
    let path = file("none", b"something");
    // SAFETY: nobody changes the file meanwhile.
    let map = unsafe { MmapOptions::new().len(0).map(&open(&path)) }.unwrap();
    assert_eq!(&map[..], b"");
}

#[test]
fn an_offset_does_not_have_to_be_aligned() {
    let content = pattern();
    let path = file("unaligned", &content);
    for offset in [0_usize, 1, 7, 4095, 4096, 4097, 9_999, 10_000] {
        // SAFETY: nobody changes the file meanwhile.
        let map = unsafe { MmapOptions::new().offset(offset as u64).map(&open(&path)) }.unwrap();
        assert_eq!(&map[..], &content[offset..], "{offset}");
    }
}

#[test]
fn alignment_in_the_file_is_kept_in_memory() {
    let path = file("alignment", &pattern());
    for offset in [8, 24, 4104] {
        // SAFETY: nobody changes the file meanwhile.
        let map = unsafe { MmapOptions::new().offset(offset).map(&open(&path)) }.unwrap();
        assert_eq!(map.as_ptr().addr() % 4096, usize::try_from(offset).unwrap() % 4096);
    }
}

#[test]
fn an_offset_past_the_end_without_a_length_is_an_error() {
    let path = file("behind", b"short");
    // SAFETY: nobody changes the file meanwhile.
    let error = unsafe { MmapOptions::new().offset(6).map(&open(&path)) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[test]
fn a_flush_at_an_unaligned_offset_writes_only_the_changes() {
    let mut content = pattern();
    let path = file("changes", &content);
    let file = open(&path);
    // SAFETY: nobody changes the file meanwhile.
    let mut map = unsafe { MmapOptions::new().offset(4090).len(20).map_mut(&file) }.unwrap();
    map[3..9].copy_from_slice(b"CHANGE");
    map.flush_range(3, 6).unwrap();
    content[4093..4099].copy_from_slice(b"CHANGE");
    assert_eq!(fs::read(&path).unwrap(), content);
    map[19] = b'!';
    drop(map);
    content[4109] = b'!';
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[test]
fn slices_survive_a_flush() {
    let path = file("alive", b"some text");
    let file = open(&path);
    // SAFETY: nobody changes the file meanwhile.
    let mut map = unsafe { MmapMut::map_mut(&file) }.unwrap();
    map[0] = b'S';
    let slice = &map[..4];
    map.flush().unwrap();
    assert_eq!(slice, b"Some");
    assert_eq!(fs::read(&path).unwrap(), b"Some text");
}

#[test]
fn a_pointer_can_be_written_through_before_and_after_flushes() {
    let path = file("pointer", &pattern());
    let file = open(&path);
    let raw = MmapRaw::map_raw(&file).unwrap();
    let pointer = raw.as_mut_ptr();
    for (at, byte) in [(0, b'a'), (5000, b'b'), (9_999, b'c')] {
        // SAFETY: the address is inside the mapping, and there are no slices of it.
        unsafe { pointer.wrapping_add(at).write(byte) };
        raw.flush().unwrap();
        assert_eq!(fs::read(&path).unwrap()[at], byte);
        assert_eq!(raw.as_mut_ptr(), pointer);
    }
    // The same byte again: a second change of a byte that was written before is written too.
    // SAFETY: as above.
    unsafe { pointer.write(b'z') };
    raw.flush_async().unwrap();
    assert_eq!(fs::read(&path).unwrap()[0], b'z');
}

#[test]
fn make_read_only_writes_changes_to_the_file() {
    let path = file("read-only", b"text");
    let file = open(&path);
    // SAFETY: nobody changes the file meanwhile.
    let mut map = unsafe { MmapMut::map_mut(&file) }.unwrap();
    map[0] = b'n';
    let map = map.make_read_only().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"next");
    let mut map = map.make_mut().unwrap();
    map[3] = b'!';
    map.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"nex!");
}

#[test]
fn a_mapping_of_a_read_only_file_cannot_be_made_writable() {
    let path = file("for-reading", b"text");
    let file = File::open(&path).unwrap();
    // SAFETY: nobody changes the file meanwhile.
    let error = unsafe { MmapMut::map_mut(&file) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    // SAFETY: as above.
    let map = unsafe { Mmap::map(&file) }.unwrap();
    assert_eq!(map.make_mut().unwrap_err().kind(), ErrorKind::PermissionDenied);
    // SAFETY: as above.
    let mut copy = unsafe { MmapOptions::new().map_copy(&file) }.unwrap();
    copy[0] = b'T';
    copy.flush().unwrap();
    drop(copy);
    assert_eq!(fs::read(&path).unwrap(), b"text");
}

#[test]
fn a_new_mapping_shows_changes_of_the_old_one() {
    let path = file("anew", b"0123456789");
    let file = open(&path);
    // SAFETY: nobody else changes the file meanwhile.
    let mut map = unsafe { MmapMut::map_mut(&file) }.unwrap();
    map[0] = b'X';
    file.set_len(12).unwrap();
    // The old mapping is dropped after the new one is made.
    // SAFETY: as above.
    map = unsafe { MmapMut::map_mut(&file) }.unwrap();
    assert_eq!(&map[..], b"X123456789\0\0");
    map[11] = b'Y';
    // The same file, opened in another way.
    // SAFETY: as above.
    let reader = unsafe { Mmap::map(&File::open(&path).unwrap()) }.unwrap();
    assert_eq!(&reader[..], b"X123456789\0Y");
    drop(map);
    assert_eq!(fs::read(&path).unwrap(), b"X123456789\0Y");
}

#[test]
fn flushing_a_range_outside_the_mapping_fails() {
    let path = file("range", b"text");
    // SAFETY: nobody changes the file meanwhile.
    let map = unsafe { MmapMut::map_mut(&open(&path)) }.unwrap();
    for (offset, len) in [(5, 0), (0, 5), (4, 1), (usize::MAX, 2)] {
        assert_eq!(map.flush_range(offset, len).unwrap_err().kind(), ErrorKind::InvalidInput, "{offset} {len}");
    }
    map.flush_range(4, 0).unwrap();
}

#[test]
fn mappings_for_reading_outlive_their_file() {
    let content = pattern();
    let path = file("outlive", &content);
    // SAFETY: nobody changes the file meanwhile.
    let map = unsafe { Mmap::map(&open(&path)) }.unwrap();
    // SAFETY: as above.
    let mut copy = unsafe { MmapOptions::new().map_copy(&open(&path)) }.unwrap();
    let other = file("outlive-other", &vec![0; content.len()]);
    let other = open(&other);
    copy[0] = 99;
    assert_eq!(&map[..], &content[..]);
    assert_eq!(&copy[1..], &content[1..]);
    drop(other);
}

// `File::open` fails for a directory on Windows.
#[cfg(not(windows))]
#[test]
fn a_directory_is_not_mapped() {
    let path = file("directory", b"");
    let directory = File::open(path.parent().unwrap()).unwrap();
    // SAFETY: nothing is mapped.
    assert!(unsafe { Mmap::map(&directory) }.is_err());
    // SAFETY: nothing is mapped.
    assert!(unsafe { MmapOptions::new().len(0).map(&directory) }.is_err());
}

/// Returns two mappings of one file, and the file.
fn two(path: &Path) -> (MmapMut, MmapMut, File) {
    let file = open(path);
    // SAFETY: nobody else changes the file meanwhile, and no reference to mapped bytes is live.
    let [first, second] = [(); 2].map(|()| unsafe { MmapMut::map_mut(&file) }.unwrap());
    (first, second, file)
}

#[test]
fn flushed_changes_show_in_others_when_borrowed_for_writing() {
    let path = file("siblings", &pattern());
    let (mut first, mut second, file) = two(&path);
    first[9_000] = b'S';
    (second[0], second[5000], second[9_999]) = (b'A', b'B', b'C');
    second.flush().unwrap();
    assert_eq!([0, 5000, 9_000, 9_999].map(|at| first.as_mut()[at]), *b"ABSC");
    // A mapping of a part of the file.
    // SAFETY: nobody else changes the file meanwhile, and no reference to mapped bytes is live.
    let mut part = unsafe { MmapOptions::new().offset(4999).len(10).map_mut(&file) }.unwrap();
    second[4998..5001].copy_from_slice(b"xyz");
    second.flush_async_range(5000, 1).unwrap();
    assert_eq!(part[..3].as_mut(), [b'y', b'z', pattern()[5001]]);
    assert_eq!(first[4998..5001].as_mut(), b"xyz");
    // The same in the other direction.
    first[1] = b'!';
    first.flush().unwrap();
    assert_eq!(second[..2].as_mut(), b"A!");
    assert_eq!(second[9_000..9_001].as_mut(), b"S");
}

#[test]
fn a_flush_keeps_changes_that_another_mapping_has_flushed() {
    let path = file("unseen", b"0123456789");
    let (mut first, mut second, _file) = two(&path);
    second[0] = b'B';
    second.flush().unwrap();
    first[9] = b'A';
    first.flush().unwrap();
    drop((first, second));
    assert_eq!(fs::read(&path).unwrap(), b"B12345678A");
}

#[test]
fn a_leaked_mapping_does_not_overwrite_newer_bytes() {
    let path = file("leaked", &[b'a'; 10_000]);
    let file = open(&path);
    // SAFETY: nobody reads the mapping while the file is changed.
    let mut leaked = unsafe { MmapMut::map_mut(&file) }.unwrap();
    (leaked[0], leaked[9_999]) = (b'A', b'Z');
    std::mem::forget(leaked);
    fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(b"N").unwrap();
    // SAFETY: from now on only the mapping changes the file.
    let mut map = unsafe { MmapMut::map_mut(&file) }.unwrap();
    assert_eq!((map[0], map[9_999]), (b'N', b'Z'));
    map[0] = b'M';
    drop(map);
    // SAFETY: as above.
    let map = unsafe { Mmap::map(&file) }.unwrap();
    assert_eq!((map[0], map[9_999]), (b'M', b'Z'));
    let content = fs::read(&path).unwrap();
    assert_eq!((content[0], content[9_999]), (b'M', b'Z'));
}

// Windows has no advice.
#[cfg(not(windows))]
#[test]
fn advice_for_a_range_that_ends_past_the_end_is_accepted() {
    let path = file("advised", b"text");
    // SAFETY: nobody changes the file meanwhile.
    let map = unsafe { Mmap::map(&open(&path)) }.unwrap();
    let advise = |offset, len| map.advise_range(memmap2::Advice::WillNeed, offset, len);
    for (offset, len) in [(0, 4), (3, 2), (4, 0), (4, 4)] {
        advise(offset, len).unwrap();
    }
    for (offset, len) in [(5, 0), (0, 5), (usize::MAX, 1)] {
        assert_eq!(advise(offset, len).unwrap_err().kind(), ErrorKind::InvalidInput, "{offset} {len}");
    }
}
