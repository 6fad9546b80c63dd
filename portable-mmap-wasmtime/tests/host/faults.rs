//! A file that ends before its mapping: reads of the truncated pages return zeros, and the host continues.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use portable_mmap::FaultKind;

use crate::common::host::read;
use crate::common::{
    AT, BLOCK, DIRTY, DISK, Guest, HostKind, PAGE, READ, SHARED, Scene, Test, WRITE, pattern, tests, trusting,
};

pub(crate) const TESTS: &[Test] = tests![
    code_reads_zeros_from_truncated_pages,
    memory_copy_reads_zeros_from_truncated_pages,
    the_host_reads_zeros_from_truncated_pages,
    wasi_reads_zeros_from_truncated_pages,
    stores_to_truncated_pages_do_not_reach_the_file,
    syncs_of_truncated_pages_do_not_end_the_host,
    an_empty_range_accesses_and_refreshes_no_page,
    a_refresh_maps_the_file_again,
    another_guest_continues_when_a_file_is_truncated,
    a_fault_before_an_unmap_is_not_one_of_the_next_mapping,
];

const LEN: usize = 4 * BLOCK;

/// A guest that has mapped a file of four blocks and then truncated it to one page and a byte.
fn truncated(scene: &Scene, flags: u32) -> (Guest, i64, i64, File) {
    let file = scene.file("f", &pattern(LEN));
    let mut guest = scene.guest();
    let fd = guest.open("f", READ | WRITE);
    let inode = guest.inode(fd);
    let handle = guest.mapped(inode, 0, AT, LEN, flags);
    guest.set_size(fd, PAGE + 1);
    assert_eq!(guest.fault(handle), None);
    (guest, fd, handle, file)
}

/// Checks that a truncated page with this number was accessed.
#[track_caller]
fn assert_truncated(guest: &mut Guest, handle: i64, page: usize) {
    let offset = u32::try_from(page * PAGE).unwrap();
    assert_eq!(guest.fault(handle), Some((offset, FaultKind::Truncated)));
    assert_eq!([0, PAGE, 2 * PAGE, LEN - 1].map(|at| guest.lost(handle, at)), [0, 0, 1, 1]);
    guest.assert_zeros(AT + PAGE + 1..AT + LEN);
    assert!(guest.bytes(AT..AT + PAGE) == pattern(PAGE), "the rest of the file is mapped");
}

fn code_reads_zeros_from_truncated_pages(scene: &Scene) {
    for flags in [0, SHARED] {
        let (mut guest, _, handle, _) = truncated(scene, flags);
        assert_eq!(guest.load(AT + 7 * PAGE + 5), 0);
        assert_truncated(&mut guest, handle, 7);
    }
}

fn memory_copy_reads_zeros_from_truncated_pages(scene: &Scene) {
    let (mut guest, _, handle, _) = truncated(scene, SHARED);
    guest.call("fill", &[(AT + LEN) as i64, 9, BLOCK as i64]);
    guest.call("copy", &[(AT + LEN) as i64, (AT + 5 * PAGE) as i64, BLOCK as i64]);
    guest.assert_zeros(AT + LEN..AT + LEN + BLOCK);
    // The processor chooses which byte it reads first.
    assert!(
        guest.fault(handle).is_some_and(|(offset, kind)| kind == FaultKind::Truncated && offset as usize >= 5 * PAGE)
    );
}

fn the_host_reads_zeros_from_truncated_pages(scene: &Scene) {
    let (mut guest, _, handle, _) = truncated(scene, SHARED);
    let memory = guest.memory();
    assert_eq!(memory.data(&guest.store)[AT + 9 * PAGE], 0);
    assert_truncated(&mut guest, handle, 9);
}

/// The system itself detects the truncation, and sends no signal.
fn wasi_reads_zeros_from_truncated_pages(scene: &Scene) {
    let (mut guest, _, handle, _) = truncated(scene, SHARED);
    scene.file("other", &[5; PAGE]);
    let other = guest.open("other", READ | WRITE);
    // The guest passes a truncated page to `fd_pwrite`, and to `path_open` as a name.
    guest.write(64, &[(AT + 3 * PAGE) as u32, 16].map(u32::to_le_bytes).concat());
    let written = guest.try_call("fd_pwrite", &[other, 64, 1, 0, 512]);
    assert!(written.is_ok(), "{written:?}");
    let opened = guest.try_call("path_open", &[3, 0, (AT + 3 * PAGE) as i64, 16, 0, READ, READ, 0, 512]);
    assert!(opened.is_err() || opened.is_ok_and(|errno| errno != 0), "zeros are not a name");
    assert_eq!(guest.load(AT + 3 * PAGE), 0);
    assert_truncated(&mut guest, handle, 3);
}

