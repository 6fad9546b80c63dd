//! The guard: a handler for SIGBUS that puts a page of zeros where a mapped file has no byte any more.
//!
//! Everything that the handler does is async-signal-safe: it reads atomics, and calls `mmap` and `fstat`. It takes no
//! lock and no memory: each guarded mapping has a node in a list that only grows, whose nodes are used again. It costs
//! nothing until a fault. A fault outside of all guarded mappings, and a SIGBUS of any other kind, go to whatever handler
//! stood before, or have the effect that they had without one.
//!
//! No kept crate fits: those for signals call the old handler first, and Rust's own, which stands there already, then
//! takes all handlers of SIGBUS away to die at the next fault.

use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{io, mem, ptr};

use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous};

use crate::backend::storage::{OsFile, Storage};
use crate::backend::{Fault, FaultKind};
use crate::plan::Plan;
use crate::{Error, Result};

/// Watches over one mapping of a file.
#[derive(Debug)]
pub(super) struct Guard {
    node: &'static Node,
    /// The pages that were replaced by zeros, a bit each. The node points here: so no `Box`, which would be the only way
    /// to its words when it moves, and no `&mut` to them.
    replaced: Vec<AtomicU64>,
    start: *mut u8,
    page: usize,
}

// SAFETY: `start` is only compared and handed to the system; the node is made of atomics.
unsafe impl Send for Guard {}
// SAFETY: as for `Send`.
unsafe impl Sync for Guard {}

/// What the handler knows of a guarded mapping. `version` is odd while the other fields change.
#[derive(Debug)]
struct Node {
    next: AtomicPtr<Node>,
    taken: AtomicBool,
    version: AtomicUsize,
    start: AtomicUsize,
    end: AtomicUsize,
    page: AtomicUsize,
    writable: AtomicBool,
    /// The file's descriptor, open as long as the mapping is.
    fd: AtomicI32,
    offset: AtomicU64,
    replaced: AtomicPtr<AtomicU64>,
    /// The first page that faulted, counted from 1; 0 if none has.
    first: AtomicUsize,
    /// Whether the file still reached that far.
    first_in_file: AtomicBool,
}

static NODES: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());

impl Node {
    /// A node that nobody else uses.
    fn take() -> &'static Self {
        for node in nodes() {
            if !node.taken.swap(true, Ordering::AcqRel) {
                return node;
            }
        }
        let node: &'static mut Self = Box::leak(Box::new(Self {
            next: AtomicPtr::new(ptr::null_mut()),
            taken: AtomicBool::new(true),
            version: AtomicUsize::new(0),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            page: AtomicUsize::new(1),
            writable: AtomicBool::new(false),
            fd: AtomicI32::new(-1),
            offset: AtomicU64::new(0),
            replaced: AtomicPtr::new(ptr::null_mut()),
            first: AtomicUsize::new(0),
            first_in_file: AtomicBool::new(false),
        }));
        let mut head = NODES.load(Ordering::Acquire);
        loop {
            *node.next.get_mut() = head;
            match NODES.compare_exchange_weak(head, node, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return node,
                Err(newer) => head = newer,
            }
        }
    }

    /// Changes the fields while the handler looks away.
    fn change(&self, change: impl FnOnce(&Self)) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        change(self);
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// Whether `address` lies in this mapping. It can only be in one that its own thread is touching, whose node
    /// therefore does not change meanwhile; the version keeps others from being mistaken for it.
    fn covers(&self, address: usize) -> bool {
        let version = self.version.load(Ordering::Acquire);
        let covered = (self.start.load(Ordering::Relaxed)..self.end.load(Ordering::Relaxed)).contains(&address);
        fence(Ordering::Acquire);
        covered && version % 2 == 0 && self.version.load(Ordering::Relaxed) == version
    }

    /// Puts zeros in place of the page at `address`. False if that is refused.
    fn replace_page(&self, address: usize) -> bool {
        let page = self.page.load(Ordering::Relaxed);
        let index = (address - self.start.load(Ordering::Relaxed)) / page;
        // SAFETY: the mapping keeps the file open, and its own thread is touching it.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd.load(Ordering::Relaxed)) };
        let size = rustix::fs::fstat(fd).map_or(0, |stat| stat.st_size);
        let mut prot = ProtFlags::READ;
        prot.set(ProtFlags::WRITE, self.writable.load(Ordering::Relaxed));
        let start = ptr::without_provenance_mut(address - address % page);
        // Noted before the bytes are there: who sees zeros sees the fault too.
        let word = self.replaced.load(Ordering::Relaxed).wrapping_add(index / 64);
        // SAFETY: a guarded mapping's bits cover its pages and live as long as the mapping.
        let word = unsafe { &*word };
        word.fetch_or(1 << (index % 64), Ordering::Relaxed);
        let in_file = u64::try_from(size).unwrap_or(0) > self.offset.load(Ordering::Relaxed) + (index * page) as u64;
        if self.first.load(Ordering::Acquire) == 0 {
            self.first_in_file.store(in_file, Ordering::Relaxed);
            // Of two threads that fault at once the first one counts, and both kinds are the same file's.
            let _ = self.first.compare_exchange(0, index + 1, Ordering::AcqRel, Ordering::Relaxed);
        }
        // SAFETY: a whole page of our own mapping, which no access can use as it is.
        unsafe { mmap_anonymous(start, page, prot, MapFlags::PRIVATE | MapFlags::FIXED) }.is_ok()
    }
}

