//! System calls that fail: each act on a mapping of a file runs in threads in which the kernel rejects one kind of
//! call. After the error everything is unchanged; repeated in a thread without a filter, the act succeeds.
//!
//! This tests OS mappings as the storages of the suite test buffers. It also shows that `flush` syncs, because it fails
//! if the sync fails.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]

#[path = "common/seccomp.rs"]
mod seccomp;

use std::fs::{self, File, OpenOptions};
use std::io::SeekFrom;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use native_tests::others::{UNIT, pattern};
use native_tests::sweep::is_partly_written;
use portable_mmap::{Advice, Backend, Buffered, Error, Mapped, Mapping, MmapOptions};
use seccomp::{Call, rejecting, rule};
use seccompiler::{SeccompCmpOp, SeccompRule};

/// A kind of call that is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RejectedCall {
    /// The type and the length of a file.
    Stat,
    /// The mode of an open file.
    Mode,
    Read,
    Write,
    Truncate,
    /// Reserving blocks of the disk.
    Allocate,
    /// Mapping a file, or more of it. Anonymous memory can still be mapped.
    Map,
    /// Syncing a file or a mapping, and waiting for it.
    Sync,
    /// Starting to sync a mapping without waiting.
    SyncLater,
    Advise,
}

use RejectedCall::{Advise, Allocate, Map, Mode, Read, Stat, Sync, SyncLater, Truncate, Write};

const ALL: [RejectedCall; 10] = [Stat, Mode, Read, Write, Truncate, Allocate, Map, Sync, SyncLater, Advise];

/// The error of a rejected call.
const CAUSE: i32 = libc::EIO;

/// A rule for one argument.
fn argument(index: u8, compared: SeccompCmpOp, value: i32) -> Vec<SeccompRule> {
    rule(&[(index, compared, value)])
}

impl RejectedCall {
    /// The system calls.
    fn calls(self) -> Vec<Call> {
        use SeccompCmpOp::{Eq, Ne};
        let any = |calls: &[libc::c_long]| calls.iter().map(|&call| (call, Vec::new())).collect();
        match self {
            Stat => any(&[libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx]),
            Mode => vec![(libc::SYS_fcntl, argument(1, Eq, libc::F_GETFL))],
            Read => any(&[libc::SYS_pread64]),
            Write => any(&[libc::SYS_pwrite64]),
            Truncate => any(&[libc::SYS_ftruncate]),
            Allocate => any(&[libc::SYS_fallocate]),
            Map => vec![(libc::SYS_mmap, argument(4, Ne, -1)), (libc::SYS_mremap, Vec::new())],
            Sync => {
                let mut calls: Vec<_> = any(&[libc::SYS_fsync, libc::SYS_fdatasync]);
                calls.push((libc::SYS_msync, argument(2, Eq, libc::MS_SYNC)));
                calls
            }
            SyncLater => vec![(libc::SYS_msync, argument(2, Eq, libc::MS_ASYNC))],
            Advise => any(&[libc::SYS_madvise]),
        }
    }

    /// Runs `act` in a thread in which the kernel rejects these calls.
    fn during<T: Send>(self, act: impl FnOnce() -> T + Send) -> T {
        rejecting(self.calls(), CAUSE, act)
    }
}

type Act<B> = fn(&mut Mapping<B>) -> Result<Vec<u8>, Error>;

fn nothing(_: ()) -> Vec<u8> {
    Vec::new()
}

const LEN: usize = 2 * UNIT + 100;
const POSITION: u64 = 6;

fn open(dir: &Path) -> Arc<File> {
    let path = dir.join("f");
    fs::write(&path, pattern(LEN)).unwrap();
    Arc::new(OpenOptions::new().read(true).write(true).open(path).unwrap())
}

fn mapped<B>(file: &Arc<File>, options: &MmapOptions) -> Result<Mapping<B>, Error>
where
    B: Backend<Source: From<Arc<File>>>,
{
    // SAFETY: nobody else uses the file.
    unsafe { options.map_with(file.clone()) }
}

/// A mapping with changes in its first and its last page, and untouched pages between them.
fn stage<B>(dir: &Path, options: &MmapOptions) -> Mapping<B>
where
    B: Backend<Source: From<Arc<File>>>,
{
    let mut map = mapped::<B>(&open(dir), options).unwrap();
    map.set_slice(10..13, b"new").unwrap();
    map.set_slice(-3.., b"new").unwrap();
    map.seek(SeekFrom::Start(POSITION)).unwrap();
    map
}

