//! The host's functions, imported by a component: the interface `mapping` of `portable-mmap-wasmtime/wit/host.wit`.
//!
//! They are declared here as the canonical ABI of the component model has them, and not by wit-bindgen: its functions take the
//! bytes of a list as a slice, and nobody may hold a reference to bytes that the host replaces. Here they are addresses.

use std::fs::File;
use std::io;
use std::ops::Range;

use crate::FaultKind;
use crate::host::{self, BLOCK, COMPONENT_ERRORS, errno};

/// The types of these functions, as wit-component reads them when it makes a component of the module. The host's package has a
/// test that they are those of its `host.wit`.
// The linker takes a section with the object that it lies in: that of this module's functions. The linker joins
// sections of one name, and two of these joined are none: the façade of memmap2, which has these sources too, has a
// name of its own.
#[used]
#[cfg_attr(not(feature = "facade"), unsafe(link_section = "component-type:portable-mmap:host@0.1.0"))]
#[cfg_attr(feature = "facade", unsafe(link_section = "component-type:portable-mmap:host@0.1.0 of memmap2"))]
static TYPES: [u8; include_bytes!("component-type.bin").len()] = *include_bytes!("component-type.bin");

/// What a call writes that returns `result<_, error-code>` or `result<bool, error-code>`.
#[repr(C)]
#[derive(Default)]
struct Plain {
    is_error: u8,
    /// Of the error, or the result.
    value: u8,
}

/// What `place` writes: `result<option<mapped>, error-code>`.
#[repr(C)]
#[derive(Default)]
struct Placing {
    is_error: u8,
    /// Whether there is a mapping, or the number of the error.
    value: OnFour,
    handle: u32,
}

/// A byte at a multiple of 4.
#[repr(C, align(4))]
#[derive(Default)]
struct OnFour(u8);

/// What `fault` writes: `result<option<fault>, error-code>`.
#[repr(C)]
#[derive(Default)]
struct Faulted {
    is_error: u8,
    /// Whether there is a fault, or the number of the error.
    value: OnEight,
    offset: u64,
    kind: u8,
}

/// A byte at a multiple of 8.
#[repr(C, align(8))]
#[derive(Default)]
struct OnEight(u8);

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

/// A mapping that the host has placed, which it takes back when this is dropped.
#[derive(Debug)]
pub(super) struct Placed {
    /// The component's number for it. None: it was taken back.
    handle: Option<u32>,
}

/// The error with a number of the interface.
fn error(number: u8) -> io::Error {
    io::Error::from_raw_os_error(COMPONENT_ERRORS.get(usize::from(number)).copied().unwrap_or(errno::IO))
}

/// The result of a call that writes one.
fn call(function: impl FnOnce(&mut Plain)) -> io::Result<u8> {
    let mut result = Plain::default();
    function(&mut result);
    if result.is_error == 0 { Ok(result.value) } else { Err(error(result.value)) }
}

impl Placed {
    /// Whether this host may place mappings: without its functions the component would not run.
    pub(super) fn is_possible() -> bool {
        true
    }

    /// Has a file mapped over a block. None where the host does not do that.
    ///
    /// # Safety
    /// The caller owns the block, and what is in it is not used any more.
    ///
    /// # Errors
    /// Why the host does not map this file over this block.
    // Never in another object than `TYPES`.
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
        // SAFETY: the caller owns the block. The byte at address 0 is not used: the host asks where it is.
        unsafe { host_place(inode, offset, len as u64, 0, 1, start, 1, last, 1, kind, &mut result) };
        match (result.is_error, result.value.0) {
            (0, 0) => Ok(None),
            (0, _) => Ok(Some(Self { handle: Some(result.handle) })),
            (_, number) => Err(error(number)),
        }
    }

    /// The number that calls take. A method is not called after `take_back`.
    fn handle(&self) -> io::Result<u32> {
        self.handle.ok_or_else(|| io::Error::from_raw_os_error(errno::BADF))
    }

    pub(super) fn sync(&self, range: &Range<usize>, how: u32) -> io::Result<()> {
        let handle = self.handle()?;
        call(|result| host_sync(handle, range.start as u64, range.len() as u64, how, result)).map(drop)
    }

    pub(super) fn advise(&self, range: &Range<usize>, advice: u32) {
        let Ok(handle) = self.handle() else { return };
        // A hint that the host does not take is no error.
        let _ = call(|result| host_advise(handle, range.start as u64, range.len() as u64, advice, result));
    }

    pub(super) fn refresh(&mut self, range: &Range<usize>) -> io::Result<()> {
        let handle = self.handle()?;
        call(|result| {
            // SAFETY: bytes of the mapping change, which is borrowed mutably.
            unsafe { host_refresh(handle, range.start as u64, range.len() as u64, result) }
        })
        .map(drop)
    }

    /// The page of the first fault, in bytes from the start of the mapping, and why.
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

    /// Has the host put plain memory back. It always does, or ends the process.
    pub(super) fn take_back(&mut self) -> bool {
        let Some(handle) = self.handle.take() else { return false };
        host_drop(handle);
        true
    }
}
