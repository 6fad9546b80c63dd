//! Searches a file of any size with a regular expression, without reading it into a buffer of one's own first.
//!
//! `cargo run --release --example grep -- PATTERN FILE` prints the first 20 lines that match, each behind its number, and
//! then how many there are. A mapping is a slice of bytes: whatever works on one works on a file.

use std::error::Error;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use memchr::{memchr, memchr_iter, memrchr};
use portable_mmap::{Access, MmapOptions};
use regex::bytes::RegexBuilder;

/// How many lines are printed.
const SHOWN: usize = 20;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (Some(pattern), Some(file), None) = (args.next(), args.next(), args.next()) else {
        eprintln!("usage: grep PATTERN FILE");
        return ExitCode::FAILURE;
    };
    match grep(&pattern.to_string_lossy(), Path::new(&file)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("grep: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn grep(pattern: &str, path: &Path) -> Result<(), Box<dyn Error>> {
    // `^` and `$` match at every line.
    let regex = RegexBuilder::new(pattern).multi_line(true).build()?;

    // `Access::Read` opens the file for reading alone, and every change of the bytes is an error.
    // SAFETY: nobody changes or shortens the file while it is searched. That is the user's to see to, as with any program
    // that maps a file.
    let map = match unsafe { MmapOptions::new().access(Access::Read).open(path) } {
        // An empty file has nothing to map, and nothing that matches.
        Err(portable_mmap::Error::EmptyFile { .. }) => None,
        map => Some(map?),
    };
    // Sliced once, then used as any slice. The operating system brings in what is touched, and WASI the whole file.
    let bytes = map.as_ref().map_or(Ok(&[][..]), |map| map.as_slice())?;

    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut lines, mut matches) = (0, 0);
    // The number and the start of the last line found, and where the line behind it starts.
    let (mut number, mut start, mut next) = (1, 0, 0);
    for found in regex.find_iter(bytes).map(|found| found.start()) {
        if found == bytes.len() && bytes.last().is_none_or(|&byte| byte == b'\n') {
            break; // Behind the last newline there is no line any more.
        }
        matches += 1;
        if found < next {
            continue; // One more in the same line.
        }
        let line = memrchr(b'\n', &bytes[..found]).map_or(0, |newline| newline + 1);
        let end = memchr(b'\n', &bytes[found..]).map_or(bytes.len(), |length| found + length);
        number += memchr_iter(b'\n', &bytes[start..line]).count();
        (start, next) = (line, end + 1);
        lines += 1;
        if lines <= SHOWN {
            write!(out, "{number}:")?;
            out.write_all(&bytes[line..end])?;
            writeln!(out)?;
        }
    }
    writeln!(out, "{lines} matching lines, {matches} matches")?;
    out.flush()?;
    Ok(())
}
