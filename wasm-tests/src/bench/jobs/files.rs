//! The files that jobs edit: copies of the data, which are checked after each edit.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use native_tests::workloads::data;
use tempfile::TempDir;
use wasmtime::error::Context as _;

use crate::bench::plan::Plan;

/// An empty directory.
pub(super) fn scratch(plan: &Plan) -> wasmtime::Result<TempDir> {
    tempfile::tempdir_in(&plan.dir).context("there is no directory to write to")
}

/// The copy of a file of the data.
pub(super) struct Copy {
    path: PathBuf,
    /// The number of edits.
    pub(super) turn: usize,
    /// Its checksum after an even number of edits, and after an odd number.
    sums: [Option<u64>; 2],
}

impl Copy {
    pub(super) fn make(data: &Path, scratch: &Path, name: &str) -> wasmtime::Result<Self> {
        let (from, path) = (data.join(name), scratch.join(name));
        let copied =
            File::open(&from).and_then(|from| io::copy(&mut from.take(data::LEN as u64), &mut File::create(&path)?));
        copied.with_context(|| format!("cannot copy {}", from.display()))?;
        let sum = sum_of(&path)?;
        Ok(Self { path, turn: 0, sums: [Some(sum), None] })
    }

    /// Checks the file after an edit: all ways must leave the same bytes.
    pub(super) fn check(&mut self, way: &str, column: &str) -> wasmtime::Result<()> {
        let sum = sum_of(&self.path)?;
        self.turn += 1;
        let expected = *self.sums[self.turn % 2].get_or_insert(sum);
        if sum != expected || self.sums[0] == self.sums[1] {
            wasmtime::bail!("{way} on {column} leaves wrong bytes in {}", self.path.display());
        }
        Ok(())
    }
}

fn sum_of(path: &Path) -> wasmtime::Result<u64> {
    let sum = File::open(path).and_then(|mut file| {
        let (mut part, mut sum) = (vec![0; data::MIB], 0);
        loop {
            match file.read(&mut part)? {
                0 => break Ok(sum),
                count => sum = add(sum, &part[..count]),
            }
        }
    });
    sum.with_context(|| format!("cannot read {}", path.display()))
}

/// Continues a checksum that depends on the order of bytes.
fn add(sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain(rest.iter().map(|&byte| u64::from(byte)));
    words.fold(sum, |sum, word| (sum.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Copy, add};

    #[test]
    fn a_checksum_depends_on_the_places_of_bytes() {
        let one = add(0, &[1, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_ne!(one, add(0, &[0, 1, 0, 0, 0, 0, 0, 0, 2]));
        assert_ne!(one, add(0, &[2, 0, 0, 0, 0, 0, 0, 0, 1]));
    }

    #[test]
    fn edits_that_leave_other_bytes_are_an_error() {
        let (data, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(data.path().join("f"), "old").unwrap();
        let mut copy = Copy::make(data.path(), scratch.path(), "f").unwrap();
        let mut left = |bytes: &str| {
            fs::write(scratch.path().join("f"), bytes).unwrap();
            copy.check("a way", "native").is_ok()
        };
        assert!(left("new") && left("old") && left("new"));
        assert!(!left("odd"));
    }

    #[test]
    fn an_edit_that_changes_nothing_is_an_error() {
        let (data, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(data.path().join("f"), "old").unwrap();
        assert!(Copy::make(data.path(), scratch.path(), "f").unwrap().check("a way", "native").is_err());
    }
}
