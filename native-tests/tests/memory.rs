//! Memory: a call that gets no memory returns an error and does not abort, and a buffer takes as much as its
//! documentation states.
//!
//! The allocator of this program counts, and fails on demand. There is one thread, because the counters are for the
//! whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use native_tests::others::{PAGE, pattern};
#[cfg(target_pointer_width = "64")]
use native_tests::storages::{Op, Rig};
use portable_mmap::{BufferedMmap, Error, Mapping, MmapOptions, OsFile, Slice};

/// Allocations of at least this many bytes fail...
static FAIL_FROM: AtomicUsize = AtomicUsize::new(usize::MAX);
/// ...after this many of them have succeeded.
static SUCCEEDING: AtomicUsize = AtomicUsize::new(0);
static HAS_FAILED: AtomicBool = AtomicBool::new(false);
/// Bytes allocated now.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

struct Failing;

#[allow(deprecated, reason = "its new name is newer than Rust 1.95")]
fn must_fail(size: usize) -> bool {
    if size < FAIL_FROM.load(Relaxed) {
        return false;
    }
    let fails = SUCCEEDING.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err();
    HAS_FAILED.fetch_or(fails, Relaxed);
    fails
}

// SAFETY: calls the system's allocator, or returns a null pointer, which an allocator may always do.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if must_fail(layout.size()) {
            return std::ptr::null_mut();
        }
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Runs `act` with an allocator that fails for `from` bytes or more after `succeeding` of such requests.
fn failing<T>(from: usize, succeeding: usize, act: impl FnOnce() -> T) -> T {
    SUCCEEDING.store(succeeding, Relaxed);
    HAS_FAILED.store(false, Relaxed);
    FAIL_FROM.store(from, Relaxed);
    let result = act();
    FAIL_FROM.store(usize::MAX, Relaxed);
    result
}

fn main() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, test) in TESTS {
        test(&dir.path().join("f"));
        println!("{name}: ok");
    }
}

type Test = fn(&Path);

const TESTS: &[(&str, Test)] = &[
    ("mapping without memory is an error", mapping_without_memory),
    ("every allocation of every operation can fail", every_allocation_may_fail),
    ("a resize without memory changes neither mapping nor file", a_resize_without_memory),
    ("bookkeeping is below 1/256 of the mapping", bookkeeping_is_small),
    ("copies of mutably borrowed pages are kept until a flush", copies_are_kept_until_a_flush),
    ("only touched pages take memory", only_touched_pages_take_memory),
    #[cfg(target_pointer_width = "64")]
    ("a buffer can be longer than the memory of the machine", a_buffer_longer_than_memory),
    #[cfg(target_pointer_width = "64")]
    ("anonymous memory of 40 GiB works or is an error", anonymous_memory_longer_than_memory),
    #[cfg(unix)]
    ("a fault under a guard allocates no memory", a_fault_takes_no_memory),
];

fn mapped(path: &Path, content: &[u8]) -> BufferedMmap {
    fs::write(path, content).expect("a file can be written");
    reopened(path).expect("a file can be mapped")
}

fn reopened(path: &Path) -> Result<BufferedMmap, Error> {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("the file can be opened");
    MmapOptions::new().map_buffered(file)
}

#[track_caller]
fn is_no_memory<T>(result: Result<T, Error>) {
    match result {
        Err(Error::NoMemory { len, .. }) => assert!(len > 0, "the error has the length"),
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("there was memory"),
    }
}

fn mapping_without_memory(path: &Path) {
    // So many pages that one bit for each is larger than any other allocation here.
    let content = pattern(1000 * PAGE);
    fs::write(path, &content).expect("a file can be written");
    is_no_memory(failing(100, 0, || reopened(path)));
    is_no_memory(failing(100, 0, || Mapping::<portable_mmap::Buffered<OsFile>>::anonymous(1000 * PAGE)));
    // No allocator has this much memory.
    is_no_memory(BufferedMmap::<OsFile>::anonymous(isize::MAX as usize));
    let anonymous = MmapOptions::new().len(isize::MAX as usize).map_anonymous();
    assert!(anonymous.is_err(), "the system does not have it either");
    // The file is not extended either.
    let file = OpenOptions::new().read(true).write(true).open(path).expect("the file can be opened");
    is_no_memory(failing(100, 0, || MmapOptions::new().len(2000 * PAGE).extend(true).map_buffered(file)));
    assert!(fs::read(path).expect("the file can be read") == content, "the file is unchanged");
}

type Act = fn(&mut BufferedMmap) -> Result<usize, Error>;

