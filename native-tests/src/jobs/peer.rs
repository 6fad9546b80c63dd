//! The work of a C program over the `mmap` of wasi-libc, with this crate: the same as `wasm-tests/peers/mman.c`, with
//! the same output.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Instant;

use portable_mmap::{Access, MmapOptions, Result};

use super::text::newlines;
use crate::workloads::data::MIB;

/// The number of bytes that are edited.
const EDITS: usize = 100;
/// The length of the edited file.
const EDITED: usize = 64 * MIB;

/// Counts lines of the text in `data`, edits a file in `scratch`, and prints the times and the results.
///
/// # Errors
///
/// Those of the file that is edited, when it is read again.
pub fn run(data: &Path, scratch: &Path) -> io::Result<()> {
    for mib in [256, 64] {
        tell(&format!("count the lines of {mib} MiB"), || count(&data.join("text"), mib * MIB));
    }
    let path = scratch.join("edited");
    let mut expected = Vec::new();
    let (time, edited) = timed(|| edit(&path, &mut expected));
    let what = format!("edit {EDITS} bytes of 64 MiB");
    match edited {
        Ok(()) => println!("{what}\t{time}\t{}", arrived(&path, &expected)?),
        Err(error) => println!("{what}\t{error}"),
    }
    Ok(())
}

fn timed<T>(act: impl FnOnce() -> T) -> (u128, T) {
    let start = Instant::now();
    let value = act();
    (start.elapsed().as_nanos(), value)
}

fn tell(what: &str, act: impl FnOnce() -> Result<u64>) {
    match timed(act) {
        (time, Ok(answer)) => println!("{what}\t{time}\t{answer}"),
        (_, Err(error)) => println!("{what}\t{error}"),
    }
}

fn count(path: &Path, len: usize) -> Result<u64> {
    // SAFETY: the data is written once, before anything is measured.
    let map = unsafe { MmapOptions::new().access(Access::Read).len(len).open(path) }?;
    Ok(newlines(map.as_slice()?))
}

fn places() -> impl Iterator<Item = usize> {
    (0..EDITS).map(|edit| edit * (EDITED / EDITS))
}

fn edit(path: &Path, expected: &mut Vec<u8>) -> Result<()> {
    // SAFETY: nobody else uses the file.
    let mut map = unsafe { MmapOptions::new().access(Access::Write).len(EDITED).open(path) }?;
    for at in places() {
        map[at] = map[at].wrapping_add(1);
        expected.push(map[at]);
    }
    map.close()
}

/// The number of edits that are in the file.
fn arrived(path: &Path, expected: &[u8]) -> io::Result<usize> {
    let (mut file, mut byte, mut count) = (File::open(path)?, [0], 0);
    for (at, expected) in places().zip(expected) {
        file.seek(SeekFrom::Start(at as u64))?;
        file.read_exact(&mut byte)?;
        count += usize::from(byte[0] == *expected);
    }
    Ok(count)
}
