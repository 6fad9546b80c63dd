//! The write-back of a buffer: exactly the changed bytes, in as few calls as possible.

use std::io::ErrorKind;

use portable_mmap::{Access, MmapOptions};

use crate::others::{PAGE, UNIT, pattern};
use crate::storages::{Emulated, Op};
use crate::{FileBackend, Scene, cases};

cases!("write_back":
    only_changed_bytes_are_written,
    adjacent_changes_are_one_write_across_pages_too,
    a_gap_of_one_byte_is_not_bridged,
    an_equal_value_is_no_write,
    a_change_that_is_undone_is_no_write,
    thirty_two_runs_in_a_page_are_as_many_writes,
    more_runs_are_one_read_and_one_write,
    a_merged_page_keeps_what_another_wrote_between,
    a_merged_page_ends_where_its_changes_end,
    nothing_is_written_past_the_end,
    a_window_writes_at_its_own_offsets,
    one_flush_reads_the_length_once,
    one_sync_with_changes_and_none_without,
    an_async_flush_leaves_the_sync_to_the_next,
    a_new_length_is_a_change_that_a_sync_follows,
    closing_and_dropping_write_without_a_sync,
    a_range_is_flushed_by_whole_pages,
    a_flushed_page_is_clean,
    a_moved_byte_is_a_change_like_any_other,
    a_failed_sync_is_reported_and_tried_again,
    a_failed_write_keeps_exactly_what_was_not_written,
    a_write_that_fails_inside_a_joined_run_keeps_the_rest,
    a_failed_merge_keeps_its_page,
    an_earlier_page_is_clean_when_a_later_one_fails,
    a_copy_writes_nothing;
    large at_most_a_mebibyte_goes_into_a_call
);

fn writes(emulated: &mut Emulated) -> Vec<(u64, u64)> {
    let _ = emulated.rig.take();
    emulated.map.flush().expect("memory can be written");
    emulated.rig.calls(Op::Write)
}

fn only_changed_bytes_are_written<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(4 * PAGE));
    // All bytes are borrowed, and three places are changed.
    let bytes = e.map.as_mut_slice().unwrap();
    bytes[7..10].fill(0);
    bytes[PAGE + 64] = 0;
    bytes[4 * PAGE - 1] = 0;
    let (page, end) = (PAGE as u64, 4 * PAGE as u64);
    scene.eq("writes", writes(&mut e), [(7, 3), (page + 64, 1), (end - 1, 1)]);
    let mut want = pattern(4 * PAGE);
    for at in [7, 8, 9, PAGE + 64, 4 * PAGE - 1] {
        want[at] = 0;
    }
    scene.bytes("storage", e.memory.content(), want);
}

fn adjacent_changes_are_one_write_across_pages_too<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(4 * PAGE));
    for at in [PAGE, PAGE - 1, PAGE - 2, PAGE + 1] {
        e.map[at] = 0;
    }
    e.map[2 * PAGE - 1..=3 * PAGE].fill(0);
    let page = PAGE as u64;
    scene.eq("writes", writes(&mut e), [(page - 2, 4), (2 * page - 1, page + 2)]);
}

fn a_gap_of_one_byte_is_not_bridged<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(2 * PAGE));
    e.map[100] = 0;
    e.map[102] = 0;
    e.map[PAGE - 2] = 0;
    e.map[PAGE] = 0;
    // The bytes of another writer in the gap must survive.
    e.memory.overwrite(101, b"!");
    e.memory.overwrite(PAGE - 1, b"!");
    let page = PAGE as u64;
    scene.eq("writes", writes(&mut e), [(100, 1), (102, 1), (page - 2, 1), (page, 1)]);
    scene.bytes("gap", &e.memory.content()[100..103], b"\0!\0");
    scene.bytes("gap at the border", &e.memory.content()[PAGE - 2..=PAGE], b"\0!\0");
}

fn an_equal_value_is_no_write<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(2 * PAGE));
    let same = e.map.to_vec();
    e.map.as_mut_slice().unwrap().copy_from_slice(&same);
    e.map.write_bytes(&same[..100]).unwrap();
    scene.eq("writes", writes(&mut e), []);
    scene.eq("calls", e.rig.take(), []);
    // So a byte that another writer has written there stays.
    e.map[5] = same[5];
    e.memory.overwrite(5, b"!");
    scene.eq("writes", writes(&mut e), []);
    scene.eq("another's", e.memory.content()[5], b'!');
}

fn a_change_that_is_undone_is_no_write<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(PAGE));
    e.map[5] = 0;
    e.map[5] = 6;
    scene.eq("writes", writes(&mut e), []);
}

