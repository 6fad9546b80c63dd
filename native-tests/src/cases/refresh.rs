//! Refreshing: a mapping shows what others wrote, without losing its own changes.

use portable_mmap::{Access, MmapOptions};

use crate::others::{PAGE, UNIT, pattern, resize};
use crate::storages::{Emulated, Op};
use crate::{FileBackend, Scene, cases};

cases!("refresh":
    changes_of_others_are_visible_after_a_refresh,
    a_read_only_mapping_shows_it_too,
    own_changes_are_applied_over_what_another_wrote,
    a_range_outside_is_an_error,
    a_range_is_refreshed_wherever_it_starts,
    a_second_mapping_is_seen_after_its_flush,
    a_copy_keeps_its_changes_and_sees_other_pages,
    refreshing_anonymous_memory_changes_nothing,
    the_position_stays,
    an_own_change_wins_over_another_writer,
    after_a_refresh_only_own_changes_are_written,
    a_value_that_another_wrote_too_is_no_longer_a_change,
    a_failed_refresh_keeps_own_changes,
    changes_past_a_truncated_end_stay
);

fn changes_of_others_are_visible_after_a_refresh<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    let mut want = pattern(2 * UNIT);
    scene.bytes("before", &map, &want);
    for at in [0, 4096, 2 * UNIT - 3] {
        scene.overwrite("f", at as u64, b"new");
        want[at..at + 3].copy_from_slice(b"new");
    }
    map.refresh().unwrap();
    scene.bytes("after", &map, &want);
    map.close().unwrap();
    scene.file_is("f", want);
}

fn a_read_only_mapping_shows_it_too<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    scene.bytes("before", &map, b"hello");
    scene.overwrite("f", 0, b"j");
    map.refresh().unwrap();
    scene.bytes("after", &map, b"jello");
}

fn own_changes_are_applied_over_what_another_wrote<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"0123456789");
    map[4..6].copy_from_slice(b"ab");
    scene.overwrite("f", 0, b"xyz");
    scene.overwrite("f", 6, b"w");
    map.refresh().unwrap();
    scene.bytes("after", &map, b"xyz3abw789");
    map.flush().unwrap();
    scene.file_is("f", b"xyz3abw789");
}

fn a_range_outside_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    scene.fails("one too long", &mut map, "OutOfRange", |map| map.refresh_range(0, 6));
    scene.fails("past the end", &mut map, "OutOfRange", |map| map.refresh_range(6, 0));
    let refreshed = map.refresh_range(usize::MAX, 2);
    scene.variant("an end that overflows", refreshed, "OutOfRange");
    scene.eq("nothing at the end", map.refresh_range(5, 0).is_ok(), true);
}

fn a_range_is_refreshed_wherever_it_starts<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    let mut want = pattern(2 * UNIT);
    scene.bytes("before", &map, &want);
    scene.overwrite("f", UNIT as u64 + 100, b"new");
    want[UNIT + 100..UNIT + 103].copy_from_slice(b"new");
    map.refresh_range(UNIT + 101, 1).unwrap();
    scene.bytes("after", &map, &want);
}

fn a_second_mapping_is_seen_after_its_flush<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"0123456789");
    let mut one = scene.map(&MmapOptions::new(), &file).unwrap();
    let mut two = scene.map(&MmapOptions::new(), &file).unwrap();
    scene.bytes("two before", &two, b"0123456789");
    one[..3].copy_from_slice(b"one");
    two[7..].copy_from_slice(b"two");
    one.flush().unwrap();
    two.refresh().unwrap();
    scene.bytes("two after", &two, b"one3456two");
    two.flush().unwrap();
    one.refresh().unwrap();
    scene.bytes("one after", &one, b"one3456two");
    scene.file_is("f", b"one3456two");
}

fn a_copy_keeps_its_changes_and_sees_other_pages<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(2 * UNIT));
    let mut map = scene.map(MmapOptions::new().access(Access::Copy), &file).unwrap();
    map[0] = 0;
    scene.eq("the other page", map[UNIT], pattern(2 * UNIT)[UNIT]);
    scene.overwrite("f", UNIT as u64, b"new");
    map.refresh().unwrap();
    scene.eq("own change", map[0], 0);
    scene.bytes("the other page", &map[UNIT..UNIT + 3], b"new");
}

fn refreshing_anonymous_memory_changes_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.anonymous(5);
    map[..].copy_from_slice(b"hello");
    map.refresh().unwrap();
    map.refresh_range(1, 2).unwrap();
    scene.bytes("bytes", &map, b"hello");
}

fn the_position_stays<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.read_byte().unwrap();
    map.refresh().unwrap();
    scene.eq("position", map.tell(), 1);
}

fn an_own_change_wins_over_another_writer<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { memory, mut map, .. } = Emulated::new(*b"0123456789");
    map[4..6].copy_from_slice(b"ab");
    memory.overwrite(3, b"WXYZ");
    scene.bytes("before", &map, b"0123ab6789");
    map.refresh().unwrap();
    scene.bytes("after", &map, b"012WabZ789");
    map.flush().unwrap();
    scene.bytes("storage", memory.content(), b"012WabZ789");
}

fn after_a_refresh_only_own_changes_are_written<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { memory, rig, mut map } = Emulated::new(pattern(2 * PAGE));
    map[4..6].copy_from_slice(b"ab");
    memory.overwrite(0, b"another");
    memory.overwrite(PAGE, b"another");
    map.refresh().unwrap();
    // Another writer again: its bytes beside the change must not be overwritten with the refreshed bytes.
    memory.overwrite(0, b"once");
    let _ = rig.take();
    map.flush().unwrap();
    scene.eq("writes", rig.calls(Op::Write), [(4, 2)]);
    scene.bytes("storage", &memory.content()[..7], b"onceabr");
}

fn a_value_that_another_wrote_too_is_no_longer_a_change<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { memory, rig, mut map } = Emulated::new(*b"0123456789");
    map[4..6].copy_from_slice(b"ab");
    memory.overwrite(4, b"ab");
    map.refresh().unwrap();
    memory.overwrite(4, b"XY");
    let _ = rig.take();
    map.flush().unwrap();
    scene.eq("writes", rig.calls(Op::Write), []);
    map.refresh().unwrap();
    scene.bytes("map", &map, b"0123XY6789");
}

fn a_failed_refresh_keeps_own_changes<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { memory, rig, mut map } = Emulated::new(pattern(3 * PAGE));
    let mut want = pattern(3 * PAGE);
    for at in [0, PAGE, 2 * PAGE] {
        map[at] = 0;
        want[at] = 0;
    }
    for after in 0..3 {
        rig.fail(Op::Read, after, 1, std::io::ErrorKind::TimedOut);
        let refreshed = map.refresh();
        scene.err("refresh", refreshed, "Io(TimedOut)");
        scene.bytes("map", &map, &want);
    }
    rig.mend();
    map.refresh().unwrap();
    map.flush().unwrap();
    scene.bytes("storage", memory.content(), want);
}

fn changes_past_a_truncated_end_stay<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { memory, mut map, .. } = Emulated::new(pattern(2 * PAGE));
    map[PAGE + 1] = 0;
    memory.set_size(PAGE);
    map.refresh().unwrap();
    scene.eq("own change", map[PAGE + 1], 0);
    let flushed = map.flush();
    scene.err("flush", flushed, "Truncated");
    memory.set_size(2 * PAGE);
    map.refresh().unwrap();
    map.flush().unwrap();
    let mut want = pattern(PAGE);
    resize(&mut want, 2 * PAGE, 0);
    scene.bytes("storage", memory.content(), want);
}
