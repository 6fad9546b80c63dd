//! The programs to kill, and the number of kills.

use std::path::PathBuf;

/// The programs to kill, and the number of kills.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program `crash`, natively.
    pub native: PathBuf,
    /// The program as a module of Preview 1.
    pub wasip1: PathBuf,
    /// The program as a component of Preview 2.
    pub wasip2: PathBuf,
    /// The program of this harness, which is killed as a host.
    pub harness: PathBuf,
    /// The number of kills, divided among the columns.
    pub kills: usize,
    /// The seed of the first script, and of the times of the kills.
    pub seed: u64,
    /// A flaw that the program simulates, for the harness's own tests.
    pub flaw: Option<&'static str>,
}
