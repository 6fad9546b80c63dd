//! Files that are closed while they are mapped, where they cannot be kept open: nothing is written, and the error is
//! reported.

#![cfg(any(
    memmap2_emulated,
    all(target_os = "wasi", any(target_env = "p2", memmap2_libc_close), not(memmap2_host_mapping))
))]

mod common;
mod lost;

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{file, open};
use lost::lost_in;
use memmap2::{MmapMut, MmapRaw, emulation};

/// A writable mapping whose `File` is closed, and another file that now has its number.
fn orphan(path: &Path, reopen: impl FnOnce() -> File) -> (MmapMut, File) {
    let mapped = open(path);
    let fd = mapped.as_raw_fd();
    // SAFETY: nobody changes the file meanwhile.
    let map = unsafe { MmapMut::map_mut(&mapped) }.unwrap();
    drop(mapped);
    let other = reopen();
    assert_eq!(other.as_raw_fd(), fd, "the next file gets the number of the closed one");
    (map, other)
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
    assert_eq!(lost, [STALE], "the drop reports the error");
    assert_eq!(fs::read(&victim).unwrap(), [b'v'; 5000]);
    assert_eq!(fs::read(&path).unwrap(), [b'a'; 5000]);
}

#[test]
fn a_page_that_is_merged_is_not_read_from_another_file() {
    // There are too many runs to write them one by one, so the page is read again first.
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
fn a_directory_under_the_same_number_is_detected() {
    let path = file("kind", b"text");
    let lost = lost_in(|| {
        let (mut map, _directory) = orphan(&path, || File::open(path.parent().unwrap()).unwrap());
        map[0] = b'X';
        assert_eq!(map.flush().unwrap_err().kind(), STALE);
    });
    assert_eq!(lost, [STALE]);
}

#[test]
fn a_flush_after_the_descriptor_is_closed_fails() {
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
fn a_flush_without_changes_succeeds_after_the_file_is_closed() {
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
fn changes_reach_the_same_file_opened_again() {
    let path = file("again", b"text");
    let (mut map, _again) = orphan(&path, || open(&path));
    map[0] = b'n';
    map.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"next");
}

#[test]
fn the_same_file_opened_in_another_mode_is_not_written_to() {
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
fn a_raw_mapping_reports_lost_changes() {
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
fn a_hook_that_owns_a_mapping_can_be_replaced() {
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
    assert_eq!(lost, [], "the hook was removed before the drop");
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
        let calls = Arc::new(Mutex::new(0));
        let hook = Arc::clone(&calls);
        emulation::set_drop_hook(move |_| {
            *hook.lock().unwrap() += 1;
            let second = second.lock().unwrap().take();
            drop(second);
        });
        drop(first);
        assert_eq!(*calls.lock().unwrap(), 2);
    });
    assert_eq!(lost, []);
}
