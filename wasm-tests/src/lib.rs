//! The harness of `portable-mmap`: runs WASI programs in wasmtime, and runs the suite of `native-tests` there and
//! natively.
//!
//! - [`outcome`] describes how a program ended and what it did, in any host.
//! - [`sandbox`] runs a WASI program, a Preview 1 module or a Preview 2 component, with a directory, limits and
//!   captured output.
//! - [`hosts`] are other hosts of WASI, and [`served`] runs guests in them.
//! - [`mod@column`] is one way to run the suite's program: a child process, the sandbox, or another host.
//! - [`calls`] counts the host calls of a guest, by name.
//! - [`suite`] runs every case on every column, reads the files that the case left, and compares.
//! - [`compare`] does this on columns that it builds itself, including emulated machines, and writes reports.
//! - [`mutants`] breaks a copy of the library, and requires that the comparison fails.
//! - [`crash`] kills programs while they edit a file, and checks what it contains.
//! - [`power`] simulates power failures under a file that programs edit, and checks what the disk contains.
//! - `mounted` mounts file systems of this process, on Linux.
//! - [`demo`] runs the crate's example programs on a real file and checks what they print and leave behind.
//! - [`consumers`] runs programs that map files through other crates, with the real memmap2 and with the façade.
//! - [`mod@bench`] runs the workloads and jobs, compares the ways to do them, and checks their goals.
//! - [`placed`] measures hosted mappings beside OS mappings and the emulation.
//! - [`runner`] is the cargo runner: `cargo test --target wasm32-wasip1` for any crate.
//! - [`package`] runs the tests of any crate, each alone, natively and on WASI, and compares their results.

pub mod bench;
pub mod calls;
pub mod case;
pub mod child;
pub mod column;
pub mod compare;
pub mod consumers;
pub mod counters;
pub mod crash;
pub mod demo;
pub mod files;
pub mod hosts;
mod memory;
#[cfg(target_os = "linux")]
pub mod mounted;
pub mod mutants;
pub mod outcome;
pub mod package;
pub mod placed;
pub mod power;
pub mod report;
pub mod runner;
pub mod sandbox;
pub mod served;
pub mod suite;
mod terminal;
pub mod verdict;
