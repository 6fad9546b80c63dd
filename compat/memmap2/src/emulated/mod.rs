//! memmap2's interface over the emulation of `portable-mmap`, or over hosted mappings.

mod advice;
mod if_safe;
mod mappings;
mod options;

// With the flag `memmap2_emulated` the emulation is compiled on native targets too, to be tested there.
#[cfg(any(target_os = "wasi", memmap2_emulated))]
mod buffer;
#[cfg(any(target_os = "wasi", memmap2_emulated))]
mod descriptor;
// A crate can define `close` only on Preview 1. With the flag `memmap2_libc_close` libc's own is used.
#[cfg(any(target_os = "wasi", memmap2_emulated))]
#[cfg_attr(not(all(target_os = "wasi", target_env = "p1", not(memmap2_libc_close))), path = "not_held.rs")]
mod held;
// A component imports the host's functions only with the flag `memmap2_host_mapping`.
#[cfg(any(target_os = "wasi", memmap2_emulated))]
#[cfg_attr(not(all(target_os = "wasi", any(target_env = "p1", memmap2_host_mapping))), path = "not_hosted.rs")]
mod hosted;
#[cfg(any(target_os = "wasi", memmap2_emulated))]
mod live;

#[cfg(not(any(target_os = "wasi", memmap2_emulated)))]
mod absent;
#[cfg(not(any(target_os = "wasi", memmap2_emulated)))]
use {absent as buffer, absent as descriptor, absent as live};

pub use advice::{Advice, UncheckedAdvice};
pub use descriptor::{MmapAsRawDesc, MmapRawDescriptor};
pub use if_safe::MapIfSafeError;
pub use mappings::{Mmap, MmapMut, MmapRaw, RemapOptions};
pub use options::MmapOptions;
