//! A failed sync loses the bytes that it should have written to the disk: no later call succeeds before these are
//! written and synced again.
//!
//! These cases always use the emulation, over memory whose disk loses its unsynced changes in each failed sync. A
//! failed sync of an OS mapping has its own test.

use std::io::ErrorKind;

use portable_mmap::raw::RawBuffer;
use portable_mmap::{Advice, Error, MmapOptions, Storage as _};

use crate::others::{PAGE, pattern, resize};
use crate::random::Random;
use crate::storages::{Emulated, Op};
use crate::{FileBackend, Scene, cases};

cases!("durable":
    a_failed_sync_is_not_forgotten,
    every_flush_after_a_failed_sync_writes_again_and_syncs,
    a_close_after_a_failed_sync_writes_again_and_syncs,
    a_drop_after_a_failed_sync_writes_again_and_syncs,
    a_failed_sync_affects_every_page_that_was_written,
    a_flush_of_some_pages_leaves_the_others_to_be_written_again,
    exactly_the_written_bytes_are_written_again,
    a_run_across_pages_is_written_again_page_by_page,
    a_page_of_many_runs_keeps_what_another_wrote_between_them,
    a_change_made_after_a_failed_sync_counts,
    a_repeated_write_that_fails_is_repeated,
    hints_drop_nothing_that_has_to_be_written_again,
    a_refresh_before_the_failure_shows_what_another_wrote,
    a_refresh_after_the_failure_keeps_what_was_written,
    a_resize_keeps_what_has_to_be_written_again,
    a_length_whose_sync_failed_is_set_again,
    a_length_set_by_another_writer_stays,
    truncated_changes_are_an_error_until_the_storage_is_long_enough,
    stores_through_a_pointer_are_written_again,
    a_raw_buffer_writes_again,
    any_sequence_of_calls_and_failures_ends_with_the_bytes_on_the_disk
);

/// Makes the next syncs fail.
pub(super) fn fail_syncs(e: &Emulated, times: usize) {
    e.rig.fail(Op::Sync, 0, times, ErrorKind::TimedOut);
}

/// A mapping of three pages with changes in the first and the last one, after a failed flush.
fn failed() -> Emulated {
    let mut e = Emulated::new(pattern(3 * PAGE));
    e.map[5..9].fill(0);
    e.map[2 * PAGE + 7] = 0;
    fail_syncs(&e, 1);
    e.map.flush().unwrap_err();
    assert!(e.memory.durable() == pattern(3 * PAGE), "nothing is on the disk");
    let _ = e.rig.take();
    e
}

/// Checks that the disk has the bytes of the mapping.
#[track_caller]
fn is_durable<B: FileBackend>(scene: &mut Scene<B>, e: &Emulated) {
    scene.bytes("disk", e.memory.durable(), &e.map);
}

fn a_failed_sync_is_not_forgotten<B: FileBackend>(scene: &mut Scene<B>) {
    for times in [1, 2, 5] {
        let mut e = Emulated::new(pattern(2 * PAGE));
        e.map[..].fill(0);
        fail_syncs(&e, times);
        for _ in 0..times {
            let flushed = e.map.flush();
            scene.err("flush", flushed, "Io(TimedOut)");
            scene.bytes("disk", e.memory.durable(), pattern(2 * PAGE));
        }
        e.map.flush().unwrap();
        is_durable(scene, &e);
        let _ = e.rig.take();
        e.map.flush().unwrap();
        e.map.close().unwrap();
        scene.eq("no more calls", e.rig.take(), []);
    }
}

type Flush = fn(&mut Emulated) -> Result<(), Error>;

fn every_flush_after_a_failed_sync_writes_again_and_syncs<B: FileBackend>(scene: &mut Scene<B>) {
    let forms: [(&str, Flush); 4] = [
        ("flush", |e| e.map.flush()),
        ("flush_range", |e| e.map.flush_range(0, None)),
        ("flush_async", |e| e.map.flush_async()),
        ("flush_async_range", |e| e.map.flush_async_range(0, 3 * PAGE)),
    ];
    for (name, flush) in forms {
        let mut e = failed();
        fail_syncs(&e, 1);
        let flushed = flush(&mut e);
        scene.err(name, flushed, "Io(TimedOut)");
        flush(&mut e).unwrap();
        is_durable(scene, &e);
        let _ = e.rig.take();
        flush(&mut e).unwrap();
        scene.eq("then no calls", e.rig.take(), []);
    }
}

