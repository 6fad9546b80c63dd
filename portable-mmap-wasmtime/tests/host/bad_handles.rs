//! Invalid handles, ranges and numbers: the call returns an errno, and nothing changes.

use crate::common::{AT, BLOCK, Guest, HostKind, PAGE, SHARED, Scene, Test, errno, pattern, tests, trusting};

pub(crate) const TESTS: &[Test] = tests![
    a_handle_without_a_mapping_is_bad,
    ranges_outside_a_mapping_are_invalid,
    unknown_kinds_of_syncs_are_invalid,
    unknown_advice_is_invalid,
    advice_changes_no_byte,
];

const BAD: i64 = -(errno::BADF as i64);
const INVALID: i64 = -(errno::INVAL as i64);

/// Every function that takes a handle, with valid arguments for a mapping of two pages.
const CALLS: [(&str, &[i64]); 6] = [
    ("unmap", &[]),
    ("sync", &[0, PAGE as i64, 1]),
    ("advise", &[0, PAGE as i64, 3]),
    ("refresh", &[0, PAGE as i64]),
    ("fault", &[]),
    ("lost", &[0]),
];

fn a_handle_without_a_mapping_is_bad(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let host = scene.host_for(2);
    let [mut guest, mut other] = [(), ()].map(|()| host.guest(&trusting()));
    let inode = guest.open_inode("f");
    let unmapped = guest.mapped(inode, 0, AT, BLOCK, 0);
    guest.unmap(unmapped);
    guest.mapped(inode, 0, AT, BLOCK, SHARED);
    let inode = other.open_inode("f");
    // A handle that only the other guest has.
    let others = [0, 1, 2].map(|i| other.mapped(inode, 0, AT + i * BLOCK, BLOCK, 0))[2];
    for handle in [0, -1, i64::from(i32::MIN), i64::from(i32::MAX), unmapped, others] {
        for (name, arguments) in CALLS {
            assert_eq!(guest.call(name, &[&[handle], arguments].concat()), BAD, "{name} of {handle}");
        }
    }
    assert_eq!((guest.mappings(), other.mappings()), (1, 3));
    guest.assert_shows(AT, &file, 0, BLOCK);
    other.assert_shows(AT + 2 * BLOCK, &file, 0, BLOCK);
}

/// A guest that has mapped two pages and a byte, and the handle of the mapping.
fn mapped(scene: &Scene) -> (Guest, i64) {
    scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    let handle = guest.mapped(inode, 0, AT, 2 * PAGE + 1, SHARED);
    (guest, handle)
}

/// Checks that the guest's mapping has not changed.
fn assert_unchanged(guest: &mut Guest) {
    assert!(guest.bytes(AT..AT + 3 * PAGE) == pattern(3 * PAGE));
    guest.assert_zeros(AT + 3 * PAGE..AT + BLOCK);
    assert_eq!(guest.mappings(), 1);
}

fn ranges_outside_a_mapping_are_invalid(scene: &Scene) {
    let (mut guest, handle) = mapped(scene);
    // Whole pages are mapped.
    let (end, most) = (3 * PAGE as i64, i64::from(u32::MAX));
    for (offset, len) in [(0, end + 1), (end, 1), (end + 1, 0), (end - 1, 2), (most, 1), (1, most), (most, most)] {
        for arguments in [&[handle, offset, len, 0][..], &[handle, offset, len, 1], &[handle, offset, len, 2]] {
            assert_eq!(guest.call("sync", arguments), INVALID, "{arguments:?}");
            assert_eq!(guest.call("advise", arguments), INVALID, "{arguments:?}");
        }
        assert_eq!(guest.call("refresh", &[handle, offset, len]), INVALID, "{len} bytes at {offset}");
    }
    for offset in [end, end + 1, most] {
        assert_eq!(guest.call("lost", &[handle, offset]), INVALID);
    }
    for (offset, len) in [(0, end), (end, 0), (end - 1, 1), (0, 0)] {
        assert_eq!(guest.call("sync", &[handle, offset, len, 1]), 0, "{len} bytes at {offset}");
        assert_eq!(guest.call("advise", &[handle, offset, len, 3]), 0, "{len} bytes at {offset}");
        assert_eq!(guest.call("refresh", &[handle, offset, len]), 0, "{len} bytes at {offset}");
    }
    assert_unchanged(&mut guest);
}

fn unknown_kinds_of_syncs_are_invalid(scene: &Scene) {
    let (mut guest, handle) = mapped(scene);
    for how in [3, 4, 1 << 31, -1] {
        assert_eq!(guest.call("sync", &[handle, 0, PAGE as i64, how]), INVALID);
    }
    assert_unchanged(&mut guest);
}

fn unknown_advice_is_invalid(scene: &Scene) {
    let (mut guest, handle) = mapped(scene);
    for advice in [5, 6, 100, 1 << 31, -1] {
        assert_eq!(guest.call("advise", &[handle, 0, PAGE as i64, advice]), INVALID);
    }
    assert_unchanged(&mut guest);
}

fn advice_changes_no_byte(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    for flags in [0, SHARED] {
        let handle = guest.mapped(inode, 0, AT, BLOCK, flags);
        guest.call("fill", &[AT as i64, 5, BLOCK as i64]);
        for advice in 0..5 {
            for (offset, len) in [(0, BLOCK), (PAGE, PAGE), (3, 5), (0, 0)] {
                assert_eq!(guest.call("advise", &[handle, offset as i64, len as i64, advice]), 0);
                assert!(guest.bytes(AT..AT + BLOCK).iter().all(|&byte| byte == 5), "advice {advice}");
            }
        }
        guest.unmap(handle);
    }
}
