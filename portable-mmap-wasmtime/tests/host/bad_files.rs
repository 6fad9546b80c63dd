//! Files that a guest cannot map: the call returns an errno, and nothing changes.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use portable_mmap_wasmtime::HostMapCtx;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use wasmtime_wasi::{FsPerms, OpenMode};

use crate::common::host::{add_open_file, inode, sealed};
use crate::common::{
    AT, BLOCK, Guest, HostKind, PAGE, READ, SHARED, Scene, Test, WRITE, errno, pattern, tests, trusting,
};

pub(crate) const TESTS: &[Test] = tests![
    a_file_that_the_guest_does_not_have_open_is_not_mapped,
    a_file_that_the_guest_has_closed_is_not_mapped,
    a_file_of_another_guest_is_not_mapped,
    a_directory_is_not_mapped,
    devices_and_fifos_are_not_mapped,
    a_file_open_for_reading_is_not_shared,
    a_file_open_only_for_writing_is_not_mapped,
    a_file_of_a_read_only_directory_is_not_shared,
    a_file_that_is_granted_for_reading_is_not_shared,
    of_two_descriptors_the_writable_one_is_shared,
    an_offset_within_a_page_is_invalid,
    a_file_that_ends_before_the_mapping_is_not_mapped,
    a_mapping_that_the_system_denies_changes_nothing,
    a_mapping_stays_when_its_file_is_closed_and_removed,
];

/// Checks that a mapping fails with this errno, and that the memory and other mappings do not change.
#[track_caller]
fn assert_fails(guest: &mut Guest, inode: i64, [offset, len]: [usize; 2], flags: u32, errno: i32) {
    let at = AT + 8 * BLOCK;
    guest.call("fill", &[at as i64, 8, 2 * BLOCK as i64]);
    let before = (guest.mappings(), HostMapCtx::process_mappings());
    assert_eq!(guest.map(inode, offset, at, len, flags), -i64::from(errno), "{len} bytes from {offset}");
    assert!(guest.bytes(at..at + 2 * BLOCK).iter().all(|&byte| byte == 8), "the memory has not changed");
    guest.call("fill", &[at as i64, 9, 2 * BLOCK as i64]);
    assert_eq!((guest.mappings(), HostMapCtx::process_mappings()), before);
}

/// The first block of a file.
const BLOCK_OF_FILE: [usize; 2] = [0, BLOCK];

fn a_file_that_the_guest_does_not_have_open_is_not_mapped(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    for inode in [inode(&file).cast_signed(), 0, 1, -1, i64::MIN] {
        assert_fails(&mut guest, inode, BLOCK_OF_FILE, 0, errno::BADF);
        assert_fails(&mut guest, inode, BLOCK_OF_FILE, SHARED, errno::BADF);
    }
}

fn a_file_that_the_guest_has_closed_is_not_mapped(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let fd = guest.open("f", READ | WRITE);
    let inode = guest.inode(fd);
    // Another file stays open.
    scene.file("other", &pattern(BLOCK));
    guest.open("other", READ | WRITE);
    guest.close(fd);
    assert_fails(&mut guest, inode, BLOCK_OF_FILE, 0, errno::BADF);
}

fn a_file_of_another_guest_is_not_mapped(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let host = scene.host_for(2);
    let [mut one, mut other] = [(), ()].map(|()| host.guest(&trusting()));
    let inode = one.open_inode("f");
    assert_fails(&mut other, inode, BLOCK_OF_FILE, 0, errno::BADF);
    one.mapped(inode, 0, AT, BLOCK, 0);
}

fn a_directory_is_not_mapped(scene: &Scene) {
    fs::create_dir(scene.dir.join("dir")).unwrap();
    let mut guest = scene.guest();
    let preopen = guest.inode(3);
    let fd = guest.open("dir", READ);
    let inode = guest.inode(fd);
    for inode in [preopen, inode] {
        assert_fails(&mut guest, inode, BLOCK_OF_FILE, 0, errno::BADF);
    }
}