fn a_close_after_a_failed_sync_writes_again_and_syncs<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = failed();
    let want = e.map.to_vec();
    fail_syncs(&e, 2);
    for _ in 0..2 {
        let closed = e.map.close();
        scene.err("close", closed, "Io(TimedOut)");
        scene.eq("closed", e.map.is_closed(), false);
    }
    e.map.close().unwrap();
    scene.bytes("disk", e.memory.durable(), want);
}

fn a_drop_after_a_failed_sync_writes_again_and_syncs<B: FileBackend>(scene: &mut Scene<B>) {
    let e = failed();
    let want = e.map.to_vec();
    drop(e.map);
    scene.bytes("disk", e.memory.durable(), want);
}

fn a_failed_sync_affects_every_page_that_was_written<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(3 * PAGE));
    e.map[5] = 0;
    e.map.flush_async().unwrap();
    e.map[2 * PAGE] = 0;
    fail_syncs(&e, 1);
    let flushed = e.map.flush_range(2 * PAGE, PAGE);
    scene.err("flush of another page", flushed, "Io(TimedOut)");
    e.map.flush_async_range(0, 1).unwrap();
    scene.eq("the page of the async flush", e.memory.durable()[5], 0);
    e.map.close().unwrap();
    scene.eq("the other page", e.memory.durable()[2 * PAGE], 0);
}

fn a_flush_of_some_pages_leaves_the_others_to_be_written_again<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = failed();
    e.map[PAGE] = 0;
    e.map.flush_range(PAGE, PAGE).unwrap();
    scene.eq("writes", e.rig.calls(Op::Write), [(PAGE as u64, 1)]);
    scene.eq("its own page", e.memory.durable()[PAGE], 0);
    e.map.flush_range(0, PAGE).unwrap();
    scene.bytes("the first page", &e.memory.durable()[..PAGE], &e.map[..PAGE]);
    fail_syncs(&e, 1);
    let closed = e.map.close();
    scene.err("close", closed, "Io(TimedOut)");
    e.map.flush_async().unwrap();
    is_durable(scene, &e);
}

fn exactly_the_written_bytes_are_written_again<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = failed();
    // Another writer writes beside these bytes.
    e.memory.overwrite(4, b"!");
    e.memory.overwrite(9, b"!");
    e.map.flush().unwrap();
    scene.eq("writes", e.rig.calls(Op::Write), [(5, 4), (2 * PAGE as u64 + 7, 1)]);
    scene.bytes("disk", &e.memory.durable()[4..10], b"!\0\0\0\0!");
}

fn a_run_across_pages_is_written_again_page_by_page<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(4 * PAGE));
    e.map[10..3 * PAGE + 10].fill(0);
    fail_syncs(&e, 1);
    e.map.flush().unwrap_err();
    e.map.refresh().unwrap();
    let page = PAGE as u64;
    let parts =
        [(1, 1, vec![(page, page)]), (3, 1, vec![(3 * page, 10)]), (0, 3, vec![(10, page - 10), (2 * page, page)])];
    for (first, count, writes) in parts {
        let _ = e.rig.take();
        e.map.flush_range(first * PAGE, count * PAGE).unwrap();
        scene.eq("writes", e.rig.calls(Op::Write), writes);
    }
    is_durable(scene, &e);
}

fn a_page_of_many_runs_keeps_what_another_wrote_between_them<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(PAGE));
    (0..40).for_each(|at| e.map[3 * at] = 0);
    e.memory.overwrite(1, b"!");
    fail_syncs(&e, 1);
    e.map.flush().unwrap_err();
    e.memory.overwrite(4, b"?");
    e.map.flush().unwrap();
    scene.bytes("storage", &e.memory.content()[..7], b"\0!\x03\0?\x06\0");
    scene.bytes("disk", &e.memory.durable()[3..7], b"\0?\x06\0");
}

