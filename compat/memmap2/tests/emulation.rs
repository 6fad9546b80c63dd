//! What holds of the emulation alone: files that are closed under a mapping, lengths past the end, lost changes.

#![cfg(any(target_os = "wasi", memmap2_emulated))]

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{file, open};
use memmap2::{Advice, Mmap, MmapMut, MmapOptions, MmapRaw, RemapOptions, UncheckedAdvice, emulation};

/// A writable mapping of a file whose `File` is closed, and whose number is that of another file now.
fn orphan(path: &Path, reopen: impl FnOnce() -> File) -> (MmapMut, File) {
    let mapped = open(path);
    let fd = mapped.as_raw_fd();
    // SAFETY: nobody changes the file meanwhile.
    let map = unsafe { MmapMut::map_mut(&mapped) }.unwrap();
    drop(mapped);
    let other = reopen();
    assert_eq!(other.as_raw_fd(), fd, "a number that is closed is given to the next file");
    (map, other)
}

/// What `act` makes the hook hear of.
fn lost_in(act: impl FnOnce()) -> Vec<ErrorKind> {
    // One test at a time: there is one hook.
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&heard);
    emulation::set_drop_hook(move |error: &io::Error| hook.lock().unwrap().push(error.kind()));
    act();
    emulation::reset_drop_hook();
    drop(turn);
    std::mem::take(&mut *heard.lock().unwrap())
}

const STALE: ErrorKind = ErrorKind::StaleNetworkFileHandle;

#[test]
fn another_file_under_the_same_number_is_not_written_to() {
    let path = file("trap", &[b'a'; 5000]);
    let victim = file("trap-victim", &[b'v'; 5000]);
    let lost = lost_in(|| {
        let (mut map, other) = orphan(&path, || open(&victim));
        map[0] = b'X';
        map[4999] = b'X';
        for result in [map.flush(), map.flush_async(), map.flush_range(4096, 10), map.flush_async_range(0, 1)] {
            assert_eq!(result.unwrap_err().kind(), STALE);
        }
        assert_eq!(fs::read(&victim).unwrap(), [b'v'; 5000]);
        drop(map);
        drop(other);
    });
    assert_eq!(lost, [STALE], "the drop tells");
    assert_eq!(fs::read(&victim).unwrap(), [b'v'; 5000]);
    assert_eq!(fs::read(&path).unwrap(), [b'a'; 5000]);
}

#[test]
fn a_page_that_is_merged_is_not_read_from_another_file() {
    // More runs than are written one by one: the page is read again first.
    let path = file("merged", &[b'a'; 4096]);
    let victim = file("merged-victim", &[b'v'; 4096]);
    let lost = lost_in(|| {
        let (mut map, _other) = orphan(&path, || open(&victim));
        for at in (0..4096).step_by(8) {
            map[at] = b'X';
        }
        assert_eq!(map.flush().unwrap_err().kind(), STALE);
    });
    assert_eq!(lost, [STALE]);
    assert_eq!(fs::read(&victim).unwrap(), [b'v'; 4096]);
}

#[test]
fn a_directory_under_the_same_number_is_told_from_the_file() {
    let path = file("kind", b"text");
    let lost = lost_in(|| {
        let (mut map, _directory) = orphan(&path, || File::open(path.parent().unwrap()).unwrap());
        map[0] = b'X';
        assert_eq!(map.flush().unwrap_err().kind(), STALE);
    });
    assert_eq!(lost, [STALE]);
}

#[test]
fn a_number_that_is_closed_names_nothing() {
    let path = file("closed", b"text");
    let lost = lost_in(|| {
        let mapped = open(&path);
        // SAFETY: nobody changes the file meanwhile.
        let mut map = unsafe { MmapMut::map_mut(&mapped) }.unwrap();
        map[0] = b'X';
        drop(mapped);
        assert_eq!(map.flush().unwrap_err().kind(), STALE);
        assert_eq!(map.make_read_only().unwrap_err().kind(), STALE);
    });
    assert_eq!(lost, [STALE]);
    assert_eq!(fs::read(&path).unwrap(), b"text");
}

#[test]
fn without_changes_a_closed_file_is_no_error() {
    let path = file("unchanged", b"text");
    let victim = file("unchanged-victim", b"other");
    let lost = lost_in(|| {
        let (map, _other) = orphan(&path, || open(&victim));
        map.flush().unwrap();
    });
    assert_eq!(lost, []);
}

#[test]
fn changes_that_are_flushed_before_the_file_is_closed_are_saved() {
    let path = file("flushed", b"text");
    let victim = file("flushed-victim", b"other");
    let lost = lost_in(|| {
        let mapped = open(&path);
        // SAFETY: nobody changes the file meanwhile.
        let mut map = unsafe { MmapMut::map_mut(&mapped) }.unwrap();
        map[0] = b'n';
        map.flush().unwrap();
        drop(mapped);
        let _other = open(&victim);
        assert_eq!(&map[..], b"next");
    });
    assert_eq!(lost, []);
    assert_eq!(fs::read(&path).unwrap(), b"next");
    assert_eq!(fs::read(&victim).unwrap(), b"other");
}

#[test]
fn the_same_file_opened_again_is_the_same_file() {
    let path = file("again", b"text");
    let (mut map, _again) = orphan(&path, || open(&path));
    map[0] = b'n';
    map.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"next");
}

