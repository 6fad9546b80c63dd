//! The tests of packages as cases of a comparison: the name of a case consists of the program and the test, its
//! transcript is the output of the test, and it ends with the last line of a case if the test has passed.

use std::ffi::OsString;
use std::path::PathBuf;

use super::build::CargoBuild;
use super::libtest::{Outcome, TestRun};
use super::program::Program;
use super::target::Target;
use crate::case::{Case, Expects};
use crate::outcome::{End, Limits, Report};

/// How the tests are built.
#[derive(Clone, Debug)]
pub struct Build {
    /// The directory of the package or the workspace, or its manifest.
    pub source: PathBuf,
    /// Cargo's target directory.
    pub target_dir: PathBuf,
    /// More arguments for cargo, such as the packages.
    pub cargo_args: Vec<OsString>,
    /// The target. Programs for WASI run in wasmtime.
    pub target: Target,
    /// Flags for rustc.
    pub flags: Option<&'static str>,
    /// Whether wasmtime maps files into the guest's memory.
    pub maps_files: bool,
}

/// The built test programs, each with the prefix of its cases' names.
#[derive(Debug)]
pub struct Tests {
    programs: Vec<(String, Program)>,
}

impl Tests {
    /// Builds the tests, and empties the directory for the files of integration tests. Messages of cargo are printed to
    /// standard error.
    ///
    /// # Errors
    ///
    /// Fails if cargo fails or builds no test, or a program cannot be loaded; the text says which.
    pub fn build(build: &Build, limits: Limits) -> Result<Self, String> {
        let Build { source, target_dir, cargo_args, target, flags, maps_files } = build;
        let cargo = CargoBuild::new(source, Some(target_dir), cargo_args)?.flags(*flags);
        let binaries = cargo.build(target)?;
        let temporary = cargo.built(target).join("tmp");
        super::clear(&temporary)
            .map_err(|error| format!("cannot empty the directory for the files of tests: {error}"))?;
        let programs = binaries.into_iter().map(|binary| {
            let name = binary.name.clone();
            let program = match target {
                Target::Native => Program::native(binary, limits),
                Target::Wasi(_) if *maps_files => Program::hosted(binary, limits)?,
                Target::Wasi(_) => Program::wasmtime(binary, limits)?,
            };
            Ok((name, program))
        });
        Ok(Self { programs: programs.collect::<Result<_, String>>()? })
    }

    /// All tests, including those that are marked as ignored.
    ///
    /// # Errors
    ///
    /// Fails if a program does not list its tests like libtest, two tests have the same name, or there is no test.
    pub fn list(&self) -> Result<Vec<Case>, String> {
        let mut cases: Vec<Case> = Vec::new();
        for (program, tests) in &self.programs {
            for test in tests.list()? {
                let name = format!("{program}/{}", test.name);
                if cases.iter().any(|case| case.name == name) {
                    return Err(format!("two of its programs have the test {name}"));
                }
                cases.push(Case { name, expects: Expects::Finishes });
            }
        }
        if cases.is_empty() { Err("it has no tests".to_owned()) } else { Ok(cases) }
    }

    /// Runs a test alone.
    ///
    /// # Errors
    ///
    /// Fails if the test does not exist or is ignored, or a program cannot be started; the text says which.
    pub fn run(&self, case: &str) -> Result<Report, String> {
        let found = self.programs.iter().find_map(|(name, program)| {
            let test = case.strip_prefix(name)?.strip_prefix('/')?;
            Some((program, test))
        });
        let (program, test) = found.ok_or_else(|| format!("no program has the test {case}"))?;
        let (ran, report) = program.report(test)?;
        as_case(case, ran, report)
    }
}

/// Converts the result of a test to the report of a case.
fn as_case(case: &str, ran: TestRun, report: Report) -> Result<Report, String> {
    let mut stdout = ran.stdout;
    let end = match ran.outcome {
        Outcome::Passed => {
            if !stdout.is_empty() && !stdout.ends_with('\n') {
                stdout.push('\n');
            }
            let case = Case { name: case.to_owned(), expects: Expects::Finishes };
            stdout.push_str(&case.end_line());
            stdout.push('\n');
            // The exit code of an invoked test is another one.
            End::Exited(0)
        }
        // The exit code of a native test, because a guest's panic is a trap.
        Outcome::Failed => End::Exited(101),
        Outcome::TooMuchOutput => return Ok(report),
        Outcome::Ignored => return Err("it is marked as ignored".to_owned()),
        Outcome::NotRun(why) => return Err(why),
        Outcome::Absent | Outcome::Aborted | Outcome::Exited(_) | Outcome::TimedOut => report.end.clone(),
    };
    Ok(Report { end, stdout: stdout.into_bytes(), stderr: ran.stderr.into_bytes(), ..report })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verdict::{Failure, judge};

    /// The verdict on a case whose test has this outcome.
    fn judged(outcome: Outcome, printed: &str, end: End) -> Result<(), Failure> {
        let ran = TestRun { stdout: printed.to_owned(), stderr: "why\n".to_owned(), ..TestRun::silent(outcome) };
        let report = Report::native(end, "", "", Duration::ZERO);
        let case = Case { name: "program/test".to_owned(), expects: Expects::Finishes };
        let report = as_case(&case.name, ran, report).map_err(Failure::NotRun)?;
        judge(&case, &report, Duration::ZERO)
    }

    #[test]
    fn only_a_test_that_passed_is_a_case_that_passed() {
        for printed in ["", "a line\n", "no end"] {
            assert_eq!(judged(Outcome::Passed, printed, End::Exited(50)), Ok(()), "{printed:?}");
        }
        let why = || "why\n".to_owned();
        let trap = || End::Trapped("unreachable".into());
        for (outcome, end, failure) in [
            (Outcome::Failed, trap(), Failure::Exited(101, why())),
            (Outcome::Aborted, trap(), Failure::Trapped("unreachable".into(), why())),
            (Outcome::Exited(0), End::Exited(0), Failure::NotFinished),
            (Outcome::Exited(3), End::Exited(3), Failure::Exited(3, why())),
            (Outcome::TimedOut, End::TimedOut, Failure::TimedOut(Duration::ZERO)),
            (Outcome::Ignored, End::Exited(0), Failure::NotRun("it is marked as ignored".into())),
            (Outcome::NotRun("no".into()), End::Exited(0), Failure::NotRun("no".into())),
        ] {
            // If the test itself prints the last line of a case, that is not the end of the case.
            assert_eq!(judged(outcome, "end of program/test\nmore\n", end), Err(failure));
        }
    }
}
