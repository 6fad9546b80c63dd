//! The columns: the program `power` edits the file, always in a separate process.
//!
//! Guests run in a separate process too: a thread of the file system's own process that waits for a reply of the file
//! system could not be killed before the reply arrives.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::checker::Checker;
use super::mount::Mounted;
use super::plan::Plan;
use super::tally::Tally;
use crate::child;

/// The time limit of a run.
const TIME: Duration = Duration::from_mins(2);

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The OS mapping.
    Mapped,
    /// The emulation, natively.
    Buffered,
    /// The emulation in wasmtime.
    Wasip1,
    /// The same, as a component.
    Wasip2,
}

impl Place {
    pub(super) const ALL: [Self; 4] = [Self::Mapped, Self::Buffered, Self::Wasip1, Self::Wasip2];

    fn name(self) -> &'static str {
        match self {
            Self::Mapped => "native Mapped",
            Self::Buffered => "native Buffered",
            Self::Wasip1 => "wasip1",
            Self::Wasip2 => "wasip2",
        }
    }

    /// The target to build for, if it is not this machine.
    pub(super) fn target(self) -> Option<&'static str> {
        match self {
            Self::Mapped | Self::Buffered => None,
            Self::Wasip1 => Some("wasm32-wasip1"),
            Self::Wasip2 => Some("wasm32-wasip2"),
        }
    }
}

/// A program and the place where it runs.
#[derive(Debug)]
pub(super) struct Column {
    place: Place,
    program: PathBuf,
    harness: PathBuf,
    /// A flaw that the program simulates.
    flaw: Option<&'static str>,
}

impl Column {
    pub(super) fn new(place: Place, program: PathBuf, plan: &Plan) -> Self {
        Self { place, program, harness: plan.harness.clone(), flaw: plan.flaw }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn name(&self) -> &'static str {
        self.place.name()
    }

    /// The command that runs the program in a directory, with a script.
    fn command(&self, dir: &Path, seed: u64) -> Command {
        let seed = seed.to_string();
        let native = |backend| {
            let mut command = Command::new(&self.program);
            command.arg(dir).args([seed.as_str(), backend]);
            command
        };
        let mut command = match self.place {
            Place::Mapped => native("platform"),
            Place::Buffered => native("buffered"),
            Place::Wasip1 | Place::Wasip2 => {
                let mut grant = dir.as_os_str().to_owned();
                grant.push("::/");
                let mut command = Command::new(&self.harness);
                command.args(["run".as_ref(), "--dir".as_ref(), grant.as_os_str(), self.program.as_os_str()]);
                command.args(["/", seed.as_str(), "platform"]);
                command
            }
        };
        command.args(self.flaw);
        command
    }

    /// Runs a script once, with `points` power failures.
    pub(super) fn run_script(&self, seed: u64, points: usize) -> Tally {
        let problem = |text: String| Tally { problems: vec![format!("seed {seed}: {text}")], ..Tally::default() };
        let mounted = match Mounted::new(Checker::new(seed, points, self.place == Place::Mapped)) {
            Ok(mounted) => mounted,
            Err(error) => return problem(format!("its file system cannot be mounted: {error}")),
        };
        let ended = child::run_command(self.command(mounted.path(), seed), Some(TIME));
        let checker = match mounted.unmount() {
            Ok(checker) => checker,
            Err(error) => return problem(error),
        };
        let is_done = checker.is_done();
        let mut tally = checker.tally;
        match ended {
            Ok(_) if is_done => {}
            Ok((report, _)) => {
                let stderr = String::from_utf8_lossy(&report.stderr);
                let end =
                    format!("it ended before the last power failure, with {:?}: {}", report.end, stderr.trim_end());
                tally.join(problem(end));
            }
            Err(error) => tally.join(problem(error.to_string())),
        }
        tally
    }
}
