//! The reads of a buffer: a page is read when it is touched, and ahead of sequential reading.

use portable_mmap::{Access, Advice, Flags, MmapOptions};

use crate::others::{PAGE, UNIT, pattern};
use crate::storages::{Emulated, Op};
use crate::{FileBackend, Scene, cases};

cases!("loading":
    nothing_is_read_when_mapping,
    a_range_reads_its_own_pages_alone,
    a_page_is_read_once,
    each_call_reads_what_it_needs,
    searching_stops_reading_at_the_match,
    reading_ahead_doubles_with_each_sequential_read,
    scattered_accesses_read_one_page_each,
    absent_pages_between_loaded_ones_are_read_by_themselves,
    reading_ahead_stops_at_a_loaded_page_and_at_the_end,
    the_last_page_is_read_up_to_the_end,
    a_window_reads_at_its_own_offsets,
    random_reads_a_page_at_a_time,
    normal_undoes_random,
    will_need_loads_at_once,
    dont_need_unloads_clean_pages,
    dont_need_keeps_changed_pages,
    populating_loads_when_mapping,
    writing_loads_what_is_written_to,
    a_refresh_reads_no_page_that_is_not_accessed,
    a_second_borrow_reads_nothing_again;
    large sequential_reads_a_mebibyte_ahead
);

fn page(number: u64) -> u64 {
    number * PAGE as u64
}

fn reads(e: &Emulated) -> Vec<(u64, u64)> {
    let reads = e.rig.calls(Op::Read);
    let _ = e.rig.take();
    reads
}

fn nothing_is_read_when_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    for access in [Access::Default, Access::Write, Access::Read, Access::Copy] {
        let mut e = Emulated::with(MmapOptions::new().access(access), pattern(10 * PAGE));
        scene.eq("reads", reads(&e), []);
        scene.eq("length", (e.map.len(), e.map.tell(), e.map.is_empty()), (10 * PAGE, 0, false));
        e.map.seek(std::io::SeekFrom::End(0)).unwrap();
        e.map.advise(Advice::Random).unwrap();
        e.map.flush().unwrap();
        e.map.refresh().unwrap();
        scene.note("debug", &e.map);
        e.map.close().unwrap();
        scene.eq("calls", e.rig.take(), []);
    }
}

fn a_range_reads_its_own_pages_alone<B: FileBackend>(scene: &mut Scene<B>) {
    let e = Emulated::new(pattern(20 * PAGE));
    scene.bytes("the first byte", &e.map[..1], [1]);
    scene.eq("reads", reads(&e), [(0, page(1))]);
    scene.eq("an index", e.map[5 * PAGE], pattern(6 * PAGE)[5 * PAGE]);
    scene.eq("reads", reads(&e), [(page(5), page(1))]);
    scene.eq("across a border", e.map[8 * PAGE - 1..=8 * PAGE].len(), 2);
    scene.eq("reads", reads(&e), [(page(7), page(2))]);
    scene.eq("four pages", e.map[12 * PAGE..16 * PAGE].len(), 4 * PAGE);
    scene.eq("reads", reads(&e), [(page(12), page(4))]);
    scene.eq("an empty range", e.map[18 * PAGE..18 * PAGE].len(), 0);
    scene.eq("reads", reads(&e), []);
}

fn a_page_is_read_once<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(4 * PAGE));
    for _ in 0..3 {
        let _ = e.map.to_vec();
        e.map[5] = 0;
        e.map.flush().unwrap();
    }
    scene.eq("reads", reads(&e), [(0, page(4))]);
}

type Act = fn(&mut Emulated);

fn each_call_reads_what_it_needs<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(40 * PAGE);
    let acts: [(&str, Act); 12] = [
        ("get", |e| {
            let _ = e.map.get(9 * PAGE);
        }),
        ("get_item", |e| {
            let _ = e.map.get_item(-1).unwrap();
        }),
        ("first", |e| {
            let _ = e.map.first();
        }),
        ("last", |e| {
            let _ = e.map.last();
        }),
        ("starts_with", |e| assert!(e.map.starts_with(&[1, 2, 3]))),
        ("ends_with", |e| assert!(!e.map.ends_with(&[1, 2, 3]))),
        ("get_slice", |e| {
            let _ = e.map.get_slice(12288..12297).unwrap();
        }),
        ("set_item", |e| e.map.set_item(2, 0).unwrap()),
        ("read_byte", |e| {
            let _ = e.map.read_byte().unwrap();
        }),
        ("write_bytes", |e| {
            let _ = e.map.write_bytes(b"abc").unwrap();
        }),
        ("move_within", |e| e.map.move_within(9 * PAGE, 3 * PAGE, 5).unwrap()),
        ("move nothing", |e| e.map.move_within(9 * PAGE, 3 * PAGE, 0).unwrap()),
    ];
    for (call, act) in acts {
        let mut e = Emulated::new(content.clone());
        act(&mut e);
        scene.note(call, reads(&e));
        assert!(e.rig.count(Op::Read).1 <= 2 * PAGE as u64, "{call} reads no more than it needs");
    }
}