/// The bytes of the mapping that `stage` returns.
fn staged() -> Vec<u8> {
    let mut bytes = pattern(LEN);
    bytes[10..13].copy_from_slice(b"new");
    bytes[LEN - 3..].copy_from_slice(b"new");
    bytes
}

/// Checks that the cause is the rejected call.
fn assert_rejected(error: &Error, context: &str) {
    let Error::Io { source, .. } = error else { panic!("{context}: {error}") };
    assert_eq!(source.raw_os_error(), Some(CAUSE), "{context}: {error}");
}

/// Runs an act once for each kind of call, and returns the kinds that it needs.
fn needed<B>(options: &MmapOptions, name: &str, act: Act<B>) -> Vec<RejectedCall>
where
    B: Backend<Source: From<Arc<File>>> + Send,
{
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let mut quiet = stage::<B>(dir.path(), options);
    let answer = act(&mut quiet).unwrap();
    let after = (!quiet.is_closed()).then(|| quiet.get_slice(..).unwrap());
    drop(quiet);
    let written = fs::read(&path).unwrap();

    let fails = |call: &RejectedCall| {
        let context = format!("{name}, rejected call {call:?}");
        let mut map = stage::<B>(dir.path(), options);
        let result = call.during(|| act(&mut map));
        let has_failed = result.is_err();
        let got = result.or_else(|error| {
            assert_rejected(&error, &context);
            let file = fs::read(&path).unwrap();
            assert!(is_partly_written(&pattern(LEN), &staged(), &file), "{context}: the file is unchanged");
            assert_eq!(map.tell(), POSITION, "{context}: the position is unchanged");
            assert!(map.get_slice(..).unwrap() == staged(), "{context}: the bytes are unchanged");
            act(&mut map)
        });
        assert!(got.unwrap() == answer, "{context}: the result is the same in the end");
        let now = (!map.is_closed()).then(|| map.get_slice(..).unwrap());
        assert!(now == after, "{context}: the bytes are the same in the end");
        drop(map);
        assert!(fs::read(&path).unwrap() == written, "{context}: the file is the same in the end");
        has_failed
    };
    ALL.into_iter().filter(fails).collect()
}

/// The calls that each act needs: with an OS mapping, and with a buffer.
macro_rules! acts {
    ($($test:ident: $options:expr, $act:expr, $mapped:expr, $buffered:expr;)*) => {$(
        #[test]
        fn $test() {
            let options = $options;
            assert_eq!(needed::<Mapped>(&options, stringify!($test), $act), $mapped, "an OS mapping");
            assert_eq!(needed::<Buffered>(&options, stringify!($test), $act), $buffered, "a buffer");
        }
    )*};
}

const NONE: [RejectedCall; 0] = [];

acts! {
    reading: MmapOptions::new(), |map| map.get_slice(..), NONE, [Read];
    searching: MmapOptions::new(), |map| map.rfind(b"no such bytes").map(|at| format!("{at:?}").into_bytes()),
        NONE, [Read];
    moving: MmapOptions::new(), |map| map.move_within(UNIT, 0, UNIT).map(nothing), NONE, [Read];
    asking_for_the_size: MmapOptions::new(), |map| map.size().map(|size| size.to_le_bytes().to_vec()),
        [Stat], [Stat];
    flushing: MmapOptions::new(), |map| map.flush().map(nothing), [Stat, Sync], [Stat, Write, Sync];
    flushing_a_part: MmapOptions::new(), |map| map.flush_range(0, 100).map(nothing),
        [Stat, Sync], [Stat, Write, Sync];
    flushing_for_others_to_see: MmapOptions::new(), |map| map.flush_async().map(nothing),
        [Stat, SyncLater], [Stat, Write];
    refreshing: MmapOptions::new(), |map| map.refresh().map(nothing), NONE, [Read];
    // The page with the old end is read, because the file may have bytes past that end.
    growing: MmapOptions::new(), |map| map.resize(3 * UNIT).map(nothing),
        [Stat, Truncate, Map], [Stat, Read, Truncate];
    growing_allocated: MmapOptions::new().allocate(true).clone(), |map| map.resize(3 * UNIT).map(nothing),
        [Stat, Allocate, Map], [Stat, Read, Allocate];
    shrinking: MmapOptions::new(), |map| map.resize(UNIT).map(nothing), [Stat, Truncate], [Stat, Truncate];
    hints_never_fail: MmapOptions::new(), |map| map.advise(Advice::WillNeed).map(nothing), NONE, NONE;
    closing: MmapOptions::new(), |map| map.close().map(nothing), [Stat], [Stat, Write];
}

