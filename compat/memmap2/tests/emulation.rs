//! Properties of the emulation only: lengths past the end, lost changes, conflicts.

#![cfg(any(target_os = "wasi", memmap2_emulated))]

mod common;
mod lost;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Mutex;

use common::{file, open};
use lost::lost_in;
use memmap2::{Advice, Mmap, MmapMut, MmapOptions, MmapRaw, RemapOptions, UncheckedAdvice, emulation};

#[test]
fn extending_a_mapping_of_a_closed_file_fails() {
    let path = file("remapped", &[b'a'; 6000]);
    let victim = file("remapped-victim", &[b'v'; 6000]);
    // A file that is mapped only for reading is never kept open, because there may be very many.
    let mapped = File::open(&path).unwrap();
    // SAFETY: nobody changes the file meanwhile.
    let mut map = unsafe { MmapOptions::new().len(10).map(&mapped) }.unwrap();
    drop(mapped);
    let _other = open(&victim);
    // SAFETY: there is no pointer into the mapping.
    let error = unsafe { map.remap(5000, RemapOptions::new().may_move(true)) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StaleNetworkFileHandle);
    assert_eq!(&map[..], [b'a'; 10]);
}

#[test]
fn past_the_end_are_zeros_and_flushing_changes_there_fails() {
    let path = file("past", b"text");
    let lost = lost_in(|| {
        let file = open(&path);
        // SAFETY: nobody changes the file meanwhile.
        let mut map = unsafe { MmapOptions::new().len(9000).map_mut(&file) }.unwrap();
        assert!(map[4..].iter().all(|&byte| byte == 0));
        map[0] = b'n';
        map.flush().unwrap();
        map[8999] = 1;
        assert_eq!(map.flush().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    });
    assert_eq!(lost, [ErrorKind::UnexpectedEof]);
    assert_eq!(fs::read(&path).unwrap(), b"next");
}

#[test]
fn changes_past_the_end_are_written_once_the_file_is_longer() {
    let path = file("longer", b"text");
    let file = open(&path);
    // SAFETY: nobody else changes the file meanwhile.
    let mut map = unsafe { MmapOptions::new().len(6).map_mut(&file) }.unwrap();
    map[5] = b'!';
    map.flush().unwrap_err();
    file.set_len(6).unwrap();
    map.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"text\0!");
}

#[test]
fn a_file_for_append_is_mapped_for_reading_only() {
    let path = file("append", b"text");
    let file = OpenOptions::new().read(true).append(true).open(&path).unwrap();
    // SAFETY: nobody changes the file meanwhile.
    assert_eq!(unsafe { MmapMut::map_mut(&file) }.unwrap_err().kind(), ErrorKind::PermissionDenied);
    // SAFETY: as above.
    assert_eq!(&unsafe { Mmap::map(&file) }.unwrap()[..], b"text");
}

#[test]
fn a_descriptor_number_can_be_mapped() {
    let path = file("number", b"text");
    let file = open(&path);
    // SAFETY: nobody changes the file meanwhile.
    assert_eq!(&unsafe { Mmap::map(file.as_raw_fd()) }.unwrap()[..], b"text");
    // SAFETY: it is not the number of an open file.
    assert!(unsafe { Mmap::map(-1) }.is_err());
    // SAFETY: it is not the number of an open file.
    assert!(unsafe { MmapOptions::new().len(0).map(12_345) }.is_err());
    drop(file);
}

#[test]
fn a_mapping_can_be_remapped_to_another_length() {
    let path = file("length", b"0123456789");
    let file = open(&path);
    // SAFETY: nobody changes the file meanwhile.
    let mut map = unsafe { MmapOptions::new().len(4).map_mut(&file) }.unwrap();
    map[1] = b'X';
    // SAFETY: there is no pointer into the mapping.
    assert!(unsafe { map.remap(10, RemapOptions::new()) }.is_err(), "it cannot grow in place");
    // SAFETY: as above.
    unsafe { map.remap(10, RemapOptions::new().may_move(true)) }.unwrap();
    assert_eq!(&map[..], b"0X23456789");
    map[9] = b'Y';
    // SAFETY: as above.
    unsafe { map.remap(2, RemapOptions::new()) }.unwrap();
    assert_eq!(&map[..], b"0X");
    drop(map);
    assert_eq!(fs::read(&path).unwrap(), b"0X2345678Y");
}

