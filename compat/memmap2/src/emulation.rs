//! Additions of this façade to memmap2's interface: a hook for the errors of a drop, and a check for conflicts.
//!
//! memmap2 has no such module, and native programs use memmap2: call these functions under
//! `#[cfg(target_os = "wasi")]`. Build scripts get the façade too; they cannot map, and these functions have no effect
//! there.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

type Hook = Arc<dyn Fn(&io::Error) + Send + Sync>;

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Sets a function that is called when a mapping is dropped and its changes cannot be written to the file, so they are
/// lost. Without a hook the error is printed to the standard error.
///
/// The kind of the error is [`StaleNetworkFileHandle`](io::ErrorKind::StaleNetworkFileHandle) if the file was closed
/// while it was mapped.
///
/// ```
/// memmap2::emulation::set_drop_hook(|error| panic!("changes of a mapping are lost: {error}"));
/// # memmap2::emulation::reset_drop_hook();
/// ```
pub fn set_drop_hook(hook: impl Fn(&io::Error) + Send + Sync + 'static) {
    replace(Some(Arc::new(hook)));
}

/// Removes the hook: errors are printed again.
pub fn reset_drop_hook() {
    replace(None);
}

static STRICT: AtomicBool = AtomicBool::new(false);

/// In strict mode a flush fails if it would overwrite bytes that somebody else has changed in the file since the
/// mapping read them. It is off by default.
///
/// The error is of kind [`ResourceBusy`](io::ErrorKind::ResourceBusy). Such a flush writes nothing, and the changes
/// stay in memory. A conflict is a byte that was changed on both sides, to different values. A drop and
/// `make_read_only` check this too; if a drop fails the changes are lost, and the [hook](set_drop_hook) is called.
///
/// A flush reads the file and then writes it. Bytes that somebody else writes between these two steps are overwritten.
/// If the host maps the file, a flush overwrites nothing, and strict mode has no effect.
///
/// ```
/// memmap2::emulation::set_strict(true);
/// # memmap2::emulation::set_strict(false);
/// ```
pub fn set_strict(strict: bool) {
    STRICT.store(strict, Ordering::Relaxed);
}

#[cfg(any(target_os = "wasi", memmap2_emulated))]
pub(crate) fn is_strict() -> bool {
    STRICT.load(Ordering::Relaxed)
}

fn replace(hook: Option<Hook>) {
    let old = std::mem::replace(&mut *HOOK.write().unwrap_or_else(PoisonError::into_inner), hook);
    // Not under the lock: dropping the old hook may drop a mapping that it owns.
    drop(old);
}

/// Reports that changes are lost.
#[cfg(any(target_os = "wasi", memmap2_emulated))]
pub(crate) fn report(error: &io::Error) {
    // Not called under the lock: a hook may set another, or drop a mapping itself.
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    match hook {
        Some(hook) => hook(error),
        None => eprintln!("memmap2: the changes of a mapping are lost: {error}"),
    }
}
