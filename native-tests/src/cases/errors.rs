//! Errors: a call that returns each variant, its message, and its conversion to an `io::Error`. The crate's own tests
//! check every message, because only the crate can make an error.

use std::error::Error as _;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use portable_mmap::raw::RawBuffer;
use portable_mmap::{Access, BufferedMmap, Error, Flags, MmapOptions, Operation, Slice};

use super::making::expect_error;
use crate::storages::{Memory, Op, Rig};
use crate::{FileBackend, Scene, cases};

cases!("errors":
    every_variant_is_returned_by_a_call,
    the_traits_of_std_return_the_same_errors,
    an_io_error_keeps_the_system_s_own,
    errors_give_the_path_of_a_file_that_was_opened_by_path,
    messages_say_what_to_do,
    numbers_are_the_system_s,
    failed_calls_leave_position_bytes_and_file,
    every_call_on_a_closed_mapping_returns_closed
);

fn every_variant_is_returned_by_a_call<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let empty = scene.file("empty", b"");
    let new = MmapOptions::new;
    let mut map = scene.map(&new(), &file).unwrap();
    let mut read_only = scene.map(new().access(Access::Read), &file).unwrap();
    let untracked = scene.map(new().track_file(false), &file).unwrap();
    let mut closed = scene.map(&new(), &file).unwrap();
    closed.close().unwrap();

    scene.err("Closed", closed.size(), "Closed");
    scene.err("Conflict", scene.map(new().flags(Flags::SHARED | Flags::PRIVATE), &file), "Conflict");
    scene.err("Untracked", untracked.size(), "Untracked");
    scene.err("EmptyFile", scene.map(&new(), &empty), "EmptyFile");
    scene.err("OffsetPastEnd", scene.map(new().offset(65_536), &file), "OffsetPastEnd");
    scene.err("LengthPastEnd", scene.map(new().len(6), &file), "LengthPastEnd");
    scene.err("OutOfRange", map.seek(SeekFrom::Current(-1)), "OutOfRange");
    scene.err("OutOfRange", map.get_slice(Slice::new(None, None, 0)), "OutOfRange");
    scene.err("IndexOutOfRange", map.get_item(-6), "IndexOutOfRange");
    scene.err("SizeMismatch", map.set_slice(1..3, b"abc"), "SizeMismatch");
    scene.err("ReadOnly", read_only.set_item(0, 0), "ReadOnly");
    expect_error(scene, "Misaligned", map.flush_range(1, 1), "Misaligned");
    scene.err("Io", scene.map(&new(), &scene.open_read("f")), "Io(PermissionDenied)");
    let huge = new().flags(Flags::HUGETLB).map_buffered(file.clone());
    scene.err("Unsupported", huge, "Unsupported");
    expect_error(scene, "NoMemory", <BufferedMmap>::anonymous(isize::MAX as usize), "NoMemory");

    let memory = Memory::new(*b"hello");
    let map = new().map_storage(memory.clone()).unwrap();
    memory.bytes().clear();
    scene.err("Truncated", map.as_slice().map(<[u8]>::len), "Truncated");
    scene.file_is("f", b"hello");
}

/// Converts the errors of the traits of std to this crate's error.
fn inner<T: std::fmt::Debug>(result: io::Result<T>) -> Result<T, Error> {
    result.map_err(|error| {
        let kind = error.kind();
        let inner = error.into_inner().and_then(|inner| inner.downcast::<Error>().ok()).expect("this crate's own");
        assert_eq!(inner.kind(), kind);
        *inner
    })
}

fn the_traits_of_std_return_the_same_errors<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    scene.err("write", inner(Write::write(&mut map, b"J")), "ReadOnly");
    scene.err("write_all", inner(Write::write_all(&mut map, b"J")), "ReadOnly");
    scene.err("seek", inner(Seek::seek(&mut map, SeekFrom::Start(6))), "OutOfRange");
    let mut long = [0; 6];
    let error = Read::read_exact(&mut map, &mut long).unwrap_err();
    scene.eq("read_exact, whose error is std's own", error.kind(), ErrorKind::UnexpectedEof);
    let mut writable = scene.map(&MmapOptions::new(), &file).unwrap();
    scene.err("more than fits", inner(Write::write(&mut writable, b"longer")), "OutOfRange");
    scene.eq("position", writable.tell(), 0);
    writable.close().unwrap();
    scene.err("closed", inner(Read::read(&mut writable, &mut long)), "Closed");
    scene.err("closed", inner(Write::flush(&mut writable)), "Closed");
    scene.err("closed", inner(Seek::seek(&mut writable, SeekFrom::Start(0))), "Closed");
    scene.file_is("f", b"hello");
}

