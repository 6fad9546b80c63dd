//! Closing and dropping: which changes are written, and what a closed mapping returns.

use std::io::{BufRead, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use portable_mmap::{Access, Advice, Error, Mapping, MmapOptions, UncheckedAdvice};

use crate::others::{UNIT, pattern, resize};
use crate::{FileBackend, Scene, cases};

cases!("close":
    closing_writes_changes_and_closing_twice_is_fine,
    every_fallible_call_returns_closed,
    every_trait_returns_closed,
    a_closed_mapping_is_an_empty_slice,
    infallible_calls_still_work,
    a_failed_close_reports_and_stays_open [Truncation],
    a_close_that_failed_succeeds_once_the_file_is_long_enough [Truncation],
    closing_a_copy_a_reader_or_anonymous_memory_writes_nothing,
    dropping_writes_changes,
    dropping_a_copy_writes_nothing,
    dropping_a_mapping_of_a_truncated_file_is_silent [Truncation],
    into_file_writes_changes_and_returns_the_file,
    into_file_returns_none_without_a_file,
    the_callers_handle_of_the_file_stays_open,
    many_mappings_may_close_one_file;
    panicking indexing_a_closed_mapping_panics "the mapping is closed"
);

fn closing_writes_changes_and_closing_twice_is_fine<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(UNIT + 5));
    let mut want = pattern(UNIT + 5);
    for at in [0, 4096, UNIT + 4] {
        map[at] = 0;
        want[at] = 0;
    }
    scene.eq("closed", map.is_closed(), false);
    map.close().unwrap();
    scene.eq("closed", map.is_closed(), true);
    scene.file_is("f", &want);
    // Closing again must not write again.
    scene.overwrite("f", 0, b"another");
    want[..7].copy_from_slice(b"another");
    map.close().unwrap();
    map.close().unwrap();
    drop(map);
    scene.file_is("f", &want);
}

fn closed<B: FileBackend>(scene: &Scene<B>) -> Mapping<B> {
    let mut map = scene.mapped("f", b"hello");
    map.seek(SeekFrom::Start(3)).unwrap();
    map.close().unwrap();
    map
}

fn every_fallible_call_returns_closed<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = closed(scene);
    let m = &mut map;
    let answers: Vec<(&str, Result<(), Error>)> = vec![
        ("as_slice", m.as_slice().map(drop_it)),
        ("range", m.range(0..0).map(drop_it)),
        ("as_mut_slice", m.as_mut_slice().map(drop_it)),
        ("range_mut", m.range_mut(0..0).map(drop_it)),
        ("get_item", m.get_item(0).map(drop_it)),
        ("set_item", m.set_item(0, 0)),
        ("get_slice", m.get_slice(..).map(drop_it)),
        ("set_slice", m.set_slice(.., b"")),
        ("find", m.find(b"").map(drop_it)),
        ("rfind", m.rfind(b"").map(drop_it)),
        ("find_in", m.find_in(b"", ..).map(drop_it)),
        ("rfind_in", m.rfind_in(b"", ..).map(drop_it)),
        ("move_within", m.move_within(0, 0, 0)),
        ("read_bytes", m.read_bytes(0).map(drop_it)),
        ("readline", m.readline().map(drop_it)),
        ("read_byte", m.read_byte().map(drop_it)),
        ("write_bytes", m.write_bytes(b"").map(drop_it)),
        ("write_byte", m.write_byte(0)),
        ("seek", m.seek(SeekFrom::Start(0)).map(drop_it)),
        ("size", m.size().map(drop_it)),
        ("flush", m.flush()),
        ("flush_range", m.flush_range(0, 0)),
        ("flush_async", m.flush_async()),
        ("flush_async_range", m.flush_async_range(0, 0)),
        ("advise", m.advise(Advice::Normal)),
        ("advise_range", m.advise_range(Advice::Normal, 0, 0)),
        // SAFETY: a closed mapping has no bytes.
        ("advise_unchecked", unsafe { m.advise_unchecked(UncheckedAdvice::Free, 0, 0) }),
        ("resize", m.resize(1)),
        ("refresh", m.refresh()),
        ("refresh_range", m.refresh_range(0, 0)),
    ];
    for (call, answer) in answers {
        scene.err(call, answer, "Closed");
    }
    let file = map.into_file();
    scene.err("into_file", file, "Closed");
    // Closed is reported before anything else that is wrong.
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read).track_file(false), &file).unwrap();
    map.close().unwrap();
    let answers = [
        ("set_item", map.set_item(9, 0)),
        ("resize", map.resize(0)),
        ("move_within", map.move_within(9, 9, 9)),
        ("flush_range", map.flush_range(9, 9)),
        ("advise_range", map.advise_range(Advice::Normal, 9, 9)),
        ("size", map.size().map(drop_it)),
    ];
    for (call, answer) in answers {
        scene.err(call, answer, "Closed");
    }
}

fn drop_it<T>(_: T) {}

fn every_trait_returns_closed<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = closed(scene);
    let m = &mut map;
    let answers: Vec<(&str, std::io::Result<()>)> = vec![
        ("read", Read::read(m, &mut [0; 4]).map(drop_it)),
        ("read_to_end", Read::read_to_end(m, &mut Vec::new()).map(drop_it)),
        ("fill_buf", BufRead::fill_buf(m).map(drop_it)),
        ("read_line", BufRead::read_line(m, &mut String::new()).map(drop_it)),
        ("write", Write::write(m, b"x").map(drop_it)),
        ("write_all", Write::write_all(m, b"x")),
        ("flush", Write::flush(m)),
        ("seek", Seek::seek(m, SeekFrom::Start(0)).map(drop_it)),
        ("rewind", Seek::rewind(m)),
    ];
    for (call, answer) in answers {
        let error = answer.expect_err(call);
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).map(Error::name);
        scene.eq(call, (error.kind(), inner), (std::io::ErrorKind::InvalidInput, Some("Closed")));
    }
}

