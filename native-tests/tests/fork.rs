//! Python's example of a parent and its child, which share anonymous memory. Only unix has `fork`.

#![cfg(unix)]

use std::io::{Read, SeekFrom, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use portable_mmap::raw::RawBuffer;
use portable_mmap::{Access, BufferedMmap, Flags, Mmap, MmapOptions};

/// Runs `child` in a forked child process, and returns its exit status: 0 if it returned true, 1 if it returned false.
///
/// The test program has several threads, and the child has only one of them. So `child` must not wait for another
/// thread, and should not allocate.
fn in_a_child(child: impl FnOnce() -> bool) -> i32 {
    while_a_child_runs(child, || ())
}

/// As above; meanwhile the parent runs `parent`.
fn while_a_child_runs(child: impl FnOnce() -> bool, parent: impl FnOnce()) -> i32 {
    // SAFETY: until `_exit` the child uses only its own memory and the shared mapping. It takes no lock that another
    // thread may hold, except for the message of a panic, and then the alarm ends it.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        // SAFETY: arms a timer of this process.
        unsafe { libc::alarm(20) };
        let code = match catch_unwind(AssertUnwindSafe(child)) {
            Ok(right) => i32::from(!right),
            Err(_) => 101,
        };
        // SAFETY: ends the child without running the parent's destructors or flushing its buffers.
        unsafe { libc::_exit(code) };
    }
    parent();
    let mut status = 0;
    // SAFETY: waits for the child that was just created, and writes to a local variable.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(waited, pid, "waitpid: {}", std::io::Error::last_os_error());
    assert!(libc::WIFEXITED(status), "the child ended by signal {}", libc::WTERMSIG(status));
    libc::WEXITSTATUS(status)
}

#[test]
fn the_exit_status_of_a_child_reaches_the_test() {
    assert_eq!(in_a_child(|| true), 0);
    assert_eq!(in_a_child(|| false), 1);
}

/// In the child, a lock that another thread of the parent holds during the fork is never released.
#[test]
fn a_child_flushes_although_its_parent_was_syncing_when_it_was_forked() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    const PART: usize = 8 << 20;
    let path = std::env::temp_dir().join(format!("portable-mmap-fork-syncing-{}", std::process::id()));
    std::fs::write(&path, vec![0; 2 * PART]).unwrap();
    let file = Arc::new(std::fs::File::options().read(true).write(true).open(&path).unwrap());
    std::fs::remove_file(path).unwrap();
    let part = |offset| {
        // SAFETY: each part is used by one mapping.
        unsafe { MmapOptions::new().offset(offset).len(PART).map(file.clone()) }.unwrap()
    };
    let (mut synced, mut map) = (part(0), part(PART as u64));
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for value in (0..=u8::MAX).cycle().take_while(|_| !ends.load(Relaxed)) {
                synced.as_mut_slice().unwrap().fill(value);
                synced.flush().unwrap();
            }
        });
        let codes = [(); 10].map(|()| {
            std::thread::sleep(std::time::Duration::from_millis(7));
            std::panic::catch_unwind(AssertUnwindSafe(|| {
                in_a_child(|| map.set_item(0, 1).and_then(|()| map.flush()).is_ok())
            }))
        });
        ends.store(true, Relaxed);
        assert!(codes.iter().all(|code| matches!(code, Ok(0))), "{codes:?}");
    });
}

#[test]
fn a_child_reads_what_its_parent_wrote_and_the_parent_what_the_child_wrote() {
    // mm = mmap.mmap(-1, 13)
    let mut mm = Mmap::anonymous(13).unwrap();
    // mm.write(b"Hello world!")
    mm.write_bytes(b"Hello world!").unwrap();

    // pid = os.fork()
    // if pid == 0:  # In a child process
    let status = in_a_child(|| {
        //     mm.seek(0)
        let sought = mm.seek(SeekFrom::Start(0)).is_ok();
        //     print(mm.readline())
        let read = mm.readline().is_ok_and(|line| line == b"Hello world!\0");
        let written = mm.set_slice(..5, b"Adieu").is_ok();
        //     mm.close()
        sought && read && written && mm.close().is_ok()
    });
    assert_eq!(status, 0);
    // The child has its own position, and its close does not affect the parent.
    assert_eq!(mm.tell(), 12);
    assert_eq!(mm.as_slice().unwrap(), b"Adieu world!\0");
    mm.close().unwrap();
}

#[test]
fn a_child_sees_what_its_parent_writes_after_the_fork() {
    let mut mm = Mmap::anonymous(13).unwrap();
    let (mut told, mut tell) = UnixStream::pair().unwrap();
    // The child reads memory that the parent changes after the fork.
    let view = mm.as_slice().unwrap().as_ptr();
    let status = while_a_child_runs(
        || {
            let mut word = [0];
            let heard = told.read_exact(&mut word).is_ok();
            // SAFETY: these thirteen bytes are mapped in the child too, and the parent no longer changes them.
            heard && unsafe { std::slice::from_raw_parts(view, 13) } == b"Hello child!\0"
        },
        || {
            mm.write_bytes(b"Hello child!").unwrap();
            tell.write_all(b"!").unwrap();
        },
    );
    assert_eq!(status, 0);
}

