//! A guarded mapping whose file is truncated: the program reads zeros, the mapping records a fault, and the process
//! survives.
//!
//! All accesses are to pages that are completely past the new end. In the page with the end, results would depend on
//! the page size.

use std::io::SeekFrom;

use portable_mmap::{Access, Advice, FaultKind, Mapping, MmapOptions, Slice};

use crate::others::{UNIT, pattern, resize};
use crate::{FileBackend, Scene, cases};

cases!("guard":
    a_guard_changes_nothing_while_the_file_is_whole,
    slices_read_zeros_and_the_fault_is_recorded [Truncation, FaultAddress],
    the_first_fault_is_reported [Truncation, FaultAddress],
    after_a_fault_every_fallible_call_returns_truncated [Truncation, FaultAddress],
    a_fallible_call_returns_truncated_without_an_earlier_access [Truncation, FaultAddress],
    a_call_that_returns_truncated_changes_nothing [Truncation, FaultAddress],
    a_search_over_lost_pages_returns_truncated [Truncation, FaultAddress],
    bytes_before_a_truncated_end_are_read_without_a_fault [Truncation],
    a_refresh_clears_a_fault [Truncation, FaultAddress],
    a_refresh_shows_what_the_file_holds_again [Truncation, FaultAddress],
    changes_before_a_truncated_end_are_not_lost [Truncation, FaultAddress],
    a_copy_is_guarded_too [Truncation, FaultAddress],
    a_reader_is_guarded_too [Truncation, FaultAddress],
    hints_record_no_fault [Truncation],
    a_refresh_of_another_range_does_not_clear_the_fault [Truncation, FaultAddress],
    a_window_at_an_offset_counts_from_the_start_of_the_file [Truncation, FaultAddress],
    closing_and_dropping_after_a_fault_is_fine [Truncation, FaultAddress]
);

/// A guarded mapping of two units whose file has been truncated to one.
fn truncated<B: FileBackend>(scene: &Scene<B>, access: Access) -> Mapping<B> {
    let file = scene.file("f", &pattern(2 * UNIT));
    let map = scene.map(MmapOptions::new().guard(true).access(access), &file).expect("a file can be mapped");
    scene.set_file_len("f", UNIT);
    map
}

fn note_fault<B: FileBackend>(scene: &mut Scene<B>, map: &Mapping<B>, offset: usize) {
    let fault = map.fault().map(|fault| (fault.offset, fault.kind));
    scene.eq("fault", fault, Some((offset as u64, FaultKind::Truncated)));
}

fn a_guard_changes_nothing_while_the_file_is_whole<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(2 * UNIT));
    let mut map = scene.map(MmapOptions::new().guard(true), &file).unwrap();
    let mut want = pattern(2 * UNIT);
    scene.bytes("map", &map, &want);
    map[UNIT] = 0;
    want[UNIT] = 0;
    map.flush().unwrap();
    map.refresh().unwrap();
    map.resize(UNIT + 1).unwrap();
    scene.bytes("map", &map, &want[..=UNIT]);
    scene.eq("fault", map.fault(), None);
    map.close().unwrap();
    scene.file_is("f", &want[..=UNIT]);
}

fn slices_read_zeros_and_the_fault_is_recorded<B: FileBackend>(scene: &mut Scene<B>) {
    let map = truncated(scene, Access::Write);
    scene.eq("before", map.fault(), None);
    scene.bytes("index", [map[UNIT]], [0]);
    note_fault(scene, &map, UNIT);
    scene.bytes("range", &map[UNIT..UNIT + 10], [0; 10]);
    scene.bytes("to the end", &map[UNIT..], vec![0; UNIT]);
    scene.eq("length", map.len(), 2 * UNIT);
}

fn the_first_fault_is_reported<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(4 * UNIT));
    let map = scene.map(MmapOptions::new().guard(true), &file).unwrap();
    scene.set_file_len("f", UNIT);
    scene.bytes("the last unit", [map[3 * UNIT]], [0]);
    scene.bytes("one before it", [map[2 * UNIT]], [0]);
    note_fault(scene, &map, 3 * UNIT);
}

