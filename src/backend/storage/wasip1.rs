//! Files at offsets on wasip1, through the calls of Preview 1 themselves: std's are not stable.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

use super::Mode;

fn fd(file: &File) -> wasi::Fd {
    #[expect(clippy::cast_sign_loss, reason = "an open descriptor is not negative")]
    let fd = file.as_raw_fd() as wasi::Fd;
    fd
}

fn error(errno: wasi::Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.raw().into())
}

pub(super) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let iovec = wasi::Iovec { buf: buf.as_mut_ptr(), buf_len: buf.len() };
    // SAFETY: the vector names a buffer that is borrowed mutably until the call returns, and the host writes there only.
    unsafe { wasi::fd_pread(fd(file), &[iovec], offset) }.map_err(error)
}

pub(super) fn read_at_uninit<'b>(file: &File, buf: &'b mut [MaybeUninit<u8>], offset: u64) -> io::Result<&'b mut [u8]> {
    let iovec = wasi::Iovec { buf: buf.as_mut_ptr().cast(), buf_len: buf.len() };
    // SAFETY: as in `read_at`; the host reads nothing from the buffer.
    let n = unsafe { wasi::fd_pread(fd(file), &[iovec], offset) }.map_err(error)?;
    let read = &mut buf[..n];
    // SAFETY: the host wrote these `n` bytes, and `MaybeUninit<u8>` has the layout of `u8`.
    Ok(unsafe { &mut *(std::ptr::from_mut(read) as *mut [u8]) })
}

pub(super) fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    let ciovec = wasi::Ciovec { buf: buf.as_ptr(), buf_len: buf.len() };
    // SAFETY: the vector names a buffer that is borrowed until the call returns.
    unsafe { wasi::fd_pwrite(fd(file), &[ciovec], offset) }.map_err(error)
}

pub(super) fn mode(file: &File) -> io::Result<Mode> {
    // SAFETY: a call without memory of ours.
    let stat = unsafe { wasi::fd_fdstat_get(fd(file)) }.map_err(error)?;
    Ok(Mode {
        read: stat.fs_rights_base & wasi::RIGHTS_FD_READ != 0,
        write: stat.fs_rights_base & wasi::RIGHTS_FD_WRITE != 0,
        append: stat.fs_flags & wasi::FDFLAGS_APPEND != 0,
    })
}
