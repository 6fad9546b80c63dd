//! The guard over OS mappings, and SIGBUS: raised by a fault or sent by a process, with handlers that are installed
//! before and after the guard's.

#![cfg(unix)]

mod guarded;

use std::os::unix::process::ExitStatusExt;
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::{io, ptr, thread};

use guarded::{DONE, end_of, guarded};
use portable_mmap::{Access, FaultKind, MmapOptions};

/// Runs a child process as `role`, and returns the signal that has ended it.
fn signal_of(test: &str, role: &str) -> Option<i32> {
    end_of(test, role).signal()
}

fn is_child(role: &str) -> bool {
    guarded::role().is_some_and(|set| set == role)
}

#[test]
fn a_fault_outside_of_guarded_mappings_still_ends_the_process() {
    let test = "a_fault_outside_of_guarded_mappings_still_ends_the_process";
    if is_child("unguarded") {
        let dir = tempfile::tempdir().unwrap();
        let (_guarded, file, _) = guarded(&dir, Access::Read);
        // SAFETY: this access is meant to end the process.
        let map = unsafe { MmapOptions::new().access(Access::Read).map(file.try_clone().unwrap()).unwrap() };
        file.set_len(0).unwrap();
        std::process::exit(i32::from(map[0]));
    }
    assert_eq!(signal_of(test, "unguarded"), Some(libc::SIGBUS));
}

#[test]
fn a_signal_that_is_sent_has_the_same_effect_as_without_a_guard() {
    let test = "a_signal_that_is_sent_has_the_same_effect_as_without_a_guard";
    for role in ["1 guarded", "2 guarded", "1 plain", "2 plain"] {
        if is_child(role) {
            let dir = tempfile::tempdir().unwrap();
            let _guarded = role.ends_with("guarded").then(|| guarded(&dir, Access::Read));
            for _ in 0..usize::from(role.as_bytes()[0] - b'0') {
                // SAFETY: the signal goes to this thread, and is delivered before the call returns.
                unsafe { libc::raise(libc::SIGBUS) };
            }
            std::process::exit(0);
        }
    }
    for count in [1, 2] {
        let guarded = signal_of(test, &format!("{count} guarded"));
        assert_eq!(guarded, signal_of(test, &format!("{count} plain")), "{count} signals");
    }
    assert_eq!(signal_of(test, "2 guarded"), Some(libc::SIGBUS));
}

/// The address of the next expected fault.
static EXPECTED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_fault(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the system, or the handler that calls this one, passes a valid structure.
    let info = unsafe { &*info };
    // SAFETY: the structure of a fault has an address.
    let address = unsafe { info.si_addr() }.addr();
    let is_right = info.si_code == libc::BUS_ADRERR && address == EXPECTED.load(Ordering::Relaxed);
    // SAFETY: ends the process, and may be called in a handler.
    unsafe { libc::_exit(if is_right { 42 } else { 1 }) };
}

extern "C" fn on_signal(signal: libc::c_int) {
    // SAFETY: as above.
    unsafe { libc::_exit(if signal == libc::SIGBUS { 43 } else { 1 }) };
}

/// Sets the program's own handler of SIGBUS.
fn set_handler(handler: usize, flags: libc::c_int) {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (handler, flags);
    // SAFETY: the handlers above do only what a handler may do.
    assert_eq!(unsafe { libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) }, 0);
}

/// A handler that the program installed before the guard gets all faults outside of guarded mappings, with the complete
/// information of the system. It may be of either kind. A program that ignores the signal is ended by a fault, as
/// without a guard, and survives a signal that is sent.
#[test]
fn other_faults_go_to_the_handler_installed_before() {
    let test = "other_faults_go_to_the_handler_installed_before";
    let roles = ["with information", "plain", "ignored", "default", "ignored, sent"];
    if let Some(role) = roles.into_iter().find(|role| is_child(role)) {
        match role {
            "with information" => set_handler(on_fault as *const () as usize, libc::SA_SIGINFO),
            "plain" => set_handler(on_signal as *const () as usize, 0),
            "default" => set_handler(libc::SIG_DFL, 0),
            _ => set_handler(libc::SIG_IGN, 0),
        }
        let dir = tempfile::tempdir().unwrap();
        let (guarded, file, page) = guarded(&dir, Access::Read);
        // SAFETY: this access is meant to end the process.
        let map = unsafe { MmapOptions::new().access(Access::Read).map(file.try_clone().unwrap()).unwrap() };
        file.set_len(0).unwrap();
        assert_eq!(guarded[3 * page], 0, "a fault in a guarded mapping");
        if role == "ignored, sent" {
            // SAFETY: the signal goes to this thread, and is delivered before the call returns.
            unsafe { libc::raise(libc::SIGBUS) };
            std::process::exit(DONE);
        }
        EXPECTED.store(map.as_ptr().addr() + 2 * page, Ordering::Relaxed);
        std::process::exit(i32::from(map[2 * page]));
    }
    assert_eq!(end_of(test, "with information").code(), Some(42));
    assert_eq!(end_of(test, "plain").code(), Some(43));
    assert_eq!(end_of(test, "ignored").signal(), Some(libc::SIGBUS));
    assert_eq!(end_of(test, "default").signal(), Some(libc::SIGBUS));
    assert_eq!(end_of(test, "ignored, sent").code(), Some(DONE));
}

