//! Finds the guest programs, and runs one list of tests on them.

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use wasm_tests::sandbox::Sandbox;

/// The target of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each test program uses a part of this")]
pub(crate) enum Target {
    Native,
    Wasip1,
    /// Preview 1, with the feature `host-mapping`: only the program `hosted`.
    Hosted,
    Wasip2,
    /// Preview 2, with the feature `host-mapping`.
    Wasip2Hosted,
}

/// The program `name` of `native-tests`, compiled for a target.
///
/// The environment contains the directories of the programs. Without them there is nothing to test, and a test that
/// passed then would be worthless.
pub(crate) fn guest(target: Target, name: &str) -> PathBuf {
    let (variable, extension) = match target {
        Target::Native => ("GUESTS_NATIVE", std::env::consts::EXE_EXTENSION),
        Target::Wasip1 => ("GUESTS_WASIP1", "wasm"),
        Target::Hosted => ("GUESTS_HOSTED", "wasm"),
        Target::Wasip2 => ("GUESTS_WASIP2", "wasm"),
        Target::Wasip2Hosted => ("GUESTS_WASIP2_HOSTED", "wasm"),
    };
    let dir = std::env::var_os(variable)
        .unwrap_or_else(|| panic!("{variable} does not contain the directory of the guest programs: run `make test`"));
    let path = PathBuf::from(dir).join(name).with_extension(extension);
    assert!(path.is_file(), "there is no guest program {}: run `make test`", path.display());
    path
}

/// A test of a guest: its name and what it does.
#[allow(dead_code, reason = "each test program uses a part of this")]
pub(crate) type Test = (&'static str, fn(Target, &Sandbox));

/// Runs each of the tests on the guest program `name`, as a module and as a component.
#[allow(dead_code, reason = "each test program uses a part of this")]
pub(crate) fn run_on_both(name: &str, tests: &[Test]) -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for (target, column) in [(Target::Wasip1, "wasip1"), (Target::Wasip2, "wasip2")] {
        let path = guest(target, name);
        let sandbox = Sandbox::load(&path).unwrap_or_else(|error| panic!("{error:#}"));
        for &(test, body) in tests {
            let sandbox = sandbox.clone();
            trials.push(Trial::test(format!("{column}::{test}"), move || {
                // libtest-mimic catches a panic and reports it as a failure.
                body(target, &sandbox);
                Ok(())
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
