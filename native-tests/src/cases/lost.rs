//! Pages that a guarded mapping has lost: which pages, until when, and the effect of stores to them.
//!
//! A file is truncated to whole units, so that results do not depend on the page size.

use std::collections::BTreeSet;
use std::io::{BufRead, ErrorKind, Read, SeekFrom};

use portable_mmap::{Access, Advice, Error, FaultKind, Flags, Mapping, MmapOptions, Operation};

use crate::others::{PAGE, UNIT, pattern, resize};
use crate::random::Random;
use crate::storages::{Emulated, Memory, Op, Rig};
use crate::{FileBackend, Scene, cases};

cases!("lost":
    a_requested_byte_is_accessed_even_if_it_is_not_used [Truncation, FaultAddress],
    a_store_to_a_lost_page_reaches_no_file [Truncation, FaultAddress],
    bytes_stored_in_a_lost_page_are_lost_in_a_refresh [Truncation, FaultAddress],
    flush_and_close_report_a_change_from_before_the_loss [Truncation, FaultAddress],
    a_page_that_is_still_missing_after_a_refresh_is_a_fault_again [Truncation, FaultAddress],
    a_lost_page_that_was_not_accessed_shows_the_file_again [Truncation, FaultAddress],
    faults_are_cleared_page_by_page [Truncation, FaultAddress],
    a_call_that_fails_moves_and_changes_nothing [Truncation, FaultAddress],
    each_of_many_mappings_records_its_own_faults [Truncation, FaultAddress],
    a_second_truncation_keeps_bytes_stored_in_lost_pages [Truncation, FaultAddress],
    the_cause_of_a_failed_read_is_kept_until_a_refresh,
    a_hint_that_fails_is_no_fault
);

/// A file whose units are filled with 1, 2, 3, …
fn content(units: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    (1..).zip(1..=units).for_each(|(value, unit)| resize(&mut bytes, unit * UNIT, value));
    bytes
}

/// A guarded mapping of this many units, whose file is then truncated to fewer.
fn truncated<B: FileBackend>(scene: &Scene<B>, access: Access, units: usize, left: usize) -> Mapping<B> {
    let file = scene.file("f", &content(units));
    let map = scene.map(MmapOptions::new().guard(true).access(access), &file).expect("a file can be mapped");
    scene.set_file_len("f", left * UNIT);
    map
}

/// Restores the length and the bytes of the file.
fn restore<B: FileBackend>(scene: &Scene<B>, units: usize) {
    scene.overwrite("f", 0, &content(units));
}

/// The unit of the fault.
fn faulty_unit<B: FileBackend>(map: &Mapping<B>) -> Option<usize> {
    map.fault().map(|fault| usize::try_from(fault.offset).expect("a small file") / UNIT)
}

fn a_requested_byte_is_accessed_even_if_it_is_not_used<B: FileBackend>(scene: &mut Scene<B>) {
    let calls =
        ["as_slice", "range", "range_mut", "as_mut_slice", "get_item", "read_bytes", "fill_buf", "read", "find"];
    for call in calls {
        let mut map = truncated(scene, Access::Write, 2, 1);
        map.seek(SeekFrom::Start(UNIT as u64)).unwrap();
        let is_error = match call {
            "as_slice" => map.as_slice().is_err(),
            "range" => map.range(UNIT - 1..=UNIT).is_err(),
            "range_mut" => map.range_mut(UNIT - 1..=UNIT).is_err(),
            "as_mut_slice" => map.as_mut_slice().is_err(),
            "get_item" => map.get_item(-1).is_err(),
            "read_bytes" => map.read_bytes(1).is_err(),
            "fill_buf" => map.fill_buf().is_err(),
            "read" => map.read(&mut [0]).is_err(),
            _ => map.find([1]).is_err(),
        };
        scene.eq(call, is_error, true);
        scene.eq("fault", map.fault().map(|fault| fault.kind), Some(FaultKind::Truncated));
        scene.eq("position", map.tell(), UNIT as u64);
    }
    let map = truncated(scene, Access::Read, 2, 1);
    scene.eq("an empty range touches nothing", map.range(UNIT..UNIT).unwrap().len(), 0);
    scene.eq("nor does a needle longer than the mapping", map.find_in(vec![1; 2 * UNIT + 1], ..).unwrap(), None);
    scene.eq("fault", map.fault(), None);
}

