//! CPython's own mmap, for comparison: a child process that runs one operation on each request.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::{Place, Ways};

/// The name of the way.
pub(super) const CPYTHON: &str = "CPython";

const SCRIPT: &str = include_str!("python.py");

struct Python {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn start(place: &Place, path: &Path, words: &[&str]) -> std::io::Result<Self> {
        let mut command = Command::new(place.python.as_deref().unwrap_or("python3"));
        command.args(["-c", SCRIPT]).arg(path).arg(place.len.to_string()).args(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let answers = BufReader::new(child.stdout.take().expect("its output is piped"));
        Ok(Self { child, answers })
    }

    fn time(&mut self) -> Option<Duration> {
        self.child.stdin.as_mut()?.write_all(b"again\n").ok()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).ok()?;
        answer.trim_end().parse().ok().map(Duration::from_nanos)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.child.stdin = None;
        // It ends when its input ends; its result does not matter then.
        let _ = self.child.wait();
    }
}

/// Adds CPython as a way of an operation on a file, if it is found.
pub(super) fn add(ways: &mut Ways, place: &Place, path: &Path, words: &[&str]) {
    if cfg!(target_os = "wasi") {
        return;
    }
    let Ok(mut python) = Python::start(place, path, words) else {
        ways.add_absent(CPYTHON, "no python3 here".to_owned());
        return;
    };
    match python.time() {
        Some(_) => ways.add_timed(CPYTHON, || move || python.time().expect("CPython has run the operation before")),
        None => ways.add_absent(CPYTHON, "python3 could not run the operation".to_owned()),
    }
}

/// The version of CPython, or `None` if it is not installed.
#[must_use]
pub fn version(program: Option<&str>) -> Option<String> {
    let output = Command::new(program.unwrap_or("python3")).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|text| !text.is_empty())
}
