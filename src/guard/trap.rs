//! Turns a fault into a trap of a WebAssembly guest.
//!
//! An engine turns a SIGSEGV in its compiled code into a trap: its handler knows the instructions that may trap, and
//! continues where the call of the guest returns an error. It does the same for a SIGBUS that it gets. What it does for
//! other instructions is up to the engine, so it gets only faults of instructions that are known to trap.

use std::{mem, ptr};

/// The address of the instruction that a signal has interrupted, or `None` on systems for which this crate cannot read
/// it.
pub(super) fn instruction(context: *const libc::c_void) -> Option<usize> {
    cfg_if::cfg_if! {
        if #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))] {
            // SAFETY: the system passes a valid structure to a handler with `SA_SIGINFO`.
            let machine = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
            #[cfg(target_arch = "x86_64")]
            let address = usize::try_from(machine.gregs[libc::REG_RIP as usize]);
            #[cfg(target_arch = "aarch64")]
            let address = usize::try_from(machine.pc);
            address.ok()
        } else {
            let _ = context;
            None
        }
    }
}

/// Passes a fault to the handler for SIGSEGV. Returns false if there is no handler, or if the handler does not change
/// the address at which the program continues. Everything is then as before.
///
/// A signal handler may call it.
pub(super) fn forward_to_engine(info: *mut libc::siginfo_t, context: *mut libc::c_void) -> bool {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: asks for the action and changes nothing.
    let asked = unsafe { libc::sigaction(libc::SIGSEGV, ptr::null(), &raw mut action) };
    let is_function = !matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN);
    if asked != 0 || !is_function || action.sa_flags & libc::SA_SIGINFO == 0 {
        return false;
    }
    // SAFETY: installed with `SA_SIGINFO`, so a function of this type.
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
        unsafe { mem::transmute(action.sa_sigaction) };
    let before = instruction(context);
    handler(libc::SIGSEGV, info, context);
    if instruction(context) != before {
        return true;
    }
    // A handler that does not know the instruction may have set another action, so that the next fault kills the
    // process.
    // SAFETY: the action that was set before.
    unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) };
    false
}
