//! Expected bytes, some of which may be zero instead.

use std::collections::BTreeSet;
use std::ops::Range;

/// The expected values of a range of bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bytes {
    values: Vec<u8>,
    /// These bytes may also be zero. A byte that is stored behind the end of a file, in its last page, is not part of
    /// the file. It stays until the system writes the page to the disk, at any time, and is zero from then on.
    or_zero: BTreeSet<usize>,
}

impl Bytes {
    pub(crate) fn zeros(len: usize) -> Self {
        Self::from(vec![0; len])
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn get(&self, range: Range<usize>) -> Self {
        let or_zero = self.or_zero.range(range.clone()).map(|at| at - range.start).collect();
        Self { values: self.values[range].to_vec(), or_zero }
    }

    pub(crate) fn put(&mut self, at: usize, bytes: &Self) {
        let range = at..at + bytes.len();
        self.values[range.clone()].copy_from_slice(&bytes.values);
        if !self.or_zero.is_empty() {
            self.or_zero.retain(|place| !range.contains(place));
        }
        self.or_zero.extend(bytes.or_zero.iter().map(|place| at + place));
    }

    pub(crate) fn zero(&mut self, range: Range<usize>) {
        self.put(range.start, &Self::zeros(range.len()));
    }

    /// Extends the range with zeros, or shortens it.
    pub(crate) fn resize(&mut self, len: usize) {
        self.values.resize(len, 0);
        self.or_zero.split_off(&len);
    }

    /// From now on the bytes of a range may also be zero.
    pub(crate) fn may_be_zero(&mut self, range: Range<usize>) {
        let values = &self.values;
        self.or_zero.extend(range.filter(|&at| values[at] != 0));
    }

    /// The index of the first byte that differs from the expected value.
    pub(crate) fn mismatch(&self, actual: &[u8]) -> Option<usize> {
        assert_eq!(self.len(), actual.len(), "the numbers of bytes are equal");
        if self.values == actual {
            return None;
        }
        (0..actual.len()).find(|&at| self.values[at] != actual[at] && !(actual[at] == 0 && self.or_zero.contains(&at)))
    }

    /// The expected value of a byte, as text.
    pub(crate) fn describe(&self, at: usize) -> String {
        let or_zero = if self.or_zero.contains(&at) { " or 0" } else { "" };
        format!("{}{or_zero}", self.values[at])
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(values: Vec<u8>) -> Self {
        Self { values, or_zero: BTreeSet::new() }
    }
}
