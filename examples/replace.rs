//! Replaces bytes in a file by as many others, where they stand: the file is changed through a mapping, never copied.
//!
//! `cargo run --example replace -- FROM TO FILE` prints how often it has replaced FROM. Only the parts of the file that
//! change are written.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use portable_mmap::MmapOptions;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (Some(from), Some(to), Some(file), None) = (args.next(), args.next(), args.next(), args.next()) else {
        eprintln!("usage: replace FROM TO FILE");
        return ExitCode::FAILURE;
    };
    match replace(from.as_encoded_bytes(), to.as_encoded_bytes(), Path::new(&file)) {
        Ok(count) => {
            println!("{count} replaced");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("replace: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn replace(from: &[u8], to: &[u8], path: &Path) -> Result<usize, Box<dyn Error>> {
    // A mapping cannot move what lies behind a change.
    if from.is_empty() || from.len() != to.len() {
        let (from, to) = (from.len(), to.len());
        return Err(format!("FROM has {from} bytes and TO has {to}: they must be equally long, and not empty").into());
    }

    // For reading and writing, which is the default. Mapping a file that may not be written fails here, not at the flush.
    // SAFETY: nobody else changes or shortens the file while it is worked on. That is the user's to see to.
    let mut map = match unsafe { MmapOptions::new().open(path) } {
        Err(portable_mmap::Error::EmptyFile { .. }) => return Ok(0),
        map => map?,
    };

    let (mut count, mut at) = (0, 0);
    // The range is in Python's notation, where a negative number counts from the end: hence `isize`.
    while let Some(found) = map.find_in(from, isize::try_from(at)?..)? {
        let end = found + from.len();
        // Borrows exactly these bytes to be changed; the rest of the file stays untouched.
        map.range_mut(found..end)?.copy_from_slice(to);
        count += 1;
        at = end;
    }

    // Returns once the changes are on the disk. Without it they would reach the file when the mapping is dropped, which
    // cannot tell of an error.
    map.flush()?;
    Ok(count)
}