fn searching_stops_reading_at_the_match<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(100 * PAGE);
    let e = Emulated::new(content.clone());
    scene.eq("find", e.map.find([1, 2]).unwrap(), Some(0));
    scene.eq("it reads only a part", e.rig.count(Op::Read).1 <= page(20), true);
    let e = Emulated::new(content.clone());
    scene.eq("rfind", e.map.rfind([1, 2]).unwrap().is_some(), true);
    scene.eq("it reads only a part", e.rig.count(Op::Read).1 <= page(20), true);
    let mut e = Emulated::new(content);
    scene.eq("readline", e.map.readline().unwrap().len(), 10);
    scene.eq("it reads only a part", e.rig.count(Op::Read).1 <= page(20), true);
}

fn reading_ahead_doubles_with_each_sequential_read<B: FileBackend>(scene: &mut Scene<B>) {
    let e = Emulated::new(pattern(64 * PAGE));
    for at in (0..64 * PAGE).step_by(PAGE / 2) {
        let _ = e.map[at];
    }
    let lens: Vec<u64> = reads(&e).iter().map(|(_, len)| len / page(1)).collect();
    scene.eq("pages a read", lens, [1, 2, 4, 8, 16, 16, 16, 1]);
    // Sequential reading from the middle is detected as fast.
    let e = Emulated::new(pattern(64 * PAGE));
    for at in (40 * PAGE..50 * PAGE).step_by(PAGE) {
        let _ = e.map[at];
    }
    scene.eq(
        "from the middle",
        reads(&e),
        [(page(40), page(1)), (page(41), page(2)), (page(43), page(4)), (page(47), page(8))],
    );
}

fn scattered_accesses_read_one_page_each<B: FileBackend>(scene: &mut Scene<B>) {
    let e = Emulated::new(pattern(64 * PAGE));
    let places = [60, 3, 33, 20, 1, 50, 5, 40, 62];
    for place in places {
        let _ = e.map[place * PAGE + 7];
    }
    scene.eq("reads", reads(&e), places.map(|place| (page(place as u64), page(1))));
}

fn absent_pages_between_loaded_ones_are_read_by_themselves<B: FileBackend>(scene: &mut Scene<B>) {
    let e = Emulated::new(pattern(20 * PAGE));
    for loaded in [3, 9] {
        let _ = e.map[loaded * PAGE];
    }
    let _ = reads(&e);
    scene.bytes("range", &e.map[PAGE..12 * PAGE], &pattern(12 * PAGE)[PAGE..]);
    scene.eq("reads", reads(&e), [(page(1), page(2)), (page(4), page(5)), (page(10), page(2))]);
}

fn reading_ahead_stops_at_a_loaded_page_and_at_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    let e = Emulated::new(pattern(10 * PAGE + 5));
    let _ = e.map[6 * PAGE];
    for place in [0, 1, 3, 7, 8, 10] {
        let _ = e.map[place * PAGE];
    }
    scene.eq(
        "reads",
        reads(&e),
        [
            (page(6), page(1)),
            (page(0), page(1)),
            (page(1), page(2)),
            (page(3), page(3)),
            (page(7), page(1)),
            (page(8), page(2)),
            (page(10), 5),
        ],
    );
}

fn the_last_page_is_read_up_to_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    // The storage continues after the mapping, which must not be visible.
    let e = Emulated::with(MmapOptions::new().len(PAGE + 5), pattern(3 * PAGE));
    scene.bytes("bytes", &e.map[PAGE..], &pattern(PAGE + 5)[PAGE..]);
    scene.eq("reads", reads(&e), [(page(1), 5)]);
}

fn a_window_reads_at_its_own_offsets<B: FileBackend>(scene: &mut Scene<B>) {
    let e = Emulated::with(MmapOptions::new().offset(UNIT as u64), pattern(2 * UNIT));
    scene.eq("byte", e.map[PAGE], pattern(2 * UNIT)[UNIT + PAGE]);
    scene.eq("reads", reads(&e), [(UNIT as u64 + page(1), page(1))]);
}

fn random_reads_a_page_at_a_time<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(20 * PAGE));
    e.map.advise(Advice::Random).unwrap();
    for at in 0..5 {
        let _ = e.map[at * PAGE];
    }
    scene.eq("reads", reads(&e), [0, 1, 2, 3, 4].map(|at| (page(at), page(1))));
    // A range that is requested together is still read together.
    scene.eq("length", e.map[10 * PAGE..15 * PAGE].len(), 5 * PAGE);
    scene.eq("reads", reads(&e), [(page(10), page(5))]);
}

