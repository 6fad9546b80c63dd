//! Guests that do whatever they like: random programs of several stores at once, beside a model that knows what every
//! byte of every memory and file must be, and what each call returns.
//!
//! As a test it plays a few programs on each kind of host. `-- --time SECONDS` plays others for so long, and makes
//! what shows a finding short; `-- --seed NUMBER` plays one again and prints its steps.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "calls of a guest take numbers of 64 bits, and what is handed over fits into 32"
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
mod places;
#[cfg(target_os = "linux")]
mod play;
#[cfg(target_os = "linux")]
mod shrink;
#[cfg(target_os = "linux")]
mod steps;
#[cfg(target_os = "linux")]
mod watch;

#[cfg(target_os = "linux")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [child::ROLE, ..] => child::main(&arguments[1..]),
        ["--time", seconds] => watch::for_time(seconds),
        ["--seed", seed] => watch::again(seed),
        _ => watch::as_test(),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("NOT RUN: hostile guests, which are tested on Linux alone");
}
