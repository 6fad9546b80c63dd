//! The guard: one rule for both backends.

use portable_mmap::{Access, Advice};

use super::*;

#[test]
fn a_requested_byte_is_touched_and_returns_truncated() {
    for backend in BOTH {
        for call in [
            Call::GetItem(4096),
            Call::Range { start: 0, len: PAGE + 1, change: None },
            Call::Read(PAGE + 1),
            Call::Find { needle: vec![1], within: None, is_first: true },
        ] {
            let mut scene = Scene::guarded(backend, Access::Write, 2);
            scene.set_len(PAGE);
            assert_eq!(scene.call(&call), TRUNCATED, "{backend:?} {call:?}");
            assert_eq!((scene.fault(), scene.views[0].position), (Some(1), 0), "{backend:?} {call:?}");
        }
    }
}

#[test]
fn lost_pages_read_as_zeros() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 3);
        scene.set_len(PAGE);
        assert_eq!(scene.byte(2 * PAGE), 0);
        assert_eq!(scene.fault(), Some(2));
        assert_eq!((scene.byte(PAGE), scene.byte(0)), (0, 1));
        // Touching a page that is already lost causes no new fault.
        assert_eq!(scene.fault(), Some(2));
    }
}

#[test]
fn deref_and_indexing_touch_nothing_in_advance() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 2);
        scene.set_len(PAGE);
        assert_eq!(scene.byte(PAGE - 1), 1);
        assert_eq!(scene.fault(), None);
    }
}

#[test]
fn the_fallible_calls_return_truncated_until_refresh() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Read, 2);
        scene.set_len(PAGE);
        assert_eq!(scene.byte(PAGE), 0);
        // The order of the errors: `Closed`, then the fault, then `ReadOnly`, then wrong ranges.
        for call in [
            Call::GetItem(0),
            Call::GetItem(1 << 40),
            Call::SetItem(0, 1),
            Call::Size,
            Call::Seek(std::io::SeekFrom::Start(0)),
            Call::Resize(1),
            Call::Flush { is_sync: true, range: Some((1, 1)) },
            Call::Advise(Advice::Normal, 0, 1),
        ] {
            assert_eq!(scene.call(&call), TRUNCATED, "{call:?}");
        }
        scene.refresh();
        assert_eq!(scene.fault(), None);
        assert_eq!(scene.get_item(0), bytes([1]));
        // A page that is still missing is a fault again at its next touch, and its zeros are never returned as data.
        assert_eq!(scene.get_item(PAGE), TRUNCATED);
    }
}

#[test]
fn a_refresh_restores_pages_one_by_one() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 4);
        scene.set_len(3 * PAGE);
        assert_eq!(scene.byte(3 * PAGE), 0);
        scene.set_len(PAGE);
        assert_eq!(scene.byte(2 * PAGE), 0);
        scene.set_len(4 * PAGE);
        scene.file.write(2 * PAGE, b"new");
        assert_eq!((scene.fault(), scene.byte(2 * PAGE)), (Some(3), 0));
        // If a refresh clears the first fault and others are left, the reported fault is the lowest recorded page that
        // is left.
        scene.refresh_page(3);
        assert_eq!((scene.fault(), scene.get_item(0)), (Some(2), TRUNCATED));
        // Then all lost pages without a recorded fault are restored too.
        assert_eq!(scene.byte(PAGE), 0);
        assert_eq!(scene.byte(2 * PAGE), 0);
        scene.refresh_page(2);
        assert_eq!((scene.fault(), scene.byte(2 * PAGE)), (None, b'n'));
    }
}

#[test]
fn refreshing_a_range_without_recorded_faults_leaves_the_fault() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 3);
        scene.set_len(PAGE);
        assert_eq!(scene.byte(PAGE), 0);
        scene.refresh_page(0);
        assert_eq!(scene.fault(), Some(1));
        // Lost pages without a recorded fault may be checked again.
        let may_be_restored = |page| scene.views[0].bytes.may_be_restored(page);
        assert_eq!([0, 1, 2].map(may_be_restored), [false, false, true]);
    }
}

