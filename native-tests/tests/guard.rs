//! The guard over OS mappings: a truncated file is an error and does not kill the process. The cases of the suite test
//! this for every backend. These tests use threads and many pages; `guard_signals.rs` tests signals.

#![cfg(unix)]

mod guarded;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use guarded::{PAGES, guarded};
use portable_mmap::{Access, Error, FaultKind, Mmap, MmapOptions, Result};

#[test]
fn a_touch_past_the_end_reads_zeros_until_refresh() {
    for access in [Access::Read, Access::Write, Access::Copy] {
        let dir = tempfile::tempdir().unwrap();
        let (mut map, file, page) = guarded(&dir, access);
        file.set_len(2 * page as u64).unwrap();
        assert_eq!((map[2 * page - 1], map.fault()), (7, None));
        assert_eq!(map[5 * page + 3], 0);
        let fault = map.fault().unwrap();
        assert_eq!((fault.offset, fault.kind), (5 * page as u64, FaultKind::Truncated));
        assert!(matches!(map.get_slice(..4), Err(Error::Truncated { .. })));
        file.set_len((PAGES * page) as u64).unwrap();
        map.refresh().unwrap();
        assert_eq!(map.fault(), None);
        file.write_all_at(b"new", 5 * page as u64).unwrap();
        assert_eq!(map.range(5 * page..5 * page + 3).unwrap(), b"new");
    }
}

