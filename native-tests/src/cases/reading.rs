//! Reading at the position: bytes, single bytes and lines.

use std::io::SeekFrom;

use portable_mmap::{Mapping, MmapOptions};

use crate::random::patternless;
use crate::{FileBackend, Scene, cases};

cases!("reading":
    reading_returns_at_most_the_rest,
    reading_moves_the_position_past_the_bytes,
    reading_at_the_end_returns_nothing,
    a_loop_of_reads_gives_every_byte_once,
    reading_across_pages_gives_every_byte,
    a_byte_is_read_and_at_the_end_is_an_error,
    lines_come_with_their_newlines,
    the_last_line_may_lack_its_newline,
    empty_lines_are_lines,
    a_line_is_read_from_the_middle,
    only_a_newline_ends_a_line,
    lines_longer_than_1_kib_are_whole,
    lines_longer_than_64_kib_are_whole,
    a_long_line_without_a_newline_is_whole,
    a_line_ends_at_the_mappings_end_and_not_the_files,
    lines_and_bytes_share_the_position,
    written_bytes_are_read_back,
    anonymous_memory_is_read_as_zeros;
    large lines_longer_than_1_mib_are_whole
);

fn reading_returns_at_most_the_rest<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello world");
    scene.bytes("5", map.read_bytes(5).unwrap(), b"hello");
    scene.bytes("Some(1)", map.read_bytes(Some(1)).unwrap(), b" ");
    scene.bytes("0", map.read_bytes(0).unwrap(), b"");
    scene.bytes("99", map.read_bytes(99).unwrap(), b"world");
    map.seek(SeekFrom::Start(6)).unwrap();
    scene.bytes("None", map.read_bytes(None).unwrap(), b"world");
    map.seek(SeekFrom::Start(9)).unwrap();
    scene.bytes("the greatest number", map.read_bytes(usize::MAX).unwrap(), b"ld");
}

fn reading_moves_the_position_past_the_bytes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    for (n, position) in [(2, 2), (0, 2), (1, 3), (9, 5), (1, 5)] {
        map.read_bytes(n).unwrap();
        scene.eq(&format!("after {n}"), map.tell(), position);
    }
}

fn reading_at_the_end_returns_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.seek(SeekFrom::End(0)).unwrap();
    scene.bytes("None", map.read_bytes(None).unwrap(), b"");
    scene.bytes("1", map.read_bytes(1).unwrap(), b"");
    scene.bytes("the greatest number", map.read_bytes(usize::MAX).unwrap(), b"");
    scene.bytes("a line", map.readline().unwrap(), b"");
    scene.eq("tell", map.tell(), 5);
}

fn a_loop_of_reads_gives_every_byte_once<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(100_000);
    let mut map = scene.mapped("f", &content);
    let (mut all, mut reads) = (Vec::new(), 0);
    loop {
        let part = map.read_bytes(4097).unwrap();
        if part.is_empty() {
            break;
        }
        all.extend_from_slice(part);
        reads += 1;
    }
    scene.bytes("all", all, &content);
    scene.eq("reads and position", (reads, map.tell()), (25, 100_000));
}

fn reading_across_pages_gives_every_byte<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(300_000);
    let mut map = scene.mapped("f", &content);
    for border in [4096, 64 << 10, 128 << 10] {
        map.seek(SeekFrom::Start(border as u64 - 3)).unwrap();
        scene.bytes("around a border", map.read_bytes(6).unwrap(), &content[border - 3..border + 3]);
    }
    map.seek(SeekFrom::Start(1)).unwrap();
    scene.bytes("several pages", map.read_bytes(200_000).unwrap(), &content[1..200_001]);
    scene.bytes("the rest", map.read_bytes(None).unwrap(), &content[200_001..]);
}

fn a_byte_is_read_and_at_the_end_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"\x00\xff!");
    let bytes: Vec<u8> = (0..3).map(|_| map.read_byte().unwrap()).collect();
    scene.bytes("three", bytes, b"\x00\xff!");
    scene.fails("the fourth", &mut map, "OutOfRange", Mapping::read_byte);
    scene.eq("tell", map.tell(), 3);
}

/// All lines from the position.
fn lines<B: FileBackend>(map: &mut Mapping<B>) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = map.readline().unwrap();
        if line.is_empty() {
            return lines;
        }
        lines.push(line.escape_ascii().to_string());
    }
}

fn lines_come_with_their_newlines<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"one\ntwo\nthree\n");
    scene.bytes("the first", map.readline().unwrap(), b"one\n");
    scene.eq("tell", map.tell(), 4);
    scene.bytes("the second", map.readline().unwrap(), b"two\n");
    scene.bytes("the third", map.readline().unwrap(), b"three\n");
    scene.bytes("at the end", map.readline().unwrap(), b"");
    scene.eq("tell", map.tell(), 14);
}

fn the_last_line_may_lack_its_newline<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"one\ntwo");
    scene.eq("lines", lines(&mut map), [r"one\n", "two"]);
    scene.eq("tell", map.tell(), 7);
    let mut map = scene.mapped("g", b"one");
    scene.eq("the only line", lines(&mut map), ["one"]);
}

