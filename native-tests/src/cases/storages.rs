//! Properties of storages: modes, kinds, short and interrupted calls, and storages that break their contract.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::sync::Arc;

use portable_mmap::{Access, BufferedMmap, FileKind, Flags, Metadata, MmapOptions, OpenMode, Prot, Storage};

use crate::others::{PAGE, byte, pattern};
use crate::storages::{Emulated, Memory, Op, Rig};
use crate::{FileBackend, Scene, cases};

cases!("storages":
    each_mode_allows_its_accesses,
    extending_needs_a_storage_that_can_be_written,
    a_storage_that_cannot_be_mapped_is_unchanged,
    a_directory_is_an_error_with_all_options,
    a_block_device_has_the_length_that_it_reports,
    a_storage_without_a_length_cannot_be_buffered,
    a_storage_of_no_bytes_is_empty,
    short_reads_and_writes_are_continued,
    interrupted_calls_are_tried_again,
    interruptions_without_progress_in_between_are_tried_again,
    a_length_that_cannot_be_read_is_an_error,
    a_storage_that_returns_too_large_a_read_is_an_error,
    a_storage_that_returns_too_large_a_write_is_an_error,
    a_storage_that_writes_nothing_is_an_error,
    a_storage_that_returns_other_bytes_is_an_error,
    a_storage_that_is_shorter_than_its_length_is_truncated,
    two_buffers_of_one_storage_see_each_other_after_flush_and_refresh,
    a_storage_has_no_file,
    a_pointer_to_a_storage_is_a_storage
);

const BITS: [bool; 2] = [false, true];

fn each_mode_allows_its_accesses<B: FileBackend>(scene: &mut Scene<B>) {
    for (read, write, append) in
        BITS.into_iter().flat_map(|r| BITS.map(|w| (r, w))).flat_map(|(r, w)| BITS.map(|a| (r, w, a)))
    {
        let memory = Memory::with_mode(*b"hello", OpenMode { read, write, append });
        scene.note("read, write, append", (read, write, append));
        let mut ways: Vec<(String, MmapOptions, bool)> = Vec::new();
        for access in [Access::Default, Access::Write, Access::Read, Access::Copy] {
            let reaches = matches!(access, Access::Default | Access::Write);
            ways.push((format!("{access:?}"), MmapOptions::new().access(access).clone(), reaches));
        }
        ways.push(("PRIVATE".into(), MmapOptions::new().flags(Flags::PRIVATE).clone(), false));
        ways.push(("READ".into(), MmapOptions::new().prot(Prot::READ).clone(), false));
        ways.push(("WRITE".into(), MmapOptions::new().prot(Prot::WRITE).clone(), true));
        ways.push(("untracked".into(), MmapOptions::new().track_file(false).clone(), true));
        for (label, options, reaches) in ways {
            let mapped = options.map_storage(memory.clone()).map(|map| map.len());
            if read && (!reaches || write && !append) {
                scene.eq(&label, mapped.ok(), Some(5));
            } else {
                scene.err(&label, mapped, "Io(PermissionDenied)");
            }
        }
    }
}

fn extending_needs_a_storage_that_can_be_written<B: FileBackend>(scene: &mut Scene<B>) {
    let reader = OpenMode { read: true, write: false, append: false };
    for access in [Access::Read, Access::Copy] {
        let memory = Memory::with_mode(*b"hello", reader);
        let mapped = MmapOptions::new().access(access).len(9).extend(true).map_storage(memory.clone());
        scene.err("reader", mapped.map(|map| map.len()), "Io(PermissionDenied)");
        scene.bytes("storage", memory.content(), b"hello");
        let memory = Memory::new(*b"hello");
        let map = MmapOptions::new().access(access).len(9).extend(true).map_storage(memory.clone()).unwrap();
        scene.bytes("map", &map, b"hello\0\0\0\0");
        scene.bytes("storage", memory.content(), b"hello\0\0\0\0");
    }
}

