//! Failing storages: every call of every operation fails once, and nothing is lost or half done.

use std::io::{self, BufRead, ErrorKind, Read, SeekFrom, Write};

use portable_mmap::{Access, Advice, Error, Flags, MmapOptions, Slice};

use crate::others::PAGE;
use crate::storages::{Emulated, Op};
use crate::sweep::{Act, sweep, sweep_drop, sweep_mapping};
use crate::{FileBackend, Scene, cases};

cases!("faults":
    mapping,
    reading_by_index_and_range,
    reading_by_slice_notation,
    searching,
    reading_as_a_file,
    writing_by_index_and_range,
    writing_by_slice_notation,
    writing_as_a_file,
    moving,
    flushing,
    flushing_ranges,
    closing,
    refreshing,
    hints_ignore_errors,
    growing,
    growing_allocated,
    growing_a_window_of_a_longer_file,
    shrinking,
    copies_and_readers,
    sizes_and_positions,
    dropping_never_panics,
    into_file_reports_and_the_drop_tries_again,
    a_length_that_cannot_be_set_leaves_everything_as_it_is
);

fn sweep_all<B: FileBackend>(scene: &mut Scene<B>, acts: &[(&str, Act)]) {
    for (name, act) in acts {
        sweep(scene, name, &MmapOptions::new(), *act);
    }
}

/// The same for calls through the traits of std.
fn sweep_traits<B: FileBackend>(scene: &mut Scene<B>, acts: &[(&str, Act<io::Error>)]) {
    for (name, act) in acts {
        sweep(scene, name, &MmapOptions::new(), *act);
    }
}

/// Converts a result of another type to bytes.
macro_rules! debug_bytes {
    ($answer:expr) => {
        Ok(format!("{:?}", $answer?).into_bytes())
    };
}

fn mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let longer = 6 * PAGE;
    sweep_mapping(scene, "plain", &MmapOptions::new());
    sweep_mapping(scene, "read", MmapOptions::new().access(Access::Read));
    sweep_mapping(scene, "copy", MmapOptions::new().access(Access::Copy));
    sweep_mapping(scene, "populate", MmapOptions::new().flags(Flags::POPULATE));
    sweep_mapping(scene, "extend", MmapOptions::new().len(longer).extend(true));
    sweep_mapping(scene, "allocate", MmapOptions::new().len(longer).extend(true).allocate(true));
}

fn reading_by_index_and_range<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("as_slice", |e| Ok(e.map.as_slice()?.to_vec())),
            ("range", |e| Ok(e.map.range(PAGE + 1..4 * PAGE)?.to_vec())),
            ("range", |e| Ok(e.map.range(PAGE..3 * PAGE)?.to_vec())),
            ("get_item", |e| debug_bytes!(e.map.get_item(-1))),
        ],
    );
}

fn reading_by_slice_notation<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("all", |e| e.map.get_slice(..)),
            ("a part", |e| e.map.get_slice(-5000..-1)),
            ("every third", |e| e.map.get_slice(Slice::new(4000, None, 3))),
            ("backwards", |e| e.map.get_slice(Slice::new(None, None, -7))),
            ("far apart", |e| e.map.get_slice(Slice::new(None, None, 5000))),
            ("far apart, backwards", |e| e.map.get_slice(Slice::new(None, None, -5000))),
        ],
    );
}

fn searching<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("find", |e| debug_bytes!(e.map.find(b"no such bytes"))),
            ("rfind", |e| debug_bytes!(e.map.rfind(b"no such bytes"))),
            ("find_in", |e| debug_bytes!(e.map.find_in(b"new", ..-5))),
            ("rfind_in", |e| debug_bytes!(e.map.rfind_in(b"\n", 3..))),
        ],
    );
}

fn reading_as_a_file<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("read_bytes", |e| Ok(e.map.read_bytes(2 * PAGE)?.to_vec())),
            ("read_bytes, all", |e| Ok(e.map.read_bytes(None)?.to_vec())),
            ("readline", |e| Ok(e.map.readline()?.to_vec())),
            ("read_byte", |e| {
                e.map.seek(SeekFrom::Start(PAGE as u64)).and_then(|_| back(e, |e| debug_bytes!(e.map.read_byte())))
            }),
        ],
    );
    sweep_traits(
        scene,
        &[
            ("Read::read", |e| {
                let mut bytes = vec![0; 2 * PAGE];
                let n = e.map.read(&mut bytes)?;
                bytes.truncate(n);
                Ok(bytes)
            }),
            ("BufRead::fill_buf", |e| Ok(e.map.fill_buf()?.to_vec())),
        ],
    );
}

