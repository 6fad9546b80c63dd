//! Decides whether a case on a column passed, and why not.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::case::{Case, Expects};
use crate::outcome::{End, OUTPUT_LIMIT, Report};

/// How many equal lines are shown before the first different line, and how many lines after it.
const NEIGHBOURS: usize = 2;

/// The number of characters of a line that are shown.
const SHOWN: usize = 160;

/// The number of lines of a failed program's standard error that are shown.
const STDERR_LINES: usize = 12;

/// The reason why a case on a column did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Another column lists this case and this one does not.
    NotListed,
    /// This column lists the case with another end than the first column that has it.
    ListedOtherwise,
    /// The program could not be started, or its files could not be read.
    NotRun(String),
    /// It ended with success, but not with the last line of the case.
    NotFinished,
    /// It ended by itself with a failure, after it had written this to its standard error.
    Exited(i32, String),
    /// It trapped or was killed, after it had written this to its standard error.
    Trapped(String, String),
    /// It was still running when its time was over.
    TimedOut(Duration),
    /// It printed more than [`OUTPUT_LIMIT`].
    TooMuchOutput,
    /// It should have panicked with this text, and did not panic.
    NoPanic(String),
    /// It should have panicked with the first text, and ended in another way, with the second text on its standard
    /// error.
    OtherPanic(String, String),
    /// A stretch of it cost more, or less, than its bounds allow. The text describes the stretch and the bounds.
    OutOfBounds(String),
    /// Its transcript differs from that of the reference.
    Differs(Difference),
}

impl Failure {
    /// The kind of the failure, in a few words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotListed => "missing here",
            Self::ListedOtherwise => "listed with another end",
            Self::NotRun(_) => "could not be run",
            Self::NotFinished => "did not run to its end",
            Self::Exited(..) => "failed",
            Self::Trapped(..) => "trapped",
            Self::TimedOut(_) => "timed out",
            Self::TooMuchOutput => "too much output",
            Self::NoPanic(_) => "did not panic",
            Self::OtherPanic(..) => "wrong panic",
            Self::OutOfBounds(_) => "out of bounds",
            Self::Differs(_) => "transcript differs",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Self::NotListed => f.write_str(": another column has this case"),
            Self::ListedOtherwise => f.write_str(": this column lists it with another end"),
            Self::NotRun(why) => write!(f, ": {why}"),
            Self::NotFinished => f.write_str(": it ended without its last line"),
            Self::Exited(code, stderr) => write!(f, ": exit code {code}{}", Stderr(stderr)),
            Self::Trapped(what, stderr) => write!(f, ": {what}{}", Stderr(stderr)),
            Self::TimedOut(limit) => write!(f, ": still running after {limit:?}"),
            Self::TooMuchOutput => write!(f, ": more than {OUTPUT_LIMIT} bytes"),
            Self::NoPanic(text) => write!(f, ": no panic with {text:?}"),
            Self::OtherPanic(text, stderr) => write!(f, ": no panic with {text:?}{}", Stderr(stderr)),
            Self::OutOfBounds(text) => write!(f, ": {text}"),
            Self::Differs(difference) => write!(f, " {difference}"),
        }
    }
}

/// The end of a program's standard error, on lines of its own.
struct Stderr<'a>(&'a str);

impl fmt::Display for Stderr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<&str> = self.0.lines().collect();
        let left_out = lines.len().saturating_sub(STDERR_LINES);
        if left_out > 0 {
            write!(f, "\n    ({left_out} lines of standard error before these)")?;
        }
        lines[left_out..].iter().try_for_each(|line| write!(f, "\n    {}", excerpt(line, 0)))
    }
}

