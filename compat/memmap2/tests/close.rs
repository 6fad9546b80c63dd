//! `close` on Preview 1: descriptors that a mapping needs stay open, and all others are closed.

#![cfg(all(target_os = "wasi", target_env = "p1", not(memmap2_libc_close)))]

mod common;

use std::ffi::{CString, c_int};
use std::fs::{self, File};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
use std::path::Path;

use common::{file, open};
use memmap2::{Mmap, MmapMut, MmapOptions};

unsafe extern "C" {
    /// The function of libc that `freopen` calls.
    safe fn __wasilibc_fd_renumber(fd: c_int, newfd: c_int) -> c_int;
}

const BAD: Option<i32> = Some(libc::EBADF);

/// Converts the result of a call of libc, with its error.
fn called(result: c_int) -> Result<(), Option<i32>> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error().raw_os_error()) }
}

fn close(fd: c_int) -> Result<(), Option<i32>> {
    // SAFETY: the tests own the descriptors that they close, or these are not open.
    called(unsafe { libc::close(fd) })
}

/// Whether the host has an open file with this number.
fn is_open(fd: c_int) -> bool {
    // SAFETY: the call changes nothing.
    unsafe { libc::fcntl(fd, libc::F_GETFL) != -1 }
}

/// A writable mapping of a file that is closed, and the number that the file had.
fn orphan(path: &Path) -> (MmapMut, c_int) {
    let mapped = open(path);
    // SAFETY: nobody else changes the file meanwhile.
    (unsafe { MmapMut::map_mut(&mapped) }.unwrap(), mapped.as_raw_fd())
}

#[test]
fn the_last_mapping_that_needs_a_descriptor_closes_it() {
    let path = file("held", b"text");
    let mapped = open(&path);
    let fd = mapped.as_raw_fd();
    // SAFETY: nobody else changes the file meanwhile.
    let [first, second] = [(); 2].map(|()| unsafe { MmapMut::map_mut(&mapped) }.unwrap());
    drop(mapped);
    assert!(is_open(fd));
    assert_ne!(open(&path).as_raw_fd(), fd, "the number is not free");
    drop(first);
    assert!(is_open(fd));
    drop(second);
    assert!(!is_open(fd));
    assert_eq!(close(fd), Err(BAD));
}

#[test]
fn a_file_stays_open_after_its_mapping_is_dropped() {
    let path = file("outlives", b"text");
    let mapped = open(&path);
    // SAFETY: nobody else changes the file meanwhile.
    drop(unsafe { MmapMut::map_mut(&mapped) }.unwrap());
    assert_eq!(io::read_to_string(&mapped).unwrap(), "text");
    let fd = mapped.into_raw_fd();
    assert_eq!(close(fd), Ok(()));
    assert!(!is_open(fd));
}

#[test]
fn a_held_descriptor_is_closed_for_the_program() {
    let path = file("closed", b"text");
    let (mut map, fd) = orphan(&path);
    assert_eq!(close(fd), Err(BAD), "it can be closed only once");
    // SAFETY: nobody else changes the file meanwhile.
    let error = unsafe { MmapMut::map_mut(fd) }.unwrap_err();
    assert_eq!(error.raw_os_error(), BAD);
    assert_eq!(called(__wasilibc_fd_renumber(fd, fd)), Err(BAD));
    map[0] = b'n';
    drop(map);
    assert_eq!(fs::read(&path).unwrap(), b"next");
    assert!(!is_open(fd));
}

#[test]
fn mappings_that_cannot_write_hold_no_descriptor() {
    let path = file("reading", b"text");
    let reader = File::open(&path).unwrap();
    let other = open(&path);
    let numbers = [reader.as_raw_fd(), other.as_raw_fd()];
    // SAFETY: nobody changes the file meanwhile.
    let map = unsafe { Mmap::map(&reader) }.unwrap();
    // SAFETY: as above.
    let copy = unsafe { MmapOptions::new().map_copy(&other) }.unwrap();
    // SAFETY: as above.
    unsafe { MmapMut::map_mut(&reader) }.unwrap_err();
    drop((reader, other));
    assert_eq!(numbers.map(is_open), [false; 2]);
    assert_eq!((&map[..], &copy[..]), (&b"text"[..], &b"text"[..]));
}

#[test]
fn files_and_directories_that_are_not_mapped_are_closed_at_once() {
    let path = file("not-mapped", b"text");
    let _held = orphan(&file("not-mapped-held", b"text"));
    for _ in 0..3 {
        let numbers = [open(&path).into_raw_fd(), File::open(path.parent().unwrap()).unwrap().into_raw_fd()];
        assert_eq!(numbers.map(is_open), [true; 2]);
        assert_eq!(numbers.map(close), [Ok(()); 2]);
        assert_eq!(numbers.map(is_open), [false; 2]);
        assert_eq!(numbers.map(close), [Err(BAD); 2]);
    }
    assert!(fs::read_dir(path.parent().unwrap()).unwrap().count() > 0);
    assert_eq!(close(-1), Err(BAD));
}

