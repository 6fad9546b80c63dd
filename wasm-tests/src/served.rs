//! Other hosts of WASI. Each is a process that runs one guest after the other.
//!
//! A host is a program that reads requests from its standard input, a line of JSON for each guest, and writes a line of
//! JSON to its standard output for each. Its first line is `{"version": "1.2"}`. A request is
//!
//! ```json
//! {"program": "suite.wasm", "args": ["suite", "list"], "env": [["NAME", "value"]], "dirs": [["/tmp/case", "/"]],
//!  "stdout": "/tmp/stdout", "stderr": "/tmp/stderr"}
//! ```
//!
//! `dirs` are directories of this machine with their names in the guest, and `stdout` and `stderr` are files for the
//! output of the guest. The reply is `{"exit": 0}`, or `{"trap": "unreachable"}`. Each guest is a fresh instance. If a
//! process ends, or its guest runs for too long, only that guest fails: the next one gets another process.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::outcome::{End, OUTPUT_LIMIT, Report};

/// How long a host may take to start.
const START: Duration = Duration::from_mins(1);

/// The interval at which the length of a guest's output is checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// How much of a host's own standard error is quoted in a failure.
const QUOTED: usize = 2000;

/// A guest to run.
#[derive(Clone, Debug)]
pub struct Guest<'g> {
    /// The WebAssembly file.
    pub program: &'g Path,
    /// Its arguments, after the name of the program.
    pub args: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// Directories, each with its name in the guest.
    pub dirs: Vec<(PathBuf, String)>,
}

/// A host.
#[derive(Debug)]
pub struct Served {
    command: Vec<OsString>,
    version: String,
    /// Processes that run no guest.
    idle: Mutex<Vec<Process>>,
    /// Descriptions of processes that ended while they ran no guest.
    exits: Mutex<Vec<String>>,
    /// The directory of the files that the command names. They must exist as long as processes are started.
    _scripts: TempDir,
}

/// A process of a host. It is killed when this is dropped.
#[derive(Debug)]
struct Process {
    child: Child,
    requests: ChildStdin,
    replies: Receiver<String>,
    /// The directory of the files for the output of the guest and of the host.
    streams: TempDir,
    /// The arguments of the last guest that it has run.
    last: Option<String>,
}

/// The result of a request to a process.
enum Reply {
    /// The process ran the guest.
    Ran(End),
    /// The process still runs the guest, which has exceeded its time or its output limit.
    StillRunning(End),
    /// The process had ended before it received the request.
    Exited,
}

impl Served {
    /// Starts a host, whose command may name files in `scripts`.
    ///
    /// # Errors
    ///
    /// Fails if the process cannot be started, or does not report its version; the text describes which.
    pub fn start(command: Vec<OsString>, scripts: TempDir) -> Result<Self, String> {
        let (process, version) = Process::start(&command)?;
        Ok(Self { command, version, idle: Mutex::new(vec![process]), exits: Mutex::default(), _scripts: scripts })
    }

    /// The version that the host reports.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns descriptions of the processes that have ended without a guest, since the last call of this function.
    pub fn take_exits(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.exits))
    }

    /// Runs a guest.
    ///
    /// # Errors
    ///
    /// Fails if the host cannot be started, its process ends while it runs the guest, or a reply violates the protocol;
    /// the text describes which.
    pub fn run(&self, guest: &Guest, time: Duration) -> Result<Report, String> {
        loop {
            let idle = locked(&self.idle).pop();
            let mut process = idle.map_or_else(|| Process::start(&self.command).map(|(process, _)| process), Ok)?;
            let begun = Instant::now();
            let reply = process.ask(guest, time)?;
            let elapsed = begun.elapsed();
            let (end, continues) = match reply {
                Reply::Ran(end) => (end, true),
                Reply::StillRunning(end) => (end, false),
                Reply::Exited => {
                    locked(&self.exits).push(process.describe_exit());
                    continue;
                }
            };
            let [stdout, stderr] = ["stdout", "stderr"].map(|name| read(&process.streams.path().join(name)));
            let unread = |error| format!("the output of the guest cannot be read: {error}");
            let report = Report::native(end, stdout.map_err(unread)?, stderr.map_err(unread)?, elapsed);
            if continues {
                process.last = Some(guest.args.join(" "));
                locked(&self.idle).push(process);
            }
            return Ok(report);
        }
    }
}