fn nodes() -> impl Iterator<Item = &'static Node> {
    let node = |pointer: *mut Node| {
        // SAFETY: nodes are leaked, and only atomics in them change once they are in the list.
        unsafe { pointer.as_ref() }
    };
    std::iter::successors(node(NODES.load(Ordering::Acquire)), move |last| node(last.next.load(Ordering::Acquire)))
}

impl Guard {
    /// Watches over the mapping at `start`, which the plan made.
    pub(super) fn new(start: *mut u8, source: &OsFile, plan: &Plan) -> Result<Self> {
        install_handler()?;
        let (len, page) = (plan.span.len(), rustix::param::page_size());
        let fd = source.file().ok_or(Error::Closed)?.as_raw_fd();
        let words = len.div_ceil(page).div_ceil(64);
        let mut replaced = Vec::new();
        replaced.try_reserve_exact(words).map_err(|_| Error::NoMemory { len: words as u64 * 8 })?;
        replaced.resize_with(words, AtomicU64::default);
        let node = Node::take();
        node.change(|node| {
            node.start.store(start.addr(), Ordering::Relaxed);
            node.end.store(start.addr() + len.next_multiple_of(page), Ordering::Relaxed);
            node.page.store(page, Ordering::Relaxed);
            node.writable.store(plan.access.is_writable(), Ordering::Relaxed);
            node.fd.store(fd, Ordering::Relaxed);
            node.offset.store(plan.span.offset(), Ordering::Relaxed);
            node.replaced.store(replaced.as_mut_ptr(), Ordering::Relaxed);
            node.first.store(0, Ordering::Relaxed);
        });
        Ok(Self { node, replaced, start, page })
    }

    /// The first fault since the mapping was made or refreshed as a whole.
    pub(super) fn fault(&self) -> Option<Fault> {
        let first = self.node.first.load(Ordering::Acquire).checked_sub(1)?;
        let offset = self.node.offset.load(Ordering::Relaxed) + (first * self.page) as u64;
        let in_file = self.node.first_in_file.load(Ordering::Relaxed);
        Some(Fault { offset, kind: if in_file { FaultKind::Io } else { FaultKind::Shortened } })
    }

