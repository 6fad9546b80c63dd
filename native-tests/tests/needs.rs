//! Every case lists its needs of a platform. This test runs each case and compares the list with the calls that it
//! makes.

#![cfg(target_os = "linux")]

mod common;

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::play;
use libc::{SA_SIGINFO, SIGBUS, c_int, c_void, sigaction, siginfo_t};
use native_tests::{Need, cases};
use portable_mmap::{Mapped, MmapOptions};

/// The number of faults that the guard has handled.
static FAULTS: AtomicUsize = AtomicUsize::new(0);

/// The address of the guard's handler.
static GUARD: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    FAULTS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: `count_faults` stores the address of a handler of this type before this function is installed.
    let guard: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
        unsafe { std::mem::transmute(GUARD.load(Ordering::Relaxed)) };
    guard(signal, info, context);
}

/// Installs a handler that counts and then calls the guard's.
fn count_faults() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"guarded").unwrap();
    // SAFETY: nobody else has the file. Mapping it installs the guard's handler.
    let map = unsafe { MmapOptions::new().guard(true).map_with::<Mapped>(file) };
    assert_eq!(map.unwrap()[0], b'g');
    // SAFETY: a zeroed action is the default one.
    let mut action: sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the action can be written to.
    assert_eq!(unsafe { sigaction(SIGBUS, std::ptr::null(), &raw mut action) }, 0);
    assert!(action.sa_flags & SA_SIGINFO != 0 && action.sa_sigaction != libc::SIG_DFL, "the guard has a handler");
    GUARD.store(action.sa_sigaction, Ordering::Relaxed);
    action.sa_sigaction = count as *const () as usize;
    // SAFETY: `count` does only what a handler may do.
    assert_eq!(unsafe { sigaction(SIGBUS, &raw const action, std::ptr::null_mut()) }, 0);
}

/// Whether this process maps the file.
fn is_mapped(path: &std::path::Path) -> bool {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().any(|line| line.ends_with(path.to_str().unwrap()))
}

#[test]
fn every_case_lists_its_needs() {
    count_faults();
    let mut wrong = Vec::new();
    for case in cases::all::<Mapped>() {
        let truncates = Rc::new(Cell::new(false));
        let seen = truncates.clone();
        let before = FAULTS.load(Ordering::Relaxed);
        // The exceptions of the ledger fail here too, and are compared all the same.
        let played =
            play(&case, |scene| scene.watching_truncations(move |path| seen.set(seen.get() || is_mapped(path))));
        let faults = FAULTS.load(Ordering::Relaxed) > before;
        let mut needs = Vec::new();
        needs.extend(truncates.get().then_some(Need::Truncation));
        needs.extend(faults.then_some(Need::FaultAddress));
        if needs != case.needs {
            wrong.push(format!("{} lists {:?} and needs {needs:?} ({:?})", case.name, case.needs, played.err()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
