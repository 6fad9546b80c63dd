//! The slice face: indexing and slicing as a `[u8]` does.

use crate::{FileBackend, Scene, cases};

cases!("slice":
    ranges_of_every_form_borrow_their_bytes,
    assigning_through_an_index_reaches_the_file;
    panicking an_index_past_the_end_panics_as_a_slice_does "index out of bounds: the len is 5 but the index is 5"
);

fn ranges_of_every_form_borrow_their_bytes<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"hello");
    scene.bytes("..", &map[..], b"hello");
    scene.bytes("1..3", &map[1..3], b"el");
    scene.bytes("1..=3", &map[1..=3], b"ell");
    scene.bytes("..2", &map[..2], b"he");
    scene.bytes("..=2", &map[..=2], b"hel");
    scene.bytes("3..", &map[3..], b"lo");
    scene.bytes("5..", &map[5..], b"");
}

fn assigning_through_an_index_reaches_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map[0] = 97;
    map[2..4].copy_from_slice(b"LL");
    scene.bytes("map", &map, b"aeLLo");
    map.flush().unwrap();
    scene.file_is("f", b"aeLLo");
}

fn an_index_past_the_end_panics_as_a_slice_does<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"hello");
    scene.eq("the last byte", map[4], b'o');
    let _ = map[5];
}
