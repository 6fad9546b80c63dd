//! Errors: each variant's kind, name and message, what becomes of it as an `io::Error`, and a call that gives it.

use std::error::Error as _;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};

use portable_mmap::{Access, BufferedMmap, Error, Flags, MmapOptions, Slice};

use super::making::refused;
use crate::storages::{Memory, Op, Rig};
use crate::{FileBackend, Scene, cases};

cases!("errors":
    every_variant_has_its_kind_and_its_message,
    every_variant_becomes_an_io_error_that_holds_it,
    only_an_io_error_has_a_source,
    every_variant_is_what_a_call_answers,
    the_traits_of_std_answer_the_same_errors,
    an_io_error_keeps_the_system_s_own,
    refused_calls_leave_position_bytes_and_file,
    every_call_on_a_closed_mapping_answers_closed
);

/// Every variant, its name, its kind and its message.
fn all() -> Vec<(Error, &'static str, ErrorKind, &'static str)> {
    use ErrorKind::InvalidInput;
    vec![
        (Error::Closed, "Closed", InvalidInput, "the mapping is closed"),
        (
            Error::Conflict { what: "this and that" },
            "Conflict",
            InvalidInput,
            "options that exclude each other: this and that",
        ),
        (
            Error::Untracked { operation: "size" },
            "Untracked",
            InvalidInput,
            "size needs the file, and the mapping was made with track_file(false)",
        ),
        (
            Error::EmptyFile,
            "EmptyFile",
            InvalidInput,
            "an empty file cannot be mapped; give a length and extend(true) to make it longer",
        ),
        (
            Error::OffsetPastEnd { offset: 65_536, size: 1234 },
            "OffsetPastEnd",
            InvalidInput,
            "a mapping from offset 65536 would start past the end of the file, which has 1234 bytes",
        ),
        (
            Error::LengthPastEnd { offset: 65_536, len: 77, size: 65_540 },
            "LengthPastEnd",
            InvalidInput,
            "a mapping of 77 bytes from offset 65536 would end past the end of the file, which has 65540 bytes; \
             extend(true) makes the file longer",
        ),
        (
            Error::OutOfRange { what: "the position", start: -1, len: 2, limit: 3 },
            "OutOfRange",
            InvalidInput,
            "the position is out of range: start -1, length 2, limit 3",
        ),
        (
            Error::IndexOutOfRange { index: -6, len: 5 },
            "IndexOutOfRange",
            InvalidInput,
            "index -6 is out of range for a mapping of 5 bytes",
        ),
        (
            Error::SizeMismatch { expected: 3, given: 4 },
            "SizeMismatch",
            InvalidInput,
            "a slice of 3 bytes cannot be assigned 4 bytes",
        ),
        (Error::ReadOnly, "ReadOnly", ErrorKind::PermissionDenied, "the mapping is read-only"),
        (
            Error::Misaligned { offset: 100, granularity: 4096 },
            "Misaligned",
            InvalidInput,
            "offset 100 is not a multiple of 4096",
        ),
        (Error::Unsupported { what: "this" }, "Unsupported", ErrorKind::Unsupported, "not supported here: this"),
        (
            Error::Truncated { offset: 4096, len: 10, size: 4000 },
            "Truncated",
            ErrorKind::UnexpectedEof,
            "10 mapped bytes from file offset 4096 are gone: the file was shortened and has 4000 bytes now",
        ),
        (Error::NoMemory { len: 99 }, "NoMemory", ErrorKind::OutOfMemory, "no memory for 99 bytes"),
        (
            Error::Io { operation: "write", offset: 8192, len: 11, source: io::Error::other("the disk is on fire") },
            "Io",
            ErrorKind::Other,
            "write of 11 bytes at file offset 8192 failed: the disk is on fire",
        ),
    ]
}

fn every_variant_has_its_kind_and_its_message<B: FileBackend>(scene: &mut Scene<B>) {
    for (error, name, kind, message) in all() {
        scene.eq("name", error.name(), name);
        scene.eq("kind", error.kind(), kind);
        scene.eq("message", error.to_string(), message);
    }
    scene.eq("how many", all().len(), 15);
    let lost = Error::Io { operation: "read", offset: 0, len: 1, source: ErrorKind::NotFound.into() };
    scene.eq("the kind of its source", lost.kind(), ErrorKind::NotFound);
}

fn every_variant_becomes_an_io_error_that_holds_it<B: FileBackend>(scene: &mut Scene<B>) {
    for (error, name, kind, message) in all() {
        let error = io::Error::from(error);
        scene.eq("kind", error.kind(), kind);
        scene.eq("message", error.to_string(), message);
        let held = error.into_inner().and_then(|held| held.downcast::<Error>().ok());
        scene.eq("held", held.map(|held| held.name()), Some(name));
    }
}

fn only_an_io_error_has_a_source<B: FileBackend>(scene: &mut Scene<B>) {
    for (error, name, _, _) in all() {
        let source = error.source().map(ToString::to_string);
        scene.eq(name, source, (name == "Io").then(|| "the disk is on fire".to_owned()));
    }
}