fn an_io_error_keeps_the_system_s_own<B: FileBackend>(scene: &mut Scene<B>) {
    let path = scene.path("missing");
    let error = MmapOptions::new().open_buffered(&path).unwrap_err();
    let system = std::fs::File::open(&path).unwrap_err();
    scene.eq("the operation is opening", matches!(&error, Error::Io { operation: Operation::Open, .. }), true);
    scene.eq("the number", error.raw_os_error().is_some(), true);
    scene.eq("is the system's", error.raw_os_error() == system.raw_os_error(), true);
    let source = error.source().map(ToString::to_string);
    scene.eq("the source is the system's", source == Some(system.to_string()), true);
    scene.eq("the message does not repeat it", error.to_string().contains(&system.to_string()), false);
    scene.eq("the alternate format has it", format!("{error:#}").ends_with(&system.to_string()), true);
    let error = io::Error::from(error);
    scene.eq("an io::Error has it", error.raw_os_error() == system.raw_os_error(), true);
    scene.eq("and the same message", error.to_string() == system.to_string(), true);

    let rig = Rig::default();
    let map = MmapOptions::new().map_storage(rig.around(Memory::new(*b"hello"))).unwrap();
    rig.fail(Op::Read, 0, 1, ErrorKind::ConnectionReset);
    let error = scene.err("of a storage", map.as_slice().map(<[u8]>::len), "Io(ConnectionReset)");
    scene.eq("no number", error.raw_os_error(), None);
    scene.eq("an io::Error has the kind", io::Error::from(error).kind(), ErrorKind::ConnectionReset);
    scene.bytes("then it can be read", &map, b"hello");
}

fn errors_give_the_path_of_a_file_that_was_opened_by_path<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    drop(scene.file("empty", b""));
    let (path, empty, missing) = (scene.path("f"), scene.path("empty"), scene.path("missing"));
    let new = MmapOptions::new;
    let refusal = |options: &mut MmapOptions, path: &Path| options.open_buffered(path).map(drop).unwrap_err();
    let mut named = |label: &str, error: &Error, path: &Path| {
        let text = format!("`{}`", path.display());
        scene.eq(label, error.to_string().contains(&text), true);
    };
    named("missing", &refusal(&mut new(), &missing), &missing);
    named("a directory", &refusal(&mut new(), path.parent().unwrap()), path.parent().unwrap());
    named("empty", &refusal(&mut new(), &empty), &empty);
    named("offset", &refusal(new().offset(65_536), &path), &path);
    named("length", &refusal(new().len(6), &path), &path);
    let mut map = new().open_buffered(&path).unwrap();
    map.set_item(4, b'!').unwrap();
    file.set_len(2).unwrap();
    named("flush", &map.flush().unwrap_err(), &path);
    named("close", &map.close().unwrap_err(), &path);
    drop(map);
    let map = new().guard(true).open_buffered(&path).unwrap();
    file.set_len(0).unwrap();
    named("loading", &map.as_slice().unwrap_err(), &path);
    named("a fault", &map.size().unwrap_err(), &path);
    drop(map);
    file.set_len(5).unwrap();
    let map = new().open_buffered(&path).unwrap();
    file.set_len(0).unwrap();
    named("loading a raw buffer", &RawBuffer::new(map).unwrap_err(), &path);
    let error = scene.map(&new(), &file).unwrap_err();
    scene.eq("of a file that was opened elsewhere", error.to_string().contains("the file"), true);
}

fn messages_say_what_to_do<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    let read_only = scene.map(&MmapOptions::new(), &scene.open_read("f")).unwrap_err();
    let anonymous = MmapOptions::new().anonymous_with::<B>().unwrap_err();
    let misaligned = scene.map(MmapOptions::new().offset(3), &file).unwrap_err();
    for (label, error, text) in [
        ("read-only", read_only, "Access::Read or Access::Copy"),
        ("resize", map.resize(0).unwrap_err(), "0 bytes"),
        ("anonymous", anonymous, "a length that is not 0"),
        ("offset", misaligned, "allocation_granularity()"),
        ("flush", map.flush_range(1, 1).unwrap_err(), "page_size()"),
        ("write", map.write_bytes(b"longer").unwrap_err(), "6 bytes do not fit"),
        (
            "read",
            map.seek(SeekFrom::End(0)).and_then(|_| map.read_byte()).unwrap_err(),
            "no byte to read at position 5",
        ),
    ] {
        scene.eq(label, error.to_string().contains(text), true);
    }
}

