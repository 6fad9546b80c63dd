//! Runs one test program: natively, in wasmtime, or in another host.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use super::build::Binary;
use super::libtest::{self, Outcome, RunAs, Test, TestRun};
use crate::child;
use crate::outcome::{End, Limits, Report};
use crate::runner;
use crate::sandbox::{Run, Sandbox};
use crate::served::{Guest, Served};

/// A name that no test has, because of the space.
const NO_TEST: &str = "no test";

/// The prefix of the variables that configure libtest. The caller's variables must not change how a test is run.
const LIBTEST_PREFIX: &str = "RUST_TEST_";

/// A test program that is ready to run.
#[derive(Debug)]
pub(super) struct Program {
    binary: Binary,
    kind: Kind,
    limits: Limits,
    run_as: RunAs,
}

#[derive(Debug)]
enum Kind {
    Native,
    Wasmtime(Sandbox),
    Other(Arc<Served>),
}

impl Program {
    pub(super) fn native(binary: Binary, limits: Limits) -> Self {
        Self { binary, kind: Kind::Native, limits, run_as: RunAs::Native }
    }

    /// # Errors
    ///
    /// Fails if the program cannot be loaded; the text gives the reason.
    pub(super) fn wasmtime(binary: Binary, limits: Limits) -> Result<Self, String> {
        let sandbox = Sandbox::load(&binary.path).map_err(|error| format!("{error:#}"))?;
        Self { binary, kind: Kind::Wasmtime(sandbox), limits, run_as: RunAs::Guest }.with_run_as()
    }

    /// A program in wasmtime, which maps files into the guest's memory.
    ///
    /// # Errors
    ///
    /// As for [`wasmtime`](Self::wasmtime).
    pub(super) fn hosted(binary: Binary, limits: Limits) -> Result<Self, String> {
        let sandbox = Sandbox::load_with_host_mapping(&binary.path).map_err(|error| format!("{error:#}"))?;
        Self { binary, kind: Kind::Wasmtime(sandbox), limits, run_as: RunAs::Guest }.with_run_as()
    }

    /// # Errors
    ///
    /// As for [`wasmtime`](Self::wasmtime).
    pub(super) fn other(binary: Binary, host: Arc<Served>, limits: Limits) -> Result<Self, String> {
        Self { binary, kind: Kind::Other(host), limits, run_as: RunAs::Guest }.with_run_as()
    }

    /// Determines how the guest runs a test, because the exit codes of an invoked test have another meaning in other
    /// programs.
    fn with_run_as(mut self) -> Result<Self, String> {
        // Selects by name too, because a program that does not support the variable would run all of its tests.
        let args: Vec<&str> = libtest::ALONE.into_iter().chain(["--", NO_TEST]).collect();
        let report = self.start(&args, Some(NO_TEST))?;
        if libtest::is_invocable(&report) {
            self.run_as = RunAs::InvokedGuest;
        }
        Ok(self)
    }

    /// The program's tests.
    ///
    /// # Errors
    ///
    /// Fails if the program cannot be run, or its list is not one of libtest; the text says which.
    pub(super) fn list(&self) -> Result<Vec<Test>, String> {
        let [all, ignored] = libtest::LISTS.map(|args| {
            let report = self.start(args, None)?;
            if report.end != End::Exited(0) {
                let stderr = String::from_utf8_lossy(&report.stderr);
                return Err(format!("its list of tests ended with {:?}: {}", report.end, stderr.trim_end()));
            }
            Ok(String::from_utf8_lossy(&report.stdout).into_owned())
        });
        libtest::parse_lists(&all?, &ignored?)
    }

    /// Runs one test alone: in a separate process, or in a fresh sandbox.
    pub(super) fn run(&self, test: &Test) -> TestRun {
        if test.ignored {
            return TestRun::silent(Outcome::Ignored);
        }
        self.report(&test.name).map_or_else(|error| TestRun::silent(Outcome::NotRun(error)), |(ran, _)| ran)
    }

    /// Runs one test alone, even if it is marked as ignored. Returns its result, and the report of the program.
    ///
    /// # Errors
    ///
    /// Fails if the program cannot be run; the text gives the reason.
    pub(super) fn report(&self, test: &str) -> Result<(TestRun, Report), String> {
        let args: Vec<&str> = libtest::ALONE.into_iter().chain(["--", test]).collect();
        let mut report = self.start(&args, (self.run_as == RunAs::InvokedGuest).then_some(test))?;
        for stream in [&mut report.stdout, &mut report.stderr] {
            *stream = self.binary.without_target(stream);
        }
        Ok((libtest::judge(test, &report, self.run_as), report))
    }

    fn start(&self, args: &[&str], invoked: Option<&str>) -> Result<Report, String> {
        let Binary { path, directory, .. } = &self.binary;
        match &self.kind {
            Kind::Native => {
                let mut command = Command::new(path);
                command.args(args).current_dir(directory).envs(self.binary.variables());
                for (name, _) in std::env::vars_os().filter(|(name, _)| configures_libtest(name)) {
                    command.env_remove(name);
                }
                self.child(command)
            }
            Kind::Wasmtime(sandbox) => {
                let mut run = Run::new(path.display().to_string())
                    .args(args.iter().copied())
                    .memory(self.limits.memory)
                    .time(self.limits.time);
                for (host, guest) in self.directories() {
                    run = run.dir(host, guest);
                }
                for (name, value) in self.guest_variables(invoked) {
                    run = run.env(name, value);
                }
                sandbox.run(&run).map_err(|error| format!("{error:#}"))
            }
            Kind::Other(host) => host.run(
                &Guest {
                    program: path,
                    args: std::iter::once(path.display().to_string())
                        .chain(args.iter().map(ToString::to_string))
                        .collect(),
                    env: self.guest_variables(invoked),
                    dirs: self.directories(),
                },
                self.limits.time,
            ),
        }
    }

    /// The directories of a guest. The name of the package's directory that is compiled into the program is one too.
    fn directories(&self) -> Vec<(PathBuf, String)> {
        let Binary { path, directory, named, .. } = &self.binary;
        let mut directories = runner::directories(path, directory);
        if named != directory
            && let Some(name) = named.to_str()
        {
            directories.push((directory.clone(), name.to_owned()));
        }
        directories
    }

    fn child(&self, command: Command) -> Result<Report, String> {
        let (report, _) = child::run_command(command, Some(self.limits.time)).map_err(|error| error.to_string())?;
        Ok(report)
    }

    fn guest_variables(&self, invoked: Option<&str>) -> Vec<(String, String)> {
        let mut own = self.binary.variables();
        // Child processes have the same setting.
        own.push(("RUST_BACKTRACE".to_owned(), "0".to_owned()));
        own.extend(invoked.map(|test| (libtest::INVOKE.to_owned(), test.to_owned())));
        let mut variables = runner::passed_env();
        // If a name occurs twice, a guest gets the first value.
        variables.retain(|(name, _)| !configures_libtest(name.as_ref()) && !own.iter().any(|(own, _)| own == name));
        variables.extend(own);
        variables
    }
}

fn configures_libtest(variable: &OsStr) -> bool {
    variable.as_encoded_bytes().starts_with(LIBTEST_PREFIX.as_bytes()) || variable == libtest::INVOKE
}
