//! `map_storage`: anything that reads and writes at offsets. It is a buffer in all columns.

use std::io;

use portable_mmap::{Access, Error, FileKind, MmapOptions, OpenMode, Operation};

use super::{expect_error, pattern};
use crate::storages::{Memory, Op, Rig};
use crate::{FileBackend, Scene, cases};

cases!("storage":
    a_type_that_reads_and_writes_at_offsets_can_be_mapped,
    a_window_of_a_storage_leaves_the_rest,
    a_storage_has_the_same_errors_as_a_file,
    the_mode_of_a_storage_decides_what_is_allowed,
    a_storage_can_be_made_longer,
    a_storage_that_cannot_be_made_longer_keeps_its_length,
    a_storage_that_cannot_reserve_room_stays_untouched,
    a_length_that_cannot_be_set_is_neither_extended_nor_resized,
    a_storage_mapping_has_no_file,
    nothing_is_read_when_a_storage_is_mapped,
    a_storage_that_does_not_know_its_length_cannot_be_mapped
);

fn a_type_that_reads_and_writes_at_offsets_can_be_mapped<B: FileBackend>(scene: &mut Scene<B>) {
    let memory = Memory::new(*b"hello");
    let mut map = MmapOptions::new().map_storage(memory.clone()).unwrap();
    scene.bytes("bytes", &map, b"hello");
    scene.eq("backend", map.backend_name(), "buffered");
    map[0] = b'J';
    map.flush().unwrap();
    scene.bytes("storage", &*memory.bytes(), b"Jello");
    map.resize(7).unwrap();
    map.set_slice(-2.., b"!!").unwrap();
    map.close().unwrap();
    scene.bytes("storage", &*memory.bytes(), b"Jello!!");
}

fn a_window_of_a_storage_leaves_the_rest<B: FileBackend>(scene: &mut Scene<B>) {
    let mut want = pattern(20_000);
    let memory = Memory::new(want.clone());
    // The granularity of a buffer is the same everywhere.
    let mut map = MmapOptions::new().offset(4096).len(5000).map_storage(memory.clone()).unwrap();
    scene.bytes("bytes", &map, &want[4096..9096]);
    map[..].fill(b'w');
    want[4096..9096].fill(b'w');
    map.close().unwrap();
    scene.bytes("storage", &*memory.bytes(), want);
}

fn a_storage_has_the_same_errors_as_a_file<B: FileBackend>(scene: &mut Scene<B>) {
    let new = MmapOptions::new;
    let memory = Memory::new(*b"hello");
    scene.err("empty", new().map_storage(Memory::new([])), "EmptyFile");
    scene.err("offset", new().offset(4096).map_storage(memory.clone()), "OffsetPastEnd");
    scene.err("length", new().len(6).map_storage(memory.clone()), "LengthPastEnd");
    scene.err("both", new().offset(1).len(5).map_storage(memory.clone()), "LengthPastEnd");
    scene.err("misaligned", new().offset(1).map_storage(memory.clone()), "Misaligned");
    scene.err("tag", new().tag_name("case").map_storage(memory.clone()), "Unsupported");
    let error = new().len(usize::MAX).map_storage(memory.clone());
    expect_error(scene, "huge", error, "OutOfRange");
    scene.bytes("storage", &*memory.bytes(), b"hello");
}

fn the_mode_of_a_storage_decides_what_is_allowed<B: FileBackend>(scene: &mut Scene<B>) {
    for (read, write, append) in [(true, false, false), (false, true, false), (true, true, true), (true, true, false)] {
        for access in [Access::Read, Access::Write, Access::Copy] {
            let memory = Memory::with_mode(*b"hello", OpenMode { read, write, append });
            let result = MmapOptions::new().access(access).map_storage(memory.clone());
            if read && (write && !append || access != Access::Write) {
                scene.bytes("mapped", result.unwrap(), b"hello");
            } else {
                scene.err("not allowed", result, "Io(PermissionDenied)");
            }
            scene.bytes("storage", &*memory.bytes(), b"hello");
        }
    }
}

fn a_storage_can_be_made_longer<B: FileBackend>(scene: &mut Scene<B>) {
    for allocate in [false, true] {
        let memory = Memory::new(*b"hello");
        let map = MmapOptions::new().len(7).extend(true).allocate(allocate).map_storage(memory.clone()).unwrap();
        scene.bytes("bytes", &map, b"hello\0\0");
        scene.bytes("storage", &*memory.bytes(), b"hello\0\0");
    }
}

