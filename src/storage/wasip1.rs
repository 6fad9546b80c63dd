//! Reads and writes files at offsets on wasip1, with the functions of Preview 1, because std's are not stable.

use std::fs::{File, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{FileKind, OpenMode};

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
    // SAFETY: the vector points to a buffer that is borrowed mutably until the call returns, and the host writes only
    // there.
    unsafe { wasi::fd_pread(fd(file), &[iovec], offset) }.map_err(error)
}

/// From this length on, in bytes, a read through the cursor is faster, although it needs three more calls. Hosts make
/// an additional copy for a positional read, and wasmtime returns at most 64 KiB of it.
const CURSOR_PAYS: usize = 256 << 10;

/// Locks the file's cursor, if nobody else can use it until the guard is dropped. This includes other threads, because
/// no `cfg` of stable Rust distinguishes wasip1 with threads from wasip1 without.
fn own_cursor<'l>(file: &Arc<File>, lent: &'l Mutex<bool>) -> Option<MutexGuard<'l, bool>> {
    // The lock is held while another thread reads through the cursor or lends the file.
    let lent = lent.try_lock().ok().filter(|lent| !**lent)?;
    // The third check sees a `Weak` that becomes an `Arc` between the first two.
    let is_only_arc = || Arc::strong_count(file) == 1;
    (is_only_arc() && Arc::weak_count(file) == 0 && is_only_arc()).then_some(lent)
}

/// Reads at an offset. If that is faster and nobody else can use the file's cursor, it reads through the cursor and
/// restores it.
pub(super) fn read_at_uninit<'b>(
    file: &Arc<File>,
    lent: &Mutex<bool>,
    buf: &'b mut [MaybeUninit<u8>],
    offset: u64,
) -> io::Result<&'b mut [u8]> {
    let cursor = if buf.len() >= CURSOR_PAYS { own_cursor(file, lent) } else { None };
    let iovec = [wasi::Iovec { buf: buf.as_mut_ptr().cast(), buf_len: buf.len() }];
    let n = if cursor.is_some() { read_by_cursor(fd(file), iovec, offset)? } else { pread(fd(file), iovec, offset)? };
    let read = &mut buf[..n];
    // SAFETY: the host wrote these `n` bytes, and `MaybeUninit<u8>` has the layout of `u8`.
    Ok(unsafe { &mut *(std::ptr::from_mut(read) as *mut [u8]) })
}

fn pread(fd: wasi::Fd, iovec: [wasi::Iovec; 1], offset: u64) -> io::Result<usize> {
    // SAFETY: as in `read_at`; the host reads nothing from the buffer.
    unsafe { wasi::fd_pread(fd, &iovec, offset) }.map_err(error)
}

fn read_by_cursor(fd: wasi::Fd, iovec: [wasi::Iovec; 1], offset: u64) -> io::Result<usize> {
    let Ok(start) = i64::try_from(offset) else { return pread(fd, iovec, offset) };
    // SAFETY: a call without memory of ours.
    let Ok(cursor) = (unsafe { wasi::fd_tell(fd) }) else { return pread(fd, iovec, offset) };
    let seek = |to: i64| {
        // SAFETY: a call without memory of ours.
        unsafe { wasi::fd_seek(fd, to, wasi::WHENCE_SET) }.map_err(error)
    };
    seek(start)?;
    // SAFETY: as in `read_at`; the host reads nothing from the buffer.
    let read = unsafe { wasi::fd_read(fd, &iovec) }.map_err(error);
    seek(i64::try_from(cursor).unwrap_or(i64::MAX))?;
    read
}

pub(super) fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    let ciovec = wasi::Ciovec { buf: buf.as_ptr(), buf_len: buf.len() };
    // SAFETY: the vector points to a buffer that is borrowed until the call returns.
    unsafe { wasi::fd_pwrite(fd(file), &[ciovec], offset) }.map_err(error)
}

