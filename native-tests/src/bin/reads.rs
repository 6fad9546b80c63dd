//! Reads a whole file and adds up its bytes: `maps` without the crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    let path = std::env::args().nth(1).unwrap_or_default();
    match std::fs::read(&path) {
        Ok(bytes) => {
            println!("{}", bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}
