//! The files that a guest may map.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use portable_mmap_wasmtime::{Access, HostMapCtx, policy};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use wasmtime_wasi::{FsPerms, OpenMode};

use crate::common::host::add_open_file;
use crate::common::{AT, BLOCK, Guest, HostKind, SHARED, Scene, Test, errno, pattern, tests};

pub(crate) const TESTS: &[Test] = tests![
    by_default_a_file_that_can_change_is_not_mapped,
    by_default_a_sealed_file_is_mapped_privately,
    by_default_a_partly_sealed_file_is_not_mapped,
    a_policy_receives_the_file_and_the_access,
];

pub(crate) const NOT_ALLOWED: i64 = -(errno::PERM as i64);

/// A memory file of one block, with these seals.
fn memory_file(seals: SealFlags) -> File {
    let file = File::from(memfd_create("sealed", MemfdFlags::ALLOW_SEALING).unwrap());
    file.write_all_at(&pattern(BLOCK), 0).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    file
}

/// A guest with the default context that has a file open, and the inode number of the file.
pub(crate) fn guest_with(scene: &Scene, file: &File) -> (Guest, i64) {
    let mut guest = scene.host().guest(&HostMapCtx::builder());
    let inode = add_open_file(&mut guest.store, file, FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE);
    (guest, inode)
}

fn by_default_a_file_that_can_change_is_not_mapped(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let mut guest = scene.host().guest(&HostMapCtx::builder());
    let inode = guest.open_inode("f");
    for flags in [0, SHARED] {
        assert_eq!(guest.map(inode, 0, AT, BLOCK, flags), NOT_ALLOWED);
    }
    guest.assert_zeros(AT..AT + BLOCK);
    assert_eq!((guest.mappings(), HostMapCtx::process_mappings()), (0, 0));
}

fn by_default_a_sealed_file_is_mapped_privately(scene: &Scene) {
    let file = memory_file(SealFlags::WRITE | SealFlags::SHRINK);
    let (mut guest, inode) = guest_with(scene, &file);
    assert_eq!(guest.map(inode, 0, AT, BLOCK, SHARED), NOT_ALLOWED);
    guest.mapped(inode, 0, AT, BLOCK, 0);
    guest.assert_shows(AT, &file, 0, BLOCK);
    guest.store(AT, 99);
    assert!(crate::common::host::read(&file, 0, BLOCK) == pattern(BLOCK));
}

fn by_default_a_partly_sealed_file_is_not_mapped(scene: &Scene) {
    for seals in [
        SealFlags::empty(),
        SealFlags::WRITE,
        SealFlags::SHRINK,
        SealFlags::GROW | SealFlags::SHRINK,
        SealFlags::FUTURE_WRITE | SealFlags::SHRINK,
    ] {
        let (mut guest, inode) = guest_with(scene, &memory_file(seals));
        for flags in [0, SHARED] {
            assert_eq!(guest.map(inode, 0, AT, BLOCK, flags), NOT_ALLOWED, "{seals:?}");
        }
    }
}

fn a_policy_receives_the_file_and_the_access(scene: &Scene) {
    scene.file("long", &pattern(2 * BLOCK));
    scene.file("short", &pattern(BLOCK));
    let long_ones_privately = |file: &File, access: Access| {
        policy::immutable(file, access)
            || access == Access::Private && file.metadata().is_ok_and(|data| data.len() > BLOCK as u64)
    };
    let mut guest = scene.host().guest(&HostMapCtx::builder().policy(long_ones_privately));
    let [long, short] = ["long", "short"].map(|name| guest.open_inode(name));
    assert_eq!(guest.map(short, 0, AT, BLOCK, 0), NOT_ALLOWED);
    assert_eq!(guest.map(long, 0, AT, BLOCK, SHARED), NOT_ALLOWED);
    guest.mapped(long, 0, AT, BLOCK, 0);
}
