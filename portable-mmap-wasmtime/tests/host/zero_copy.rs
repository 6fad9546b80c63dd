//! Reads of files that do not change, which map them instead of copying.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use portable_mmap_wasmtime::{HostMapCtx, HostMapCtxBuilder};
use wasmtime_wasi::{FsPerms, OpenMode};

use crate::common::host::{add_open_file, sealed};
use crate::common::{
    AT, BLOCK, Guest, HostKind, PAGE, READ, SHARED, Scene, Test, WRITE, errno, pattern, tests, trusting,
};

pub(crate) const TESTS: &[Test] = tests![
    a_read_of_whole_pages_is_a_mapping,
    a_read_at_the_position_moves_it,
    a_read_to_the_end_copies_the_last_bytes,
    consecutive_reads_are_one_mapping,
    stores_stay_in_the_guest_until_the_next_read,
    a_read_over_a_part_keeps_the_rest,
    a_read_that_cannot_be_mapped_is_copied,
    a_read_without_permission_of_the_policy_is_copied,
    reads_that_exceed_a_limit_are_copied,
    a_read_over_a_mapping_of_the_guest_is_copied,
    a_mapping_of_the_guest_replaces_reads,
    a_mapping_that_the_system_does_not_allow_replaces_no_read,
    a_truncated_file_that_was_read_has_zeros,
    reads_leave_nothing_behind,
    a_read_that_is_mapped_does_not_survive_detach,
];

/// The shortest read that is a mapping.
const LEAST: usize = 128 << 10;
const LEN: usize = 16 * BLOCK;

/// A context that admits reads without a copy for all files.
fn admitting() -> HostMapCtxBuilder {
    trusting().zero_copy_reads(|_| true)
}

struct Ready {
    guest: Guest,
    fd: i64,
    file: File,
}

/// A guest with a file of [`LEN`] bytes and some more that it has open.
fn ready(scene: &Scene, ctx: &HostMapCtxBuilder) -> Ready {
    let file = scene.file("f", &pattern(LEN + 100));
    let mut guest = scene.host().guest(ctx);
    let fd = guest.open("f", READ | WRITE);
    Ready { guest, fd, file }
}

impl Ready {
    /// Whether the file is mapped at `at`, so that a change of the file appears there.
    fn is_mapped(&mut self, at: usize, offset: usize) -> bool {
        let byte = self.guest.load(at);
        self.file.write_all_at(&[byte ^ 0xff], offset as u64).unwrap();
        let is_mapped = self.guest.load(at) == byte ^ 0xff;
        self.file.write_all_at(&[byte], offset as u64).unwrap();
        is_mapped
    }
}

fn a_read_of_whole_pages_is_a_mapping(scene: &Scene) {
    let mut this = ready(scene, &admitting());
    // The read has to start at a page boundary of the host, but not at a block.
    let (at, offset) = (AT + PAGE, 3 * PAGE);
    assert_eq!(this.guest.read_some(this.fd, &[[at, LEAST]], Some(offset)), LEAST);
    this.guest.assert_shows(at, &this.file, offset, LEAST);
    this.guest.assert_zeros(AT..at);
    this.guest.assert_zeros(at + LEAST..at + LEAST + PAGE);
    assert_eq!((this.guest.mappings(), this.guest.store.data().host_map.mapped_bytes()), (1, LEAST as u64));
    assert!(this.is_mapped(at, offset) && this.is_mapped(at + LEAST - 1, offset + LEAST - 1));
    assert_eq!(this.guest.tell(this.fd), 0);
}

fn a_read_at_the_position_moves_it(scene: &Scene) {
    let mut this = ready(scene, &admitting());
    for i in [0, 1] {
        assert_eq!(this.guest.read_some(this.fd, &[[AT + 8 * i * BLOCK, 4 * BLOCK]], None), 4 * BLOCK);
        assert_eq!(this.guest.tell(this.fd), (i + 1) * 4 * BLOCK);
        this.guest.assert_shows(AT + 8 * i * BLOCK, &this.file, 4 * i * BLOCK, 4 * BLOCK);
    }
    assert_eq!(this.guest.mappings(), 2);
    // A read from a position within a page is a copy, which moves the position too.
    assert_eq!(this.guest.read_some(this.fd, &[[1024, 1]], None), 1);
    let read = this.guest.read_some(this.fd, &[[AT + 20 * BLOCK, 4 * BLOCK]], None);
    this.guest.assert_shows(AT + 20 * BLOCK, &this.file, 8 * BLOCK + 1, read);
    assert_eq!((this.guest.tell(this.fd), this.guest.mappings()), (8 * BLOCK + 1 + read, 2));
}

