//! Files that do not say how long they are: read to their end, once.
//!
//! `/proc` says 0 of every file, `/sys` says 4096, and a pipe says nothing: the operating system maps none of them, and
//! there is no length to map.

use std::fs::File;
use std::io::{self, Read, Seek};

use crate::backend::AnyBackend;
use crate::backend::sealed::Bytes as _;
use crate::error::{Operation, Unit};
use crate::plan::Plan;
use crate::span::{self, Span};
use crate::storage::{FileKind, Metadata, OsFile, Storage, uninterrupted};
use crate::{Error, MmapOptions, Result};

/// What is read at a time, and at least.
const STEP: usize = 64 << 10;

/// How such a file is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    /// At offsets: it is like a regular file, of length 0.
    Positional,
    /// From where it is: a pipe, which has no positions.
    Stream,
}

/// The bytes of a file without a size from the offset on, and the plan of a mapping of them; none for a file that has a
/// size, and where changes would have to reach it.
pub(crate) fn read(options: &MmapOptions, file: &OsFile) -> Result<Option<(Vec<u8>, Plan)>> {
    let mut plan = Plan::combine(options)?;
    if options.extend {
        return Ok(None);
    }
    let facts = file.metadata().map_err(|e| Error::io(Operation::Metadata, 0, 0, e))?;
    let Some(method) = method(file, facts) else { return Ok(None) };
    if plan.reaches_file() {
        // To `map` it may be empty. If it is not, what there is to say is why changes cannot reach it.
        let says_wrong_length = method == Method::Positional && (facts.len > 0 || has_bytes_without_length(file));
        if says_wrong_length || method == Method::Stream {
            plan.check_mode(facts)?;
        }
        if says_wrong_length {
            return Err(Error::Unsupported {
                what: "changes cannot be written to a file that says a wrong length; Access::Read and Access::Copy work",
            });
        }
        return Ok(None);
    }
    let offset = plan.span.offset();
    if method == Method::Positional && !facts.mode.read {
        // To `map` it is an empty file, which is the first thing to say of it.
        return Ok(None);
    }
    let check = |plan: &mut Plan| {
        span::check_aligned(offset, AnyBackend::allocation_granularity(), Unit::AllocationGranularity)?;
        plan.check_mode(facts)?;
        AnyBackend::check_buffer_supported(plan)
    };
    if method == Method::Stream {
        // What is read of a stream is gone, so nothing is read for a mapping that cannot be made.
        check(&mut plan)?;
    }
    let limit = if options.len > 0 { options.len } else { usize::MAX };
    let (bytes, size) = match method {
        Method::Positional => {
            let bytes = read_to_end(limit, offset, |buf, at| file.read_at(buf, offset + at))?;
            let size = offset + bytes.len() as u64;
            (bytes, size)
        }
        Method::Stream => {
            let Some(mut stream) = file.file().map(|file| &**file) else { return Ok(None) };
            let skipped = skip(&mut stream, offset).map_err(|e| Error::io(Operation::Read, 0, offset, e))?;
            let bytes = read_to_end(limit, offset, |buf, _| stream.read(buf))?;
            let size = skipped + bytes.len() as u64;
            (bytes, size)
        }
    };
    if bytes.len() < options.len {
        return Err(Error::LengthPastEnd { path: None, offset, len: options.len as u64, size, extendable: false });
    }
    if bytes.is_empty() {
        return Err(if offset == 0 {
            Error::EmptyFile { path: None }
        } else {
            Error::OffsetPastEnd { path: None, offset, size }
        });
    }
    if method == Method::Positional {
        check(&mut plan)?;
    }
    plan.span = Span::new(offset, bytes.len())?;
    Ok(Some((bytes, plan)))
}

/// The bytes of a span of a device, which has no length but that of the span.
pub(crate) fn read_span(device: &OsFile, span: Span) -> Result<Vec<u8>> {
    let (offset, len) = (span.offset(), span.len());
    let bytes = read_to_end(len, offset, |buf, at| device.read_at(buf, offset + at))?;
    if bytes.len() < len {
        let size = span.file_offset(bytes.len());
        return Err(Error::LengthPastEnd { path: None, offset, len: len as u64, size, extendable: false });
    }
    Ok(bytes)
}

/// How to read a file that says no length or a wrong one. `None` if its length is true, and for a device, which may have no
/// end.
fn method(file: &OsFile, facts: Metadata) -> Option<Method> {
    match facts.kind {
        FileKind::Regular if !has_last_byte(file, facts.len) => Some(Method::Positional),
        FileKind::Special if !can_seek(file) => Some(Method::Stream),
        _ => None,
    }
}

/// Whether there is a byte where a file of this length has its last one. Files of `/proc` say that they have none, and
/// files of `/sys` that they have 4096. A read that fails tells nothing: then the length stands.
fn has_last_byte(file: &OsFile, len: u64) -> bool {
    len > 0 && uninterrupted(|| file.read_at(&mut [0], len - 1)).map_or(true, |n| n > 0)
}

/// Whether there is a byte in a file that says it has none, as the files of `/proc` do. Not where somebody makes an empty
/// file longer meanwhile.
fn has_bytes_without_length(file: &OsFile) -> bool {
    uninterrupted(|| file.read_at(&mut [0], 0)).is_ok_and(|n| n > 0) && file.len().is_ok_and(|len| len == 0)
}

/// Whether a device can be read at offsets, unlike a pipe. Some hosts of WASI let a guest seek in a pipe, and fail when it
/// reads at an offset.
fn can_seek(device: &OsFile) -> bool {
    let has_position = device.file().is_some_and(|file| (&**file).stream_position().is_ok());
    has_position && (!cfg!(target_os = "wasi") || uninterrupted(|| device.read_at(&mut [0], 0)).is_ok())
}

/// Reads `count` bytes, or as many as there are, and forgets them. Returns how many there were.
fn skip(stream: &mut &File, count: u64) -> io::Result<u64> {
    io::copy(&mut stream.take(count), &mut io::sink())
}

/// Everything up to the end, or `limit` bytes. `read` is told how many bytes came before.
fn read_to_end(
    limit: usize,
    offset: u64,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut filled = 0;
    while filled < limit {
        let wanted = filled.saturating_add(STEP).min(limit);
        if bytes.len() < wanted {
            bytes.try_reserve(wanted - filled).map_err(|_| Error::no_memory(wanted as u64))?;
            bytes.resize(wanted, 0);
        }
        match uninterrupted(|| read(&mut bytes[filled..], filled as u64)) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) => return Err(Error::io(Operation::Read, offset + filled as u64, (wanted - filled) as u64, e)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
