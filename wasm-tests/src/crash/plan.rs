//! What to kill, and how often.

use std::path::PathBuf;

/// What to kill, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program `crash`, natively.
    pub native: PathBuf,
    /// As a module of Preview 1.
    pub wasip1: PathBuf,
    /// As a component of Preview 2.
    pub wasip2: PathBuf,
    /// The program of this harness, which is killed as a host.
    pub harness: PathBuf,
    /// How many kills in all, divided among the columns.
    pub kills: usize,
    /// The seed of the first script, and of when each is killed.
    pub seed: u64,
    /// What the program is to break, for the harness's own tests.
    pub flaw: Option<&'static str>,
}
