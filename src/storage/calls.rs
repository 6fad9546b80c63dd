//! The calls of a [`Storage`] that the backends make. They limit the number of bytes, retry interrupted calls, and
//! check the results.

use std::io;
use std::mem::MaybeUninit;

use super::Storage;
use crate::error::{Operation, Reason};
use crate::{Error, Result};

/// The maximum number of bytes in one read or write. A single call for 128 MiB fails on wasmtime.
pub(crate) const MAX_MOVE: usize = 1 << 20;

/// Fills memory with zeros. One call does it, because Miri takes long for a loop over the bytes.
pub(crate) fn zeroed(buf: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    // SAFETY: it writes as many bytes as the slice has, and zero is a valid byte.
    unsafe { buf.as_mut_ptr().write_bytes(0, buf.len()) };
    // SAFETY: every byte was just initialised, and `MaybeUninit<u8>` has the layout of `u8`.
    unsafe { &mut *(std::ptr::from_mut(buf) as *mut [u8]) }
}

/// Repeats a call until it is not interrupted.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Calls [`Storage::write_at`] with at most [`MAX_MOVE`] bytes, and retries if it is interrupted. A write of 0 bytes is
/// an error.
pub(crate) fn write_some<S: Storage + ?Sized>(storage: &S, buf: &[u8], offset: u64) -> io::Result<usize> {
    let buf = &buf[..buf.len().min(MAX_MOVE)];
    match uninterrupted(|| storage.write_at(buf, offset)) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Ok(n) if n > buf.len() => Err(overrun()),
        result => result,
    }
}

/// Calls [`Storage::read_at_uninit`] with at most [`MAX_MOVE`] bytes, and retries if it is interrupted. Returns how
/// many bytes at the start of `buf` are initialised now. 0 means the end.
pub(crate) fn read_some<S: Storage>(storage: &S, buf: &mut [MaybeUninit<u8>], offset: u64) -> io::Result<usize> {
    let len = buf.len().min(MAX_MOVE);
    let start = buf.as_ptr().cast::<u8>();
    uninterrupted(|| match storage.read_at_uninit(&mut buf[..len], offset)? {
        // A storage is safe code and may return any slice. It must be the start of `buf`, because only then are those
        // bytes initialised.
        [] => Ok(0),
        read if read.as_ptr() == start && read.len() <= len => Ok(read.len()),
        _ => Err(Reason::ForeignSlice.into()),
    })
}

/// Fills `buf` from `offset` on. Returns how many bytes were read, which are fewer than `buf` has only at the end of
/// the storage.
pub(crate) fn read_full<S: Storage>(storage: &S, buf: &mut [u8], offset: u64) -> Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        let rest = &mut buf[filled..];
        let (at, len) = (offset + filled as u64, rest.len());
        match uninterrupted(|| storage.read_at(&mut rest[..len.min(MAX_MOVE)], at)) {
            Ok(0) => break,
            Ok(n) if n <= len => filled += n,
            Ok(_) => return Err(Error::io(Operation::Read, at, len as u64, overrun())),
            Err(e) => return Err(Error::io(Operation::Read, at, len as u64, e)),
        }
    }
    Ok(filled)
}

/// Finds the length of bytes that start at offset 0. `has_byte` returns whether there is a byte at an offset.
pub(super) fn find_end(mut has_byte: impl FnMut(u64) -> io::Result<bool>) -> io::Result<u64> {
    // There are at least `end` bytes, and fewer than `beyond`.
    let (mut end, mut beyond) = (0, 1);
    while has_byte(beyond - 1)? {
        (end, beyond) = (beyond, beyond * 2);
        if beyond > i64::MAX as u64 {
            return Ok(end);
        }
    }
    while beyond - end > 1 {
        let middle = end + (beyond - end) / 2;
        if has_byte(middle - 1)? {
            end = middle;
        } else {
            beyond = middle;
        }
    }
    Ok(end)
}

/// The error of a storage that returns a count larger than the buffer.
pub(super) fn overrun() -> io::Error {
    Reason::CountTooLarge.into()
}

/// Extends a storage and then calls `then`. If that returns an error, sets the old length again, unless somebody else
/// has changed the length since. `from` is the current length, or `None` if the storage need not be extended.
pub(crate) fn with_length<S: Storage, T>(
    storage: &S,
    from: Option<u64>,
    to: u64,
    allocate: bool,
    then: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let Some(from) = from else { return then() };
    let extended = if allocate { storage.allocate(from, to) } else { storage.set_len(to) };
    extended.map_err(|e| match e.kind() {
        io::ErrorKind::Unsupported if allocate => Error::Unsupported {
            what: "this system or file system cannot reserve room for a longer file; without allocate(true) it grows",
        },
        _ => Error::io(if allocate { Operation::Allocate } else { Operation::Extend }, from, to - from, e),
    })?;
    then().inspect_err(|_| {
        // If this fails too, nothing more can be done. The first error is the one to report.
        if storage.len().is_ok_and(|len| len == to) {
            let _ = storage.set_len(from);
        }
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn reads_find_the_end() {
        let lens = (0..70).chain([4095, 4096, 4097, 1 << 20, (1 << 41) + 512]);
        for len in lens {
            let mut reads = 0;
            let found = find_end(|offset| {
                reads += 1;
                Ok(offset < len)
            });
            assert_eq!(found.unwrap(), len);
            assert!(reads <= 2 + 2 * (u64::BITS - len.leading_zeros()), "{reads} reads for {len} bytes");
        }
        assert!(find_end(|_| Ok(true)).unwrap() > 1 << 61, "without an end");
        assert!(find_end(|offset| if offset < 9 { Ok(true) } else { Err(io::ErrorKind::Other.into()) }).is_err());
    }
}
