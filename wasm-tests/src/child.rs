//! Runs a native program as a child process, with the same limits and report as the [sandbox](crate::sandbox).

use std::ffi::OsStr;
use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use shared_child::SharedChild;

use crate::counters::{ChildCounts, Counted};
use crate::outcome::{End, OUTPUT_LIMIT, Report};

/// The exit code of a program of Windows that aborts, because Windows has no signals.
const WINDOWS_ABORTED: i32 = 0xC000_0409_u32.cast_signed();

/// Runs a program without standard input, captures its output, and kills it when its time is over. Returns the report,
/// and the bytes that it read and wrote, if the system counts them.
///
/// # Errors
///
/// Fails if the program cannot be started.
pub fn run(
    program: &OsStr,
    args: &[impl AsRef<OsStr>],
    time: Option<Duration>,
) -> io::Result<(Report, Option<Counted>)> {
    let mut command = Command::new(program);
    command.args(args);
    run_command(command, time)
}

/// Like [`run`], with a command that may have its own directory and variables.
///
/// # Errors
///
/// As for [`run`].
pub fn run_command(mut command: Command, time: Option<Duration>) -> io::Result<(Report, Option<Counted>)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A backtrace differs between machines, and the panic's message is enough.
    command.env("RUST_BACKTRACE", "0");
    let start = Instant::now();
    let child = SharedChild::spawn(&mut command).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot start {}: {error}", command.get_program().display()))
    })?;
    let counts = ChildCounts::new(child.id());
    let (stdout, stderr) = (child.take_stdout(), child.take_stderr());

    thread::scope(|scope| {
        let stdout = scope.spawn(|| capture(stdout));
        let stderr = scope.spawn(|| capture(stderr));
        let (ended, over) = channel::<()>();
        let watchdog = scope.spawn(|| {
            let Some(time) = time else { return Ok(false) };
            // `over` is moved into the closure, so that only the drop of `ended` or the time limit ends the wait.
            let over = over;
            if over.recv_timeout(time) != Err(RecvTimeoutError::Timeout) {
                return Ok(false);
            }
            child.kill().map(|()| true)
        });
        let counted = counts.when_ended();
        let status = child.wait();
        let time = start.elapsed();
        drop(ended);
        let timed_out = joined(watchdog)?;
        let end = if timed_out { End::TimedOut } else { end_of(status?) };
        let stdout = joined(stdout)?;
        let stderr = joined(stderr)?;
        Ok((Report::native(end, stdout, stderr, time), counted))
    })
}

fn joined<T>(thread: ScopedJoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Reads to the end, or to the limit. At the limit the pipe is closed, and the child's next write fails.
fn capture(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let pipe = pipe.expect("the command has this stream piped");
    pipe.take(OUTPUT_LIMIT as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn end_of(status: ExitStatus) -> End {
    if let Some(code) = status.code().filter(|&code| !cfg!(windows) || code != WINDOWS_ABORTED) {
        return End::Exited(code);
    }
    // Its text names the signal.
    End::Trapped(status.to_string())
}
