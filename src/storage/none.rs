//! Where there are no files, as on wasm32-unknown-unknown: nothing can be opened there, so nothing gets as far as here.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Mutex;

use super::OpenMode;

pub(super) fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn read_at_uninit<'b>(
    _: &File,
    _: &Mutex<bool>,
    _: &'b mut [MaybeUninit<u8>],
    _: u64,
) -> io::Result<&'b mut [u8]> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn write_at(_: &File, _: &[u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn allocate(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn mode(_: &File) -> io::Result<OpenMode> {
    Err(io::ErrorKind::Unsupported.into())
}