#[test]
fn the_same_file_opened_otherwise_is_not_written_to() {
    let path = file("otherwise", b"text");
    for (read_only, append) in [(true, false), (false, true)] {
        let lost = lost_in(|| {
            let reopen =
                || OpenOptions::new().read(true).write(!read_only && !append).append(append).open(&path).unwrap();
            let (mut map, _again) = orphan(&path, reopen);
            map[0] = b'X';
            assert_eq!(map.flush().unwrap_err().kind(), STALE);
        });
        assert_eq!(lost, [STALE]);
        assert_eq!(fs::read(&path).unwrap(), b"text");
    }
}

#[test]
fn a_mapping_that_would_load_more_from_a_closed_file_is_refused() {
    let path = file("remapped", &[b'a'; 6000]);
    let victim = file("remapped-victim", &[b'v'; 6000]);
    let mapped = open(&path);
    // SAFETY: nobody changes the file meanwhile.
    let mut map = unsafe { MmapOptions::new().len(10).map(&mapped) }.unwrap();
    drop(mapped);
    let _other = open(&victim);
    // SAFETY: there is no pointer into the mapping.
    let refused = unsafe { map.remap(5000, RemapOptions::new().may_move(true)) }.unwrap_err();
    assert_eq!(refused.kind(), STALE);
    assert_eq!(&map[..], [b'a'; 10]);
}

#[test]
fn behind_the_end_there_are_zeros_and_changes_are_errors() {
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
fn a_file_made_longer_takes_what_lay_behind_its_end() {
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
fn a_number_can_be_mapped() {
    let path = file("number", b"text");
    let file = open(&path);
    // SAFETY: nobody changes the file meanwhile.
    assert_eq!(&unsafe { Mmap::map(file.as_raw_fd()) }.unwrap()[..], b"text");
    // SAFETY: it names no file.
    assert!(unsafe { Mmap::map(-1) }.is_err());
    // SAFETY: it names no file.
    assert!(unsafe { MmapOptions::new().len(0).map(12_345) }.is_err());
    drop(file);
}

#[test]
fn a_mapping_is_given_another_length() {
    let path = file("length", b"0123456789");
    let file = open(&path);
    // SAFETY: nobody changes the file meanwhile.
    let mut map = unsafe { MmapOptions::new().len(4).map_mut(&file) }.unwrap();
    map[1] = b'X';
    // SAFETY: there is no pointer into the mapping.
    assert!(unsafe { map.remap(10, RemapOptions::new()) }.is_err(), "it cannot grow where it is");
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
fn hints_are_taken_and_advice_that_changes_bytes_of_a_file_is_not() {
    let path = file("advice", b"text");
    // SAFETY: nobody changes the file meanwhile.
    let map = unsafe { Mmap::map(&open(&path)) }.unwrap();
    map.advise(Advice::Sequential).unwrap();
    for (offset, len) in [(5, 0), (0, 5), (3, 2)] {
        let refused = map.advise_range(Advice::WillNeed, offset, len).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
    }
    assert!(Advice::WillNeed.is_supported() && !Advice::HugePage.is_supported());
    // SAFETY: nobody borrows the bytes.
    let refused = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) }.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
}

#[test]
fn what_a_guest_cannot_have_is_said() {
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

#[test]
fn a_raw_mapping_tells_of_lost_changes_too() {
    let path = file("raw", b"text");
    let lost = lost_in(|| {
        let mapped = open(&path);
        let raw = MmapRaw::map_raw(&mapped).unwrap();
        // SAFETY: the first byte, which nobody borrows.
        unsafe { raw.as_mut_ptr().write(b'X') };
        drop(mapped);
    });
    assert_eq!(lost, [STALE]);
}

#[test]
fn a_hook_that_holds_a_mapping_can_be_replaced() {
    let path = file("held", b"text");
    let lost = lost_in(|| {
        let mapped = open(&path);
        // SAFETY: nobody changes the file meanwhile.
        let mut map = unsafe { MmapMut::map_mut(&mapped) }.unwrap();
        map[0] = b'X';
        drop(mapped);
        emulation::set_drop_hook(move |_| assert!(!map.is_empty()));
        emulation::reset_drop_hook();
    });
    assert_eq!(lost, [], "the hook that would have heard of it was gone");
}

#[test]
fn a_hook_may_drop_a_mapping_and_set_a_hook() {
    let path = file("hook", b"text");
    let lost = lost_in(|| {
        let mapped = open(&path);
        let victim = file("hook-victim", b"other");
        // SAFETY: nobody changes the file meanwhile.
        let mut first = unsafe { MmapMut::map_mut(&mapped) }.unwrap();
        // SAFETY: as above.
        let mut second = unsafe { MmapMut::map_mut(&mapped) }.unwrap();
        first[0] = b'X';
        second[0] = b'Y';
        drop(mapped);
        let _other = open(&victim);
        let second = Mutex::new(Some(second));
        let told = Arc::new(Mutex::new(0));
        let hook = Arc::clone(&told);
        emulation::set_drop_hook(move |_| {
            *hook.lock().unwrap() += 1;
            let second = second.lock().unwrap().take();
            drop(second);
        });
        drop(first);
        assert_eq!(*told.lock().unwrap(), 2);
    });
    assert_eq!(lost, []);
}