/// If the file cannot be mapped again, the zeros and the fault stay.
#[test]
fn a_refresh_that_cannot_map_again_keeps_the_fault() {
    let dir = tempfile::tempdir().unwrap();
    let file = open(dir.path());
    let mut map = mapped::<Mapped>(&file, MmapOptions::new().guard(true)).unwrap();
    file.set_len(0).unwrap();
    assert_eq!((map[UNIT], map.fault().is_some()), (0, true));
    fs::write(dir.path().join("f"), pattern(LEN)).unwrap();
    let error = Map.during(|| map.refresh()).expect_err("a refresh that cannot map fails");
    assert_rejected(&error, "a refresh");
    assert!(map.fault().is_some(), "a fault without a refresh");
    map.refresh().unwrap();
    assert!(map.fault().is_none() && map.get_slice(..).unwrap() == pattern(LEN), "the bytes of the file");
}

/// The number of bytes of a mapping in dirty pages.
fn dirty(map: &Mapping<Mapped>) -> usize {
    let start = format!("{:x}-", map.as_slice().unwrap().as_ptr().addr());
    let areas = fs::read_to_string("/proc/self/smaps").unwrap();
    let area = areas.lines().skip_while(|line| !line.starts_with(&start)).skip(1);
    let fields = area.take_while(|line| !line.starts_with("VmFlags")).filter_map(|line| {
        let (name, kib) = line.split_once(':')?;
        ["Shared_Dirty", "Private_Dirty"].contains(&name).then(|| kib.trim().trim_end_matches(" kB").parse::<usize>())
    });
    fields.map(|kib| kib.unwrap() << 10).sum()
}

/// Makes a mapping of 64 pages with a changed byte in every other page. Some pages have been flushed without a sync,
/// and a flush of some has failed. As after a failed sync no page is dirty. Returns `None` if the file system has no
/// clean pages.
fn failed(options: &MmapOptions) -> Option<(tempfile::TempDir, Arc<File>, Mapping<Mapped>)> {
    let (dir, page) = (tempfile::tempdir().unwrap(), Mapping::<Mapped>::page_size());
    let file = open(dir.path());
    file.set_len(0).unwrap();
    // Page by page, because a single write may make several pages dirty as a unit.
    for (index, bytes) in pattern(64 * page).chunks(page).enumerate() {
        file.write_all_at(bytes, (index * page) as u64).unwrap();
    }
    file.sync_all().unwrap();
    let mut map = mapped::<Mapped>(&file, options).unwrap();
    for at in (0..32).map(|at| 2 * at * page) {
        map.set_item(at.cast_signed(), 0).unwrap();
        if at == 20 * page {
            map.flush_async().unwrap();
        }
    }
    assert_eq!(dirty(&map), 32 * page);
    assert_rejected(&Sync.during(|| map.flush_range(30 * page, 10 * page)).unwrap_err(), "a flush");
    file.sync_all().unwrap();
    if dirty(&map) > 0 {
        eprintln!("NOT RUN: flushes of clean pages: this file system has none");
        return None;
    }
    Some((dir, file, map))
}

/// Also in an optimised build: making a page dirty stores the byte that is already there.
#[test]
fn after_a_failed_sync_every_page_that_was_written_is_made_dirty_again() {
    let Some((_dir, file, mut map)) = failed(&MmapOptions::new()) else { return };
    let (before, page) = (map.get_slice(..).unwrap(), Mapping::<Mapped>::page_size());
    assert_rejected(&Sync.during(|| map.flush_async_range(0, 4 * page)).unwrap_err(), "an asynchronous flush");
    assert_eq!(dirty(&map), 2 * page, "the pages of the range");
    file.sync_all().unwrap();
    for _ in 0..2 {
        assert_rejected(&Sync.during(|| map.close()).unwrap_err(), "a close");
        assert_eq!(dirty(&map), 32 * page, "all written pages and no others");
        file.sync_all().unwrap();
    }
    map.flush_async_range(0, 32 * page).unwrap();
    assert_rejected(&Sync.during(|| map.close()).unwrap_err(), "a close");
    assert_eq!(dirty(&map), 16 * page, "the other half");
    map.flush_async().unwrap();
    assert_eq!(dirty(&map), 0, "all were synced");
    assert!(map.get_slice(..).unwrap() == before, "no byte has changed");
    Sync.during(|| map.close()).expect("nothing is left to sync");
}