fn a_storage_that_cannot_be_made_longer_keeps_its_length<B: FileBackend>(scene: &mut Scene<B>) {
    for (allocate, failing) in [(false, Op::SetLen), (true, Op::Allocate)] {
        let (memory, rig) = (Memory::new(*b"hello"), Rig::default());
        rig.fail(failing, 0, 1, io::ErrorKind::StorageFull);
        let options = MmapOptions::new().len(20_000).extend(true).allocate(allocate).clone();
        scene.err("extend", options.map_storage(rig.around(memory.clone())), "Io(StorageFull)");
        scene.bytes("storage", &*memory.bytes(), b"hello");
    }
}

fn a_storage_that_cannot_reserve_room_stays_untouched<B: FileBackend>(scene: &mut Scene<B>) {
    let (memory, rig) = (Memory::new(*b"hello"), Rig::default());
    let unable = || {
        rig.fail(Op::Allocate, 0, usize::MAX, io::ErrorKind::Unsupported);
        rig.around(memory.clone())
    };
    let mut options = MmapOptions::new();
    options.allocate(true);
    scene.err("extend", options.clone().len(9).extend(true).map_storage(unable()), "Unsupported");
    let mut map = options.map_storage(unable()).unwrap();
    map[0] = b'J';
    scene.err("resize", map.resize(9), "Unsupported");
    scene.bytes("bytes", &map, b"Jello");
    scene.bytes("storage", &*memory.bytes(), b"hello");
    scene.eq("writes", rig.count(Op::Write), (0, 0));
    // Becoming shorter needs no disk space.
    map.resize(4).unwrap();
    map.close().unwrap();
    scene.bytes("storage", &*memory.bytes(), b"Jell");
}

fn a_length_that_cannot_be_set_is_neither_extended_nor_resized<B: FileBackend>(scene: &mut Scene<B>) {
    for allocate in [false, true] {
        let (memory, rig) = (Memory::new(*b"hello").of_kind(FileKind::BlockDevice), Rig::default());
        let device = || rig.around(memory.clone());
        let mut options = MmapOptions::new();
        options.allocate(allocate).len(5);
        scene.err("extend", options.clone().extend(true).map_storage(device()), "Unsupported");
        let mut map = options.map_storage(device()).unwrap();
        map[4] = b'!';
        for len in [0, 3, 5, 9] {
            scene.err("resize", map.resize(len), "Unsupported");
        }
        scene.bytes("storage", &*memory.bytes(), b"hello");
        scene.bytes("bytes", &map, b"hell!");
        map.close().unwrap();
        scene.bytes("storage", &*memory.bytes(), b"hell!");
        scene.eq("lengths that were set", (rig.count(Op::SetLen).0, rig.count(Op::Allocate).0), (0, 0));
    }
}

fn a_storage_mapping_has_no_file<B: FileBackend>(scene: &mut Scene<B>) {
    let memory = Memory::new(*b"hello");
    let map = MmapOptions::new().len(3).map_storage(memory.clone()).unwrap();
    scene.eq("file", map.file().is_none(), true);
    scene.eq("size", map.size().unwrap(), 5);
    scene.eq("into_file", map.into_file().unwrap().is_none(), true);
    let mut map = MmapOptions::new().track_file(false).map_storage(memory.clone()).unwrap();
    scene.err("size", map.size(), "Untracked");
    map[0] = b'J';
    map.close().unwrap();
    scene.bytes("storage", &*memory.bytes(), b"Jello");
}

fn nothing_is_read_when_a_storage_is_mapped<B: FileBackend>(scene: &mut Scene<B>) {
    let rig = Rig::default();
    let map = MmapOptions::new().map_storage(rig.around(Memory::new(pattern(100_000)))).unwrap();
    scene.eq("reads", rig.count(Op::Read), (0, 0));
    scene.eq("writes", rig.count(Op::Write), (0, 0));
    scene.eq("a byte", map[50_000] == pattern(50_001)[50_000], true);
    scene.eq("reads", rig.count(Op::Read), (1, 4096));
}

fn a_storage_that_does_not_know_its_length_cannot_be_mapped<B: FileBackend>(scene: &mut Scene<B>) {
    let rig = Rig::default();
    rig.fail(Op::Metadata, 0, 1, io::ErrorKind::TimedOut);
    let error = MmapOptions::new().map_storage(rig.around(Memory::new(*b"hello"))).unwrap_err();
    scene.eq("operation", matches!(error, Error::Io { operation: Operation::Metadata, .. }), true);
    scene.eq("kind", error.kind(), io::ErrorKind::TimedOut);
}
