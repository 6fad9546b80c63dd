//! However a store ends, no other guest has its files, and they are as they were.

use std::fs::File;

use portable_mmap_wasmtime::{HostMapCtx, detach};
use wasmtime::{Engine, Trap};

use crate::common::host::read;
use crate::common::{AT, BLOCK, Ground, Guest, Host, PAGE, SHARED, Scene, Test, pattern, tests, trusting};

pub(crate) const TESTS: &[Test] = tests![
    the_next_guest_has_zeros_where_a_file_was_mapped,
    memory_that_stays_resident_is_zeroed_and_the_file_is_not,
    a_store_may_be_dropped_on_another_thread,
    a_store_may_be_dropped_after_a_trap,
    a_store_may_be_dropped_after_a_timeout,
    after_detach_a_store_may_give_its_data_up,
    without_detach_giving_up_the_data_leaves_a_pool_the_file,
    a_context_that_outlives_its_store_leaves_the_memory_of_others_alone,
    the_next_guest_has_the_data_segment_of_the_module,
];

/// A guest with a shared mapping that has lost pages, one that has not, and a private one with a store in it.
fn mapped(scene: &Scene, host: &Host) -> (Guest, File) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = host.guest(&trusting());
    let inode = guest.open_inode("f");
    guest.mapped(inode, 0, AT, BLOCK, SHARED);
    guest.mapped(inode, 0, AT + BLOCK, BLOCK, 0);
    guest.store(AT + BLOCK, 99);
    scene.file("short", &pattern(BLOCK));
    let fd = guest.open("short", crate::common::READ | crate::common::WRITE);
    let inode = guest.inode(fd);
    guest.mapped(inode, 0, AT + 2 * BLOCK, BLOCK, SHARED);
    guest.set_size(fd, PAGE);
    assert_eq!(guest.load(AT + 2 * BLOCK + PAGE), 0);
    (guest, file)
}

/// The next guest of the host has memory of its own, and the file is as it was.
fn assert_next_is_clean(host: &Host, file: &File) {
    assert!(read(file, 0, BLOCK) == pattern(BLOCK), "the file is as it was");
    let mut next = host.guest(&trusting());
    next.assert_zeros(AT..AT + 3 * BLOCK);
    for block in 0..3 {
        next.call("fill", &[(AT + block * BLOCK) as i64, 66, BLOCK as i64]);
    }
    assert!(read(file, 0, BLOCK) == pattern(BLOCK), "the file is as it was");
    assert_eq!(HostMapCtx::process_mappings(), 0);
}

fn the_next_guest_has_zeros_where_a_file_was_mapped(scene: &Scene) {
    let host = scene.host();
    let (guest, file) = mapped(scene, &host);
    assert_eq!(HostMapCtx::process_mappings(), 3);
    drop(guest);
    assert_next_is_clean(&host, &file);
}

fn memory_that_stays_resident_is_zeroed_and_the_file_is_not(scene: &Scene) {
    let host = scene.host_of(crate::common::guest::TWO_PAGES, 1, |_, pool| {
        pool.linear_memory_keep_resident(64 << 20);
    });
    let (guest, file) = mapped(scene, &host);
    drop(guest);
    assert_next_is_clean(&host, &file);
}

fn a_store_may_be_dropped_on_another_thread(scene: &Scene) {
    let host = scene.host();
    let (guest, file) = mapped(scene, &host);
    std::thread::spawn(move || drop(guest)).join().unwrap();
    assert_next_is_clean(&host, &file);
}

fn a_store_may_be_dropped_after_a_trap(scene: &Scene) {
    let host = scene.host();
    let (mut guest, file) = mapped(scene, &host);
    let error = guest.try_call("trap", &[]).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
    guest.assert_shows(AT, &file, 0, BLOCK);
    drop(guest);
    assert_next_is_clean(&host, &file);
}

fn a_store_may_be_dropped_after_a_timeout(scene: &Scene) {
    let host = scene.host();
    let (mut guest, file) = mapped(scene, &host);
    let error = std::thread::scope(|scope| {
        scope.spawn(|| later(&host.engine));
        guest.try_call("spin", &[]).unwrap_err()
    });
    assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
    drop(guest);
    assert_next_is_clean(&host, &file);
}

fn later(engine: &Engine) {
    std::thread::sleep(std::time::Duration::from_millis(20));
    engine.increment_epoch();
}

fn after_detach_a_store_may_give_its_data_up(scene: &Scene) {
    let host = scene.host();
    let (mut guest, file) = mapped(scene, &host);
    detach(&mut guest.store);
    assert_eq!((guest.mappings(), HostMapCtx::process_mappings()), (0, 0));
    guest.assert_zeros(AT..AT + 3 * BLOCK);
    let inode = guest.open_inode("f");
    assert_eq!(guest.map(inode, 0, AT, BLOCK, 0), 0, "mappings are not supported any more");
    let data = guest.store.into_data();
    assert_next_is_clean(&host, &file);
    drop(data);
    assert_next_is_clean(&host, &file);
}

/// What the contract of `attach` forbids, and why.
fn without_detach_giving_up_the_data_leaves_a_pool_the_file(scene: &Scene) {
    let host = scene.host();
    let (guest, file) = mapped(scene, &host);
    let data = guest.store.into_data();
    if scene.ground == Ground::Pooled {
        let mut next = host.guest(&trusting());
        next.assert_shows(AT, &file, 0, BLOCK);
    } else {
        drop(data);
        assert_next_is_clean(&host, &file);
    }
}

fn a_context_that_outlives_its_store_leaves_the_memory_of_others_alone(scene: &Scene) {
    let host = scene.host();
    let (guest, _) = mapped(scene, &host);
    let data = guest.store.into_data();
    let mut next = host.guest(&trusting());
    next.call("fill", &[AT as i64, 66, 3 * BLOCK as i64]);
    drop(data);
    assert!(next.bytes(AT..AT + 3 * BLOCK).iter().all(|&byte| byte == 66), "the next guest's bytes are there");
    assert_eq!(HostMapCtx::process_mappings(), 0);
}

fn the_next_guest_has_the_data_segment_of_the_module(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let host = scene.host();
    for _ in 0..2 {
        let mut guest = host.guest(&trusting());
        assert_eq!(guest.bytes(BLOCK..BLOCK + 7), b"segment");
        let inode = guest.open_inode("f");
        let refused = guest.map(inode, 0, BLOCK, BLOCK, 0);
        assert_eq!(guest.bytes(BLOCK..BLOCK + 7), b"segment");
        if refused > 0 {
            guest.unmap(refused);
        }
        assert_eq!(refused, -4, "the block lies in the initial image");
    }
}
