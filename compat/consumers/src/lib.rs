//! Common code of the programs: each works in the directory of its argument and prints its result.

use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The result of a program.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Runs a program in its directory, and prints its error.
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
