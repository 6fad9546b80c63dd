//! Where the power fails, and how often.

use std::path::PathBuf;

/// Where the power fails, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program `power`, natively.
    pub native: PathBuf,
    /// As a module of Preview 1.
    pub wasip1: PathBuf,
    /// As a component of Preview 2.
    pub wasip2: PathBuf,
    /// The program of this harness, which runs the guests.
    pub harness: PathBuf,
    /// How many power failures in all, divided among the columns.
    pub points: usize,
    /// The seed of the first script, and of what reaches the disk.
    pub seed: u64,
    /// Libraries that are broken, which must lose bytes; nothing where they are not to be built.
    pub controls: Option<Controls>,
    /// What the program is to break, for the harness's own tests.
    pub flaw: Option<&'static str>,
}

/// Where libraries that are broken are made.
#[derive(Clone, Debug)]
pub struct Controls {
    /// The directory of the workspace.
    pub workspace: PathBuf,
    /// Where the copy is made and built.
    pub scratch: PathBuf,
}
