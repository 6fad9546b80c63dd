//! memmap2's interface over the emulation of `portable-mmap`, or over mappings of a guest's host.

mod advice;
mod if_safe;
mod mappings;
mod options;

// With the flag the emulation is compiled where files can be mapped too, to be tested there.
#[cfg(any(target_os = "wasi", memmap2_emulated))]
mod buffer;
#[cfg(any(target_os = "wasi", memmap2_emulated))]
mod descriptor;
// Only on Preview 1 can a crate define `close`. With the second flag, libc's own is left alone.
#[cfg(any(target_os = "wasi", memmap2_emulated))]
#[cfg_attr(not(all(target_os = "wasi", target_env = "p1", not(memmap2_libc_close))), path = "not_held.rs")]
mod held;
// A component has the host's functions only if it is told that they are there.
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
