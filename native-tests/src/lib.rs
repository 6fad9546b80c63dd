//! The suite of portable-mmap: one list of cases, compiled for every target and run over every backend.
//!
//! A [`Case`] works in an empty directory, its [`Scene`], and writes what it observes into a transcript. The crate
//! claims that the transcript of a case is the same with every backend and on every target, line by line. A case also
//! states what it expects, so that a mistake in all backends is found too.
//!
//! `tests/native.rs` runs the cases as ordinary tests. The program `suite` lists and runs them one at a time, for hosts
//! that compare targets.

#![expect(clippy::missing_panics_doc, reason = "a case panics if it fails, and so do its helpers")]

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
