//! Own changes and those of others: flush, refresh, resize and close, and the differences of a buffer.

use portable_mmap::Access;

use super::*;
use crate::script::rows::Row;

#[test]
fn an_os_mapping_differs_in_no_row_and_a_buffer_in_all() {
    for row in Row::ALL {
        assert!(!Mapped.differs(row) && Buffered.differs(row), "{row:?}");
    }
}

#[test]
fn a_page_holds_what_the_file_held_when_it_was_first_loaded() {
    for backend in BOTH {
        let mut scene = Scene::of_file(1);
        scene.map(backend, Access::Write, false);
        assert_eq!(scene.byte(0), 1);
        scene.file.write(0, &[7]);
        assert_eq!(scene.byte(0), if backend == Buffered { 1 } else { 7 });
        scene.refresh();
        assert_eq!(scene.byte(0), 7);
    }
}

#[test]
fn a_second_mapping_is_seen_after_flush_there_and_refresh_here() {
    for backend in BOTH {
        let mut scene = Scene::of_file(1);
        scene.map(backend, Access::Write, false);
        scene.map(backend, Access::Write, false);
        assert_eq!(scene.byte(0), 1);
        let there = Call::SetItem(0, 7);
        assert_eq!(scene.call_of(0, &there), DONE);
        scene.refresh();
        assert_eq!(scene.byte(0), if backend == Buffered { 1 } else { 7 });
        assert_eq!(scene.call_of(0, &Call::Flush { is_sync: false, range: None }), DONE);
        scene.refresh();
        assert_eq!(scene.byte(0), 7);
    }
}

#[test]
fn storing_an_equal_value_is_no_write() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 2);
        scene.store(PAGE, 2);
        scene.set_len(PAGE);
        assert_eq!(scene.flush(), if backend == Buffered { DONE } else { TRUNCATED });
    }
}

#[test]
fn in_the_page_with_the_end_a_buffer_finds_the_changed_bytes() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 2);
        scene.store(PAGE, 9);
        scene.set_len(PAGE + 1);
        // An OS mapping may or may not be able to determine it.
        assert_eq!(scene.flush(), if backend == Buffered { DONE } else { TRUNCATED });
        assert_eq!(scene.views[0].is_undecided, backend != Buffered);
        assert_eq!(scene.in_file(PAGE), 9);
        scene.store(PAGE + 1, 9);
        assert_eq!(scene.flush(), TRUNCATED);
    }
}

#[test]
fn a_flush_never_extends_a_file() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 3);
        for page in [0, 2] {
            scene.store(page * PAGE, 9);
        }
        scene.set_len(PAGE);
        // A changed page that is now past the file's end: the flush returns `Truncated`, and the page stays changed.
        for _ in 0..2 {
            assert_eq!(scene.flush(), TRUNCATED);
        }
        assert_eq!((scene.file.size(), scene.in_file(0)), (PAGE, 9));
    }
}

#[test]
fn changes_are_tracked_by_page_never_as_one_range() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 4);
        for page in [0, 3] {
            scene.store(page * PAGE, 9);
        }
        assert_eq!(scene.flush_page(3), DONE);
        scene.set_len(PAGE);
        // Nothing was changed between the two pages, and the last one is written.
        for page in [2, 1, 3, 0] {
            assert_eq!(scene.flush_page(page), DONE, "{page}");
        }
        assert_eq!(scene.call(&Call::Close), DONE);
    }
}

#[test]
fn close_never_fails_because_of_pages_that_an_earlier_flush_wrote() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 3);
        for page in [0, 2] {
            scene.store(page * PAGE, 9);
        }
        scene.set_len(PAGE);
        // A write-back that fails keeps the bytes that it has written.
        assert_eq!(scene.flush(), TRUNCATED);
        scene.set_len(0);
        assert_eq!((scene.flush_page(0), scene.flush_page(2)), (DONE, TRUNCATED));
    }
}

#[test]
fn own_changes_stay_byte_by_byte_with_every_access_that_has_them() {
    for access in [Access::Write, Access::Copy] {
        for backend in BOTH {
            let mut scene = Scene::of_file(1);
            scene.map(backend, access, false);
            scene.store(0, 9);
            scene.file.write(1, &[7]);
            scene.refresh();
            // A system copies the whole page at the first store to a private mapping.
            let is_private_page = backend == Mapped && access == Access::Copy;
            assert_eq!((scene.byte(0), scene.byte(1)), (9, if is_private_page { 1 } else { 7 }));
        }
    }
}

