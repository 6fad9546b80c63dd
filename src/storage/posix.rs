//! Files at offsets on unix and wasip2, through rustix, which reads into uninitialised memory.

use std::fs::{File, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::sync::Mutex;

use super::{FileKind, OpenMode};

pub(super) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::pread(file, buf, offset)?)
}

pub(super) fn read_at_uninit<'b>(
    file: &File,
    _: &Mutex<bool>,
    buf: &'b mut [MaybeUninit<u8>],
    offset: u64,
) -> io::Result<&'b mut [u8]> {
    let (read, _) = rustix::io::pread(file, buf, offset)?;
    Ok(read)
}

pub(super) fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::pwrite(file, buf, offset)?)
}

/// The kind of a file that is neither a regular file nor a directory.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "it can fail on WASI")]
pub(super) fn other_kind(_: &File, data: &Metadata) -> io::Result<FileKind> {
    use std::os::unix::fs::FileTypeExt;
    Ok(if data.file_type().is_block_device() { FileKind::BlockDevice } else { FileKind::Special })
}

/// The kind of a file that is neither a regular file nor a directory. std's method for this is not stable on WASI. A
/// host may report an unknown type for a regular file.
#[cfg(not(unix))]
pub(super) fn other_kind(file: &File, data: &Metadata) -> io::Result<FileKind> {
    use rustix::fs::FileType;
    Ok(match FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode) {
        FileType::BlockDevice => FileKind::BlockDevice,
        FileType::Unknown if data.len() > 0 => FileKind::Regular,
        _ => FileKind::Special,
    })
}

/// The length of a block device, if the system reports it. A signal handler may call this.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn device_len(device: impl AsFd) -> Option<u64> {
    use rustix::ioctl::{Getter, Opcode, ioctl, opcode};
    const BLKGETSIZE64: Opcode = opcode::read::<usize>(0x12, 114);
    // SAFETY: this call writes a `u64`, although its number has the size of a `usize`.
    let getter = unsafe { Getter::<BLKGETSIZE64, u64>::new() };
    // SAFETY: it writes nothing else, and changes nothing.
    unsafe { ioctl(device, getter) }.ok()
}

/// Other systems have no such call, or each has a different one.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn device_len(_: impl AsFd) -> Option<u64> {
    None
}

/// Whether a block device is read-only. Such a device can still be opened for writing.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn is_read_only(device: &File) -> bool {
    use rustix::ioctl::{Getter, Opcode, ioctl, opcode};
    const BLKROGET: Opcode = opcode::none(0x12, 94);
    // SAFETY: this call writes an `int`.
    let getter = unsafe { Getter::<BLKROGET, libc::c_int>::new() };
    // SAFETY: it writes nothing else, and changes nothing.
    unsafe { ioctl(device, getter) }.is_ok_and(|is_read_only| is_read_only != 0)
}

/// Other systems have no such call, or each has a different one.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn is_read_only(_: &File) -> bool {
    false
}

/// Whether it is open with `O_DIRECT`.
#[cfg(all(not(miri), any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "netbsd")))]
pub(super) fn has_whole_blocks_only(file: &File) -> bool {
    use rustix::fs::{OFlags, fcntl_getfl};
    fcntl_getfl(file).is_ok_and(|flags| flags.contains(OFlags::DIRECT))
}

/// Other systems have no such mode, or reads of part of a block succeed in it.
#[cfg(any(miri, not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "netbsd"))))]
pub(super) fn has_whole_blocks_only(_: &File) -> bool {
    false
}

/// Whether it is a memory file that is sealed against writing. For other files the system returns an error.
#[cfg(all(not(miri), any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(super) fn is_sealed(file: &File) -> bool {
    use rustix::fs::{SealFlags, fcntl_get_seals};
    let seals = SealFlags::WRITE;
    #[cfg(not(target_os = "freebsd"))]
    let seals = seals | SealFlags::FUTURE_WRITE;
    fcntl_get_seals(file).is_ok_and(|found| found.intersects(seals))
}