fn a_storage_that_cannot_be_mapped_is_unchanged<B: FileBackend>(scene: &mut Scene<B>) {
    let refused = |options: &MmapOptions| {
        let (memory, rig) = (Memory::new(*b"hello"), Rig::default());
        let error = options.clone().extend(true).map_storage(rig.around(memory.clone())).expect_err("mapping fails");
        (error, memory.content(), rig.count(Op::SetLen).0 + rig.count(Op::Write).0 + rig.count(Op::Read).0)
    };
    let ways = [
        ("misaligned", MmapOptions::new().offset(1).len(9).clone(), "Misaligned"),
        ("huge pages", MmapOptions::new().flags(Flags::HUGETLB).len(9).clone(), "Unsupported"),
        ("executable", MmapOptions::new().prot(Prot::READ | Prot::EXEC).len(9).clone(), "Unsupported"),
        ("tagged", MmapOptions::new().tag_name("tag").len(9).clone(), "Unsupported"),
        ("in conflict", MmapOptions::new().flags(Flags::SHARED | Flags::PRIVATE).len(9).clone(), "Conflict"),
        ("too long", MmapOptions::new().len(usize::MAX).clone(), "OutOfRange"),
    ];
    for (label, options, variant) in ways {
        let (error, content, moved) = refused(&options);
        scene.variant(label, Err::<(), _>(error), variant);
        scene.bytes("storage", content, b"hello");
        scene.eq("bytes moved", moved, 0);
    }
}

fn a_directory_is_an_error_with_all_options<B: FileBackend>(scene: &mut Scene<B>) {
    let directory =
        Memory::with_mode(*b"hello", OpenMode { read: true, write: false, append: false }).of_kind(FileKind::Directory);
    for options in [
        MmapOptions::new().clone(),
        MmapOptions::new().access(Access::Read).len(3).clone(),
        MmapOptions::new().offset(1).clone(),
    ] {
        let mapped = options.map_storage(directory.clone()).map(|map| map.len());
        scene.err("map", mapped, "Io(IsADirectory)");
    }
}

fn a_block_device_has_the_length_that_it_reports<B: FileBackend>(scene: &mut Scene<B>) {
    let device = Memory::new(*b"hello").of_kind(FileKind::BlockDevice);
    let map = MmapOptions::new().len(4).map_storage(device.clone()).unwrap();
    scene.bytes("a part", &map, b"hell");
    let mut map = MmapOptions::new().map_storage(device.clone()).unwrap();
    scene.eq("without a length", (map.len(), map.size().unwrap()), (5, 5));
    map[0] = b'J';
    map.flush().unwrap();
    map.close().unwrap();
    scene.bytes("storage", &*device.bytes(), b"Jello");
    let mapped = MmapOptions::new().len(6).map_storage(device.clone()).map(|map| map.len());
    scene.err("past the end", mapped, "LengthPastEnd");
    let mapped = MmapOptions::new().offset(PAGE as u64).map_storage(device).map(|map| map.len());
    scene.err("from past the end", mapped, "OffsetPastEnd");
}

fn a_storage_without_a_length_cannot_be_buffered<B: FileBackend>(scene: &mut Scene<B>) {
    let special = Memory::new(*b"hello").of_kind(FileKind::Special);
    for access in [Access::Write, Access::Read, Access::Copy] {
        let mapped = MmapOptions::new().access(access).len(4).map_storage(special.clone()).map(|map| map.len());
        scene.err("map", mapped, "Unsupported");
    }
}

fn a_storage_of_no_bytes_is_empty<B: FileBackend>(scene: &mut Scene<B>) {
    let memory = Memory::new(*b"");
    let mapped = MmapOptions::new().map_storage(memory.clone()).map(|map| map.len());
    scene.err("map", mapped, "EmptyFile");
    scene.eq("is_empty", Storage::is_empty(&memory).unwrap(), true);
    let map = MmapOptions::new().len(3).extend(true).map_storage(memory.clone()).unwrap();
    scene.bytes("extended", &map, [0; 3]);
}

