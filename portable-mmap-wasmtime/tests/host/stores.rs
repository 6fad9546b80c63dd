//! A store to a mapping reaches the right memory or file, and does not end the host, whatever code makes it.

use std::os::unix::fs::FileExt as _;

use crate::common::host::read;
use crate::common::{AT, BLOCK, Guest, HostKind, PAGE, READ, SHARED, Scene, Test, WRITE, pattern, tests};

pub(crate) const TESTS: &[Test] = tests![
    stores_into_a_private_mapping_stay_in_the_guest,
    stores_into_a_shared_mapping_reach_the_file,
    a_change_of_the_file_changes_a_mapping,
    a_guest_reads_the_stores_of_another_guest,
    a_mapping_starts_at_its_offset_in_the_file,
    the_inode_of_wasi_identifies_the_file,
];

/// Stores 100 bytes in each possible way, each on another page. Returns the expected bytes.
fn store_in_all_ways(scene: &Scene, guest: &mut Guest) -> Vec<u8> {
    let mut bytes = pattern(BLOCK);
    scene.file("other", &[5; 100]);
    // The guest's own code.
    for i in 0..100 {
        guest.store(AT + i, 1);
    }
    bytes[..100].fill(1);
    // Functions of wasmtime that the code calls.
    guest.call("fill", &[(AT + PAGE) as i64, 2, 100]);
    bytes[PAGE..PAGE + 100].fill(2);
    guest.write(64, &[3; 100]);
    guest.call("copy", &[(AT + 2 * PAGE) as i64, 64, 100]);
    bytes[2 * PAGE..2 * PAGE + 100].fill(3);
    // The host and WASI.
    guest.write(AT + 3 * PAGE, &[4; 100]);
    bytes[3 * PAGE..3 * PAGE + 100].fill(4);
    let other = guest.open("other", READ);
    guest.pread(other, AT + 4 * PAGE, 100, 0);
    bytes[4 * PAGE..4 * PAGE + 100].fill(5);
    bytes
}

fn stores_into_a_private_mapping_stay_in_the_guest(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let fd = guest.open("f", READ);
    let inode = guest.inode(fd);
    let handle = guest.mapped(inode, 0, AT, BLOCK, 0);
    let expected = store_in_all_ways(scene, &mut guest);
    assert!(guest.bytes(AT..AT + BLOCK) == expected, "the guest has the stored bytes");
    assert!(read(&file, 0, BLOCK) == pattern(BLOCK), "the file has not changed");
    guest.unmap(handle);
    assert!(read(&file, 0, BLOCK) == pattern(BLOCK), "the file has not changed");
}

fn stores_into_a_shared_mapping_reach_the_file(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    guest.mapped(inode, 0, AT, BLOCK, SHARED);
    let expected = store_in_all_ways(scene, &mut guest);
    assert!(read(&file, 0, BLOCK) == expected, "the file has the stored bytes");
}

fn a_change_of_the_file_changes_a_mapping(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    guest.mapped(inode, 0, AT, BLOCK, SHARED);
    guest.mapped(inode, 0, AT + BLOCK, BLOCK, 0);
    file.write_all_at(&[200], 7).unwrap();
    assert_eq!([guest.load(AT + 7), guest.load(AT + BLOCK + 7)], [200, 200]);
}

fn a_guest_reads_the_stores_of_another_guest(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let host = scene.host_for(2);
    let [mut one, mut other] = [(), ()].map(|()| host.guest(&crate::common::trusting()));
    for guest in [&mut one, &mut other] {
        let inode = guest.open_inode("f");
        guest.mapped(inode, 0, AT, BLOCK, SHARED);
    }
    one.store(AT + 9, 201);
    assert_eq!(other.load(AT + 9), 201);
}

fn a_mapping_starts_at_its_offset_in_the_file(scene: &Scene) {
    let file = scene.file("f", &pattern(3 * BLOCK + 5));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    let (offset, len) = (BLOCK + PAGE, 2 * BLOCK - PAGE + 5);
    guest.write(AT + 2 * BLOCK - PAGE, &[9; 2 * PAGE]);
    guest.mapped(inode, offset, AT, len, 0);
    guest.assert_shows(AT, &file, offset, len);
    guest.assert_zeros(AT + len..AT + 2 * BLOCK);
    assert_eq!(guest.load(AT + 2 * BLOCK), 9, "memory behind the mapping belongs to the guest");
}

/// wasmtime-wasi does not guarantee how it computes an inode number. A release that computes it in another way fails
/// here.
fn the_inode_of_wasi_identifies_the_file(scene: &Scene) {
    for name in ["f", "g"] {
        let file = scene.file(name, &pattern(BLOCK));
        let mut guest = scene.guest();
        let fd = guest.open(name, READ | WRITE);
        assert_eq!(guest.inode(fd).cast_unsigned(), crate::common::host::inode(&file));
    }
}
