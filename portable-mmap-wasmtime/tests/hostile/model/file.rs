//! The expected contents of a file.

use std::ops::Range;

use super::Bytes;
use crate::common::PAGE;

/// The model of a file.
#[derive(Debug)]
pub(crate) struct FileModel {
    /// The bytes to the end of the last page, as mappings contain them.
    bytes: Bytes,
    len: usize,
    /// Whether the file is sealed, so that it cannot change.
    pub(crate) is_sealed: bool,
}

impl FileModel {
    pub(crate) fn new(bytes: Vec<u8>, is_sealed: bool) -> Self {
        let len = bytes.len();
        let mut bytes = Bytes::from(bytes);
        bytes.resize(len.next_multiple_of(PAGE));
        Self { bytes, len, is_sealed }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The expected bytes of a range, which may extend to the end of the last page.
    pub(crate) fn show(&self, range: Range<usize>) -> Bytes {
        self.bytes.get(range)
    }

    pub(crate) fn set_len(&mut self, len: usize) {
        self.bytes.resize(len.next_multiple_of(PAGE));
        // Bytes that a file loses are zeros when it is extended again. Bytes that were stored behind the end, and are
        // part of the file now, may already be zero.
        if len < self.len {
            self.bytes.zero(len..self.bytes.len());
        }
        self.len = len;
    }

    /// A call writes to the file.
    pub(crate) fn write(&mut self, at: usize, bytes: &Bytes) {
        if bytes.len() > 0 {
            self.set_len(self.len.max(at + bytes.len()));
            self.bytes.put(at, bytes);
        }
    }

    /// A store to a shared mapping of the file.
    pub(crate) fn store(&mut self, at: usize, bytes: &Bytes) {
        self.bytes.put(at, bytes);
        let end = at + bytes.len();
        self.bytes.may_be_zero(self.len.clamp(at, end)..end);
    }
}