#[test]
fn a_call_that_faults_returns_an_error_and_keeps_the_position() {
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
fn ten_threads_read_while_the_file_is_truncated_and_grows() {
    let dir = tempfile::tempdir().unwrap();
    let (mut map, file, page) = guarded(&dir, Access::Read);
    let (stop, touched) = (AtomicBool::new(false), AtomicUsize::new(0));
    // From here on a thread that starts to read reads the current bytes of the file.
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
                    // There are more threads than processors, and the next change of the file waits for a read.
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
    assert_eq!(map.fault().map(|fault| fault.kind), Some(FaultKind::Truncated));
    let content: Vec<u8> = (1..).take(PAGES).flat_map(|value| vec![value; page]).collect();
    file.write_all_at(&content, 0).unwrap();
    assert!(matches!(map.get_item(0), Err(Error::Truncated { .. })), "the fault stays until a refresh");
    map.refresh().unwrap();
    assert_eq!(map.fault(), None);
    assert!(map[..] == content, "the mapping shows the file again");
}

/// Each mapping records its own faults, even if there are many mappings and other threads make and drop some meanwhile.
#[test]
fn many_mappings_in_many_threads_record_their_own_faults() {
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
fn bytes_written_to_a_replaced_page_are_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (mut map, file, page) = guarded(&dir, Access::Write);
    file.set_len(page as u64).unwrap();
    map[5 * page] = 1;
    assert_eq!((map[5 * page], map.fault().map(|fault| fault.kind)), (1, Some(FaultKind::Truncated)));
    file.set_len((PAGES * page) as u64).unwrap();
    map.refresh().unwrap();
    assert_eq!(map[5 * page], 0);
    map.close().unwrap();
    let mut written = [1];
    file.read_exact_at(&mut written, 5 * page as u64).unwrap();
    assert_eq!(written, [0], "it has not reached the file");
}

/// A second truncation replaces only pages that the first one has left.
#[test]
fn bytes_stored_in_a_lost_page_survive_another_truncation() {
    for access in [Access::Write, Access::Copy] {
        let dir = tempfile::tempdir().unwrap();
        let (mut map, file, page) = guarded(&dir, access);
        let in_file = || {
            let mut byte = [1];
            file.read_exact_at(&mut byte, 40 * page as u64).unwrap();
            byte[0]
        };
        file.set_len(32 * page as u64).unwrap();
        map[40 * page] = 1;
        assert_eq!(map.fault().map(|fault| fault.offset), Some(40 * page as u64));
        file.set_len(8 * page as u64).unwrap();
        assert_eq!((map[10 * page], map[31 * page], map[40 * page]), (0, 0, 1), "{access:?}");
        assert_eq!((map[7 * page], map.fault().map(|fault| fault.offset)), (7, Some(40 * page as u64)));
        file.set_len((PAGES * page) as u64).unwrap();
        assert_eq!((map[40 * page], in_file()), (1, 0), "it is in the mapping and not in the file");
        map.refresh().unwrap();
        assert_eq!((map[40 * page], map.fault()), (0, None));
        map.close().unwrap();
        assert_eq!(in_file(), 0, "it has not reached the file");
    }
}

/// The number of mappings of this process.
#[cfg(target_os = "linux")]
fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

/// The kernel allows a process 65,530 mappings, fewer than this file has pages.
#[cfg(target_os = "linux")]
#[test]
fn many_lost_pages_take_few_mappings() {
    use guarded::{DONE, end_of, role};

    const LEN: usize = 600 << 20;
    let test = "many_lost_pages_take_few_mappings";
    let ways: [(&str, Access, &[usize]); 4] = [
        ("shared, at once", Access::Read, &[0]),
        ("shared, in two stages", Access::Write, &[LEN / 2, 0]),
        ("private, at once", Access::Copy, &[0]),
        ("private, in two stages", Access::Copy, &[LEN / 2, 0]),
    ];
    let Some(role) = role() else {
        for (way, ..) in ways {
            assert_eq!(end_of(test, way).code(), Some(DONE), "{way}");
        }
        return;
    };
    let (_, access, lens) = ways.into_iter().find(|(way, ..)| *way == role).unwrap();
    let (dir, page) = (tempfile::tempdir().unwrap(), Mmap::page_size());
    let mut options = OpenOptions::new();
    let file = Arc::new(options.read(true).write(true).create_new(true).open(dir.path().join("f")).unwrap());
    file.set_len(LEN as u64).unwrap();
    for start in (0..LEN).step_by(1 << 20) {
        file.write_all_at(&[7], start as u64).unwrap();
    }
    // SAFETY: as in `guarded`.
    let mut map = unsafe { MmapOptions::new().access(access).guard(true).map(file.clone()).unwrap() };
    assert_eq!((map[0], map[LEN / 2], map[LEN - (1 << 20)], map.fault()), (7, 7, 7, None));
    if access == Access::Copy {
        (map[1], map[LEN - 1]) = (8, 8);
    }
    let before = mappings();
    for &len in lens {
        file.set_len(len as u64).unwrap();
        assert!(map[len..].iter().step_by(2 * page).all(|&byte| byte == 0), "{len} bytes are left");
        assert_eq!(map.fault().map(|fault| fault.offset), Some(lens[0] as u64));
        assert!(mappings() <= before + 5, "{} mappings, and {before} before", mappings());
    }
    assert!(map[..].iter().all(|&byte| byte == 0));
    std::process::exit(DONE);
}

type Call = fn(&Mmap) -> Result<()>;

/// Each call returns the first byte.
const CALLS: &[(&str, Call)] = &[
    ("get_item", |map| map.get_item(0).map(drop)),
    ("get_slice", |map| map.get_slice(..1).map(drop)),
    ("range", |map| map.range(..1).map(drop)),
    ("as_slice", |map| map.as_slice().map(drop)),
    ("find", |map| map.find(b"x").map(drop)),
];

#[test]
fn every_call_touches_the_bytes_that_it_returns() {
    for (name, call) in CALLS {
        let dir = tempfile::tempdir().unwrap();
        let (map, file, _) = guarded(&dir, Access::Read);
        file.set_len(0).unwrap();
        assert!(matches!(call(&map), Err(Error::Truncated { .. })), "{name}");
        assert_eq!(map.fault().map(|fault| fault.offset), Some(0), "{name}");
    }
}

/// The handler finds each mapping by its address, whichever were dropped and made before.
#[test]
fn twenty_thousand_mappings_record_their_own_faults() {
    const COUNT: usize = 20_000;
    let (dir, page) = (tempfile::tempdir().unwrap(), Mmap::page_size());
    let path = dir.path().join("f");
    std::fs::write(&path, vec![7; 2 * page]).unwrap();
    let file = Arc::new(OpenOptions::new().read(true).write(true).open(path).unwrap());
    // SAFETY: as in `guarded`.
    let map = || unsafe { MmapOptions::new().access(Access::Read).guard(true).map(file.clone()).unwrap() };
    let mut maps: Vec<Mmap> = (0..COUNT).map(|_| map()).collect();
    assert!(maps.iter().all(|map| map[page] == 7));

    // The mappings that have recorded a fault, with the page.
    let faults = |maps: &[Mmap]| -> Vec<(usize, usize)> {
        let fault =
            |(index, map): (usize, &Mmap)| map.fault().map(|fault| (index, usize::from(fault.offset >= page as u64)));
        maps.iter().enumerate().filter_map(fault).collect()
    };
    file.set_len(0).unwrap();
    let touched = [(0, 1), (COUNT / 2, 0), (COUNT - 1, 1)];
    assert!(touched.iter().all(|&(index, number)| maps[index][number * page] == 0));
    assert_eq!(faults(&maps), touched);

    // Every second mapping is dropped, including two of those that were touched.
    let mut index = 0;
    maps.retain(|_| (index % 2 == 1, index += 1).0);
    assert_eq!(faults(&maps), [(COUNT / 2 - 1, 1)]);
    let touched = [(0, 1), (COUNT / 4, 0), (COUNT / 2 - 1, 1)];
    assert!(touched.iter().all(|&(index, number)| maps[index][number * page] == 0));
    assert_eq!(faults(&maps), touched);

    // New mappings get addresses of dropped ones.
    file.set_len(2 * page as u64).unwrap();
    let new: Vec<Mmap> = (0..COUNT / 2).map(|_| map()).collect();
    file.set_len(0).unwrap();
    let touched_new = [(0, 1), (COUNT / 4, 1), (COUNT / 2 - 1, 0)];
    assert!(touched_new.iter().all(|&(index, number)| new[index][number * page] == 0));
    assert_eq!((faults(&new), faults(&maps)), (touched_new.to_vec(), touched.to_vec()));
}

/// Bytes written one at a time count as changes like any others. If the file is truncated, a copy loses nothing, but a
/// mapping whose changes reach the file does.
#[test]
fn bytes_written_past_a_new_end_are_an_error_unless_private() {
    let dir = tempfile::tempdir().unwrap();
    for (access, lost) in [(Access::Copy, false), (Access::Write, true)] {
        let path = dir.path().join("f");
        let page = Mmap::page_size();
        std::fs::write(&path, vec![7; 2 * page]).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        // SAFETY: nothing is touched after the file is truncated.
        let mut map = unsafe { MmapOptions::new().access(access).map(file.try_clone().unwrap()).unwrap() };
        map.seek(std::io::SeekFrom::End(-1)).unwrap();
        map.write_byte(8).unwrap();
        file.set_len(page as u64).unwrap();
        assert_eq!(matches!(map.close(), Err(Error::Truncated { .. })), lost, "{access:?}");
    }
}