fn numbers_are_the_system_s<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    for (label, error) in [
        ("misaligned", map.flush_range(1, 1).unwrap_err()),
        ("out of range", map.resize(0).unwrap_err()),
        ("denied", scene.map(&MmapOptions::new(), &scene.open_read("f")).unwrap_err()),
        ("a directory", MmapOptions::new().access(Access::Read).open_buffered(scene.dir()).unwrap_err()),
        ("no memory", <BufferedMmap>::anonymous(isize::MAX as usize).unwrap_err()),
    ] {
        let kind = error.raw_os_error().map(|number| io::Error::from_raw_os_error(number).kind());
        scene.eq(label, kind == Some(error.kind()), true);
    }
}

fn failed_calls_leave_position_bytes_and_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello world");
    map.seek(SeekFrom::Start(6)).unwrap();
    scene.fails("seek past the end", &mut map, "OutOfRange", |map| map.seek(SeekFrom::Start(12)));
    scene.fails("seek before the start", &mut map, "OutOfRange", |map| map.seek(SeekFrom::End(-12)));
    scene.fails("write", &mut map, "OutOfRange", |map| map.write_bytes(b"worlds"));
    scene.fails("set_item", &mut map, "IndexOutOfRange", |map| map.set_item(11, 0));
    scene.fails("set_slice", &mut map, "SizeMismatch", |map| map.set_slice(.., b"short"));
    scene.fails("move_within", &mut map, "OutOfRange", |map| map.move_within(0, 6, 6));
    scene.fails("flush_range", &mut map, "OutOfRange", |map| map.flush_range(0, 12));
    map.close().unwrap();
    scene.file_is("f", b"hello world");
}

fn every_call_on_a_closed_mapping_returns_closed<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.close().unwrap();
    scene.err("as_slice", map.as_slice(), "Closed");
    scene.err("range", map.range(..), "Closed");
    scene.err("get_item", map.get_item(0), "Closed");
    scene.err("get_item", map.get_item(0), "Closed");
    scene.err("get_slice", map.get_slice(..), "Closed");
    scene.err("find", map.find("h"), "Closed");
    scene.err("rfind", map.rfind("h"), "Closed");
    scene.err("find_in", map.find_in("h", ..), "Closed");
    scene.err("rfind_in", map.rfind_in("h", ..), "Closed");
    scene.err("size", map.size(), "Closed");
    scene.fails("as_mut_slice", &mut map, "Closed", |map| map.as_mut_slice().map(|_| ()));
    scene.fails("range_mut", &mut map, "Closed", |map| map.range_mut(..).map(|_| ()));
    scene.fails("set_item", &mut map, "Closed", |map| map.set_item(0, 0));
    scene.fails("set_slice", &mut map, "Closed", |map| map.set_slice(.., b""));
    scene.fails("move_within", &mut map, "Closed", |map| map.move_within(0, 0, 0));
    scene.fails("read_bytes", &mut map, "Closed", |map| map.read_bytes(1).map(|_| ()));
    scene.fails("readline", &mut map, "Closed", |map| map.readline().map(|_| ()));
    scene.fails("read_byte", &mut map, "Closed", portable_mmap::Mapping::read_byte);
    scene.fails("write_bytes", &mut map, "Closed", |map| map.write_bytes(b""));
    scene.fails("write_byte", &mut map, "Closed", |map| map.write_byte(0));
    scene.fails("seek", &mut map, "Closed", |map| map.seek(SeekFrom::Start(0)));
    scene.fails("flush", &mut map, "Closed", portable_mmap::Mapping::flush);
    scene.fails("flush_range", &mut map, "Closed", |map| map.flush_range(0, 0));
    scene.fails("flush_async", &mut map, "Closed", portable_mmap::Mapping::flush_async);
    scene.fails("flush_async_range", &mut map, "Closed", |map| map.flush_async_range(0, 0));
    scene.fails("advise", &mut map, "Closed", |map| map.advise(portable_mmap::Advice::Normal));
    scene.fails("resize", &mut map, "Closed", |map| map.resize(3));
    scene.fails("refresh", &mut map, "Closed", portable_mmap::Mapping::refresh);
    scene.fails("refresh_range", &mut map, "Closed", |map| map.refresh_range(0, 0));
    scene.file_is("f", b"hello");
}
