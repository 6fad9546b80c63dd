//! Syncs of ranges, and of pages that are made dirty again.

use std::fs;
use std::os::unix::fs::FileExt as _;

use crate::common::host::read;
use crate::common::{AT, BLOCK, DIRTY, DISK, HostKind, PAGE, SHARED, Scene, Test, VISIBLE, pattern, tests};

pub(crate) const TESTS: &[Test] = tests![
    a_sync_writes_stores_to_the_file,
    a_range_to_sync_starts_and_ends_anywhere,
    making_pages_dirty_keeps_their_bytes,
    a_sync_cleans_pages_and_dirty_makes_them_dirty,
    a_sync_of_a_private_mapping_changes_nothing,
];

const LEN: usize = 4 * BLOCK;

fn a_sync_writes_stores_to_the_file(scene: &Scene) {
    let file = scene.file("f", &pattern(LEN));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    let handle = guest.mapped(inode, 0, AT, LEN, SHARED);
    for (at, how) in [(5, DISK), (BLOCK, VISIBLE), (LEN - 1, DISK)] {
        guest.store(AT + at, 77);
        assert_eq!(guest.sync(handle, 0, LEN, how), 0);
        assert_eq!(read(&file, at, 1), [77]);
    }
}

fn a_range_to_sync_starts_and_ends_anywhere(scene: &Scene) {
    scene.file("f", &pattern(LEN));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    let handle = guest.mapped(inode, 0, AT, LEN - 100, SHARED);
    for how in [VISIBLE, DISK, DIRTY] {
        for (offset, len) in [(0, 0), (0, 1), (1, 1), (PAGE - 1, 2), (PAGE + 3, BLOCK), (LEN - 101, 1), (LEN - 1, 0)] {
            assert_eq!(guest.sync(handle, offset, len, how), 0, "{len} bytes at {offset}");
        }
    }
}

fn making_pages_dirty_keeps_their_bytes(scene: &Scene) {
    let file = scene.file("f", &pattern(LEN));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    let handle = guest.mapped(inode, 0, AT, LEN, SHARED);
    assert_eq!(guest.sync(handle, 0, LEN, DIRTY), 0);
    assert_eq!(guest.sync(handle, 0, LEN, DISK), 0);
    assert!(read(&file, 0, LEN) == pattern(LEN));
    assert!(guest.bytes(AT..AT + LEN) == pattern(LEN));
}

fn a_sync_cleans_pages_and_dirty_makes_them_dirty(scene: &Scene) {
    scene.file("f", &pattern(LEN)).sync_all().unwrap();
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    let handle = guest.mapped(inode, 0, AT, LEN, SHARED);
    guest.store(AT + BLOCK, 77);
    assert!(is_dirty(scene));
    assert_eq!(guest.sync(handle, 0, LEN, DISK), 0);
    assert!(!is_dirty(scene), "the pages are clean, if the directory of temporary files is on a disk");
    assert_eq!(guest.sync(handle, BLOCK + PAGE - 1, 2, DIRTY), 0);
    assert!(is_dirty(scene));
    assert_eq!(guest.sync(handle, 0, LEN, DISK), 0);
    assert!(!is_dirty(scene));
}

/// Whether the only mapping of the file `f` has pages that are not on the disk yet. Their number depends on the system,
/// which may treat many pages as one.
pub(crate) fn is_dirty(scene: &Scene) -> bool {
    let path = scene.dir.join("f");
    let text = fs::read_to_string("/proc/self/smaps").unwrap();
    let area = text.lines().skip_while(|line| !line.ends_with(path.to_str().unwrap())).skip(1);
    let area = area.take_while(|line| !line.starts_with("VmFlags"));
    let kilobytes = |line: &str| line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap();
    let dirty = area.filter(|line| line.starts_with("Shared_Dirty") || line.starts_with("Private_Dirty"));
    let counts: Vec<usize> = dirty.map(kilobytes).collect();
    assert_eq!(counts.len(), 2, "the system shows the mapping");
    counts.iter().sum::<usize>() > 0
}

fn a_sync_of_a_private_mapping_changes_nothing(scene: &Scene) {
    let file = scene.file("f", &pattern(LEN));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    let handle = guest.mapped(inode, 0, AT, LEN, 0);
    guest.store(AT, 77);
    for how in [VISIBLE, DISK, DIRTY] {
        assert_eq!(guest.sync(handle, 0, LEN, how), 0);
    }
    assert!(read(&file, 0, LEN) == pattern(LEN));
    file.write_all_at(&[78], PAGE as u64).unwrap();
    assert_eq!([guest.load(AT), guest.load(AT + PAGE)], [77, 78]);
}