fn stores_to_truncated_pages_do_not_reach_the_file(scene: &Scene) {
    let (mut guest, fd, handle, file) = truncated(scene, SHARED);
    guest.store(AT + 4 * PAGE, 77);
    assert_eq!((guest.load(AT + 4 * PAGE), guest.lost(handle, 4 * PAGE)), (77, 1));
    guest.set_size(fd, LEN);
    assert_eq!(guest.sync(handle, 0, LEN, DISK), 0);
    assert_eq!(read(&file, 4 * PAGE, 1), [0]);
}

fn syncs_of_truncated_pages_do_not_end_the_host(scene: &Scene) {
    let (mut guest, _, handle, file) = truncated(scene, SHARED);
    assert_eq!(guest.sync(handle, 0, LEN, DISK), 0);
    assert_eq!(guest.sync(handle, 0, LEN, DIRTY), 0);
    assert_truncated(&mut guest, handle, 2);
    assert_eq!(guest.sync(handle, 0, LEN, DISK), 0);
    assert_eq!(file.metadata().unwrap().len(), (PAGE + 1) as u64);
}

fn an_empty_range_accesses_and_refreshes_no_page(scene: &Scene) {
    let (mut guest, _, handle, _) = truncated(scene, SHARED);
    assert_eq!(guest.sync(handle, 7 * PAGE + 5, 0, DIRTY), 0);
    assert_eq!(guest.fault(handle), None);
    guest.load(AT + 7 * PAGE);
    assert_eq!(guest.refresh(handle, 7 * PAGE + 5, 0), 0);
    assert_eq!(guest.fault(handle), Some(((7 * PAGE) as u32, FaultKind::Truncated)));
}

fn a_refresh_maps_the_file_again(scene: &Scene) {
    for flags in [0, SHARED] {
        let (mut guest, fd, handle, file) = truncated(scene, flags);
        guest.load(AT + 7 * PAGE);
        guest.set_size(fd, LEN);
        file.write_all_at(&pattern(BLOCK), (LEN - BLOCK) as u64).unwrap();
        guest.assert_zeros(AT + LEN - BLOCK..AT + LEN);
        assert_eq!(guest.refresh(handle, 0, LEN), 0);
        guest.assert_shows(AT, &file, 0, LEN);
        assert_eq!((guest.fault(handle), guest.lost(handle, LEN - 1)), (None, 0));
        guest.store(AT + LEN - 1, 78);
        assert_eq!(read(&file, LEN - 1, 1)[0] == 78, flags == SHARED);
    }
}

fn another_guest_continues_when_a_file_is_truncated(scene: &Scene) {
    let (file, other) = (scene.file("f", &pattern(LEN)), scene.file("other", &pattern(LEN)));
    let host = scene.host_for(2);
    let [mut hostile, mut victim] = [(), ()].map(|()| host.guest(&trusting()));
    let fd = hostile.open("f", READ | WRITE);
    let inode = hostile.inode(fd);
    let hostile_handle = hostile.mapped(inode, 0, AT, LEN, SHARED);
    let inode = victim.open_inode("f");
    let handle = victim.mapped(inode, 0, AT, LEN, 0);
    let inode = victim.open_inode("other");
    victim.mapped(inode, 0, AT + LEN, LEN, SHARED);
    hostile.set_size(fd, 0);
    assert_eq!(hostile.load(AT), 0);
    assert_eq!(victim.load(AT + PAGE), 0);
    assert_eq!(hostile.fault(hostile_handle), Some((0, FaultKind::Truncated)));
    assert_eq!(victim.fault(handle), Some((4096, FaultKind::Truncated)));
    victim.assert_shows(AT + LEN, &other, 0, LEN);
    drop(hostile);
    victim.assert_shows(AT + LEN, &other, 0, LEN);
    victim.assert_zeros(AT..AT + LEN);
    assert_eq!(file.metadata().unwrap().len(), 0);
}

fn a_fault_before_an_unmap_is_not_one_of_the_next_mapping(scene: &Scene) {
    let (mut guest, fd, handle, _) = truncated(scene, SHARED);
    guest.load(AT + 7 * PAGE);
    guest.unmap(handle);
    guest.set_size(fd, LEN);
    let inode = guest.inode(fd);
    let next = guest.mapped(inode, 0, AT, LEN, SHARED);
    assert_eq!((guest.fault(next), guest.lost(next, 7 * PAGE)), (None, 0));
    assert_eq!(guest.call("fault", &[handle]), -8);
}
