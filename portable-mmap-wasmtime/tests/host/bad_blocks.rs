//! Blocks, memories and flags that cannot be mapped: the call returns an errno, and nothing changes.

use std::fs::File;

use crate::common::{AT, BLOCK, Guest, HostKind, PAGE, SHARED, Scene, Test, errno, pattern, tests, trusting};

pub(crate) const TESTS: &[Test] = tests![
    a_block_that_does_not_start_at_a_block_is_invalid,
    a_block_of_no_bytes_is_invalid,
    a_block_outside_of_memory_is_not_mapped,
    a_block_in_the_initial_memory_is_not_mapped,
    unknown_flags_are_invalid,
    a_module_without_exported_memory_maps_nothing,
    memory_of_64_bits_is_not_mapped,
];

/// A pool has no shared memory.
pub(crate) const SHARED_BY_THREADS: &[Test] =
    tests![&[HostKind::OnDemand, HostKind::Async]; shared_memory_is_not_mapped];

/// A guest that has one mapping, at [`AT`], and bytes everywhere else.
struct Full {
    guest: Guest,
    file: File,
    inode: i64,
}

impl Full {
    fn new(scene: &Scene) -> Self {
        let file = scene.file("f", &pattern(4 * BLOCK));
        let mut guest = scene.guest();
        let inode = guest.open_inode("f");
        guest.mapped(inode, 0, AT, BLOCK, SHARED);
        guest.call("fill", &[(AT + BLOCK) as i64, 8, (LAST - AT) as i64]);
        Self { guest, file, inode }
    }

    /// Checks that a mapping fails with this errno, and changes nothing.
    #[track_caller]
    fn assert_fails(&mut self, start: usize, len: usize, flags: u32, errno: i32) {
        let before = self.guest.bytes(0..LAST + BLOCK);
        assert_eq!(self.guest.map(self.inode, 0, start, len, flags), -i64::from(errno), "{len} bytes at {start}");
        assert!(self.guest.bytes(0..LAST + BLOCK) == before, "the memory has not changed");
        assert_eq!(self.guest.mappings(), 1);
        self.guest.assert_shows(AT, &self.file, 0, BLOCK);
    }
}

/// The last block of the memory.
const LAST: usize = (2 + 1024 - 1) * BLOCK;

fn a_block_that_does_not_start_at_a_block_is_invalid(scene: &Scene) {
    let mut full = Full::new(scene);
    for start in [AT + 2 * BLOCK + 1, AT + 2 * BLOCK + PAGE, AT + 3 * BLOCK - 1] {
        full.assert_fails(start, PAGE, 0, errno::INVAL);
    }
}

fn a_block_of_no_bytes_is_invalid(scene: &Scene) {
    Full::new(scene).assert_fails(AT + 2 * BLOCK, 0, 0, errno::INVAL);
}

fn a_block_outside_of_memory_is_not_mapped(scene: &Scene) {
    let mut full = Full::new(scene);
    let top = (u32::MAX as usize) / BLOCK * BLOCK;
    for (start, len) in [
        (LAST + BLOCK, 1),
        (LAST, BLOCK + 1),
        (AT + BLOCK, LAST),
        (AT + BLOCK, u32::MAX as usize),
        (top, 1),
        (top, BLOCK),
        (top, u32::MAX as usize),
    ] {
        full.assert_fails(start, len, 0, errno::FAULT);
        full.assert_fails(start, len, SHARED, errno::FAULT);
    }
    full.guest.mapped(full.inode, 0, LAST, BLOCK, 0);
}

fn a_block_in_the_initial_memory_is_not_mapped(scene: &Scene) {
    let mut full = Full::new(scene);
    for (start, blocks) in [(0, 1), (BLOCK, 1), (BLOCK, 3), (0, 4)] {
        full.assert_fails(start, blocks * BLOCK, 0, errno::ADDRNOTAVAIL);
        full.assert_fails(start, blocks * BLOCK, SHARED, errno::ADDRNOTAVAIL);
    }
    full.guest.mapped(full.inode, 0, 2 * BLOCK, BLOCK, 0);
}

fn unknown_flags_are_invalid(scene: &Scene) {
    let mut full = Full::new(scene);
    for flags in [2, 3, SHARED | 4, 1 << 31, u32::MAX] {
        full.assert_fails(AT + 2 * BLOCK, BLOCK, flags, errno::INVAL);
    }
}

/// The result of `map` for a guest with such a memory.
fn result(scene: &Scene, memory: &str) -> i64 {
    mapped(scene, memory).1
}

/// A guest with such a memory, and the result of `map` for its second page.
fn mapped(scene: &Scene, memory: &str) -> (Guest, i64) {
    let host = scene.host_of(memory, 1, |config, _| {
        config.wasm_memory64(true).shared_memory(true);
    });
    let mut store = host.store(&trusting(), &scene.dir, wasmtime_wasi::FsPerms::ReadWrite);
    // SAFETY: the context stays in the data.
    unsafe { portable_mmap_wasmtime::attach(&mut store) }.unwrap();
    let file = scene.file("f", &pattern(BLOCK));
    let (perms, mode) = (wasmtime_wasi::FsPerms::ReadWrite, wasmtime_wasi::OpenMode::READ);
    let inode = crate::common::host::add_open_file(&mut store, &file, perms, mode);
    let mut guest = host.instance(store).unwrap();
    let result = guest.map(inode, 0, BLOCK, BLOCK, 0);
    assert_eq!(guest.mappings(), usize::from(result > 0));
    (guest, result)
}

fn a_module_without_exported_memory_maps_nothing(scene: &Scene) {
    assert_eq!(result(scene, "(memory 4)"), -i64::from(errno::INVAL));
    assert_eq!(result(scene, r#"(memory 4) (table (export "memory") 1 funcref)"#), -i64::from(errno::INVAL));
    // The same request succeeds with a memory of the right kind.
    let grown = r#"(memory (export "memory") 0) (func $g i32.const 4 memory.grow drop) (start $g)"#;
    assert!(result(scene, grown) > 0);
}

fn memory_of_64_bits_is_not_mapped(scene: &Scene) {
    assert_eq!(result(scene, r#"(memory (export "memory") i64 4)"#), -i64::from(errno::NOTSUP));
}

fn shared_memory_is_not_mapped(scene: &Scene) {
    let memory = r#"(memory (export "memory") 2 10 shared) (data (i32.const 65536) "segment")"#;
    let (mut guest, result) = mapped(scene, memory);
    assert_eq!(result, -i64::from(errno::NOTSUP));
    let bytes: Vec<u8> = (BLOCK..BLOCK + 8).map(|at| guest.load(at)).collect();
    assert_eq!(bytes, b"segment\0", "the memory has not changed");
}
