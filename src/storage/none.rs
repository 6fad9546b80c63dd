//! For targets without files, such as wasm32-unknown-unknown. No file can be opened there, so these functions are never
//! called.

use std::fs::{File, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::sync::Mutex;

use super::{FileKind, OpenMode};

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

/// std opens no block device as a file.
#[expect(clippy::unnecessary_wraps, reason = "it can fail on WASI")]
pub(super) fn other_kind(_: &File, _: &Metadata) -> io::Result<FileKind> {
    Ok(FileKind::Special)
}

pub(super) fn device_len(_: &File) -> Option<u64> {
    None
}

/// There is no call for this.
pub(super) fn is_read_only(_: &File) -> bool {
    false
}

/// There is no such mode.
pub(super) fn has_whole_blocks_only(_: &File) -> bool {
    false
}

/// There are no seals.
pub(super) fn is_sealed(_: &File) -> bool {
    false
}

pub(super) fn mode(_: &File) -> io::Result<OpenMode> {
    Err(io::ErrorKind::Unsupported.into())
}