fn empty_lines_are_lines<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"\n\none\n\n\n");
    scene.eq("lines", lines(&mut map), [r"\n", r"\n", r"one\n", r"\n", r"\n"]);
    let mut map = scene.mapped("g", b"\n");
    scene.eq("the only line", lines(&mut map), [r"\n"]);
}

fn a_line_is_read_from_the_middle<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"one\ntwo\n");
    map.seek(SeekFrom::Start(2)).unwrap();
    scene.bytes("from e", map.readline().unwrap(), b"e\n");
    map.seek(SeekFrom::Start(3)).unwrap();
    scene.bytes("from the newline", map.readline().unwrap(), b"\n");
    map.seek(SeekFrom::Start(7)).unwrap();
    scene.bytes("from the last newline", map.readline().unwrap(), b"\n");
}

fn only_a_newline_ends_a_line<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"one\r\ntwo\rthree\0four\x0bfive\xff\x85\nsix");
    scene.eq("lines", lines(&mut map), [r"one\r\n", r"two\rthree\x00four\x0bfive\xff\x85\n", "six"]);
}

/// Reads lines of one byte less to two bytes more than `len`, including the newline, one after the other and each in
/// its own mapping.
fn lines_around<B: FileBackend>(scene: &mut Scene<B>, len: usize) {
    let around: Vec<Vec<u8>> = (len - 1..=len + 2)
        .map(|len| {
            let mut line = patternless(len);
            for byte in &mut line {
                *byte |= 0x80;
            }
            line[len - 1] = b'\n';
            line
        })
        .collect();
    let mut map = scene.mapped("all", &around.concat());
    for line in &around {
        scene.bytes("a line", map.readline().unwrap(), line);
    }
    scene.bytes("at the end", map.readline().unwrap(), b"");
    for line in &around {
        let mut map = scene.mapped("one", &[line.as_slice(), b"behind"].concat());
        scene.bytes("the line", map.readline().unwrap(), line);
        scene.eq("tell", map.tell(), line.len() as u64);
        scene.bytes("the next line", map.readline().unwrap(), b"behind");
    }
}

fn lines_longer_than_1_kib_are_whole<B: FileBackend>(scene: &mut Scene<B>) {
    lines_around(scene, 1 << 10);
    lines_around(scene, 3 << 10);
    lines_around(scene, 4096);
}

fn lines_longer_than_64_kib_are_whole<B: FileBackend>(scene: &mut Scene<B>) {
    // Miri takes minutes for each.
    let lengths: &[usize] = if cfg!(miri) { &[64 << 10] } else { &[63 << 10, 64 << 10, 127 << 10] };
    for &len in lengths {
        lines_around(scene, len);
    }
}

fn lines_longer_than_1_mib_are_whole<B: FileBackend>(scene: &mut Scene<B>) {
    lines_around(scene, 1023 << 10);
    lines_around(scene, 1 << 20);
    lines_around(scene, 2047 << 10);
    lines_around(scene, 3071 << 10);
}

fn a_long_line_without_a_newline_is_whole<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = vec![b'.'; 150_000];
    content[9] = b'\n';
    let mut map = scene.mapped("f", &content);
    scene.bytes("the first", map.readline().unwrap(), &content[..10]);
    scene.bytes("the second", map.readline().unwrap(), &content[10..]);
    scene.bytes("at the end", map.readline().unwrap(), b"");
}

fn a_line_ends_at_the_mappings_end_and_not_the_files<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"one\ntwo\n");
    let mut map = scene.map(MmapOptions::new().len(6), &file).unwrap();
    scene.eq("lines", lines(&mut map), [r"one\n", "tw"]);
    scene.bytes("read_bytes", map.read_bytes(None).unwrap(), b"");
    scene.fails("read_byte", &mut map, "OutOfRange", Mapping::read_byte);
}

fn lines_and_bytes_share_the_position<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"head\nbody body\ntail");
    scene.bytes("a line", map.readline().unwrap(), b"head\n");
    scene.eq("a byte", map.read_byte().unwrap(), b'b');
    scene.bytes("bytes", map.read_bytes(4).unwrap(), b"ody ");
    map.write_bytes(b"B").unwrap();
    scene.bytes("the rest of the line", map.readline().unwrap(), b"ody\n");
    scene.bytes("the rest", map.read_bytes(None).unwrap(), b"tail");
}

fn written_bytes_are_read_back<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello world");
    map[5] = b'\n';
    scene.bytes("a line", map.readline().unwrap(), b"hello\n");
    map.write_bytes(b"W").unwrap();
    map.seek(SeekFrom::Start(6)).unwrap();
    scene.bytes("bytes", map.read_bytes(None).unwrap(), b"World");
}

fn anonymous_memory_is_read_as_zeros<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.anonymous(10_000);
    scene.bytes("a line", map.readline().unwrap(), [0; 10_000]);
    map.seek(SeekFrom::Start(5000)).unwrap();
    scene.eq("a byte", map.read_byte().unwrap(), 0);
    scene.bytes("bytes", map.read_bytes(3).unwrap(), [0; 3]);
    scene.eq("size", map.size().unwrap(), 10_000);
}