fn normal_undoes_random<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(20 * PAGE));
    e.map.advise(Advice::Random).unwrap();
    for at in 0..3 {
        let _ = e.map[at * PAGE];
    }
    e.map.advise_range(Advice::Normal, 0, 1).unwrap();
    let _ = reads(&e);
    for at in 3..8 {
        let _ = e.map[at * PAGE];
    }
    scene.eq("reads", reads(&e), [(page(3), page(2)), (page(5), page(4))]);
}

fn will_need_loads_at_once<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(20 * PAGE));
    e.map.advise_range(Advice::WillNeed, 4 * PAGE, PAGE + 1).unwrap();
    scene.eq("reads", reads(&e), [(page(4), page(2))]);
    scene.eq("length", e.map[4 * PAGE..6 * PAGE].len(), 2 * PAGE);
    scene.eq("reads", reads(&e), []);
    e.map.advise(Advice::WillNeed).unwrap();
    scene.eq("reads", reads(&e), [(page(0), page(4)), (page(6), page(14))]);
    e.map.advise(Advice::WillNeed).unwrap();
    scene.eq("reads", reads(&e), []);
}

fn dont_need_unloads_clean_pages<B: FileBackend>(scene: &mut Scene<B>) {
    for access in [Access::Write, Access::Read] {
        let mut e = Emulated::with(MmapOptions::new().access(access), pattern(4 * PAGE));
        let _ = e.map.to_vec();
        e.memory.overwrite(PAGE, b"new");
        e.memory.overwrite(2 * PAGE, b"new");
        let _ = reads(&e);
        e.map.advise_range(Advice::DontNeed, PAGE, 1).unwrap();
        scene.eq("reads", reads(&e), []);
        scene.bytes("read again", &e.map[PAGE..PAGE + 3], b"new");
        scene.bytes("not forgotten", &e.map[2 * PAGE..2 * PAGE + 3], &pattern(3 * PAGE)[2 * PAGE..2 * PAGE + 3]);
        scene.eq("reads", reads(&e), [(page(1), page(1))]);
    }
}

fn dont_need_keeps_changed_pages<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(4 * PAGE));
    let _ = e.map.to_vec();
    e.map[PAGE + 5] = 0;
    let _ = reads(&e);
    e.map.advise(Advice::DontNeed).unwrap();
    scene.eq("own change", e.map[PAGE + 5], 0);
    scene.eq("reads", reads(&e), []);
    let _ = e.map.to_vec();
    scene.eq("the others", reads(&e), [(page(0), page(1)), (page(2), page(2))]);
}

fn populating_loads_when_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let e = Emulated::with(MmapOptions::new().flags(Flags::POPULATE), pattern(4 * PAGE));
    scene.bytes("bytes", &e.map, pattern(4 * PAGE));
    scene.eq("reads", reads(&e), []);
}

fn writing_loads_what_is_written_to<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(20 * PAGE));
    e.map[5 * PAGE + 100] = 0;
    e.map[9 * PAGE - 1..=9 * PAGE].fill(0);
    scene.eq("reads", reads(&e), [(page(5), page(1)), (page(8), page(2))]);
    e.map.flush().unwrap();
    scene.eq("a flush reads nothing", reads(&e), []);
}

fn a_refresh_reads_no_page_that_is_not_accessed<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(20 * PAGE));
    let _ = e.map.to_vec();
    e.map[5 * PAGE] = 0;
    let _ = reads(&e);
    e.map.refresh().unwrap();
    scene.eq("the changed page", reads(&e), [(page(5), page(1))]);
    let _ = e.map[7 * PAGE];
    scene.eq("a touched page", reads(&e), [(page(7), page(1))]);
    e.map.refresh_range(6 * PAGE, PAGE).unwrap();
    let _ = e.map[7 * PAGE];
    scene.eq("not in the range", reads(&e), []);
}

fn a_second_borrow_reads_nothing_again<B: FileBackend>(scene: &mut Scene<B>) {
    let e = Emulated::new(pattern(4 * PAGE));
    let (one, two) = (&e.map[..2 * PAGE], &e.map[PAGE..3 * PAGE]);
    scene.eq("the same memory", std::ptr::eq(&raw const one[PAGE], &raw const two[0]), true);
    // One page is absent; the next is read ahead.
    scene.eq("reads", reads(&e), [(page(0), page(2)), (page(2), page(2))]);
}

fn sequential_reads_a_mebibyte_ahead<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(1024 * PAGE));
    e.map.advise(Advice::Sequential).unwrap();
    for at in (0..1024 * PAGE).step_by(PAGE) {
        let _ = e.map[at];
    }
    let lens: Vec<u64> = reads(&e).iter().map(|(_, len)| len / page(1)).collect();
    scene.eq("pages a read", lens, [1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256, 1]);
}