/// If the act fails, this restores the position of the stage, because the seek before the act was made by the test.
fn back(e: &mut Emulated, act: Act) -> Result<Vec<u8>, Error> {
    let at = e.map.tell();
    let result = act(e);
    if result.is_err() {
        assert_eq!(e.map.tell(), at, "the act has not moved the position");
        e.map.seek(SeekFrom::Start(6))?;
    }
    result
}

fn writing_by_index_and_range<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("as_mut_slice", |e| e.map.as_mut_slice().map(|bytes| bytes.fill(1)).map(|()| Vec::new())),
            ("range_mut", |e| e.map.range_mut(PAGE - 1..=2 * PAGE).map(|bytes| bytes.fill(1)).map(|()| Vec::new())),
            ("set_item", |e| e.map.set_item(-1, 1).map(|()| Vec::new())),
        ],
    );
}

fn writing_by_slice_notation<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("a part", |e| e.map.set_slice(4090..8200, &[1; 4110]).map(|()| Vec::new())),
            ("every third", |e| e.map.set_slice(Slice::new(4000, 8500, 3), &[1; 1500]).map(|()| Vec::new())),
            ("far apart", |e| e.map.set_slice(Slice::new(None, None, 5000), &[1; 4]).map(|()| Vec::new())),
            ("far apart, backwards", |e| e.map.set_slice(Slice::new(None, None, -5000), &[1; 4]).map(|()| Vec::new())),
        ],
    );
}

fn writing_as_a_file<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("write_bytes", |e| debug_bytes!(e.map.write_bytes(&[1; 2 * PAGE]))),
            ("write_byte", |e| {
                e.map.seek(SeekFrom::Start(PAGE as u64))?;
                back(e, |e| debug_bytes!(e.map.write_byte(1)))
            }),
        ],
    );
    sweep_traits(
        scene,
        &[
            ("Write::write", |e| debug_bytes!(e.map.write(&[1; 2 * PAGE]))),
            ("Write::flush", |e| debug_bytes!(Write::flush(&mut e.map))),
        ],
    );
}

fn moving<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("forwards", |e| debug_bytes!(e.map.move_within(PAGE + 7, 3, 2 * PAGE))),
            ("backwards", |e| debug_bytes!(e.map.move_within(3, PAGE + 7, 3 * PAGE))),
            ("far", |e| debug_bytes!(e.map.move_within(PAGE, 4 * PAGE, 100))),
        ],
    );
}

fn flushing<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[("flush", |e| debug_bytes!(e.map.flush())), ("flush_async", |e| debug_bytes!(e.map.flush_async()))],
    );
}

fn flushing_ranges<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("flush_range", |e| debug_bytes!(e.map.flush_range(2 * PAGE, PAGE + 1))),
            ("flush_async_range", |e| debug_bytes!(e.map.flush_async_range(0, 2 * PAGE))),
        ],
    );
}

fn closing<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(scene, &[("close", |e| debug_bytes!(e.map.close()))]);
}

fn refreshing<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("refresh", |e| debug_bytes!(e.map.refresh())),
            ("refresh_range", |e| debug_bytes!(e.map.refresh_range(2 * PAGE + 5, PAGE))),
        ],
    );
}

fn hints_ignore_errors<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("WillNeed", |e| debug_bytes!(e.map.advise(Advice::WillNeed))),
            ("DontNeed", |e| debug_bytes!(e.map.advise(Advice::DontNeed))),
            ("Sequential", |e| debug_bytes!(e.map.advise(Advice::Sequential))),
        ],
    );
}

fn growing<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("within the page", |e| debug_bytes!(e.map.resize(4 * PAGE + 200))),
            ("by pages", |e| debug_bytes!(e.map.resize(9 * PAGE + 1))),
            ("not at all", |e| debug_bytes!(e.map.resize(4 * PAGE + 100))),
        ],
    );
}

fn growing_allocated<B: FileBackend>(scene: &mut Scene<B>) {
    let options = MmapOptions::new().allocate(true).clone();
    sweep::<_, Error>(scene, "within the page", &options, |e| debug_bytes!(e.map.resize(4 * PAGE + 200)));
    sweep::<_, Error>(scene, "by pages", &options, |e| debug_bytes!(e.map.resize(9 * PAGE + 1)));
}