fn every_variant_is_what_a_call_answers<B: FileBackend>(scene: &mut Scene<B>) {
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
    refused(scene, "Misaligned", map.flush_range(1, 1), "Misaligned");
    scene.err("Io", scene.map(&new(), &scene.open_read("f")), "Io(PermissionDenied)");
    let huge = new().flags(Flags::HUGETLB).map_buffered(file.clone());
    scene.err("Unsupported", huge, "Unsupported");
    refused(scene, "NoMemory", <BufferedMmap>::anonymous(isize::MAX as usize), "NoMemory");

    let memory = Memory::new(*b"hello");
    let map = new().map_storage(memory.clone()).unwrap();
    memory.bytes().clear();
    scene.err("Truncated", map.as_slice().map(<[u8]>::len), "Truncated");
    scene.file_is("f", b"hello");
}

/// What the traits of std answer, as this crate's error.
fn inner<T: std::fmt::Debug>(result: io::Result<T>) -> Result<T, Error> {
    result.map_err(|error| {
        let kind = error.kind();
        let inner = error.into_inner().and_then(|inner| inner.downcast::<Error>().ok()).expect("this crate's own");
        assert_eq!(inner.kind(), kind);
        *inner
    })
}

fn the_traits_of_std_answer_the_same_errors<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    scene.err("write", inner(Write::write(&mut map, b"J")), "ReadOnly");
    scene.err("write_all", inner(Write::write_all(&mut map, b"J")), "ReadOnly");
    scene.err("seek", inner(Seek::seek(&mut map, SeekFrom::Start(6))), "OutOfRange");
    let mut long = [0; 6];
    let error = Read::read_exact(&mut map, &mut long).unwrap_err();
    scene.eq("read_exact, whose error is std's own", error.kind(), ErrorKind::UnexpectedEof);
    let mut writable = scene.map(&MmapOptions::new(), &file).unwrap();
    scene.err("what does not fit", inner(Write::write(&mut writable, b"longer")), "OutOfRange");
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
    let Error::Io { operation, source, .. } = &error else { panic!("{error}") };
    scene.eq("operation", *operation, "open");
    scene.eq("the number", source.raw_os_error().is_some(), true);
    scene.eq("is the system's", source.raw_os_error() == system.raw_os_error(), true);
    scene.eq("and its words", error.to_string().ends_with(&system.to_string()), true);

    let rig = Rig::default();
    let map = MmapOptions::new().map_storage(rig.around(Memory::new(*b"hello"))).unwrap();
    rig.fail(Op::Read, 0, 1, ErrorKind::ConnectionReset);
    scene.err("of a storage", map.as_slice().map(<[u8]>::len), "Io(ConnectionReset)");
    scene.bytes("and then it can be read", &map, b"hello");
}

fn refused_calls_leave_position_bytes_and_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello world");
    map.seek(SeekFrom::Start(6)).unwrap();
    scene.refused("seek past the end", &mut map, "OutOfRange", |map| map.seek(SeekFrom::Start(12)));
    scene.refused("seek before the start", &mut map, "OutOfRange", |map| map.seek(SeekFrom::End(-12)));
    scene.refused("write", &mut map, "OutOfRange", |map| map.write_bytes(b"worlds"));
    scene.refused("set_item", &mut map, "IndexOutOfRange", |map| map.set_item(11, 0));
    scene.refused("set_slice", &mut map, "SizeMismatch", |map| map.set_slice(.., b"short"));
    scene.refused("move_within", &mut map, "OutOfRange", |map| map.move_within(0, 6, 6));
    scene.refused("flush_range", &mut map, "OutOfRange", |map| map.flush_range(0, 12));
    map.close().unwrap();
    scene.file_is("f", b"hello world");
}

fn every_call_on_a_closed_mapping_answers_closed<B: FileBackend>(scene: &mut Scene<B>) {
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
    scene.refused("as_mut_slice", &mut map, "Closed", |map| map.as_mut_slice().map(|_| ()));
    scene.refused("range_mut", &mut map, "Closed", |map| map.range_mut(..).map(|_| ()));
    scene.refused("set_item", &mut map, "Closed", |map| map.set_item(0, 0));
    scene.refused("set_slice", &mut map, "Closed", |map| map.set_slice(.., b""));
    scene.refused("move_within", &mut map, "Closed", |map| map.move_within(0, 0, 0));
    scene.refused("read_bytes", &mut map, "Closed", |map| map.read_bytes(1).map(|_| ()));
    scene.refused("readline", &mut map, "Closed", |map| map.readline().map(|_| ()));
    scene.refused("read_byte", &mut map, "Closed", portable_mmap::Mapping::read_byte);
    scene.refused("write_bytes", &mut map, "Closed", |map| map.write_bytes(b""));
    scene.refused("write_byte", &mut map, "Closed", |map| map.write_byte(0));
    scene.refused("seek", &mut map, "Closed", |map| map.seek(SeekFrom::Start(0)));
    scene.refused("flush", &mut map, "Closed", portable_mmap::Mapping::flush);
    scene.refused("flush_range", &mut map, "Closed", |map| map.flush_range(0, 0));
    scene.refused("flush_async", &mut map, "Closed", portable_mmap::Mapping::flush_async);
    scene.refused("flush_async_range", &mut map, "Closed", |map| map.flush_async_range(0, 0));
    scene.refused("advise", &mut map, "Closed", |map| map.advise(portable_mmap::Advice::Normal));
    scene.refused("resize", &mut map, "Closed", |map| map.resize(3));
    scene.refused("refresh", &mut map, "Closed", portable_mmap::Mapping::refresh);
    scene.refused("refresh_range", &mut map, "Closed", |map| map.refresh_range(0, 0));
    scene.file_is("f", b"hello");
}
