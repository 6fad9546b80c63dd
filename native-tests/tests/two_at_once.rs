//! Several mappings of one file in one process, and threads that read through theirs while another writes.
//!
//! The suite tests several mappings in one thread, for every backend: `windows/`, `refresh/`, `differences/`. Here they
//! run at the same time. It is guaranteed which bytes a flush and a refresh make visible, and that every byte is one
//! that somebody wrote. The order in which the bytes between two flushes become visible is not guaranteed.

#![cfg(unix)]

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use native_tests::others::UNIT;
use portable_mmap::{Access, Backend, Buffered, BufferedMmap, Mapped, Mapping, MmapOptions};

const READERS: usize = 4;
const LEN: usize = 4 * UNIT;

/// A file of zeros.
fn file(dir: &Path) -> Arc<File> {
    let path = dir.join("f");
    fs::write(&path, vec![0; LEN]).unwrap();
    Arc::new(OpenOptions::new().read(true).write(true).open(path).unwrap())
}

fn mapped<B>(file: &Arc<File>, access: Access) -> Mapping<B>
where
    B: Backend<Source: From<Arc<File>>>,
{
    // SAFETY: unless the mapping is a buffer, no thread uses a byte while another one changes it.
    unsafe { MmapOptions::new().access(access).map_with(file.clone()) }.unwrap()
}

/// In every round the writer changes all bytes, flushes, and waits until the readers have read.
fn readers_see_every_flush<B>()
where
    B: Backend<Source: From<Arc<File>>>,
{
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path());
    let turn = Barrier::new(READERS + 1);
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                let mut map = mapped::<B>(&file, Access::Read);
                // Checked at the end, because the others would wait for a thread that panicked before.
                let mut wrong = Vec::new();
                for round in 1..=50 {
                    turn.wait();
                    let refreshed = map.refresh().is_ok();
                    if !refreshed || map.iter().any(|&byte| byte != round) {
                        wrong.push(round);
                    }
                    turn.wait();
                }
                assert_eq!(wrong, [0; 0], "rounds in which a byte differed from the flushed one");
            });
        }
        let mut map = mapped::<B>(&file, Access::Write);
        for round in 1..=50 {
            map.as_mut_slice().unwrap().fill(round);
            map.flush_async().unwrap();
            turn.wait();
            turn.wait();
        }
    });
}

#[test]
fn readers_see_every_flush_of_another_mapping() {
    readers_see_every_flush::<Mapped>();
}

#[test]
fn readers_see_every_flush_of_another_buffer() {
    readers_see_every_flush::<Buffered>();
}

/// Several mappings write at once, each its own bytes of every page, and no bytes are lost.
fn writers_of_other_bytes_do_not_disturb_each_other<B>()
where
    B: Backend<Source: From<Arc<File>>>,
{
    const WRITERS: u8 = 4;
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path());
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let file = &file;
            scope.spawn(move || {
                let mut map = mapped::<B>(file, Access::Write);
                for round in 1..=20 {
                    // A few runs per page. A page with very many runs would be read and merged.
                    for at in (100 * usize::from(writer)..LEN).step_by(1000) {
                        map.range_mut(at..at + 10).unwrap().fill(round * 8 + writer);
                    }
                    map.flush_async().unwrap();
                }
            });
        }
    });
    let content = fs::read(dir.path().join("f")).unwrap();
    for writer in 0..WRITERS {
        for at in (100 * usize::from(writer)..LEN).step_by(1000) {
            assert_eq!(content[at..at + 10], [20 * 8 + writer; 10], "writer {writer}, byte {at}");
        }
    }
}

#[test]
fn mappings_that_write_other_bytes_do_not_disturb_each_other() {
    writers_of_other_bytes_do_not_disturb_each_other::<Mapped>();
}

#[test]
fn buffers_that_write_other_bytes_do_not_disturb_each_other() {
    writers_of_other_bytes_do_not_disturb_each_other::<Buffered>();
}

/// Readers and the writer do not wait for each other, because buffers do not need that. A reader reads no byte that is
/// older than the last round written before it started, or newer than the last round begun before it ended.
fn buffers_read_while_another_writes(mut write: impl FnMut(&Arc<File>, u8)) {
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path());
    let (begun, done, looks) = (AtomicU8::new(0), AtomicU8::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                let mut map: BufferedMmap = mapped(&file, Access::Read);
                let mut wrong = Vec::new();
                while done.load(Ordering::SeqCst) < 200 {
                    let least = done.load(Ordering::SeqCst);
                    map.refresh().unwrap();
                    let (low, high) = (*map.iter().min().unwrap(), *map.iter().max().unwrap());
                    let most = begun.load(Ordering::SeqCst);
                    if low < least || most < high {
                        wrong.push((least, low, high, most));
                    }
                    looks.fetch_add(1, Ordering::SeqCst);
                }
                assert_eq!(wrong, [(0, 0, 0, 0); 0], "written before, smallest and largest that was read, begun after");
            });
        }
        for round in 1..=200 {
            begun.store(round, Ordering::SeqCst);
            write(&file, round);
            done.store(round, Ordering::SeqCst);
            // A reader reads in every round.
            let seen = looks.load(Ordering::SeqCst);
            while round < 200 && looks.load(Ordering::SeqCst) == seen {
                thread::yield_now();
            }
        }
    });
}

#[test]
fn buffers_are_read_while_another_buffer_writes() {
    let mut map: Option<BufferedMmap> = None;
    buffers_read_while_another_writes(|file, round| {
        let map = map.get_or_insert_with(|| mapped(file, Access::Write));
        map.as_mut_slice().unwrap().fill(round);
        map.flush_async().unwrap();
    });
}

#[test]
fn buffers_are_read_while_an_os_mapping_writes() {
    let mut map: Option<Mapping<Mapped>> = None;
    buffers_read_while_another_writes(|file, round| {
        map.get_or_insert_with(|| mapped(file, Access::Write)).as_mut_slice().unwrap().fill(round);
    });
}

#[test]
fn buffers_are_read_while_the_file_is_written() {
    buffers_read_while_another_writes(|file, round| file.write_all_at(&vec![round; LEN], 0).unwrap());
}

/// Growth that allocates blocks while another writer appends: every record is in the file.
fn allocated_growth_keeps_what_another_appends<B>()
where
    B: Backend<Source: From<Arc<File>>>,
{
    const RECORDS: usize = 200;
    let dir = tempfile::tempdir().unwrap();
    let file = file(dir.path());
    // SAFETY: nobody else changes the bytes that are mapped.
    let mut map = unsafe { MmapOptions::new().allocate(true).map_with::<B>(file) }.unwrap();
    let path = dir.path().join("f");
    let mut other = OpenOptions::new().append(true).open(&path).unwrap();
    let begun = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            for record in 0..RECORDS {
                std::io::Write::write_all(&mut other, &[0xaa; 512]).unwrap();
                if record == RECORDS / 10 {
                    begun.wait();
                }
            }
        });
        begun.wait();
        map.resize(64 << 20).unwrap();
    });
    let content = fs::read(&path).unwrap();
    let records = content.chunks(512).filter(|record| **record == [0xaa; 512]).count();
    assert_eq!(records, RECORDS);
}

#[test]
fn allocated_growth_of_a_mapping_keeps_what_another_appends() {
    allocated_growth_keeps_what_another_appends::<Mapped>();
}

#[test]
fn allocated_growth_of_a_buffer_keeps_what_another_appends() {
    allocated_growth_keeps_what_another_appends::<Buffered>();
}