#[test]
fn advice_is_accepted_unless_it_changes_bytes_of_a_file() {
    let path = file("advice", b"text");
    // SAFETY: nobody changes the file meanwhile.
    let map = unsafe { Mmap::map(&open(&path)) }.unwrap();
    map.advise(Advice::Sequential).unwrap();
    assert!(Advice::WillNeed.is_supported() && !Advice::HugePage.is_supported());
    // SAFETY: nobody borrows the bytes.
    let error = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn calls_that_a_guest_cannot_have_are_unsupported() {
    let map = MmapMut::map_anon(10).unwrap();
    assert_eq!(map.lock().unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(map.unlock().unwrap_err().kind(), ErrorKind::Unsupported);
    let huge = MmapOptions::new().len(1 << 21).huge(Some(21)).map_anon();
    assert_eq!(huge.unwrap_err().kind(), ErrorKind::Unsupported);
    let path = file("safe", b"text");
    assert!(Mmap::map_if_safe(&open(&path)).unwrap_err().not_supported());
}

#[test]
fn a_raw_mapping_shows_what_others_have_flushed() {
    let path = file("raw-flushed", b"text");
    let file = open(&path);
    // SAFETY: nobody changes the file meanwhile.
    let mut map = unsafe { MmapMut::map_mut(&file) }.unwrap();
    let first_byte = || {
        let raw = MmapRaw::map_raw(&file).unwrap();
        // SAFETY: the first byte, which nobody borrows.
        unsafe { raw.as_ptr().read() }
    };
    map[0] = b'n';
    assert_eq!(first_byte(), b't');
    map.flush_async().unwrap();
    assert_eq!(first_byte(), b'n');
}

/// Returns a mapping of `path` with a changed first byte that somebody else has changed in the file too. The caller
/// drops the mapping before the file, because the file comes first.
fn conflicting(path: &Path) -> (File, MmapMut) {
    let file = open(path);
    // SAFETY: nobody changes the file while the call runs.
    let mut map = unsafe { MmapMut::map_mut(&file) }.unwrap();
    map[0] = b'A';
    (&file).write_all(b"N").unwrap();
    (file, map)
}

/// Runs `act` in strict mode.
fn strictly(act: impl FnOnce()) {
    // One test at a time, because the mode is global.
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock();
    emulation::set_strict(true);
    act();
    emulation::set_strict(false);
    drop(turn);
}

#[test]
fn in_strict_mode_a_flush_that_would_overwrite_a_change_fails() {
    let path = file("strict", b"0123456789");
    strictly(|| {
        let lost = lost_in(|| {
            let (_file, mut map) = conflicting(&path);
            map[9] = b'Z';
            for result in [map.flush(), map.flush_async(), map.flush_range(9, 1), map.flush_async_range(0, 1)] {
                let error = result.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ResourceBusy);
                assert!(error.to_string().starts_with("byte 0 of the file"), "{error}");
            }
            assert_eq!(map[0], b'A', "the change stays");
        });
        assert_eq!(lost, [ErrorKind::ResourceBusy], "the drop reports the error");
    });
    assert_eq!(fs::read(&path).unwrap(), b"N123456789", "nothing was written, not even by the drop");
}

#[test]
fn in_strict_mode_pages_without_a_conflict_can_be_flushed() {
    let mut content = vec![b'a'; 10_000];
    let path = file("strict-pages", &content);
    strictly(|| {
        let lost = lost_in(|| {
            let (_file, mut map) = conflicting(&path);
            map[5000] = b'B';
            map.flush_range(5000, 1).unwrap();
            assert_eq!(map.make_read_only().unwrap_err().kind(), ErrorKind::ResourceBusy);
        });
        assert_eq!(lost, [ErrorKind::ResourceBusy]);
    });
    (content[0], content[5000]) = (b'N', b'B');
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[test]
fn in_strict_mode_changes_of_different_bytes_are_no_conflict() {
    let path = file("strict-beside", b"0123456789");
    strictly(|| {
        let (file, mut map) = conflicting(&path);
        // One byte has its old value again, and one will have the same value in the file.
        (map[0], map[1], map[2]) = (b'0', b'X', b'Y');
        (&file).write_all(b"X").unwrap();
        map.flush().unwrap();
        map[2] = b'Z';
        map.flush().unwrap();
    });
    assert_eq!(fs::read(&path).unwrap(), b"NXZ3456789");
}

#[test]
fn in_strict_mode_flushing_a_copy_succeeds() {
    let path = file("strict-copy", b"0123456789");
    strictly(|| {
        let file = open(&path);
        // SAFETY: nobody changes the file while the call runs.
        let mut copy = unsafe { MmapOptions::new().map_copy(&file) }.unwrap();
        copy[0] = b'A';
        (&file).write_all(b"N").unwrap();
        copy.flush().unwrap();
        assert_eq!(lost_in(|| drop(copy)), []);
    });
    assert_eq!(fs::read(&path).unwrap(), b"N123456789");
}

#[test]
fn without_strict_mode_the_last_flush_wins() {
    let path = file("lenient", b"0123456789");
    let (_file, map) = conflicting(&path);
    map.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"A123456789");
}