fn after_a_fault_every_fallible_call_returns_truncated<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = truncated(scene, Access::Write);
    scene.bytes("zeros", [map[UNIT]], [0]);
    let m = &mut map;
    // Also calls that touch only bytes that are left, because the program may have read wrong bytes before.
    let answers = vec![
        ("get_item", m.get_item(0).map(drop)),
        ("set_item", m.set_item(0, 0)),
        ("get_slice", m.get_slice(0..5).map(drop)),
        ("set_slice", m.set_slice(0..1, b"x")),
        ("find", m.find(b"\x02").map(drop)),
        ("rfind_in", m.rfind_in(b"\x02", ..5).map(drop)),
        ("move_within", m.move_within(0, 1, 1)),
        ("readline", m.readline().map(|_| ())),
        ("read_byte", m.read_byte().map(drop)),
        ("write_bytes", m.write_bytes(b"x").map(drop)),
        ("seek", m.seek(SeekFrom::Start(0)).map(drop)),
        ("size", m.size().map(drop)),
        ("flush", m.flush()),
        ("flush_async_range", m.flush_async_range(0, 1)),
        ("advise", m.advise(Advice::Normal)),
        ("resize", m.resize(5)),
    ];
    for (call, answer) in answers {
        scene.variant(call, answer, "Truncated");
    }
    scene.eq("position", map.tell(), 0);
    scene.file_is("f", pattern(UNIT));
}

fn a_fallible_call_returns_truncated_without_an_earlier_access<B: FileBackend>(scene: &mut Scene<B>) {
    for call in ["get_item", "get_slice", "find", "read_byte", "range"] {
        let mut map = truncated(scene, Access::Write);
        let answer = match call {
            "get_item" => map.get_item(-1).map(drop),
            "get_slice" => map.get_slice(UNIT.cast_signed()..UNIT.cast_signed() + 5).map(drop),
            "find" => map.find_in(b"no such bytes", UNIT.cast_signed()..).map(drop),
            "read_byte" => map.seek(SeekFrom::Start(UNIT as u64)).and_then(|_| map.read_byte().map(drop)),
            _ => map.range(UNIT - 1..=UNIT).map(drop),
        };
        scene.variant(call, answer, "Truncated");
    }
}

fn a_call_that_returns_truncated_changes_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    // Each call touches both present and lost bytes.
    for call in ["write_bytes", "set_slice", "stepped", "backwards", "to lost bytes", "from lost bytes", "range_mut"] {
        let mut map = truncated(scene, Access::Write);
        map.seek(SeekFrom::Start(UNIT as u64 - 3)).unwrap();
        let at = UNIT.cast_signed();
        let answer = match call {
            "write_bytes" => map.write_bytes(b"??????").map(drop),
            "set_slice" => map.set_slice(at - 3..at + 3, b"??????"),
            "stepped" => map.set_slice(Slice::new(at - 10_000, at + 10_000, 10_000), b"??"),
            "backwards" => map.set_slice(Slice::new(at + 1, at - 3, -1), b"????"),
            "to lost bytes" => map.move_within(UNIT - 3, 0, 6),
            "from lost bytes" => map.move_within(0, UNIT - 3, 6),
            _ => map.range_mut(UNIT - 3..UNIT + 3).map(|bytes| bytes.fill(b'?')),
        };
        scene.variant(call, answer, "Truncated");
        scene.eq("position", map.tell(), UNIT as u64 - 3);
        scene.bytes("lost bytes", &map[UNIT..UNIT + 3], [0; 3]);
        map.refresh().unwrap();
        scene.bytes("the bytes that are left", &map[..UNIT], pattern(UNIT));
        map.close().unwrap();
        scene.file_is("f", pattern(UNIT));
    }
}

/// A search may skip bytes by the length of its needle, and so skip all lost pages. It returns the error nevertheless.
fn a_search_over_lost_pages_returns_truncated<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(UNIT + 2));
    let absent = [253; 12];
    for (name, is_first) in [("find", true), ("rfind", false)] {
        scene.set_file_len("f", UNIT + 2);
        let map = scene.map(MmapOptions::new().guard(true), &file).expect("a file can be mapped");
        scene.set_file_len("f", UNIT);
        let found = if is_first { map.find(absent) } else { map.rfind(absent) };
        scene.variant(name, found.map(drop), "Truncated");
        scene.eq("fault", map.fault().is_some(), true);
    }
}

fn bytes_before_a_truncated_end_are_read_without_a_fault<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = truncated(scene, Access::Write);
    scene.bytes("slice", &map[..UNIT], pattern(UNIT));
    let read = map.read_bytes(UNIT).unwrap().to_vec();
    scene.bytes("read", read, pattern(UNIT));
    scene.eq("found", map.find_in([251], ..UNIT.cast_signed()).unwrap(), Some(250));
    map[9] = 0;
    map.flush().unwrap();
    scene.eq("fault", map.fault(), None);
    let mut want = pattern(UNIT);
    want[9] = 0;
    scene.file_is("f", want);
}