/// Checks that a case ended as it should and that its calls are within their bounds. Its transcript is not compared
/// here.
///
/// # Errors
///
/// The failure, if it ended in another way.
pub fn judge(case: &Case, report: &Report, time_limit: Duration) -> Result<(), Failure> {
    if report.end == End::TimedOut {
        return Err(Failure::TimedOut(time_limit));
    }
    if report.stdout.len().max(report.stderr.len()) >= OUTPUT_LIMIT {
        return Err(Failure::TooMuchOutput);
    }
    let stdout = String::from_utf8_lossy(&report.stdout);
    let mut stderr = String::from_utf8_lossy(&report.stderr).into_owned();
    if let Some(bytes) = report.memory_over_limit {
        _ = write!(stderr, "\n(it requested {bytes} bytes of memory, which is more than its limit)");
    }
    let finished = stdout.lines().next_back() == Some(&case.end_line());
    match &case.expects {
        Expects::Finishes => match &report.end {
            End::Exited(0) if finished => within_bounds(report),
            End::Exited(0) => Err(Failure::NotFinished),
            End::Exited(code) => Err(Failure::Exited(*code, stderr)),
            End::Trapped(what) => Err(Failure::Trapped(what.clone(), stderr)),
            End::TimedOut => unreachable!("handled above"),
        },
        Expects::Panics(text) => {
            // A native panic ends with code 101, or with a signal if it aborts. In a guest it is a trap.
            let ended_so = matches!(report.end, End::Trapped(_) | End::Exited(101));
            let message = stderr.split_once("panicked at ").map(|(_, message)| message);
            if finished || report.end == End::Exited(0) {
                Err(Failure::NoPanic(text.clone()))
            } else if ended_so && message.is_some_and(|message| message.contains(text)) {
                within_bounds(report)
            } else {
                Err(Failure::OtherPanic(text.clone(), stderr))
            }
        }
    }
}

/// Checks the counted calls against their bounds.
fn within_bounds(report: &Report) -> Result<(), Failure> {
    let Some(calls) = &report.calls else { return Ok(()) };
    let broken = calls.stretches.iter().filter(|stretch| !stretch.broken.is_empty());
    let mut lines: Vec<String> = broken
        .map(|stretch| format!("counted {}: {} ({})", stretch.what, stretch.broken.join("; "), stretch.calls))
        .collect();
    // A panic may end the program within a stretch.
    if let (Some(what), End::Exited(0)) = (&calls.unended, &report.end) {
        lines.push(format!("counting {what}: its end and its bounds are missing"));
    }
    if lines.is_empty() { Ok(()) } else { Err(Failure::OutOfBounds(lines.join("\n    "))) }
}

/// The first difference of two transcripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The column whose transcript is the reference.
    pub reference: String,
    /// The first line that differs, counted from 0.
    pub line: usize,
    /// The equal lines before it.
    pub before: Vec<String>,
    /// That line and the next ones in the reference; empty if the transcript ends before it.
    pub theirs: Vec<String>,
    /// That line and the next ones on this column; empty if the transcript ends before it.
    pub ours: Vec<String>,
}

/// Compares a transcript with that of the column `reference`.
#[must_use]
pub fn compare(reference: &str, theirs: &[String], ours: &[String]) -> Option<Difference> {
    let line = theirs.iter().zip(ours).position(|(a, b)| a != b).unwrap_or(theirs.len().min(ours.len()));
    if line == theirs.len() && line == ours.len() {
        return None;
    }
    let rest = |lines: &[String]| lines[line..].iter().take(1 + NEIGHBOURS).cloned().collect();
    Some(Difference {
        reference: reference.to_owned(),
        line,
        before: ours[line.saturating_sub(NEIGHBOURS)..line].to_vec(),
        theirs: rest(theirs),
        ours: rest(ours),
    })
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from that of {} (-) at line {}:", self.reference, self.line + 1)?;
        // The position at which the lines differ. Long lines are shown around it.
        let part = match (self.theirs.first(), self.ours.first()) {
            (Some(a), Some(b)) => a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count(),
            _ => 0,
        };
        for line in &self.before {
            write!(f, "\n      {}", excerpt(line, 0))?;
        }
        for (sign, lines) in [('-', &self.theirs), ('+', &self.ours)] {
            if lines.is_empty() {
                write!(f, "\n    {sign} (ends here)")?;
            }
            for (index, line) in lines.iter().enumerate() {
                write!(f, "\n    {sign} {}", excerpt(line, if index == 0 { part } else { 0 }))?;
            }
        }
        Ok(())
    }
}