fn a_change_made_after_a_failed_sync_counts<B: FileBackend>(scene: &mut Scene<B>) {
    // Miri takes minutes for all values.
    let values = (0..=255).step_by(if cfg!(miri) { 51 } else { 1 });
    scene.note("values", values.len());
    for value in values {
        let mut e = failed();
        e.map[6] = value;
        e.map[PAGE] = value;
        e.map.flush().unwrap();
        assert!(e.memory.durable() == e.map.to_vec(), "{value} is on the disk");
    }
}

fn a_repeated_write_that_fails_is_repeated<B: FileBackend>(scene: &mut Scene<B>) {
    for op in [Op::Write, Op::Len] {
        for after in 0..2 {
            let mut e = failed();
            e.map[PAGE] = 0;
            e.rig.fail(op, after, 1, ErrorKind::StorageFull);
            let flushed = e.map.flush();
            scene.err("flush", flushed, "Io(StorageFull)");
            scene.eq("syncs", e.rig.count(Op::Sync).0, 0);
            e.map.flush().unwrap();
            is_durable(scene, &e);
        }
    }
}

fn hints_drop_nothing_that_has_to_be_written_again<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = failed();
    let want = e.map.to_vec();
    e.map.advise(Advice::DontNeed).unwrap();
    // The system loses the bytes, so a read returns the old ones.
    e.memory.overwrite(0, &pattern(3 * PAGE));
    e.map.flush().unwrap();
    scene.bytes("disk", e.memory.durable(), want);
    // The same for bytes that were written before the failure.
    let mut e = Emulated::new(pattern(2 * PAGE));
    e.map[5] = 0;
    e.map.flush_async().unwrap();
    e.map.advise(Advice::DontNeed).unwrap();
    fail_syncs(&e, 1);
    e.map.flush().unwrap_err();
    e.memory.overwrite(0, &pattern(2 * PAGE));
    e.map.flush().unwrap();
    scene.eq("disk", e.memory.durable()[5], 0);
}

fn a_refresh_before_the_failure_shows_what_another_wrote<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(2 * PAGE + 10));
    e.map[5..8].fill(0);
    e.map[2 * PAGE] = 0;
    e.map.flush_async().unwrap();
    e.memory.overwrite(6, b"!!");
    e.map.refresh().unwrap();
    scene.bytes("seen", &e.map[4..9], b"\x05\0!!\x09");
    fail_syncs(&e, 1);
    e.map.flush().unwrap_err();
    e.map.flush().unwrap();
    is_durable(scene, &e);
    // A page past a new end has no changes.
    e.map[2 * PAGE + 1] = 0;
    e.map.flush_async().unwrap();
    e.memory.set_size(2 * PAGE);
    e.map.refresh().unwrap();
    let gone = e.map.get_item(-1);
    scene.err("gone", gone, "Truncated");
    e.map.flush().unwrap();
    e.map.close().unwrap();
}

fn a_refresh_after_the_failure_keeps_what_was_written<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = failed();
    // The system has dropped the bytes that it could not write, and another writer has written beside them.
    let mut lost = pattern(3 * PAGE);
    lost[9] = b'!';
    e.memory.overwrite(0, &lost);
    e.map[20] = 0;
    for _ in 0..2 {
        e.map.refresh().unwrap();
        scene.bytes("map", &e.map[4..10], b"\x05\0\0\0\0!");
        scene.eq("own change", e.map[20], 0);
    }
    e.map.flush().unwrap();
    is_durable(scene, &e);
    let mut e = failed();
    e.rig.fail(Op::Read, 1, 1, ErrorKind::TimedOut);
    let refreshed = e.map.refresh();
    scene.err("refresh", refreshed, "Io(TimedOut)");
    e.map.flush().unwrap();
    is_durable(scene, &e);
}

fn a_resize_keeps_what_has_to_be_written_again<B: FileBackend>(scene: &mut Scene<B>) {
    for len in [3, 7, PAGE, 2 * PAGE + 7, 2 * PAGE + 8, 3 * PAGE + 1, 9 * PAGE] {
        let mut e = failed();
        e.map.resize(len).unwrap();
        e.map.resize(4 * PAGE).unwrap();
        fail_syncs(&e, 1);
        let closed = e.map.close();
        scene.err("close", closed, "Io(TimedOut)");
        e.map.flush_async().unwrap();
        is_durable(scene, &e);
    }
    // In the last page of a window; the storage continues after it.
    let mut e = Emulated::with(MmapOptions::new().len(200), pattern(3 * PAGE));
    e.map[150] = 0;
    fail_syncs(&e, 1);
    e.map.flush().unwrap_err();
    e.memory.overwrite(150, &[151]);
    e.map.resize(PAGE + 5).unwrap();
    scene.bytes("map", &e.map[149..152], [150, 0, 152]);
    e.map.flush().unwrap();
    is_durable(scene, &e);
}

