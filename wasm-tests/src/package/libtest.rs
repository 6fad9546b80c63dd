//! What a test program of libtest prints: its list of tests, and what became of one.

use std::collections::HashSet;
use std::time::Duration;

use super::normal;
use crate::outcome::{End, OUTPUT_LIMIT, Report};

/// The variable that makes a program with libtest's main function for aborting programs run this one test and end.
pub(super) const INVOKE: &str = "__RUST_TEST_INVOKE";

/// The code with which such a program ends when the test has passed: that of Preview 1. Preview 2 makes 1 of it; a test
/// that has failed aborts, and so the two stay apart.
const INVOKED_PASSED: [i32; 2] = [50, 1];

/// What libtest begins with when it runs one test.
const FRAME: &str = "\nrunning 1 test\ntest ";

/// How a program is asked for its list: all tests, then those that are ignored.
pub(super) const LISTS: [&[&str]; 2] =
    [&["--list", "--format", "terse"], &["--list", "--format", "terse", "--ignored"]];

/// How a program is asked to run one test, before its name. With one thread the lines of libtest are whole, and none
/// comes in between that the test takes long.
pub(super) const ALONE: [&str; 4] = ["--exact", "--nocapture", "--test-threads=1", "--color=never"];

/// How a program is made to run one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunAs {
    /// Natively, by name.
    Native,
    /// In a guest, by name.
    Guest,
    /// In a guest, by name and by [`INVOKE`], which the program may know.
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

/// Reads the answers to the two [`LISTS`].
///
/// # Errors
///
/// A line that is not `NAME: test` or `NAME: benchmark`: the program's harness is another one than libtest.
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

/// What became of a test.
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
    /// It printed more than is kept, was told so, and may have failed for that.
    TooMuchOutput,
    /// The program has no such test here.
    Absent,
    /// It could not be run here. The text says why.
    NotRun(String),
}

impl Outcome {
    /// The outcome in a word or two, as the table has it.
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

    /// Whether there is something to compare: the test ran to an end of its own, or is not meant to run.
    #[must_use]
    pub fn is_told(&self) -> bool {
        !matches!(self, Self::TimedOut | Self::TooMuchOutput | Self::Absent | Self::NotRun(_))
    }
}

/// A test on a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// What became of it.
    pub outcome: Outcome,
    /// What it printed, without the lines of libtest.
    pub stdout: String,
    /// What it wrote to standard error, without what differs from run to run.
    pub stderr: String,
    /// Whether it is marked with `#[should_panic]`, as far as the program has said so.
    pub should_panic: bool,
    /// From the program's start to its end.
    pub time: Duration,
}

impl Ran {
    /// A test that printed nothing, for it was not run.
    pub(super) fn silent(outcome: Outcome) -> Self {
        Self { outcome, stdout: String::new(), stderr: String::new(), should_panic: false, time: Duration::ZERO }
    }
}

/// Says from its answer to [`INVOKE`] with a name that no test has whether a program knows the variable.
pub(super) fn is_invocable(report: &Report) -> bool {
    matches!(report.end, End::Trapped(_))
        && String::from_utf8_lossy(&report.stderr).contains("couldn't find a test with the provided name")
}

/// Judges the run of one test.
pub(super) fn judge(name: &str, report: &Report, run_as: RunAs) -> Ran {
    if report.stdout.len().max(report.stderr.len()) >= OUTPUT_LIMIT {
        return Ran { time: report.time, ..Ran::silent(Outcome::TooMuchOutput) };
    }
    let stdout = String::from_utf8_lossy(&report.stdout);
    let stderr = String::from_utf8_lossy(&report.stderr);
    let panicked = stderr.contains("panicked at ");
    let framed = stdout.strip_prefix(FRAME).and_then(|rest| rest.strip_prefix(name));
    let should_panic = framed.is_some_and(|rest| rest.starts_with(" - should panic ... "));
    let body = framed.and_then(|rest| rest.split_once(" ... ")).map(|(_, body)| body);

    let (outcome, printed) = match (&report.end, body) {
        (End::TimedOut, body) => (Outcome::TimedOut, body.unwrap_or(&stdout)),
        // A guest's panic is a trap. Natively an abort is one, whatever was said before it.
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
        // An abort does not write out the line that is not finished.
        printed.truncate(printed.rfind('\n').map_or(0, |end| end + 1));
    }
    Ran { outcome, stdout: printed, stderr: normal::stderr(name, &stderr), should_panic, time: report.time }
}

