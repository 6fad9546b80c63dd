//! The interface between a guest and its host for mappings that the host places in the guest's memory.
//!
//! Only this crate and `portable-mmap-wasmtime` use it. They change together, so it is not a stable interface.

cfg_if::cfg_if! {
    if #[cfg(all(unix, not(any(miri, all(loom, test)))))] {
        mod guard;
        pub use guard::Guard;
    }
}

pub mod request;
mod traps;

pub use traps::Traps;

use crate::FaultKind;

/// The WebAssembly module from which a guest imports the host's functions.
///
/// | function | parameters | result |
/// |---|---|---|
/// | `map` | `file: u64, offset: u64, ptr: u32, len: u32, flags: u32` | a handle; 0: unsupported; negative: an errno |
/// | `unmap` | `handle: i32` | 0 or an errno |
/// | `sync` | `handle: i32, offset: u32, len: u32, how: u32` | 0 or an errno |
/// | `advise` | `handle: i32, offset: u32, len: u32, advice: u32` | 0 or an errno |
/// | `refresh` | `handle: i32, offset: u32, len: u32` | 0 or an errno |
/// | `fault` | `handle: i32` as `i64` | see [`fault_word`]; negative: an errno |
/// | `lost` | `handle: i32, offset: u32` | 1 or 0: whether that page was replaced with zeros; negative: an errno |
///
/// A file is identified by the inode that the guest sees. Offsets count from the start of the mapping, except in `map`.
/// An errno is a negated errno of WASI Preview 1.
pub const MODULE: &str = "portable-mmap:host/map@0.1.0";

/// The interface that a component imports instead, from `portable-mmap-wasmtime/wit/host.wit`. Its kinds of sync and
/// advice have the same numbers as here.
pub const INTERFACE: &str = "portable-mmap:host/mapping@0.1.0";

/// The alignment of a block of the guest, in bytes. Blocks start and end at multiples of it, so hosts with pages of 4,
/// 16 and 64 KiB can map over them.
pub const BLOCK: usize = 64 << 10;

/// The page size of a guest, in bytes. A host with larger pages extends the range of a flush to whole pages.
pub const PAGE: usize = 4096;

/// A flag of `map`: changes reach the file. Without it they stay in the guest.
pub const SHARED: u32 = 1;

/// `sync`: returns once every reader of the file sees the bytes.
pub const VISIBLE: u32 = 0;
/// `sync`: returns once the bytes are on the disk.
pub const DISK: u32 = 1;
/// `sync`: makes the pages dirty, so that the next sync writes them again after a failed one. A guest cannot do that
/// itself, because on WebAssembly without threads the compiler removes a store of the same value.
pub const DIRTY: u32 = 2;

/// `advise`: the range has no special use.
pub const NORMAL: u32 = 0;
/// `advise`: the range is read from its start to its end.
pub const SEQUENTIAL: u32 = 1;
/// `advise`: the range is read in random order.
pub const RANDOM: u32 = 2;
/// `advise`: the range is needed soon.
pub const WILL_NEED: u32 = 3;
/// `advise`: the range is not needed for now.
pub const DONT_NEED: u32 = 4;

/// Errnos of WASI Preview 1, not negated.
pub mod errno {
    /// The mode of the file, or the permissions of its directory, do not allow this mapping.
    pub const ACCES: i32 = 2;
    /// The block overlaps another mapping.
    pub const ADDRINUSE: i32 = 3;
    /// The block lies in memory that the module starts with. The guest should try another one.
    pub const ADDRNOTAVAIL: i32 = 4;
    /// The guest has no such file open, or no such mapping.
    pub const BADF: i32 = 8;
    /// The block does not lie in the guest's memory.
    pub const FAULT: i32 = 21;
    /// An address, offset, length or flag is invalid.
    pub const INVAL: i32 = 28;
    /// An error of the disk.
    pub const IO: i32 = 29;
    /// The limit on the number of mappings is reached.
    pub const MFILE: i32 = 33;
    /// The file is not a regular file.
    pub const NODEV: i32 = 43;
    /// There is no memory, or the limit on mapped bytes is reached.
    pub const NOMEM: i32 = 48;
    /// The disk is full.
    pub const NOSPC: i32 = 51;
    /// This memory or this file cannot be mapped.
    pub const NOTSUP: i32 = 58;
    /// The file ends before the mapping.
    pub const NXIO: i32 = 60;
    /// The policy does not allow this mapping.
    pub const PERM: i32 = 63;
}

/// The errors of [`INTERFACE`], in the same order, as errnos.
pub const COMPONENT_ERRORS: [i32; 14] = [
    errno::ACCES,
    errno::ADDRINUSE,
    errno::ADDRNOTAVAIL,
    errno::BADF,
    errno::FAULT,
    errno::INVAL,
    errno::IO,
    errno::MFILE,
    errno::NODEV,
    errno::NOMEM,
    errno::NOSPC,
    errno::NOTSUP,
    errno::NXIO,
    errno::PERM,
];

/// The result of `fault` for a fault in the page at `offset` of the mapping. It contains the offset, with the kind in
/// the low bits.
#[must_use]
pub fn fault_word(fault: Option<(u32, FaultKind)>) -> i64 {
    let Some((offset, kind)) = fault else { return 0 };
    let kind = match kind {
        FaultKind::Truncated => 1,
        FaultKind::Io => 2,
    };
    i64::from(offset) | kind
}

/// The inverse of [`fault_word`]. Returns `None` for an errno too.
#[must_use]
pub fn read_fault_word(word: i64) -> Option<(u32, FaultKind)> {
    let word = u64::try_from(word).ok().filter(|&word| word != 0)?;
    let kind = if word & 3 == 1 { FaultKind::Truncated } else { FaultKind::Io };
    Some((u32::try_from(word & !3).ok()?, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_as_it_was_written() {
        for fault in
            [None, Some((0, FaultKind::Truncated)), Some((4096, FaultKind::Io)), Some((0xffff_f000, FaultKind::Io))]
        {
            assert_eq!(read_fault_word(fault_word(fault)), fault);
        }
        assert_eq!(read_fault_word(-8), None);
    }
}
