//! Mappings of files that are not regular or report a wrong length, in a directory that the host grants. They work like
//! natively if the host permits the guest to read them.

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
    println!("NOT RUN: only Linux has these files");
    ExitCode::SUCCESS
}