fn a_read_to_the_end_copies_the_last_bytes(scene: &Scene) {
    let mut this = ready(scene, &admitting());
    this.guest.store(AT + LEN + 100, 9);
    assert_eq!(this.guest.read_some(this.fd, &[[AT, 2 * LEN]], Some(0)), LEN);
    assert_eq!(this.guest.read_some(this.fd, &[[AT + LEN, LEN]], Some(LEN)), 100);
    assert_eq!(this.guest.read_some(this.fd, &[[AT + LEN, LEN]], Some(LEN + 100)), 0);
    this.guest.assert_shows(AT, &this.file, 0, LEN + 100);
    assert_eq!((this.guest.load(AT + LEN + 100), this.guest.mappings()), (9, 1));
}

fn consecutive_reads_are_one_mapping(scene: &Scene) {
    let mut this = ready(scene, &admitting());
    for i in 0..LEN / LEAST {
        let (at, offset) = (AT + i * LEAST, i * LEAST);
        assert_eq!(this.guest.read_some(this.fd, &[[at, LEAST]], Some(offset)), LEAST);
        assert_eq!((this.guest.mappings(), HostMapCtx::process_mappings()), (1, 1));
    }
    this.guest.assert_shows(AT, &this.file, 0, LEN);
    assert_eq!(this.guest.store.data().host_map.mapped_bytes(), LEN as u64);
    // A read that does not continue the last one is another mapping.
    this.guest.pread(this.fd, AT + LEN, LEAST, 0);
    assert_eq!(this.guest.mappings(), 2);
}

fn stores_stay_in_the_guest_until_the_next_read(scene: &Scene) {
    let mut this = ready(scene, &admitting());
    for _ in 0..3 {
        this.guest.pread(this.fd, AT, LEN, 0);
        this.guest.assert_shows(AT, &this.file, 0, LEN);
        this.guest.call("fill", &[AT as i64, 7, LEN as i64]);
        this.guest.assert_shows(AT + LEN, &this.file, 0, 0);
        assert_eq!(this.guest.bytes(AT..AT + LEN), vec![7; LEN]);
        assert_eq!(crate::common::host::read(&this.file, 0, LEN), pattern(LEN));
        assert_eq!((this.guest.mappings(), HostMapCtx::process_mappings()), (1, 1));
    }
}

fn a_read_over_a_part_keeps_the_rest(scene: &Scene) {
    let mut this = ready(scene, &admitting());
    this.guest.pread(this.fd, AT, LEN, 0);
    let (first, last) = (AT + 5, AT + LEN - 5);
    this.guest.store(first, 77);
    this.guest.store(last, 78);
    let (at, len) = (AT + 4 * BLOCK, 3 * BLOCK);
    this.guest.pread(this.fd, at, len, 9 * BLOCK);
    this.guest.assert_shows(at, &this.file, 9 * BLOCK, len);
    this.guest.assert_shows(AT + PAGE, &this.file, PAGE, 4 * BLOCK - PAGE);
    this.guest.assert_shows(AT + 7 * BLOCK, &this.file, 7 * BLOCK, 9 * BLOCK - PAGE);
    assert_eq!([this.guest.load(first), this.guest.load(last)], [77, 78]);
    assert_eq!((this.guest.mappings(), HostMapCtx::process_mappings()), (3, 3));
    assert_eq!(this.guest.store.data().host_map.mapped_bytes(), LEN as u64);
    // Both parts are still guarded, and a read that covers all three mappings replaces them.
    this.guest.set_size(this.fd, 0);
    this.guest.assert_zeros(AT + BLOCK..AT + 15 * BLOCK);
    this.file.write_all_at(&pattern(LEN), 0).unwrap();
    this.guest.pread(this.fd, AT, LEN, 0);
    this.guest.assert_shows(AT, &this.file, 0, LEN);
    assert_eq!((this.guest.mappings(), HostMapCtx::process_mappings()), (1, 1));
}

