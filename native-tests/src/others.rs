//! Helpers of cases: another writer of their files, and bytes to fill them with.

use std::fmt::Debug;
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};

use portable_mmap::{Backend, Error, Mapping, Result};

use crate::{FileBackend, Scene, describe};

/// A multiple of the page size and of the granularity of every target, in bytes. Miri, which only runs the emulation,
/// takes seconds for that many bytes, so it is a few pages there.
pub const UNIT: usize = if cfg!(miri) { 16 << 10 } else { 64 << 10 };

/// The page size of a buffer, in bytes.
pub const PAGE: usize = 4096;

/// Returns `len` bytes, none of them zero, that differ from page to page.
#[must_use]
pub fn pattern(len: usize) -> Vec<u8> {
    // Copied piece by piece, because Miri is slow at single bytes.
    let mut bytes = (1..=251).collect::<Vec<u8>>().repeat(len / 251 + 1);
    bytes.truncate(len);
    bytes
}

/// Like `Vec::resize`, but fills the new bytes at once, because Miri is slow at single bytes.
pub fn resize(bytes: &mut Vec<u8>, len: usize, value: u8) {
    match len.checked_sub(bytes.len()) {
        Some(more) => bytes.extend_from_slice(&vec![value; more]),
        None => bytes.truncate(len),
    }
}

/// Returns the byte at a valid index, or the error of loading it.
///
/// # Errors
/// As for [`Mapping::range`].
pub fn byte<B: Backend>(map: &Mapping<B>, index: usize) -> Result<u8> {
    map.range(index..=index).map(|bytes| bytes[0])
}

impl<B: FileBackend> Scene<B> {
    /// Writes bytes to a file of the directory like another program, through a new descriptor.
    pub fn overwrite(&self, name: &str, offset: u64, bytes: &[u8]) {
        let mut file = &*self.open(name, OpenOptions::new().write(true));
        file.seek(SeekFrom::Start(offset)).expect("a file can be sought");
        file.write_all(bytes).expect("a file of the scene can be written");
    }

    /// Changes the length of a file of the directory, through a new descriptor.
    pub fn set_file_len(&self, name: &str, len: usize) {
        let file = self.open(name, OpenOptions::new().write(true));
        if file.metadata().expect("a file of the scene has a length").len() > len as u64 {
            self.announce_truncation(name);
        }
        file.set_len(len as u64).expect("the length of a file of the scene can be changed");
    }

    /// Adds only the variant of an error to the transcript, because its numbers differ by target or backend.
    #[track_caller]
    pub fn variant<T: Debug>(&mut self, label: &str, result: Result<T, Error>, variant: &str) {
        match result {
            Ok(value) => panic!("{label}: got {value:?}, want the error {variant}"),
            Err(error) => {
                self.note(label, error.name());
                assert!(error.name() == variant, "{label}: got {}, want the error {variant}", describe(&error));
            }
        }
    }
}
