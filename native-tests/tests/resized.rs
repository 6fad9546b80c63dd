//! Resizes of an OS mapping that consists of several areas for the system, or whose file cannot get the new length.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::os::fd::FromRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use portable_mmap::{Advice, Error, Flags, Mmap, MmapOptions};

fn page() -> usize {
    Mmap::page_size()
}

/// A file in memory of this many pages, each filled with its number.
fn file_of(pages: usize) -> Arc<File> {
    // SAFETY: the name ends with a zero byte.
    let fd = unsafe { libc::memfd_create(c"resized".as_ptr(), libc::MFD_ALLOW_SEALING) };
    assert!(fd >= 0);
    // SAFETY: the descriptor is new, and nobody else owns it.
    let file = unsafe { File::from_raw_fd(fd) };
    let bytes: Vec<u8> = (0..pages * page()).map(|at| u8::try_from(at / page()).unwrap()).collect();
    std::io::Write::write_all(&mut &file, &bytes).unwrap();
    Arc::new(file)
}

fn seal(file: &File, seals: libc::c_int) {
    use std::os::fd::AsRawFd;
    // SAFETY: the call accesses no memory.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }, 0);
}

fn mapped(file: &Arc<File>, options: &MmapOptions) -> Mmap {
    // SAFETY: nobody else uses the file while a slice is alive.
    unsafe { options.map(file.clone()) }.unwrap()
}

/// Checks that the first `kept` pages of the mapping are those of `file_of`, and the others zeros.
fn check(map: &Mmap, kept: usize) {
    for (at, &byte) in map.iter().enumerate().step_by(page() / 4) {
        let expected = if at < kept { u8::try_from(at / page()).unwrap() } else { 0 };
        assert_eq!(byte, expected, "{at} of {}", map.len());
    }
}

#[test]
fn a_guarded_mapping_is_resized_after_its_pages_were_replaced() {
    let file = file_of(16);
    let mut map = mapped(&file, MmapOptions::new().guard(true));
    for (len, kept) in [(9 * page() + 5, 3), (20 * page(), 2), (5 * page() + 1, 1)] {
        file.set_len((kept * page()) as u64).unwrap();
        assert!(map.get_item(-1).is_err());
        assert!(matches!(map.resize(len), Err(Error::Truncated { .. })));
        file.set_len(map.len() as u64).unwrap();
        map.refresh().unwrap();
        map.resize(len).unwrap();
        assert_eq!((map.len(), map.fault(), file.metadata().unwrap().len()), (len, None, len as u64));
        check(&map, kept * page());
        map[len - 1] = 0;
        map.flush().unwrap();
    }
    // The guard covers the mapping with its new length, and nothing past it.
    map.resize(2 * page()).unwrap();
    file.set_len(1).unwrap();
    assert_eq!((map[2 * page() - 1], map.fault().map(|fault| fault.offset)), (0, Some(page() as u64)));
}

#[test]
fn a_guard_ignores_foreign_mappings_at_released_addresses() {
    let file = file_of(64);
    let mut map = mapped(&file, MmapOptions::new().guard(true));
    let start = map.as_slice().unwrap().as_ptr().cast_mut();
    map.resize(2 * page()).unwrap();
    let len = 62 * page();
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    let address = start.wrapping_add(2 * page()).cast();
    // SAFETY: fails if anything is mapped there.
    let others = unsafe { libc::mmap(address, len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if others == libc::MAP_FAILED {
        println!("NOT RUN: another thread has the addresses");
        return;
    }
    // SAFETY: it was just mapped with this length, and nobody else unmaps it.
    let others = unsafe { std::slice::from_raw_parts_mut(others.cast::<u8>(), len) };
    others.fill(7);
    file.set_len(0).unwrap();
    assert_eq!((map[page()], map.fault().map(|fault| fault.offset)), (0, Some(page() as u64)));
    assert!(others.iter().all(|&byte| byte == 7));
    drop(map);
    assert!(others.iter().all(|&byte| byte == 7));
}

#[test]
fn a_mapping_of_several_areas_can_be_resized() {
    let file = file_of(16);
    let mut map = mapped(&file, &MmapOptions::new());
    for (len, kept) in [(15 * page(), 15), (40 * page(), 15), (3 * page(), 3)] {
        // The system splits a mapping into areas with different advice.
        map.advise_range(Advice::Random, 2 * page(), page()).unwrap();
        map.advise_range(Advice::Sequential, map.len() - page(), page()).unwrap();
        map.resize(len - 1).unwrap();
        map.resize(len).unwrap();
        assert_eq!(file.metadata().unwrap().len(), len as u64);
        check(&map, kept * page());
    }
    let mut memory = MmapOptions::new().len(4 * page()).flags(Flags::PRIVATE).map_anonymous().unwrap();
    memory.fill(7);
    memory.advise_range(Advice::DontFork, page(), page()).unwrap();
    memory.resize(9 * page()).unwrap();
    memory.resize(2 * page() + 1).unwrap();
    memory.resize(3 * page()).unwrap();
    assert!(memory[..=2 * page()].iter().all(|&byte| byte == 7));
    assert!(memory[2 * page() + 1..].iter().all(|&byte| byte == 0));
}

#[test]
fn a_locked_mapping_is_resized() {
    let file = file_of(4);
    let mut map = mapped(&file, &MmapOptions::new());
    for len in [2 * page(), 6 * page()] {
        map.lock().unwrap();
        map.resize(len).unwrap();
        check(&map, 2 * page());
    }
    map.unlock().unwrap();
}

#[test]
fn a_file_that_cannot_change_its_length_leaves_the_mapping() {
    for guard in [false, true] {
        for (seals, len) in [(libc::F_SEAL_SHRINK, 3), (libc::F_SEAL_GROW, 9)] {
            let file = file_of(8);
            let mut map = mapped(&file, MmapOptions::new().guard(guard));
            let start = map.export().unwrap();
            seal(&file, seals);
            let refused = map.resize(len * page()).unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied, "{refused}");
            assert_eq!((map.len(), file.metadata().unwrap().len()), (8 * page(), 8 * page() as u64));
            assert_eq!(map.export().unwrap(), start);
            check(&map, 8 * page());
            map.close().unwrap();
        }
        // The mapping would grow, and the file would shrink.
        let file = file_of(8);
        let mut map = mapped(&file, MmapOptions::new().guard(guard));
        // So there are free addresses after it.
        map.resize(2 * page()).unwrap();
        let start = map.export().unwrap();
        file.set_len(8 * page() as u64).unwrap();
        seal(&file, libc::F_SEAL_SHRINK);
        assert!(map.resize(5 * page()).is_err());
        assert_eq!((map.len(), map.export().unwrap()), (2 * page(), start));
        assert!(catch_unwind(AssertUnwindSafe(|| map[2 * page()])).is_err(), "a page past the end");
        check(&map, 2 * page());
        map.resize(8 * page()).unwrap();
        check(&map, 2 * page());
    }
}

#[test]
fn a_mapping_grows_while_its_file_becomes_shorter() {
    let file = file_of(8);
    let mut map = mapped(&file, MmapOptions::new().len(page()).offset(page() as u64));
    map.resize(4 * page()).unwrap();
    assert_eq!((map.len(), file.metadata().unwrap().len()), (4 * page(), 5 * page() as u64));
    assert_eq!((map[0], map[4 * page() - 1]), (1, 4));
}
