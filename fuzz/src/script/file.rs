//! The file of the model: a vector, with the bytes that mappings show past its end in its last page.

use std::ops::Range;

/// The page size of both backends, in bytes.
pub(super) const PAGE: usize = 4096;
/// The maximum length of the file, in pages.
pub(super) const MAX_PAGES: usize = 8;

/// The bytes of the file, and of the rest of its last page.
pub(super) struct File {
    bytes: Vec<u8>,
    size: usize,
    /// Bytes past the end that were stored through a mapping. A system may show them until the page is written or the
    /// file grows, or show zeros.
    stray: Vec<bool>,
    /// A range that contains all of them. It is empty for most files.
    strays: Range<usize>,
}

impl File {
    pub(super) fn new(content: &[u8]) -> Self {
        let mut bytes = vec![0; MAX_PAGES * PAGE];
        bytes[..content.len()].copy_from_slice(content);
        Self { bytes, size: content.len(), stray: vec![false; MAX_PAGES * PAGE], strays: 0..0 }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The page that starts at `at`. Past the end there are zeros, or stored bytes.
    pub(super) fn page(&self, at: usize) -> &[u8] {
        &self.bytes[at..at + PAGE]
    }

    /// The bytes of a range that the file has: fewer, or none, past its end.
    pub(super) fn held(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range.start.min(self.size)..range.end.min(self.size)]
    }

    /// Stores bytes through a mapping.
    pub(super) fn store(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if end > self.size {
            let stray = at.max(self.size)..end;
            let Range { start, end } = self.strays;
            self.strays = if start < end { start.min(stray.start)..end.max(stray.end) } else { stray.clone() };
            self.stray[stray].fill(true);
        }
        self.bytes[at..end].copy_from_slice(bytes);
    }

    /// Writes bytes as another writer or a write-back does: past the end they make the file longer.
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.set_len(self.size.max(end));
        self.bytes[at..end].copy_from_slice(bytes);
        self.stray[at..end].fill(false);
    }

    pub(super) fn set_len(&mut self, len: usize) {
        if len < self.size {
            self.bytes[len..].fill(0);
            self.stray[len..].fill(false);
        }
        self.size = len;
    }

    /// Whether the bytes of a range have several allowed values.
    pub(super) fn is_unsure(&self, range: Range<usize>) -> bool {
        self.may_stray(&range) && self.stray[range].contains(&true)
    }

    fn may_stray(&self, range: &Range<usize>) -> bool {
        self.strays.start.max(range.start) < self.strays.end.min(range.end)
    }

    /// Updates the bytes from `at` to the observed ones. Returns `None` if all of these are allowed, otherwise the
    /// index of the first one that is not.
    pub(super) fn observe(&mut self, at: usize, seen: &[u8]) -> Option<usize> {
        let range = at..at + seen.len();
        if !self.may_stray(&range) && self.bytes[range] == *seen {
            return None;
        }
        for (at, &seen) in (at..).zip(seen) {
            if seen != self.bytes[at] {
                if !self.stray[at] || seen != 0 {
                    return Some(at);
                }
                self.bytes[at] = 0;
            }
            // Inside the file only one value is allowed.
            self.stray[at] &= at >= self.size;
        }
        None
    }
}