/// Loads, changes, moves, resizes and flushes, and returns the bytes of the storage.
fn work(e: &mut Emulated) -> Vec<u8> {
    let len = e.map.len();
    let half = e.map.get_slice(..).expect("loads")[..len / 2].to_vec();
    e.map.set_slice(..3, b"new").expect("changes");
    e.map.write_bytes(&half[5..len / 2]).expect("writes");
    e.map.move_within(len / 2, 1, len / 3).expect("moves");
    e.map.resize(len + 100).expect("grows");
    e.map.set_item(-1, 7).expect("changes the end");
    e.map.flush().expect("flushes");
    let bytes = e.map.as_mut_slice().expect("loads again");
    bytes.iter_mut().step_by(20).for_each(|byte| *byte = 0xff);
    e.map.refresh().expect("refreshes");
    e.map.resize(len - 7).expect("shrinks");
    e.map.close().expect("closes");
    e.memory.content()
}

/// The number of bytes for `work`; Miri takes seconds for each page.
const WORK: usize = if cfg!(miri) { PAGE / 4 } else { 3 * PAGE + 77 };

fn short_reads_and_writes_are_continued<B: FileBackend>(scene: &mut Scene<B>) {
    let want = work(&mut Emulated::new(pattern(WORK)));
    for most in [1, 3, 4095, 5000] {
        for allocate in BITS {
            let mut e = Emulated::with(MmapOptions::new().allocate(allocate), pattern(WORK));
            e.rig.shorten(most);
            scene.note("most, allocate", (most, allocate));
            scene.bytes("storage", work(&mut e), &want);
            let moved = e.rig.take().into_iter().filter(|call| matches!(call.op, Op::Read | Op::Write));
            assert!(moved.map(|call| call.len).max() <= Some(most as u64), "calls are short");
        }
    }
}

fn interrupted_calls_are_tried_again<B: FileBackend>(scene: &mut Scene<B>) {
    let mut quiet = Emulated::new(pattern(WORK));
    let want = work(&mut quiet);
    for op in [Op::Read, Op::Write] {
        let count = quiet.rig.count(op).0;
        scene.note("calls", (op, count));
        for after in 0..count {
            let mut e = Emulated::new(pattern(WORK));
            e.rig.fail(op, after, 3, ErrorKind::Interrupted);
            let got = work(&mut e);
            assert!(got == want && e.rig.has_failed(), "interrupted after {after}");
        }
    }
    scene.bytes("storage", &want, quiet.memory.content());
}

fn interruptions_without_progress_in_between_are_tried_again<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(*b"hello");
    e.rig.fail(None, 0, 100, ErrorKind::Interrupted);
    scene.bytes("read", e.map.range(..).unwrap(), b"hello");
    e.map[0] = b'j';
    e.rig.fail(Op::Write, 0, 100, ErrorKind::Interrupted);
    e.map.flush().unwrap();
    scene.bytes("storage", e.memory.content(), b"jello");
}

fn a_length_that_cannot_be_read_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(*b"hello");
    e.map[0] = b'j';
    e.rig.fail(Op::Len, 0, usize::MAX, ErrorKind::TimedOut);
    scene.err("size", e.map.size(), "Io(TimedOut)");
    let flushed = e.map.flush();
    scene.err("flush", flushed, "Io(TimedOut)");
    let resized = e.map.resize(9);
    scene.err("resize", resized, "Io(TimedOut)");
    let closed = e.map.close();
    scene.err("close", closed, "Io(TimedOut)");
    e.rig.mend();
    e.map.close().unwrap();
    scene.bytes("storage", e.memory.content(), b"jello");
}

/// How a storage breaks its contract.
#[derive(Clone, Copy)]
enum Violation {
    /// Returns that it read this many bytes more than it did.
    ReadMore(usize),
    /// Returns that it wrote this many bytes, whatever it was given.
    Wrote(usize),
    /// Returns other bytes than those of the buffer.
    OtherBytes(fn(&mut [MaybeUninit<u8>]) -> &mut [u8]),
    /// Reports a length that is this many bytes too long.
    Longer(u64),
}

/// A storage in memory that breaks its contract.
struct BrokenStorage {
    memory: Memory,
    violation: Violation,
}

