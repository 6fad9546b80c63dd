//! The host's functions, imported by a component: the interface `mapping` of `portable-mmap-wasmtime/wit/host.wit`.
//!
//! They are declared here in the form of the component model's canonical ABI, and not by wit-bindgen. Functions of
//! wit-bindgen take the bytes of a list as a slice, and nobody may hold a reference to bytes that the host replaces.
//! The functions here take addresses.

use std::fs::File;
use std::io;
use std::ops::Range;

use crate::FaultKind;
use crate::host::{self, BLOCK, COMPONENT_ERRORS, errno};

/// The types of these functions, which wit-component reads when it makes a component from the module. The host's
/// package has a test that they match its `host.wit`.
// The linker keeps a section if it keeps its object file, which also holds the functions of this module. It joins
// sections with the same name, and two of these sections joined are not valid. So the façade of memmap2, which contains
// these sources too, uses another name.
#[used]
#[cfg_attr(not(feature = "facade"), unsafe(link_section = "component-type:portable-mmap:host@0.1.0"))]
#[cfg_attr(feature = "facade", unsafe(link_section = "component-type:portable-mmap:host@0.1.0 of memmap2"))]
static TYPES: [u8; include_bytes!("component-type.bin").len()] = *include_bytes!("component-type.bin");

/// The result that a call writes for `result<_, error-code>` or `result<bool, error-code>`.
#[repr(C)]
#[derive(Default)]
struct Plain {
    is_error: u8,
    /// The number of the error, or the result.
    value: u8,
}

/// The result of `place`: `result<option<mapped>, error-code>`.
#[repr(C)]
#[derive(Default)]
struct Placing {
    is_error: u8,
    /// Whether there is a mapping, or the number of the error.
    value: AlignedTo4,
    handle: u32,
}

/// A byte at a multiple of 4.
#[repr(C, align(4))]
#[derive(Default)]
struct AlignedTo4(u8);

/// The result of `fault`: `result<option<fault>, error-code>`.
#[repr(C)]
#[derive(Default)]
struct Faulted {
    is_error: u8,
    /// Whether there is a fault, or the number of the error.
    value: AlignedTo8,
    offset: u64,
    kind: u8,
}

/// A byte at a multiple of 8.
#[repr(C, align(8))]
#[derive(Default)]
struct AlignedTo8(u8);

#[link(wasm_import_module = "portable-mmap:host/mapping@0.1.0")]
unsafe extern "C" {
    #[link_name = "place"]
    fn host_place(
        file: u64,
        offset: u64,
        len: u64,
        origin: usize,
        origin_len: usize,
        first: *mut u8,
        first_len: usize,
        last: *mut u8,
        last_len: usize,
        kind: u32,
        result: &mut Placing,
    );
    #[link_name = "[resource-drop]mapped"]
    safe fn host_drop(handle: u32);
    #[link_name = "[method]mapped.sync"]
    safe fn host_sync(handle: u32, offset: u64, len: u64, how: u32, result: &mut Plain);
    #[link_name = "[method]mapped.advise"]
    safe fn host_advise(handle: u32, offset: u64, len: u64, advice: u32, result: &mut Plain);
    #[link_name = "[method]mapped.refresh"]
    fn host_refresh(handle: u32, offset: u64, len: u64, result: &mut Plain);
    #[link_name = "[method]mapped.fault"]
    safe fn host_fault(handle: u32, result: &mut Faulted);
    #[link_name = "[method]mapped.lost"]
    safe fn host_lost(handle: u32, offset: u64, result: &mut Plain);
}

/// A mapping that the host has placed. `unmap` ends it.
#[derive(Debug)]
pub(super) struct Placed {
    /// The handle, or `None` once the mapping has ended.
    handle: Option<u32>,
}

/// The error for an error number of the interface.
fn error(number: u8) -> io::Error {
    io::Error::from_raw_os_error(COMPONENT_ERRORS.get(usize::from(number)).copied().unwrap_or(errno::IO))
}

/// Makes a call and returns the result that it writes.
fn call(function: impl FnOnce(&mut Plain)) -> io::Result<u8> {
    let mut result = Plain::default();
    function(&mut result);
    if result.is_error == 0 { Ok(result.value) } else { Err(error(result.value)) }
}

impl Placed {
    /// Whether this host may place mappings. Always true, because the component does not run without the host's
    /// functions.
    pub(super) fn is_possible() -> bool {
        true
    }

    /// Asks the host to map a file over a block. Returns `None` if the host does not place mappings.
    ///
    /// # Safety
    /// The caller owns the block, and its contents are no longer used.
    ///
    /// # Errors
    /// The host's reason not to map this file over this block.
    // Not inlined, so that it stays in the same object file as `TYPES`.
    #[inline(never)]
    pub(super) unsafe fn map(
        file: &File,
        offset: u64,
        start: *mut u8,
        len: usize,
        flags: u32,
    ) -> io::Result<Option<Self>> {
        let inode = rustix::fs::fstat(file)?.st_ino;
        let last = start.wrapping_add(len.next_multiple_of(BLOCK) - 1);
        let kind = u32::from(flags == host::SHARED);
        let mut result = Placing::default();
        // SAFETY: the caller owns the block. The host takes only the address of the byte at 0, and does not access it.
        unsafe { host_place(inode, offset, len as u64, 0, 1, start, 1, last, 1, kind, &mut result) };
        match (result.is_error, result.value.0) {
            (0, 0) => Ok(None),
            (0, _) => Ok(Some(Self { handle: Some(result.handle) })),
            (_, number) => Err(error(number)),
        }
    }

    /// The handle for calls. No method is called after `unmap`.
    fn handle(&self) -> io::Result<u32> {
        self.handle.ok_or_else(|| io::Error::from_raw_os_error(errno::BADF))
    }

    pub(super) fn sync(&self, range: &Range<usize>, how: u32) -> io::Result<()> {
        let handle = self.handle()?;
        call(|result| host_sync(handle, range.start as u64, range.len() as u64, how, result)).map(drop)
    }

    pub(super) fn advise(&self, range: &Range<usize>, advice: u32) {
        let Ok(handle) = self.handle() else { return };
        // It is not an error if the host does not support a hint.
        let _ = call(|result| host_advise(handle, range.start as u64, range.len() as u64, advice, result));
    }

    pub(super) fn refresh(&mut self, range: &Range<usize>) -> io::Result<()> {
        let handle = self.handle()?;
        call(|result| {
            // SAFETY: bytes of the mapping change, and it is borrowed mutably.
            unsafe { host_refresh(handle, range.start as u64, range.len() as u64, result) }
        })
        .map(drop)
    }

    /// The offset of the page with the first fault, in bytes from the start of the mapping, and the kind of fault.
    pub(super) fn fault(&self) -> Option<(usize, FaultKind)> {
        let mut result = Faulted::default();
        host_fault(self.handle().ok()?, &mut result);
        if (result.is_error, result.value.0) != (0, 1) {
            return None;
        }
        let kind = if result.kind == 0 { FaultKind::Truncated } else { FaultKind::Io };
        Some((usize::try_from(result.offset).ok()?, kind))
    }

    pub(super) fn is_lost(&self, offset: usize) -> bool {
        self.handle()
            .is_ok_and(|handle| call(|result| host_lost(handle, offset as u64, result)).is_ok_and(|lost| lost == 1))
    }

    /// Ends the mapping: the host restores plain memory. If it cannot, it ends the process.
    pub(super) fn unmap(&mut self) -> bool {
        let Some(handle) = self.handle.take() else { return false };
        host_drop(handle);
        true
    }
}