/// Checks that a read is copied, and returns the file's bytes.
#[track_caller]
fn assert_copied(this: &mut Ready, buffers: &[[usize; 2]], offset: usize) {
    let before = this.guest.mappings();
    let read = this.guest.read_some(this.fd, buffers, Some(offset));
    assert!(read > 0);
    this.guest.assert_shows(buffers[0][0], &this.file, offset, read.min(buffers[0][1]));
    assert_eq!(this.guest.mappings(), before, "{buffers:?} at {offset}");
}

fn a_read_that_cannot_be_mapped_is_copied(scene: &Scene) {
    let mut this = ready(scene, &admitting());
    let last = (2 + 1024) * BLOCK - LEAST;
    for (buffer, offset) in [
        ([AT, LEAST - 1], 0),
        ([AT, LEAST - PAGE], 0),
        ([AT + 1, LEAST], 0),
        ([AT + PAGE - 1, 2 * LEAST], 0),
        ([AT, LEAST], 1),
        ([AT, LEAST], PAGE - 1),
        ([AT, LEAST], LEN - LEAST + PAGE),
        ([BLOCK, LEAST], 0),
        ([2 * BLOCK - PAGE, LEAST], 0),
    ] {
        // The guest's own data in its first pages is not overwritten by a mapping.
        assert_copied(&mut this, &[buffer], offset);
    }
    assert_copied(&mut this, &[[AT, LEAST], [AT + LEAST, LEAST]], 0);
    // A buffer that does not end in memory is left to WASI, and nothing is mapped.
    let buffer = [last + PAGE, LEAST].map(|word| (word as u32).to_le_bytes()).concat();
    this.guest.write(1024, &buffer);
    _ = this.guest.try_call("fd_pread", &[this.fd, 1024, 1, 0, 512]);
    assert_eq!(this.guest.mappings(), 0);
    this.guest.pread(this.fd, 2 * BLOCK, LEAST, 0);
    this.guest.pread(this.fd, last, LEAST, 0);
    assert_eq!(this.guest.mappings(), 2);
}

fn a_read_without_permission_of_the_policy_is_copied(scene: &Scene) {
    for ctx in [trusting(), trusting().zero_copy_reads(|file| file.metadata().unwrap().len() == 1)] {
        let mut this = ready(scene, &ctx);
        assert_copied(&mut this, &[[AT, LEN]], 0);
        assert!(!this.is_mapped(AT, 0));
    }
    let host = scene.host();
    let mut guest = host.instance(host.store(&admitting(), &scene.dir, wasmtime_wasi::FsPerms::ReadWrite)).unwrap();
    guest.call("grow", &[1024]);
    let fd = guest.open("f", READ);
    guest.pread(fd, AT, LEN, 0);
    assert_eq!(guest.mappings(), 0, "the store is not attached");
}

fn reads_that_exceed_a_limit_are_copied(scene: &Scene) {
    for ctx in [
        admitting().max_mappings(1),
        admitting().max_bytes(LEAST as u64 + PAGE as u64),
        admitting().max_process_mappings(1),
    ] {
        let mut this = ready(scene, &ctx);
        this.guest.pread(this.fd, AT, LEAST, 0);
        assert_eq!(this.guest.mappings(), 1);
        assert_copied(&mut this, &[[AT + 4 * BLOCK, LEAST]], BLOCK);
        assert!(!this.is_mapped(AT + 4 * BLOCK, BLOCK) && this.is_mapped(AT, 0));
    }
}

fn a_read_over_a_mapping_of_the_guest_is_copied(scene: &Scene) {
    let mut this = ready(scene, &admitting());
    let other = scene.file("g", &pattern(4 * BLOCK));
    let inode = this.guest.open_inode("g");
    this.guest.mapped(inode, 0, AT, 4 * BLOCK, SHARED);
    assert_copied(&mut this, &[[AT + BLOCK, LEAST]], 8 * BLOCK);
    assert_copied(&mut this, &[[AT + 4 * BLOCK - PAGE, LEAST]], 8 * BLOCK);
    // The read stores the bytes in the mapped file.
    this.guest.assert_shows(AT, &other, 0, 4 * BLOCK);
}

