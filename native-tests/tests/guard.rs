//! The guard over OS mappings: a file that is shortened is an error and not a death. The cases of the suite say the same
//! for every backend; here are threads, signals and processes.

#![cfg(unix)]

use std::fs::{File, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use portable_mmap::{Access, Error, FaultKind, Mmap, MmapOptions};

const PAGES: usize = 64;

fn guarded(dir: &tempfile::TempDir, access: Access) -> (Mmap, File, usize) {
    let path = dir.path().join("f");
    let page = Mmap::page_size();
    std::fs::write(&path, vec![7; PAGES * page]).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let shared = Arc::new(file.try_clone().unwrap());
    // SAFETY: what the guard is for: the file is shortened while nobody holds a slice for longer than a look.
    let map = unsafe { MmapOptions::new().access(access).guard(true).map(shared).unwrap() };
    (map, file, page)
}

#[test]
fn a_touch_past_the_end_reads_zeros_until_refresh() {
    for access in [Access::Read, Access::Write, Access::Copy] {
        let dir = tempfile::tempdir().unwrap();
        let (mut map, file, page) = guarded(&dir, access);
        file.set_len(2 * page as u64).unwrap();
        assert_eq!((map[2 * page - 1], map.fault()), (7, None));
        assert_eq!(map[5 * page + 3], 0);
        let fault = map.fault().unwrap();
        assert_eq!((fault.offset, fault.kind), (5 * page as u64, FaultKind::Shortened));
        assert!(matches!(map.get_slice(..4), Err(Error::Truncated { .. })));
        file.set_len((PAGES * page) as u64).unwrap();
        map.refresh().unwrap();
        assert_eq!(map.fault(), None);
        std::os::unix::fs::FileExt::write_all_at(&file, b"new", 5 * page as u64).unwrap();
        assert_eq!(map.range(5 * page..5 * page + 3).unwrap(), b"new");
    }
}

#[test]
fn a_call_that_meets_the_fault_itself_says_so_and_keeps_the_position() {
    let dir = tempfile::tempdir().unwrap();
    let (mut map, file, page) = guarded(&dir, Access::Write);
    file.set_len(page as u64).unwrap();
    map.seek(std::io::SeekFrom::Start(page as u64)).unwrap();
    assert!(matches!(map.read_byte(), Err(Error::Truncated { .. })));
    assert_eq!(map.tell(), page as u64);
    map.close().unwrap();
}

#[test]
fn private_changes_outside_of_the_fault_survive_a_refresh() {
    let dir = tempfile::tempdir().unwrap();
    let (mut map, file, page) = guarded(&dir, Access::Copy);
    map[0] = 1;
    file.set_len(page as u64).unwrap();
    assert_eq!(map[9 * page], 0);
    file.set_len((PAGES * page) as u64).unwrap();
    map.refresh().unwrap();
    assert_eq!(map[0], 1);
}

#[test]
fn ten_threads_read_while_the_file_is_cut_and_grown() {
    let dir = tempfile::tempdir().unwrap();
    let (mut map, file, page) = guarded(&dir, Access::Read);
    let (stop, touched) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..10 {
            let (map, stop, touched) = (&map, &stop, &touched);
            scope.spawn(move || {
                let mut at = thread;
                while !stop.load(Ordering::Relaxed) {
                    at = (at * 31 + 7) % PAGES;
                    let byte = map[at * page];
                    assert!(byte == 7 || byte == 0);
                    touched.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..1000 {
            file.set_len(0).unwrap();
            std::thread::yield_now();
            file.set_len((PAGES * page) as u64).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(touched.into_inner() > 0);
    assert!(map.fault().is_some(), "a thousand cuts were met at least once");
    map.refresh().unwrap();
    assert_eq!(map.fault(), None);
}

/// Runs a test of this file in a process of its own, as `role`, and tells which signal has ended it.
fn signal_of(test: &str, role: &str) -> Option<i32> {
    let program = std::env::current_exe().unwrap();
    Command::new(program).args(["--exact", test]).env("GUARD_ROLE", role).output().unwrap().status.signal()
}

fn is_child(role: &str) -> bool {
    std::env::var("GUARD_ROLE").is_ok_and(|set| set == role)
}

#[test]
fn a_fault_outside_of_guarded_mappings_is_as_deadly_as_before() {
    let test = "a_fault_outside_of_guarded_mappings_is_as_deadly_as_before";
    if is_child("unguarded") {
        let dir = tempfile::tempdir().unwrap();
        let (_guarded, file, _) = guarded(&dir, Access::Read);
        // SAFETY: the process is to die of it.
        let map = unsafe { MmapOptions::new().access(Access::Read).map(file.try_clone().unwrap()).unwrap() };
        file.set_len(0).unwrap();
        std::process::exit(i32::from(map[0]));
    }
    assert_eq!(signal_of(test, "unguarded"), Some(libc::SIGBUS));
}

#[test]
fn a_signal_that_is_sent_has_the_effect_that_it_has_without_a_guard() {
    let test = "a_signal_that_is_sent_has_the_effect_that_it_has_without_a_guard";
    for role in ["1 guarded", "2 guarded", "1 plain", "2 plain"] {
        if is_child(role) {
            let dir = tempfile::tempdir().unwrap();
            let _guarded = role.ends_with("guarded").then(|| guarded(&dir, Access::Read));
            for _ in 0..usize::from(role.as_bytes()[0] - b'0') {
                // SAFETY: a signal to this very thread, delivered before the call returns.
                unsafe { libc::raise(libc::SIGBUS) };
            }
            std::process::exit(0);
        }
    }
    for count in [1, 2] {
        let guarded = signal_of(test, &format!("{count} guarded"));
        assert_eq!(guarded, signal_of(test, &format!("{count} plain")), "{count} signals");
    }
    assert_eq!(signal_of(test, "2 guarded"), Some(libc::SIGBUS));
}

/// What is written a byte at a time is noted as other changes are: of a copy it is nobody's loss that its file became
/// shorter, of a mapping that reaches the file it is.
#[test]
fn bytes_written_past_a_new_end_are_a_loss_where_they_reach_the_file() {
    let dir = tempfile::tempdir().unwrap();
    for (access, lost) in [(Access::Copy, false), (Access::Write, true)] {
        let path = dir.path().join("f");
        let page = Mmap::page_size();
        std::fs::write(&path, vec![7; 2 * page]).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        // SAFETY: nothing is touched after the file is shortened.
        let mut map = unsafe { MmapOptions::new().access(access).map(file.try_clone().unwrap()).unwrap() };
        map.seek(std::io::SeekFrom::End(-1)).unwrap();
        map.write_byte(8).unwrap();
        file.set_len(page as u64).unwrap();
        assert_eq!(matches!(map.close(), Err(Error::Truncated { .. })), lost, "{access:?}");
    }
}
