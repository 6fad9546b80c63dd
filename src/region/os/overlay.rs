//! Files of an overlay file system, which containers use. The first write to a file of a lower layer copies it to the
//! upper layer. A descriptor that was opened for reading before that still maps the file of the lower layer.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr;

use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap, mremap_fixed, munmap};

use crate::error::Operation;
use crate::plan::Plan;
use crate::{Access, Error, Result};

/// `OVERLAYFS_SUPER_MAGIC`, which libc has as different types.
const OVERLAY: u64 = 0x794c_7630;

/// Opens a file again, because it may have been copied since it was opened. Only for a mapping that is read-only: a
/// file that is open for writing is already the copy, and a mapping with its own changes keeps them. Returns `None` for
/// other mappings and other file systems, and without `/proc`.
pub(super) fn reopened(file: &File, plan: &Plan) -> Result<Option<File>> {
    if plan.access != Access::Read {
        return Ok(None);
    }
    let Ok(stat) = rustix::fs::fstatfs(file) else { return Ok(None) };
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "its type differs from machine to machine")]
    let is_overlay = stat.f_type as u64 & 0xffff_ffff == OVERLAY;
    if !is_overlay {
        return Ok(None);
    }
    match File::open(format!("/proc/self/fd/{}", file.as_raw_fd())) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(Operation::Open, 0, 0, e)),
    }
}

/// Maps another file over a range of a mapping, in whole pages. After an error the range is as it was.
///
/// # Safety
/// The range is mapped as the plan says, and nobody borrows it.
pub(super) unsafe fn replace(start: *mut u8, range: Range<usize>, file: &File, plan: &Plan) -> Result<()> {
    let (offset, len) = (plan.span.file_offset(range.start), range.len());
    let mut prot = ProtFlags::READ;
    prot.set(ProtFlags::EXEC, plan.executable);
    let flags = if plan.private { MapFlags::PRIVATE } else { MapFlags::SHARED };
    let error = |e: rustix::io::Errno| Error::io(Operation::Map, offset, len as u64, e);
    // Maps the file at another address first, because a system may unmap the range before it finds that it cannot map
    // the file.
    // SAFETY: a new mapping at an address of the system's choice disturbs nothing.
    let new = unsafe { mmap(ptr::null_mut(), len, prot, flags, file, offset) }.map_err(error)?;
    // SAFETY: the caller guarantees that the range may be replaced; `new` is this call's own.
    let moved = unsafe { mremap_fixed(new, len, len, MremapFlags::MAYMOVE, start.wrapping_add(range.start).cast()) };
    if let Err(e) = moved {
        // SAFETY: this call's own mapping, which was not moved.
        let _ = unsafe { munmap(new, len) };
        return Err(error(e));
    }
    Ok(())
}
