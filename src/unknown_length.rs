//! Files of unknown length, which are read to their end once.
//!
//! Files in `/proc` report a length of 0, files in `/sys` report 4096, and a pipe has no length. The operating system
//! cannot map them, and there is no length that could be mapped.

use std::fs::File;
use std::io::{self, Read, Seek};

use crate::backend::AnyBackend;
use crate::backend::sealed::Bytes as _;
use crate::error::{Operation, Unit};
use crate::plan::Plan;
use crate::span::{self, Span};
use crate::storage::{FileKind, Metadata, OsFile, Storage, uninterrupted};
use crate::{Error, MmapOptions, Result};

/// The number of bytes that are read at a time.
const STEP: usize = 64 << 10;

/// How such a file is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    /// At offsets, like a regular file.
    Positional,
    /// In sequence: a pipe, which has no offsets.
    Stream,
}

/// Reads the bytes of a file of unknown length from the offset on. Returns them and the plan of their mapping, or
/// `None` if the file's length is known or if changes would have to be written to the file.
pub(crate) fn read(options: &MmapOptions, file: &OsFile) -> Result<Option<(Vec<u8>, Plan)>> {
    let mut plan = Plan::combine(options)?;
    if options.extend {
        return Ok(None);
    }
    let facts = file.metadata().map_err(|e| Error::io(Operation::Metadata, 0, 0, e))?;
    let Some(method) = method(file, facts) else { return Ok(None) };
    if plan.reaches_file() {
        // `map` may report that the file is empty. If it is not, the right error is that changes cannot be written to
        // it.
        let says_wrong_length = method == Method::Positional && (facts.len > 0 || has_bytes_without_length(file));
        if says_wrong_length || method == Method::Stream {
            plan.check_mode(facts)?;
        }
        if says_wrong_length {
            return Err(Error::Unsupported {
                what: "changes cannot be written to a file that reports a wrong length; Access::Read and Access::Copy work",
            });
        }
        return Ok(None);
    }
    let offset = plan.span.offset();
    if method == Method::Positional && !facts.mode.read {
        // `map` checks the length before the mode, so it reports an empty file first.
        return Ok(None);
    }
    let check = |plan: &mut Plan| {
        span::check_aligned(offset, AnyBackend::allocation_granularity(), Unit::AllocationGranularity)?;
        plan.check_mode(facts)?;
        AnyBackend::check_buffer_supported(plan)
    };
    if method == Method::Stream {
        // Bytes that are read from a stream are consumed, so nothing is read if the mapping cannot be made.
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

/// Reads the bytes of a span of a device, which has no length of its own.
pub(crate) fn read_span(device: &OsFile, span: Span) -> Result<Vec<u8>> {
    let (offset, len) = (span.offset(), span.len());
    let bytes = read_to_end(len, offset, |buf, at| device.read_at(buf, offset + at))?;
    if bytes.len() < len {
        let size = span.file_offset(bytes.len());
        return Err(Error::LengthPastEnd { path: None, offset, len: len as u64, size, extendable: false });
    }
    Ok(bytes)
}

/// How to read a file that reports no length or a wrong one. Returns `None` if its length is right, and for a device,
/// which may have no end.
fn method(file: &OsFile, facts: Metadata) -> Option<Method> {
    match facts.kind {
        FileKind::Regular if !has_last_byte(file, facts.len) => Some(Method::Positional),
        FileKind::Special if !can_seek(file) => Some(Method::Stream),
        _ => None,
    }
}

/// Whether the last byte of a file of this length can be read. Returns false for files in `/proc`, which report a
/// length of 0, and for files in `/sys` that are shorter than the 4096 bytes that they report. If the read fails, the
/// length counts as right.
fn has_last_byte(file: &OsFile, len: u64) -> bool {
    len > 0 && uninterrupted(|| file.read_at(&mut [0], len - 1)).map_or(true, |n| n > 0)
}

/// Whether a file that reports a length of 0 has a byte, as files in `/proc` do. Returns false if somebody has extended
/// an empty file in the meantime.
fn has_bytes_without_length(file: &OsFile) -> bool {
    uninterrupted(|| file.read_at(&mut [0], 0)).is_ok_and(|n| n > 0) && file.len().is_ok_and(|len| len == 0)
}

/// Whether a device can be read at offsets, unlike a pipe. Some hosts of WASI allow a guest to seek in a pipe, but
/// return an error when it reads at an offset.
fn can_seek(device: &OsFile) -> bool {
    let has_position = device.file().is_some_and(|file| (&**file).stream_position().is_ok());
    has_position && (!cfg!(target_os = "wasi") || uninterrupted(|| device.read_at(&mut [0], 0)).is_ok())
}

/// Reads and discards `count` bytes, or all bytes if there are fewer. Returns how many it read.
fn skip(stream: &mut &File, count: u64) -> io::Result<u64> {
    io::copy(&mut stream.take(count), &mut io::sink())
}

/// Reads up to the end, or `limit` bytes. `read` gets the number of bytes that were read before.
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
