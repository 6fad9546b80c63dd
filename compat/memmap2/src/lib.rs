#![doc = include_str!("../README.md")]

mod emulated;
pub mod emulation;

pub use emulated::*;