/// Other systems have no seals.
#[cfg(any(miri, not(any(target_os = "linux", target_os = "android", target_os = "freebsd"))))]
pub(super) fn is_sealed(_: &File) -> bool {
    false
}

#[cfg(not(miri))]
pub(super) fn mode(file: &File) -> io::Result<OpenMode> {
    use rustix::fs::{OFlags, fcntl_getfl};
    let flags = fcntl_getfl(file)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if flags.contains(OFlags::PATH) {
        // An `O_PATH` descriptor only refers to a file. It cannot be read or written.
        return Ok(OpenMode { read: false, write: false, append: false });
    }
    // Compared as one field, because on some systems no bit is set for reading.
    let access = flags & OFlags::ACCMODE;
    // On WASI each is a bit. A host that sets neither does not know, so the mode is tried with calls of no bytes.
    #[cfg(target_os = "wasi")]
    if access.is_empty() {
        return Ok(OpenMode::tried(file, flags.contains(OFlags::APPEND)));
    }
    Ok(OpenMode {
        read: access == OFlags::RDONLY || access == OFlags::RDWR,
        write: access == OFlags::WRONLY || access == OFlags::RDWR,
        append: flags.contains(OFlags::APPEND),
    })
}

/// Miri cannot ask the system, so this tries reads and writes and restores the file afterwards. A file that cannot be
/// read is not mapped, so the rest of its mode does not matter.
#[cfg(miri)]
pub(super) fn mode(file: &File) -> io::Result<OpenMode> {
    let len = file.metadata()?.len();
    let mut first = [0];
    let read = read_at(file, &mut first, 0).is_ok();
    let write = file.set_len(len.max(1)).is_ok();
    let mut append = false;
    if read && write {
        let longer = file.metadata()?.len();
        write_at(file, &first, 0)?;
        append = file.metadata()?.len() > longer;
    }
    if write {
        file.set_len(len)?;
    }
    Ok(OpenMode { read, write, append })
}

/// Reserves blocks first and sets the length afterwards, so that a full disk leaves the length as it was. The second
/// call finds the blocks reserved. Unlike `ftruncate` it does not shorten a file to which somebody else has appended in
/// the meantime.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn allocate(file: &File, from: u64, to: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    for flags in [FallocateFlags::KEEP_SIZE, FallocateFlags::empty()] {
        fallocate(file, flags, from, to - from).map_err(unsupported)?;
    }
    Ok(())
}

/// Reserves blocks after those that the file has, either all of them or none.
#[cfg(target_vendor = "apple")]
pub(super) fn allocate(file: &File, from: u64, to: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let len = i64::try_from(to - from).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut store = libc::fstore_t {
        fst_flags: libc::F_ALLOCATEALL,
        fst_posmode: libc::F_PEOFPOSMODE,
        fst_offset: 0,
        fst_length: len,
        fst_bytesalloc: 0,
    };
    // SAFETY: the descriptor is open while `file` is borrowed, and the structure is the one that this command takes.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_PREALLOCATE, &raw mut store) } == -1 {
        let e = io::Error::last_os_error();
        return Err(if e.raw_os_error() == Some(libc::ENOTSUP) { io::ErrorKind::Unsupported.into() } else { e });
    }
    file.set_len(to)
}

/// The call of FreeBSD's kernel. It returns `EINVAL` on a file system that cannot reserve blocks, such as ZFS.
#[cfg(target_os = "freebsd")]
pub(super) fn allocate(file: &File, from: u64, to: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    fallocate(file, FallocateFlags::empty(), from, to - from).map_err(unsupported)
}

/// Other systems have no such call, or their C library has a function that writes zeros, even over bytes that others
/// append at the same time.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd")))]
pub(super) fn allocate(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Converts an error number. Numbers that mean that the call is not supported become [`io::ErrorKind::Unsupported`].
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn unsupported(errno: rustix::io::Errno) -> io::Error {
    use rustix::io::Errno;
    let is_unsupported = [Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS].contains(&errno)
        || cfg!(target_os = "freebsd") && errno == Errno::INVAL;
    if is_unsupported { io::ErrorKind::Unsupported.into() } else { errno.into() }
}
