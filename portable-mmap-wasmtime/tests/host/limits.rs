//! The limits on mappings: per store and per process.

use portable_mmap_wasmtime::{HostMapCtx, HostMapCtxBuilder};

use crate::common::{AT, BLOCK, Guest, HostKind, PAGE, SHARED, Scene, Test, errno, pattern, tests, trusting};

pub(crate) const TESTS: &[Test] = tests![
    of_ten_thousand_requests_a_store_gets_64_mappings,
    a_store_has_no_more_mappings_than_its_builder_says,
    a_store_maps_no_more_bytes_than_its_builder_says,
    a_process_has_no_more_mappings_than_a_builder_says,
    a_failed_mapping_does_not_count,
    a_handle_is_used_once,
];

const TOO_MANY: i64 = -(errno::MFILE as i64);
const TOO_LARGE: i64 = -(errno::NOMEM as i64);

/// A guest with this context, and the inode of a file of one block.
fn guest(scene: &Scene, ctx: &HostMapCtxBuilder) -> (Guest, i64) {
    scene.file("f", &pattern(BLOCK));
    let mut guest = scene.host().guest(ctx);
    let inode = guest.open_inode("f");
    (guest, inode)
}

fn of_ten_thousand_requests_a_store_gets_64_mappings(scene: &Scene) {
    let (mut guest, inode) = guest(scene, &trusting());
    let results: Vec<i64> = (0..10_000).map(|i| guest.map(inode, 0, AT + i % 900 * BLOCK, PAGE, 0)).collect();
    assert!(results[..64].iter().all(|&handle| handle > 0), "{:?}", &results[..64]);
    assert!(results[64..].iter().all(|&result| result == TOO_MANY || result == -i64::from(errno::ADDRINUSE)));
    assert_eq!(results.iter().filter(|&&result| result == TOO_MANY).count(), 9_936 - 11 * 64);
    assert_eq!((guest.mappings(), HostMapCtx::process_mappings()), (64, 64));
    drop(guest);
    assert_eq!(HostMapCtx::process_mappings(), 0);
}

fn a_store_has_no_more_mappings_than_its_builder_says(scene: &Scene) {
    let (mut guest, inode) = guest(scene, &trusting().max_mappings(3));
    let handles = [0, 1, 2].map(|i| guest.mapped(inode, 0, AT + i * BLOCK, BLOCK, SHARED));
    assert_eq!(guest.map(inode, 0, AT + 3 * BLOCK, BLOCK, 0), TOO_MANY);
    assert_eq!(guest.mappings(), 3);
    guest.unmap(handles[1]);
    guest.mapped(inode, 0, AT + 3 * BLOCK, BLOCK, 0);
    assert_eq!(guest.map(inode, 0, AT + BLOCK, BLOCK, 0), TOO_MANY);
}

fn a_store_maps_no_more_bytes_than_its_builder_says(scene: &Scene) {
    let (mut guest, inode) = guest(scene, &trusting().max_bytes((BLOCK + PAGE) as u64));
    let handle = guest.mapped(inode, 0, AT, BLOCK, 0);
    assert_eq!(guest.map(inode, 0, AT + BLOCK, PAGE + 1, 0), TOO_LARGE);
    guest.mapped(inode, 0, AT + BLOCK, 1, 0);
    assert_eq!(guest.map(inode, 0, AT + 2 * BLOCK, 1, 0), TOO_LARGE, "one byte takes a page");
    assert_eq!(guest.store.data().host_map.mapped_bytes(), (BLOCK + PAGE) as u64);
    guest.unmap(handle);
    assert_eq!(guest.store.data().host_map.mapped_bytes(), PAGE as u64);
    guest.mapped(inode, 0, AT, BLOCK, 0);
}

fn a_process_has_no_more_mappings_than_a_builder_says(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let host = scene.host_for(2);
    let ctx = trusting().max_process_mappings(5);
    let [mut one, mut other] = [(), ()].map(|()| host.guest(&ctx));
    for (guest, count) in [(&mut one, 3), (&mut other, 2)] {
        let inode = guest.open_inode("f");
        for i in 0..count {
            guest.mapped(inode, 0, AT + i * BLOCK, BLOCK, 0);
        }
    }
    for guest in [&mut one, &mut other] {
        let inode = guest.open_inode("f");
        assert_eq!(guest.map(inode, 0, AT + 9 * BLOCK, BLOCK, 0), TOO_MANY);
    }
    assert_eq!(HostMapCtx::process_mappings(), 5);
    drop(one);
    assert_eq!(HostMapCtx::process_mappings(), 2);
    let inode = other.open_inode("f");
    other.mapped(inode, 0, AT + 9 * BLOCK, BLOCK, 0);
    drop(other);
    assert_eq!(HostMapCtx::process_mappings(), 0);
}

fn a_failed_mapping_does_not_count(scene: &Scene) {
    let (mut guest, inode) = guest(scene, &trusting().max_mappings(1).max_bytes(BLOCK as u64).max_process_mappings(1));
    for _ in 0..10 {
        assert!(guest.map(inode, PAGE, AT, BLOCK, 0) < 0, "the file ends before the mapping");
        assert!(guest.map(inode, 1, AT, PAGE, 0) < 0, "the offset is not a page boundary");
    }
    assert_eq!((guest.mappings(), HostMapCtx::process_mappings()), (0, 0));
    guest.mapped(inode, 0, AT, BLOCK, 0);
}

fn a_handle_is_used_once(scene: &Scene) {
    let (mut guest, inode) = guest(scene, &trusting());
    let mut last = 0;
    for _ in 0..100 {
        let handle = guest.mapped(inode, 0, AT, BLOCK, 0);
        assert!(handle > last, "{handle} after {last}");
        guest.unmap(handle);
        assert_eq!(guest.call("unmap", &[handle]), -i64::from(errno::BADF));
        last = handle;
    }
}
