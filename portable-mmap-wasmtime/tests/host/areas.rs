//! The number of areas of memory of the process. At the system's limit allocators fail, and the host ends.

use std::fs::File;

use portable_mmap::host::Guard;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use crate::common::{AT, BLOCK, Guest, HostKind, PAGE, SHARED, Scene, Test, areas, errno, pattern, tests, trusting};

pub(crate) const TESTS: &[Test] = tests![
    a_mapping_leaves_no_area_behind,
    a_hundred_mappings_leave_no_area_behind,
    mappings_of_a_dropped_store_leave_no_area_behind,
    a_thousand_faults_use_no_more_areas_than_the_limit,
    a_guest_that_unmaps_in_a_bad_order_leaves_the_host_its_areas,
    a_guest_that_stores_between_faults_leaves_the_host_its_areas,
];

/// The limit of Linux on the areas of a process.
fn most() -> usize {
    std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap().trim().parse().unwrap()
}

/// Checks that the host has areas left for itself.
#[track_caller]
fn assert_room() {
    let (areas, most) = (areas(), most());
    assert!(areas < most / 8 * 7, "{areas} of {most} areas are used");
}

/// A guest that has a file of `len` bytes open, the file, and its inode number.
fn guest(scene: &Scene, len: usize) -> (Guest, File, i64) {
    let file = scene.file("f", &pattern(BLOCK));
    file.set_len(len as u64).unwrap();
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    // Makes the first calls and faults of the process, which set up structures.
    guest.call("fill", &[(AT - BLOCK) as i64, 1, 12 * BLOCK as i64]);
    let handle = guest.mapped(inode, 0, AT, BLOCK, 0);
    guest.load(AT);
    guest.unmap(handle);
    (guest, file, inode)
}

fn a_mapping_leaves_no_area_behind(scene: &Scene) {
    let (mut guest, _, inode) = guest(scene, 3 * BLOCK);
    for flags in [0, SHARED] {
        let before = guest.areas();
        let handle = guest.mapped(inode, 0, AT, 3 * BLOCK, flags);
        assert_eq!(guest.areas(), before + 2, "a mapping in the middle of memory");
        guest.call("fill", &[AT as i64, 7, 3 * BLOCK as i64]);
        guest.unmap(handle);
        assert_eq!(guest.areas(), before);
        guest.assert_zeros(AT..AT + 3 * BLOCK);
        guest.call("fill", &[AT as i64, 7, 3 * BLOCK as i64]);
        assert_eq!(guest.areas(), before);
    }
}

fn a_hundred_mappings_leave_no_area_behind(scene: &Scene) {
    let (mut guest, file, inode) = guest(scene, 3 * BLOCK);
    let before = guest.areas();
    for i in 0..100 {
        let at = AT + i % 7 * BLOCK;
        let handle = guest.mapped(inode, 0, at, 3 * BLOCK, if i % 2 == 0 { SHARED } else { 0 });
        file.set_len(BLOCK as u64).unwrap();
        assert_eq!(guest.load(at + 2 * BLOCK), 0);
        guest.store(at, 5);
        guest.unmap(handle);
        file.set_len(3 * BLOCK as u64).unwrap();
        guest.call("fill", &[at as i64, 7, 3 * BLOCK as i64]);
    }
    assert_eq!(guest.areas(), before);
}

fn mappings_of_a_dropped_store_leave_no_area_behind(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let host = scene.host();
    let run = || {
        let mut guest = host.guest(&trusting());
        let inode = guest.open_inode("f");
        for i in 0..60 {
            guest.mapped(inode, 0, AT + 2 * i * BLOCK, BLOCK, 0);
            guest.store(AT + 2 * i * BLOCK, 1);
        }
    };
    run();
    let before = areas();
    for _ in 0..20 {
        run();
    }
    // Threads and the allocator may use more in the meantime.
    assert!(areas() < before + 60, "{} areas, before {before}", areas());
}

