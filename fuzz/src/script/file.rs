//! The file of the model: a vector, with what mappings show of its last page behind its end.

use std::ops::Range;

/// Both backends' page, in bytes.
pub(super) const PAGE: usize = 4096;
/// As long as the file ever becomes, in pages.
pub(super) const MAX_PAGES: usize = 8;

/// The bytes of the file, and of the rest of its last page.
pub(super) struct File {
    bytes: Vec<u8>,
    size: usize,
    /// Bytes behind the end that were stored to through a mapping. A system keeps them until the page is written or the
    /// file grows, or shows zeros.
    stray: Vec<bool>,
    /// All of those lie in here: in most files there are none.
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

    /// The page that starts at `at`; behind the end there are zeros, or strays.
    pub(super) fn page(&self, at: usize) -> &[u8] {
        &self.bytes[at..at + PAGE]
    }

    /// The bytes of a range that the file has; fewer, or none, behind its end.
    pub(super) fn held(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range.start.min(self.size)..range.end.min(self.size)]
    }

    /// Bytes stored through a mapping.
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

    /// Bytes written by somebody else, or by a write-back: behind the end they make the file longer.
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

    /// Whether the bytes of a range show one thing or another.
    pub(super) fn is_unsure(&self, range: Range<usize>) -> bool {
        self.may_stray(&range) && self.stray[range].contains(&true)
    }

    fn may_stray(&self, range: &Range<usize>) -> bool {
        self.strays.start.max(range.start) < self.strays.end.min(range.end)
    }

    /// Takes over what is seen of the bytes from `at` on. None if they can hold that, else the first that cannot.
    pub(super) fn saw(&mut self, at: usize, seen: &[u8]) -> Option<usize> {
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
            // Within the file a byte is what it is.
            self.stray[at] &= at >= self.size;
        }
        None
    }
}