fn a_closed_mapping_is_an_empty_slice<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = closed(scene);
    scene.eq("length", (map.len(), map.is_empty()), (0, true));
    scene.bytes("deref", &map, b"");
    scene.bytes("..", &map[..], b"");
    scene.bytes("0..0", &map[0..0], b"");
    scene.bytes("as_ref", AsRef::<[u8]>::as_ref(&map), b"");
    scene.eq("iter", map.iter().count(), 0);
    map[..].fill(1);
    scene.bytes("mut", &mut map[..], b"");
    scene.file_is("f", b"hello");
}

fn infallible_calls_still_work<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = closed(scene);
    scene.eq("tell", map.tell(), 3);
    scene.eq("seekable", map.seekable(), true);
    scene.eq("access", map.access(), Access::Default);
    scene.eq("offset", map.offset(), 0);
    scene.eq("backend", map.backend_name(), "closed");
    scene.eq("fault", map.fault(), None);
    scene.eq("file", map.file().is_none(), true);
    scene.eq("stream_position", Seek::stream_position(&mut map).unwrap(), 3);
    BufRead::consume(&mut map, 2);
    scene.eq("consume", map.tell(), 3);
    scene.note("debug", &map);
}

fn a_failed_close_reports_and_stays_open<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    map[3] = 0;
    map[UNIT..UNIT + 3].copy_from_slice(b"new");
    map.seek(SeekFrom::Start(7)).unwrap();
    scene.set_file_len("f", UNIT);
    for _ in 0..2 {
        let answer = map.close();
        scene.variant("close", answer, "Truncated");
        scene.eq("closed", map.is_closed(), false);
        scene.eq("position, length", (map.tell(), map.len()), (7, 2 * UNIT));
        scene.eq("a byte that the file still has", map.get_item(3).unwrap(), 0);
    }
    let mut want = pattern(UNIT);
    want[3] = 0;
    scene.file_is("f", want);
}

fn a_close_that_failed_succeeds_once_the_file_is_long_enough<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    // The change is the same zero that the file has there after it has grown. So the result does not depend on the
    // backend keeping the byte.
    map[UNIT] = 0;
    scene.set_file_len("f", UNIT);
    let answer = map.close();
    scene.err("close", answer, "Truncated");
    scene.set_file_len("f", 2 * UNIT);
    map.close().unwrap();
    scene.eq("closed", map.is_closed(), true);
    let mut want = pattern(UNIT);
    resize(&mut want, 2 * UNIT, 0);
    scene.file_is("f", want);
}

fn closing_a_copy_a_reader_or_anonymous_memory_writes_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut copy = scene.map(MmapOptions::new().access(Access::Copy), &file).unwrap();
    copy[..].fill(0);
    let mut read = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    let mut anonymous = scene.anonymous(5);
    anonymous[..].fill(1);
    for map in [&mut copy, &mut read, &mut anonymous] {
        map.close().unwrap();
        map.close().unwrap();
        scene.eq("closed", (map.is_closed(), map.len()), (true, 0));
    }
    scene.file_is("f", b"hello");
}

fn dropping_writes_changes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(UNIT + 5));
    let mut want = pattern(UNIT + 5);
    for at in [0, 4096, UNIT + 4] {
        map[at] = 0;
        want[at] = 0;
    }
    drop(map);
    scene.file_is("f", want);
}

fn dropping_a_copy_writes_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Copy), &file).unwrap();
    map[..].fill(0);
    drop(map);
    scene.file_is("f", b"hello");
}

fn dropping_a_mapping_of_a_truncated_file_is_silent<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    map[3] = 0;
    map[UNIT] = 0;
    scene.set_file_len("f", UNIT);
    drop(map);
    let mut want = pattern(UNIT);
    want[3] = 0;
    scene.file_is("f", want);
}

fn into_file_writes_changes_and_returns_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    map[0] = b'j';
    let given = map.into_file().unwrap().expect("the mapping has a file");
    scene.file_is("f", b"jello");
    scene.eq("the same file", Arc::ptr_eq(&file, &given), true);
    drop(file);
    let mut content = String::new();
    (&*given).read_to_string(&mut content).unwrap();
    scene.eq("still open", content, "jello");
}

fn into_file_returns_none_without_a_file<B: FileBackend>(scene: &mut Scene<B>) {
    scene.eq("anonymous", scene.anonymous(5).into_file().unwrap().is_none(), true);
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().track_file(false), &file).unwrap();
    map[0] = b'j';
    scene.eq("untracked", map.into_file().unwrap().is_none(), true);
    scene.file_is("f", b"jello");
}

fn the_callers_handle_of_the_file_stays_open<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    map[0] = b'j';
    map.close().unwrap();
    scene.eq("shares", Arc::strong_count(&file), 1);
    let mut content = String::new();
    (&*file).read_to_string(&mut content).unwrap();
    scene.eq("content", content, "jello");
}

fn many_mappings_may_close_one_file<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"0123456789");
    let mut maps: Vec<_> = (0..10).map(|_| scene.map(&MmapOptions::new(), &file).unwrap()).collect();
    for (at, map) in maps.iter_mut().enumerate() {
        map[at] = b'a' + u8::try_from(at).expect("a digit");
    }
    for map in maps.iter_mut().rev() {
        map.close().unwrap();
    }
    scene.file_is("f", b"abcdefghij");
}

fn indexing_a_closed_mapping_panics<B: FileBackend>(scene: &mut Scene<B>) {
    let map = closed(scene);
    scene.eq("length", map.len(), 0);
    let _ = map[0];
}
