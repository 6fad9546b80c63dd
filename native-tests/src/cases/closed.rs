//! A closed mapping: calls return `Closed`, it is empty as a slice, and infallible calls still work.

use std::fmt::Debug;
use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom, Write};

use portable_mmap::{Access, Error, Mapping, MmapOptions, Slice};

use crate::{FileBackend, Scene, cases};

cases!("closed":
    infallible_calls_work_on_a_closed_mapping,
    a_closed_mapping_as_a_slice_is_empty,
    reading_as_a_slice_returns_closed,
    changing_as_a_slice_returns_closed,
    searching_returns_closed,
    reading_and_writing_as_a_file_return_closed,
    the_streams_of_a_closed_mapping_fail,
    the_closed_error_comes_before_read_only,
    the_closed_error_comes_before_range_errors,
    closed_anonymous_memory_is_closed
);

fn closed<B: FileBackend>(scene: &Scene<B>) -> Mapping<B> {
    let mut map = scene.mapped("f", b"hello");
    map.seek(SeekFrom::Start(3)).unwrap();
    map.close().unwrap();
    map
}

fn infallible_calls_work_on_a_closed_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let map = closed(scene);
    scene.eq("len", (map.len(), map.is_empty(), map.is_closed()), (0, true, true));
    scene.eq("tell", (map.tell(), map.seekable()), (3, true));
    scene.eq("access and offset", (map.access(), map.offset()), (Access::Default, 0));
    scene.eq("fault and file", (map.fault(), map.file().is_none()), (None, true));
}

fn a_closed_mapping_as_a_slice_is_empty<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = closed(scene);
    scene.bytes("..", &map[..], b"");
    scene.bytes("0..", &map[0..], b"");
    scene.bytes("0..0", &map[0..0], b"");
    scene.bytes("Deref", &*map, b"");
    scene.bytes("AsRef", AsRef::<[u8]>::as_ref(&map), b"");
    scene.eq("iter", (map.iter().len(), map.iter().next()), (0, None));
    scene.eq("a loop", (&map).into_iter().count(), 0);
    map[..].fill(b'x');
    map[..0].fill(b'x');
    scene.file_is("f", b"hello");
}

fn is_closed<B: FileBackend, T: Debug>(scene: &mut Scene<B>, label: &str, result: Result<T, Error>) {
    scene.err(label, result, "Closed");
}

fn reading_as_a_slice_returns_closed<B: FileBackend>(scene: &mut Scene<B>) {
    let map = closed(scene);
    is_closed(scene, "as_slice", map.as_slice());
    is_closed(scene, "range", map.range(..));
    is_closed(scene, "get_item", map.get_item(0));
    is_closed(scene, "get_slice", map.get_slice(..));
}

fn changing_as_a_slice_returns_closed<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = closed(scene);
    let result = map.as_mut_slice().map(|bytes| bytes.len());
    is_closed(scene, "as_mut_slice", result);
    let result = map.range_mut(..).map(|bytes| bytes.len());
    is_closed(scene, "range_mut", result);
    is_closed(scene, "set_item", map.set_item(0, b'x'));
    is_closed(scene, "set_slice", map.set_slice(..2, b"xx"));
    is_closed(scene, "set_slice of nothing", map.set_slice(.., b""));
    is_closed(scene, "move_within", map.move_within(0, 1, 2));
    is_closed(scene, "move_within of nothing", map.move_within(0, 0, 0));
    scene.file_is("f", b"hello");
}

fn searching_returns_closed<B: FileBackend>(scene: &mut Scene<B>) {
    let map = closed(scene);
    for needle in ["l", ""] {
        is_closed(scene, "find", map.find(needle));
        is_closed(scene, "rfind", map.rfind(needle));
        is_closed(scene, "find_in", map.find_in(needle, ..));
        is_closed(scene, "rfind_in", map.rfind_in(needle, 99..));
    }
}

