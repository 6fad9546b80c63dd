//! What this façade has beside memmap2's interface: the errors that nobody is left to hear of.
//!
//! The module is there on every target, so that a program that uses it compiles for every target. Where mappings are
//! those of the operating system the hook is never called.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

type Hook = Arc<dyn Fn(&io::Error) + Send + Sync>;

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Sets what is called when a mapping is dropped whose changes cannot be written to its file: they are lost. Without a
/// hook the error is printed to the standard error.
///
/// Its kind is [`StaleNetworkFileHandle`](io::ErrorKind::StaleNetworkFileHandle) if the file was closed while it was
/// mapped.
///
/// ```
/// memmap2::emulation::set_drop_hook(|error| panic!("changes of a mapping are lost: {error}"));
/// # memmap2::emulation::reset_drop_hook();
/// ```
pub fn set_drop_hook(hook: impl Fn(&io::Error) + Send + Sync + 'static) {
    replace(Some(Arc::new(hook)));
}

/// Takes the hook back: errors are printed again.
pub fn reset_drop_hook() {
    replace(None);
}

fn replace(hook: Option<Hook>) {
    let old = std::mem::replace(&mut *HOOK.write().unwrap_or_else(PoisonError::into_inner), hook);
    // Not under the lock: with the old hook a mapping may be dropped that it held.
    drop(old);
}

/// Tells of changes that are lost.
#[cfg(any(target_os = "wasi", memmap2_emulated))]
pub(crate) fn report(error: &io::Error) {
    // Not called under the lock: a hook may set another, or drop a mapping itself.
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    match hook {
        Some(hook) => hook(error),
        None => eprintln!("memmap2: the changes of a mapping are lost: {error}"),
    }
}
