//! The iterator of lines returns the same lines as `readline`, and loads no page after a line.

use std::io::{ErrorKind, SeekFrom};

use portable_mmap::{Access, Mapping, MmapOptions};

use crate::others::{PAGE, UNIT};
use crate::random::{Random, patternless};
use crate::storages::{Emulated, Op};
use crate::{FileBackend, Scene, cases};

cases!("lines":
    lines_are_those_that_readline_returns,
    lines_start_at_the_position_which_stays,
    a_file_of_newlines_has_empty_lines,
    a_mapping_at_its_end_has_no_lines,
    lines_load_no_page_after_the_line,
    lines_end_after_an_error,
    lines_of_a_truncated_file_end_with_an_error [Truncation, FaultAddress],
    the_lines_of_a_closed_mapping_are_one_error
);

/// All lines from the position, read with `readline`.
fn by_readline<B: FileBackend>(map: &mut Mapping<B>) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    loop {
        let line = map.readline().unwrap().to_vec();
        if line.is_empty() {
            return lines;
        }
        lines.push(line);
    }
}

/// All lines from the position, read with the iterator.
fn by_iterator<B: FileBackend>(map: &Mapping<B>) -> Vec<Vec<u8>> {
    map.lines_with_terminator().map(|line| line.unwrap().to_vec()).collect()
}

/// Lines of fewer than `longest` bytes: `len` bytes in all, with or without a newline at the end.
fn text(random: &mut Random, len: usize, longest: usize) -> Vec<u8> {
    let mut text = patternless(len);
    text.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = 0x8a);
    let mut at = random.below(longest);
    while at < len {
        text[at] = b'\n';
        at += 1 + random.below(longest);
    }
    text
}

fn lines_are_those_that_readline_returns<B: FileBackend>(scene: &mut Scene<B>) {
    let mut count = 0;
    let (pages, seeds) = if cfg!(miri) { (1, 1..3) } else { (5, 1..40) };
    for seed in seeds {
        let mut random = Random::new(seed);
        let longest = random.pick(&[2, 40, 64, 65, 200, PAGE, 3 * PAGE]);
        let len = 1 + random.below(pages * PAGE);
        let content = text(&mut random, len, longest);
        let plain: Vec<&[u8]> = content.split_inclusive(|&byte| byte == b'\n').collect();
        let file = scene.file("f", &content);
        let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
        // First with pages that are not loaded, then with loaded pages.
        assert!(by_iterator(&map) == plain, "seed {seed}, loading");
        assert!(by_iterator(&map) == plain, "seed {seed}, loaded");
        assert!(by_readline(&mut map) == plain, "seed {seed}, readline");
        count += plain.len();
    }
    scene.eq("some lines were read", count > 10, true);
}

fn lines_start_at_the_position_which_stays<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"one\ntwo\nthree");
    map.seek(SeekFrom::Start(2)).unwrap();
    scene.eq("from the middle of a line", by_iterator(&map), [&b"e\n"[..], b"two\n", b"three"]);
    scene.eq("tell", map.tell(), 2);
    let mut lines = map.lines_with_terminator();
    lines.next();
    scene.eq("a clone continues from the same line", lines.clone().count(), 2);
    scene.eq("and so does the iterator", lines.count(), 2);
}

fn a_file_of_newlines_has_empty_lines<B: FileBackend>(scene: &mut Scene<B>) {
    for len in [1, 63, 64, 65, 128, 130] {
        let map = scene.mapped("f", &vec![b'\n'; len]);
        let lines = by_iterator(&map);
        scene.eq("lines", lines.len(), len);
        scene.eq("each is a newline", lines.iter().all(|line| line == b"\n"), true);
    }
}

fn a_mapping_at_its_end_has_no_lines<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"one\n");
    map.seek(SeekFrom::End(0)).unwrap();
    let mut lines = map.lines_with_terminator();
    scene.eq("none", lines.next().is_none(), true);
    scene.eq("and none after that", lines.next().is_none(), true);
}

fn lines_load_no_page_after_the_line<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = vec![b'x'; 100 * PAGE];
    for at in [9, 19, PAGE - 1, 5 * PAGE - 1] {
        content[at] = b'\n';
    }
    let e = Emulated::new(content);
    let mut lines = e.map.lines_with_terminator();
    for len in [10, 10, PAGE - 20] {
        scene.eq("a line of the first page", lines.next().unwrap().unwrap().len(), len);
    }
    scene.eq("bytes read", e.rig.count(Op::Read).1, PAGE as u64);
    scene.eq("a line of four pages", lines.next().unwrap().unwrap().len(), 4 * PAGE);
    // Sequential reading reads ahead twice as many pages each time.
    scene.eq("bytes read", e.rig.count(Op::Read).1 <= 8 * PAGE as u64, true);
}

fn lines_end_after_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = vec![b'x'; 3 * PAGE];
    content[9] = b'\n';
    let e = Emulated::new(content);
    let mut lines = e.map.lines_with_terminator();
    scene.eq("a line", lines.next().unwrap().unwrap().len(), 10);
    e.rig.fail(Op::Read, 0, 1, ErrorKind::TimedOut);
    scene.variant("the error", lines.next().unwrap().map(drop), "Io");
    scene.eq("the end", lines.next().is_none(), true);
}

fn lines_of_a_truncated_file_end_with_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = vec![b'x'; 2 * UNIT];
    content[9] = b'\n';
    content[UNIT - 1] = b'\n';
    let file = scene.file("f", &content);
    let map = scene.map(MmapOptions::new().guard(true), &file).unwrap();
    scene.set_file_len("f", UNIT);
    let mut lines = map.lines_with_terminator();
    scene.eq("a line", lines.next().unwrap().unwrap().len(), 10);
    scene.eq("a line that ends where the file ends", lines.next().unwrap().unwrap().len(), UNIT - 10);
    scene.variant("a lost line", lines.next().unwrap().map(drop), "Truncated");
    scene.eq("the end", lines.next().is_none(), true);
}

fn the_lines_of_a_closed_mapping_are_one_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"one\ntwo\n");
    map.close().unwrap();
    let mut lines = map.lines_with_terminator();
    scene.variant("closed", lines.next().unwrap().map(drop), "Closed");
    scene.eq("the end", lines.next().is_none(), true);
}
