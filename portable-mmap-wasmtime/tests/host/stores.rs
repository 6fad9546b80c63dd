//! What is stored in a mapping, by whomever, goes where it belongs and ends no host.

use std::os::unix::fs::FileExt as _;

use crate::common::host::read;
use crate::common::{AT, BLOCK, Ground, Guest, PAGE, READ, SHARED, Scene, Test, WRITE, pattern, tests};

pub(crate) const TESTS: &[Test] = tests![
    stores_into_a_private_mapping_stay_in_the_guest,
    stores_into_a_shared_mapping_reach_the_file,
    a_change_of_the_file_shows_in_a_mapping,
    a_guest_sees_what_another_guest_stores,
    a_block_shows_the_file_from_an_offset_on,
    the_inode_of_wasi_names_the_file,
];

/// Stores in each of the ways that there are, 100 bytes on the page that belongs to each. Returns what is there then.
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
    // The host, and WASI.
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
    assert!(guest.bytes(AT..AT + BLOCK) == expected, "the guest has what was stored");
    assert!(read(&file, 0, BLOCK) == pattern(BLOCK), "the file is as it was");
    guest.unmap(handle);
    assert!(read(&file, 0, BLOCK) == pattern(BLOCK), "the file is as it was");
}

fn stores_into_a_shared_mapping_reach_the_file(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    guest.mapped(inode, 0, AT, BLOCK, SHARED);
    let expected = store_in_all_ways(scene, &mut guest);
    assert!(read(&file, 0, BLOCK) == expected, "the file has what was stored");
}

fn a_change_of_the_file_shows_in_a_mapping(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    guest.mapped(inode, 0, AT, BLOCK, SHARED);
    guest.mapped(inode, 0, AT + BLOCK, BLOCK, 0);
    file.write_all_at(&[200], 7).unwrap();
    assert_eq!([guest.load(AT + 7), guest.load(AT + BLOCK + 7)], [200, 200]);
}

fn a_guest_sees_what_another_guest_stores(scene: &Scene) {
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

fn a_block_shows_the_file_from_an_offset_on(scene: &Scene) {
    let file = scene.file("f", &pattern(3 * BLOCK + 5));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    let (offset, len) = (BLOCK + PAGE, 2 * BLOCK - PAGE + 5);
    guest.write(AT + 2 * BLOCK - PAGE, &[9; 2 * PAGE]);
    guest.mapped(inode, offset, AT, len, 0);
    guest.assert_shows(AT, &file, offset, len);
    guest.assert_zeros(AT + len..AT + 2 * BLOCK);
    assert_eq!(guest.load(AT + 2 * BLOCK), 9, "what lies behind the mapping is the guest's own");
}

/// How wasmtime-wasi makes an inode is no promise of it. A release that does it in another way fails here.
fn the_inode_of_wasi_names_the_file(scene: &Scene) {
    for name in ["f", "g"] {
        let file = scene.file(name, &pattern(BLOCK));
        let mut guest = scene.guest();
        let fd = guest.open(name, READ | WRITE);
        assert_eq!(guest.inode(fd).cast_unsigned(), crate::common::host::inode(&file));
    }
}
