//! The message of each error: one sentence each.

use std::error::Error as _;
use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::Path;

use super::{Asked, Error, Operation, Reason, Unit, number};
use crate::Access;

/// One sentence that says what happened and, where possible, what to do about it. The alternate form, `{:#}`, adds the
/// [`source`](std::error::Error::source) if there is one.
impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the mapping is closed; make a new mapping"),
            Self::Conflict { what } | Self::Unsupported { what } => f.write_str(what),
            Self::Untracked { operation } => {
                write!(f, "{operation} needs the file, and the mapping was made with track_file(false)")
            }
            Self::EmptyFile { path } => {
                let path = path.as_deref();
                write!(f, "{}", File(path))?;
                f.write_str(if path.is_some_and(|path| path.starts_with("/proc") || path.starts_with("/sys")) {
                    " is empty or does not report its length; open_any reads such a file, and an empty one can be handled as \
                     zero bytes"
                } else {
                    " is empty and cannot be mapped; handle it as zero bytes, or make it longer with extend(true) and len(n)"
                })
            }
            Self::OffsetPastEnd { path, offset, size } => {
                write!(f, "offset {offset} is at or past the end of {}, which has {size} bytes", File(path.as_deref()))
            }
            Self::LengthPastEnd { path, offset, len, size, extendable } => {
                let advice = if *extendable { "; extend(true) makes it longer" } else { "" };
                let file = File(path.as_deref());
                write!(f, "{len} bytes from offset {offset} end past the end of {file}, which has {size} bytes{advice}")
            }
            Self::OutOfRange { what, start, len, limit } => out_of_range(f, *what, *start, *len, *limit),
            Self::IndexOutOfRange { index, len } => {
                write!(f, "index {index} is out of range for a mapping of {len} bytes")
            }
            Self::SizeMismatch { expected, given } => {
                write!(f, "a slice of {expected} bytes cannot be assigned {given} bytes")
            }
            Self::ReadOnly { access: Access::Copy } => {
                f.write_str("a mapping with Access::Copy cannot be resized, since its changes do not reach the file")
            }
            Self::ReadOnly { .. } => f.write_str(
                "the mapping is read-only and cannot be changed or resized; with Access::Write changes and resizes reach \
                 the file, with Access::Copy changes stay in memory",
            ),
            Self::Misaligned { offset, granularity, unit } => {
                let past = offset % (*granularity).max(1);
                let before = offset - past;
                match unit {
                    Unit::AllocationGranularity => write!(
                        f,
                        "offset {offset} is not a multiple of allocation_granularity(), which is {granularity}; start at \
                         {before} and skip the first {past} bytes"
                    ),
                    Unit::PageSize => write!(
                        f,
                        "offset {offset} is not a multiple of page_size(), which is {granularity}; start at {before}"
                    ),
                }
            }
            Self::Truncated { path, offset, len, size } => write!(
                f,
                "{len} mapped bytes from offset {offset} are gone: {} was truncated and has {size} bytes; when it has its \
                 bytes again, call refresh",
                File(path.as_deref())
            ),
            Self::NoMemory { huge_pages: true, len, .. } => write!(
                f,
                "the system may not have enough free huge pages to map {len} bytes; vm.nr_hugepages sets how many it has, \
                 and memory without Flags::HUGETLB takes none"
            ),
            Self::NoMemory { operation: Operation::Map, len, .. }
                if cfg!(any(target_os = "linux", target_os = "android")) =>
            {
                write!(
                    f,
                    "the system has no memory to map {len} bytes, or the process has as many mappings as \
                     vm.max_map_count allows"
                )
            }
            Self::NoMemory { len, .. } => write!(f, "there is no memory for {len} bytes"),
            Self::Io { operation, path, offset, len, source } => {
                attempt(f, *operation, path.as_deref(), *offset, *len)?;
                match Reason::of(source) {
                    Some(reason) => write!(f, ": {reason}"),
                    None if *operation == Operation::Open => opening_advice(f, source),
                    None => Ok(()),
                }
            }
        }?;
        match self.source() {
            Some(source) if f.alternate() => write!(f, ": {source:#}"),
            _ => Ok(()),
        }
    }
}

/// The file: its path, or "the file" if the path is not known.
struct File<'e>(Option<&'e Path>);

impl Display for File<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => write!(f, "`{}`", path.display()),
            None => f.write_str("the file"),
        }
    }
}

