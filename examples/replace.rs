//! Replaces bytes in a file with others of the same length. The file is changed in place, through a mapping.
//!
//! `cargo run --example replace -- FROM TO FILE` prints how many times it has replaced FROM. Only the parts of the file
//! that change are written.

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
    // All bytes after a change stay where they are, so both lengths have to be equal.
    if from.is_empty() || from.len() != to.len() {
        let (from, to) = (from.len(), to.len());
        return Err(format!("FROM has {from} bytes and TO has {to}: they must be equally long, and not empty").into());
    }

    // The default is a mapping for reading and writing. If the file cannot be opened for writing, the error occurs here
    // and not at the flush.
    // SAFETY: nobody else changes or truncates the file while it is mapped. The user has to ensure this.
    let mut map = match unsafe { MmapOptions::new().open(path) } {
        Err(portable_mmap::Error::EmptyFile { .. }) => return Ok(0),
        map => map?,
    };

    let (mut count, mut at) = (0, 0);
    // The range has the type `isize` because in Python's notation a negative number counts from the end.
    while let Some(found) = map.find_in(from, isize::try_from(at)?..)? {
        let end = found + from.len();
        // Borrow only the bytes to change; the rest of the file is not written.
        map.range_mut(found..end)?.copy_from_slice(to);
        count += 1;
        at = end;
    }

    // `flush` returns when the changes are on the disk. Without it a drop would write them, and a drop cannot return an
    // error.
    map.flush()?;
    Ok(count)
}
