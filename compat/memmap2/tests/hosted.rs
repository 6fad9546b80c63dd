//! Mappings whose bytes are the file's own. The same tests run over OS mappings and over hosted mappings.

#![cfg(any(not(any(target_os = "wasi", memmap2_emulated)), all(target_os = "wasi", memmap2_host_mapping)))]

// On native targets these tests run over memmap2 itself, for comparison.
#[cfg(not(any(target_os = "wasi", memmap2_emulated)))]
extern crate published as memmap2;

mod common;

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use common::{file, open};
use memmap2::{Mmap, MmapMut, MmapOptions, MmapRaw};

/// More than two pages.
const LEN: usize = 10_000;

/// Makes a writable mapping.
fn map(file: &File) -> MmapMut {
    // SAFETY: a test never changes bytes while it has a reference to them in another way.
    unsafe { MmapMut::map_mut(file) }.unwrap()
}

/// Changes one byte of a file.
fn write(mut file: &File, at: u64, byte: u8) {
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte]).unwrap();
}

/// Reads one byte of a file.
fn byte(path: &Path, at: usize) -> u8 {
    fs::read(path).unwrap()[at]
}

#[test]
fn a_store_is_in_the_file_at_once() {
    let path = file("store", &[b'a'; LEN]);
    let file = open(&path);
    let mut map = map(&file);
    for (at, value) in [(0, b'X'), (5000, b'Y'), (LEN - 1, b'Z'), (0, b'x')] {
        map[at] = value;
        assert_eq!(byte(&path, at), value);
    }
    let raw = MmapRaw::map_raw(&file).unwrap();
    // SAFETY: the byte is in the mapping, and nobody borrows it.
    unsafe { raw.as_mut_ptr().wrapping_add(4096).write(b'R') };
    assert_eq!(byte(&path, 4096), b'R');
    assert_eq!(map[4096], b'R');
}

#[test]
fn bytes_written_to_the_file_show_in_all_its_mappings() {
    let path = file("written", &[b'a'; LEN]);
    let file = open(&path);
    let read_only = File::open(&path).unwrap();
    // SAFETY: as in `map`.
    let [reader, read_only] = [&file, &read_only].map(|file| unsafe { Mmap::map(file) }.unwrap());
    let (writer, raw) = (map(&file), MmapRaw::map_raw(&file).unwrap());
    for (at, value) in [(0, b'X'), (LEN - 1, b'Y')] {
        write(&file, at as u64, value);
        // SAFETY: the byte is in the mapping, and nobody writes to it meanwhile.
        let pointed = unsafe { raw.as_ptr().wrapping_add(at).read() };
        assert_eq!([reader[at], read_only[at], writer[at], pointed], [value; 4]);
    }
}

#[test]
fn two_mappings_of_a_file_show_the_same_bytes() {
    let path = file("two", &[b'a'; LEN]);
    let file = open(&path);
    let (mut first, mut second) = (map(&file), map(&open(&path)));
    // SAFETY: as in `map`.
    let mut part = unsafe { MmapOptions::new().offset(4090).len(20).map_mut(&file) }.unwrap();
    first[4095] = b'F';
    assert_eq!((second[4095], part[5]), (b'F', b'F'));
    second[4096] = b'S';
    assert_eq!((first[4096], part[6]), (b'S', b'S'));
    part[19] = b'P';
    assert_eq!((first[4109], second[4109]), (b'P', b'P'));
    drop((first, second, part));
    assert_eq!(&fs::read(&path).unwrap()[4094..4098], b"aFSa");
}

#[test]
fn a_mapping_still_changes_its_file_after_the_file_is_closed() {
    let path = file("closed", &[b'a'; LEN]);
    let mapped = open(&path);
    let mut map = map(&mapped);
    drop(mapped);
    // Another file, which may get the number of the closed one.
    let victim = file("closed-victim", &[b'v'; LEN]);
    let _other = open(&victim);
    map[0] = b'X';
    assert_eq!(byte(&path, 0), b'X');
    map[5000] = b'Y';
    map.flush().unwrap();
    map[LEN - 1] = b'Z';
    map.flush_range(LEN - 1, 1).unwrap();
    map.flush_async().unwrap();
    map[1] = b'D';
    drop(map);
    assert_eq!([0, 1, 5000, LEN - 1].map(|at| byte(&path, at)), *b"XDYZ");
    assert_eq!(fs::read(&victim).unwrap(), [b'v'; LEN]);
}

#[test]
fn changes_of_a_leaked_mapping_are_in_the_file() {
    let path = file("leaked", &[b'a'; LEN]);
    let mut leaked = map(&open(&path));
    leaked[0] = b'L';
    std::mem::forget(leaked);
    assert_eq!(byte(&path, 0), b'L');
    write(&open(&path), 0, b'N');
    assert_eq!(map(&open(&path))[0], b'N');
}