const ACTS: &[(&str, Act)] = &[
    ("as_slice", |map| Ok(map.as_slice()?.len())),
    ("as_mut_slice", |map| map.as_mut_slice().map(|bytes| bytes.fill(9)).map(|()| 0)),
    ("range_mut", |map| map.range_mut(PAGE - 1..=4 * PAGE).map(|bytes| bytes.fill(9)).map(|()| 0)),
    ("set_item", |map| map.set_item(-1, 9).map(|()| 0)),
    ("set_slice", |map| map.set_slice(5..8, &[9; 3]).map(|()| 0)),
    ("set_slice, far apart", |map| map.set_slice(Slice::new(None, None, 5000), &[9; 9]).map(|()| 0)),
    ("get_slice", |map| Ok(map.get_slice(..)?.len())),
    ("get_slice, far apart", |map| Ok(map.get_slice(Slice::new(None, None, -5000))?.len())),
    ("write_bytes", |map| map.write_bytes(&[9; 2 * PAGE])),
    ("move_within", |map| map.move_within(PAGE, 0, 3 * PAGE).map(|()| 0)),
    ("find", |map| Ok(map.find([255, 0])?.unwrap_or(0))),
    ("rfind", |map| Ok(map.rfind([255, 0])?.unwrap_or(0))),
    ("readline", |map| Ok(map.readline()?.len())),
    ("grow", |map| map.resize(100 * PAGE).map(|()| 0)),
    ("shrink", |map| map.resize(3 * PAGE + 1).map(|()| 0)),
    ("refresh", |map| map.refresh().map(|()| 0)),
    ("flush", |map| map.flush().map(|()| 0)),
    ("close", |map| map.close().map(|()| 0)),
];

/// Every allocation, however small. One that cannot report failure would end this program.
fn every_allocation_may_fail(path: &Path) {
    let content = pattern(10 * PAGE + 5);
    let mut failed = 0;
    for (name, act) in ACTS {
        for succeeding in 0.. {
            let mut map = mapped(path, &content);
            map[7 * PAGE] = 0;
            let mut want = content.clone();
            want[7 * PAGE] = 0;
            let result = failing(1, succeeding, || act(&mut map));
            if !HAS_FAILED.load(Relaxed) {
                result.unwrap_or_else(|error| panic!("{name}: {error}"));
                break;
            }
            failed += 1;
            is_no_memory(result);
            assert!(map.get_slice(..).expect("reads") == want, "{name}: the bytes are unchanged");
            assert_eq!(map.tell(), 0, "{name}: the position is unchanged");
            act(&mut map).unwrap_or_else(|error| panic!("{name}, with memory: {error}"));
            if !map.is_closed() {
                want = map.get_slice(..).expect("reads");
                map.flush().expect("writes");
                assert!(fs::read(path).expect("reads") == want, "{name}: the file has the bytes of the mapping");
            }
        }
    }
    assert!(failed > 20, "some allocations failed: {failed}");
    println!("{failed} allocations failed, one in each run");
}

fn a_resize_without_memory(path: &Path) {
    let content = pattern(10 * PAGE);
    let mut map = mapped(path, &content);
    map[5] = 0;
    for len in [20 * PAGE, 5 * PAGE] {
        is_no_memory(failing(1, 0, || map.resize(len)));
        assert_eq!((map.len(), fs::read(path).expect("reads").len()), (10 * PAGE, 10 * PAGE));
        assert_eq!(map[5], 0);
    }
    // Nothing changes either if the system itself has no memory.
    is_no_memory(map.resize(isize::MAX as usize));
    assert_eq!((map.len(), fs::read(path).expect("reads").len()), (10 * PAGE, 10 * PAGE));
    map.close().expect("closes");
    let mut want = content;
    want[5] = 0;
    assert_eq!(fs::read(path).expect("reads"), want);
}

fn bookkeeping_is_small(path: &Path) {
    let len = 64 << 20;
    fs::write(path, b"").expect("a file can be written");
    // The bytes of the mapping are memory of the system, not of the allocator.
    let before = ALLOCATED.load(Relaxed);
    let file = OpenOptions::new().read(true).write(true).open(path).expect("the file can be opened");
    let mut map = MmapOptions::new().len(len).extend(true).map_buffered(file).expect("maps");
    let taken = ALLOCATED.load(Relaxed) - before;
    assert!(taken < len / 256, "{taken} bytes besides those of the mapping");
    // A change takes a copy of its page, and tables.
    map[len / 2] = 1;
    let taken = ALLOCATED.load(Relaxed) - before;
    assert!(taken < len / 256, "{taken} bytes with a change");
}

