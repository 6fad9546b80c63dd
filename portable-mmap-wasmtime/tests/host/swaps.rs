//! The data of two stores, swapped: what the contract of `attach` forbids, and why.

use std::mem;

use portable_mmap_wasmtime::HostMapCtx;

use crate::common::host::read;
use crate::common::{AT, BLOCK, Ground, SHARED, Scene, Test, pattern, tests, trusting};

pub(crate) const TESTS: &[Test] = tests![swapping_the_data_of_two_stores_leaves_a_pool_the_file];

fn swapping_the_data_of_two_stores_leaves_a_pool_the_file(scene: &Scene) {
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
    // With the store went the context of the other one: its mapping has ended before its time.
    other.assert_zeros(AT..AT + BLOCK);
    let mut next = host.guest(&trusting());
    if scene.ground == Ground::Pooled {
        next.assert_shows(AT, &file, 0, BLOCK);
        next.store(AT, 99);
        assert_eq!(read(&file, 0, 1), [99], "the next guest writes to the file");
        return;
    }
    // Nobody has the memory of the store that is gone, and its context leaves alone whatever lies there now.
    next.assert_zeros(AT..AT + BLOCK);
    next.call("fill", &[AT as i64, 66, BLOCK as i64]);
    assert_eq!(HostMapCtx::process_mappings(), 1, "a mapping that is gone, in a context that is not");
    drop(other);
    assert_eq!(HostMapCtx::process_mappings(), 0);
    assert!(next.bytes(AT..AT + BLOCK).iter().all(|&byte| byte == 66), "the next guest's bytes are there");
    for file in [&file, &others] {
        assert!(read(file, 0, BLOCK) == pattern(BLOCK), "the file is as it was");
    }
}
