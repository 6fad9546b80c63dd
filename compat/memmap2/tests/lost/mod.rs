//! Changes that cannot be written when their mapping is dropped.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use memmap2::emulation;

/// Returns the kinds of the errors that the hook gets while `act` runs.
pub(crate) fn lost_in(act: impl FnOnce()) -> Vec<ErrorKind> {
    // One test at a time, because there is only one hook.
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock();
    let errors = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&errors);
    emulation::set_drop_hook(move |error: &io::Error| hook.lock().unwrap().push(error.kind()));
    act();
    emulation::reset_drop_hook();
    drop(turn);
    std::mem::take(&mut *errors.lock().unwrap())
}
