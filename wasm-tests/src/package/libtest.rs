//! Parses the output of a test program of libtest: its list of tests, and the result of one test.

use std::collections::HashSet;
use std::time::Duration;

use super::normal;
use crate::outcome::{End, OUTPUT_LIMIT, Report};

/// The variable that selects one test in a program with libtest's main function for aborting programs.
pub(super) const INVOKE: &str = "__RUST_TEST_INVOKE";

/// The exit code of such a program if the test has passed, on Preview 1. On Preview 2 it becomes 1. A test that has
/// failed aborts, so the two results differ.
const INVOKED_PASSED: [i32; 2] = [50, 1];

/// The start of libtest's output when it runs one test.
const FRAME: &str = "\nrunning 1 test\ntest ";

/// The arguments that list all tests, and those that list the ignored ones.
pub(super) const LISTS: [&[&str]; 2] =
    [&["--list", "--format", "terse"], &["--list", "--format", "terse", "--ignored"]];

/// The arguments that run one test, before its name. With one thread the lines of libtest are not interrupted, and it
/// prints no message that the test takes long.
pub(super) const ALONE: [&str; 4] = ["--exact", "--nocapture", "--test-threads=1", "--color=never"];

/// How a program runs one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunAs {
    /// Natively, selected by name.
    Native,
    /// In a guest, selected by name.
    Guest,
    /// In a guest, selected by name and by [`INVOKE`], which the program supports.
    InvokedGuest,
}

/// A test of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// Whether it is marked as ignored here.
    pub ignored: bool,
}

/// Parses the output for the two [`LISTS`].
///
/// # Errors
///
/// Fails if a line is not `NAME: test` or `NAME: benchmark`, because the program's harness is not libtest.
pub(super) fn parse_lists(all: &str, ignored: &str) -> Result<Vec<Test>, String> {
    let ignored: HashSet<String> = names(ignored)?.into_iter().collect();
    Ok(names(all)?.into_iter().map(|name| Test { ignored: ignored.contains(&name), name }).collect())
}

fn names(list: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for line in list.lines() {
        match line.rsplit_once(": ") {
            Some((name, "test")) => names.push(name.to_owned()),
            Some((_, "benchmark")) => {}
            _ => return Err(format!("its list has the line {line:?}: its harness is not libtest")),
        }
    }
    Ok(names)
}

/// The outcome of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end, or panicked as it should.
    Passed,
    /// It panicked, returned an error, or did not panic as it should.
    Failed,
    /// It is marked as ignored, and was not run.
    Ignored,
    /// It ended the program in another way than by a panic: by an abort, a trap or a signal.
    Aborted,
    /// It ended the program with this exit code.
    Exited(i32),
    /// It was still running when its time was over.
    TimedOut,
    /// Its output exceeded the limit. Its later writes failed, and it may have failed because of that.
    TooMuchOutput,
    /// The program does not have this test here.
    Absent,
    /// It could not be run here. The text gives the reason.
    NotRun(String),
}

impl Outcome {
    /// The outcome in one or two words, for the table.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Passed => "passed".into(),
            Self::Failed => "FAILED".into(),
            Self::Ignored => "ignored".into(),
            Self::Aborted => "ABORTED".into(),
            Self::Exited(code) => format!("EXITED {code}"),
            Self::TimedOut => "TIMED OUT".into(),
            Self::TooMuchOutput => "TOO MUCH".into(),
            Self::Absent => "absent".into(),
            Self::NotRun(_) => "NOT RUN".into(),
        }
    }

    /// Whether the outcome can be compared: the test ended by itself, or is ignored.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        !matches!(self, Self::TimedOut | Self::TooMuchOutput | Self::Absent | Self::NotRun(_))
    }
}

/// The result of a test on a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    /// The outcome.
    pub outcome: Outcome,
    /// Its standard output, without the lines of libtest.
    pub stdout: String,
    /// Its standard error, without parts that differ from run to run.
    pub stderr: String,
    /// Whether it is marked with `#[should_panic]`, if the program has reported that.
    pub should_panic: bool,
    /// From the program's start to its end.
    pub time: Duration,
}

impl TestRun {
    /// The result of a test without output, because it was not run.
    pub(super) fn silent(outcome: Outcome) -> Self {
        Self { outcome, stdout: String::new(), stderr: String::new(), should_panic: false, time: Duration::ZERO }
    }
}

