//! A storage that is truncated while a buffer without a guard maps it: calls return errors, and only slices panic.

use std::io::SeekFrom;

use portable_mmap::{Advice, Error};

use crate::others::{PAGE, byte, pattern};
use crate::storages::{Emulated, Op};
use crate::{FileBackend, Scene, cases};

cases!("shrunken":
    fallible_calls_return_truncated,
    nothing_is_changed_or_moved_by_a_truncated_call,
    loaded_pages_stay,
    bytes_before_the_new_end_are_read,
    the_page_with_the_new_end_is_filled_with_zeros,
    an_error_of_reading_ahead_is_ignored,
    bytes_that_come_back_are_read,
    hints_do_not_fail,
    a_storage_that_ends_before_its_length_is_truncated;
    panicking slicing_panics_with_offset_and_cause
        "4096 mapped bytes from offset 8192 are gone: the file was truncated and has 8192 bytes";
    panicking deref_panics_too "are gone: the file was truncated and has 8192 bytes";
    panicking indexing_mutably_panics_too "mapped bytes from offset 8192 are gone";
    panicking iterating_panics_too "are gone: the file was truncated";
    panicking a_failed_read_panics_with_offset_and_cause "cannot read 4096 bytes from offset 8192: timed out"
);

/// A mapping of four pages whose storage has been truncated to two.
fn truncated() -> Emulated {
    let emulated = Emulated::new(pattern(4 * PAGE));
    emulated.memory.set_size(2 * PAGE);
    emulated
}

fn fallible_calls_return_truncated<B: FileBackend>(scene: &mut Scene<B>) {
    let mut m = truncated().map;
    let gone = 2 * PAGE;
    let answers: Vec<(&str, Result<(), Error>)> = vec![
        ("as_slice", m.as_slice().map(|_| ())),
        ("range", m.range(gone..=gone).map(|_| ())),
        ("as_mut_slice", m.as_mut_slice().map(|_| ())),
        ("range_mut", m.range_mut(gone..=gone).map(|_| ())),
        ("get_item", m.get_item(-1).map(drop)),
        ("set_item", m.set_item(-1, 0)),
        ("get_slice", m.get_slice(8192..).map(drop)),
        ("set_slice", m.set_slice(8192..=8192, b"x")),
        ("find", m.find(b"no such bytes").map(drop)),
        ("rfind", m.rfind(b"no such bytes").map(drop)),
        ("move_within, its source", m.move_within(0, gone, 1)),
        ("move_within, its target", m.move_within(gone, 0, 1)),
        ("read_bytes", m.read_bytes(None).map(|_| ())),
        ("readline", m.seek(SeekFrom::Start(gone as u64)).and_then(|_| m.readline().map(|_| ()))),
        ("read_byte", m.read_byte().map(drop)),
        ("write_bytes", m.write_bytes(b"x").map(drop)),
    ];
    for (call, answer) in answers {
        scene.err(call, answer, "Truncated");
    }
}

fn nothing_is_changed_or_moved_by_a_truncated_call<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { memory, mut map, .. } = truncated();
    map.seek(SeekFrom::Start(2 * PAGE as u64 - 2)).unwrap();
    let answer = map.write_bytes(b"across").map(drop);
    scene.err("write_bytes", answer, "Truncated");
    let answer = map.read_bytes(10).map(<[u8]>::len);
    scene.err("read_bytes", answer, "Truncated");
    let answer = map.move_within(2 * PAGE - 2, 0, 10);
    scene.err("move_within", answer, "Truncated");
    scene.eq("position", map.tell(), 2 * PAGE as u64 - 2);
    scene.bytes("the bytes that are left", map.range(..2 * PAGE).unwrap(), pattern(2 * PAGE));
    map.close().unwrap();
    scene.bytes("storage", memory.content(), pattern(2 * PAGE));
}

fn loaded_pages_stay<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { memory, mut map, .. } = Emulated::new(pattern(4 * PAGE));
    map.range(3 * PAGE..).unwrap();
    memory.set_size(2 * PAGE);
    scene.bytes("loaded", &map[3 * PAGE..], &pattern(4 * PAGE)[3 * PAGE..]);
    map.refresh().unwrap();
    let answer = byte(&map, 3 * PAGE);
    scene.err("refreshed", answer, "Truncated");
}

