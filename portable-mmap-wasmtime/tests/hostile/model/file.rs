//! What a file must be.

use std::ops::Range;

use super::Bytes;
use crate::common::PAGE;

/// A file.
#[derive(Debug)]
pub(crate) struct FileModel {
    /// To the end of the last page, as mappings show it.
    bytes: Bytes,
    len: usize,
    /// Nobody can change it.
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

    /// What there must be in a range, which may reach to the end of the last page.
    pub(crate) fn show(&self, range: Range<usize>) -> Bytes {
        self.bytes.get(range)
    }

    pub(crate) fn set_len(&mut self, len: usize) {
        self.bytes.resize(len.next_multiple_of(PAGE));
        // Bytes that a file loses are zeros when it gets them back. What was stored behind the end, and is in the file
        // now, is in doubt already.
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

    /// Somebody stores in a shared mapping of the file.
    pub(crate) fn store(&mut self, at: usize, bytes: &Bytes) {
        self.bytes.put(at, bytes);
        let end = at + bytes.len();
        self.bytes.doubt(self.len.clamp(at, end)..end);
    }
}
