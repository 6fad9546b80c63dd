//! Which instructions of a guest wasmtime makes a trap of.

use std::ops::Range;
use std::slice;

use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSection as _};
use portable_mmap::host::Traps;
use wasmtime::{AsContext, Module, WasmBacktrace};
use wasmtime_environ::lookup_trap_code;
use wasmtime_environ::obj::ELF_WASMTIME_TRAPS;

/// What a touch of a mapped byte does that the file no longer has, or that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnFault {
    /// It reads zeros, and the guest can ask where that happened.
    #[default]
    Zeros,
    /// It ends the guest with a trap: the call returns an error, [`Trap::MemoryOutOfBounds`](wasmtime::Trap::MemoryOutOfBounds).
    ///
    /// The loads and stores do so of the module that has asked for the mapping, or of its component. All else reads zeros:
    /// host code, WASI, `memory.fill` and `memory.copy`, other modules that use the same memory, and code that an interpreter
    /// runs. Zeros that were put there for one of these stay zeros, for loads and stores too.
    ///
    /// It needs Linux on x86-64 or on 64-bit Arm. Elsewhere it means [`Zeros`](Self::Zeros). It also does where somebody else
    /// has installed a handler for `SIGSEGV` that does not call wasmtime's.
    Trap,
}

/// The instructions of the guest that calls the host now, if it is to trap.
pub(crate) fn of_caller(on_fault: OnFault, store: impl AsContext) -> Option<Traps> {
    if on_fault == OnFault::Zeros {
        return None;
    }
    let callers = WasmBacktrace::force_capture(store);
    of_module(callers.frames().first()?.module().clone())
}

/// The instructions of a module, or of the component that it belongs to.
///
/// wasmtime's handler for SIGSEGV looks an instruction up in this very list. What it does not find there, it hands to the
/// handler before it, which is Rust's as a rule: that one has no other use for a signal than to end the process. Short copies
/// in a guest's code are such instructions, so being in its code is not enough.
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
    // SAFETY: it lies there as long as the module lives, and nobody changes it.
    unsafe { slice::from_raw_parts(image.start, image.end.addr() - image.start.addr()) }
}

/// Where the list is in a compiled module. A release of wasmtime that has none has no traps.
fn list(image: &[u8]) -> Option<Range<usize>> {
    let (start, len) = ElfFile64::<Endianness>::parse(image).ok()?.section_by_name(ELF_WASMTIME_TRAPS)?.file_range()?;
    let start = usize::try_from(start).ok()?;
    Some(start..start.checked_add(usize::try_from(len).ok()?)?)
}
