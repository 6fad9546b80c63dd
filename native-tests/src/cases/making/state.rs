//! The calls that never fail, and `Debug`.

use std::io::SeekFrom;

use portable_mmap::{Access, Mapping, MmapOptions};

use super::STEP;
use crate::{FileBackend, HOSTED, Scene, cases};

cases!("state":
    the_properties_of_a_new_mapping,
    the_properties_of_a_closed_mapping,
    units_are_powers_of_two_that_divide_64_kib,
    the_access_follows_from_the_options,
    debug_shows_the_state_and_never_the_bytes
);

fn the_properties_of_a_new_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = vec![b'.'; 65_536];
    content.extend(b"hello");
    let file = scene.file("f", &content);
    let mut map = scene.map(MmapOptions::new().offset(STEP).access(Access::Write), &file).unwrap();
    scene.eq("len", map.len(), 5);
    scene.eq("is_empty", map.is_empty(), false);
    scene.eq("is_closed", map.is_closed(), false);
    scene.eq("seekable", map.seekable(), true);
    scene.eq("tell", map.tell(), 0);
    scene.eq("access", map.access(), Access::Write);
    scene.eq("offset", map.offset(), STEP);
    scene.eq("backend", ["mapped", HOSTED, "buffered"].contains(&map.backend_name()), true);
    scene.eq("fault", map.fault(), None);
    scene.eq("file", map.file().is_some(), true);
    map.seek(SeekFrom::Start(3)).unwrap();
    scene.eq("tell after a seek", map.tell(), 3);
}

fn the_properties_of_a_closed_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.seek(SeekFrom::Start(3)).unwrap();
    map.close().unwrap();
    scene.eq("len", map.len(), 0);
    scene.eq("is_empty", map.is_empty(), true);
    scene.eq("is_closed", map.is_closed(), true);
    scene.eq("seekable", map.seekable(), true);
    scene.eq("tell", map.tell(), 3);
    scene.eq("access", map.access(), Access::Default);
    scene.eq("offset", map.offset(), 0);
    scene.eq("backend", map.backend_name(), "closed");
    scene.eq("fault", map.fault(), None);
    scene.eq("file", map.file().is_none(), true);
    scene.bytes("the slice face", &map[..], b"");
    scene.eq("iterator", map.iter().count(), 0);
}

fn units_are_powers_of_two_that_divide_64_kib<B: FileBackend>(scene: &mut Scene<B>) {
    let (page, granularity) = (Mapping::<B>::page_size(), Mapping::<B>::allocation_granularity());
    scene.eq("page", page.is_power_of_two() && page >= 4096, true);
    scene.eq("granularity", granularity.is_power_of_two() && granularity % page == 0, true);
    scene.eq("64 KiB", (65_536 % page, 65_536 % granularity), (0, 0));
    // Those of a buffer are the same on every target.
    let buffered = scene.anonymous(1).backend_name() == "buffered";
    scene.eq("a buffer's", !buffered || (page, granularity) == (4096, 4096), true);
}

fn the_access_follows_from_the_options<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    for access in [Access::Default, Access::Read, Access::Write, Access::Copy] {
        let mut map = scene.map(MmapOptions::new().access(access), &file).unwrap();
        scene.eq("access", map.access(), access);
        scene.eq("writable", map.set_item(0, b'h').is_ok(), access.is_writable());
    }
}

fn debug_shows_the_state_and_never_the_bytes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = vec![b'.'; 65_536];
    content.extend(b"SECRET");
    let file = scene.file("f", &content);
    let mut map = scene.map(MmapOptions::new().offset(STEP).access(Access::Copy), &file).unwrap();
    map.seek(SeekFrom::Start(4)).unwrap();
    map[0] = b'S';
    let name = format!("{:?}", map.backend_name());
    let plain = format!("{map:?}").replace(&name, "…");
    scene.eq("debug", plain, "Mapping { access: Copy, len: 6, position: 4, offset: 65536, backend: …, .. }");
    for text in [format!("{map:?}"), format!("{map:#?}"), format!("{:?}", Some(&map))] {
        // As text, as numbers and in hexadecimal.
        scene.eq("leaks", ["SEC", "83", "0x53"].iter().any(|part| text.contains(part)), false);
    }
    map.close().unwrap();
    let closed = "Mapping { access: Copy, len: 0, position: 4, offset: 65536, backend: \"closed\", .. }";
    scene.eq("closed", format!("{map:?}"), closed);
}
