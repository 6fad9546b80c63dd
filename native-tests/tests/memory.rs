//! Memory: where there is none an answer says so and nothing aborts, and a buffer takes what the table of differences says.
//!
//! The allocator of this program counts, and fails on demand. One thread: its counters are for the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use native_tests::others::{PAGE, pattern};
#[cfg(target_pointer_width = "64")]
use native_tests::storages::{Op, Rig};
use portable_mmap::{BufferedMmap, Error, Mapping, MmapOptions, OsFile, Slice};

/// Fails the allocations of at least so many bytes...
static FAIL_FROM: AtomicUsize = AtomicUsize::new(usize::MAX);
/// ...once so many of them have succeeded.
static SUCCEEDING: AtomicUsize = AtomicUsize::new(0);
static HAS_FAILED: AtomicBool = AtomicBool::new(false);
/// Bytes allocated now.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

struct Failing;

#[allow(deprecated, reason = "its new name is newer than Rust 1.95")]
fn is_refused(size: usize) -> bool {
    if size < FAIL_FROM.load(Relaxed) {
        return false;
    }
    let refused = SUCCEEDING.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err();
    HAS_FAILED.fetch_or(refused, Relaxed);
    refused
}

// SAFETY: the system's allocator, with answers that an allocator may always give.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
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

/// Runs `act` with an allocator that fails for `from` bytes and more once `succeeding` of such requests were granted.
fn failing<T>(from: usize, succeeding: usize, act: impl FnOnce() -> T) -> T {
    SUCCEEDING.store(succeeding, Relaxed);
    HAS_FAILED.store(false, Relaxed);
    FAIL_FROM.store(from, Relaxed);
    let result = act();
    FAIL_FROM.store(usize::MAX, Relaxed);
    result
}

fn main() {
    let dir = tempfile::tempdir().expect("there is a directory");
    for (name, test) in TESTS {
        test(&dir.path().join("f"));
        println!("{name}: ok");
    }
}

type Test = fn(&Path);

const TESTS: &[(&str, Test)] = &[
    ("mapping without memory is an error", mapping_without_memory),
    ("every allocation of every operation may fail", every_allocation_may_fail),
    ("a resize without memory leaves mapping and file", a_resize_without_memory),
    ("bookkeeping is below 1/256 of the mapping", bookkeeping_is_small),
    ("copies are kept of what is borrowed mutably, until it is flushed", copies_are_kept_until_a_flush),
    ("memory goes to the pages that are touched", memory_goes_to_what_is_touched),
    #[cfg(target_pointer_width = "64")]
    ("a buffer may be longer than the machine has memory", a_buffer_longer_than_memory),
    #[cfg(target_pointer_width = "64")]
    ("anonymous memory of 40 GiB works or is an error", anonymous_memory_longer_than_memory),
    #[cfg(unix)]
    ("a fault under a guard takes no memory", a_fault_takes_no_memory),
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
        Err(Error::NoMemory { len, .. }) => assert!(len > 0, "the error says how much was asked for"),
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("there was memory"),
    }
}

