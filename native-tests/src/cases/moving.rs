//! Moving bytes within a mapping. (Python's `move`)

use portable_mmap::{Access, MmapOptions};

use crate::random::patternless;
use crate::{FileBackend, Scene, cases};

cases!("moving":
    bytes_move_up_over_themselves,
    bytes_move_down_over_themselves,
    bytes_are_copied_far_away,
    overlapping_moves_across_pages_keep_every_byte,
    moving_to_the_same_place_changes_nothing,
    moving_nothing_is_fine_up_to_the_end,
    a_range_outside_is_an_error_and_nothing_moves,
    moving_neither_needs_nor_moves_the_position,
    moving_in_a_read_only_mapping_fails_before_other_checks,
    moving_in_a_copy_leaves_the_file,
    moving_in_anonymous_memory_moves_zeros_too
);

fn bytes_move_up_over_themselves<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    map.move_within(2, 0, 6).unwrap();
    scene.bytes("map", &map, b"0101234589");
    map.move_within(1, 0, 9).unwrap();
    map.flush().unwrap();
    scene.file_is("f", b"0010123458");
}

fn bytes_move_down_over_themselves<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    map.move_within(0, 2, 6).unwrap();
    scene.bytes("map", &map, b"2345676789");
    map.move_within(0, 1, 9).unwrap();
    map.flush().unwrap();
    scene.file_is("f", b"3456767899");
}

fn bytes_are_copied_far_away<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = patternless(300_000);
    let mut map = scene.mapped("f", &content);
    map.move_within(290_000, 4090, 10_000).unwrap();
    content.copy_within(4090..14_090, 290_000);
    map.move_within(0, 65_530, 9).unwrap();
    content.copy_within(65_530..65_539, 0);
    scene.bytes("map", &map, &content);
    map.close().unwrap();
    scene.file_is("f", &content);
}

fn overlapping_moves_across_pages_keep_every_byte<B: FileBackend>(scene: &mut Scene<B>) {
    // Miri takes minutes for that many.
    let (len, count, far) = if cfg!(miri) { (13_000, 4_500, 8192) } else { (200_000, 130_000, 65_536) };
    let mut content = patternless(len);
    let file = scene.file("f", &content);
    for distance in [1, 7, 4095, 4096, 4097, far] {
        for (dest, src) in [(distance, 0), (100, 100 + distance)] {
            // A new mapping, so that no page is loaded yet.
            let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
            map.move_within(dest, src, count).unwrap();
            content.copy_within(src..src + count, dest);
            scene.bytes(&format!("from {src} to {dest}"), &map, &content);
            map.close().unwrap();
            scene.file_is("f", &content);
        }
    }
}

fn moving_to_the_same_place_changes_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.move_within(0, 0, 5).unwrap();
    map.move_within(3, 3, 2).unwrap();
    map.flush().unwrap();
    scene.file_is("f", b"hello");
}

fn moving_nothing_is_fine_up_to_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    for (dest, src) in [(0, 0), (5, 0), (0, 5), (5, 5), (2, 3)] {
        map.move_within(dest, src, 0).unwrap();
    }
    scene.bytes("map", &map, b"hello");
    scene.fails("from past the end", &mut map, "OutOfRange", |map| map.move_within(0, 6, 0));
    scene.fails("to past the end", &mut map, "OutOfRange", |map| map.move_within(6, 0, 0));
}

fn a_range_outside_is_an_error_and_nothing_moves<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(5000);
    let mut map = scene.mapped("f", &content);
    for (dest, src, count) in [(0, 1, 5000), (1, 0, 5000), (0, 0, 5001), (0, 5000, 1), (5000, 0, 1), (9999, 0, 2)] {
        let label = format!("{count} from {src} to {dest}");
        scene.fails(&label, &mut map, "OutOfRange", |map| map.move_within(dest, src, count));
    }
    // For the largest numbers the transcript has only the variant, because they differ by target.
    let max = usize::MAX;
    for (dest, src, count) in [(0, 0, max), (max, 0, 1), (0, max, 1), (1, 2, max), (max, max, max), (max, max, 0)] {
        let refused = map.move_within(dest, src, count).map_err(|e| e.name());
        scene.eq("the greatest numbers", refused, Err("OutOfRange"));
    }
    map.flush().unwrap();
    scene.file_is("f", &content);
}

fn moving_neither_needs_nor_moves_the_position<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.seek(std::io::SeekFrom::Start(4)).unwrap();
    map.move_within(0, 1, 4).unwrap();
    scene.eq("tell", map.tell(), 4);
    scene.bytes("map", &map, b"elloo");
}

fn moving_in_a_read_only_mapping_fails_before_other_checks<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    for (dest, src, count) in [(0, 1, 2), (0, 0, 0), (9, 9, 9)] {
        let label = format!("{count} from {src} to {dest}");
        scene.fails(&label, &mut map, "ReadOnly", |map| map.move_within(dest, src, count));
    }
}

fn moving_in_a_copy_leaves_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(20_000);
    drop(scene.file("f", &content));
    let mut map = scene.map(MmapOptions::new().access(Access::Copy), &scene.open_read("f")).unwrap();
    map.move_within(0, 10_000, 10_000).unwrap();
    scene.bytes("map", &map, [&content[10_000..], &content[10_000..]].concat());
    map.close().unwrap();
    scene.file_is("f", &content);
}

fn moving_in_anonymous_memory_moves_zeros_too<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.anonymous(10_000);
    map[..5].copy_from_slice(b"hello");
    map.move_within(9990, 0, 10).unwrap();
    map.move_within(0, 5000, 3).unwrap();
    scene.bytes("the start", &map[..10], b"\0\0\0lo\0\0\0\0\0");
    scene.bytes("the end", &map[9985..], b"\0\0\0\0\0hello\0\0\0\0\0");
}