#[test]
fn a_refresh_loses_a_page_without_changes_past_the_end() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 2);
        assert_eq!(scene.byte(PAGE), 2);
        scene.set_len(PAGE);
        scene.refresh();
        assert_eq!((scene.get_item(PAGE), scene.fault()), (TRUNCATED, Some(1)));
    }
}

#[test]
fn a_refresh_shows_zeros_past_the_end_beside_a_change() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 1);
        scene.store(0, 9);
        scene.set_len(100);
        scene.refresh();
        assert_eq!((scene.byte(0), scene.byte(99), scene.byte(100)), (9, 1, 0));
    }
}

#[test]
fn a_store_past_the_end_after_a_refresh_is_a_change_even_if_the_file_once_held_that() {
    let mut scene = Scene::guarded(Buffered, Access::Write, 1);
    // Byte 100 is changed, is past the end, and gets the value that was loaded.
    scene.store(100, 9);
    scene.store(101, 0);
    scene.set_len(100);
    assert_eq!(scene.flush(), TRUNCATED);
    scene.refresh();
    scene.store(100, 1);
    assert_eq!(scene.flush(), TRUNCATED);
    scene.set_len(PAGE);
    assert_eq!((scene.flush(), scene.in_file(100), scene.in_file(101)), (DONE, 1, 0));
}

#[test]
fn the_file_becomes_offset_and_len_long_even_if_it_was_longer() {
    for backend in BOTH {
        let mut scene = Scene::of_file(3);
        let window = Window { offset: PAGE, len: 100, access: Access::Write };
        scene.views.push(View::new(backend, window, false));
        assert_eq!(scene.byte(0), 2);
        // The bytes of the file past the mapping become visible.
        assert_eq!(scene.call(&Call::Resize(200)), DONE);
        assert_eq!((scene.file.size(), scene.get_item(199)), (PAGE + 200, bytes([2])));
        assert_eq!(scene.call(&Call::Resize(10)), DONE);
        assert_eq!(scene.call(&Call::Resize(20)), DONE);
        assert_eq!((scene.get_item(9), scene.get_item(10)), (bytes([2]), bytes([0])));
        assert_eq!((scene.call(&Call::Resize(0)), scene.file.size()), (Err("OutOfRange"), PAGE + 20));
    }
}

#[test]
fn copy_changes_memory_only() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Copy, 2);
        scene.store(PAGE, 9);
        // `flush_range` of a copy does not check the alignment.
        assert_eq!(scene.call(&Call::Flush { is_sync: true, range: Some((1, 1)) }), DONE);
        assert_eq!(scene.call(&Call::Flush { is_sync: true, range: Some((1, 2 * PAGE)) }), Err("OutOfRange"));
        assert_eq!((scene.in_file(PAGE), scene.call(&Call::Close)), (2, DONE));
    }
}

#[test]
fn a_buffer_without_a_guard_returns_truncated_and_records_no_fault() {
    // A file that is truncated while it is mapped without a guard: an OS mapping ends the process.
    let mut scene = Scene::of_file(2);
    scene.map(Buffered, Access::Write, false);
    scene.set_len(PAGE);
    assert_eq!((scene.get_item(PAGE), scene.fault()), (TRUNCATED, None));
    assert_eq!(scene.get_item(0), bytes([1]));
}

#[test]
fn pages_that_may_be_loaded_are_read_first() {
    let mut scene = Scene::of_file(2);
    scene.map(Buffered, Access::Write, false);
    assert_eq!(scene.byte(0), 1);
    scene.file.write(PAGE, &[7; PAGE]);
    for seen in [[2; PAGE], [7; PAGE]] {
        let mut fresh = Scene::of_file(2);
        fresh.map(Buffered, Access::Write, false);
        assert_eq!(fresh.byte(0), 1);
        fresh.file.write(PAGE, &[7; PAGE]);
        assert!(fresh.views[0].bytes.is_unsure(&fresh.file, 1));
        let observation = fresh.views[0].bytes.observe(&mut fresh.file, 1, Some(&seen), false);
        assert_eq!((observation, fresh.byte(PAGE)), (crate::script::memory::Observation::Known, seen[0]));
    }
    let observation = scene.views[0].bytes.observe(&mut scene.file, 1, Some(&[3; PAGE]), false);
    assert_eq!(observation, crate::script::memory::Observation::Impossible);
}
