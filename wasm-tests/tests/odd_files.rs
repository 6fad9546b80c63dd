//! What a guest makes of files that are not regular or say a wrong length, in a directory that the host grants: as natively,
//! where the host lets it read them.

mod common;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
mod odd_files {
    pub(super) mod block;
    pub(super) mod run;
    pub(super) mod unknown_length;
}

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let tests = [odd_files::unknown_length::TESTS, odd_files::block::TESTS].concat();
    common::run_on_both("odd", &tests)
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    println!("NOT RUN: these are files of Linux");
    ExitCode::SUCCESS
}
