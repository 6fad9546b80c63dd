//! Threads that share one buffer: they load the same and other ranges through `&self`, while borrows of what others have
//! loaded are alive.
//!
//! Natively they race for what they can; Miri, with many seeds, looks at every access: `cargo miri test --test threads`.

use std::io;
use std::sync::Barrier;
use std::thread;

use native_tests::others::{PAGE, pattern};
use native_tests::storages::{Emulated, Memory, Op};
use portable_mmap::{BufferedMmap, MmapOptions};

const THREADS: usize = 3;
/// An interpreter takes a tenth of a second for each page, and many seeds.
const PAGES: usize = if cfg!(miri) { 6 } else { 600 };

fn content() -> Vec<u8> {
    pattern(PAGES * PAGE - 100)
}

/// Runs `act` in every thread at once, with the thread's number.
fn in_threads(act: impl Fn(usize) + Sync) {
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (act, barrier) = (&act, &barrier);
            scope.spawn(move || {
                barrier.wait();
                act(number);
            });
        }
    });
}

fn mapped(content: &[u8]) -> BufferedMmap<Memory> {
    MmapOptions::new().map_storage(Memory::new(content)).unwrap()
}

#[test]
fn threads_load_the_same_range() {
    let content = content();
    let map = mapped(&content);
    in_threads(|_| assert_eq!(map[..], content[..]));
}

#[test]
fn threads_load_ranges_that_overlap() {
    let content = content();
    let map = mapped(&content);
    in_threads(|number| {
        for page in 0..PAGES - 2 {
            // Forwards, backwards, and from the middle: each meets what the others have just loaded.
            let page = [page, PAGES - 3 - page, (page + PAGES / 2) % (PAGES - 2)][number % 3];
            let range = page * PAGE + 1..(page + 2) * PAGE;
            assert_eq!(map[range.clone()], content[range]);
        }
    });
}

#[test]
fn threads_load_while_borrows_of_loaded_ranges_are_alive() {
    let content = content();
    let map = mapped(&content);
    let (first, second) = (&map[..PAGE], &map[2 * PAGE..2 * PAGE + 5]);
    in_threads(|number| {
        let mut alive = Vec::new();
        for page in (number..PAGES - 1).step_by(THREADS) {
            alive.push((page, &map[page * PAGE..(page + 1) * PAGE]));
            assert_eq!(first, &content[..PAGE]);
        }
        for (page, bytes) in alive {
            assert_eq!(bytes, &content[page * PAGE..(page + 1) * PAGE]);
        }
    });
    assert_eq!(second, &content[2 * PAGE..2 * PAGE + 5]);
}

#[test]
fn threads_search_and_pick() {
    let content = content();
    let map = mapped(&content);
    let last = content.len() - 1;
    in_threads(|number| match number {
        0 => assert_eq!(map.find(b"no such bytes").unwrap(), None),
        1 => assert_eq!(map.rfind([content[last]]).unwrap(), Some(last)),
        _ => assert_eq!(map.get_item(-1).unwrap(), content[last]),
    });
}

#[test]
fn every_page_is_read_once_however_many_ask_for_it() {
    let content = content();
    let Emulated { rig, map, .. } = Emulated::new(content.clone());
    in_threads(|_| assert_eq!(map[..], content[..]));
    assert_eq!(rig.count(Op::Read).1, content.len() as u64);
}

#[test]
fn a_read_that_fails_in_one_thread_does_not_stop_the_others() {
    let content = content();
    let Emulated { rig, map, .. } = Emulated::new(content.clone());
    rig.fail(Op::Read, 0, 2, io::ErrorKind::TimedOut);
    in_threads(|_| {
        // Two failures in all, whoever meets them.
        let loaded = (0..=2).find_map(|_| map.as_slice().ok());
        assert!(loaded.is_some_and(|bytes| bytes == content));
    });
    assert!(rig.has_failed());
}

#[test]
fn anonymous_memory_is_shared_too() {
    let mut map: BufferedMmap<Memory> = BufferedMmap::anonymous(PAGES * PAGE).unwrap();
    map[PAGE] = 1;
    let map = map;
    in_threads(|number| {
        assert_eq!(map[PAGE], 1);
        assert!(map[(number + 2) * PAGE..(number + 3) * PAGE].iter().all(|&byte| byte == 0));
    });
}

#[test]
fn a_mapping_may_be_handed_to_another_thread() {
    let memory = Memory::new(content());
    let mut map = MmapOptions::new().map_storage(memory.clone()).unwrap();
    map[0] = 0xff;
    let mut map = thread::spawn(move || {
        map[PAGE] = 0xff;
        map
    })
    .join()
    .unwrap();
    map.flush().unwrap();
    assert_eq!((memory.content()[0], memory.content()[PAGE]), (0xff, 0xff));
}
