//! The limits of a program, how it ended, and what it did.

use std::time::Duration;

use crate::calls::HostCalls;

/// The number of bytes that are captured of standard output, and of standard error. If a program prints more, its next
/// write fails.
pub const OUTPUT_LIMIT: usize = 64 << 20;

/// The limits of a case.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for one case.
    pub time: Duration,
    /// Bytes of memory for one case, if it runs in a sandbox.
    pub memory: u64,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It returned or called `exit`.
    Exited(i32),
    /// It trapped (an abort or a panic, in a guest), or was killed by a signal. The text says which.
    Trapped(String),
    /// It was still running when its time was over.
    TimedOut,
}

/// What a program did.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it ended.
    pub end: End,
    /// Its standard output, at most [`OUTPUT_LIMIT`] bytes; empty if it was inherited.
    pub stdout: Vec<u8>,
    /// Its standard error, likewise.
    pub stderr: Vec<u8>,
    /// From its start to its end, without loading and compiling.
    pub time: Duration,
    /// The most linear memory that it held, in bytes; 0 for a native program.
    pub memory: u64,
    /// The total size that it requested when it last exceeded its memory limit, if it did.
    pub memory_over_limit: Option<u64>,
    /// Its calls for files, which are counted only in a sandbox.
    pub calls: Option<HostCalls>,
}

impl Report {
    /// The report of a native program, whose memory and calls are not counted.
    #[must_use]
    pub fn native(end: End, stdout: impl Into<Vec<u8>>, stderr: impl Into<Vec<u8>>, time: Duration) -> Self {
        Self {
            end,
            stdout: stdout.into(),
            stderr: stderr.into(),
            time,
            memory: 0,
            memory_over_limit: None,
            calls: None,
        }
    }
}