fn a_store_to_a_lost_page_reaches_no_file<B: FileBackend>(scene: &mut Scene<B>) {
    for (name, grows) in [("closed while it is truncated", false), ("closed after the file has grown", true)] {
        let mut map = truncated(scene, Access::Write, 3, 1);
        map[UNIT + 5] = 0xee;
        map[9] = 0xdd;
        scene.eq(name, [map[UNIT + 5], map[2 * UNIT], map[9]], [0xee, 0, 0xdd]);
        scene.eq("fault", faulty_unit(&map), Some(1));
        if grows {
            restore(scene, 3);
            map[9] = 0xdd;
        }
        // All changes that are not lost are in the file.
        map.close().unwrap();
        let mut want = content(if grows { 3 } else { 1 });
        want[9] = 0xdd;
        scene.file_is("f", want);
    }
    let mut map = truncated(scene, Access::Write, 2, 1);
    map[UNIT] = 0xee;
    restore(scene, 2);
    drop(map);
    scene.file_is("f", content(2));
}

fn bytes_stored_in_a_lost_page_are_lost_in_a_refresh<B: FileBackend>(scene: &mut Scene<B>) {
    for access in [Access::Write, Access::Copy] {
        let mut map = truncated(scene, access, 2, 1);
        map[UNIT + 5] = 0xee;
        scene.eq("stored", map[UNIT + 5], 0xee);
        restore(scene, 2);
        map.refresh().unwrap();
        scene.eq("fault", map.fault(), None);
        scene.eq("refreshed", map.get_item(UNIT.cast_signed() + 5).unwrap(), 2);
        map.close().unwrap();
        scene.file_is("f", content(2));
    }
}

fn flush_and_close_report_a_change_from_before_the_loss<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &content(3));
    let mut map = scene.map(MmapOptions::new().guard(true), &file).unwrap();
    map[UNIT + 5] = 0xee;
    scene.set_file_len("f", UNIT);
    scene.eq("gone", map[2 * UNIT], 0);
    scene.eq("fault", faulty_unit(&map), Some(2));
    map.refresh().unwrap();
    let flushed = map.flush();
    scene.variant("flush", flushed, "Truncated");
    let closed = map.close();
    scene.variant("close", closed, "Truncated");
    scene.eq("closed", map.is_closed(), false);
    scene.file_is("f", content(1));
}

fn a_page_that_is_still_missing_after_a_refresh_is_a_fault_again<B: FileBackend>(scene: &mut Scene<B>) {
    for access in [Access::Read, Access::Write, Access::Copy] {
        let mut map = truncated(scene, access, 3, 1);
        scene.bytes("gone", [map[UNIT], map[2 * UNIT]], [0; 2]);
        if access != Access::Read {
            map[UNIT] = 0xee;
        }
        for _ in 0..2 {
            map.refresh().unwrap();
            scene.eq("fault", map.fault(), None);
            scene.eq("the bytes that are left", map.get_item(UNIT.cast_signed() - 1).unwrap(), 1);
            let item = map.get_item(2 * UNIT.cast_signed());
            scene.variant("a lost byte", item, "Truncated");
            scene.eq("fault", faulty_unit(&map), Some(2));
            scene.eq("zeros and not the stored byte", map[UNIT], 0);
        }
    }
}

fn a_lost_page_that_was_not_accessed_shows_the_file_again<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = truncated(scene, Access::Write, 4, 1);
    scene.eq("gone", map[2 * UNIT], 0);
    restore(scene, 4);
    // All pages past the end were lost together with the touched one.
    scene.bytes("lost", [map[UNIT], map[3 * UNIT]], [0; 2]);
    map.refresh_range(2 * UNIT, 1).unwrap();
    scene.eq("fault", map.fault(), None);
    scene.bytes("the bytes of the file", map.as_slice().unwrap(), content(4));
}

