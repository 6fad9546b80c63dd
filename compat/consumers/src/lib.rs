//! What the programs have in common: each works in the directory that it is told, and prints what it found.

use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a program returns.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Runs a program on its directory, and tells what went wrong.
pub fn run(program: impl FnOnce(&Path) -> Outcome) -> ExitCode {
    let Some(dir) = std::env::args().nth(1).map(PathBuf::from) else { return failed("the directory is missing") };
    match program(&dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(error),
    }
}

fn failed(why: impl Display) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}
