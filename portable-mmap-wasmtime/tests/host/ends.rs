//! However a store ends, no other guest gets its files, and the files do not change.

use std::fs::File;

use portable_mmap_wasmtime::{HostMapCtx, detach};
use wasmtime::{Engine, Trap};

use crate::common::host::read;
use crate::common::{AT, BLOCK, Guest, Host, HostKind, PAGE, SHARED, Scene, Test, pattern, tests, trusting};

pub(crate) const TESTS: &[Test] = tests![
    the_next_guest_has_zeros_instead_of_a_file,
    resident_memory_is_zeroed_and_the_file_is_not_changed,
    a_store_may_be_dropped_on_another_thread,
    a_store_may_be_dropped_after_a_trap,
    a_store_may_be_dropped_after_a_timeout,
    after_detach_the_data_of_a_store_may_be_moved_out,
    without_detach_moving_out_the_data_leaves_the_file_in_a_pool,
    a_context_that_outlives_its_store_does_not_change_other_memory,
    the_next_guest_has_the_data_segment_of_the_module,
];

/// A guest with a shared mapping with lost pages, one without, and a private mapping with a store in it.
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

/// Checks that the next guest of the host has plain memory, and that the file has not changed.
fn assert_next_is_clean(host: &Host, file: &File) {
    assert!(read(file, 0, BLOCK) == pattern(BLOCK), "the file has not changed");
    let mut next = host.guest(&trusting());
    next.assert_zeros(AT..AT + 3 * BLOCK);
    for block in 0..3 {
        next.call("fill", &[(AT + block * BLOCK) as i64, 66, BLOCK as i64]);
    }
    assert!(read(file, 0, BLOCK) == pattern(BLOCK), "the file has not changed");
    assert_eq!(HostMapCtx::process_mappings(), 0);
}

fn the_next_guest_has_zeros_instead_of_a_file(scene: &Scene) {
    let host = scene.host();
    let (guest, file) = mapped(scene, &host);
    assert_eq!(HostMapCtx::process_mappings(), 3);
    drop(guest);
    assert_next_is_clean(&host, &file);
}

fn resident_memory_is_zeroed_and_the_file_is_not_changed(scene: &Scene) {
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

fn after_detach_the_data_of_a_store_may_be_moved_out(scene: &Scene) {
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

/// The contract of `attach` forbids this, and the test shows why.
fn without_detach_moving_out_the_data_leaves_the_file_in_a_pool(scene: &Scene) {
    let host = scene.host();
    let (guest, file) = mapped(scene, &host);
    let data = guest.store.into_data();
    if scene.kind == HostKind::Pooled {
        let mut next = host.guest(&trusting());
        next.assert_shows(AT, &file, 0, BLOCK);
    } else {
        drop(data);
        assert_next_is_clean(&host, &file);
    }
}

fn a_context_that_outlives_its_store_does_not_change_other_memory(scene: &Scene) {
    let host = scene.host();
    let (guest, _) = mapped(scene, &host);
    let data = guest.store.into_data();
    let mut next = host.guest(&trusting());
    next.call("fill", &[AT as i64, 66, 3 * BLOCK as i64]);
    drop(data);
    assert!(next.bytes(AT..AT + 3 * BLOCK).iter().all(|&byte| byte == 66), "the next guest's bytes have not changed");
    assert_eq!(HostMapCtx::process_mappings(), 0);
}

fn the_next_guest_has_the_data_segment_of_the_module(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let host = scene.host();
    for _ in 0..2 {
        let mut guest = host.guest(&trusting());
        assert_eq!(guest.bytes(BLOCK..BLOCK + 7), b"segment");
        let inode = guest.open_inode("f");
        let result = guest.map(inode, 0, BLOCK, BLOCK, 0);
        assert_eq!(guest.bytes(BLOCK..BLOCK + 7), b"segment");
        if result > 0 {
            guest.unmap(result);
        }
        assert_eq!(result, -4, "the block lies in the initial image");
    }
}