/// Whether a program supports [`INVOKE`], from its output for a name that no test has.
pub(super) fn is_invocable(report: &Report) -> bool {
    matches!(report.end, End::Trapped(_))
        && String::from_utf8_lossy(&report.stderr).contains("couldn't find a test with the provided name")
}

/// Determines the result of one test from its run.
pub(super) fn judge(name: &str, report: &Report, run_as: RunAs) -> TestRun {
    if report.stdout.len().max(report.stderr.len()) >= OUTPUT_LIMIT {
        return TestRun { time: report.time, ..TestRun::silent(Outcome::TooMuchOutput) };
    }
    let stdout = String::from_utf8_lossy(&report.stdout);
    let stderr = String::from_utf8_lossy(&report.stderr);
    let panicked = stderr.contains("panicked at ");
    let framed = stdout.strip_prefix(FRAME).and_then(|rest| rest.strip_prefix(name));
    let should_panic = framed.is_some_and(|rest| rest.starts_with(" - should panic ... "));
    let body = framed.and_then(|rest| rest.split_once(" ... ")).map(|(_, body)| body);

    let (outcome, printed) = match (&report.end, body) {
        (End::TimedOut, body) => (Outcome::TimedOut, body.unwrap_or(&stdout)),
        // A guest's panic is a trap. Natively a trap is an abort, even after a panic.
        (End::Trapped(_), body) => {
            let failed = run_as != RunAs::Native && (panicked || normal::has_verdict(&stderr));
            (if failed { Outcome::Failed } else { Outcome::Aborted }, body.unwrap_or(&stdout))
        }
        (End::Exited(code), Some(body)) => by_frame(*code, body, should_panic),
        (End::Exited(code), None) if run_as == RunAs::InvokedGuest && INVOKED_PASSED.contains(code) => {
            (Outcome::Passed, &*stdout)
        }
        (End::Exited(code), None) => (Outcome::Exited(*code), &*stdout),
    };
    let mut printed = printed.to_owned();
    if !matches!(outcome, Outcome::Passed | Outcome::Ignored) {
        // An abort does not write out an unfinished line.
        printed.truncate(printed.rfind('\n').map_or(0, |end| end + 1));
    }
    TestRun { outcome, stdout: printed, stderr: normal::stderr(name, &stderr), should_panic, time: report.time }
}