fn devices_and_fifos_are_not_mapped(scene: &Scene) {
    let host = scene.host();
    let mut guest = host.guest_in(&trusting(), Path::new("/dev"), FsPerms::ReadWrite);
    for name in ["zero", "null"] {
        let inode = guest.open_inode(name);
        assert_fails(&mut guest, inode, BLOCK_OF_FILE, 0, errno::NODEV);
        assert_fails(&mut guest, inode, BLOCK_OF_FILE, SHARED, errno::NODEV);
    }
    drop(guest);
    mknodat(CWD, scene.dir.join("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut guest = host.guest(&trusting());
    // Opening it for reading and writing does not block.
    let inode = guest.open_inode("fifo");
    assert_fails(&mut guest, inode, BLOCK_OF_FILE, 0, errno::NODEV);
}

fn a_file_open_for_reading_is_not_shared(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let fd = guest.open("f", READ);
    let inode = guest.inode(fd);
    assert_fails(&mut guest, inode, BLOCK_OF_FILE, SHARED, errno::ACCES);
    guest.mapped(inode, 0, AT, BLOCK, 0);
    guest.assert_shows(AT, &file, 0, BLOCK);
}

fn a_file_open_only_for_writing_is_not_mapped(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let fd = guest.open("f", WRITE);
    let inode = guest.inode(fd);
    assert_fails(&mut guest, inode, BLOCK_OF_FILE, 0, errno::ACCES);
    assert_fails(&mut guest, inode, BLOCK_OF_FILE, SHARED, errno::ACCES);
}

fn a_file_of_a_read_only_directory_is_not_shared(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.host().guest_in(&trusting(), &scene.dir, FsPerms::ReadOnly);
    let fd = guest.open("f", READ);
    let inode = guest.inode(fd);
    assert_fails(&mut guest, inode, BLOCK_OF_FILE, SHARED, errno::ACCES);
    guest.mapped(inode, 0, AT, BLOCK, 0);
    guest.assert_shows(AT, &file, 0, BLOCK);
}

fn a_file_that_is_granted_for_reading_is_not_shared(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let inode = add_open_file(&mut guest.store, &file, FsPerms::ReadOnly, OpenMode::READ | OpenMode::WRITE);
    assert_fails(&mut guest, inode, BLOCK_OF_FILE, SHARED, errno::ACCES);
}

fn of_two_descriptors_the_writable_one_is_shared(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let reading = guest.open("f", READ);
    let inode = guest.inode(reading);
    let both = guest.open("f", READ | WRITE);
    let handle = guest.mapped(inode, 0, AT, BLOCK, SHARED);
    guest.close(both);
    assert_fails(&mut guest, inode, BLOCK_OF_FILE, SHARED, errno::ACCES);
    guest.unmap(handle);
}

fn an_offset_within_a_page_is_invalid(scene: &Scene) {
    scene.file("f", &pattern(4 * BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    for offset in [1, 512, PAGE - 1, PAGE + 1, usize::MAX] {
        assert_fails(&mut guest, inode, [offset, PAGE], 0, errno::INVAL);
    }
}

fn a_file_that_ends_before_the_mapping_is_not_mapped(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK - 1));
    scene.file("empty", &[]);
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    let beyond = usize::MAX - (PAGE - 1);
    for place in [[0, BLOCK], [PAGE, BLOCK - PAGE], [BLOCK, 1], [16 * BLOCK, PAGE], [beyond, 1], [beyond, 2 * BLOCK]] {
        assert_fails(&mut guest, inode, place, 0, errno::NXIO);
        assert_fails(&mut guest, inode, place, SHARED, errno::NXIO);
    }
    let empty = guest.open_inode("empty");
    assert_fails(&mut guest, empty, [0, 1], 0, errno::NXIO);
    guest.mapped(inode, 0, AT, BLOCK - 1, 0);
    guest.assert_shows(AT, &file, 0, BLOCK - 1);
}

/// The policy permits a shared mapping, but the system does not, because a sealed file cannot be written.
fn a_mapping_that_the_system_denies_changes_nothing(scene: &Scene) {
    let file = sealed(&pattern(BLOCK));
    let mut guest = scene.guest();
    let inode = add_open_file(&mut guest.store, &file, FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE);
    for _ in 0..10 {
        assert_fails(&mut guest, inode, BLOCK_OF_FILE, SHARED, errno::PERM);
    }
    let reading = scene.dir.join("reading");
    fs::write(&reading, pattern(BLOCK)).unwrap();
    fs::set_permissions(&reading, Permissions::from_mode(0o400)).unwrap();
    let reading = OpenOptions::new().read(true).open(reading).unwrap();
    let inode = add_open_file(&mut guest.store, &reading, FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE);
    assert_fails(&mut guest, inode, BLOCK_OF_FILE, SHARED, errno::ACCES);
}

fn a_mapping_stays_when_its_file_is_closed_and_removed(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let fd = guest.open("f", READ | WRITE);
    let inode = guest.inode(fd);
    let handle = guest.mapped(inode, 0, AT, BLOCK, SHARED);
    guest.close(fd);
    fs::remove_file(scene.dir.join("f")).unwrap();
    guest.store(AT, 77);
    assert_eq!(guest.sync(handle, 0, BLOCK, crate::common::DISK), 0);
    guest.assert_shows(AT, &file, 0, BLOCK);
    file.set_len(0).unwrap();
    assert_eq!(guest.load(AT + PAGE), 0);
    assert_eq!(guest.refresh(handle, 0, BLOCK), 0);
}