/// The number of calls of the program's own handler.
static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn sets_the_default(signal: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: a handler may call `sigaction`.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

extern "C" fn sets_itself(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
    set_handler(sets_itself as *const () as usize, 0);
}

extern "C" fn counts(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// Sends SIGBUS to a new thread, which stays alive until the signal is delivered.
fn send_to_a_thread() {
    let (sent, told) = mpsc::channel();
    let receiver = thread::spawn(move || {
        told.recv().unwrap();
        // A signal is delivered at the latest when a system call returns.
        thread::yield_now();
    });
    // SAFETY: the thread is alive: it waits for the message.
    assert_eq!(unsafe { libc::pthread_kill(receiver.as_pthread_t(), libc::SIGBUS) }, 0);
    sent.send(()).unwrap();
    receiver.join().unwrap();
}

/// A way to send a signal: its name, the program's own handler with its flags, and the number of calls of that handler
/// for two signals, if the process survives them.
type Sending = (&'static str, Option<(extern "C" fn(libc::c_int), libc::c_int)>, Option<usize>);

const WAYS: [Sending; 6] = [
    ("raised", None, None),
    ("sent to a thread", None, None),
    ("raised, the handler sets the default", Some((sets_the_default, 0)), None),
    ("raised, the handler sets itself", Some((sets_itself, libc::SA_RESETHAND)), Some(2)),
    ("raised, the handler is for one signal", Some((counts, libc::SA_RESETHAND)), None),
    ("sent to a thread, the handler stays", Some((counts, 0)), Some(2)),
];

/// After each signal that is sent, the guard still handles faults, and the process ends as it does without a guard.
#[test]
fn the_guard_works_after_a_signal_was_sent() {
    let test = "the_guard_works_after_a_signal_was_sent";
    let Some(role) = guarded::role() else {
        for (way, _, survived) in WAYS {
            assert_eq!(end_of(test, &format!("1 guarded {way}")).code(), Some(DONE), "{way}, once");
            let twice = ["guarded", "plain"].map(|guard| end_of(test, &format!("2 {guard} {way}")));
            assert_eq!(twice[0], twice[1], "{way}, twice");
            match survived {
                Some(_) => assert_eq!(twice[0].code(), Some(DONE), "{way}"),
                None => assert_eq!(twice[0].signal(), Some(libc::SIGBUS), "{way}"),
            }
        }
        return;
    };
    let (_, handler, survived) = *WAYS.iter().find(|(way, ..)| role.ends_with(way)).unwrap();
    if let Some((handler, flags)) = handler {
        set_handler(handler as *const () as usize, flags);
    }
    let (dir, count) = (tempfile::tempdir().unwrap(), usize::from(role.as_bytes()[0] - b'0'));
    let guarded = role.contains("guarded").then(|| guarded(&dir, Access::Read));
    for round in 1..=count {
        if role.contains("raised") {
            // SAFETY: the signal goes to this thread, and is delivered before the call returns.
            unsafe { libc::raise(libc::SIGBUS) };
        } else {
            send_to_a_thread();
        }
        if let Some((map, file, page)) = &guarded {
            file.set_len((10 - round) as u64 * *page as u64).unwrap();
            assert_eq!(map[(10 - round) * page], 0, "a fault after signal {round}");
            assert_eq!(map.fault().map(|fault| fault.kind), Some(FaultKind::Truncated));
        }
    }
    if let Some(handled) = survived.filter(|_| count == 2) {
        assert_eq!(HANDLED.load(Ordering::Relaxed), handled);
    }
    std::process::exit(DONE);
}

/// The handler is called for one fault. The access is then tried again, and its second fault ends the process.
#[test]
fn a_handler_for_one_signal_is_called_for_one_fault() {
    let test = "a_handler_for_one_signal_is_called_for_one_fault";
    if is_child("one") {
        // SAFETY: ends the process, so that the faults do not repeat forever.
        unsafe { libc::alarm(10) };
        set_handler(counts as *const () as usize, libc::SA_RESETHAND);
        let dir = tempfile::tempdir().unwrap();
        let (_guarded, file, _) = guarded(&dir, Access::Read);
        // SAFETY: this access is meant to end the process.
        let map = unsafe { MmapOptions::new().access(Access::Read).map(file.try_clone().unwrap()).unwrap() };
        file.set_len(0).unwrap();
        std::process::exit(i32::from(map[0]));
    }
    assert_eq!(signal_of(test, "one"), Some(libc::SIGBUS));
}

#[test]
fn a_fault_leaves_errno_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (map, file, page) = guarded(&dir, Access::Read);
    file.set_len(0).unwrap();
    // SAFETY: the number is not an open file.
    assert_eq!(unsafe { libc::close(-1) }, -1);
    let byte = map[3 * page];
    let errno = io::Error::last_os_error().raw_os_error();
    assert_eq!((byte, errno), (0, Some(libc::EBADF)));
    assert!(map.fault().is_some());
}

/// A limit that [`MmapOptions::guard`] documents: the kernel calls no handler for a fault in a thread that blocks the
/// signal.
#[test]
fn a_fault_in_a_thread_that_blocks_the_signal_ends_the_process() {
    let test = "a_fault_in_a_thread_that_blocks_the_signal_ends_the_process";
    for role in ["blocked", "not blocked"] {
        if is_child(role) {
            let dir = tempfile::tempdir().unwrap();
            let (map, file, page) = guarded(&dir, Access::Read);
            file.set_len(0).unwrap();
            // SAFETY: all zeros is a valid set of signals.
            let mut signals: libc::sigset_t = unsafe { std::mem::zeroed() };
            // SAFETY: the set is a local variable.
            unsafe { libc::sigaddset(&raw mut signals, if role == "blocked" { libc::SIGBUS } else { libc::SIGUSR1 }) };
            // SAFETY: affects only this thread.
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, ptr::null_mut()) };
            std::process::exit(if map[3 * page] == 0 { DONE } else { 1 });
        }
    }
    assert_eq!(signal_of(test, "blocked"), Some(libc::SIGBUS));
    assert_eq!(end_of(test, "not blocked").code(), Some(DONE));
}

