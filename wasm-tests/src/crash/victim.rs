//! The victims: a child process, a guest whose store is dropped, and a host with a guest in it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use native_tests::random::Random;

use super::plan::Plan;
use crate::outcome::End;
use crate::sandbox::{Run, Sandbox};

/// The file that is edited, in its own directory.
pub(super) const FILE: &str = "file";

/// The largest number of reports after which a child is killed.
const MOST_REPORTS: usize = 40;

/// The longest delay of the kill after that, in which the child makes a few calls.
const LATER: Duration = Duration::from_millis(3);

/// The longest time after which a guest's store is dropped. Guests end at the ticks of a clock.
const MOST_TIME: Duration = Duration::from_millis(60);

/// The time between two ticks.
const TICK: Duration = Duration::from_millis(10);

/// A program, and the way to kill it.
pub(super) struct Victim {
    pub(super) name: &'static str,
    /// Whether its changes are in the file as soon as they are made.
    pub(super) is_mapped: bool,
    runner: Runner,
}

enum Runner {
    /// A child process that is killed: the program, and the backend that it uses.
    Child { program: OsString, backend: &'static str },
    /// The harness as a child process, with the guest in it.
    Host { harness: OsString, program: OsString },
    /// A guest that is interrupted, and its store dropped.
    Store(Sandbox),
}

/// One kill.
pub(super) struct Kill<'a> {
    pub(super) dir: &'a Path,
    pub(super) seed: u64,
    pub(super) flaw: Option<&'a str>,
    pub(super) random: &'a mut Random,
}

impl Victim {
    /// All victims.
    pub(super) fn all(plan: &Plan) -> wasmtime::Result<Vec<Self>> {
        let child = |backend| Runner::Child { program: plan.native.clone().into(), backend };
        let host = |program: &Path| Runner::Host { harness: plan.harness.clone().into(), program: program.into() };
        let victim = |name, is_mapped, runner| Self { name, is_mapped, runner };
        Ok(vec![
            victim("native Mapped", true, child("platform")),
            victim("native Buffered", false, child("buffered")),
            victim("wasip1, its store", false, Runner::Store(Sandbox::load(&plan.wasip1)?)),
            victim("wasip2, its store", false, Runner::Store(Sandbox::load(&plan.wasip2)?)),
            victim("wasip1, its host", false, host(&plan.wasip1)),
            victim("wasip2, its host", false, host(&plan.wasip2)),
        ])
    }

    /// Starts the victim, kills it, and returns what it had printed.
    pub(super) fn kill(&self, kill: &mut Kill) -> Result<String, String> {
        let words = |file: OsString, backend: &str| {
            let words = [file, kill.seed.to_string().into(), backend.into()];
            words.into_iter().chain(kill.flaw.map(OsString::from)).collect::<Vec<_>>()
        };
        match &self.runner {
            Runner::Child { program, backend } => {
                let args = words(kill.dir.join(FILE).into(), backend);
                kill_child(Command::new(program).args(args), kill.random)
            }
            Runner::Host { harness, program } => {
                let mut grant = kill.dir.as_os_str().to_owned();
                grant.push("::/");
                let mut host = Command::new(harness);
                host.args(["run".as_ref(), "--dir".as_ref(), grant.as_os_str(), program]);
                kill_child(host.args(words(format!("/{FILE}").into(), "platform")), kill.random)
            }
            Runner::Store(sandbox) => {
                let args = words(format!("/{FILE}").into(), "platform");
                let args = args.into_iter().map(|arg| arg.into_string().expect("these words are text"));
                let run = Run::new("crash").args(args).dir(kill.dir, "/");
                drop_store(sandbox, run, kill.random)
            }
        }
    }
}

/// Kills a child after a random number of reports and a random time: between its calls or during one.
fn kill_child(command: &mut Command, random: &mut Random) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
    let mut output = BufReader::new(child.stdout.take().expect("its standard output is piped"));
    let mut text = String::new();
    let read = (0..random.below(MOST_REPORTS)).all(|_| output.read_line(&mut text).is_ok_and(|n| n > 0));
    sleep(random_part(LATER, random));
    let killed = child.kill();
    let status = child.wait().map_err(|error| error.to_string())?;
    // The output before the kill is still in the pipe.
    output.read_to_string(&mut text).map_err(|error| error.to_string())?;
    if !read || killed.is_err() || status.code().is_some_and(|_| cfg!(unix)) {
        return Err(format!("it ended before it was killed: {status}"));
    }
    Ok(text)
}

/// Ends a guest at a random time, and drops its store: between two calls into the host, or in its own code.
fn drop_store(sandbox: &Sandbox, run: Run, random: &mut Random) -> Result<String, String> {
    // Guests end at ticks of a clock. Without this delay each would start right after one.
    sleep(random_part(TICK, random));
    let report = sandbox.run(&run.time(random_part(MOST_TIME, random))).map_err(|error| format!("{error:#}"))?;
    if report.end != End::TimedOut {
        let stderr = String::from_utf8_lossy(&report.stderr);
        return Err(format!("it ended before it was killed, with {:?}: {}", report.end, stderr.trim_end()));
    }
    String::from_utf8(report.stdout).map_err(|error| error.to_string())
}

/// A random fraction of a duration.
fn random_part(time: Duration, random: &mut Random) -> Duration {
    const PARTS: u32 = 1 << 16;
    let part = u32::try_from(random.below(PARTS as usize)).expect("the part is smaller than the number of parts");
    time * part / PARTS
}
