//! A fault that ends a guest of WebAssembly with a trap.
//!
//! An engine makes a trap of a SIGSEGV in its compiled code: its handler knows the instructions that may trap, and goes on where
//! the call of the guest returns an error. It does the same with a SIGBUS that is handed to it, but whatever it does not
//! know ends in its own way. So it is given only what is known to be one of these instructions.

use std::{mem, ptr};

/// The address of the instruction that a signal has interrupted, where this crate knows how to read it.
pub(super) fn instruction(context: *const libc::c_void) -> Option<usize> {
    cfg_if::cfg_if! {
        if #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))] {
            // SAFETY: the system hands a handler with `SA_SIGINFO` a valid structure.
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

/// Hands a fault to the handler for SIGSEGV. False if there is none, or if it has not gone on elsewhere: then everything is as
/// before.
///
/// It is for a signal handler.
pub(super) fn hand_on(info: *mut libc::siginfo_t, context: *mut libc::c_void) -> bool {
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
    // A handler that does not know what to do may have set another action, to die at the next fault.
    // SAFETY: the action that was set before.
    unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) };
    false
}