#[test]
fn all_pages_of_an_exported_mapping_are_made_dirty() {
    let Some((_dir, file, mut map)) = failed(&MmapOptions::new()) else { return };
    map.export().unwrap();
    assert_rejected(&Sync.during(|| map.close()).unwrap_err(), "a close");
    assert_eq!(dirty(&map), map.len());
    file.sync_all().unwrap();
    map.close().unwrap();
}

#[test]
fn no_page_past_the_end_of_the_file_is_touched_after_a_failed_sync() {
    let Some((_dir, file, mut map)) = failed(&MmapOptions::new()) else { return };
    let page = Mapping::<Mapped>::page_size();
    file.set_len(3 * page as u64).unwrap();
    for _ in 0..2 {
        assert!(matches!(map.flush(), Err(Error::Truncated { .. })));
        assert!(matches!(map.close(), Err(Error::Truncated { .. })));
    }
    map.flush_range(0, 3 * page).unwrap();
    file.set_len(64 * page as u64).unwrap();
    map.close().unwrap();
}

/// Without the file its length is not known.
#[test]
fn a_mapping_without_its_file_returns_an_error_after_a_failed_sync() {
    let Some((_dir, _file, mut map)) = failed(MmapOptions::new().track_file(false)) else { return };
    for _ in 0..2 {
        assert!(matches!(map.flush(), Err(Error::Untracked { .. })));
        assert!(matches!(map.close(), Err(Error::Untracked { .. })));
    }
}

/// The system reports the error once for each open file, which duplicates and untracked mappings share.
#[test]
fn a_failed_sync_is_known_to_all_mappings_of_the_open_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = open(dir.path());
    let duplicate = Arc::new(file.try_clone().unwrap());
    let untracked = MmapOptions::new().track_file(false).clone();
    let change = |map: &mut Mapping<Mapped>| map.set_item(0, 1).unwrap();
    let fail = |options: &MmapOptions| {
        let mut map = mapped::<Mapped>(&file, options).unwrap();
        change(&mut map);
        assert_rejected(&Sync.during(|| map.flush()).unwrap_err(), "a flush");
    };
    for options in [MmapOptions::new(), untracked.clone()] {
        let mut others = [&file, &duplicate].map(|file| mapped::<Mapped>(file, &MmapOptions::new()).unwrap());
        others.iter_mut().for_each(change);
        fail(&options);
        for mut other in others {
            assert_rejected(&Sync.during(|| other.close()).unwrap_err(), "a close that has to sync");
            other.close().unwrap();
        }
        let [mut other, mut unchanged] = [(); 2].map(|()| mapped::<Mapped>(&file, &untracked).unwrap());
        change(&mut other);
        fail(&options);
        assert!(matches!(other.flush(), Err(Error::Untracked { .. })));
        unchanged.flush().unwrap();
        unchanged.close().unwrap();
    }
}

/// Returns the calls that mapping needs, and checks that the file is unchanged.
fn needed_to_map<B>(options: &MmapOptions) -> Vec<RejectedCall>
where
    B: Backend<Source: From<Arc<File>>> + Send,
{
    let dir = tempfile::tempdir().unwrap();
    let fails = |call: &RejectedCall| {
        let file = open(dir.path());
        let result = call.during(|| mapped::<B>(&file, options).map(drop));
        let has_failed = result.is_err();
        if let Err(error) = result {
            assert_rejected(&error, &format!("{options:?}, rejected call {call:?}"));
            assert!(fs::read(dir.path().join("f")).unwrap() == pattern(LEN), "{call:?}: the file is unchanged");
        }
        has_failed
    };
    ALL.into_iter().filter(fails).collect()
}

#[test]
fn mapping() {
    let plain = MmapOptions::new();
    assert_eq!(needed_to_map::<Mapped>(&plain), [Stat, Mode, Map]);
    assert_eq!(needed_to_map::<Buffered>(&plain), [Stat, Mode]);
    let guarded = MmapOptions::new().guard(true).clone();
    assert_eq!(needed_to_map::<Mapped>(&guarded), [Stat, Mode, Map]);
    let extending = MmapOptions::new().len(3 * UNIT).extend(true).clone();
    assert_eq!(needed_to_map::<Mapped>(&extending), [Stat, Mode, Truncate, Map]);
    assert_eq!(needed_to_map::<Buffered>(&extending), [Stat, Mode, Truncate]);
    let allocating = extending.clone().allocate(true).clone();
    assert_eq!(needed_to_map::<Mapped>(&allocating), [Stat, Mode, Allocate, Map]);
    assert_eq!(needed_to_map::<Buffered>(&allocating), [Stat, Mode, Allocate]);
}
