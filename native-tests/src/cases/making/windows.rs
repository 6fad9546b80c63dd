//! Mappings of a part of a file, and several mappings of one file.

use portable_mmap::{Access, Mapping, MmapOptions};

use super::{pattern, read_through, write_through};
use crate::others::resize;
use crate::{FileBackend, Scene, cases};

cases!("windows":
    the_bytes_around_a_window_stay,
    a_window_that_ends_inside_a_page_leaves_the_rest_of_it,
    indices_and_positions_count_from_the_start_of_the_window,
    the_size_is_the_file_s_and_not_the_window_s,
    windows_that_tile_a_file_write_all_of_it,
    bytes_of_others_beside_a_window_survive,
    an_untouched_window_writes_nothing,
    two_mappings_of_one_file_see_each_other_s_changes,
    changes_of_two_mappings_in_one_page_both_survive,
    mappings_of_two_descriptors_of_one_file_agree,
    mappings_of_two_files_are_independent,
    closing_one_mapping_leaves_the_others
);

/// A multiple of the granularity of every backend, in bytes. Miri is slow for that many, and has only buffers.
const GRAIN: usize = if cfg!(miri) { 4096 } else { 64 << 10 };
const STEP: u64 = GRAIN as u64;

fn window<B: FileBackend>(scene: &Scene<B>, name: &str, offset: u64, len: usize) -> Mapping<B> {
    let file = scene.open(name, std::fs::OpenOptions::new().read(true).write(true));
    scene.map(MmapOptions::new().offset(offset).len(len), &file).unwrap()
}

fn the_bytes_around_a_window_stay<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = pattern(4 * GRAIN);
    drop(scene.file("f", &content));
    let mut map = window(scene, "f", STEP, 2 * GRAIN);
    scene.bytes("bytes", &map, &content[GRAIN..3 * GRAIN]);
    map[..].fill(b'w');
    content[GRAIN..3 * GRAIN].fill(b'w');
    map.flush().unwrap();
    scene.file_is("f", &content);
    map.close().unwrap();
    scene.file_is("f", content);
}

fn a_window_that_ends_inside_a_page_leaves_the_rest_of_it<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = pattern(3 * GRAIN);
    drop(scene.file("f", &content));
    for len in [1, 100, 4095, 4097, GRAIN - 1] {
        let mut map = window(scene, "f", STEP, len);
        map[..].fill(b'w');
        map.close().unwrap();
        content[GRAIN..GRAIN + len].fill(b'w');
        scene.file_is("f", &content);
    }
}

fn indices_and_positions_count_from_the_start_of_the_window<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = vec![b'.'; GRAIN];
    content.extend(b"one\ntwo\nthree");
    drop(scene.file("f", &content));
    let mut map = window(scene, "f", STEP, 8);
    scene.eq("offset", map.offset(), STEP);
    scene.eq("first", map[0], b'o');
    scene.eq("find", map.find("two").unwrap(), Some(4));
    scene.eq("nothing after the window", map.find("three").unwrap(), None);
    scene.bytes("line", map.readline().unwrap(), b"one\n");
    scene.eq("tell", map.tell(), 4);
    scene.eq("seek to the end", map.seek(std::io::SeekFrom::End(0)).unwrap(), 8);
    map.set_item(-1, b'!').unwrap();
    map.close().unwrap();
    scene.bytes("file", &scene.content("f")[GRAIN..], b"one\ntwo!three");
}

fn the_size_is_the_file_s_and_not_the_window_s<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(200_000));
    let map = scene.map(MmapOptions::new().offset(STEP).len(10), &file).unwrap();
    scene.eq("size", map.size().unwrap(), 200_000);
    scene.eq("length", map.len(), 10);
    file.set_len(300_000).unwrap();
    scene.eq("size now", map.size().unwrap(), 300_000);
    scene.eq("length still", map.len(), 10);
}

fn windows_that_tile_a_file_write_all_of_it<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(5 * GRAIN + 77);
    drop(scene.file("f", &content));
    let mut maps: Vec<_> = (0..6)
        .map(|i| window(scene, "f", i * STEP, (content.len() - usize::try_from(i).unwrap() * GRAIN).min(GRAIN)))
        .collect();
    // The last one first: they are independent.
    for (map, letter) in maps.iter_mut().zip(*b"abcdef").rev() {
        map[..].fill(letter);
    }
    for map in &mut maps {
        map.close().unwrap();
    }
    let mut want = Vec::new();
    for letter in *b"abcdef" {
        let len = content.len().min(want.len() + GRAIN);
        resize(&mut want, len, letter);
    }
    scene.file_is("f", want);
}

