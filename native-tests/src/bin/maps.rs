//! Maps a file and adds up its bytes. Compared with `reads`, it shows how much the crate adds to a program.

use std::process::ExitCode;

use portable_mmap::{Access, MmapOptions};

fn main() -> ExitCode {
    let path = std::env::args().nth(1).unwrap_or_default();
    // SAFETY: nobody changes the file meanwhile.
    match unsafe { MmapOptions::new().access(Access::Read).open(&path) } {
        Ok(map) => {
            println!("{}", map.iter().map(|&byte| u64::from(byte)).sum::<u64>());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}
