//! The guard over OS mappings: a file that is shortened is an error and not a death. The cases of the suite say the same
//! for every backend; here are threads, signals and processes.

#![cfg(unix)]

use std::fs::{File, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
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
    // What a thread that begins to read now reads stands for what the file is now.
    let await_reads = || {
        let seen = touched.load(Ordering::Relaxed);
        while touched.load(Ordering::Relaxed) < seen + 20 {
            std::thread::yield_now();
        }
    };
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
                    // There are more threads than processors, and the file waits for a read.
                    std::thread::yield_now();
                }
            });
        }
        for round in 0..1000 {
            file.set_len((round % PAGES * page) as u64).unwrap();
            await_reads();
            file.set_len((PAGES * page) as u64).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(map.fault().map(|fault| fault.kind), Some(FaultKind::Shortened));
    let content: Vec<u8> = (1..).take(PAGES).flat_map(|value| vec![value; page]).collect();
    std::os::unix::fs::FileExt::write_all_at(&file, &content, 0).unwrap();
    assert!(matches!(map.get(0), Err(Error::Truncated { .. })), "it stays until a refresh");
    map.refresh().unwrap();
    assert_eq!(map.fault(), None);
    assert!(map[..] == content, "all is as the file is");
}

/// Each knows its own faults, however many there are, and whoever made and dropped others meanwhile.
#[test]
fn many_mappings_in_many_threads_note_their_own_faults() {
    const THREADS: usize = 8;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for round in 0..20 {
                    let dir = tempfile::tempdir().unwrap();
                    let (whole, file, page) = guarded(&dir, Access::Read);
                    let file = Arc::new(file);
                    let map = |_| {
                        // SAFETY: as in `guarded`.
                        unsafe { MmapOptions::new().access(Access::Read).guard(true).map(file.clone()).unwrap() }
                    };
                    let maps: Vec<Mmap> = (0..PAGES / 2).map(map).collect();
                    file.set_len((PAGES / 2 * page) as u64).unwrap();
                    for (index, map) in maps.iter().enumerate().filter(|(index, _)| index % 2 == (thread + round) % 2) {
                        assert_eq!(map[(PAGES / 2 + index) * page], 0);
                    }
                    for (index, map) in maps.iter().enumerate() {
                        let touched = index % 2 == (thread + round) % 2;
                        let offset = touched.then_some(((PAGES / 2 + index) * page) as u64);
                        assert_eq!(map.fault().map(|fault| fault.offset), offset, "mapping {index}");
                    }
                    assert_eq!((whole.fault(), whole[PAGES / 2 * page - 1]), (None, 7));
                }
            });
        }
    });
}

#[test]
fn what_is_written_to_a_page_that_was_replaced_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (mut map, file, page) = guarded(&dir, Access::Write);
    file.set_len(page as u64).unwrap();
    map[5 * page] = 1;
    assert_eq!((map[5 * page], map.fault().map(|fault| fault.kind)), (1, Some(FaultKind::Shortened)));
    file.set_len((PAGES * page) as u64).unwrap();
    map.refresh().unwrap();
    assert_eq!(map[5 * page], 0);
    map.close().unwrap();
    let mut written = [1];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut written, 5 * page as u64).unwrap();
    assert_eq!(written, [0], "it has reached no file");
}

/// Runs a test of this file in a process of its own, as `role`, and tells how it has ended.
fn end_of(test: &str, role: &str) -> ExitStatus {
    let program = std::env::current_exe().unwrap();
    Command::new(program).args(["--exact", test]).env("GUARD_ROLE", role).output().unwrap().status
}

/// As above: which signal has ended it.
fn signal_of(test: &str, role: &str) -> Option<i32> {
    end_of(test, role).signal()
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

/// Where the next fault is to be.
static EXPECTED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_fault(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the system, or whoever passes a signal on, hands over a valid structure.
    let info = unsafe { &*info };
    // SAFETY: a fault comes with an address.
    let address = unsafe { info.si_addr() }.addr();
    let is_right = info.si_code == libc::BUS_ADRERR && address == EXPECTED.load(Ordering::Relaxed);
    // SAFETY: ends the process, from within a handler too.
    unsafe { libc::_exit(if is_right { 42 } else { 1 }) };
}

extern "C" fn on_signal(signal: libc::c_int) {
    // SAFETY: as above.
    unsafe { libc::_exit(if signal == libc::SIGBUS { 43 } else { 1 }) };
}

/// Sets the program's own way with SIGBUS.
fn set_handler(handler: usize, flags: libc::c_int) {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (handler, flags);
    // SAFETY: the handlers above do what handlers may do.
    assert_eq!(unsafe { libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) }, 0);
}

/// A handler that the program had installed gets the faults of others, with all that the system says of them, and not
/// those of guarded mappings; and it may be of either kind. A program that ignores the signal dies of a fault all the
/// same, as it does without a guard, and survives one that is sent.
#[test]
fn what_is_not_the_guard_s_goes_to_the_handler_that_stood_before() {
    let test = "what_is_not_the_guard_s_goes_to_the_handler_that_stood_before";
    let roles = ["with information", "plain", "ignored", "default", "ignored, sent"];
    if let Some(role) = roles.into_iter().find(|role| is_child(role)) {
        match role {
            "with information" => set_handler(on_fault as *const () as usize, libc::SA_SIGINFO),
            "plain" => set_handler(on_signal as *const () as usize, 0),
            "default" => set_handler(libc::SIG_DFL, 0),
            _ => set_handler(libc::SIG_IGN, 0),
        }
        let dir = tempfile::tempdir().unwrap();
        let (guarded, file, page) = guarded(&dir, Access::Read);
        // SAFETY: the process is to be ended by it.
        let map = unsafe { MmapOptions::new().access(Access::Read).map(file.try_clone().unwrap()).unwrap() };
        file.set_len(0).unwrap();
        assert_eq!(guarded[3 * page], 0, "the guard's own fault");
        if role == "ignored, sent" {
            // SAFETY: a signal to this very thread, delivered before the call returns.
            unsafe { libc::raise(libc::SIGBUS) };
            std::process::exit(44);
        }
        EXPECTED.store(map.as_ptr().addr() + 2 * page, Ordering::Relaxed);
        std::process::exit(i32::from(map[2 * page]));
    }
    assert_eq!(end_of(test, "with information").code(), Some(42));
    assert_eq!(end_of(test, "plain").code(), Some(43));
    assert_eq!(end_of(test, "ignored").signal(), Some(libc::SIGBUS));
    assert_eq!(end_of(test, "default").signal(), Some(libc::SIGBUS));
    assert_eq!(end_of(test, "ignored, sent").code(), Some(44));
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