fn a_length_whose_sync_failed_is_set_again<B: FileBackend>(scene: &mut Scene<B>) {
    for len in [3, 5000] {
        let mut e = Emulated::new(*b"hello");
        e.map.resize(len).unwrap();
        fail_syncs(&e, 2);
        e.map.flush_range(0, 1).unwrap_err();
        let closed = e.map.close();
        scene.err("close", closed, "Io(TimedOut)");
        e.map.flush_async_range(0, 0).unwrap();
        is_durable(scene, &e);
    }
    let mut e = Emulated::with(MmapOptions::new().len(9).extend(true), *b"hello");
    fail_syncs(&e, 1);
    e.map.flush().unwrap_err();
    e.rig.fail(Op::SetLen, 0, 1, ErrorKind::StorageFull);
    let flushed = e.map.flush();
    scene.err("flush", flushed, "Io(StorageFull)");
    e.map.close().unwrap();
    scene.bytes("disk", e.memory.durable(), b"hello\0\0\0\0");
}

fn a_length_set_by_another_writer_stays<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(*b"hello");
    e.map.resize(7).unwrap();
    fail_syncs(&e, 1);
    e.map.flush().unwrap_err();
    e.memory.set_size(9);
    e.map.flush().unwrap();
    scene.bytes("disk", e.memory.durable(), b"hello\0\0\0\0");
}

fn truncated_changes_are_an_error_until_the_storage_is_long_enough<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = failed();
    e.memory.set_size(2 * PAGE);
    for _ in 0..2 {
        let flushed = e.map.flush();
        scene.err("flush", flushed, "Truncated");
        let closed = e.map.close();
        scene.err("close", closed, "Truncated");
    }
    e.map.flush_range(0, 2 * PAGE).unwrap();
    scene.bytes("the bytes that are left", e.memory.durable(), &e.map[..2 * PAGE]);
    e.memory.set_size(3 * PAGE);
    e.map.flush().unwrap();
    scene.eq("disk", e.memory.durable()[2 * PAGE + 7], e.map[2 * PAGE + 7]);
}

fn stores_through_a_pointer_are_written_again<B: FileBackend>(scene: &mut Scene<B>) {
    let mut e = Emulated::new(pattern(2 * PAGE));
    let start = e.map.export().unwrap();
    let store = |at: usize, byte: u8| {
        // SAFETY: the address is inside the mapping, and no slice of it is borrowed.
        unsafe { start.wrapping_add(at).write(byte) };
    };
    store(5, 0);
    fail_syncs(&e, 2);
    e.map.flush().unwrap_err();
    store(PAGE, 0);
    e.map.refresh().unwrap();
    let closed = e.map.close();
    scene.err("close", closed, "Io(TimedOut)");
    e.map.flush().unwrap();
    is_durable(scene, &e);
}

fn a_raw_buffer_writes_again<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { memory, rig, map } = Emulated::new(pattern(2 * PAGE));
    let mut buffer = RawBuffer::new(map).unwrap();
    buffer.watch().unwrap();
    // SAFETY: the first byte, which nobody borrows.
    unsafe { buffer.as_ptr().write(0) };
    rig.fail(Op::Sync, 0, 2, ErrorKind::TimedOut);
    for _ in 0..2 {
        // SAFETY: nobody writes meanwhile, and no reference is live.
        let flushed = unsafe { buffer.flush_range(0, 1) };
        scene.err("flush", flushed, "Io(TimedOut)");
    }
    // SAFETY: as above.
    unsafe { buffer.flush_async_range(PAGE, PAGE) }.unwrap();
    scene.eq("another page", memory.durable()[0], 1);
    // SAFETY: as above.
    unsafe { buffer.flush_async_range(0, 1) }.unwrap();
    scene.eq("the page", memory.durable()[0], 0);
}

