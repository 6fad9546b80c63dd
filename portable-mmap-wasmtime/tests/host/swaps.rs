//! The data of two stores is swapped. The contract of `attach` forbids this, and the test shows why.

use std::mem;

use portable_mmap_wasmtime::HostMapCtx;

use crate::common::host::read;
use crate::common::{AT, BLOCK, HostKind, SHARED, Scene, Test, pattern, tests, trusting};

pub(crate) const TESTS: &[Test] = tests![swapping_the_data_of_two_stores_leaves_the_file_in_a_pool];

fn swapping_the_data_of_two_stores_leaves_the_file_in_a_pool(scene: &Scene) {
    let host = scene.host_for(2);
    let (file, others) = (scene.file("f", &pattern(BLOCK)), scene.file("others", &pattern(BLOCK)));
    let [mut guest, mut other] = ["f", "others"].map(|name| {
        let mut guest = host.guest(&trusting());
        let inode = guest.open_inode(name);
        guest.mapped(inode, 0, AT, BLOCK, SHARED);
        guest
    });
    mem::swap(guest.store.data_mut(), other.store.data_mut());
    other.assert_shows(AT, &others, 0, BLOCK);
    drop(guest);
    // The dropped store had the context of the other store, so the other's mapping has ended too early.
    other.assert_zeros(AT..AT + BLOCK);
    let mut next = host.guest(&trusting());
    if scene.kind == HostKind::Pooled {
        next.assert_shows(AT, &file, 0, BLOCK);
        next.store(AT, 99);
        assert_eq!(read(&file, 0, 1), [99], "the store of the next guest is in the file");
        return;
    }
    // The memory of the dropped store is released, and its context does not change what is there now.
    next.assert_zeros(AT..AT + BLOCK);
    next.call("fill", &[AT as i64, 66, BLOCK as i64]);
    assert_eq!(HostMapCtx::process_mappings(), 1, "the context still counts the mapping that has ended");
    drop(other);
    assert_eq!(HostMapCtx::process_mappings(), 0);
    assert!(next.bytes(AT..AT + BLOCK).iter().all(|&byte| byte == 66), "the next guest's bytes have not changed");
    for file in [&file, &others] {
        assert!(read(file, 0, BLOCK) == pattern(BLOCK), "the file has not changed");
    }
}
