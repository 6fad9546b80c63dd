//! Reads whole files into vectors and writes them back, like a program without mappings.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::Place;

/// The number of bytes that every host moves in one call.
const STEP: usize = 1 << 20;

/// [`fs::read`], or the same in steps if that fails in a host.
///
/// wasmtime moves at most 128 MiB in a call, and otherwise returns an out-of-memory error to a guest of Preview 1:
/// `fs::read` returns this error for a longer file.
pub(super) fn read(place: &Place, path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if cfg!(target_os = "wasi") && error.kind() == io::ErrorKind::OutOfMemory => {
            let bytes = read_in_steps(path)?;
            place.note(format!("fs::read fails, {error}; a loop reads {} MiB a call", STEP >> 20));
            Ok(bytes)
        }
        read => read,
    }
}

fn read_in_steps(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let len = usize::try_from(file.metadata()?.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len)?;
    while bytes.len() < len {
        let step = STEP.min(len - bytes.len());
        if (&mut file).take(step as u64).read_to_end(&mut bytes)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(bytes)
}

/// [`fs::write`], in steps that every host accepts. A second attempt after an error would be too late: `fs::write`
/// truncates the file first.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if !cfg!(target_os = "wasi") {
        return fs::write(path, bytes);
    }
    let mut file = File::create(path)?;
    bytes.chunks(STEP).try_for_each(|part| file.write_all(part))
}
