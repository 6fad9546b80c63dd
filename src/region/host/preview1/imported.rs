//! The host's functions, imported. A host without them cannot run the program.

use crate::host::MODULE;

// The module name must equal `MODULE`. An attribute cannot take a constant.
const _: () = assert!(matches!(MODULE.as_bytes(), b"portable-mmap:host/map@0.1.0"));

#[link(wasm_import_module = "portable-mmap:host/map@0.1.0")]
unsafe extern "C" {
    pub(super) fn map(file: u64, offset: u64, start: *mut u8, len: usize, flags: u32) -> i32;
    pub(super) safe fn unmap(handle: i32) -> i32;
    pub(super) safe fn sync(handle: i32, offset: usize, len: usize, how: u32) -> i32;
    pub(super) safe fn advise(handle: i32, offset: usize, len: usize, advice: u32) -> i32;
    pub(super) fn refresh(handle: i32, offset: usize, len: usize) -> i32;
    pub(super) safe fn fault(handle: i32) -> i64;
    pub(super) safe fn lost(handle: i32, offset: usize) -> i32;
}

/// Whether the host has these functions. Always true, because the program does not run without them.
pub(super) fn is_available() -> bool {
    true
}