/// Each round leaves one more page lost, because the refresh is for another page.
fn a_thousand_faults_use_no_more_areas_than_the_limit(scene: &Scene) {
    let len = 64 * BLOCK;
    let (mut guest, file, inode) = guest(scene, len);
    for flags in [SHARED, 0] {
        let before = guest.areas();
        let handle = guest.mapped(inode, 0, AT, len, flags);
        let mut most_pieces = 0;
        for i in 1..1000_usize {
            // Every second page, because adjacent pages are one piece.
            let page = 2 * i.min(1000 - i);
            file.set_len((page * PAGE) as u64).unwrap();
            assert_eq!(guest.load(AT + page * PAGE), 0);
            file.set_len(len as u64).unwrap();
            assert_eq!(guest.refresh(handle, 0, 1), 0);
            assert!(guest.areas() <= before + Guard::MOST_AREAS, "{} areas, before {before}", guest.areas());
            if i < 50 {
                most_pieces = most_pieces.max((1..=i).filter(|i| guest.lost(handle, 2 * i * PAGE) == 1).count());
            }
        }
        assert!(most_pieces > 3, "pages stay lost, in several pieces: {most_pieces}");
        guest.unmap(handle);
        assert_eq!(guest.areas(), before);
    }
}

/// Uses areas until this many of those that mappings may use are left.
fn leave(areas_left: usize) {
    let taken = most() / 4 * 3 - areas() - areas_left;
    for i in 0..taken {
        // Adjacent areas with different protections are not joined.
        let prot = if i % 2 == 0 { ProtFlags::READ } else { ProtFlags::empty() };
        // SAFETY: new memory, which nothing uses.
        unsafe { mmap_anonymous(std::ptr::null_mut(), PAGE, prot, MapFlags::PRIVATE) }.unwrap();
    }
    assert!(areas() + areas_left + 100 > most() / 4 * 3, "{} areas are used", areas());
}

const NO_MEMORY: i64 = -(errno::NOMEM as i64);

/// Memory that is unmapped between two mappings and then used is joined to at most one neighbour when these are
/// unmapped.
fn a_guest_that_unmaps_in_a_bad_order_leaves_the_host_its_areas(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let host = scene.host_for(2);
    let mut guest = host.guest(&trusting());
    assert!(guest.call("grow", &[64_000]) >= 0, "there is memory to grow into");
    let inode = guest.open_inode("f");
    leave(8_000);
    let before = areas();
    let mut round = |round: usize| {
        let at = |i: usize| AT + (64 * round + i) * BLOCK;
        let handles: Vec<i64> = (0..64).map(|i| guest.map(inode, 0, at(i), BLOCK, 0)).collect();
        for i in (1..64).step_by(2).chain((0..64).step_by(2)).filter(|&i| handles[i] > 0) {
            guest.unmap(handles[i]);
            guest.store(at(i), 1);
        }
        handles[63]
    };
    let last = (0..1000).map(&mut round).find(|&handle| handle < 0);
    assert_eq!(last, Some(NO_MEMORY), "the guest uses all areas that mappings may leave behind");
    assert!(areas() > before + 500, "the guest leaves areas behind");
    assert_room();
    drop(guest);
    assert!(areas() < before + 100, "dropping the store releases them");
    let mut next = host.guest(&trusting());
    let inode = next.open_inode("f");
    next.mapped(inode, 0, AT, BLOCK, 0);
}

/// Pages of a file that are mapped again between pages that the guest has changed are joined to at most one neighbour.
fn a_guest_that_stores_between_faults_leaves_the_host_its_areas(scene: &Scene) {
    let len = 256 * BLOCK;
    let (mut guest, file, inode) = guest(scene, len);
    let handle = guest.mapped(inode, 0, AT, len, 0);
    leave(6_600);
    let before = areas();
    let mut round = |page: usize| {
        file.set_len((page * PAGE) as u64).unwrap();
        guest.load(AT + page * PAGE);
        file.set_len(len as u64).unwrap();
        let others = guest.refresh(handle, 0, 1);
        guest.store(AT + (page + 1) * PAGE, 1);
        guest.store(AT + (page - 1) * PAGE, 1);
        others.min(guest.refresh(handle, page * PAGE, 1))
    };
    let last = (1..len / PAGE - 1).step_by(2).map(&mut round).find(|&result| result < 0);
    assert_eq!(last, Some(NO_MEMORY), "the guest uses all areas that refreshes may leave behind");
    assert!(areas() > before + 100, "the guest leaves areas behind");
    assert_room();
    guest.unmap(handle);
    assert!(areas() < before + 100, "unmapping releases them");
}
