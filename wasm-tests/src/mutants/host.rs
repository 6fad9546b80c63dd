//! Mutants of the host that places mappings in guests. The tests of its package have to fail.
//!
//! The tests are built from the copy, but in the harness's own target directory, because it has wasmtime, which takes
//! minutes to compile. Cargo reuses wasmtime for the copy if the features are the same. They are, because the harness
//! is selected together with the host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Found;
use super::copy::Copy;
use crate::child;

/// The time limit of the tests that may find a mutant.
const TIME: Duration = Duration::from_mins(2);

/// Builds the tests of the host from the copy.
///
/// # Errors
///
/// Fails if they do not compile.
pub(super) fn build(copy: &Copy, target_dir: &Path) -> Result<PathBuf, String> {
    let mut cargo = copy.cargo();
    cargo.args(["test", "--no-run", "-p", "wasm-tests", "-p", "portable-mmap-wasmtime", "--test", "host"]);
    cargo.args(["--message-format", "json-render-diagnostics", "--target-dir"]).arg(target_dir);
    let output = cargo.output().map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("it does not compile:\n{}", String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    let messages = output.stdout.split(|&byte| byte == b'\n');
    let executable = messages
        .filter_map(|message| serde_json::from_slice::<serde_json::Value>(message).ok())
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from));
    executable.ok_or_else(|| "cargo does not report the path of the tests of the host".to_owned())
}

/// Runs the tests whose names contain `subject`, and returns those that fail.
///
/// # Errors
///
/// Fails if there is no such test, or the tests cannot be run.
pub(super) fn failed(tests: &Path, subject: &str) -> Result<Found, String> {
    let (report, _) = child::run(tests.as_os_str(), &[subject], Some(TIME)).map_err(|error| error.to_string())?;
    parse_results(&String::from_utf8_lossy(&report.stdout)).map_err(|why| format!("{subject}: {why}"))
}

/// Parses the output of a test program for the tests that fail.
fn parse_results(output: &str) -> Result<Found, String> {
    let results = output.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "));
    let results: Vec<(&str, &str)> = results.map(|(name, result)| (name.trim_end(), result.trim_end())).collect();
    if results.is_empty() {
        return Err("there is no such test of the host".to_owned());
    }
    if !output.contains("\ntest result: ") {
        return Err("the tests of the host did not end".to_owned());
    }
    let failed = results.iter().filter(|(_, result)| *result != "ok").map(|(name, _)| (*name).to_owned());
    Ok(Found { cases: failed.collect(), of: results.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_tests_are_parsed_from_the_output() {
        let output =
            "\nrunning 2 tests\ntest a::b   ... ok\ntest a::long ... FAILED\n\ntest result: FAILED. 1 passed;\n";
        assert_eq!(parse_results(output), Ok(Found { cases: vec!["a::long".into()], of: 2 }));
        let output = output.replace("FAILED", "ok");
        assert_eq!(parse_results(&output), Ok(Found { cases: Vec::new(), of: 2 }));
    }

    #[test]
    fn tests_that_do_not_run_or_do_not_end_are_an_error() {
        assert!(parse_results("\nrunning 0 tests\n\ntest result: ok. 0 passed;\n").is_err());
        assert!(parse_results("\nrunning 2 tests\ntest a::b ... FAILED\n").is_err());
    }
}
