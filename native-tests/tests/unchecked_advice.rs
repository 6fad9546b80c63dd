//! Advice that changes bytes, where the operating system has it. It is not in the suite because its effect differs by
//! system.
//!
//! `HwPoison` and `SoftOffline` make the system stop using real memory if the user is privileged, so they are not
//! tested here.

#![cfg(target_os = "linux")]

use std::fs::{self, OpenOptions};

use portable_mmap::{Access, BufferedMmap, Error, Flags, Mmap, MmapOptions, Operation, UncheckedAdvice};

#[test]
fn remove_punches_a_hole_into_mapping_and_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, page) = (dir.path().join("f"), Mmap::page_size());
    fs::write(&path, vec![7; 4 * page]).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    // SAFETY: nobody else uses the file.
    let mut map = unsafe { MmapOptions::new().map(file).unwrap() };
    // SAFETY: no slice of the mapping is alive.
    match unsafe { map.advise_unchecked(UncheckedAdvice::Remove, page, 2 * page) } {
        Ok(()) => {
            assert!(map[page..3 * page].iter().all(|&byte| byte == 0));
            assert_eq!((map[page - 1], map[3 * page]), (7, 7));
            let content = fs::read(&path).unwrap();
            assert!(content.len() == 4 * page && content[page..3 * page].iter().all(|&byte| byte == 0));
        }
        // A file system without holes returns an error.
        Err(Error::Io { operation: Operation::Advise, source, .. }) => {
            println!("this file system punches no holes: {source}");
            assert!(map.iter().all(|&byte| byte == 7));
        }
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn free_leaves_old_bytes_or_zeros_and_new_bytes_stay() {
    let page = Mmap::page_size();
    let mut map = MmapOptions::new().len(4 * page).flags(Flags::PRIVATE).map_anonymous().unwrap();
    map[..].fill(7);
    // SAFETY: no slice of the mapping is alive, and none made later relies on the old bytes before it writes.
    unsafe { map.advise_unchecked(UncheckedAdvice::Free, 0, 4 * page).unwrap() };
    map[page..2 * page].fill(9);
    assert!(map[page..2 * page].iter().all(|&byte| byte == 9));
    // SAFETY: as above.
    unsafe { map.advise_unchecked(UncheckedAdvice::Free, 3 * page, usize::MAX).unwrap() };
}

#[test]
fn the_range_is_checked_as_for_other_advice() {
    let page = Mmap::page_size();
    let mut map = Mmap::anonymous(2 * page).unwrap();
    for (start, variant) in [(2 * page, "OutOfRange"), (usize::MAX, "OutOfRange"), (1, "Misaligned")] {
        // SAFETY: no slice of the mapping is alive.
        let error = unsafe { map.advise_unchecked(UncheckedAdvice::Free, start, 1) }.unwrap_err();
        assert_eq!(error.name(), variant);
    }
}

#[test]
fn advice_that_linux_lacks_is_unsupported() {
    let mut map = Mmap::anonymous(Mmap::page_size()).unwrap();
    for advice in [UncheckedAdvice::FreeReusable, UncheckedAdvice::FreeReuse] {
        // SAFETY: no slice of the mapping is alive.
        let error = unsafe { map.advise_unchecked(advice, 0, 1) }.unwrap_err();
        assert_eq!(error.name(), "Unsupported");
    }
}

#[test]
fn an_error_of_the_system_is_returned() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, [7; 100]).unwrap();
    // SAFETY: nobody else uses the file.
    let mut map = unsafe { MmapOptions::new().access(Access::Read).open(&path).unwrap() };
    // SAFETY: no slice of the mapping is alive.
    let error = unsafe { map.advise_unchecked(UncheckedAdvice::Remove, 0, 100) }.unwrap_err();
    assert!(matches!(error, Error::Io { operation: Operation::Advise, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), [7; 100]);
}

#[test]
fn a_buffer_has_no_unchecked_advice() {
    let mut map: BufferedMmap = BufferedMmap::anonymous(100).unwrap();
    for &advice in UncheckedAdvice::ALL {
        // SAFETY: a buffer returns an error.
        let error = unsafe { map.advise_unchecked(advice, 0, 1) }.unwrap_err();
        assert_eq!(error.name(), "Unsupported");
    }
}
