//! The checks of `attach`, and the mappings that require it.

use portable_mmap_wasmtime::{attach, detach};
use wasmtime::Result;
use wasmtime_wasi::FsPerms;

use crate::common::host::{Data, read};
use crate::common::{AT, BLOCK, HostKind, SHARED, Scene, Test, errno, pattern, tests, trusting};

pub(crate) const TESTS: &[Test] = tests![
    a_store_whose_memories_may_move_is_not_attached,
    a_store_is_attached_once,
    a_detached_store_may_be_attached_again,
    without_attach_mappings_are_not_supported,
    memory_that_grows_keeps_its_mappings,
    blocks_that_overlap_are_not_mapped,
];

/// A pool requires signals.
pub(crate) const WITHOUT_SIGNALS: &[Test] =
    tests![&[HostKind::OnDemand, HostKind::Async]; a_store_of_an_engine_without_signals_is_not_attached];

fn attached(store: &mut wasmtime::Store<Data>) -> Result<()> {
    // SAFETY: the context stays in the data, and no file changes while its memory is borrowed.
    unsafe { attach(store) }
}

fn a_store_whose_memories_may_move_is_not_attached(scene: &Scene) {
    let host = scene.host_of(crate::common::guest::TWO_PAGES, 1, |config, _| {
        config.memory_may_move(true);
    });
    let mut store = host.store(&trusting(), &scene.dir, FsPerms::ReadWrite);
    let error = attached(&mut store).unwrap_err().to_string();
    assert!(error.contains("call `portable_mmap_wasmtime::configure`"), "{error}");
    let mut guest = host.instance(store).unwrap();
    assert_eq!(guest.map(1, 0, AT, BLOCK, 0), 0, "mappings are not supported");
}

fn a_store_of_an_engine_without_signals_is_not_attached(scene: &Scene) {
    let host = scene.host_of(crate::common::guest::TWO_PAGES, 1, |config, _| {
        config.signals_based_traps(false);
    });
    let mut store = host.store(&trusting(), &scene.dir, FsPerms::ReadWrite);
    let error = attached(&mut store).unwrap_err().to_string();
    assert!(error.contains("leave `signals_based_traps` on"), "{error}");
    let mut guest = host.instance(store).unwrap();
    assert_eq!(guest.map(1, 0, AT, BLOCK, 0), 0, "mappings are not supported");
}

fn a_store_is_attached_once(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    guest.mapped(inode, 0, AT, BLOCK, 0);
    let error = attached(&mut guest.store).unwrap_err().to_string();
    assert!(error.contains("attached"), "{error}");
    assert_eq!(guest.mappings(), 1, "the store has not changed");
    guest.mapped(inode, 0, AT + BLOCK, BLOCK, 0);
}

fn a_detached_store_may_be_attached_again(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let host = scene.host();
    let mut guest = host.guest(&trusting());
    let inode = guest.open_inode("f");
    for _ in 0..3 {
        let handle = guest.mapped(inode, 0, AT, BLOCK, SHARED);
        detach(&mut guest.store);
        assert_eq!(guest.call("unmap", &[handle]), -i64::from(errno::BADF));
        attached(&mut guest.store).unwrap();
    }
    guest.mapped(inode, 0, AT, BLOCK, SHARED);
    drop(guest);
    assert!(read(&file, 0, BLOCK) == pattern(BLOCK));
    host.guest(&trusting()).assert_zeros(AT..AT + BLOCK);
}

fn without_attach_mappings_are_not_supported(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let host = scene.host();
    let mut guest = host.instance(host.store(&trusting(), &scene.dir, FsPerms::ReadWrite)).unwrap();
    assert!(guest.call("grow", &[1024]) >= 0);
    let inode = guest.open_inode("f");
    assert_eq!(guest.map(inode, 0, AT, BLOCK, 0), 0);
    guest.assert_zeros(AT..AT + BLOCK);
}

fn memory_that_grows_keeps_its_mappings(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    guest.mapped(inode, 0, AT, BLOCK, SHARED);
    let last = (2 + 1024 - 1) * BLOCK;
    guest.mapped(inode, 0, last, BLOCK, SHARED);
    let memory = guest.memory();
    let base = memory.data_ptr(&guest.store);
    for pages in [1, 1000, (1 << 14) - 2 - 1024 - 1001] {
        assert!(guest.call("grow", &[pages]) > 0, "there is memory to grow into");
    }
    assert_eq!((memory.data_ptr(&guest.store), memory.data_size(&guest.store)), (base, 1 << 30));
    for (at, byte) in [(AT, 201), (last, 202)] {
        guest.store(at + 9, byte);
        assert_eq!(read(&file, 9, 1), [byte]);
    }
    guest.assert_zeros(last + BLOCK..1 << 30);
}

fn blocks_that_overlap_are_not_mapped(scene: &Scene) {
    let file = scene.file("f", &pattern(8 * BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    let at = AT + 4 * BLOCK;
    let handle = guest.mapped(inode, 0, at, 4 * BLOCK, SHARED);
    for (start, blocks) in [(at, 4), (at, 1), (at + 3 * BLOCK, 1), (at - BLOCK, 2), (at - BLOCK, 6), (at + BLOCK, 8)] {
        for flags in [0, SHARED] {
            let result = guest.map(inode, 0, start, blocks * BLOCK, flags);
            assert_eq!(result, -i64::from(errno::ADDRINUSE), "{blocks} blocks at {start}");
        }
    }
    assert_eq!(guest.mappings(), 1);
    guest.assert_shows(at, &file, 0, 4 * BLOCK);
    let next = [at - BLOCK, at + 4 * BLOCK].map(|start| guest.mapped(inode, 0, start, BLOCK, 0));
    guest.unmap(handle);
    guest.assert_zeros(at..at + 4 * BLOCK);
    guest.assert_shows(at - BLOCK, &file, 0, BLOCK);
    guest.assert_shows(at + 4 * BLOCK, &file, 0, BLOCK);
    for handle in next {
        guest.unmap(handle);
    }
}
