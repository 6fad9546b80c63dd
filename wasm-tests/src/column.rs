//! A column: one way to run the suite's program, or other tests.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use native_tests::{HOSTED, MAPPED_BY_HOST};

use crate::calls::HostCalls;
use crate::case::{Case, parse_list};
use crate::child;
use crate::outcome::{End, Limits, Report};
use crate::package::cases::Tests;
use crate::sandbox::{Run, Sandbox};
use crate::served::{Guest, Served};

/// The name of the suite's program in a sandbox, and the name of its directory there.
const GUEST: (&str, &str) = ("suite", "/");

/// One way to run the suite's program.
#[derive(Debug)]
pub struct Column {
    name: String,
    runner: Runner,
    time_factor: u32,
    /// The version of the host that runs the program.
    version: Option<String>,
    /// The exit code that the host returns for a program that trapped or aborted, if it returns one.
    aborted: Option<i32>,
}

#[derive(Debug)]
enum Runner {
    /// A child process: the words of its command, and the backend to select. The program is the last word unless a
    /// runner takes it as an argument.
    Child { command: Vec<OsString>, backend: Option<String> },
    /// A guest of another host of WASI.
    Guest { host: Served, program: PathBuf },
    /// A guest of wasmtime, and the backend to select.
    Sandbox { sandbox: Sandbox, backend: Option<&'static str> },
    /// The tests that cargo builds, instead of the suite's program.
    Tests(Tests),
}

impl Column {
    /// A column of child processes: `command` is the suite's program, or a runner such as an emulator with its
    /// arguments and then that program. `backend` is the backend to select; the default is that of the platform.
    ///
    /// # Panics
    ///
    /// Panics if the command has no words.
    #[must_use]
    pub fn child(name: &str, command: Vec<OsString>, backend: Option<&str>) -> Self {
        assert!(!command.is_empty(), "a command has at least a program");
        Self::new(name, Runner::Child { command, backend: backend.map(str::to_owned) })
    }

    /// A column of guests in another host.
    #[must_use]
    pub fn guest(name: &str, host: Served, program: PathBuf) -> Self {
        let version = host.version().to_owned();
        Self::new(name, Runner::Guest { host, program }).with_version(version)
    }

    /// A column of guests in wasmtime.
    #[must_use]
    pub fn sandbox(name: &str, sandbox: Sandbox) -> Self {
        Self::new(name, Runner::Sandbox { sandbox, backend: None })
    }

    /// A column of guests in wasmtime whose files the host maps. The sandbox must have been loaded with mappings of the
    /// host. A case fails if it reports more mappings of files than it requested from the host.
    #[must_use]
    pub fn hosted(name: &str, sandbox: Sandbox) -> Self {
        Self::new(name, Runner::Sandbox { sandbox, backend: Some(HOSTED) })
    }

    /// A column of tests, which have their own limits.
    #[must_use]
    pub fn tests(name: &str, tests: Tests) -> Self {
        Self::new(name, Runner::Tests(tests))
    }

    fn new(name: &str, runner: Runner) -> Self {
        Self { name: name.to_owned(), runner, time_factor: 1, version: None, aborted: None }
    }

    /// The same column, with a time limit for each case that is `factor` times as long, because an emulator is slow.
    #[must_use]
    pub fn with_time_factor(mut self, factor: u32) -> Self {
        self.time_factor = factor;
        self
    }

    /// The same column, with a host of this version.
    #[must_use]
    pub fn with_version(mut self, version: String) -> Self {
        self.version = Some(version);
        self
    }

    /// The same column, whose host ends with this exit code when the program traps or aborts.
    #[must_use]
    pub fn aborting_with(mut self, code: i32) -> Self {
        self.aborted = Some(code);
        self
    }

    /// Returns the problems that occurred after the end of a case, since the last call of this function.
    pub fn take_problems(&self) -> Vec<String> {
        let Runner::Guest { host, .. } = &self.runner else { return Vec::new() };
        host.take_exits().iter().map(|exit| format!("{}: {exit}", self.name)).collect()
    }

    /// The limits of a case on this column, where `limits` are those of a column without an emulator.
    #[must_use]
    pub fn limits(&self, limits: Limits) -> Limits {
        Limits { time: limits.time * self.time_factor, ..limits }
    }

