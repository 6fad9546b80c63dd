//! Hostile guests: random programs in several stores at once. A model computes what every byte of every memory and file
//! must be, and what each call must return.
//!
//! As a test it runs a few programs with each kind of host. `-- --time SECONDS` runs other programs for that time, and
//! shortens programs that fail; `-- --seed NUMBER` runs one program again and prints its steps.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "calls of a guest take numbers of 64 bits, and the numbers fit into 32"
)]

#[cfg(target_os = "linux")]
mod batch;
#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
#[path = "../common/mod.rs"]
#[allow(unused, reason = "the tests of the rules use the rest")]
mod common;
#[cfg(target_os = "linux")]
mod model;
#[cfg(target_os = "linux")]
mod modes;
#[cfg(target_os = "linux")]
mod places;
#[cfg(target_os = "linux")]
mod runner;
#[cfg(target_os = "linux")]
mod shrink;
#[cfg(target_os = "linux")]
mod steps;

#[cfg(target_os = "linux")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [child::ROLE, ..] => child::main(&arguments[1..]),
        ["--time", seconds] => modes::for_time(seconds),
        ["--seed", seed] => modes::replay(seed),
        _ => modes::as_test(),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("NOT RUN: hostile guests, which are tested only on Linux");
}
