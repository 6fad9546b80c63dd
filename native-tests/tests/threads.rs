//! Threads that share one buffer: they load the same range and different ranges through `&self`, while other threads
//! hold borrows of loaded ranges.
//!
//! Natively the threads really race. Miri checks every access, with many seeds: `cargo miri test --test threads`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, OnceLock, Weak, mpsc};
use std::time::Duration;
use std::{io, thread};

use native_tests::others::{PAGE, pattern};
use native_tests::storages::{Emulated, Memory, Op};
use portable_mmap::{Advice, BufferedMmap, Error, Metadata, MmapOptions, Storage};

const THREADS: usize = 3;
/// Miri takes a tenth of a second for each page, and runs many seeds.
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
            // Forwards, backwards, and from the middle: each thread meets pages that others have just loaded.
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
fn threads_search_and_take_single_bytes() {
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
fn every_page_is_read_once_even_if_many_threads_load_it() {
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
        // Two reads fail in all, in any thread.
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
fn a_mapping_can_be_moved_to_another_thread() {
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

/// A storage in memory that calls a function before each read, with the number of the page, and returns its error.
struct Hooked {
    memory: Memory,
    before_read: Hook,
    /// Called before the length is returned.
    before_len: Box<dyn Fn() + Send + Sync>,
}

type Hook = Box<dyn Fn(usize) -> io::Result<()> + Send + Sync>;

impl Storage for Hooked {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        (self.before_read)(usize::try_from(offset).unwrap() / PAGE)?;
        self.memory.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.memory.write_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        (self.before_len)();
        self.memory.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.memory.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.memory.sync()
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.memory.metadata()
    }
}

/// Makes a buffer that does not read ahead.
fn hooked(content: &[u8], guard: bool, before_read: Hook) -> BufferedMmap<Hooked> {
    mapped_hooked(Hooked { memory: Memory::new(content), before_read, before_len: Box::new(|| ()) }, guard)
}

fn mapped_hooked(storage: Hooked, guard: bool) -> BufferedMmap<Hooked> {
    let mut map = MmapOptions::new().guard(guard).map_storage(storage).unwrap();
    map.advise(Advice::Random).unwrap();
    map
}

/// A test that waits this long fails. A test that passes waits only for a moment.
const LIMIT: Duration = Duration::from_secs(10);

/// A read waits this long, so that other threads meet it.
const MOMENT: Duration = Duration::from_millis(100);

fn timed_out<E>(_: E) -> io::Error {
    io::ErrorKind::TimedOut.into()
}

#[test]
fn loads_of_different_pages_run_at_the_same_time() {
    const READS: usize = 4;
    let content = content();
    let (inside, all) = (Mutex::new(0), Condvar::new());
    // Returns when all reads have started.
    let meet = move |_| {
        let mut count = inside.lock().unwrap();
        *count += 1;
        all.notify_all();
        let (_count, waited) = all.wait_timeout_while(count, LIMIT, |count| *count < READS).unwrap();
        if waited.timed_out() { Err(timed_out(())) } else { Ok(()) }
    };
    let map = hooked(&content, false, Box::new(meet));
    thread::scope(|scope| {
        for page in 0..READS {
            let (map, content) = (&map, &content);
            scope.spawn(move || assert_eq!(map.get(page * PAGE + 1).copied(), Some(content[page * PAGE + 1])));
        }
    });
}

#[test]
fn a_load_that_hangs_does_not_block_other_pages() {
    let content = content();
    for guard in [false, true] {
        let ((inside, was_inside), (release, released)) = (mpsc::channel(), mpsc::channel());
        let released = Mutex::new(released);
        // The read of the first page returns when this test allows it.
        let hang = move |page| {
            if page > 0 {
                return Ok(());
            }
            inside.send(()).unwrap();
            released.lock().unwrap().recv_timeout(LIMIT).map_err(timed_out)
        };
        let map = hooked(&content, guard, Box::new(hang));
        assert_eq!(map[PAGE..3 * PAGE], content[PAGE..3 * PAGE]);
        thread::scope(|scope| {
            let first = scope.spawn(|| map.get_item(0));
            was_inside.recv_timeout(LIMIT).unwrap();
            let loaded = PAGE.cast_signed()..3 * PAGE.cast_signed();
            assert_eq!(map[PAGE], content[PAGE]);
            assert_eq!(map.range(PAGE..3 * PAGE).unwrap(), &content[PAGE..3 * PAGE]);
            let needle = &content[2 * PAGE..2 * PAGE + 9];
            let found = content[PAGE..].windows(9).position(|bytes| bytes == needle).map(|at| PAGE + at);
            assert_eq!(map.find_in(needle, loaded.clone()).unwrap(), found);
            assert_eq!(map.find_in(b"no such bytes", loaded).unwrap(), None);
            assert_eq!((map.fault(), map.len()), (None, content.len()));
            assert_eq!(map.get(4 * PAGE).copied(), Some(content[4 * PAGE]), "a page that is loaded meanwhile");
            release.send(()).unwrap();
            // If one of the calls above had waited for the read, it would have timed out.
            assert_eq!(first.join().unwrap().unwrap(), content[0]);
        });
    }
}

/// A guard gets the length after a read that reaches the end.
#[test]
fn a_slow_length_does_not_block_other_pages() {
    let content = content();
    let (memory, is_short) = (Memory::new(content.clone()), Arc::new(AtomicBool::new(false)));
    let ((ask, asked), (answer, answered)) = (mpsc::channel(), mpsc::channel());
    let (answered, end) = (Mutex::new(answered), ask.clone());
    // Returns when another thread has loaded a page.
    let was_truncated = is_short.clone();
    let before_len = move || {
        if was_truncated.load(Ordering::Relaxed) {
            ask.send(true).unwrap();
            answered.lock().unwrap().recv_timeout(LIMIT).expect("another page is loaded meanwhile");
        }
    };
    let storage =
        Hooked { memory: memory.clone(), before_read: Box::new(|_| Ok(())), before_len: Box::new(before_len) };
    let map = mapped_hooked(storage, true);
    memory.set_size((PAGES - 1) * PAGE);
    is_short.store(true, Ordering::Relaxed);
    thread::scope(|scope| {
        let map = &map;
        scope.spawn(move || {
            for page in 0.. {
                if asked.recv_timeout(LIMIT) != Ok(true) {
                    break;
                }
                let _ = answer.send(map[page * PAGE]);
            }
        });
        let refused = map.range((PAGES - 1) * PAGE..);
        is_short.store(false, Ordering::Relaxed);
        end.send(false).unwrap();
        assert!(matches!(refused, Err(Error::Truncated { .. })), "{refused:?}");
        assert_eq!(map[0], content[0], "the length was read");
    });
}

/// The result of a load in a thread; a panic is `Other`.
type Got = Result<u8, io::ErrorKind>;

/// Loads a page in two threads; the second starts while the first one reads. The first read returns the result of
/// `first_read`. Returns the result of the first thread and the number of reads. The second thread must get the byte.
fn load_in_two_threads(first_read: fn() -> io::Result<()>) -> (Got, usize) {
    let content = content();
    let reads = Arc::new(AtomicUsize::new(0));
    let (inside, was_inside) = mpsc::channel();
    let counted = reads.clone();
    let hook = move |_| {
        if counted.fetch_add(1, Ordering::Relaxed) > 0 {
            return Ok(());
        }
        inside.send(()).unwrap();
        // Meanwhile the second thread loads the page.
        thread::sleep(MOMENT);
        first_read()
    };
    let map = Arc::new(hooked(&content, false, Box::new(hook)));
    let load = |index| {
        let (map, (done, was_done)) = (map.clone(), mpsc::channel());
        let thread = thread::spawn(move || {
            let got = catch_unwind(AssertUnwindSafe(|| map.range(index..=index).map(|bytes| bytes[0])));
            done.send(got.map_or(Err(io::ErrorKind::Other), |got| got.map_err(|error| error.kind()))).unwrap();
        });
        (thread, was_done)
    };
    let (first, first_done) = load(5);
    was_inside.recv_timeout(LIMIT).unwrap();
    let (second, second_done) = load(6);
    assert_eq!(second_done.recv_timeout(LIMIT), Ok(Ok(content[6])));
    let got = first_done.recv_timeout(LIMIT).unwrap();
    first.join().unwrap();
    second.join().unwrap();
    assert_eq!(map[5], content[5]);
    (got, reads.load(Ordering::Relaxed))
}

#[test]
fn two_threads_get_a_page_from_one_read() {
    assert_eq!(load_in_two_threads(|| Ok(())), (Ok(content()[5]), 1));
}

#[test]
fn a_thread_that_waits_for_a_read_that_fails_reads_itself() {
    let (first, reads) = load_in_two_threads(|| Err(io::ErrorKind::ConnectionReset.into()));
    assert_eq!((first, reads), (Err(io::ErrorKind::ConnectionReset), 2));
}

#[test]
fn a_thread_that_waits_for_a_read_that_panics_reads_itself() {
    let (first, reads) = load_in_two_threads(|| panic!("the storage panics"));
    assert_eq!((first, reads), (Err(io::ErrorKind::Other), 2), "the panic ends the first call");
}

#[test]
fn a_read_that_uses_the_page_that_it_loads_gets_an_error() {
    let own = Arc::new(OnceLock::<Weak<BufferedMmap<Hooked>>>::new());
    let map_of_storage = own.clone();
    let ask = move |page| {
        if page == 1 {
            let map = map_of_storage.get().unwrap().upgrade().unwrap();
            assert_eq!(map.get(0).copied(), Some(content()[0]), "a loaded page");
            assert_eq!(map.get(2 * PAGE).copied(), Some(content()[2 * PAGE]), "a page that the read itself loads");
            for asked in [PAGE..PAGE + 1, 0..PAGE + 1, PAGE..4 * PAGE] {
                let refused = map.range(asked.clone()).unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::Deadlock, "{asked:?}: {refused}");
            }
        }
        Ok(())
    };
    let map = Arc::new(hooked(&content(), false, Box::new(ask)));
    own.set(Arc::downgrade(&map)).ok().unwrap();
    assert_eq!(map[0], content()[0]);
    let (done, was_done) = mpsc::channel();
    let loading = map.clone();
    let thread = thread::spawn(move || done.send(loading[PAGE]).unwrap());
    // A read that waited for itself would wait longer.
    assert_eq!(was_done.recv_timeout(LIMIT), Ok(content()[PAGE]));
    thread.join().unwrap();
    assert_eq!(map[..], content());
}
