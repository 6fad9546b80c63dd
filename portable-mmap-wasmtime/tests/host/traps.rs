//! Traps instead of zeros, for mapped bytes that the file no longer has.

use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};

use portable_mmap_wasmtime::{HostMapCtxBuilder, OnFault};
use wasmtime::{Error, Instance, Module, Trap, WasmBacktrace};

use crate::common::host::read;
use crate::common::{
    AT, BLOCK, Guest, Host, HostKind, PAGE, READ, SHARED, Scene, Test, WRITE, pattern, tests, trusting,
};

pub(crate) const TESTS: &[Test] = tests![
    a_load_of_a_truncated_page_traps,
    a_store_to_a_truncated_page_traps,
    zeros_are_the_default,
    libcalls_and_the_host_read_zeros,
    a_short_copy_in_the_code_reads_zeros,
    a_trap_of_one_guest_does_not_affect_others,
    after_a_trap_the_next_guest_is_clean,
    with_another_signal_handler_accesses_read_zeros,
];

/// The other module is instantiated synchronously, and no pool has room for it.
pub(crate) const OF_OTHERS: &[Test] = tests![&[HostKind::OnDemand]; code_of_another_module_reads_zeros];

const LEN: usize = 4 * BLOCK;

fn trapping() -> HostMapCtxBuilder {
    trusting().on_fault(OnFault::Trap)
}

/// A guest that has mapped a file of four blocks and then truncated it to one page and a byte.
fn truncated(scene: &Scene, host: &Host, ctx: &HostMapCtxBuilder, flags: u32) -> (Guest, i64, File) {
    let file = scene.file("f", &pattern(LEN));
    let mut guest = host.guest(ctx);
    let fd = guest.open("f", READ | WRITE);
    let inode = guest.inode(fd);
    let handle = guest.mapped(inode, 0, AT, LEN, flags);
    guest.set_size(fd, PAGE + 1);
    (guest, handle, file)
}

fn trapping_guest(scene: &Scene, flags: u32) -> (Guest, i64, File) {
    truncated(scene, &scene.host(), &trapping(), flags)
}

/// Checks that the call ends with the trap of an access outside of memory, with its address.
#[track_caller]
fn assert_traps(guest: &mut Guest, function: &str, arguments: &[i64]) {
    let error: Error = guest.try_call(function, arguments).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds), "{error:?}");
    let callers = error.downcast_ref::<WasmBacktrace>().expect("a backtrace");
    assert_eq!(callers.frames().len(), 1);
    let address = format!("memory fault at wasm address {:#x}", arguments[0]);
    assert!(format!("{error:?}").contains(&address), "{address} is in {error:?}");
}

fn a_load_of_a_truncated_page_traps(scene: &Scene) {
    for flags in [0, SHARED] {
        let (mut guest, handle, file) = trapping_guest(scene, flags);
        guest.assert_shows(AT, &file, 0, PAGE + 1);
        for page in [7, 63, 7] {
            assert_traps(&mut guest, "load", &[(AT + page * PAGE + 5) as i64]);
            assert_eq!((guest.fault(handle), guest.lost(handle, page * PAGE)), (None, 0), "no page is replaced");
        }
        assert_eq!(guest.load(AT + 5), pattern(6)[5], "the rest of the file is mapped");
        guest.unmap(handle);
        guest.assert_zeros(AT..AT + LEN);
    }
}

fn a_store_to_a_truncated_page_traps(scene: &Scene) {
    for flags in [0, SHARED] {
        let (mut guest, handle, file) = trapping_guest(scene, flags);
        assert_traps(&mut guest, "store", &[(AT + 2 * PAGE) as i64, 77]);
        file.set_len(LEN as u64).unwrap();
        guest.assert_zeros(AT + 2 * PAGE..AT + LEN);
        assert_eq!((read(&file, 2 * PAGE, 1), guest.fault(handle)), (vec![0], None));
        guest.store(AT + 2 * PAGE, 78);
        assert_eq!(read(&file, 2 * PAGE, 1)[0] == 78, flags == SHARED);
    }
}

fn zeros_are_the_default(scene: &Scene) {
    for ctx in [trusting(), trusting().on_fault(OnFault::Zeros)] {
        let (mut guest, handle, _) = truncated(scene, &scene.host(), &ctx, SHARED);
        assert_eq!(guest.load(AT + 7 * PAGE), 0);
        guest.store(AT + 8 * PAGE, 1);
        assert!(guest.fault(handle).is_some());
    }
}

/// Each access runs in its own guest, because replaced pages would remain for the next one.
fn libcalls_and_the_host_read_zeros(scene: &Scene) {
    let truncated_page = AT + 5 * PAGE;
    let acts: [fn(&mut Guest, usize); 5] = [
        |guest, page| {
            guest.call("fill", &[page as i64, 9, BLOCK as i64]);
        },
        |guest, page| {
            guest.call("copy", &[(AT + LEN) as i64, page as i64, BLOCK as i64]);
            guest.assert_zeros(AT + LEN..AT + LEN + BLOCK);
        },
        |guest, page| {
            guest.call("copy", &[page as i64, 64, BLOCK as i64]);
        },
        |guest, page| {
            let memory = guest.memory();
            assert_eq!(memory.data(&guest.store)[page], 0);
        },
        // The host reads a file name from the truncated page, and finds no file.
        |guest, page| {
            let opened = guest.try_call("path_open", &[3, 0, page as i64, 16, 0, READ, READ, 0, 512]);
            assert!(opened.is_err() || opened.is_ok_and(|errno| errno != 0), "zeros are not a name");
        },
    ];
    for (i, act) in acts.into_iter().enumerate() {
        let (mut guest, handle, file) = trapping_guest(scene, SHARED);
        act(&mut guest, truncated_page);
        assert!(guest.fault(handle).is_some(), "access {i} has reached a truncated page");
        assert_eq!(guest.lost(handle, 60 * PAGE), 1, "access {i}");
        // Replaced pages stay zeros, for the guest's code too.
        assert_eq!(guest.load(AT + 60 * PAGE), 0);
        assert_eq!(file.metadata().unwrap().len(), (PAGE + 1) as u64);
    }
}