/// Determines the result from the lines of libtest around the output of the test.
fn by_frame(code: i32, body: &str, should_panic: bool) -> (Outcome, &str) {
    // Searches from the end, because the output of the test may contain similar lines.
    let before = |word: &str, summary: &str| {
        let (printed, rest) = body.rsplit_once(word)?;
        rest.contains(summary).then_some(printed)
    };
    if let Some(printed) = before("ok\n\ntest result: ok. ", "1 passed; 0 failed; 0 ignored").filter(|_| code == 0) {
        return (Outcome::Passed, printed);
    }
    let failed = before("FAILED\n\nfailures:\n\n", "test result: FAILED. 0 passed; 1 failed").or_else(|| {
        // If the test printed nothing, there is only one list of failures.
        before("FAILED\n\nfailures:\n", "test result: FAILED. 0 passed; 1 failed")
    });
    if let Some(printed) = failed.filter(|_| code != 0) {
        return (Outcome::Failed, printed);
    }
    if body.starts_with("ignored") && body.contains("\n\ntest result: ok. 0 passed; 0 failed; 1 ignored") && code == 0 {
        let skipped = should_panic.then(|| Outcome::NotRun("libtest skips #[should_panic] tests here".into()));
        return (skipped.unwrap_or(Outcome::Ignored), "");
    }
    // The program ended before libtest printed a result, which is not a success.
    (Outcome::Exited(code), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(end: End, stdout: &str, stderr: &str) -> Report {
        Report::native(end, stdout, stderr, Duration::ZERO)
    }

    fn native(code: i32, stdout: &str) -> TestRun {
        judge("a::b", &report(End::Exited(code), stdout, ""), RunAs::Native)
    }

    const OK: &str = "ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out\n\n";
    const BAD: &str = "FAILED\n\nfailures:\n\nfailures:\n    a::b\n\ntest result: FAILED. 0 passed; 1 failed; 0 i\n\n";

    #[test]
    fn a_result_is_parsed_around_the_output_of_the_test() {
        let ran = native(0, &format!("\nrunning 1 test\ntest a::b ... one\ntwo ... ok\n{OK}"));
        assert_eq!((ran.outcome, ran.stdout.as_str(), ran.should_panic), (Outcome::Passed, "one\ntwo ... ok\n", false));
        let ran = native(0, &format!("\nrunning 1 test\ntest a::b - should panic ... x{OK}"));
        assert_eq!((ran.outcome, ran.stdout.as_str(), ran.should_panic), (Outcome::Passed, "x", true));
        let ran = native(101, &format!("\nrunning 1 test\ntest a::b ... one\ntwo{BAD}"));
        assert_eq!((ran.outcome, ran.stdout.as_str()), (Outcome::Failed, "one\n"));
    }

    #[test]
    fn a_program_that_ends_without_a_result_has_not_passed() {
        let begun = "\nrunning 1 test\ntest a::b ... ";
        assert_eq!(native(0, begun).outcome, Outcome::Exited(0));
        assert_eq!(native(0, "").outcome, Outcome::Exited(0));
        assert_eq!(native(3, &format!("{begun}{OK}")).outcome, Outcome::Exited(3));
        assert_eq!(native(0, &format!("{begun}{BAD}")).outcome, Outcome::Exited(0));
        assert_eq!(native(0, &format!("{begun}text\n")).stdout, "text\n");
        let none = "\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored\n\n";
        assert_eq!(native(0, none).outcome, Outcome::Exited(0));
    }

    #[test]
    fn too_much_output_is_reported() {
        let flood = "a".repeat(OUTPUT_LIMIT);
        let ran = judge("a", &report(End::Exited(101), "", &flood), RunAs::Native);
        assert!(ran.outcome == Outcome::TooMuchOutput && !ran.outcome.is_comparable());
    }

    #[test]
    fn a_skipped_should_panic_test_is_not_run_and_an_ignored_test_is_ignored() {
        let result = "\n\ntest result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 9 filtered out\n\n";
        let ran = native(0, &format!("\nrunning 1 test\ntest a::b - should panic ... ignored{result}"));
        assert!(matches!(ran.outcome, Outcome::NotRun(_)) && ran.should_panic, "{ran:?}");
        let ran = native(0, &format!("\nrunning 1 test\ntest a::b ... ignored, slow{result}"));
        assert_eq!(ran.outcome, Outcome::Ignored);
    }

    #[test]
    fn the_end_of_an_invoked_test_is_its_outcome() {
        let trap = || End::Trapped("unreachable".into());
        let panic = "\nthread 'main' (1) panicked at src/lib.rs:1:2:\nboo\n";
        for (end, stderr, outcome) in [
            (End::Exited(50), "", Outcome::Passed),
            (End::Exited(1), panic, Outcome::Passed),
            (trap(), panic, Outcome::Failed),
            (trap(), "test did not panic as expected at src/lib.rs:6:28\n", Outcome::Failed),
            (trap(), "", Outcome::Aborted),
            (End::Exited(0), "", Outcome::Exited(0)),
            (End::Exited(101), panic, Outcome::Exited(101)),
            (End::TimedOut, "", Outcome::TimedOut),
        ] {
            let ran = judge("a", &report(end.clone(), "", stderr), RunAs::InvokedGuest);
            assert_eq!(ran.outcome, outcome, "{end:?} {stderr}");
        }
        // Natively an abort is an abort even after a panic.
        assert_eq!(judge("a", &report(trap(), "", panic), RunAs::Native).outcome, Outcome::Aborted);
        // Without the variable these codes have no meaning.
        assert_eq!(judge("a", &report(End::Exited(50), "", ""), RunAs::Guest).outcome, Outcome::Exited(50));
    }

    #[test]
    fn only_lists_of_libtest_are_parsed() {
        let tests = parse_lists("a: test\nb::c: test\nd: benchmark\n", "b::c: test\n").unwrap();
        let test = |name: &str, ignored| Test { name: name.into(), ignored };
        assert_eq!(tests, [test("a", false), test("b::c", true)]);
        assert!(parse_lists("usage: what\n", "").unwrap_err().contains("not libtest"));
    }
}