fn bytes_of_others_beside_a_window_survive<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = pattern(3 * GRAIN);
    let file = scene.file("f", &content);
    let mut map = scene.map(MmapOptions::new().offset(STEP).len(100), &file).unwrap();
    map[99] = b'w';
    // After the window in its last page, and before it.
    write_through(&file, STEP + 100, b"behind");
    write_through(&file, STEP - 6, b"before");
    map[0] = b'w';
    map.close().unwrap();
    content[GRAIN] = b'w';
    content[GRAIN + 99..GRAIN + 106].copy_from_slice(b"wbehind");
    content[GRAIN - 6..GRAIN].copy_from_slice(b"before");
    scene.file_is("f", content);
}

fn an_untouched_window_writes_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(2 * GRAIN);
    let file = scene.file("f", &content);
    let mut map = scene.map(MmapOptions::new().offset(STEP), &file).unwrap();
    assert_eq!(map[..], content[GRAIN..]);
    write_through(&file, STEP + 5, b"of another");
    map.flush().unwrap();
    map.close().unwrap();
    scene.bytes("the bytes of another writer", read_through(&file, STEP + 5, 10), b"of another");
    scene.eq("length", scene.file_len("f"), 2 * STEP);
}

fn two_mappings_of_one_file_see_each_other_s_changes<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(2 * GRAIN + 4464);
    let file = scene.file("f", &content);
    let mut whole = scene.map(&MmapOptions::new(), &file).unwrap();
    let mut part = scene.map(MmapOptions::new().offset(STEP), &file).unwrap();
    scene.bytes("both", &whole[GRAIN..], &part);
    // With a buffer this needs a flush on one side and a refresh on the other.
    whole[GRAIN + 4464] = b'w';
    whole.flush_async().unwrap();
    part.refresh().unwrap();
    scene.eq("seen in the part", part[4464], b'w');
    part[1] = b'p';
    part.flush_async().unwrap();
    whole.refresh().unwrap();
    scene.eq("seen in the whole", whole[GRAIN + 1], b'p');
    whole.close().unwrap();
    part.close().unwrap();
    let mut want = content;
    want[GRAIN + 4464] = b'w';
    want[GRAIN + 1] = b'p';
    scene.file_is("f", want);
}

fn changes_of_two_mappings_in_one_page_both_survive<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"0123456789");
    let mut one = scene.map(&MmapOptions::new(), &file).unwrap();
    let mut two = scene.map(&MmapOptions::new(), &file).unwrap();
    one[0] = b'a';
    two[1] = b'b';
    one[2] = b'c';
    two[9] = b'd';
    one.close().unwrap();
    two.close().unwrap();
    scene.file_is("f", b"abc345678d");
}

fn mappings_of_two_descriptors_of_one_file_agree<B: FileBackend>(scene: &mut Scene<B>) {
    let mut writer = scene.mapped("f", b"hello");
    let mut reader = scene.map(MmapOptions::new().access(Access::Read), &scene.open_read("f")).unwrap();
    scene.bytes("before", &reader, b"hello");
    writer[..].copy_from_slice(b"JELLY");
    writer.flush().unwrap();
    reader.refresh().unwrap();
    scene.bytes("after", &reader, b"JELLY");
}

fn mappings_of_two_files_are_independent<B: FileBackend>(scene: &mut Scene<B>) {
    let mut first = scene.mapped("first", b"hello");
    let mut second = scene.mapped("second", b"hello");
    first[0] = b'1';
    second[4] = b'2';
    first.flush().unwrap();
    scene.file_is("first", b"1ello");
    second.close().unwrap();
    scene.file_is("second", b"hell2");
    scene.bytes("first", &first, b"1ello");
}

fn closing_one_mapping_leaves_the_others<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut maps: Vec<_> = (0..3).map(|_| scene.map(&MmapOptions::new(), &file).unwrap()).collect();
    maps[1].close().unwrap();
    drop(maps.remove(0));
    scene.eq("closed", maps[0].is_closed(), true);
    scene.bytes("the last", &maps[1], b"hello");
    maps[1][0] = b'J';
    maps[1].close().unwrap();
    scene.file_is("f", b"Jello");
}
