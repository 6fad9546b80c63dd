//! A full disk: bytes that cannot be written still count as changed, and a failed allocation is an error.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use portable_mmap::{Backend, Buffered, Error, FaultKind, Mapped, Mapping, Mmap, MmapOptions, Operation};

use crate::grounds::{DISK_PAGES, Ground, Test};

pub(crate) const TESTS: &[Test] = &[
    test("a_flush_of_a_buffer_keeps_changes_that_do_not_fit", None, a_flush_of_a_buffer_keeps_changes_that_do_not_fit),
    test("a_buffer_stays_open_if_its_close_has_no_room", None, a_buffer_stays_open_if_its_close_has_no_room),
    test(
        "allocated_growth_of_a_mapping_fails_or_keeps_its_blocks",
        None,
        allocated_growth_fails_or_keeps_its_blocks::<Mapped>,
    ),
    test(
        "allocated_growth_of_a_buffer_fails_or_keeps_its_blocks",
        None,
        allocated_growth_fails_or_keeps_its_blocks::<Buffered>,
    ),
    test("a_hole_under_a_guard_is_a_fault", None, a_hole_under_a_guard_is_a_fault),
    test("a_hole_without_a_guard_ends_the_process", Some(libc::SIGBUS), a_hole_without_a_guard_ends_the_process),
];

const fn test(name: &'static str, ends_by: Option<i32>, play: fn(&Path)) -> Test {
    Test { name, ground: Ground::SmallDisk, ends_by, play }
}

/// Creates a file of this many pages that is one hole.
fn sparse(dir: &Path, pages: usize) -> Arc<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(dir.join("f")).unwrap();
    file.set_len((pages * Mmap::page_size()) as u64).unwrap();
    Arc::new(file)
}

/// Fills the disk with another file, and leaves room for this many pages.
fn fill(dir: &Path, pages: u64) {
    let mut filler = OpenOptions::new().append(true).create(true).open(dir.join("filler")).unwrap();
    let block = vec![1; Mmap::page_size()];
    let full = (0..=DISK_PAGES).find_map(|_| filler.write_all(&block).err()).expect("the disk is full in the end");
    assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    let len = filler.metadata().unwrap().len();
    filler.set_len(len - pages * Mmap::page_size() as u64).unwrap();
}

fn make_room(dir: &Path) {
    fs::remove_file(dir.join("filler")).unwrap();
}

/// Checks that an operation at this offset, on this many bytes, failed because the disk is full.
fn assert_no_room(result: Result<(), Error>, operation: Operation, offset: usize, len: usize) {
    match result {
        Err(Error::Io { operation: was, offset: at, len: of, source, .. }) => {
            assert_eq!((was, at, of), (operation, offset as u64, len as u64), "{source}");
            assert_eq!(source.kind(), ErrorKind::StorageFull, "{source}");
        }
        other => panic!("there was room for the {operation}: {other:?}"),
    }
}

/// Changes a byte in each of eight pages of a hole, on a disk with room for three.
fn changed(dir: &Path) -> (Arc<File>, Mapping<Buffered>, Vec<u8>, usize) {
    let file = sparse(dir, 40);
    fill(dir, 3);
    let mut map = MmapOptions::new().map_buffered(file.clone()).unwrap();
    let (mut want, step) = (vec![0; map.len()], 5 * Mmap::page_size());
    for (value, place) in (1..).zip((0..map.len()).step_by(step)) {
        map[place] = value;
        want[place] = value;
    }
    (file, map, want, step)
}

fn a_flush_of_a_buffer_keeps_changes_that_do_not_fit(dir: &Path) {
    let (file, mut map, mut want, step) = changed(dir);
    map.seek(SeekFrom::Start(7)).unwrap();
    // Twice: a second failure changes nothing either.
    for _ in 0..2 {
        assert_no_room(map.flush(), Operation::Write, 3 * step, 1);
        assert_eq!((map.as_slice().unwrap(), map.tell()), (&*want, 7));
        let mut written = want.clone();
        written[3 * step..].fill(0);
        assert!(fs::read(dir.join("f")).unwrap() == written, "the first three, and nothing else");
    }
    // Pages that were written no longer count as changed: bytes of another writer stay there.
    file.write_all_at(b"another's", 0).unwrap();
    want[..9].copy_from_slice(b"another's");
    make_room(dir);
    map.flush().unwrap();
    assert!(fs::read(dir.join("f")).unwrap() == want, "the rest, and nothing else");
    map.close().unwrap();
}