fn mapping_without_memory(path: &Path) {
    // So many pages that a bit for each is more than an allocation of anybody else here.
    let content = pattern(1000 * PAGE);
    fs::write(path, &content).expect("a file can be written");
    is_no_memory(failing(100, 0, || reopened(path)));
    is_no_memory(failing(100, 0, || Mapping::<portable_mmap::Buffered<OsFile>>::anonymous(1000 * PAGE)));
    // No allocator has that much.
    is_no_memory(BufferedMmap::<OsFile>::anonymous(isize::MAX as usize));
    let anonymous = MmapOptions::new().len(isize::MAX as usize).map_anonymous();
    assert!(anonymous.is_err(), "nor has the system");
    // A file that would have been made longer is not.
    let file = OpenOptions::new().read(true).write(true).open(path).expect("the file can be opened");
    is_no_memory(failing(100, 0, || MmapOptions::new().len(2000 * PAGE).extend(true).map_buffered(file)));
    assert!(fs::read(path).expect("the file can be read") == content, "the file is as before");
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

/// Every single allocation, however small: one that is not asked for politely ends this program.
fn every_allocation_may_fail(path: &Path) {
    let content = pattern(10 * PAGE + 5);
    let mut refused = 0;
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
            refused += 1;
            is_no_memory(result);
            assert!(map.get_slice(..).expect("reads") == want, "{name}: the bytes are as before");
            assert_eq!(map.tell(), 0, "{name}: the position is as before");
            act(&mut map).unwrap_or_else(|error| panic!("{name}, with memory: {error}"));
            if !map.is_closed() {
                want = map.get_slice(..).expect("reads");
                map.flush().expect("writes");
                assert!(fs::read(path).expect("reads") == want, "{name}: the file holds what the mapping holds");
            }
        }
    }
    assert!(refused > 20, "there were allocations to refuse: {refused}");
    println!("{refused} allocations were refused, one in each run");
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
    // Not even a refusal by the system itself changes anything.
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
    // The mapping's own memory is the system's, and not the allocator's.
    let before = ALLOCATED.load(Relaxed);
    let file = OpenOptions::new().read(true).write(true).open(path).expect("the file can be opened");
    let mut map = MmapOptions::new().len(len).extend(true).map_buffered(file).expect("maps");
    let taken = ALLOCATED.load(Relaxed) - before;
    assert!(taken < len / 256, "{taken} bytes beside the mapping's own");
    // A change takes its page's copy, and tables.
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
    assert_eq!(ALLOCATED.load(Relaxed) - before, copies, "a second borrow keeps no second copy");
    map.flush_range(10 * PAGE, 25 * PAGE).expect("flushes");
    let left = ALLOCATED.load(Relaxed) - before;
    assert!((25 * PAGE..26 * PAGE).contains(&left), "{left} bytes for the copies of 25 pages");
    map.flush().expect("flushes");
    let left = ALLOCATED.load(Relaxed) - before;
    assert!(left <= 100 * PAGE / 8192, "{left} bytes are kept of what was written");
}

/// Memory that nobody has touched is not resident.
fn memory_goes_to_what_is_touched(path: &Path) {
    let len = 256 << 20;
    fs::write(path, b"").expect("a file can be written");
    let file = OpenOptions::new().read(true).write(true).open(path).expect("the file can be opened");
    let Some(before) = resident() else { return println!("(this system does not tell what is resident)") };
    let map = MmapOptions::new().len(len).extend(true).map_buffered(file).expect("maps");
    for part in 0..64 {
        assert_eq!(map[part * (len / 64) + 12345], 0);
    }
    let taken = resident().expect("told a moment ago").saturating_sub(before);
    assert!(taken < 4 << 20, "{taken} bytes are resident for 64 touched pages of {len} bytes");
}

/// Bytes of this process in memory, on Linux.
fn resident() -> Option<usize> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * portable_mmap::Mmap::page_size())
}

#[cfg(target_pointer_width = "64")]
const HUGE: usize = 40 << 30;

/// Over a file that is one hole.
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
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(0)).expect("the file can be cut");
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

/// It is met in a signal handler, where the allocator may be in the midst of something.
#[cfg(unix)]
fn a_fault_takes_no_memory(path: &Path) {
    let page = portable_mmap::Mmap::page_size();
    fs::write(path, vec![7; 70 * page]).expect("a file can be written");
    // SAFETY: nothing is borrowed while the file is shortened.
    let map = unsafe { MmapOptions::new().guard(true).open(path) }.expect("a file can be mapped");
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(0)).expect("a file can be cut");
    let mut sum = 0;
    failing(0, 0, || sum = map.iter().step_by(page).fold(0, |sum, &byte| sum + usize::from(byte)));
    assert_eq!((sum, HAS_FAILED.load(Relaxed)), (0, false), "seventy faults asked for no memory");
    assert!(map.fault().is_some());
}