#[test]
fn a_mapping_can_be_made_writable_and_read_only_again() {
    let path = file("made", &[b'a'; LEN]);
    // SAFETY: as in `map`.
    let reader = unsafe { Mmap::map(&open(&path)) }.unwrap();
    let mut writer = reader.make_mut().unwrap();
    writer[0] = b'W';
    assert_eq!(byte(&path, 0), b'W');
    let reader = writer.make_read_only().unwrap();
    write(&open(&path), 0, b'R');
    assert_eq!(reader[0], b'R');
}

#[test]
fn changes_of_a_copy_stay_in_memory() {
    let path = file("copy", &[b'a'; LEN]);
    let file = open(&path);
    // SAFETY: as in `map`.
    let mut copy = unsafe { MmapOptions::new().map_copy(&file) }.unwrap();
    copy[0] = b'C';
    copy.flush().unwrap();
    assert_eq!((copy[0], map(&file)[0], byte(&path, 0)), (b'C', b'a', b'a'));
    // SAFETY: as in `map`.
    let mut copy = unsafe { MmapOptions::new().map_copy_read_only(&file) }.unwrap().make_mut().unwrap();
    copy[LEN - 1] = b'C';
    drop(copy);
    assert_eq!(fs::read(&path).unwrap(), [b'a'; LEN]);
}

#[cfg(any(target_os = "linux", target_os = "wasi"))]
#[test]
fn a_remapped_mapping_still_shares_the_file() {
    use memmap2::RemapOptions;

    let path = file("remapped", &[b'a'; LEN]);
    let file = open(&path);
    // SAFETY: as in `map`.
    let mut map = unsafe { MmapOptions::new().len(10).map_mut(&file) }.unwrap();
    map[9] = b'B';
    // SAFETY: there is no pointer into the mapping.
    unsafe { map.remap(LEN, RemapOptions::new().may_move(true)) }.unwrap();
    assert_eq!((map.len(), map[9]), (LEN, b'B'));
    map[LEN - 1] = b'L';
    assert_eq!(byte(&path, LEN - 1), b'L');
    // SAFETY: as above.
    unsafe { map.remap(5, RemapOptions::new()) }.unwrap();
    write(&file, 4, b'S');
    assert_eq!(&map[..], b"aaaaS");
}

/// Tests for guests only: a native process would be killed, or has no buffers beside its mappings.
#[cfg(target_os = "wasi")]
mod guest {
    use std::io::ErrorKind;
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn a_mapping_keeps_no_descriptor_open() {
        let path = file("number", &[b'a'; LEN]);
        let mapped = open(&path);
        let number = mapped.as_raw_fd();
        let mut map = map(&mapped);
        drop(mapped);
        let other = open(&path);
        assert_eq!(other.as_raw_fd(), number, "the next file gets the number of the closed one");
        drop(other);
        map[0] = b'X';
        assert_eq!(byte(&path, 0), b'X');
    }

    #[test]
    fn lost_pages_read_as_zeros_and_flushing_them_fails() {
        let path = file("shorter", &[b'a'; LEN]);
        let file = open(&path);
        let mut map = map(&file);
        file.set_len(4096).unwrap();
        assert_eq!(map[8192], 0);
        map[8192] = b'X';
        assert_eq!(map.flush().unwrap_err().kind(), ErrorKind::UnexpectedEof);
        map[0] = b'Y';
        map.flush_range(0, 10).unwrap();
        drop(map);
        assert_eq!((byte(&path, 0), fs::metadata(&path).unwrap().len()), (b'Y', 4096));
    }

    #[test]
    fn a_mapping_past_the_end_of_the_file_is_a_buffer() {
        let path = file("past", b"0123456789");
        let file = open(&path);
        // SAFETY: as in `map`.
        let mut buffer = unsafe { MmapOptions::new().len(LEN).map_mut(&file) }.unwrap();
        let mut map = map(&file);
        map[0] = b'M';
        assert_eq!(buffer[0], b'0');
        map.flush_range(0, 1).unwrap();
        assert_eq!(buffer.as_mut()[0], b'M', "it shows flushed bytes when it is borrowed for writing");
        buffer[1] = b'B';
        assert_eq!(map[1], b'1');
        buffer.flush_range(0, 10).unwrap();
        assert_eq!(map[1], b'B');
        map[2] = b'D';
        drop(map);
        assert_eq!(buffer.as_mut()[2], b'D', "a drop informs the buffer too");
    }

    #[test]
    fn in_strict_mode_flushing_a_hosted_mapping_succeeds() {
        let path = file("strict", &[b'a'; LEN]);
        let file = open(&path);
        let mut map = map(&file);
        memmap2::emulation::set_strict(true);
        map[0] = b'A';
        write(&file, 0, b'N');
        map.flush().unwrap();
        assert_eq!((map[0], byte(&path, 0)), (b'N', b'N'));
    }
}