/// Changes `count` bytes of the second page that are not adjacent.
fn scatter(e: &mut Emulated, count: usize) {
    for at in 0..count {
        e.map[PAGE + 10 + 3 * at] = 0;
    }
}

fn thirty_two_runs_in_a_page_are_as_many_writes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(3 * PAGE));
    scatter(&mut e, 32);
    let want: Vec<_> = (0..32).map(|at| (PAGE as u64 + 10 + 3 * at, 1)).collect();
    scene.eq("writes", writes(&mut e), want);
    scene.eq("reads", e.rig.calls(Op::Read), []);
}

fn more_runs_are_one_read_and_one_write<B: FileBackend>(scene: &mut Scene<B>) {
    for count in [33, 1000] {
        let mut e = Emulated::new(pattern(3 * PAGE));
        e.map[PAGE - 1] = 0;
        scatter(&mut e, count);
        e.map[2 * PAGE] = 0;
        let page = PAGE as u64;
        let merged = (page + 10, 3 * (count as u64 - 1) + 1);
        // The runs of the neighbouring pages are written separately, because they are not adjacent.
        scene.eq("writes", writes(&mut e), [(page - 1, 1), merged, (2 * page, 1)]);
        scene.eq("reads", e.rig.calls(Op::Read), [merged]);
        let want = e.map.to_vec();
        scene.bytes("storage", e.memory.content(), want);
    }
}

fn a_merged_page_keeps_what_another_wrote_between<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(3 * PAGE));
    scatter(&mut e, 33);
    e.memory.overwrite(PAGE + 11, b"!!");
    e.memory.overwrite(PAGE, b"!");
    scene.eq("number of writes", writes(&mut e).len(), 1);
    scene.bytes("storage", &e.memory.content()[PAGE + 10..PAGE + 14], b"\0!!\0");
    scene.eq("before it", e.memory.content()[PAGE], b'!');
}

fn a_merged_page_ends_where_its_changes_end<B: FileBackend>(scene: &mut Scene<B>) {
    // An incomplete last page, changed up to its last byte.
    let mut e = Emulated::new(pattern(PAGE + 501));
    for at in 0..=250 {
        e.map[PAGE + 2 * at] = 0;
    }
    scene.eq("writes", writes(&mut e), [(PAGE as u64, 501)]);
    scene.eq("length", e.memory.content().len(), PAGE + 501);
    let want = e.map.to_vec();
    scene.bytes("storage", e.memory.content(), want);
}

fn nothing_is_written_past_the_end<B: FileBackend>(scene: &mut Scene<B>) {
    for len in [1, PAGE - 1, PAGE, PAGE + 1] {
        let mut e = Emulated::new(pattern(len));
        e.map[..].fill(0);
        scene.eq("writes", writes(&mut e), [(0, len as u64)]);
        scene.eq("length", e.memory.content().len(), len);
    }
    // Nor past the end of a truncated file: the part before the end is written.
    let mut e = Emulated::new(pattern(2 * PAGE));
    e.map[..].fill(0);
    e.memory.set_size(100);
    let _ = e.rig.take();
    let flushed = e.map.flush();
    scene.err("flush", flushed, "Truncated");
    scene.eq("writes", e.rig.calls(Op::Write), [(0, 100)]);
    scene.bytes("storage", e.memory.content(), [0; 100]);
}

fn a_window_writes_at_its_own_offsets<B: FileBackend>(scene: &mut Scene<B>) {
    let options = MmapOptions::new().offset(UNIT as u64).len(PAGE + 10).clone();
    let mut e = Emulated::with(&options, pattern(2 * UNIT));
    e.map[3] = 0;
    e.map[PAGE + 9] = 0;
    let unit = UNIT as u64;
    scene.eq("writes", writes(&mut e), [(unit + 3, 1), (unit + PAGE as u64 + 9, 1)]);
}

fn one_flush_reads_the_length_once<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(10 * PAGE));
    for page in 0..10 {
        e.map[page * PAGE + 5] = 0;
    }
    scene.eq("writes", writes(&mut e).len(), 10);
    scene.eq("len", e.rig.count(Op::Len).0, 1);
    scene.eq("reads", e.rig.count(Op::Read).0, 0);
}

fn one_sync_with_changes_and_none_without<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(3 * PAGE));
    for (changed, syncs) in [(true, 1), (false, 0), (true, 1), (false, 0)] {
        if changed {
            e.map[0] ^= 1;
            e.map[2 * PAGE] ^= 1;
        }
        let _ = writes(&mut e);
        scene.eq("syncs", e.rig.count(Op::Sync).0, syncs);
    }
    let last = e.rig.take();
    scene.eq("no changes, no calls", last, []);
}

