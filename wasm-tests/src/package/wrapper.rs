//! This program as cargo's wrapper around rustc: it makes test programs for WASI that can run `#[should_panic]` tests.
//!
//! libtest skips these tests on WASI, for it cannot catch a panic there. Its main function for programs that abort at a
//! panic can run any one test, in a process of its own, and judges its panic before the abort. rustc puts that function
//! in with `-Zpanic-abort-tests`, which it takes on every channel if `RUSTC_BOOTSTRAP` says so. Both are set here, for
//! the test programs of the package alone: set for all of the build, they would make build scripts of dependencies see a
//! nightly compiler.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Says that this program was started as the wrapper.
const CALLED: &str = "WASM_TESTS_AS_RUSTC";

const FLAG: &str = "-Zpanic-abort-tests";
const UNSTABLE: (&str, &str) = ("RUSTC_BOOTSTRAP", "1");

/// Runs rustc and answers its exit code, if this program was started as the wrapper.
#[must_use]
pub fn called() -> Option<ExitCode> {
    std::env::var_os(CALLED)?;
    let mut args = std::env::args_os().skip(1);
    let rustc = args.next().unwrap_or_else(|| "rustc".into());
    let args: Vec<OsString> = args.collect();
    let mut command = Command::new(&rustc);
    command.args(&args).env_remove(CALLED);
    if args.iter().any(|arg| arg == "--test") {
        command.arg(FLAG).env(UNSTABLE.0, UNSTABLE.1);
    }
    Some(match command.status() {
        // A code beyond eight bits, and a signal, are failures too.
        Ok(status) => status.code().map_or(ExitCode::FAILURE, |code| u8::try_from(code).unwrap_or(1).into()),
        Err(error) => {
            eprintln!("wasm-tests: cannot start {}: {error}", rustc.display());
            ExitCode::FAILURE
        }
    })
}

/// Makes `cargo` put this program before rustc.
pub(crate) fn apply(cargo: &mut Command, this: &Path) {
    cargo.env("RUSTC_WORKSPACE_WRAPPER", this).env(CALLED, "1");
}

/// Whether the rustc that is used in the directory `here` takes the flag.
pub(crate) fn is_taken(here: &Path) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(here).args([FLAG, "--print", "cfg"]).env(UNSTABLE.0, UNSTABLE.1);
    rustc.output().is_ok_and(|output| output.status.success())
}
