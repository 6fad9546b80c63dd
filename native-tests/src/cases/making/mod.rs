//! Making a mapping: every option, every function, and every error.

use std::fmt::Debug;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use portable_mmap::Error;

use crate::{Case, FileBackend, Scene};

mod anonymous;
mod extend;
mod lengths;
mod modes;
mod options;
mod order;
mod ownership;
mod state;
mod storage;
mod ways;
mod windows;

/// The cases of this subject.
#[must_use]
pub(super) fn cases<B: FileBackend>() -> Vec<Case<B>> {
    let subjects = [
        lengths::cases(),
        extend::cases(),
        options::cases(),
        order::cases(),
        modes::cases(),
        ways::cases(),
        windows::cases(),
        ownership::cases(),
        anonymous::cases(),
        storage::cases(),
        state::cases(),
    ];
    subjects.into_iter().flatten().collect()
}

/// A valid offset on every system.
const STEP: u64 = 64 << 10;

/// Returns `len` bytes in which no two ranges of some length are equal, so that a wrong offset is detected.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    // Repeated and not computed byte by byte, which takes Miri minutes.
    let period: Vec<u8> = (0..PERIOD).map(pattern_at).collect();
    let mut bytes = period.repeat(len / period.len() + 1);
    bytes.truncate(len);
    bytes
}

/// The byte of [`pattern`] at an offset.
pub(super) fn pattern_at(offset: u64) -> u8 {
    (offset % PERIOD).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]
}

/// A prime above the page size, so that no two pages are equal.
const PERIOD: u64 = 4099;

/// A tag that no other run of a case uses: it contains the name of the directory.
fn tag_name<B: FileBackend>(scene: &Scene<B>) -> String {
    format!("portable-mmap-{}", scene.dir().file_name().unwrap_or_default().display())
}

/// Adds only the variant of an error to the transcript, because its numbers differ by target, and returns the error.
#[track_caller]
pub(super) fn expect_error<B: FileBackend, T: Debug>(
    scene: &mut Scene<B>,
    label: &str,
    result: Result<T, Error>,
    variant: &str,
) -> Error {
    let error = match result {
        Ok(value) => panic!("{label}: got {value:?}, want the error {variant}"),
        Err(error) => error,
    };
    scene.eq(label, error.name(), variant);
    error
}

/// Reads through a file, at an offset.
pub(super) fn read_through(mut file: &File, offset: u64, len: usize) -> Vec<u8> {
    file.seek(SeekFrom::Start(offset)).expect("a file can be sought in");
    let mut bytes = vec![0; len];
    file.read_exact(&mut bytes).expect("the file has these bytes");
    bytes
}

/// Writes through a file, at an offset.
pub(super) fn write_through(mut file: &File, offset: u64, bytes: &[u8]) {
    file.seek(SeekFrom::Start(offset)).expect("a file can be sought in");
    file.write_all(bytes).expect("the file can be written");
}