fn bytes_before_the_new_end_are_read<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { map, .. } = truncated();
    scene.bytes("slice", &map[..2 * PAGE], pattern(2 * PAGE));
    scene.eq("found", map.find_in([251], ..8192).unwrap(), Some(250));
    scene.eq("fault", map.fault(), None);
}

fn the_page_with_the_new_end_is_filled_with_zeros<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { memory, mut map, .. } = Emulated::new(pattern(4 * PAGE));
    memory.set_size(PAGE + 100);
    scene.bytes("before the new end", &map[PAGE..PAGE + 100], &pattern(2 * PAGE)[PAGE..PAGE + 100]);
    scene.bytes("after it", &map[PAGE + 100..2 * PAGE], vec![0; PAGE - 100]);
    let answer = byte(&map, 2 * PAGE);
    scene.err("the next page", answer, "Truncated");
    // A change there reaches no file, and a flush returns an error.
    map[2 * PAGE - 1] = 1;
    let flushed = map.flush();
    scene.err("a change past the new end", flushed, "Truncated");
    scene.eq("length", memory.content().len(), PAGE + 100);
}

fn an_error_of_reading_ahead_is_ignored<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { map, .. } = truncated();
    for page in 0..2 {
        scene.eq("byte", map[page * PAGE], pattern(2 * PAGE)[page * PAGE]);
    }
    // The same if reading ahead fails after the requested page.
    let Emulated { map, rig, .. } = Emulated::new(pattern(4 * PAGE));
    scene.eq("first page", map[0], 1);
    rig.shorten(PAGE);
    rig.fail(Op::Read, 1, usize::MAX, std::io::ErrorKind::TimedOut);
    scene.bytes("second page", map.range(PAGE..2 * PAGE).unwrap(), &pattern(2 * PAGE)[PAGE..]);
    scene.eq("reading ahead has failed", rig.calls(Op::Read), [(0, PAGE as u64), (PAGE as u64, PAGE as u64)]);
    let answer = byte(&map, 2 * PAGE);
    scene.err("third page", answer, "Io(TimedOut)");
}

fn bytes_that_come_back_are_read<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { memory, map, .. } = truncated();
    let answer = byte(&map, 2 * PAGE);
    scene.err("gone", answer, "Truncated");
    memory.set_size(4 * PAGE);
    memory.overwrite(2 * PAGE, b"back");
    scene.bytes("back", &map[2 * PAGE..2 * PAGE + 5], b"back\0");
}

fn hints_do_not_fail<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { mut map, .. } = truncated();
    for &advice in Advice::ALL {
        scene.eq("advice", map.advise(advice).is_ok(), true);
    }
    let answer = byte(&map, 2 * PAGE);
    scene.err("touching fails", answer, "Truncated");
}

fn a_storage_that_ends_before_its_length_is_truncated<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { rig, map, .. } = truncated();
    // The length is read to determine the error, and this may fail too.
    rig.fail(Op::Len, 0, 1, std::io::ErrorKind::TimedOut);
    let answer = byte(&map, 2 * PAGE);
    scene.err("length not known", answer, "Io(TimedOut)");
    let answer = byte(&map, 2 * PAGE);
    scene.err("length known", answer, "Truncated");
}

fn slicing_panics_with_offset_and_cause<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { map, .. } = truncated();
    scene.eq("length", map.len(), 4 * PAGE);
    let _ = map[2 * PAGE + 7];
}

fn deref_panics_too<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { map, .. } = truncated();
    scene.eq("length", map.len(), 4 * PAGE);
    let _ = map.to_vec();
}

fn indexing_mutably_panics_too<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { mut map, .. } = truncated();
    scene.eq("length", map.len(), 4 * PAGE);
    map[2 * PAGE] = 0;
}

fn iterating_panics_too<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { map, .. } = truncated();
    scene.eq("length", map.iter().len(), 4 * PAGE);
    map.iter().for_each(drop);
}

fn a_failed_read_panics_with_offset_and_cause<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { rig, map, .. } = Emulated::new(pattern(4 * PAGE));
    rig.fail(Op::Read, 0, 1, std::io::ErrorKind::TimedOut);
    scene.eq("length", map.len(), 4 * PAGE);
    let _ = map[2 * PAGE];
}
