//! The harness of `portable-mmap`: WASI programs inside wasmtime, and the suite of `native-tests` run there and natively.
//!
//! - [`outcome`] is how a program ended and what it did, wherever it ran.
//! - [`sandbox`] runs a WASI program, a Preview 1 module or a Preview 2 component, with a directory, limits and captured
//!   output.
//! - [`hosts`] are other hosts of WASI, and [`served`] is how they run guests.
//! - [`mod@column`] is one way to run the suite's program: a child process, the sandbox, or another host.
//! - [`calls`] counts the host calls of a guest, by name.
//! - [`suite`] runs every case on every column, reads what the case left behind, and compares.
//! - [`compare`] does so on columns that it builds itself, emulated machines among them, and writes reports.
//! - [`mutants`] breaks a copy of the library, and demands that the comparison notices.
//! - [`crash`] kills programs while they edit a file, and looks at what it holds.
//! - [`power`] lets the power fail under a file that programs edit, and looks at what the disk holds.
//! - `mounted` mounts file systems of this process, on Linux.
//! - [`demo`] runs the crate's example programs on a real file and checks what they print and leave behind.
//! - [`consumers`] runs programs that map files through other crates, with the real memmap2 and with the façade.
//! - [`mod@bench`] runs the workloads, compares their ways, and judges their goals.
//! - [`runner`] is the cargo runner: `cargo test --target wasm32-wasip1` for any crate.
//! - [`package`] runs the tests of any crate, each alone, natively and on WASI, and compares what they did.

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
