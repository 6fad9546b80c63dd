//! Keeps descriptors open while a mapping needs them, although the program has closed them.
//!
//! A mapping outlives its `File`. Preview 1 has no `dup`, so a mapping cannot have a descriptor of its own. But std and
//! C code close descriptors with libc's `close`, and this module replaces that function. It leaves a held descriptor
//! open, and the last mapping that needs it closes it.
//!
//! libc has `close` and `__wasilibc_fd_renumber` in one object file. If this module defined only `close`, a program
//! that needs both would not link, because it would have two definitions of `close`.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int};
use std::os::fd::RawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The state of a held descriptor.
struct Held {
    /// The number of its [`Hold`]s.
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
            // The program's own `close` has already succeeded. The changes were written by calls that return errors.
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

/// Makes libc read the directories that the host has opened for the program, as libc's `close` does before it closes a
/// descriptor. libc stops at the first free number, so it has to read them before one becomes free.
///
/// libc has a function that does only this, `__wasilibc_populate_preopens`. But the object file of libc's `close` has
/// an empty function of the same name, and calling it may link that object.
fn find_directories() {
    let (mut directory, mut rest) = (std::ptr::null(), std::ptr::null());
    // SAFETY: the path is a C string, and both variables can be written to.
    let _ = unsafe { __wasilibc_find_abspath(c"/".as_ptr(), &raw mut directory, &raw mut rest) };
}

/// Closes a descriptor of the host.
fn host_close(fd: RawFd) -> Result<(), wasi::Errno> {
    find_directories();
    // SAFETY: no mapping holds it, and the program has closed it, so it no longer uses it.
    unsafe { wasi::fd_close(number(fd)) }
}

#[expect(clippy::cast_sign_loss, reason = "no file has the number that a negative one becomes")]
fn number(fd: c_int) -> wasi::Fd {
    fd as wasi::Fd
}

/// Replaces libc's `close`.
///
/// A held descriptor stays open. For the program it is closed: closing it again is an error, and its number is not
/// reused.
#[unsafe(no_mangle)]
extern "C" fn close(fd: c_int) -> c_int {
    if let Some(entry) = held().get_mut(&fd) {
        let was_closed = std::mem::replace(&mut entry.is_closed, true);
        return returned(if was_closed { Err(wasi::ERRNO_BADF) } else { Ok(()) });
    }
    returned(host_close(fd))
}

/// Replaces the libc function that `dup2` and `freopen` use where there is no `dup`: gives the file of one descriptor
/// the number of another, which is closed.
///
/// A mapping finds its file by its number. So a held descriptor is not replaced and does not get another number: the
/// call fails with `EBUSY`.
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
            // SAFETY: no mapping holds either of them, and the caller owns both.
            unsafe { wasi::fd_renumber(number(fd), number(newfd)) }
        }
    })
}

/// Converts a result to the return value of a function of libc, and sets `errno`.
fn returned(result: Result<(), wasi::Errno>) -> c_int {
    let Err(errno) = result else { return 0 };
    // SAFETY: the call has no conditions.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the pointer is to this thread's own `errno`.
    unsafe { place.write(errno.raw().into()) };
    -1
}
