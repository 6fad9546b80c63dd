//! The rules that keep a host and its guests safe. The tests try to break each rule.
//!
//! Each test runs in its own child process, because some of them end a host that is wrong, and those that count
//! resources of the process must be alone in it. Each test runs with the kinds of hosts that it names: with both
//! allocators of wasmtime, and in an asynchronous host.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "calls of a guest take numbers of 64 bits, and the numbers fit into 32"
)]

#[cfg(target_os = "linux")]
mod areas;
#[cfg(target_os = "linux")]
mod attaching;
#[cfg(target_os = "linux")]
mod bad_blocks;
#[cfg(target_os = "linux")]
mod bad_files;
#[cfg(target_os = "linux")]
mod bad_handles;
#[cfg(target_os = "linux")]
#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod component_blocks;
#[cfg(target_os = "linux")]
mod components;
#[cfg(target_os = "linux")]
mod composed;
#[cfg(target_os = "linux")]
mod ends;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod file_systems;
#[cfg(target_os = "linux")]
mod handshake;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod never;
mod policies;
#[cfg(target_os = "linux")]
mod stores;
#[cfg(target_os = "linux")]
mod swaps;
#[cfg(target_os = "linux")]
mod syncs;
#[cfg(target_os = "linux")]
mod traps;
mod zero_copy;

#[cfg(target_os = "linux")]
fn main() {
    let tests = [
        areas::TESTS,
        attaching::TESTS,
        attaching::WITHOUT_SIGNALS,
        bad_blocks::TESTS,
        bad_blocks::SHARED_BY_THREADS,
        bad_files::TESTS,
        bad_handles::TESTS,
        component_blocks::TESTS,
        components::TESTS,
        composed::TESTS,
        ends::TESTS,
        faults::TESTS,
        file_systems::TESTS,
        handshake::TESTS,
        limits::TESTS,
        never::TESTS,
        policies::TESTS,
        stores::TESTS,
        swaps::TESTS,
        syncs::TESTS,
        traps::TESTS,
        traps::OF_OTHERS,
        zero_copy::TESTS,
    ];
    common::children::main(&tests.concat());
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("NOT RUN: the rules of the host, which are tested only on Linux");
}
