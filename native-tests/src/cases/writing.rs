//! Writing at the position: all or nothing.

use std::io::SeekFrom;

use portable_mmap::{Access, Flags, MmapOptions};

use crate::random::patternless;
use crate::{FileBackend, Scene, cases};

cases!("writing":
    writing_returns_the_count_and_moves_the_position,
    data_that_does_not_fit_is_an_error_and_nothing_is_written,
    writing_up_to_the_end_fits,
    writing_nothing_fits_up_to_the_end,
    a_byte_is_written_and_at_the_end_is_an_error,
    writing_across_pages_reaches_the_file,
    writing_in_a_window_leaves_the_rest_of_the_file,
    writing_never_makes_the_file_longer,
    writing_to_anonymous_memory_is_read_back,
    writing_to_a_copy_leaves_the_file,
    writing_to_a_private_mapping_leaves_the_file,
    writing_to_a_read_only_mapping_fails_before_other_checks
);

fn writing_returns_the_count_and_moves_the_position<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    scene.eq("three", map.write_bytes(b"abc").unwrap(), 3);
    scene.eq("tell", map.tell(), 3);
    scene.eq("none", map.write_bytes(b"").unwrap(), 0);
    scene.eq("one", map.write_bytes(b"d").unwrap(), 1);
    map.seek(SeekFrom::End(-2)).unwrap();
    scene.eq("two", map.write_bytes(b"yz").unwrap(), 2);
    scene.eq("tell", map.tell(), 10);
    map.flush().unwrap();
    scene.file_is("f", b"abcd4567yz");
}

fn data_that_does_not_fit_is_an_error_and_nothing_is_written<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(5000);
    let mut map = scene.mapped("f", &content);
    map.seek(SeekFrom::Start(4990)).unwrap();
    scene.fails("11 of 10", &mut map, "OutOfRange", |map| map.write_bytes(b"hello world"));
    scene.fails("many of 10", &mut map, "OutOfRange", |map| map.write_bytes(&[0; 5000]));
    map.seek(SeekFrom::Start(0)).unwrap();
    scene.fails("5001 of 5000", &mut map, "OutOfRange", |map| map.write_bytes(&[0; 5001]));
    map.seek(SeekFrom::End(0)).unwrap();
    scene.fails("1 of none", &mut map, "OutOfRange", |map| map.write_bytes(b"x"));
    map.flush().unwrap();
    scene.file_is("f", &content);
}

fn writing_up_to_the_end_fits<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    scene.eq("all", map.write_bytes(b"HELLO").unwrap(), 5);
    map.seek(SeekFrom::Start(3)).unwrap();
    scene.eq("two", map.write_bytes(b"p!").unwrap(), 2);
    scene.eq("tell", map.tell(), 5);
    map.flush().unwrap();
    scene.file_is("f", b"HELp!");
}

fn writing_nothing_fits_up_to_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    scene.eq("at the start", map.write_bytes(b"").unwrap(), 0);
    map.seek(SeekFrom::End(0)).unwrap();
    scene.eq("at the end", map.write_bytes(b"").unwrap(), 0);
    map.resize(4).unwrap();
    scene.fails("past the end", &mut map, "OutOfRange", |map| map.write_bytes(b""));
}

fn a_byte_is_written_and_at_the_end_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    for byte in *b"HELL\xff" {
        map.write_byte(byte).unwrap();
    }
    scene.fails("the sixth", &mut map, "OutOfRange", |map| map.write_byte(b'!'));
    scene.eq("tell", map.tell(), 5);
    map.flush().unwrap();
    scene.file_is("f", b"HELL\xff");
}

fn writing_across_pages_reaches_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    // Miri takes minutes for that many.
    let (len, count, far) = if cfg!(miri) { (10_000, 5_001, 4_097) } else { (200_000, 130_001, 65_535) };
    let mut content = patternless(len);
    let mut map = scene.mapped("f", &content);
    let data = patternless(count);
    for start in [4095, 1, far] {
        map.seek(SeekFrom::Start(start as u64)).unwrap();
        scene.eq("count", map.write_bytes(&data).unwrap(), count);
        content[start..start + data.len()].copy_from_slice(&data);
    }
    scene.eq("tell", map.tell(), (far + count) as u64);
    scene.bytes("map", &map, &content);
    map.close().unwrap();
    scene.file_is("f", &content);
}

fn writing_in_a_window_leaves_the_rest_of_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = patternless(200_000);
    let file = scene.file("f", &content);
    let mut map = scene.map(MmapOptions::new().offset(64 << 10).len(10), &file).unwrap();
    map.write_bytes(b"0123456789").unwrap();
    scene.fails("past the mapping's end", &mut map, "OutOfRange", |map| map.write_byte(b'!'));
    map.close().unwrap();
    content[64 << 10..][..10].copy_from_slice(b"0123456789");
    scene.file_is("f", &content);
}

fn writing_never_makes_the_file_longer<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &[b'.'; 4097]);
    map.seek(SeekFrom::End(-1)).unwrap();
    map.write_byte(b'!').unwrap();
    // The page continues past the end of the mapping.
    scene.fails("past the end", &mut map, "OutOfRange", |map| map.write_byte(b'!'));
    map.flush().unwrap();
    scene.eq("the file's length", scene.file_len("f"), 4097);
    map.close().unwrap();
    scene.eq("the file's length", scene.file_len("f"), 4097);
}

fn writing_to_anonymous_memory_is_read_back<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.anonymous(13);
    scene.eq("count", map.write_bytes(b"Hello world!").unwrap(), 12);
    map.seek(SeekFrom::Start(0)).unwrap();
    scene.bytes("a line", map.readline().unwrap(), b"Hello world!\0");
    scene.fails("at the end", &mut map, "OutOfRange", |map| map.write_byte(0));
    map.flush().unwrap();
    scene.bytes("flushed", &map, b"Hello world!\0");
}

fn writing_to_a_copy_leaves_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    drop(scene.file("f", b"hello world"));
    let mut map = scene.map(MmapOptions::new().access(Access::Copy), &scene.open_read("f")).unwrap();
    scene.eq("bytes", map.write_bytes(b"HELLO").unwrap(), 5);
    map.write_byte(b'_').unwrap();
    scene.fails("too many", &mut map, "OutOfRange", |map| map.write_bytes(b"WORLD!"));
    scene.bytes("map", &map, b"HELLO_world");
    map.flush().unwrap();
    scene.file_is("f", b"hello world");
    map.close().unwrap();
    scene.file_is("f", b"hello world");
}

fn writing_to_a_private_mapping_leaves_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().flags(Flags::PRIVATE), &file).unwrap();
    scene.eq("access", map.access(), Access::Copy);
    map.write_bytes(b"HELLO").unwrap();
    scene.bytes("map", &map, b"HELLO");
    map.close().unwrap();
    scene.file_is("f", b"hello");
}

fn writing_to_a_read_only_mapping_fails_before_other_checks<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    scene.fails("bytes", &mut map, "ReadOnly", |map| map.write_bytes(b"HELLO"));
    scene.fails("too many", &mut map, "ReadOnly", |map| map.write_bytes(b"HELLO!"));
    scene.fails("none", &mut map, "ReadOnly", |map| map.write_bytes(b""));
    map.seek(SeekFrom::End(0)).unwrap();
    scene.fails("at the end", &mut map, "ReadOnly", |map| map.write_bytes(b"x"));
    scene.fails("a byte at the end", &mut map, "ReadOnly", |map| map.write_byte(b'x'));
    map.flush().unwrap();
    scene.file_is("f", b"hello");
}
