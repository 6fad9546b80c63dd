//! What a guest and its host say to each other about mappings that the host places in the guest's memory.
//!
//! It is for this crate and for `portable-mmap-wasmtime`, which change together: nothing of it is a stable interface.

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

/// The module of WebAssembly that the host's functions are imported from.
///
/// | function | parameters | result |
/// |---|---|---|
/// | `map` | `file: u64, offset: u64, ptr: u32, len: u32, flags: u32` | a handle; 0: unsupported; negative: an errno |
/// | `unmap` | `handle: i32` | 0 or an errno |
/// | `sync` | `handle: i32, offset: u32, len: u32, how: u32` | 0 or an errno |
/// | `advise` | `handle: i32, offset: u32, len: u32, advice: u32` | 0 or an errno |
/// | `refresh` | `handle: i32, offset: u32, len: u32` | 0 or an errno |
/// | `fault` | `handle: i32` as `i64` | see [`fault_word`]; negative: an errno |
/// | `lost` | `handle: i32, offset: u32` | 1 or 0: whether zeros stand in place of that page; negative: an errno |
///
/// A file is named by the inode that the guest is told. Offsets but `map`'s count from the start of the mapping. An errno is
/// one of WASI Preview 1, negated.
pub const MODULE: &str = "portable-mmap:host/map@0.1.0";

/// The interface of the component model that a component imports instead, in `portable-mmap-wasmtime/wit/host.wit`. Its kinds of
/// sync and advice have the numbers that are here.
pub const INTERFACE: &str = "portable-mmap:host/mapping@0.1.0";

/// Where a block of the guest starts and ends: at multiples of this many bytes, which hosts with pages of 4, 16 and 64 KiB
/// can all map over.
pub const BLOCK: usize = 64 << 10;

/// The unit in which a guest counts pages, in bytes. A host with larger ones rounds what is flushed outwards.
pub const PAGE: usize = 4096;

/// A flag of `map`: changes reach the file. Without it they stay in the guest.
pub const SHARED: u32 = 1;

/// `sync`: returns once every reader of the file sees the bytes.
pub const VISIBLE: u32 = 0;
/// `sync`: returns once the bytes are on the disk.
pub const DISK: u32 = 1;
/// `sync`: makes the pages dirty, so that the next sync writes them again after one that has failed. A guest cannot do that
/// itself: on WebAssembly without threads a store of what is there already compiles to nothing.
pub const DIRTY: u32 = 2;

/// `advise`: nothing special is expected of the range.
pub const NORMAL: u32 = 0;
/// `advise`: the range is read from its start to its end.
pub const SEQUENTIAL: u32 = 1;
/// `advise`: the range is read here and there.
pub const RANDOM: u32 = 2;
/// `advise`: the range is needed soon.
pub const WILL_NEED: u32 = 3;
/// `advise`: the range is not needed for now.
pub const DONT_NEED: u32 = 4;

/// Errnos of WASI Preview 1, not yet negated.
pub mod errno {
    /// The mode of the file, or the permissions of its directory, do not allow this mapping.
    pub const ACCES: i32 = 2;
    /// The block overlaps another mapping.
    pub const ADDRINUSE: i32 = 3;
    /// The block lies in memory that the module starts with: take another one.
    pub const ADDRNOTAVAIL: i32 = 4;
    /// The guest has no such file open, or no such mapping.
    pub const BADF: i32 = 8;
    /// The block does not lie in the guest's memory.
    pub const FAULT: i32 = 21;
    /// An address, offset, length or flag that makes no sense.
    pub const INVAL: i32 = 28;
    /// An error of the disk.
    pub const IO: i32 = 29;
    /// There are as many mappings as there may be.
    pub const MFILE: i32 = 33;
    /// It is no regular file.
    pub const NODEV: i32 = 43;
    /// There is no memory for it, or as many bytes are mapped as may be.
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

/// The errors of [`INTERFACE`] in its order, as errnos.
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

/// What `fault` returns for a fault in the page at `offset` of the mapping: the offset, and the kind in its low bits.
#[must_use]
pub fn fault_word(fault: Option<(u32, FaultKind)>) -> i64 {
    let Some((offset, kind)) = fault else { return 0 };
    let kind = match kind {
        FaultKind::Truncated => 1,
        FaultKind::Io => 2,
    };
    i64::from(offset) | kind
}

/// What [`fault_word`] was made from. `None` for an errno too.
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