#[test]
fn memory_that_was_made_shorter_is_still_shared() {
    let page = Mmap::page_size();
    let mut mm = Mmap::anonymous(5 * page).unwrap();
    mm.resize(page + 5).unwrap();
    let status = in_a_child(|| mm.set_item(-1, b'!').is_ok() && mm.len() == page + 5);
    assert_eq!(status, 0);
    assert_eq!(mm.get_item(-1).unwrap(), b'!');
}

#[test]
fn parent_and_child_have_separate_private_memory() {
    for options in [MmapOptions::new().flags(Flags::PRIVATE), MmapOptions::new().access(Access::Copy)] {
        let mut mm = options.len(13).map_anonymous().unwrap();
        mm.write_bytes(b"Hello world!").unwrap();
        let status = in_a_child(|| {
            let read = mm.as_slice().is_ok_and(|bytes| bytes == b"Hello world!\0");
            read && mm.set_slice(..5, b"Adieu").is_ok() && &mm[..5] == b"Adieu"
        });
        assert_eq!(status, 0);
        assert_eq!(mm.as_slice().unwrap(), b"Hello world!\0");
    }
}

#[test]
fn a_mapping_of_a_file_is_shared_too_and_a_copy_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    for (access, parent_sees) in [(Access::Write, b"Adieu world!"), (Access::Copy, b"Hello world!")] {
        std::fs::write(&path, b"Hello world!").unwrap();
        // SAFETY: no slice is alive while the child changes the bytes.
        let mut mm = unsafe { MmapOptions::new().access(access).open(&path) }.unwrap();
        let status = in_a_child(|| mm.set_slice(..5, b"Adieu").is_ok() && mm.close().is_ok());
        assert_eq!(status, 0);
        assert_eq!(mm.as_slice().unwrap(), parent_sees);
        assert_eq!(std::fs::read(&path).unwrap(), parent_sees);
    }
}

/// A difference between a buffer and an OS mapping: a fork copies a buffer.
#[test]
fn parent_and_child_have_separate_buffers() {
    let mut mm: BufferedMmap = BufferedMmap::anonymous(13).unwrap();
    mm.write_bytes(b"Hello world!").unwrap();
    let status = in_a_child(|| {
        let read = mm.as_slice().is_ok_and(|bytes| bytes == b"Hello world!\0");
        read && mm.set_slice(..5, b"Adieu").is_ok() && &mm[..5] == b"Adieu"
    });
    assert_eq!(status, 0);
    assert_eq!(mm.as_slice().unwrap(), b"Hello world!\0");
}

/// Makes a buffer of a new file, with a change that is not flushed.
fn changed(dir: &Path, options: &MmapOptions) -> (PathBuf, Option<BufferedMmap>) {
    let path = dir.join("f");
    std::fs::write(&path, [0; 8192]).unwrap();
    let mut map = options.open_buffered(&path).unwrap();
    map[0] = 1;
    (path, Some(map))
}

/// The parent writes the change, and may have made another one by then.
#[test]
fn a_child_that_drops_a_buffer_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for guard in [false, true] {
        let (path, mut map) = changed(dir.path(), MmapOptions::new().guard(guard));
        let status = in_a_child(|| {
            drop(map.take());
            true
        });
        assert_eq!((status, std::fs::read(&path).unwrap()[0]), (0, 0));
        // A drop in the child does not write the child's own changes either, because it cannot distinguish them from
        // the parent's.
        let status = in_a_child(|| {
            map.as_mut().unwrap()[4096] = 1;
            drop(map.take());
            true
        });
        assert_eq!((status, std::fs::read(&path).unwrap()[4096]), (0, 0));
        drop(map);
        assert_eq!(std::fs::read(&path).unwrap()[0], 1, "the parent's drop writes");
    }
}

#[test]
fn a_child_that_drops_a_raw_buffer_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (path, map) = changed(dir.path(), &MmapOptions::new());
    let mut buffer = RawBuffer::new(map.unwrap()).unwrap();
    buffer.watch().unwrap();
    // SAFETY: the byte is in the buffer, and nobody borrows it.
    unsafe { buffer.as_ptr().wrapping_add(5).write(5) };
    let mut buffer = Some(buffer);
    let status = in_a_child(|| {
        drop(buffer.take());
        true
    });
    assert_eq!((status, std::fs::read(&path).unwrap()[5]), (0, 0));
    drop(buffer);
    assert_eq!(std::fs::read(&path).unwrap()[5], 5);
}

#[test]
fn a_child_that_flushes_or_closes_a_buffer_writes() {
    type Act = fn(&mut BufferedMmap) -> portable_mmap::Result<()>;
    let acts: [Act; 4] =
        [BufferedMmap::flush, |map| map.flush_range(0, 100), BufferedMmap::flush_async, BufferedMmap::close];
    let dir = tempfile::tempdir().unwrap();
    for act in acts {
        let (path, mut map) = changed(dir.path(), &MmapOptions::new());
        let status = in_a_child(|| map.as_mut().is_some_and(|map| act(map).is_ok()));
        assert_eq!((status, std::fs::read(&path).unwrap()[0]), (0, 1));
    }
}

#[test]
fn a_buffer_that_a_child_makes_is_written_by_its_drop() {
    let dir = tempfile::tempdir().unwrap();
    let (path, map) = changed(dir.path(), &MmapOptions::new());
    drop(map);
    let status = in_a_child(|| {
        let mut own = MmapOptions::new().open_buffered(&path).unwrap();
        own[1] = 7;
        drop(own);
        true
    });
    assert_eq!((status, &std::fs::read(&path).unwrap()[..2]), (0, &[1, 7][..]));
}
