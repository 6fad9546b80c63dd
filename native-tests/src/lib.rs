//! The suite of portable-mmap: one list of cases, compiled for every target and run over every backend.
//!
//! A [`Case`] works in an empty directory, its [`Scene`], and observes what it sees into a transcript. The transcript of
//! a case is the same on every backend and every target, line by line: that is the crate's claim. A case also states
//! what it expects, so that a mistake which all backends share is found too.
//!
//! `tests/native.rs` runs the cases as ordinary tests. The program `suite` lists and runs them one at a time, for hosts
//! that compare targets.

#![expect(clippy::missing_panics_doc, reason = "a case panics where it fails, and so do its tools")]

mod case;
pub mod cases;
pub mod counted;
pub mod counts;
pub mod crash;
mod disk;
pub mod jobs;
pub mod ledger;
#[cfg(target_os = "linux")]
pub mod loops;
pub mod model;
pub mod others;
pub mod power;
pub mod random;
pub mod storages;
pub mod sweep;
pub mod workloads;

pub use case::{Case, Ends, FileBackend, HOSTED, MAPPED_BY_HOST, Need, Scene, describe};