impl Storage for BrokenStorage {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let n = self.memory.read_at(buf, offset)?;
        Ok(if let Violation::ReadMore(more) = self.violation { n.saturating_add(more) } else { n })
    }

    fn read_at_uninit<'b>(&self, buf: &'b mut [MaybeUninit<u8>], offset: u64) -> io::Result<&'b mut [u8]> {
        if let Violation::OtherBytes(other) = self.violation {
            return Ok(other(buf));
        }
        // As the provided method of the trait does.
        let mut bytes = vec![0; buf.len()];
        let n = self.read_at(&mut bytes, offset)?;
        if n > bytes.len() {
            return Err(io::Error::other("read more than there is room for"));
        }
        for (to, &from) in buf[..n].iter_mut().zip(&bytes) {
            to.write(from);
        }
        // SAFETY: just initialised, and `MaybeUninit<u8>` has the layout of `u8`.
        Ok(unsafe { &mut *(&raw mut buf[..n] as *mut [u8]) })
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        if let Violation::Wrote(n) = self.violation { Ok(n) } else { self.memory.write_at(buf, offset) }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.memory.len()? + if let Violation::Longer(more) = self.violation { more } else { 0 })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.memory.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn metadata(&self) -> io::Result<Metadata> {
        Ok(Metadata::new(self.len()?, OpenMode::READ_WRITE))
    }
}

fn broken_storage(content: Vec<u8>, violation: Violation) -> (Memory, BufferedMmap<BrokenStorage>) {
    let memory = Memory::new(content);
    let map = MmapOptions::new()
        .map_storage(BrokenStorage { memory: memory.clone(), violation })
        .expect("mapping reads nothing");
    (memory, map)
}

fn a_storage_that_returns_too_large_a_read_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    for more in [1, PAGE, usize::MAX] {
        let (memory, map) = broken_storage(pattern(2 * PAGE), Violation::ReadMore(more));
        scene.err("touch", map.get_item(0), "Io(Other)");
        scene.err("all", map.as_slice().map(<[u8]>::len), "Io(Other)");
        drop(map);
        scene.bytes("storage", memory.content(), pattern(2 * PAGE));
    }
    // A page with very many changes is read into memory that is already initialised.
    let rigged = Memory::new(pattern(PAGE));
    let mut map = MmapOptions::new()
        .map_storage(BrokenOnceInitialised(BrokenStorage { memory: rigged.clone(), violation: Violation::ReadMore(1) }))
        .unwrap();
    map.as_mut_slice().unwrap().iter_mut().step_by(2).for_each(|byte| *byte = 0);
    let flushed = map.flush();
    scene.err("flush", flushed, "Io(Other)");
    let refreshed = map.refresh();
    scene.err("refresh", refreshed, "Io(Other)");
    scene.bytes("storage", rigged.content(), pattern(PAGE));
}

/// A [`BrokenStorage`] that keeps the contract when it reads into uninitialised memory.
struct BrokenOnceInitialised(BrokenStorage);

impl Storage for BrokenOnceInitialised {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn read_at_uninit<'b>(&self, buf: &'b mut [MaybeUninit<u8>], offset: u64) -> io::Result<&'b mut [u8]> {
        self.0.memory.read_at_uninit(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.0.metadata()
    }
}

fn a_storage_that_returns_too_large_a_write_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    for more in [4, usize::MAX] {
        let (memory, mut map) = broken_storage(pattern(2 * PAGE), Violation::Wrote(more));
        map[PAGE..PAGE + 3].fill(0);
        for _ in 0..2 {
            let flushed = map.flush();
            scene.err("flush", flushed, "Io(Other)");
        }
        scene.eq("still changed", map[PAGE], 0);
        let closed = map.close();
        scene.err("close", closed, "Io(Other)");
        scene.bytes("storage", memory.content(), pattern(2 * PAGE));
    }
}