fn an_async_flush_leaves_the_sync_to_the_next<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(PAGE));
    e.map[0] = 0;
    e.map.flush_async().unwrap();
    scene.eq("async: writes, syncs", (e.rig.count(Op::Write).0, e.rig.count(Op::Sync).0), (1, 0));
    let _ = e.rig.take();
    e.map.flush().unwrap();
    scene.eq("then: writes, syncs", (e.rig.count(Op::Write).0, e.rig.count(Op::Sync).0), (0, 1));
    let _ = e.rig.take();
    e.map.flush().unwrap();
    scene.eq("then no calls", e.rig.take(), []);
}

fn a_new_length_is_a_change_that_a_sync_follows<B: FileBackend>(scene: &mut Scene<B>) {
    for len in [3, 9, 5000] {
        let mut e = Emulated::new(*b"hello");
        e.map.resize(len).unwrap();
        scene.eq("resize: syncs", e.rig.count(Op::Sync).0, 0);
        e.map.flush_async().unwrap();
        scene.eq("async: syncs", e.rig.count(Op::Sync).0, 0);
        e.map.flush_range(0, 1).unwrap();
        scene.eq("flush: writes, syncs", (e.rig.count(Op::Write).0, e.rig.count(Op::Sync).0), (0, 1));
        e.map.flush().unwrap();
        scene.eq("flush again: syncs", e.rig.count(Op::Sync).0, 1);
    }
    let mut e = Emulated::new(*b"hello");
    e.map.resize(5).unwrap();
    e.map.flush().unwrap();
    scene.eq("the same length: syncs", e.rig.count(Op::Sync).0, 0);
    for allocate in [false, true] {
        let mut e = Emulated::with(MmapOptions::new().len(9).extend(true).allocate(allocate), *b"hello");
        e.rig.fail(Op::Sync, 0, 1, ErrorKind::TimedOut);
        let flushed = e.map.flush();
        scene.err("flush", flushed, "Io(TimedOut)");
        e.map.flush().unwrap();
        scene.eq("extend: syncs", e.rig.count(Op::Sync).0, 1);
        e.map.flush().unwrap();
        scene.eq("flush again: syncs", e.rig.count(Op::Sync).0, 1);
    }
}

fn closing_and_dropping_write_without_a_sync<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(PAGE));
    e.map[5] = 0;
    let _ = e.rig.take();
    e.map.close().unwrap();
    scene.eq("close", (e.rig.calls(Op::Write), e.rig.count(Op::Sync).0), (vec![(5, 1)], 0));
    let mut e = Emulated::new(pattern(PAGE));
    e.map[5] = 0;
    let _ = e.rig.take();
    drop(e.map);
    scene.eq("drop", (e.rig.calls(Op::Write), e.rig.count(Op::Sync).0), (vec![(5, 1)], 0));
}

fn a_range_is_flushed_by_whole_pages<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(4 * PAGE));
    for page in 0..4 {
        e.map[page * PAGE] = 0;
        e.map[page * PAGE + 4000] = 0;
    }
    let page = PAGE as u64;
    let _ = e.rig.take();
    e.map.flush_range(PAGE, 1).unwrap();
    scene.eq("one byte", e.rig.calls(Op::Write), [(page, 1), (page + 4000, 1)]);
    let _ = e.rig.take();
    e.map.flush_range(2 * PAGE, 0).unwrap();
    scene.eq("no byte", e.rig.calls(Op::Write), []);
    e.map.flush_async_range(2 * PAGE, PAGE + 1).unwrap();
    let (two, three) = (2 * page, 3 * page);
    scene.eq("a page and a byte", e.rig.calls(Op::Write), [(two, 1), (two + 4000, 1), (three, 1), (three + 4000, 1)]);
    scene.eq("the rest", writes(&mut e), [(0, 1), (4000, 1)]);
}

fn a_flushed_page_is_clean<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(PAGE));
    e.map[5] = 0;
    scene.eq("writes", writes(&mut e), [(5, 1)]);
    e.map[9] = 0;
    scene.eq("only the later change", writes(&mut e), [(9, 1)]);
    e.map[5] = 6;
    scene.eq("the first value again", writes(&mut e), [(5, 1)]);
}

fn a_moved_byte_is_a_change_like_any_other<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(3 * PAGE));
    e.map.move_within(PAGE - 2, 0, 4).unwrap();
    scene.eq("writes", writes(&mut e), [(PAGE as u64 - 2, 4)]);
    e.map.move_within(10, 10, 100).unwrap();
    scene.eq("onto itself", writes(&mut e), []);
}