    /// Its name in the table and in the ledger.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of its host, if the host reports one.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The cases that the program has here.
    ///
    /// # Errors
    ///
    /// Fails if the program cannot be run, or does not print a list; the text describes which.
    pub fn list(&self, limits: Limits) -> Result<Vec<Case>, String> {
        let limits = self.limits(limits);
        let report = match &self.runner {
            Runner::Child { command, .. } => start(command, &["list".into()], limits)?,
            Runner::Guest { host, program } => host.run(&guest(program, &["list"]), limits.time)?,
            Runner::Sandbox { sandbox, .. } => sandbox
                .run(&Run::new(GUEST.0).args(["list"]).time(limits.time).memory(limits.memory))
                .map_err(|error| format!("{error:#}"))?,
            Runner::Tests(tests) => return tests.list(),
        };
        if report.end != End::Exited(0) {
            let stderr = String::from_utf8_lossy(&report.stderr);
            return Err(format!("its list of cases ended with {:?}: {}", report.end, stderr.trim_end()));
        }
        parse_list(&String::from_utf8_lossy(&report.stdout))
    }

    /// Runs one case in `dir`, an empty directory of the host.
    ///
    /// # Errors
    ///
    /// Fails if the program cannot be started; the text gives the reason.
    pub fn run(&self, case: &str, dir: &Path, limits: Limits) -> Result<Report, String> {
        let limits = self.limits(limits);
        let mut report = match &self.runner {
            Runner::Child { command, backend } => {
                let mut args: Vec<OsString> = vec!["run".into(), case.into(), "--dir".into(), dir.into()];
                if let Some(backend) = backend {
                    args.extend(["--backend".into(), backend.into()]);
                }
                start(command, &args, limits)?
            }
            Runner::Guest { host, program } => {
                let mut guest = guest(program, &["run", case, "--dir", GUEST.1]);
                guest.dirs.push((dir.to_path_buf(), GUEST.1.to_owned()));
                host.run(&guest, limits.time)?
            }
            Runner::Sandbox { sandbox, backend } => {
                let run = Run::new(GUEST.0)
                    .args(["run", case, "--dir", GUEST.1])
                    .args(backend.iter().flat_map(|backend| ["--backend", backend]))
                    .dir(dir, GUEST.1)
                    .memory(limits.memory)
                    .time(limits.time);
                let report = sandbox.run(&run).map_err(|error| format!("{error:#}"))?;
                if *backend == Some(HOSTED) {
                    check_hosted(&report)?;
                }
                report
            }
            Runner::Tests(tests) => tests.run(case)?,
        };
        if let (End::Exited(code), Some(aborted)) = (&report.end, self.aborted)
            && *code == aborted
        {
            report.end = End::Trapped(format!("the host ended with {code}"));
        }
        Ok(report)
    }
}

/// The suite's program as a guest of another host, without a directory.
fn guest<'g>(program: &'g Path, args: &[&str]) -> Guest<'g> {
    let args = [GUEST.0].iter().chain(args).map(ToString::to_string).collect();
    // A backtrace differs from host to host.
    Guest { program, args, env: vec![("RUST_BACKTRACE".to_owned(), "0".to_owned())], dirs: Vec::new() }
}

/// Checks that the guest reports no more mappings than it has requested from the host.
fn check_hosted(report: &Report) -> Result<(), String> {
    let made = String::from_utf8_lossy(&report.stderr).lines().filter(|&line| line == MAPPED_BY_HOST).count();
    let requested = report.calls.as_ref().map_or(0, HostCalls::maps);
    if made as u64 > requested {
        return Err(format!("it reports {made} mappings of the host, and has requested {requested}"));
    }
    Ok(())
}

fn start(command: &[OsString], args: &[OsString], limits: Limits) -> Result<Report, String> {
    let (program, first) = command.split_first().expect("a command has at least a program");
    let args: Vec<&OsString> = first.iter().chain(args).collect();
    child::run(program, &args, Some(limits.time)).map(|(report, _)| report).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use native_tests::counts::Group;

    use super::{MAPPED_BY_HOST, check_hosted};
    use crate::calls::{HostCalls, MAP};
    use crate::outcome::{End, Report};

    #[test]
    fn a_guest_has_no_more_mappings_than_it_has_requested() {
        let mut calls = HostCalls::default();
        for _ in 0..2 {
            calls.total.add(Group::Other, MAP, 0);
        }
        let checked = |made: usize| {
            let stderr = format!("{}a panic", format!("{MAPPED_BY_HOST}\n").repeat(made));
            let report = Report::native(End::Exited(0), "", stderr, Duration::ZERO);
            check_hosted(&Report { calls: Some(calls.clone()), ..report })
        };
        assert_eq!((checked(0), checked(2)), (Ok(()), Ok(())));
        let message = "it reports 3 mappings of the host, and has requested 2";
        assert_eq!(checked(3), Err(message.to_owned()));
    }
}
