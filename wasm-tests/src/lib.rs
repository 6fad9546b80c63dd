//! The harness of `portable-mmap`: WASI programs inside wasmtime, and the suite of `native-tests` run there and natively.
//!
//! - [`sandbox`] runs a WASI program, a Preview 1 module or a Preview 2 component, with a directory, limits and captured
//!   output.
//! - [`mod@column`] is one way to run the suite's program: a child process, or the sandbox.
//! - [`calls`] counts the host calls of a guest, by name.
//! - [`suite`] runs every case on every column, reads what the case left behind, and compares.
//! - [`demo`] runs the crate's example programs on a real file and checks what they print and leave behind.
//! - [`bench`] runs the workloads, compares their ways, and judges their goals.
//! - [`runner`] is the cargo runner: `cargo test --target wasm32-wasip1` for any crate.

pub mod bench;
pub mod calls;
pub mod case;
pub mod child;
pub mod column;
pub mod counters;
pub mod demo;
pub mod files;
mod memory;
pub mod report;
pub mod runner;
pub mod sandbox;
pub mod suite;
pub mod verdict;