    /// Maps the file again wherever zeros stand in its place in `pages`, and forgets the fault if none do any more.
    pub(super) fn map_again(&mut self, pages: Range<usize>, source: &OsFile, plan: &Plan) -> Result<()> {
        let file = source.file().ok_or(Error::Closed)?;
        let mut prot = ProtFlags::READ;
        prot.set(ProtFlags::WRITE, plan.access.is_writable());
        prot.set(ProtFlags::EXEC, plan.executable);
        let flags = MapFlags::FIXED | if plan.private { MapFlags::PRIVATE } else { MapFlags::SHARED };
        for page in pages {
            let (word, bit) = (&self.replaced[page / 64], 1 << (page % 64));
            if word.load(Ordering::Relaxed) & bit == 0 {
                continue;
            }
            let start = page * self.page;
            let offset = plan.span.file_offset(start);
            // SAFETY: a whole page of our own mapping, which is borrowed mutably.
            let mapped = unsafe { mmap(self.start.wrapping_add(start).cast(), self.page, prot, flags, file, offset) };
            mapped.map_err(|e| Error::io("map", offset, self.page as u64, e.into()))?;
            word.fetch_and(!bit, Ordering::Relaxed);
        }
        if self.replaced.iter().all(|word| word.load(Ordering::Relaxed) == 0) {
            self.node.first.store(0, Ordering::Release);
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.node.change(|node| {
            node.start.store(0, Ordering::Relaxed);
            node.end.store(0, Ordering::Relaxed);
        });
        self.node.taken.store(false, Ordering::Release);
    }
}

/// What stood before our handler. Set once, before the handler is.
static OLD: OnceLock<libc::sigaction> = OnceLock::new();

/// Installs the handler, once.
fn install_handler() -> Result<()> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if *installed {
        return Ok(());
    }
    // SAFETY: all zeros is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: asks for the action and changes nothing.
    check(unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut action) })?;
    OLD.get_or_init(|| action);
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_sigbus;
    // SAFETY: as above.
    action = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as usize;
    // On the alternate stack where a thread has one, as Rust's threads do.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler does what handlers may do: see the top of this file.
    check(unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) })?;
    *installed = true;
    Ok(())
}

fn check(done: libc::c_int) -> Result<()> {
    if done == 0 { Ok(()) } else { Err(Error::io("install a handler for SIGBUS", 0, 0, io::Error::last_os_error())) }
}

extern "C" fn on_sigbus(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system hands a handler with `SA_SIGINFO` a valid structure.
    let code = unsafe { (*info).si_code };
    if code == libc::BUS_ADRERR {
        // SAFETY: as above.
        let info = unsafe { &*info };
        // SAFETY: this code comes with an address.
        let address = unsafe { info.si_addr() }.addr();
        if nodes().find(|node| node.covers(address)).is_some_and(|node| node.replace_page(address)) {
            return;
        }
    }
    pass_on(signal, info, context);
}

/// What would have happened without our handler.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(old) = OLD.get() else { return };
    // SAFETY: as in `on_sigbus`. A positive code is the kernel's, of a fault; others are sent by `kill` and the like.
    let is_fault = unsafe { (*info).si_code } > 0;
    match old.sa_sigaction {
        libc::SIG_IGN if !is_fault => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // The access is tried again when this handler returns, and ends the process as it would have; what was sent
            // has to be sent again.
            // SAFETY: all zeros is a valid `sigaction`: the default one.
            let default: libc::sigaction = unsafe { mem::zeroed() };
            // SAFETY: takes our handler away.
            unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
            if !is_fault {
                // SAFETY: a handler may raise a signal.
                unsafe { libc::raise(signal) };
            }
        }
        handler if old.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: installed with `SA_SIGINFO`, so a function of this type.
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: installed without `SA_SIGINFO`, so a function of this type.
            let handler: extern "C" fn(libc::c_int) = unsafe { mem::transmute(handler) };
            handler(signal);
        }
    }
}