fn copies_are_kept_until_a_flush(path: &Path) {
    let mut map = mapped(path, &vec![7; 100 * PAGE]);
    let _ = map.as_slice().expect("loads");
    let before = ALLOCATED.load(Relaxed);
    map.range_mut(10 * PAGE..60 * PAGE).expect("loads").fill(8);
    let copies = ALLOCATED.load(Relaxed) - before;
    assert!((50 * PAGE..51 * PAGE).contains(&copies), "{copies} bytes for the copies of 50 pages");
    map.range_mut(10 * PAGE..60 * PAGE).expect("loads").fill(9);
    assert_eq!(ALLOCATED.load(Relaxed) - before, copies, "a second borrow makes no second copy");
    map.flush_range(10 * PAGE, 25 * PAGE).expect("flushes");
    let left = ALLOCATED.load(Relaxed) - before;
    assert!((25 * PAGE..26 * PAGE).contains(&left), "{left} bytes for the copies of 25 pages");
    map.flush().expect("flushes");
    let left = ALLOCATED.load(Relaxed) - before;
    assert!(left <= 100 * PAGE / 8192, "{left} bytes are kept after everything was written");
}

/// Memory that nobody has touched is not resident.
fn only_touched_pages_take_memory(path: &Path) {
    let len = 256 << 20;
    fs::write(path, b"").expect("a file can be written");
    let file = OpenOptions::new().read(true).write(true).open(path).expect("the file can be opened");
    let Some(before) = resident() else { return println!("(this system does not report resident memory)") };
    let map = MmapOptions::new().len(len).extend(true).map_buffered(file).expect("maps");
    for part in 0..64 {
        assert_eq!(map[part * (len / 64) + 12345], 0);
    }
    let taken = resident().expect("the system reports it").saturating_sub(before);
    assert!(taken < 4 << 20, "{taken} bytes are resident for 64 touched pages of {len} bytes");
}

/// The resident bytes of this process, on Linux.
fn resident() -> Option<usize> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * portable_mmap::Mmap::page_size())
}

#[cfg(target_pointer_width = "64")]
const HUGE: usize = 40 << 30;

/// The file is one hole.
#[cfg(target_pointer_width = "64")]
fn a_buffer_longer_than_memory(path: &Path) {
    fs::write(path, b"").expect("a file can be written");
    let file = OpenOptions::new().read(true).write(true).open(path).expect("the file can be opened");
    if let Err(error) = file.set_len(HUGE as u64) {
        return println!("(this file system has no file of 40 GiB: {error})");
    }
    let (before, rig) = (resident(), Rig::default());
    let storage = rig.around(OsFile::from(file));
    let mut map = MmapOptions::new().map_storage(storage).expect("maps");
    assert_eq!(map[HUGE / 2 + 5], 0);
    map[HUGE / 2 + 5] = 1;
    map.flush().expect("flushes");
    assert_eq!(rig.calls(Op::Write), [((HUGE / 2 + 5) as u64, 1)], "one byte is written");
    assert!(rig.count(Op::Read).1 <= PAGE as u64, "one page is read");
    if let (Some(before), Some(after)) = (before, resident()) {
        let taken = after.saturating_sub(before);
        println!("{taken} bytes are resident for one touched page of 40 GiB");
        assert!(taken < 4 << 20, "{taken} bytes are resident for one touched page of 40 GiB");
    }
    map.close().expect("closes");
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(0)).expect("the file can be truncated");
}

#[cfg(target_pointer_width = "64")]
fn anonymous_memory_longer_than_memory(_: &Path) {
    match BufferedMmap::<OsFile>::anonymous(HUGE) {
        Ok(mut map) => {
            map[HUGE - 1] = 1;
            assert_eq!((map[0], map[HUGE - 1]), (0, 1));
            println!("(there is a buffer of 40 GiB)");
        }
        Err(error) => {
            println!("(there is no buffer of 40 GiB: {error})");
            is_no_memory(Err::<(), _>(error));
        }
    }
    match MmapOptions::new().len(HUGE).map_anonymous() {
        Ok(mut map) => {
            map[HUGE - 1] = 1;
            assert_eq!((map[0], map[HUGE - 1]), (0, 1));
            println!("(there is an OS mapping of 40 GiB)");
        }
        Err(error) => {
            println!("(there is no OS mapping of 40 GiB: {error})");
            is_no_memory(Err::<(), _>(error));
        }
    }
}

/// A signal handler handles the fault, and must not allocate, because the fault may interrupt the allocator.
#[cfg(unix)]
fn a_fault_takes_no_memory(path: &Path) {
    let page = portable_mmap::Mmap::page_size();
    fs::write(path, vec![7; 70 * page]).expect("a file can be written");
    // SAFETY: nothing is borrowed while the file is truncated.
    let map = unsafe { MmapOptions::new().guard(true).open(path) }.expect("a file can be mapped");
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(0)).expect("a file can be truncated");
    let mut sum = 0;
    failing(0, 0, || sum = map.iter().step_by(page).fold(0, |sum, &byte| sum + usize::from(byte)));
    assert_eq!((sum, HAS_FAILED.load(Relaxed)), (0, false), "seventy faults allocated no memory");
    assert!(map.fault().is_some());
}
