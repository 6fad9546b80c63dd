//! This program as cargo's wrapper around rustc: it builds test programs for WASI that can run `#[should_panic]` tests.
//!
//! libtest skips these tests on WASI, because it cannot catch a panic there. Its main function for programs that abort
//! at a panic can run any single test in its own process, and checks its panic before the abort. rustc selects that
//! function with `-Zpanic-abort-tests`, which it accepts on every channel if `RUSTC_BOOTSTRAP` is set. Both are set
//! here, only for the test programs of the package. Set for the whole build, they would make build scripts of
//! dependencies detect a nightly compiler.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The variable that marks a start of this program as the wrapper.
const CALLED: &str = "WASM_TESTS_AS_RUSTC";

const FLAG: &str = "-Zpanic-abort-tests";
const UNSTABLE: (&str, &str) = ("RUSTC_BOOTSTRAP", "1");

/// If this program was started as the wrapper, runs rustc and returns its exit code.
#[must_use]
pub fn run_if_called() -> Option<ExitCode> {
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
        // A code of more than eight bits, and a signal, are failures too.
        Ok(status) => status.code().map_or(ExitCode::FAILURE, |code| u8::try_from(code).unwrap_or(1).into()),
        Err(error) => {
            eprintln!("wasm-tests: cannot start {}: {error}", rustc.display());
            ExitCode::FAILURE
        }
    })
}

/// Configures `cargo` to start this program instead of rustc.
pub(crate) fn apply(cargo: &mut Command, this: &Path) {
    cargo.env("RUSTC_WORKSPACE_WRAPPER", this).env(CALLED, "1");
}

/// Whether the rustc that is used in the directory `here` accepts the flag.
pub(crate) fn is_supported(here: &Path) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(here).args([FLAG, "--print", "cfg"]).env(UNSTABLE.0, UNSTABLE.1);
    rustc.output().is_ok_and(|output| output.status.success())
}
