//! What this façade has beside memmap2's interface: errors that nobody is left to hear of, and a check for conflicts.
//!
//! memmap2 itself has no such module, and native programs have memmap2 itself: call what is here under
//! `#[cfg(target_os = "wasi")]`. In build scripts, which get the façade too, nothing is mapped and nothing here has an effect.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
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

static STRICT: AtomicBool = AtomicBool::new(false);

/// Makes a flush fail that would overwrite bytes which somebody else has changed in the file since the mapping read them. It
/// is off unless a program turns it on.
///
/// The error is of kind [`ResourceBusy`](io::ErrorKind::ResourceBusy). Such a flush writes nothing, and the changes stay in
/// memory. Only bytes that were changed on both sides count, and not those that both sides have given the same value. A drop
/// and `make_read_only` do the same; changes of a drop are lost then, and the [hook](set_drop_hook) hears of it.
///
/// The file is read first and written then. What somebody else writes between these two is overwritten. Where the host
/// maps the file, all see one copy of its bytes, and nothing is overwritten by a flush: there it changes nothing.
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
