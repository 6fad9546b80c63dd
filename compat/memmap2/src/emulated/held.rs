//! Descriptors that stay open while a mapping needs them, although the program has closed them.
//!
//! A mapping outlives its `File`. Preview 1 has no `dup`, so a mapping cannot have a descriptor of its own. But all who close
//! a descriptor call libc's `close`, std and C code too, and the function of this module takes its place. It leaves a held
//! descriptor open, and the last mapping that needs it closes it.
//!
//! libc has `close` and `__wasilibc_fd_renumber` in one object. A program that needs both would fail to link with two
//! definitions of `close` if this module had only that one.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int};
use std::os::fd::RawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is known of a held descriptor.
struct Held {
    /// How many [`Hold`]s there are of it.
    holds: usize,
    /// Whether the program has closed it.
    is_closed: bool,
}

static HELD: Mutex<BTreeMap<RawFd, Held>> = Mutex::new(BTreeMap::new());

fn held() -> MutexGuard<'static, BTreeMap<RawFd, Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a descriptor open until it is dropped.
#[derive(Debug)]
pub(super) struct Hold(RawFd);

impl Hold {
    /// Holds a descriptor that the program has open.
    pub(super) fn new(fd: RawFd) -> Self {
        held().entry(fd).or_insert(Held { holds: 0, is_closed: false }).holds += 1;
        Self(fd)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = held();
        let Some(entry) = held.get_mut(&self.0) else { return };
        entry.holds -= 1;
        if entry.holds > 0 {
            return;
        }
        let is_closed = entry.is_closed;
        held.remove(&self.0);
        drop(held);
        if is_closed {
            // The program was told long ago that it is closed. The changes were written by calls that report.
            let _ = host_close(self.0);
        }
    }
}

/// Whether the program has closed a descriptor that is still open.
pub(super) fn is_closed(fd: RawFd) -> bool {
    held().get(&fd).is_some_and(|entry| entry.is_closed)
}

unsafe extern "C" {
    /// Finds the directory of an absolute path among those that the host has opened for the program.
    fn __wasilibc_find_abspath(path: *const c_char, directory: *mut *const c_char, rest: *mut *const c_char) -> c_int;
}

/// Lets libc look at the directories that the host has opened for the program, as it does itself before it closes a
/// descriptor: it stops looking at the first number that is free.
///
/// It has a function for only that, `__wasilibc_populate_preopens`. But the object with libc's `close` has an empty one of
/// this name, and naming it may link that object.
fn find_directories() {
    let (mut directory, mut rest) = (std::ptr::null(), std::ptr::null());
    // SAFETY: the path is a text of C, and both places can be written to.
    let _ = unsafe { __wasilibc_find_abspath(c"/".as_ptr(), &raw mut directory, &raw mut rest) };
}

/// Closes a descriptor for good.
fn host_close(fd: RawFd) -> Result<(), wasi::Errno> {
    find_directories();
    // SAFETY: no mapping holds it, and the program has closed it: it uses it no more.
    unsafe { wasi::fd_close(number(fd)) }
}

#[expect(clippy::cast_sign_loss, reason = "no file has the number that a negative one becomes")]
fn number(fd: c_int) -> wasi::Fd {
    fd as wasi::Fd
}

/// In place of libc's `close`.
///
/// A held descriptor stays open. For the program it is closed: to close it again is an error, and its number is given to no
/// other file.
#[unsafe(no_mangle)]
extern "C" fn close(fd: c_int) -> c_int {
    if let Some(entry) = held().get_mut(&fd) {
        let was_closed = std::mem::replace(&mut entry.is_closed, true);
        return returned(if was_closed { Err(wasi::ERRNO_BADF) } else { Ok(()) });
    }
    returned(host_close(fd))
}

/// In place of libc's function, which `dup2` and `freopen` are made of where there is no `dup`: gives the file of one
/// descriptor the number of another, which is closed.
///
/// A mapping knows its file by its number. So a held descriptor is neither replaced nor given another number: the call fails
/// with `EBUSY`.
#[unsafe(no_mangle)]
extern "C" fn __wasilibc_fd_renumber(fd: c_int, newfd: c_int) -> c_int {
    let held = held();
    let [from, to] = [fd, newfd].map(|fd| held.get(&fd).map(|entry| entry.is_closed));
    drop(held);
    returned(match (from, to) {
        (Some(true), _) | (_, Some(true)) => Err(wasi::ERRNO_BADF),
        (Some(false), Some(false)) if fd == newfd => Ok(()),
        (Some(false), _) | (_, Some(false)) => Err(wasi::ERRNO_BUSY),
        (None, None) => {
            find_directories();
            // SAFETY: no mapping holds either, and the caller has both.
            unsafe { wasi::fd_renumber(number(fd), number(newfd)) }
        }
    })
}

/// What a function of libc returns.
fn returned(result: Result<(), wasi::Errno>) -> c_int {
    let Err(errno) = result else { return 0 };
    // SAFETY: the call has no conditions.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the place is this thread's own.
    unsafe { place.write(errno.raw().into()) };
    -1
}
