//! The set of changed pages stays exact when pages are flushed, refreshed and closed one by one in any order.

use std::collections::BTreeSet;

use portable_mmap::{Access, MmapOptions};

use crate::others::UNIT;
use crate::random::Random;
use crate::{FileBackend, Scene, cases};

cases!("pages":
    flushing_and_closing_page_by_page_is_exact [Truncation],
    a_close_checks_no_page_that_was_flushed_on_its_own [Truncation],
    refreshing_page_by_page_is_exact
);

const UNITS: usize = 8;

fn flushing_and_closing_page_by_page_is_exact<B: FileBackend>(scene: &mut Scene<B>) {
    for seed in 0..if cfg!(miri) { 2 } else { 24 } {
        let mut random = Random::new(seed);
        let mut map = scene.mapped("f", &vec![1; UNITS * UNIT]);
        let mut changed = BTreeSet::new();
        for _ in 0..random.below(20) {
            let start = random.below(UNITS);
            let end = start + 1 + random.below(UNITS - start);
            if random.chance(3) {
                map.flush_range(start * UNIT, (end - start) * UNIT).unwrap();
                changed.retain(|unit| !(start..end).contains(unit));
            } else if random.chance(2) {
                map[start * UNIT + random.below(UNIT)] ^= 0xff;
                changed.insert(start);
            } else {
                map.range_mut(start * UNIT..end * UNIT).unwrap().iter_mut().step_by(999).for_each(|byte| *byte ^= 0xff);
                changed.extend(start..end);
            }
        }
        let left = random.below(UNITS);
        scene.note("changed, left", (&changed, left));
        scene.set_file_len("f", left * UNIT);
        let mut order: Vec<usize> = (0..UNITS).collect();
        (1..UNITS).for_each(|i| order.swap(i, random.below(i + 1)));
        for unit in order.into_iter().take(random.below(UNITS)) {
            let flushed = map.flush_async_range(unit * UNIT, UNIT).map_err(|error| error.name());
            let is_missing = unit >= left && changed.contains(&unit);
            scene.eq("flush", flushed, if is_missing { Err("Truncated") } else { Ok(()) });
            if !is_missing {
                changed.remove(&unit);
            }
        }
        let is_missing = changed.iter().any(|&unit| unit >= left);
        let closed = map.close().map_err(|error| error.name());
        scene.eq("close", closed, if is_missing { Err("Truncated") } else { Ok(()) });
        scene.eq("length of the file", scene.file_len("f"), (left * UNIT) as u64);
    }
}

fn a_close_checks_no_page_that_was_flushed_on_its_own<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &vec![1; 16 * UNIT]);
    (0..16).for_each(|unit| map[unit * UNIT] = 2);
    for unit in [3, 15, 0, 7, 1, 14, 2, 4, 5, 6, 13, 12, 8, 11, 10, 9] {
        map.flush_range(unit * UNIT, 1).unwrap();
    }
    scene.set_file_len("f", UNIT);
    map.close().unwrap();
    let mut want = vec![1; UNIT];
    want[0] = 2;
    scene.file_is("f", want);
}

fn refreshing_page_by_page_is_exact<B: FileBackend>(scene: &mut Scene<B>) {
    for seed in 0..if cfg!(miri) { 2 } else { 12 } {
        let mut random = Random::new(seed);
        let file = scene.file("f", &vec![1; UNITS * UNIT]);
        let mut map = scene.map(MmapOptions::new().access(Access::Write), &file).unwrap();
        let mut want = vec![1; UNITS * UNIT];
        scene.bytes("before", &map, &want);
        for _ in 0..10 {
            let unit = random.below(UNITS);
            let at = unit * UNIT + random.below(UNIT / 2);
            match random.below(3) {
                0 => {
                    map[at] = 7;
                    want[at] = 7;
                }
                1 => {
                    // Another writer writes where the mapping has no changes. Its bytes are visible at the latest after
                    // a refresh of the unit.
                    let place = unit * UNIT + UNIT / 2 + random.below(UNIT / 2);
                    scene.overwrite("f", place as u64, &[9]);
                    want[place] = 9;
                    map.refresh_range(unit * UNIT, UNIT).unwrap();
                }
                _ => map.flush_range(unit * UNIT, UNIT).unwrap(),
            }
            scene.bytes("map", &map, &want);
        }
        map.close().unwrap();
        scene.file_is("f", want);
    }
}