fn reading_and_writing_as_a_file_return_closed<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = closed(scene);
    is_closed(scene, "seek", map.seek(SeekFrom::Start(0)));
    is_closed(scene, "seek to the end", map.seek(SeekFrom::End(0)));
    let result = map.read_bytes(None).map(<[u8]>::to_vec);
    is_closed(scene, "read_bytes", result);
    let result = map.read_bytes(0).map(<[u8]>::to_vec);
    is_closed(scene, "read_bytes 0", result);
    let result = map.readline().map(<[u8]>::to_vec);
    is_closed(scene, "readline", result);
    is_closed(scene, "read_byte", map.read_byte());
    is_closed(scene, "write_bytes", map.write_bytes(b"x"));
    is_closed(scene, "write_bytes of nothing", map.write_bytes(b""));
    is_closed(scene, "write_byte", map.write_byte(b'x'));
    is_closed(scene, "size", map.size());
    scene.eq("tell", map.tell(), 3);
    scene.file_is("f", b"hello");
}

fn the_streams_of_a_closed_mapping_fail<B: FileBackend>(scene: &mut Scene<B>) {
    fn kind<T>(result: io::Result<T>) -> Result<(), (ErrorKind, Option<&'static str>)> {
        let cause = |e: &io::Error| e.get_ref().and_then(|cause| cause.downcast_ref()).map(Error::name);
        result.map(drop).map_err(|e| (e.kind(), cause(&e)))
    }
    let closed = Err((ErrorKind::InvalidInput, Some("Closed")));
    let mut map = self::closed(scene);
    scene.eq("read", kind(Read::read(&mut map, &mut [0; 9])), closed);
    scene.eq("read nothing", kind(Read::read(&mut map, &mut [])), closed);
    scene.eq("read_to_end", kind(map.read_to_end(&mut Vec::new())), closed);
    scene.eq("fill_buf", kind(map.fill_buf()), closed);
    scene.eq("lines", kind(Read::by_ref(&mut map).lines().next().unwrap()), closed);
    scene.eq("write", kind(Write::write(&mut map, b"x")), closed);
    scene.eq("write nothing", kind(Write::write(&mut map, b"")), closed);
    scene.eq("flush", kind(Write::flush(&mut map)), closed);
    scene.eq("seek", kind(Seek::seek(&mut map, SeekFrom::Start(0))), closed);
    scene.eq("copy out", kind(io::copy(&mut map, &mut io::sink())), closed);
    // Neither can fail.
    map.consume(9);
    scene.eq("stream_position", map.stream_position().unwrap(), 3);
}

fn the_closed_error_comes_before_read_only<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    map.close().unwrap();
    let result = map.as_mut_slice().map(|bytes| bytes.len());
    is_closed(scene, "as_mut_slice", result);
    is_closed(scene, "set_item", map.set_item(0, b'x'));
    is_closed(scene, "set_slice", map.set_slice(.., b""));
    is_closed(scene, "move_within", map.move_within(0, 0, 0));
    is_closed(scene, "write_bytes", map.write_bytes(b""));
    is_closed(scene, "write_byte", map.write_byte(b'x'));
    scene.eq("access", map.access(), Access::Read);
}

fn the_closed_error_comes_before_range_errors<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = closed(scene);
    is_closed(scene, "range", map.range(7..9));
    let result = map.range_mut(7..9).map(|bytes| bytes.len());
    is_closed(scene, "range_mut", result);
    is_closed(scene, "get_item", map.get_item(-9));
    is_closed(scene, "set_item", map.set_item(99, 0));
    is_closed(scene, "get_slice", map.get_slice(Slice::new(None, None, 0)));
    is_closed(scene, "set_slice", map.set_slice(Slice::new(None, None, 0), b"x"));
    is_closed(scene, "move_within", map.move_within(99, 0, 1));
    is_closed(scene, "seek", map.seek(SeekFrom::End(99)));
}

fn closed_anonymous_memory_is_closed<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.anonymous(5000);
    map.write_bytes(b"hello").unwrap();
    map.close().unwrap();
    map.close().unwrap();
    is_closed(scene, "as_slice", map.as_slice());
    is_closed(scene, "size", map.size());
    is_closed(scene, "write_byte", map.write_byte(0));
    scene.bytes("..", &map[..], b"");
    scene.eq("tell", (map.tell(), map.len()), (5, 0));
}