/// Writes what failed, with the numbers that matter.
fn attempt(f: &mut Formatter<'_>, operation: Operation, path: Option<&Path>, offset: u64, len: u64) -> fmt::Result {
    let file = File(path);
    match operation {
        Operation::Open => write!(f, "cannot open {file}"),
        Operation::Metadata => write!(f, "cannot read the metadata of {file}"),
        Operation::Reserve => write!(f, "cannot reserve {len} bytes of memory"),
        Operation::Guard => f.write_str("cannot install the signal handler of a guard"),
        Operation::Sync => write!(f, "cannot sync {file} to the disk"),
        Operation::Extend => write!(f, "cannot extend {file} from {offset} to {} bytes", offset.saturating_add(len)),
        Operation::Allocate => {
            let end = offset.saturating_add(len);
            write!(f, "cannot reserve room on the disk to extend {file} from {offset} to {end} bytes")
        }
        Operation::Truncate => write!(f, "cannot shorten {file} from {} to {offset} bytes", offset.saturating_add(len)),
        _ => {
            let verb = match operation {
                Operation::Size => "get the size of",
                Operation::Advise => "give advice on",
                Operation::Map => "map",
                Operation::Unmap => "unmap",
                Operation::Read => "read",
                Operation::Write => "write",
                Operation::Flush => "flush",
                Operation::Resize => "resize",
                Operation::Lock => "lock",
                _ => "unlock",
            };
            write!(f, "cannot {verb} ")?;
            match (path, len) {
                (_, 0) => write!(f, "{file}")?,
                // There may be no file: anonymous memory is mapped too.
                (None, _) => write!(f, "{len} bytes")?,
                (Some(_), _) => write!(f, "{len} bytes of {file}")?,
            }
            if offset == 0 && (len == 0 || operation == Operation::Map) {
                return Ok(());
            }
            write!(f, " from offset {offset}")
        }
    }
}

/// Adds why a file cannot be opened and what to do, where the system's message does not say it.
fn opening_advice(f: &mut Formatter<'_>, source: &io::Error) -> fmt::Result {
    let is_missing = source.kind() == io::ErrorKind::NotFound;
    f.write_str(match (is_missing, cfg!(target_os = "wasi")) {
        (true, false) => {
            ": it does not exist, and open creates no file; create it first, for example with std::fs::write or OpenOptions"
        }
        (true, true) => {
            ": it does not exist, or the host has not opened its directory; create the file first, or name the directory \
             to the host, usually with --dir"
        }
        (false, true) if number::is_not_granted(source) => {
            ": the host does not allow it; name the directory of the file to the host, usually with --dir, with the \
             right to write if the mapping writes, or use Access::Read"
        }
        _ if matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
            ": the system does not allow it; Access::Read and Access::Copy open a file only for reading, the others for \
             writing too"
        }
        (false, _) => "",
    })
}

fn out_of_range(f: &mut Formatter<'_>, what: Asked, start: i128, len: u64, limit: u64) -> fmt::Result {
    match what {
        Asked::Length => write!(f, "a mapping cannot have {len} bytes: it has at most {limit} on this target"),
        Asked::End if len == 0 => write!(f, "offset {start} is past the largest offset that a file can have, {limit}"),
        Asked::End => {
            write!(f, "{len} bytes from offset {start} end past the largest offset that a file can have, {limit}")
        }
        Asked::AnonymousLength => f.write_str("an anonymous mapping needs a length that is not 0"),
        Asked::NewLength => f.write_str(
            "a mapping cannot be resized to 0 bytes; to make the file empty, close the mapping and call set_len(0) on the \
             file",
        ),
        Asked::Range if start + i128::from(len) <= i128::from(limit) => {
            write!(f, "the range from {start} ends before it starts")
        }
        // The range may be empty, or end before it starts.
        Asked::Range if len == 0 => {
            write!(f, "the range from {start} starts past the end of the mapping, which has {limit} bytes")
        }
        Asked::Range => outside(f, ("the range", ""), start, len, limit),
        Asked::Step => f.write_str("the step of a slice cannot be 0"),
        Asked::Flush => outside(f, ("the range", " to flush"), start, len, limit),
        Asked::Refresh => outside(f, ("the range", " to refresh"), start, len, limit),
        Asked::Advice => write!(f, "advice cannot start at {start} in a mapping of {limit} bytes"),
        Asked::Seek => write!(f, "the position cannot be {start} in a mapping of {limit} bytes"),
        Asked::Read => write!(f, "there is no byte to read at position {start} of a mapping of {limit} bytes"),
        Asked::Write => {
            write!(f, "{len} bytes do not fit at position {start} of a mapping of {limit} bytes")
        }
        Asked::MoveFrom => outside(f, ("the source", " of the move"), start, len, limit),
        Asked::MoveTo => outside(f, ("the destination", " of the move"), start, len, limit),
    }
}

fn outside(f: &mut Formatter<'_>, (what, purpose): (&str, &str), start: i128, len: u64, limit: u64) -> fmt::Result {
    let end = start + i128::from(len);
    write!(f, "{what} {start}..{end}{purpose} does not lie in the mapping, which has {limit} bytes")
}