/// Does not use `fd_allocate`. wasmtime never supports it, and hosts that do may write zeros, even over bytes that
/// others append at the same time.
pub(super) fn allocate(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The kind of a file that is neither a regular file nor a directory. std's method for this is not stable. A file of
/// unknown type with a length counts as a regular file. wasmtime reports an unknown type for pipes, which have no
/// length.
pub(super) fn other_kind(file: &File, data: &Metadata) -> io::Result<FileKind> {
    // SAFETY: a call without memory of ours.
    let stat = unsafe { wasi::fd_fdstat_get(fd(file)) }.map_err(error)?;
    Ok(match stat.fs_filetype {
        wasi::FILETYPE_BLOCK_DEVICE => FileKind::BlockDevice,
        wasi::FILETYPE_UNKNOWN if data.len() > 0 => FileKind::Regular,
        _ => FileKind::Special,
    })
}

/// A seek to the end would move the cursor, and in wasmtime it returns the length that `stat` returns.
pub(super) fn device_len(_: &File) -> Option<u64> {
    None
}

/// WASI has no call for this.
pub(super) fn is_read_only(_: &File) -> bool {
    false
}

/// WASI has no such mode.
pub(super) fn has_whole_blocks_only(_: &File) -> bool {
    false
}

/// WASI has no seals.
pub(super) fn is_sealed(_: &File) -> bool {
    false
}

/// Rights are deprecated in WASI, and some hosts report none at all. For these the mode is tried with calls of no
/// bytes.
pub(super) fn mode(file: &File) -> io::Result<OpenMode> {
    // SAFETY: a call without memory of ours.
    let stat = unsafe { wasi::fd_fdstat_get(fd(file)) }.map_err(error)?;
    let append = stat.fs_flags & wasi::FDFLAGS_APPEND != 0;
    let [read, write] = [wasi::RIGHTS_FD_READ, wasi::RIGHTS_FD_WRITE].map(|right| stat.fs_rights_base & right != 0);
    Ok(if read || write { OpenMode { read, write, append } } else { OpenMode::tried(file, append) })
}

#[cfg(test)]
mod tests {
    use super::super::{OsFile, Storage as _};
    use super::*;

    /// The manifest of the package. The test runner opens the directory of the package to the guest.
    fn manifest() -> Arc<File> {
        Arc::new(File::open("Cargo.toml").unwrap())
    }

    #[test]
    fn trying_finds_the_same_mode_as_the_rights() {
        for (read, write) in [(true, false), (false, true), (true, true)] {
            let file = File::options().read(read).write(write).open("Cargo.toml").unwrap();
            let tried = OpenMode::tried(&file, false);
            assert_eq!(tried, OpenMode { read, write, append: false });
            assert_eq!(tried, mode(&file).unwrap());
        }
    }

    fn owns_cursor(file: &OsFile) -> bool {
        own_cursor(&file.file, &file.lent).is_some()
    }

    #[test]
    fn a_file_that_was_given_away_has_a_cursor_of_its_own() {
        let file = OsFile::from(manifest());
        assert!(owns_cursor(&file));
        assert!(owns_cursor(&file));
    }

    #[test]
    fn a_file_that_the_caller_holds_too_has_none() {
        let caller = manifest();
        let file = OsFile::from(caller.clone());
        assert!(!owns_cursor(&file));
        let weak = Arc::downgrade(&caller);
        drop(caller);
        assert!(!owns_cursor(&file));
        drop(weak);
        assert!(owns_cursor(&file));
    }

    #[test]
    fn a_file_that_was_asked_for_has_none() {
        let file = OsFile::from(manifest());
        assert_eq!(file.file().map(Arc::strong_count), Some(1));
        assert!(!owns_cursor(&file));
    }

    #[test]
    fn clones_have_none() {
        let file = OsFile::from(manifest());
        let clone = file.clone();
        assert!(!owns_cursor(&file) && !owns_cursor(&clone));
        clone.file().unwrap();
        drop(clone);
        assert!(owns_cursor(&file));
    }

    #[test]
    fn one_reader_at_a_time_has_it() {
        let file = OsFile::from(manifest());
        let cursor = own_cursor(&file.file, &file.lent);
        assert!(cursor.is_some() && !owns_cursor(&file));
        drop(cursor);
        assert!(owns_cursor(&file));
    }
}