#[test]
fn a_byte_written_to_a_lost_page_reaches_no_file() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 3);
        scene.set_len(PAGE);
        scene.store(PAGE, 9);
        assert_eq!(scene.byte(PAGE), 9);
        scene.set_len(3 * PAGE);
        // It is not a change that a close has to write, or that a refresh keeps.
        assert_eq!(scene.call(&Call::Close), DONE);
        assert_eq!(scene.in_file(PAGE), 0);
        scene.refresh();
        assert_eq!(scene.byte(PAGE), 0);
    }
}

#[test]
fn bytes_stored_in_a_lost_page_stay_when_more_pages_are_lost() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 3);
        scene.set_len(2 * PAGE);
        scene.store(2 * PAGE, 9);
        scene.set_len(PAGE);
        assert_eq!((scene.byte(PAGE), scene.byte(2 * PAGE), scene.fault()), (0, 9, Some(2)));
    }
}

#[test]
fn a_page_that_was_changed_before_it_was_lost_is_missing_from_the_file() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 3);
        scene.store(2 * PAGE, 9);
        scene.set_len(PAGE);
        assert_eq!(scene.byte(PAGE), 0);
        assert_eq!(scene.call(&Call::Close), TRUNCATED);
        scene.refresh();
        assert_eq!((scene.flush(), scene.call(&Call::Close)), (TRUNCATED, TRUNCATED));
        // A buffer keeps the change until the file is long enough again; in an OS mapping the change is lost.
        scene.set_len(3 * PAGE);
        assert_eq!(scene.call(&Call::Close), DONE);
        assert_eq!(scene.in_file(2 * PAGE), if backend == Buffered { 9 } else { 0 });
    }
}

#[test]
fn a_loaded_page_of_a_buffer_keeps_what_it_held() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 3);
        assert_eq!(scene.byte(2 * PAGE), 3);
        scene.set_len(PAGE);
        assert_eq!(scene.byte(PAGE), 0);
        assert_eq!(scene.byte(2 * PAGE), if backend == Buffered { 3 } else { 0 });
        assert_eq!(scene.fault(), Some(1));
    }
}

#[test]
fn hints_record_no_fault_and_lose_nothing() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 2);
        scene.set_len(PAGE);
        for advice in [Advice::WillNeed, Advice::DontNeed] {
            assert_eq!(scene.call(&Call::Advise(advice, 0, 2 * PAGE)), DONE);
        }
        assert_eq!(scene.fault(), None);
        scene.set_len(2 * PAGE);
        assert_eq!(scene.get_item(PAGE), bytes([0]));
    }
}

#[test]
fn a_call_that_touches_a_lost_page_changes_nothing() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 2);
        scene.set_len(PAGE);
        let data = vec![9; 2 * PAGE];
        assert_eq!(scene.call(&Call::Write(data)), TRUNCATED);
        scene.refresh();
        assert_eq!((scene.byte(0), scene.views[0].position), (1, 0));
        // A mutable borrow touches all its pages first, so a failed call leaves no page changed.
        scene.set_len(0);
        assert_eq!(scene.call(&Call::Close), DONE);
    }
}

#[test]
fn a_line_needs_no_page_after_it() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 2);
        scene.file.write(PAGE - 2, b"\n");
        scene.set_len(PAGE);
        let Ok(Value::Bytes(line)) = scene.call(&Call::ReadLine) else { panic!("there is a line") };
        assert_eq!((line.len(), scene.fault()), (PAGE - 1, None));
        assert_eq!((scene.call(&Call::ReadLine), scene.fault()), (TRUNCATED, Some(1)));
    }
}

#[test]
fn an_empty_needle_and_one_longer_than_the_range_touch_nothing() {
    for backend in BOTH {
        let mut scene = Scene::guarded(backend, Access::Write, 2);
        scene.set_len(0);
        let find = |needle: &[u8]| Call::Find { needle: needle.to_vec(), within: Some((1, 3)), is_first: false };
        assert_eq!(scene.call(&find(b"")), Ok(Value::Place(Some(3))));
        assert_eq!(scene.call(&find(b"abc")), Ok(Value::Place(None)));
        assert_eq!(scene.fault(), None);
    }
}