/// A few pages. Calls change, flush and unload parts of them in any order while syncs fail. After a successful flush to
/// the disk its pages must be on the disk, and after any successful flush or close all pages whose sync has failed
/// before.
fn any_sequence_of_calls_and_failures_ends_with_the_bytes_on_the_disk<B: FileBackend>(scene: &mut Scene<B>) {
    let (rounds, steps) = if cfg!(miri) { (2, 20) } else { (30, 40) };
    let mut failures = 0;
    for seed in 0..rounds {
        let mut random = Random::new(seed);
        let mut below = |end| random.below(end);
        let mut e = Emulated::new(pattern(4 * PAGE + 100));
        // The model: the bytes of the mapping, and the bytes whose sync has failed since they were last on the disk.
        let mut own = e.memory.content();
        let mut lost = vec![false; own.len()];
        for step in 0..steps {
            let context = format!("seed {seed}, step {step}");
            if below(4) == 0 {
                e.rig.fail(Op::Sync, 0, 1 + below(3), ErrorKind::TimedOut);
            }
            let start = below(own.len());
            let len = 1 + below(own.len() - start).min(below(PAGE));
            match below(8) {
                0..=2 => {
                    let value = u8::try_from(below(256)).expect("a byte");
                    e.map.range_mut(start..start + len).unwrap().fill(value);
                    own[start..start + len].fill(value);
                }
                3 | 4 => {
                    let to_disk = below(2) == 0;
                    let start = start - start % PAGE;
                    let len = if below(3) == 0 { own.len() - start } else { len };
                    let end = (start + len).next_multiple_of(PAGE).min(own.len());
                    let flushed =
                        if to_disk { e.map.flush_range(start, len) } else { e.map.flush_async_range(start, len) };
                    failures += usize::from(flushed.is_err());
                    update_model(&e, &own, &mut lost, (start..end, to_disk), flushed, &context);
                }
                5 => {
                    e.map.advise(Advice::DontNeed).unwrap();
                    e.map.refresh().unwrap();
                }
                6 => {
                    let len = PAGE + below(5 * PAGE);
                    e.map.resize(len).unwrap();
                    resize(&mut own, len, 0);
                    lost.resize(len, false);
                }
                _ => {
                    let closed = e.map.close();
                    let is_closed = closed.is_ok();
                    failures += usize::from(!is_closed);
                    let all = (0..own.len(), false);
                    update_model(&e, &own, &mut lost, all, closed, &context);
                    if is_closed {
                        // The call has not synced.
                        e.memory.sync().unwrap();
                        lost.fill(false);
                        let storage = e.rig.around(e.memory.clone());
                        e.map = MmapOptions::new().map_storage(storage).unwrap();
                    }
                }
            }
            assert!(e.map.get_slice(..).unwrap() == own, "{context}: the mapping shows what was stored");
        }
        e.rig.mend();
        e.map.flush().unwrap();
        assert!(e.memory.durable() == own, "seed {seed}: everything is on the disk in the end");
    }
    scene.note("calls that failed", failures);
    scene.eq("at least one in each round", failures as u64 >= rounds, true);
}

/// Updates the model after a flush of a range, or a close: bytes are on the disk if it has succeeded, and in doubt if
/// it has failed.
fn update_model(
    e: &Emulated,
    own: &[u8],
    lost: &mut [bool],
    (range, to_disk): (std::ops::Range<usize>, bool),
    result: Result<(), Error>,
    context: &str,
) {
    let durable = e.memory.durable();
    if let Err(error) = result {
        assert!(error.to_string().contains("sync"), "{context}: {error}");
        let visible = e.memory.content();
        lost.iter_mut().enumerate().for_each(|(at, lost)| *lost |= visible.get(at) != durable.get(at));
        return;
    }
    let bytes = range.start..range.end.min(durable.len());
    if durable.get(bytes.clone()) != own.get(range.clone()) {
        let is_there = |at: usize| durable.get(at) == Some(&own[at]);
        let missing = range.clone().find(|&at| (to_disk || lost[at]) && !is_there(at));
        assert_eq!(missing, None, "{context}: a byte that is not on the disk");
    }
    // Bytes that are on the disk now are not in doubt. Bytes that were flushed without a sync never were.
    lost[range].fill(false);
}