/// This is code of the guest whose faults are not traps in wasmtime. Faults of other instructions still trap.
fn a_short_copy_in_the_code_reads_zeros(scene: &Scene) {
    let (mut guest, handle, _) = trapping_guest(scene, SHARED);
    guest.call("copy16", &[(AT + LEN) as i64, (AT + 5 * PAGE) as i64]);
    guest.assert_zeros(AT + LEN..AT + LEN + 16);
    assert!(guest.fault(handle).is_some());
    let outside = guest.try_call("load", &[i64::from(u32::MAX)]).unwrap_err();
    assert_eq!(outside.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
}

fn a_trap_of_one_guest_does_not_affect_others(scene: &Scene) {
    let host = scene.host_for(3);
    let (mut other, other_handle, _) = truncated(scene, &host, &trusting(), SHARED);
    let file = scene.file("other", &pattern(LEN));
    let (mut guest, ..) = truncated(scene, &host, &trapping(), SHARED);
    let mut third = host.guest(&trapping());
    let inode = third.open_inode("other");
    third.mapped(inode, 0, AT, LEN, SHARED);
    assert_traps(&mut guest, "load", &[(AT + 7 * PAGE) as i64]);
    drop(guest);
    assert_eq!(other.load(AT + 7 * PAGE), 0);
    assert!(other.fault(other_handle).is_some());
    third.assert_shows(AT, &file, 0, LEN);
    file.set_len(0).unwrap();
    assert_traps(&mut third, "load", &[AT as i64]);
}

fn after_a_trap_the_next_guest_is_clean(scene: &Scene) {
    let host = scene.host();
    for _ in 0..3 {
        let (mut guest, _, file) = truncated(scene, &host, &trapping(), SHARED);
        assert_traps(&mut guest, "store", &[(AT + 7 * PAGE) as i64, 1]);
        drop(guest);
        let mut next = host.guest(&trapping());
        next.assert_zeros(AT..AT + LEN);
        next.call("fill", &[AT as i64, 66, LEN as i64]);
        assert_eq!(next.load(AT + 7 * PAGE), 66);
        assert!(read(&file, 0, PAGE) == pattern(PAGE), "the file has not changed");
    }
}

/// How many times the other handler was called.
static CALLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn other_handler(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    CALLED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: all zeros is the default action.
    let default = unsafe { std::mem::zeroed() };
    // SAFETY: Rust's own handler does this with a fault that it does not handle.
    unsafe { libc::sigaction(libc::SIGSEGV, &raw const default, std::ptr::null_mut()) };
}

/// Sets another action for SIGSEGV, and returns the one before.
fn set(action: &libc::sigaction) -> libc::sigaction {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut before = unsafe { std::mem::zeroed() };
    // SAFETY: the handler does what handlers may do, and this process has no other thread with a fault.
    assert_eq!(unsafe { libc::sigaction(libc::SIGSEGV, action, &raw mut before) }, 0);
    before
}

fn with_another_signal_handler_accesses_read_zeros(scene: &Scene) {
    let (mut guest, handle, _) = trapping_guest(scene, SHARED);
    let handler: extern "C" fn(_, _, _) = other_handler;
    // SAFETY: all zeros is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // The default action, and a handler without and with the information that a trap needs.
    for flags in [None, Some(0), Some(libc::SA_SIGINFO)] {
        action.sa_flags = flags.unwrap_or(0);
        action.sa_sigaction = flags.map_or(libc::SIG_DFL, |_| handler as usize);
        let before = set(&action);
        // A handler is called only for the last access, not for this one.
        guest.call("copy16", &[(AT + LEN) as i64, (AT + 5 * PAGE) as i64]);
        assert_eq!((CALLED.load(Ordering::Relaxed), guest.refresh(handle, 0, LEN)), (0, 0));
        assert_eq!(guest.load(AT + 7 * PAGE), 0, "{flags:?}");
        assert_eq!(guest.refresh(handle, 0, LEN), 0);
        let after = set(&before);
        assert_eq!(after.sa_sigaction, action.sa_sigaction, "the action has not changed");
    }
    assert_eq!(CALLED.load(Ordering::Relaxed), 1);
    assert_traps(&mut guest, "load", &[(AT + 7 * PAGE) as i64]);
}

fn code_of_another_module_reads_zeros(scene: &Scene) {
    let host = scene.host();
    let (mut guest, handle, _) = truncated(scene, &host, &trapping(), SHARED);
    let text = r#"(module (import "" "memory" (memory 2))
        (func (export "load") (param i32) (result i32) local.get 0 i32.load8_u))"#;
    let module = Module::new(&host.engine, text).unwrap();
    let memory = guest.memory();
    let other = Instance::new(&mut guest.store, &module, &[memory.into()]).unwrap();
    let load = other.get_typed_func::<u32, u32>(&mut guest.store, "load").unwrap();
    assert_traps(&mut guest, "load", &[(AT + 7 * PAGE) as i64]);
    assert_eq!(load.call(&mut guest.store, (AT + 7 * PAGE) as u32).unwrap(), 0);
    assert!(guest.fault(handle).is_some());
}
