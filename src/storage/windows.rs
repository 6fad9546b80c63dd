//! Reads and writes files at offsets on Windows. Each call moves the cursor of the file, so it is restored afterwards.

use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom};
use std::mem::MaybeUninit;
use std::os::windows::fs::FileExt;
use std::os::windows::io::AsRawHandle;
use std::sync::{Mutex, PoisonError};

use windows_sys::Wdk::Storage::FileSystem::{
    FILE_INFORMATION_CLASS, FILE_NO_INTERMEDIATE_BUFFERING, FileAccessInformation, FileModeInformation,
    NtQueryInformationFile,
};
use windows_sys::Win32::Foundation::{
    ERROR_CALL_NOT_IMPLEMENTED, ERROR_HANDLE_EOF, ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED, RtlNtStatusToDosError,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ALLOCATION_INFO, FILE_APPEND_DATA, FILE_READ_DATA, FILE_WRITE_DATA, FileAllocationInfo,
    SetFileInformationByHandle,
};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;

use super::{FileKind, OpenMode};

/// A system error code, as the type that `io::Error` uses.
const fn os_error(code: u32) -> i32 {
    i32::from_ne_bytes(code.to_ne_bytes())
}

/// Calls `act` and restores the cursor. Only a thread of the program that uses the cursor at the same time sees it
/// moved. Handles that std opens have no call that reads at an offset without moving the cursor.
fn keeping_cursor<T>(mut file: &File, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
    // Without this lock two mappings of one file could restore each other's cursor position.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let cursor = file.stream_position()?;
    let done = act(file);
    file.seek(SeekFrom::Start(cursor))?;
    done
}

pub(super) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    match keeping_cursor(file, |file| file.seek_read(buf, offset)) {
        // Some file systems report the end as an error instead of 0 bytes.
        Err(e) if e.raw_os_error() == Some(os_error(ERROR_HANDLE_EOF)) => Ok(0),
        result => result,
    }
}

pub(super) fn read_at_uninit<'b>(
    file: &File,
    _: &Mutex<bool>,
    buf: &'b mut [MaybeUninit<u8>],
    offset: u64,
) -> io::Result<&'b mut [u8]> {
    buf.fill(MaybeUninit::new(0));
    // SAFETY: every byte was just initialised, and `MaybeUninit<u8>` has the layout of `u8`.
    let buf = unsafe { &mut *(std::ptr::from_mut(buf) as *mut [u8]) };
    let n = read_at(file, buf, offset)?;
    Ok(&mut buf[..n])
}

pub(super) fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    keeping_cursor(file, |file| file.seek_write(buf, offset))
}

/// Reserves blocks first and sets the length afterwards, so that a full disk leaves the length as it was.
pub(super) fn allocate(file: &File, _: u64, to: u64) -> io::Result<()> {
    let info = FILE_ALLOCATION_INFO { AllocationSize: i64::try_from(to).map_err(|_| io::ErrorKind::FileTooLarge)? };
    // If somebody else has extended the file, an allocation that ends before the new end would shorten it.
    if file.metadata()?.len() >= to {
        return Ok(());
    }
    let size = u32::try_from(size_of_val(&info)).map_err(io::Error::other)?;
    // SAFETY: the handle is open while `file` is borrowed, and the structure is the one that this class takes.
    let done =
        unsafe { SetFileInformationByHandle(file.as_raw_handle(), FileAllocationInfo, (&raw const info).cast(), size) };
    if done == 0 {
        let e = io::Error::last_os_error();
        let unsupported = [ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED].map(os_error);
        let is_unsupported = e.raw_os_error().is_some_and(|code| unsupported.contains(&code));
        return Err(if is_unsupported { io::ErrorKind::Unsupported.into() } else { e });
    }
    file.set_len(to)
}

/// std opens no block device as a file.
#[expect(clippy::unnecessary_wraps, reason = "it can fail on WASI")]
pub(super) fn other_kind(_: &File, _: &Metadata) -> io::Result<FileKind> {
    Ok(FileKind::Special)
}

pub(super) fn device_len(_: &File) -> Option<u64> {
    None
}

/// There is no such call.
pub(super) fn is_read_only(_: &File) -> bool {
    false
}

/// There are no seals.
pub(super) fn is_sealed(_: &File) -> bool {
    false
}

/// Whether it is open with `FILE_FLAG_NO_BUFFERING`.
pub(super) fn has_whole_blocks_only(file: &File) -> bool {
    ask(file, FileModeInformation).is_ok_and(|mode| mode & FILE_NO_INTERMEDIATE_BUFFERING != 0)
}

pub(super) fn mode(file: &File) -> io::Result<OpenMode> {
    let access = ask(file, FileAccessInformation)?;
    let write = access & FILE_WRITE_DATA != 0;
    let append = access & FILE_APPEND_DATA != 0;
    Ok(OpenMode { read: access & FILE_READ_DATA != 0, write: write || append, append: append && !write })
}

/// Queries information about a file that is a single number.
fn ask(file: &File, question: FILE_INFORMATION_CLASS) -> io::Result<u32> {
    let mut answer: u32 = 0;
    let mut block = IO_STATUS_BLOCK::default();
    // SAFETY: the handle is open while `file` is borrowed, and both out-parameters have the size that the call fills.
    let status = unsafe {
        NtQueryInformationFile(file.as_raw_handle(), &raw mut block, (&raw mut answer).cast(), u32::BITS / 8, question)
    };
    if status < 0 {
        // SAFETY: a call without memory.
        let code = unsafe { RtlNtStatusToDosError(status) };
        return Err(io::Error::from_raw_os_error(os_error(code)));
    }
    Ok(answer)
}
