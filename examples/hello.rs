//! Python's first `mmap` example in Rust: a mapping used both as a slice and as a file.
//!
//! `cargo run --example hello -- DIR` writes `hello.txt` in DIR, changes it through a mapping, and prints the same
//! lines as Python. Built for `wasm32-wasip1` or `-wasip2` it does the same in a host that opens DIR for it.

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

    // Map it. By default the whole file is mapped, for reading and writing.
    // SAFETY: this program has just created the file, and nobody else changes it while it is mapped.
    let mut map = unsafe { MmapOptions::new().open(&path)? };

    // Read through the methods of a file ...
    writeln!(out, "b'{}'", map.readline()?.escape_ascii())?; // b'Hello Python!\n'
    // ... and as a slice.
    writeln!(out, "b'{}'", map[..5].escape_ascii())?; // b'Hello'

    // Change it as a slice: the new bytes have to be as long as the range. `map[6..].copy_from_slice(...)` does the
    // same, but panics where `set_slice` returns an error.
    map.set_slice(6.., b" world!\n")?;

    // And read it again as a file.
    map.seek(SeekFrom::Start(0))?;
    writeln!(out, "b'{}'", map.readline()?.escape_ascii())?; // b'Hello  world!\n'

    // Close it. A drop writes the changes to the file too, but it cannot return an error.
    map.close()?;
    Ok(())
}
