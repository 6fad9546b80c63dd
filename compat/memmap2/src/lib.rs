#![doc = include_str!("../README.md")]

// With the flag the emulation is compiled where files can be mapped too, to be tested there.
#[cfg(not(any(target_os = "wasi", memmap2_emulated)))]
pub use real::*;

pub mod emulation;

#[cfg(any(target_os = "wasi", memmap2_emulated))]
mod emulated;
#[cfg(any(target_os = "wasi", memmap2_emulated))]
pub use emulated::*;