fn a_buffer_stays_open_if_its_close_has_no_room(dir: &Path) {
    let (_file, mut map, want, step) = changed(dir);
    assert_no_room(map.close(), Operation::Write, 3 * step, 1);
    assert!(!map.is_closed());
    assert_eq!(map.as_slice().unwrap(), want);
    make_room(dir);
    map.close().unwrap();
    assert!(fs::read(dir.join("f")).unwrap() == want);
}

fn allocated_growth_fails_or_keeps_its_blocks<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let page = Mmap::page_size();
    let file = sparse(dir, 4);
    file.write_all_at(&vec![5; 4 * page], 0).unwrap();
    fill(dir, 6);
    let mut options = MmapOptions::new();
    options.allocate(true);
    // SAFETY: nobody else changes the file, or makes it shorter.
    let longer = unsafe { options.clone().extend(true).len(40 * page).map_with::<B>(file.clone()) };
    assert_no_room(longer.map(drop), Operation::Allocate, 4 * page, 36 * page);
    // SAFETY: as above.
    let mut map = unsafe { options.map_with::<B>(file.clone()) }.unwrap();
    for _ in 0..2 {
        assert_no_room(map.resize(40 * page), Operation::Allocate, 4 * page, 36 * page);
        assert_eq!((map.len(), file.metadata().unwrap().len()), (4 * page, 4 * page as u64));
        assert!(map.iter().all(|&byte| byte == 5), "the old bytes are there");
    }
    // The blocks of the failed allocation were released, and are enough for less growth.
    map.resize(10 * page).unwrap();
    fill(dir, 0);
    for place in (0..map.len()).step_by(page) {
        map[place] = 6;
    }
    map.flush().unwrap();
    let content = fs::read(dir.join("f")).unwrap();
    assert_eq!(content.len(), 10 * page);
    assert!(content.iter().step_by(page).all(|&byte| byte == 6), "a disk that becomes full later changes nothing");
}

fn a_hole_under_a_guard_is_a_fault(dir: &Path) {
    let page = Mmap::page_size();
    let file = sparse(dir, 8);
    // SAFETY: nobody else changes the file, or makes it shorter.
    let mut map = unsafe { MmapOptions::new().guard(true).map(file.clone()) }.unwrap();
    map[page] = 1;
    fill(dir, 0);
    map[page + 1] = 2;
    assert_eq!(map.fault(), None, "the page has a block");
    map[3 * page + 5] = 3;
    let fault = map.fault().expect("the disk has no room for the page");
    assert_eq!((fault.offset, fault.kind), (3 * page as u64, FaultKind::Io));
    let refused = map.get_item(0).unwrap_err();
    assert!(matches!(&refused, Error::Io { offset, .. } if *offset == 3 * page as u64), "{refused}");
    assert!(refused.to_string().contains("no disk space was left for a hole in it"), "{refused}");
    make_room(dir);
    assert!(map.flush().is_err(), "the fault stays until a refresh");
    map.refresh().unwrap();
    assert_eq!((map.fault(), &map[page..page + 2]), (None, &[1, 2][..]));
    assert_eq!(map[3 * page + 5], 0, "bytes written to a replaced page are lost");
    map[3 * page + 5] = 4;
    map.close().unwrap();
    assert_eq!(fs::read(dir.join("f")).unwrap()[3 * page + 5], 4);
}

fn a_hole_without_a_guard_ends_the_process(dir: &Path) {
    let file = sparse(dir, 8);
    fill(dir, 0);
    // SAFETY: this access is meant to end the process.
    let mut map = unsafe { MmapOptions::new().map(file) }.unwrap();
    map[0] = 1;
    std::process::exit(0);
}