/// A line, or the part of it around the character `at` that is shown.
pub(crate) fn excerpt(line: &str, at: usize) -> String {
    let count = line.chars().count();
    if count <= SHOWN {
        return line.to_owned();
    }
    let start = at.saturating_sub(SHOWN / 2).min(count - SHOWN);
    let shown: String = line.chars().skip(start).take(SHOWN).collect();
    let before = if start > 0 { "…" } else { "" };
    let after = if start + SHOWN < count { "…" } else { "" };
    format!("{before}{shown}{after}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Failure, compare, judge};
    use crate::case::{Case, Expects};
    use crate::outcome::{End, OUTPUT_LIMIT, Report};

    const LIMIT: Duration = Duration::from_secs(1);

    fn finishes() -> Case {
        Case { name: "c".into(), expects: Expects::Finishes }
    }

    fn panics() -> Case {
        Case { name: "c".into(), expects: Expects::Panics("out of range".into()) }
    }

    fn ended(end: End, stdout: &str, stderr: &str) -> Report {
        Report::native(end, stdout, stderr, Duration::ZERO)
    }

    fn kind(case: &Case, report: &Report) -> &'static str {
        judge(case, report, LIMIT).map_or_else(|failure| failure.kind(), |()| "passed")
    }

    #[test]
    fn a_case_that_finishes_has_its_last_line_and_no_failure() {
        let trap = || End::Trapped("unreachable".into());
        for (end, stdout, expected) in [
            (End::Exited(0), "a\nend of c\n", "passed"),
            (End::Exited(0), "end of c\na\n", "did not run to its end"),
            (End::Exited(0), "end of cc\n", "did not run to its end"),
            (End::Exited(0), "", "did not run to its end"),
            (End::Exited(2), "end of c\n", "failed"),
            (trap(), "end of c\n", "trapped"),
            (End::TimedOut, "end of c\n", "timed out"),
        ] {
            assert_eq!(kind(&finishes(), &ended(end.clone(), stdout, "")), expected, "{end:?} {stdout:?}");
        }
    }

    #[test]
    fn a_case_that_panics_has_the_right_message_and_no_last_line() {
        let trap = || End::Trapped("unreachable".into());
        let right = "thread 'main' panicked at src/a.rs:1:\nindex out of range\n";
        let wrong = "thread 'main' panicked at src/a.rs:1:\nnot implemented\n";
        for (end, stdout, stderr, expected) in [
            (trap(), "a\n", right, "passed"),
            (End::Exited(101), "a\n", right, "passed"),
            (trap(), "a\n", wrong, "wrong panic"),
            (trap(), "a\n", "out of range", "wrong panic"),
            (End::Exited(1), "a\n", right, "wrong panic"),
            (End::Exited(0), "a\nend of c\n", "", "did not panic"),
            (End::Exited(101), "a\nend of c\n", right, "did not panic"),
            (End::TimedOut, "a\n", right, "timed out"),
        ] {
            let report = ended(end.clone(), stdout, stderr);
            assert_eq!(kind(&panics(), &report), expected, "{end:?} {stdout:?} {stderr:?}");
        }
    }

    #[test]
    fn too_much_output_and_exceeded_memory_are_reported() {
        let mut report = ended(End::Exited(0), "", "");
        report.stdout = vec![b'a'; OUTPUT_LIMIT];
        assert_eq!(kind(&finishes(), &report), "too much output");

        let mut report = ended(End::Trapped("unreachable".into()), "", "");
        report.memory_over_limit = Some(1 << 33);
        let failure = judge(&finishes(), &report, LIMIT).unwrap_err();
        assert!(failure.to_string().contains("8589934592"), "{failure}");
    }

    #[test]
    fn the_first_difference_is_shown_with_its_neighbours() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (theirs, ours) = (lines("a\nb\nc\nd\ne\nf\ng"), lines("a\nb\nc\nD\ne\nF\ng"));
        assert_eq!(compare("first", &theirs, &theirs), None);
        let difference = compare("first", &theirs, &ours).unwrap();
        assert_eq!(difference.line, 3);
        assert_eq!(difference.before, ["b", "c"]);
        assert_eq!(difference.theirs, ["d", "e", "f"]);
        assert_eq!(difference.ours, ["D", "e", "F"]);
        let text = Failure::Differs(difference).to_string();
        assert!(
            text.starts_with("transcript differs from that of first (-) at line 4:\n      b\n      c\n    - d"),
            "{text}"
        );

        let shorter = compare("first", &theirs, &theirs[..2]).unwrap();
        assert_eq!((shorter.line, shorter.ours.len()), (2, 0));
        assert!(shorter.to_string().ends_with("+ (ends here)"), "{shorter}");
        assert_eq!(compare("first", &theirs[..2], &theirs).unwrap().line, 2);
    }

    #[test]
    fn a_long_line_is_shown_where_it_differs() {
        let theirs = format!("{}x{}", "a".repeat(5000), "b".repeat(5000));
        let ours = format!("{}y{}", "a".repeat(5000), "b".repeat(5000));
        let text = compare("first", &[theirs], &[ours]).unwrap().to_string();
        assert!(text.contains("aaxbb") && text.contains("aaybb") && text.len() < 1000, "{text}");
    }
}
