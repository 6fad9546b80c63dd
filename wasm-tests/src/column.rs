//! A column: one way to run the suite's program.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::case::{Case, parse_list};
use crate::child;
use crate::sandbox::{End, Report, Run, Sandbox};

/// What the suite's program is called in a sandbox, and how it names the directory that it is given there.
const GUEST: (&str, &str) = ("suite", "/");

/// One way to run the suite's program.
#[derive(Debug)]
pub struct Column {
    name: String,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// A child process: the words of its command, the program last unless a runner takes it as an argument, and the backend
    /// to ask for.
    Child { command: Vec<OsString>, backend: Option<String> },
    /// A guest of wasmtime.
    Sandbox(Sandbox),
}

/// How far a case may go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for one case.
    pub time: Duration,
    /// Bytes of memory for one case, where it runs in a sandbox.
    pub memory: u64,
}

impl Column {
    /// A column of child processes: `command` is the suite's program, or a runner such as an emulator with its arguments
    /// and then that program. `backend` is the backend to ask for; without it the program uses its platform's own.
    ///
    /// # Panics
    ///
    /// If the command has no words.
    #[must_use]
    pub fn child(name: &str, command: Vec<OsString>, backend: Option<&str>) -> Self {
        assert!(!command.is_empty(), "a command has at least a program");
        Self { name: name.to_owned(), way: Way::Child { command, backend: backend.map(str::to_owned) } }
    }

    /// A column of guests in wasmtime.
    #[must_use]
    pub fn sandbox(name: &str, sandbox: Sandbox) -> Self {
        Self { name: name.to_owned(), way: Way::Sandbox(sandbox) }
    }

    /// Its name, as the table and the ledger have it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cases that the program has here.
    ///
    /// # Errors
    ///
    /// A program that cannot be run, or does not print a list; the text says which.
    pub fn list(&self, limits: Limits) -> Result<Vec<Case>, String> {
        let report = match &self.way {
            Way::Child { command, .. } => start(command, &["list".into()], limits).map_err(|e| e.to_string())?,
            Way::Sandbox(sandbox) => sandbox
                .run(&Run::new(GUEST.0).args(["list"]).time(limits.time).memory(limits.memory))
                .map_err(|error| format!("{error:#}"))?,
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
    /// A program that cannot be started; the text says why.
    pub fn run(&self, case: &str, dir: &Path, limits: Limits) -> Result<Report, String> {
        match &self.way {
            Way::Child { command, backend } => {
                let mut args: Vec<OsString> = vec!["run".into(), case.into(), "--dir".into(), dir.into()];
                if let Some(backend) = backend {
                    args.extend(["--backend".into(), backend.into()]);
                }
                start(command, &args, limits).map_err(|error| error.to_string())
            }
            Way::Sandbox(sandbox) => {
                let run = Run::new(GUEST.0)
                    .args(["run", case, "--dir", GUEST.1])
                    .dir(dir, GUEST.1)
                    .memory(limits.memory)
                    .time(limits.time);
                sandbox.run(&run).map_err(|error| format!("{error:#}"))
            }
        }
    }
}

fn start(command: &[OsString], args: &[OsString], limits: Limits) -> io::Result<Report> {
    let (program, first) = command.split_first().expect("a command has at least a program");
    let args: Vec<&OsString> = first.iter().chain(args).collect();
    child::run(program, &args, Some(limits.time)).map(|(report, _)| report)
}
