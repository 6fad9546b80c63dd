//! Searches a file of any size with a regular expression, without reading it into a buffer first.
//!
//! `cargo run --release --example grep -- PATTERN FILE` prints the first 20 lines that match, each after its line
//! number, and then the number of matches. A mapping dereferences to a slice of bytes, so all code that takes a slice
//! works on the file.

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

    // `Access::Read` opens the file only for reading, and every change of the bytes is an error.
    // SAFETY: nobody changes or truncates the file while it is searched. The user has to ensure this, as with any
    // program that maps a file.
    let map = match unsafe { MmapOptions::new().access(Access::Read).open(path) } {
        // An empty file cannot be mapped, and nothing in it can match.
        Err(portable_mmap::Error::EmptyFile { .. }) => None,
        map => Some(map?),
    };
    // One slice of the whole file. An OS mapping loads pages when they are touched; a buffer loads the whole file here.
    let bytes = map.as_ref().map_or(Ok(&[][..]), |map| map.as_slice())?;

    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut lines, mut matches) = (0, 0);
    // The number and the start of the last line found, and the start of the line after it.
    let (mut number, mut start, mut next) = (1, 0, 0);
    for found in regex.find_iter(bytes).map(|found| found.start()) {
        if found == bytes.len() && bytes.last().is_none_or(|&byte| byte == b'\n') {
            break; // There is no line after the last newline.
        }
        matches += 1;
        if found < next {
            continue; // Another match in the same line.
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
