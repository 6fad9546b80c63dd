//! The instructions of a guest whose faults are traps in wasmtime.

use std::ops::Range;
use std::slice;

use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSection as _};
use portable_mmap::host::Traps;
use wasmtime::{AsContext, Module, WasmBacktrace};
use wasmtime_environ::lookup_trap_code;
use wasmtime_environ::obj::ELF_WASMTIME_TRAPS;

/// What happens on an access to a mapped byte that the file no longer has, or that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnFault {
    /// The access reads zeros, and the guest can query where that happened.
    #[default]
    Zeros,
    /// The access ends the guest with a trap: the call returns the error
    /// [`Trap::MemoryOutOfBounds`](wasmtime::Trap::MemoryOutOfBounds).
    ///
    /// Only loads and stores of the module that requested the mapping, or of its component, trap. All other accesses
    /// read zeros: those of host code, WASI, `memory.fill` and `memory.copy`, other modules that use the same memory,
    /// and code that an interpreter runs. A page that was replaced with zeros for one of these stays zeros, for loads
    /// and stores too.
    ///
    /// It requires Linux on x86-64 or on 64-bit Arm. On other systems it is the same as [`Zeros`](Self::Zeros). It is
    /// also the same if another part of the process has installed a handler for `SIGSEGV` that does not call
    /// wasmtime's.
    Trap,
}

/// The instructions of the guest that calls the host, if their faults have to trap.
pub(crate) fn of_caller(on_fault: OnFault, store: impl AsContext) -> Option<Traps> {
    if on_fault == OnFault::Zeros {
        return None;
    }
    let callers = WasmBacktrace::force_capture(store);
    of_module(callers.frames().first()?.module().clone())
}

/// The instructions of a module, or of the component that it belongs to.
///
/// wasmtime's handler for SIGSEGV searches this same list for the instruction. If it does not find the instruction, it
/// calls the handler that was installed before it, usually Rust's, which ends the process. Short copies in a guest's
/// code are not in the list, so it is not enough that an instruction lies in the guest's code.
fn of_module(module: Module) -> Option<Traps> {
    let list = list(image(&module))?;
    Some(Traps::new(move |address| {
        let offset = address.checked_sub(module.text().as_ptr().addr());
        let list = image(&module).get(list.clone());
        offset.zip(list).is_some_and(|(offset, list)| lookup_trap_code(list, offset).is_some())
    }))
}

/// The compiled module.
fn image(module: &Module) -> &[u8] {
    let image = module.image_range();
    // SAFETY: the image lies there as long as the module lives, and does not change.
    unsafe { slice::from_raw_parts(image.start, image.end.addr() - image.start.addr()) }
}

/// The position of the list in a compiled module. If a release of wasmtime has no list, nothing traps.
fn list(image: &[u8]) -> Option<Range<usize>> {
    let (start, len) = ElfFile64::<Endianness>::parse(image).ok()?.section_by_name(ELF_WASMTIME_TRAPS)?.file_range()?;
    let start = usize::try_from(start).ok()?;
    Some(start..start.checked_add(usize::try_from(len).ok()?)?)
}
