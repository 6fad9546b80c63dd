//! Files at offsets on unix and wasip2, through rustix, which reads into uninitialised memory.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;

use rustix::fs::{OFlags, fcntl_getfl};

use super::Mode;

pub(super) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::pread(file, buf, offset)?)
}

pub(super) fn read_at_uninit<'b>(file: &File, buf: &'b mut [MaybeUninit<u8>], offset: u64) -> io::Result<&'b mut [u8]> {
    let (read, _) = rustix::io::pread(file, buf, offset)?;
    Ok(read)
}

pub(super) fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::pwrite(file, buf, offset)?)
}

pub(super) fn mode(file: &File) -> io::Result<Mode> {
    let flags = fcntl_getfl(file)?;
    // Compared as one field: on some systems reading is the absence of bits.
    let access = flags & OFlags::ACCMODE;
    Ok(Mode {
        read: access == OFlags::RDONLY || access == OFlags::RDWR,
        write: access == OFlags::WRONLY || access == OFlags::RDWR,
        append: flags.contains(OFlags::APPEND),
    })
}