/// The handler that was installed before [`passes_on`].
static BEFORE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn passes_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
    let before = BEFORE.load(Ordering::Relaxed);
    // SAFETY: this is the guard's handler, which takes these arguments.
    let before: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
        unsafe { std::mem::transmute(before) };
    before(signal, info, context);
}

#[test]
fn a_later_handler_that_passes_on_keeps_the_guard_working() {
    let test = "a_later_handler_that_passes_on_keeps_the_guard_working";
    if is_child("passes on") {
        let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (first, first_file, page) = guarded(&dirs[0], Access::Read);
        // SAFETY: all zeros is a valid `sigaction`.
        let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: reads the action and changes nothing.
        assert_eq!(unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut before) }, 0);
        assert_ne!(before.sa_flags & libc::SA_SIGINFO, 0);
        BEFORE.store(before.sa_sigaction, Ordering::Relaxed);
        set_handler(passes_on as *const () as usize, libc::SA_SIGINFO | libc::SA_ONSTACK);
        let (second, second_file, _) = guarded(&dirs[1], Access::Read);
        first_file.set_len(page as u64).unwrap();
        second_file.set_len(page as u64).unwrap();
        assert_eq!((first[page], HANDLED.load(Ordering::Relaxed)), (0, 1));
        assert_eq!((second[2 * page], HANDLED.load(Ordering::Relaxed)), (0, 2));
        // SAFETY: the signal goes to this thread, and is delivered before the call returns.
        unsafe { libc::raise(libc::SIGBUS) };
        second_file.set_len(0).unwrap();
        assert_eq!((second[0], HANDLED.load(Ordering::Relaxed)), (0, 4), "after a signal that was sent");
        let offsets = [&first, &second].map(|map| map.fault().map(|fault| fault.offset));
        assert_eq!(offsets, [Some(page as u64), Some(2 * page as u64)]);
        std::process::exit(DONE);
    }
    assert_eq!(end_of(test, "passes on").code(), Some(DONE));
}