fn a_mapping_of_the_guest_replaces_reads(scene: &Scene) {
    let mut this = ready(scene, &admitting());
    this.guest.pread(this.fd, AT, LEN, 0);
    this.guest.store(AT, 77);
    let other = scene.file("g", &pattern(3 * BLOCK));
    let inode = this.guest.open_inode("g");
    let handle = this.guest.mapped(inode, BLOCK, AT + 4 * BLOCK, 2 * BLOCK, SHARED);
    this.guest.assert_shows(AT + 4 * BLOCK, &other, BLOCK, 2 * BLOCK);
    this.guest.assert_shows(AT + 6 * BLOCK, &this.file, 6 * BLOCK, 10 * BLOCK);
    assert_eq!((this.guest.load(AT), this.guest.mappings()), (77, 3));
    this.guest.unmap(handle);
    this.guest.assert_zeros(AT + 4 * BLOCK..AT + 6 * BLOCK);
    assert_eq!((this.guest.mappings(), HostMapCtx::process_mappings()), (2, 2));
    assert_eq!(this.guest.store.data().host_map.mapped_bytes(), 14 * BLOCK as u64);
}

fn a_mapping_that_the_system_does_not_allow_replaces_no_read(scene: &Scene) {
    let mut this = ready(scene, &admitting());
    this.guest.pread(this.fd, AT, LEN, 0);
    this.guest.store(AT + BLOCK, 77);
    let sealed = sealed(&pattern(2 * BLOCK));
    let inode = add_open_file(&mut this.guest.store, &sealed, FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE);
    let result = this.guest.map(inode, 0, AT, 2 * BLOCK, SHARED);
    assert_eq!(result, -i64::from(errno::PERM), "a sealed file cannot be written");
    assert_eq!((this.guest.load(AT + BLOCK), this.guest.mappings()), (77, 1));
    this.guest.assert_shows(AT, &this.file, 0, BLOCK);
    this.guest.assert_shows(AT + 2 * BLOCK, &this.file, 2 * BLOCK, LEN - 2 * BLOCK);
    assert_eq!(this.guest.store.data().host_map.mapped_bytes(), LEN as u64);
}

fn a_truncated_file_that_was_read_has_zeros(scene: &Scene) {
    let mut this = ready(scene, &admitting());
    this.guest.pread(this.fd, AT, LEN, 0);
    this.guest.set_size(this.fd, BLOCK);
    this.guest.assert_shows(AT, &this.file, 0, BLOCK);
    assert_eq!(this.guest.load(AT + 5 * BLOCK), 0);
    this.guest.assert_zeros(AT + BLOCK..AT + LEN);
    // The guest can still use its memory.
    this.guest.call("fill", &[AT as i64, 7, LEN as i64]);
    assert_eq!(this.guest.bytes(AT..AT + LEN), vec![7; LEN]);
}

fn reads_leave_nothing_behind(scene: &Scene) {
    scene.file("f", &pattern(LEN));
    let host = scene.host();
    let mut before = None;
    for _ in 0..3 {
        let mut guest = host.guest(&admitting());
        guest.assert_zeros(AT..AT + LEN);
        let now = guest.areas();
        assert_eq!(*before.get_or_insert(now), now, "no area of memory remains");
        let fd = guest.open("f", READ);
        for offset in [0, BLOCK, 2 * BLOCK, 0] {
            guest.pread(fd, AT, LEN - 2 * BLOCK, offset);
        }
        guest.call("fill", &[AT as i64, 7, BLOCK as i64]);
        drop(guest);
        assert_eq!(HostMapCtx::process_mappings(), 0);
    }
}

fn a_read_that_is_mapped_does_not_survive_detach(scene: &Scene) {
    let mut this = ready(scene, &admitting());
    this.guest.pread(this.fd, AT, LEN, 0);
    portable_mmap_wasmtime::detach(&mut this.guest.store);
    assert_eq!((this.guest.mappings(), HostMapCtx::process_mappings()), (0, 0));
    this.guest.assert_zeros(AT..AT + LEN);
    assert_copied(&mut this, &[[AT, LEN]], 0);
}