/// A model of the lost units of a mapping. A touch past the end of the file loses all units past it. A refresh clears
/// the faults in its range, and restores all lost units that were not touched.
struct Model {
    units: usize,
    /// The number of units of the file.
    left: usize,
    lost: BTreeSet<usize>,
    /// In the order in which they were touched.
    noted: Vec<usize>,
}

impl Model {
    fn touch(&mut self, unit: usize) -> u8 {
        if !self.lost.contains(&unit) && unit < self.left {
            return u8::try_from(unit + 1).expect("few units");
        }
        if self.lost.insert(unit) {
            self.lost.extend(self.left..self.units);
            self.noted.push(unit);
        }
        0
    }

    fn refresh(&mut self, units: &std::ops::Range<usize>) {
        let first = self.noted.first().copied();
        self.noted.retain(|unit| !units.contains(unit));
        if self.noted.first().copied() != first {
            // The first fault was cleared: the lowest one that is left takes its place.
            self.noted.sort_unstable();
        }
        self.lost = self.noted.iter().copied().collect();
    }
}

fn faults_are_cleared_page_by_page<B: FileBackend>(scene: &mut Scene<B>) {
    const UNITS: usize = 6;
    for seed in 0..if cfg!(miri) { 2 } else { 30 } {
        let mut random = Random::new(seed);
        let mut map = truncated(scene, Access::Write, UNITS, UNITS);
        let mut model = Model { units: UNITS, left: UNITS, lost: BTreeSet::new(), noted: Vec::new() };
        for _ in 0..12 {
            let start = random.below(UNITS);
            let units = start..start + 1 + random.below(UNITS - start);
            match random.below(5) {
                0 => {
                    // A buffer keeps loaded pages, so they are unloaded first.
                    restore(scene, UNITS);
                    map.refresh().unwrap();
                    model = Model { left: random.below(UNITS), lost: BTreeSet::new(), noted: Vec::new(), ..model };
                    scene.set_file_len("f", model.left * UNIT);
                    scene.note("truncated to", model.left);
                }
                1 => {
                    restore(scene, UNITS);
                    model.left = UNITS;
                    scene.note("restored", UNITS);
                }
                2 | 3 => scene.eq(&format!("unit {start}"), map[start * UNIT + 7], model.touch(start)),
                _ => {
                    map.refresh_range(units.start * UNIT, units.len() * UNIT).unwrap();
                    model.refresh(&units);
                    scene.note("refreshed", &units);
                }
            }
            scene.eq("fault", faulty_unit(&map), model.noted.first().copied());
            let item = map.get_item(7).map_err(|error| error.name());
            // A call checks for a fault before it touches anything, and again afterwards.
            let value = if model.noted.is_empty() { model.touch(0) } else { 0 };
            scene.eq("get_item", item, if model.noted.is_empty() { Ok(value) } else { Err("Truncated") });
        }
    }
}

fn a_call_that_fails_moves_and_changes_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = truncated(scene, Access::Write, 3, 1);
    map.seek(SeekFrom::Start(3)).unwrap();
    let write = map.write_bytes(&vec![0xee; 2 * UNIT]);
    scene.variant("write_bytes", write, "Truncated");
    let slice = map.set_slice(.., &vec![0xee; 3 * UNIT]);
    scene.variant("set_slice", slice, "Truncated");
    let moved = map.move_within(0, UNIT - 1, UNIT + 1);
    scene.variant("move_within", moved, "Truncated");
    let resized = map.resize(UNIT);
    scene.variant("resize", resized, "Truncated");
    scene.eq("position and length", (map.tell(), map.len()), (3, 3 * UNIT));
    map.refresh().unwrap();
    scene.bytes("the bytes that are left", &map[..UNIT], content(1));
    // The rest of the file can be mapped separately.
    map.resize(UNIT).unwrap();
    scene.bytes("all", map.as_slice().unwrap(), content(1));
    map.close().unwrap();
    scene.file_is("f", content(1));
}