fn growing_a_window_of_a_longer_file<B: FileBackend>(scene: &mut Scene<B>) {
    // The mapping ends in a changed page and the file continues after it, so the rest of that page has to be read.
    for len in [PAGE, PAGE + 500, 3 * PAGE] {
        let mut ends = Vec::new();
        for failing in 0.. {
            let mut e = Emulated::with(MmapOptions::new().len(200), crate::others::pattern(5 * PAGE));
            e.map.set_item(150, 0).unwrap();
            let _ = e.rig.take();
            e.rig.fail(None, failing, 1, ErrorKind::TimedOut);
            let result = e.map.resize(len);
            let has_failed = e.rig.has_failed();
            e.rig.mend();
            if let Err(error) = result {
                ends.push(crate::describe(&error));
                assert!(e.memory.content() == crate::others::pattern(5 * PAGE), "the storage is unchanged");
                assert!(e.map.len() == 200 && e.map.get_item(150).unwrap() == 0, "the mapping is unchanged");
                e.map.resize(len).unwrap();
            }
            let mut want = crate::others::pattern(len);
            want[150] = 0;
            assert!(
                e.map[..] == want[..],
                "call {failing} fails: the mapping shows the bytes of the file past its old end"
            );
            e.map.close().unwrap();
            assert!(e.memory.content() == want, "call {failing} fails: the storage ends where the mapping ends");
            if !has_failed {
                break;
            }
        }
        scene.note("failures", ends);
    }
}

fn shrinking<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[
            ("into a changed page", |e| debug_bytes!(e.map.resize(2 * PAGE + 120))),
            ("into a page not loaded", |e| debug_bytes!(e.map.resize(PAGE + 1))),
            ("to whole pages", |e| debug_bytes!(e.map.resize(3 * PAGE))),
            ("to one byte", |e| debug_bytes!(e.map.resize(1))),
        ],
    );
}

fn copies_and_readers<B: FileBackend>(scene: &mut Scene<B>) {
    for access in [Access::Copy, Access::Read] {
        let mut ends = Vec::new();
        for failing in 0.. {
            let content = crate::others::pattern(4 * PAGE);
            let mut want = content.clone();
            let mut e = Emulated::with(MmapOptions::new().access(access), content.clone());
            if access == Access::Copy {
                e.map.set_item(5, 0).unwrap();
                want[5] = 0;
            }
            e.rig.fail(None, failing, 1, ErrorKind::TimedOut);
            let mut act = || -> Result<usize, portable_mmap::Error> {
                e.map.flush()?;
                e.map.advise(Advice::DontNeed)?;
                e.map.refresh()?;
                Ok(e.map.as_slice()?.len())
            };
            let result = act();
            let has_failed = e.rig.has_failed();
            e.rig.mend();
            if let Err(error) = result {
                ends.push(crate::describe(&error));
            }
            assert!(e.map[..] == want[..], "call {failing} fails: the bytes are unchanged");
            e.map.close().unwrap();
            assert!(e.memory.content() == content, "call {failing} fails: the storage is unchanged");
            if !has_failed {
                break;
            }
        }
        scene.note("failures", ends);
    }
}

fn sizes_and_positions<B: FileBackend>(scene: &mut Scene<B>) {
    sweep_all(
        scene,
        &[("size", |e| debug_bytes!(e.map.size())), ("seek", |e| debug_bytes!(e.map.seek(SeekFrom::End(-3))))],
    );
}

fn dropping_never_panics<B: FileBackend>(scene: &mut Scene<B>) {
    for op in [None, Some(Op::Write), Some(Op::Len), Some(Op::Read)] {
        sweep_drop(scene, op);
    }
}

fn into_file_reports_and_the_drop_tries_again<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(*b"hello");
    e.map[0] = b'j';
    e.rig.fail(Op::Write, 0, 1, ErrorKind::TimedOut);
    let file = e.map.into_file().map(|file| file.is_some());
    scene.err("into_file", file, "Io(TimedOut)");
    scene.bytes("storage", e.memory.content(), b"jello");
}

fn a_length_that_cannot_be_set_leaves_everything_as_it_is<B: FileBackend>(scene: &mut Scene<B>) {
    for (allocate, op) in [(false, Op::SetLen), (true, Op::Allocate)] {
        let mut e = Emulated::with(MmapOptions::new().allocate(allocate), *b"hello");
        e.map[0] = b'j';
        let _ = e.rig.take();
        e.rig.fail(op, 0, usize::MAX, ErrorKind::StorageFull);
        let resized = e.map.resize(5 * PAGE);
        scene.err("resize", resized, "Io(StorageFull)");
        scene.bytes("map", &e.map, b"jello");
        scene.bytes("storage", e.memory.content(), b"hello");
        // Another writer makes the storage longer after its length was read and before the failure.
        e.memory.set_size(7);
        let resized = e.map.resize(5 * PAGE);
        scene.err("resize", resized, "Io(StorageFull)");
        scene.bytes("storage", e.memory.content(), b"hello\0\0");
        e.rig.mend();
        e.map.flush().unwrap();
        e.map.resize(6).unwrap();
        scene.bytes("storage", e.memory.content(), b"jello\0");
    }
}
