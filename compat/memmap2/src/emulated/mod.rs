//! memmap2's interface over the emulation of `portable-mmap`.

mod advice;
mod buffer;
mod descriptor;
mod if_safe;
mod live;
mod mappings;
mod options;

pub use advice::{Advice, UncheckedAdvice};
pub use descriptor::{MmapAsRawDesc, MmapRawDescriptor};
pub use if_safe::MapIfSafeError;
pub use mappings::{Mmap, MmapMut, MmapRaw, RemapOptions};
pub use options::MmapOptions;