fn a_storage_that_writes_nothing_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let (memory, mut map) = broken_storage(pattern(2 * PAGE), Violation::Wrote(0));
    map[PAGE..PAGE + 3].fill(0);
    for _ in 0..2 {
        let flushed = map.flush();
        scene.err("flush", flushed, "Io(WriteZero)");
    }
    scene.eq("still changed", map[PAGE], 0);
    scene.bytes("storage", memory.content(), pattern(2 * PAGE));
}

fn a_storage_that_returns_other_bytes_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    fn zeroed(buf: &mut [MaybeUninit<u8>]) -> &mut [u8] {
        buf.fill(MaybeUninit::new(0));
        // SAFETY: just initialised, and `MaybeUninit<u8>` has the layout of `u8`.
        unsafe { &mut *(&raw mut *buf as *mut [u8]) }
    }
    let (_, map) = broken_storage(pattern(2 * PAGE), Violation::OtherBytes(|buf| &mut zeroed(buf)[1..]));
    scene.err("a slice that starts later", map.get_item(0), "Io(Other)");
    // An empty slice is the end, of whatever memory it is.
    let (_, map) = broken_storage(pattern(2 * PAGE), Violation::OtherBytes(|_| &mut []));
    scene.err("none", map.get_item(0), "Truncated");
}

fn a_storage_that_is_shorter_than_its_length_is_truncated<B: FileBackend>(scene: &mut Scene<B>) {
    let (memory, mut map) = broken_storage(pattern(PAGE), Violation::Longer(PAGE as u64));
    scene.eq("length", map.len(), 2 * PAGE);
    scene.err("touch", byte(&map, PAGE), "Truncated");
    map[0] = 0;
    map.flush().unwrap();
    scene.eq("storage", (memory.content()[0], memory.content().len()), (0, PAGE));
}

fn two_buffers_of_one_storage_see_each_other_after_flush_and_refresh<B: FileBackend>(scene: &mut Scene<B>) {
    let memory = Memory::new(*b"0123456789");
    let [mut one, mut two] = [(); 2].map(|()| MmapOptions::new().map_storage(memory.clone()).unwrap());
    scene.bytes("two", &two, b"0123456789");
    one[..4].copy_from_slice(b"one!");
    two[3..].copy_from_slice(b"two!two");
    scene.bytes("two has not seen it", &two, b"012two!two");
    one.flush().unwrap();
    two.refresh().unwrap();
    scene.bytes("two keeps its own", &two, b"onetwo!two");
    two.close().unwrap();
    one.refresh().unwrap();
    scene.bytes("one", &one, b"onetwo!two");
}

fn a_storage_has_no_file<B: FileBackend>(scene: &mut Scene<B>) {
    let map = MmapOptions::new().map_storage(Memory::new(*b"hello")).unwrap();
    scene.eq("file", map.file().is_none(), true);
    scene.eq("size", map.size().unwrap(), 5);
    scene.eq("into_file", map.into_file().unwrap().is_none(), true);
}

fn a_pointer_to_a_storage_is_a_storage<B: FileBackend>(scene: &mut Scene<B>) {
    fn edit<B: FileBackend, S: Storage>(scene: &mut Scene<B>, label: &str, storage: S) {
        let mut map = MmapOptions::new().len(6).extend(true).allocate(true).map_storage(storage).unwrap();
        map[0] = b'J';
        map[5] = b'!';
        map.flush().unwrap();
        scene.bytes(label, &map, b"Jello!");
        scene.eq("size", map.size().unwrap(), 6);
        map.resize(3).unwrap();
    }
    let memories = [(); 4].map(|()| Memory::new(*b"hello"));
    let [borrowed, boxed, shared, unnamed] = memories.clone();
    edit(scene, "reference", &borrowed);
    edit(scene, "box", Box::new(boxed));
    edit(scene, "arc", Arc::new(shared));
    edit(scene, "trait object", Box::new(unnamed) as Box<dyn Storage>);
    for memory in memories {
        scene.bytes("storage", memory.content(), b"Jel");
    }
    let directory: Box<dyn Storage> = Box::new(Memory::new(*b"hello").of_kind(FileKind::Directory));
    scene.err("directory", MmapOptions::new().map_storage(directory).map(|map| map.len()), "Io(IsADirectory)");
}