/// Reads the result from the lines of libtest around what the test printed.
fn by_frame(code: i32, body: &str, should_panic: bool) -> (Outcome, &str) {
    // From the end: the test may have printed the like.
    let before = |word: &str, summary: &str| {
        let (printed, rest) = body.rsplit_once(word)?;
        rest.contains(summary).then_some(printed)
    };
    if let Some(printed) = before("ok\n\ntest result: ok. ", "1 passed; 0 failed; 0 ignored").filter(|_| code == 0) {
        return (Outcome::Passed, printed);
    }
    let failed = before("FAILED\n\nfailures:\n\n", "test result: FAILED. 0 passed; 1 failed").or_else(|| {
        // Without a word on the test there is one list of failures and not two.
        before("FAILED\n\nfailures:\n", "test result: FAILED. 0 passed; 1 failed")
    });
    if let Some(printed) = failed.filter(|_| code != 0) {
        return (Outcome::Failed, printed);
    }
    if body.starts_with("ignored") && body.contains("\n\ntest result: ok. 0 passed; 0 failed; 1 ignored") && code == 0 {
        let skipped = should_panic.then(|| Outcome::NotRun("libtest skips #[should_panic] tests here".into()));
        return (skipped.unwrap_or(Outcome::Ignored), "");
    }
    // It ended in the middle: no result is no success.
    (Outcome::Exited(code), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(end: End, stdout: &str, stderr: &str) -> Report {
        Report::native(end, stdout, stderr, Duration::ZERO)
    }

    fn native(code: i32, stdout: &str) -> Ran {
        judge("a::b", &report(End::Exited(code), stdout, ""), RunAs::Native)
    }

    const OK: &str = "ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out\n\n";
    const BAD: &str = "FAILED\n\nfailures:\n\nfailures:\n    a::b\n\ntest result: FAILED. 0 passed; 1 failed; 0 i\n\n";

    #[test]
    fn a_result_is_read_around_what_the_test_printed() {
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
    fn output_without_end_is_told() {
        let flood = "a".repeat(OUTPUT_LIMIT);
        let ran = judge("a", &report(End::Exited(101), "", &flood), RunAs::Native);
        assert!(ran.outcome == Outcome::TooMuchOutput && !ran.outcome.is_told());
    }

    #[test]
    fn a_skipped_test_that_should_panic_is_not_run_and_an_ignored_one_ignored() {
        let result = "\n\ntest result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 9 filtered out\n\n";
        let ran = native(0, &format!("\nrunning 1 test\ntest a::b - should panic ... ignored{result}"));
        assert!(matches!(ran.outcome, Outcome::NotRun(_)) && ran.should_panic, "{ran:?}");
        let ran = native(0, &format!("\nrunning 1 test\ntest a::b ... ignored, slow{result}"));
        assert_eq!(ran.outcome, Outcome::Ignored);
    }

    #[test]
    fn an_invoked_test_tells_by_its_end_what_became_of_it() {
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
        // Natively an abort is an abort, after a panic too.
        assert_eq!(judge("a", &report(trap(), "", panic), RunAs::Native).outcome, Outcome::Aborted);
        // Without the variable these codes say nothing.
        assert_eq!(judge("a", &report(End::Exited(50), "", ""), RunAs::Guest).outcome, Outcome::Exited(50));
    }

    #[test]
    fn lists_are_those_of_libtest() {
        let tests = parse_lists("a: test\nb::c: test\nd: benchmark\n", "b::c: test\n").unwrap();
        let test = |name: &str, ignored| Test { name: name.into(), ignored };
        assert_eq!(tests, [test("a", false), test("b::c", true)]);
        assert!(parse_lists("usage: what\n", "").unwrap_err().contains("not libtest"));
    }
}