#[test]
fn a_standard_stream_is_closed_and_its_number_can_be_mapped() {
    let path = file("standard", b"text");
    assert_eq!(close(0), Ok(()));
    assert_eq!(close(0), Err(BAD));
    // New files get the free numbers, including 0.
    let mut files: Vec<_> = std::iter::repeat_with(|| open(&path)).take(8).collect();
    let zero = files.iter().position(|file| file.as_raw_fd() == 0).expect("a file gets the number 0");
    let standard = files.swap_remove(zero);
    // SAFETY: nobody else changes the file meanwhile.
    let mut map = unsafe { MmapMut::map_mut(&standard) }.unwrap();
    drop(standard);
    map[0] = b'n';
    drop(map);
    assert_eq!(fs::read(&path).unwrap(), b"next");
    assert!(!is_open(0));
}

#[test]
fn a_mapping_keeps_the_file_of_a_closed_libc_stream() {
    let path = file("stream", b"0123456789");
    let name = CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: both are C strings.
    let stream = unsafe { libc::fopen(name.as_ptr(), c"r+".as_ptr()) };
    assert!(!stream.is_null());
    // SAFETY: the stream is open.
    let fd = unsafe { libc::fileno(stream) };
    // SAFETY: nobody else changes the file meanwhile.
    let mut map = unsafe { MmapMut::map_mut(fd) }.unwrap();
    // SAFETY: the stream is open, and not used afterwards.
    assert_eq!(called(unsafe { libc::fclose(stream) }), Ok(()));
    map[0] = b'A';
    drop(map);
    assert_eq!(fs::read(&path).unwrap(), b"A123456789");
    assert!(!is_open(fd));
}

#[test]
fn an_unmapped_stream_can_be_reopened_under_its_number() {
    let [first, second] = [file("freopen", b"first"), file("freopen-again", b"second")];
    let names = [&first, &second].map(|path| CString::new(path.to_str().unwrap()).unwrap());
    // SAFETY: both are C strings.
    let stream = unsafe { libc::fopen(names[0].as_ptr(), c"r".as_ptr()) };
    // SAFETY: the stream is open.
    let fd = unsafe { libc::fileno(stream) };
    // SAFETY: both are C strings, and the stream is open.
    let again = unsafe { libc::freopen(names[1].as_ptr(), c"r".as_ptr(), stream) };
    assert_eq!(again, stream);
    // SAFETY: the stream is open, and closes its number itself.
    let content = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
    assert_eq!(io::read_to_string(&*content).unwrap(), "second");
    // SAFETY: the stream is open, and not used afterwards.
    assert_eq!(called(unsafe { libc::fclose(again) }), Ok(()));
    assert!(!is_open(fd));
}

#[test]
fn reopening_a_mapped_stream_fails_and_loses_no_changes() {
    let [path, other] = [file("busy", b"0123456789"), file("busy-other", b"other")];
    let names = [&path, &other].map(|path| CString::new(path.to_str().unwrap()).unwrap());
    // SAFETY: both are C strings.
    let stream = unsafe { libc::fopen(names[0].as_ptr(), c"r+".as_ptr()) };
    // SAFETY: the stream is open.
    let fd = unsafe { libc::fileno(stream) };
    // SAFETY: nobody else changes the file meanwhile.
    let mut map = unsafe { MmapMut::map_mut(fd) }.unwrap();
    map[0] = b'A';
    // SAFETY: both are C strings, and the stream is open; the call closes it if it fails.
    assert!(unsafe { libc::freopen(names[1].as_ptr(), c"r+".as_ptr(), stream) }.is_null());
    map.flush().unwrap();
    drop(map);
    assert_eq!(fs::read(&path).unwrap(), b"A123456789");
    assert_eq!(fs::read(&other).unwrap(), b"other");
    assert!(!is_open(fd));
}

#[test]
fn a_held_descriptor_is_not_renumbered() {
    let [path, other] = [file("number", b"text"), file("number-other", b"other")];
    let [mapped, free] = [open(&path), open(&other)];
    let [fd, to] = [mapped.as_raw_fd(), free.as_raw_fd()];
    // SAFETY: nobody else changes the file meanwhile.
    let mut map = unsafe { MmapMut::map_mut(&mapped) }.unwrap();
    let busy = Err(Some(libc::EBUSY));
    assert_eq!(called(__wasilibc_fd_renumber(fd, to)), busy);
    assert_eq!(called(__wasilibc_fd_renumber(to, fd)), busy);
    assert_eq!(called(__wasilibc_fd_renumber(fd, fd)), Ok(()));
    drop(mapped);
    assert_eq!(called(__wasilibc_fd_renumber(fd, to)), Err(BAD));
    assert_eq!(called(__wasilibc_fd_renumber(to, fd)), Err(BAD));
    map[0] = b'n';
    drop(map);
    assert_eq!(fs::read(&path).unwrap(), b"next");
    assert_eq!(io::read_to_string(&free).unwrap(), "other");
    // A descriptor that no mapping holds can replace another one.
    let last = open(&path).into_raw_fd();
    assert_eq!(called(__wasilibc_fd_renumber(last, to)), Ok(()));
    assert_eq!((is_open(last), io::read_to_string(&free).unwrap()), (false, "next".into()));
}