fn a_refresh_clears_a_fault<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = truncated(scene, Access::Write);
    for _ in 0..2 {
        scene.bytes("gone", [map[UNIT + 5]], [0]);
        let answer = map.get_item(0);
        scene.variant("get_item", answer, "Truncated");
        map.refresh().unwrap();
        scene.eq("fault", map.fault(), None);
        scene.eq("get_item", map.get_item(0).unwrap(), 1);
    }
}

fn a_refresh_shows_what_the_file_holds_again<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = truncated(scene, Access::Write);
    scene.bytes("gone", &map[UNIT..UNIT + 5], [0; 5]);
    scene.set_file_len("f", 2 * UNIT);
    scene.overwrite("f", UNIT as u64, b"hello");
    map.refresh().unwrap();
    scene.bytes("there", &map[UNIT..UNIT + 6], b"hello\0");
    scene.eq("fault", map.fault(), None);
    map[UNIT] = b'j';
    map.close().unwrap();
    let mut want = pattern(UNIT);
    resize(&mut want, 2 * UNIT, 0);
    want[UNIT..UNIT + 5].copy_from_slice(b"jello");
    scene.file_is("f", want);
}

fn changes_before_a_truncated_end_are_not_lost<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = truncated(scene, Access::Write);
    map[9] = 0;
    scene.bytes("gone", [map[UNIT]], [0]);
    map.refresh().unwrap();
    scene.eq("own change", map[9], 0);
    map.flush().unwrap();
    let mut want = pattern(UNIT);
    want[9] = 0;
    scene.file_is("f", want);
}

fn a_copy_is_guarded_too<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = truncated(scene, Access::Copy);
    map[9] = 0;
    scene.bytes("gone", [map[UNIT]], [0]);
    note_fault(scene, &map, UNIT);
    map.refresh().unwrap();
    scene.eq("own change", map.get_item(9).unwrap(), 0);
    scene.file_is("f", pattern(UNIT));
}

fn a_reader_is_guarded_too<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = truncated(scene, Access::Read);
    scene.bytes("gone", [map[UNIT]], [0]);
    note_fault(scene, &map, UNIT);
    let answer = map.set_item(0, 0);
    scene.variant("truncated before read-only", answer, "Truncated");
    map.refresh().unwrap();
    let answer = map.set_item(0, 0);
    scene.variant("read-only again", answer, "ReadOnly");
}

fn hints_record_no_fault<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = truncated(scene, Access::Write);
    for &advice in Advice::ALL {
        map.advise(advice).unwrap();
        map.advise_range(advice, UNIT, UNIT).unwrap();
    }
    scene.eq("fault", map.fault(), None);
    scene.eq("get_item", map.get_item(0).unwrap(), 1);
}

fn a_refresh_of_another_range_does_not_clear_the_fault<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = truncated(scene, Access::Write);
    scene.bytes("gone", [map[UNIT]], [0]);
    map.refresh_range(0, UNIT).unwrap();
    // The lost pages still read as zeros, so the error has to stay.
    note_fault(scene, &map, UNIT);
    let answer = map.get_item(UNIT.cast_signed());
    scene.variant("get_item", answer, "Truncated");
    map.refresh_range(UNIT, UNIT).unwrap();
    scene.eq("fault", map.fault(), None);
    scene.eq("get_item", map.get_item(0).unwrap(), 1);
    let answer = map.get_item(UNIT.cast_signed());
    scene.variant("still gone", answer, "Truncated");
}

fn a_window_at_an_offset_counts_from_the_start_of_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(4 * UNIT));
    let map = scene.map(MmapOptions::new().guard(true).offset(UNIT as u64).len(2 * UNIT), &file).unwrap();
    scene.set_file_len("f", 2 * UNIT);
    scene.bytes("there", [map[UNIT - 1]], [pattern(2 * UNIT)[2 * UNIT - 1]]);
    scene.bytes("gone", [map[UNIT + 4097]], [0]);
    // The offset is rounded down to a page, whose size differs, so only the unit is observed.
    let fault = map.fault().map(|fault| fault.offset / UNIT as u64);
    scene.eq("fault", fault, Some(2));
}

fn closing_and_dropping_after_a_fault_is_fine<B: FileBackend>(scene: &mut Scene<B>) {
    let map = truncated(scene, Access::Write);
    scene.bytes("gone", [map[UNIT]], [0]);
    drop(map);
    let mut map = truncated(scene, Access::Write);
    scene.bytes("gone", [map[UNIT]], [0]);
    map.close().unwrap();
    scene.eq("fault", map.fault(), None);
    scene.file_is("f", pattern(UNIT));
}
