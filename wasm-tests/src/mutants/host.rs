//! Mutants of the host that places mappings in guests: the tests of its package have to notice.
//!
//! They are built from the copy, but where the harness was built: wasmtime is there, and takes minutes to compile. Cargo uses it
//! for the copy where the features are the same, which they are as long as the harness is selected with the host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Found;
use super::copy::Copy;
use crate::child;

/// So long all tests that may notice a mutant run at most.
const TIME: Duration = Duration::from_mins(2);

/// Builds the tests of the host from the copy.
///
/// # Errors
///
/// They do not compile.
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
    executable.ok_or_else(|| "cargo does not say where the tests of the host are".to_owned())
}

/// The tests that fail, of those whose names contain `subject`.
///
/// # Errors
///
/// There are none of that name, or they cannot be run.
pub(super) fn failed(tests: &Path, subject: &str) -> Result<Found, String> {
    let (report, _) = child::run(tests.as_os_str(), &[subject], Some(TIME)).map_err(|error| error.to_string())?;
    parse_results(&String::from_utf8_lossy(&report.stdout)).map_err(|why| format!("{subject}: {why}"))
}

/// The tests that fail, of those that the output of a test program names.
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
    fn the_tests_that_fail_are_read_from_what_they_print() {
        let output =
            "\nrunning 2 tests\ntest a::b   ... ok\ntest a::long ... FAILED\n\ntest result: FAILED. 1 passed;\n";
        assert_eq!(parse_results(output), Ok(Found { cases: vec!["a::long".into()], of: 2 }));
        let output = output.replace("FAILED", "ok");
        assert_eq!(parse_results(&output), Ok(Found { cases: Vec::new(), of: 2 }));
    }

    #[test]
    fn tests_that_do_not_run_or_do_not_end_are_no_finding() {
        assert!(parse_results("\nrunning 0 tests\n\ntest result: ok. 0 passed;\n").is_err());
        assert!(parse_results("\nrunning 2 tests\ntest a::b ... FAILED\n").is_err());
    }
}