fn each_of_many_mappings_records_its_own_faults<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(2 * UNIT));
    let options = MmapOptions::new().guard(true).access(Access::Read).clone();
    let mut maps: Vec<Mapping<B>> = (0..24).map(|_| scene.map(&options, &file).unwrap()).collect();
    // Their addresses are used again by other mappings.
    for index in (0..24).rev().step_by(3) {
        maps.remove(index);
        maps.push(scene.map(&options, &file).unwrap());
    }
    scene.set_file_len("f", UNIT);
    for map in maps.iter().step_by(5) {
        scene.eq("gone", map[UNIT], 0);
    }
    for (index, map) in maps.iter().enumerate() {
        scene.eq("fault", faulty_unit(map), (index % 5 == 0).then_some(1));
    }
}

fn a_second_truncation_keeps_bytes_stored_in_lost_pages<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = truncated(scene, Access::Write, 4, 3);
    map[3 * UNIT] = 0xee;
    scene.set_file_len("f", UNIT);
    scene.bytes("gone", [map[UNIT], map[2 * UNIT]], [0; 2]);
    scene.eq("stored", map[3 * UNIT], 0xee);
    scene.eq("fault", faulty_unit(&map), Some(3));
    map.refresh_range(3 * UNIT, UNIT).unwrap();
    scene.eq("the other fault stays", faulty_unit(&map), Some(1));
    map.refresh().unwrap();
    scene.eq("fault", map.fault(), None);
    map.close().unwrap();
    scene.file_is("f", content(1));
}

fn the_cause_of_a_failed_read_is_kept_until_a_refresh<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::with(MmapOptions::new().guard(true), pattern(4 * PAGE));
    scene.eq("loaded", e.map[0], 1);
    for (page, kind) in [(1, ErrorKind::TimedOut), (3, ErrorKind::ConnectionReset)] {
        e.rig.fail(Op::Read, 0, 1, kind);
        scene.eq("zeros", e.map[page * PAGE], 0);
        // The first fault is reported.
        let fault = e.map.fault().map(|fault| (fault.offset, fault.kind));
        scene.eq("fault", fault, Some((PAGE as u64, FaultKind::Io)));
        for _ in 0..2 {
            let item = e.map.get_item(0);
            scene.err("get_item", item, "Io(TimedOut)");
        }
    }
    e.map.refresh_range(PAGE, 1).unwrap();
    scene.eq("fault", e.map.fault().map(|fault| fault.offset), Some(3 * PAGE as u64));
    let item = e.map.get_item(0);
    scene.err("the other cause", item, "Io(ConnectionReset)");
    e.map.refresh().unwrap();
    scene.bytes("all", e.map.as_slice().unwrap(), pattern(4 * PAGE));
    // A call that can fail returns the cause itself, with a guard and without.
    for guard in [false, true] {
        let e = Emulated::with(MmapOptions::new().guard(guard), pattern(PAGE));
        e.rig.fail(Op::Read, 0, 1, ErrorKind::TimedOut);
        let error = e.map.get_item(0).unwrap_err();
        scene.eq("kind", error.kind(), ErrorKind::TimedOut);
        scene.eq("of a read", matches!(error, Error::Io { operation: Operation::Read, .. }), true);
    }
}

fn a_hint_that_fails_is_no_fault<B: FileBackend>(scene: &mut Scene<B>) {
    let rig = Rig::default();
    rig.fail(Op::Read, 0, 1, ErrorKind::TimedOut);
    let options = MmapOptions::new().guard(true).flags(Flags::POPULATE).clone();
    let mut map = options.map_storage(rig.around(Memory::new(pattern(2 * PAGE)))).unwrap();
    scene.eq("populate", (rig.has_failed(), map.fault()), (true, None));
    rig.fail(Op::Read, 0, 1, ErrorKind::TimedOut);
    map.advise(Advice::WillNeed).unwrap();
    scene.eq("will need", (rig.has_failed(), map.fault()), (true, None));
    scene.bytes("bytes", map.as_slice().unwrap(), pattern(2 * PAGE));
}