fn a_failed_sync_is_reported_and_tried_again<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(PAGE));
    e.map[5] = 0;
    e.rig.fail(Op::Sync, 0, 2, ErrorKind::TimedOut);
    for _ in 0..2 {
        let flushed = e.map.flush();
        scene.err("flush", flushed, "Io(TimedOut)");
        scene.eq("writes", e.rig.calls(Op::Write), [(5, 1)]);
        let _ = e.rig.take();
    }
    e.map.flush().unwrap();
    scene.eq("writes, syncs", (e.rig.calls(Op::Write), e.rig.count(Op::Sync).0), (vec![(5, 1)], 1));
    let _ = e.rig.take();
    e.map.flush().unwrap();
    scene.eq("calls", e.rig.take(), []);
    scene.eq("storage", e.memory.content()[5], 0);
}

fn a_failed_write_keeps_exactly_what_was_not_written<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(PAGE));
    for at in [10, 20, 30, 40] {
        e.map[at] = 0;
    }
    e.rig.fail(Op::Write, 2, 1, ErrorKind::StorageFull);
    let flushed = e.map.flush();
    scene.err("flush", flushed, "Io(StorageFull)");
    // Bytes that were written are no longer changes, so later bytes of another writer there must not be overwritten.
    e.memory.overwrite(10, b"!");
    scene.eq("the rest", writes(&mut e), [(30, 1), (40, 1)]);
    scene.eq("another's", e.memory.content()[10], b'!');
    scene.eq("syncs", e.rig.count(Op::Sync).0, 1);
}

fn a_write_that_fails_inside_a_joined_run_keeps_the_rest<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(4 * PAGE));
    e.map[100..3 * PAGE + 100].fill(0);
    e.rig.shorten(PAGE + 50);
    e.rig.fail(Op::Write, 2, 1, ErrorKind::StorageFull);
    let flushed = e.map.flush();
    scene.err("flush", flushed, "Io(StorageFull)");
    let written = 100 + 2 * (PAGE + 50);
    e.memory.overwrite(100, b"!");
    e.memory.overwrite(written - 1, b"!");
    e.rig.shorten(None);
    let (at, rest) = (written as u64, (3 * PAGE + 100 - written) as u64);
    scene.eq("the rest", writes(&mut e), [(at, rest)]);
    scene.eq("another's", (e.memory.content()[100], e.memory.content()[written - 1]), (b'!', b'!'));
}

fn a_failed_merge_keeps_its_page<B: FileBackend>(scene: &mut Scene<B>) {
    for op in [Op::Read, Op::Write] {
        let mut e = Emulated::new(pattern(3 * PAGE));
        e.map[0] = 0;
        scatter(&mut e, 50);
        e.rig.fail(op, usize::from(op == Op::Write), 1, ErrorKind::TimedOut);
        let flushed = e.map.flush();
        scene.err("flush", flushed, "Io(TimedOut)");
        scene.eq("the rest", writes(&mut e), [(PAGE as u64 + 10, 148)]);
        let want = e.map.to_vec();
        scene.bytes("storage", e.memory.content(), want);
    }
}

fn an_earlier_page_is_clean_when_a_later_one_fails<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(4 * PAGE));
    for page in 0..4 {
        e.map[page * PAGE] = 0;
    }
    for left in (1..4).rev() {
        e.rig.fail(Op::Write, 1, 1, ErrorKind::TimedOut);
        let _ = e.rig.take();
        let flushed = e.map.flush();
        scene.err("flush", flushed, "Io(TimedOut)");
        scene.eq("written", e.rig.calls(Op::Write), [((3 - left) * PAGE as u64, 1)]);
    }
    e.rig.mend();
    scene.eq("the last", writes(&mut e), [(3 * PAGE as u64, 1)]);
}

fn a_copy_writes_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::with(MmapOptions::new().access(Access::Copy), pattern(PAGE));
    e.map[..].fill(0);
    let _ = e.rig.take();
    e.map.flush().unwrap();
    e.map.flush_async().unwrap();
    e.map.close().unwrap();
    scene.eq("calls", e.rig.take(), []);
    scene.bytes("storage", e.memory.content(), pattern(PAGE));
}

fn at_most_a_mebibyte_goes_into_a_call<B: FileBackend>(scene: &mut Scene<B>) {
    let len = (5 << 19) + 7;
    let mut e = Emulated::new(pattern(len));
    e.map.as_mut_slice().unwrap().fill(0);
    let (reads, _) = (e.rig.calls(Op::Read), e.rig.take());
    let mebi = 1 << 20;
    let steps = [(0, mebi), (mebi, mebi), (2 * mebi, mebi / 2 + 7)];
    scene.eq("reads", reads, steps);
    scene.eq("writes", writes(&mut e), steps);
    scene.bytes("storage", e.memory.content(), vec![0; len]);
}
