//! The programs, and the number of power failures.

use std::path::PathBuf;

/// The programs, and the number of power failures.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program `power`, natively.
    pub native: PathBuf,
    /// The program as a module of Preview 1.
    pub wasip1: PathBuf,
    /// The program as a component of Preview 2.
    pub wasip2: PathBuf,
    /// The program of this harness, which runs the guests.
    pub harness: PathBuf,
    /// The number of power failures, divided among the columns.
    pub points: usize,
    /// The seed of the first script, and of the changes that reach the disk.
    pub seed: u64,
    /// Broken libraries, which must lose bytes. `None` if they are not built.
    pub controls: Option<Controls>,
    /// A flaw that the program simulates, for the harness's own tests.
    pub flaw: Option<&'static str>,
}

/// The directories for broken libraries.
#[derive(Clone, Debug)]
pub struct Controls {
    /// The directory of the workspace.
    pub workspace: PathBuf,
    /// The directory in which the copy is made and built.
    pub scratch: PathBuf,
}
