//! Python's first `mmap` example in Rust: one file, as a slice and as a file at once.
//!
//! `cargo run --example hello -- DIR` writes `hello.txt` in DIR, changes it through a mapping, and prints what Python
//! prints. Built for `wasm32-wasip1` or `-wasip2` it does the same in a sandbox that is given DIR.

use std::error::Error;
use std::fs;
use std::io::{SeekFrom, Write};
use std::path::Path;
use std::process::ExitCode;

use portable_mmap::MmapOptions;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (Some(dir), None) = (args.next(), args.next()) else {
        eprintln!("usage: hello DIR");
        return ExitCode::FAILURE;
    };
    match hello(Path::new(&dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hello: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn hello(dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();

    // Write a simple example file.
    let path = dir.join("hello.txt");
    fs::write(&path, b"Hello Python!\n")?;

    // Map it. Without a length the whole file is mapped, and by default for reading and writing.
    // SAFETY: this program has just made the file, and nobody else changes it while it is mapped.
    let mut map = unsafe { MmapOptions::new().open(&path)? };

    // Read through the methods of a file ...
    writeln!(out, "b'{}'", map.readline()?.escape_ascii())?; // b'Hello Python!\n'
    // ... and as a slice.
    writeln!(out, "b'{}'", map[..5].escape_ascii())?; // b'Hello'

    // Change it as a slice: what is assigned has the length of what it replaces. `map[6..].copy_from_slice(...)` would do
    // the same, and panic where this returns an error.
    map.set_slice(6.., b" world!\n")?;

    // And read it again as a file.
    map.seek(SeekFrom::Start(0))?;
    writeln!(out, "b'{}'", map.readline()?.escape_ascii())?; // b'Hello  world!\n'

    // Close it. Dropping it would write the changes to the file too, but could not tell if that failed.
    map.close()?;
    Ok(())
}