impl Process {
    fn start(command: &[OsString]) -> Result<(Self, String), String> {
        let (program, args) = command.split_first().expect("a command has at least a program");
        let cannot = |error: io::Error| format!("cannot start {}: {error}", program.display());
        let streams = tempfile::tempdir().map_err(cannot)?;
        let host_stderr = File::create(streams.path().join("host")).map_err(cannot)?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(host_stderr);
        // Files that a killed host leaves behind are removed with the directory.
        command.env("TMPDIR", streams.path());
        let mut child = command.spawn().map_err(cannot)?;
        let requests = child.stdin.take().expect("it is piped");
        let stdout = child.stdout.take().expect("it is piped");
        let (sender, replies) = channel();
        // The thread ends when the process closes its end of the pipe.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut process = Self { child, requests, replies, streams, last: None };
        let greeting = process.replies.recv_timeout(START).ok();
        let greeting: Option<Value> = greeting.and_then(|line| serde_json::from_str(&line).ok());
        match greeting.as_ref().and_then(|greeting| greeting["version"].as_str()) {
            Some(version) => Ok((process, version.to_owned())),
            None => Err(format!("{} does not report its version: {}", program.display(), process.describe_exit())),
        }
    }

    fn ask(&mut self, guest: &Guest, time: Duration) -> Result<Reply, String> {
        let stream = |name| self.streams.path().join(name);
        let (stdout, stderr) = (stream("stdout"), stream("stderr"));
        for path in [&stdout, &stderr] {
            // Removes the output of the previous guest.
            File::create(path).map_err(|error| format!("no file for the output of the guest: {error}"))?;
        }
        let request = json!({
            "program": guest.program, "args": guest.args, "env": guest.env, "dirs": guest.dirs,
            "stdout": stdout, "stderr": stderr,
        });
        if writeln!(self.requests, "{request}").is_err() {
            return Ok(Reply::Exited);
        }
        let over = Instant::now() + time;
        loop {
            let left = over.saturating_duration_since(Instant::now());
            match self.replies.recv_timeout(left.min(CHECK_INTERVAL)) {
                Ok(line) => return end_of(&line).map(Reply::Ran),
                Err(RecvTimeoutError::Disconnected) => return Err(self.describe_exit()),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Ok(Reply::StillRunning(End::TimedOut)),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if [&stdout, &stderr].into_iter().any(|path| len(path) >= OUTPUT_LIMIT as u64) {
                return Ok(Reply::StillRunning(End::Trapped("it was ended because it had written too much".into())));
            }
        }
    }

    /// Describes how the process ended, and after which guest.
    fn describe_exit(&mut self) -> String {
        // A process whose streams are closed ends soon. Its drop kills it if it does not.
        let mut status = None;
        for _ in 0..50 {
            status = self.child.try_wait().ok().flatten();
            if status.is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let how = status.map_or_else(|| "no status".to_owned(), |status| status.to_string());
        let after = self.last.as_ref().map_or_else(String::new, |last| format!(", after it had run {last:?}"));
        let host_stderr = read(&self.streams.path().join("host")).unwrap_or_default();
        let quoted = String::from_utf8_lossy(&host_stderr[host_stderr.len().saturating_sub(QUOTED)..]);
        format!("the host's process ended with {how}{after}: {}", quoted.trim_end())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
        // A browser that the process has started ends a moment later, and writes files until then.
        for _ in 0..100 {
            match fs::remove_dir_all(self.streams.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => thread::sleep(Duration::from_millis(50)),
                _ => break,
            }
        }
    }
}

/// Reads a reply.
fn end_of(line: &str) -> Result<End, String> {
    let wrong = || format!("the reply of the host has neither an exit code nor a trap: {line:?}");
    let value: Value = serde_json::from_str(line).map_err(|_| wrong())?;
    if let Some(what) = value["trap"].as_str() {
        return Ok(End::Trapped(what.to_owned()));
    }
    value["exit"].as_i64().and_then(|code| i32::try_from(code).ok()).map(End::Exited).ok_or_else(wrong)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(OUTPUT_LIMIT as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
