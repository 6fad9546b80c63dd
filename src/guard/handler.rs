//! The handler for SIGBUS. It maps zeros over pages that a mapped file no longer has.
//!
//! Everything that the handler does is async-signal-safe. It reads atomics and tables that are not freed while it runs,
//! and calls `fstat`, `ioctl`, `mmap` and `sigaction`. It takes no lock, allocates nothing, and restores `errno`. A
//! guard costs nothing until a fault. A fault outside of all guarded mappings, and any other SIGBUS, is passed to the
//! handler that was installed before. Without one it has its default effect. Afterwards this handler is installed
//! again.
//!
//! The maintained crates for signals are of no use here, because they call the old handler first. The old handler is
//! Rust's own, which removes all handlers of SIGBUS so that the next fault kills the process.

use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, mem, ptr};

use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous};

use super::FaultKind;
use super::lost::Lost;
use super::registry::Registry;
use super::trap;
use crate::error::Operation;
use crate::host::Traps;
use crate::plan::Plan;
use crate::storage::{FileKind, OsFile, device_len};
use crate::{Error, Result};

/// Every guarded mapping, by its addresses.
static GUARDED: Registry<Guarded> = Registry::new();

/// The data of a guarded mapping that the handler uses.
#[derive(Debug)]
struct Guarded {
    start: usize,
    /// The unit of memory that can be replaced, in bytes: a page, or a huge page.
    page: usize,
    prot: ProtFlags,
    /// The kind of the file.
    kind: FileKind,
    /// The file's descriptor, open as long as the mapping is.
    fd: RawFd,
    offset: u64,
    /// The maximum number of pieces in which pages that cannot be read are replaced. With one more, all pages are
    /// replaced. There is a limit because each piece takes one of the memory areas that a process may have.
    most_pieces: usize,
    traps: Option<Traps>,
    lost: Lost,
}

/// The description of a mapping, for a guard.
#[derive(Clone, Debug)]
pub(crate) struct Watched<'f> {
    pub(crate) start: *mut u8,
    /// The length in bytes.
    pub(crate) len: usize,
    /// The unit of memory that can be replaced, in bytes.
    pub(crate) page: usize,
    pub(crate) prot: ProtFlags,
    pub(crate) kind: FileKind,
    pub(crate) file: &'f File,
    /// The offset of the first byte, in bytes from the start of the file.
    pub(crate) offset: u64,
    pub(crate) most_pieces: usize,
    /// A fault of one of these instructions becomes a trap, and no page is replaced.
    pub(crate) traps: Option<Traps>,
}

/// Guards one mapping of a file.
#[derive(Debug)]
pub(crate) struct Guard {
    guarded: Arc<Guarded>,
}

impl Guarded {
    /// Replaces the pages that cannot be read at `address` with zeros. Returns false if the system returns an error.
    fn replace(&self, address: usize) -> bool {
        let page = (address - self.start) / self.page;
        // SAFETY: the mapping keeps the file open, and a thread is accessing the mapping.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        let size = match self.kind {
            FileKind::BlockDevice => device_len(fd).unwrap_or(u64::MAX),
            FileKind::Special => u64::MAX,
            _ => rustix::fs::fstat(fd).ok().and_then(|stat| u64::try_from(stat.st_size).ok()).unwrap_or(0),
        };
        let behind = self.lost.behind(size.saturating_sub(self.offset), self.page);
        let (kind, gone) = if behind.contains(&page) {
            (FaultKind::Truncated, behind)
        } else if self.lost.has_pieces(self.most_pieces) {
            (FaultKind::Io, self.lost.behind(0, self.page))
        } else {
            (FaultKind::Io, page..page + 1)
        };
        self.lost.note(&(page..page + 1), kind);
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | NORESERVE;
        self.lost.lose(&gone, |run| {
            let start = ptr::without_provenance_mut(self.start + run.start * self.page);
            // SAFETY: whole pages of our own mapping that lie past the end of its file or cannot be read, so no access
            // to them succeeds.
            unsafe { mmap_anonymous(start, run.len() * self.page, self.prot, flags) }.is_ok()
        })
    }
}

/// Zeros that are never written to need no memory.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const NORESERVE: MapFlags = MapFlags::NORESERVE;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const NORESERVE: MapFlags = MapFlags::empty();

impl Guard {
    /// Guards the mapping at `start`, which was made by the plan and has pages of `page` bytes.
    pub(crate) fn new(start: *mut u8, page: usize, file: &OsFile, plan: &Plan) -> Result<Self> {
        let mut prot = ProtFlags::READ;
        prot.set(ProtFlags::WRITE, plan.access.is_writable());
        Self::watch(Watched {
            start,
            len: plan.span.len(),
            page,
            prot,
            kind: plan.kind,
            file: file.get(),
            offset: plan.span.offset(),
            most_pieces: usize::MAX,
            traps: None,
        })
    }

    /// Guards a mapping. Its file must stay open as long as the guard exists.
    pub(crate) fn watch(watched: Watched<'_>) -> Result<Self> {
        install_handler()?;
        let Watched { start, len, page, prot, kind, file, offset, most_pieces, traps } = watched;
        let pages = len.div_ceil(page);
        let guarded = Arc::new(Guarded {
            start: start.addr(),
            page,
            prot,
            kind,
            fd: file.as_raw_fd(),
            offset,
            most_pieces,
            traps,
            lost: Lost::new(pages)?,
        });
        GUARDED.insert(guarded.start..guarded.start + pages * page, guarded.clone())?;
        Ok(Self { guarded })
    }

    /// The size of the pages that are replaced, in bytes.
    pub(crate) fn page(&self) -> usize {
        self.guarded.page
    }

    /// The page of the first fault that was not cleared.
    #[inline]
    pub(crate) fn fault(&self) -> Option<(usize, FaultKind)> {
        self.guarded.lost.fault()
    }

    /// Whether a page was replaced with zeros.
    pub(crate) fn is_lost(&self, page: usize) -> bool {
        self.guarded.lost.contains(page)
    }

    /// Guards only the first `len` bytes from now on. No fault may be noted. The bytes after them may be unmapped
    /// afterwards.
    pub(crate) fn shorten(&mut self, len: usize) {
        let guarded = &*self.guarded;
        let pages = len.div_ceil(guarded.page);
        guarded.lost.shorten(pages);
        GUARDED.shorten(guarded.start, guarded.start + pages * guarded.page);
    }

    /// Clears the faults in `pages`, and maps the file again over pages that were replaced.
    pub(crate) fn refresh(&mut self, pages: Range<usize>, file: &OsFile, plan: &Plan) -> Result<()> {
        let prot = self.guarded.prot | if plan.executable { ProtFlags::EXEC } else { ProtFlags::empty() };
        let flags = if plan.private { MapFlags::PRIVATE } else { MapFlags::SHARED };
        self.map_again(&pages, file.get(), prot, flags)
    }

    /// Clears the faults in `pages`, and maps the file again over pages that were replaced. If other pages are still
    /// lost and form too many pieces, their faults are cleared too.
    pub(crate) fn map_again(
        &mut self,
        pages: &Range<usize>,
        file: &File,
        prot: ProtFlags,
        flags: MapFlags,
    ) -> Result<()> {
        let guarded = &*self.guarded;
        let mut map_run = |run: Range<usize>| {
            let (start, len) = (run.start * guarded.page, run.len() * guarded.page);
            let offset = guarded.offset + start as u64;
            let address = ptr::without_provenance_mut(guarded.start + start);
            // SAFETY: whole pages of our own mapping, which is borrowed mutably.
            let mapped = unsafe { mmap(address, len, prot, flags | MapFlags::FIXED, file, offset) };
            mapped.map(drop).map_err(|e| Error::io(Operation::Map, offset, len as u64, e))
        };
        guarded.lost.refresh(pages, &mut map_run)?;
        if guarded.lost.has_pieces(guarded.most_pieces) {
            guarded.lost.refresh(&guarded.lost.behind(0, guarded.page), map_run)?;
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Removed before the memory is unmapped, so that the next mapping at these addresses is not found here.
        GUARDED.remove(self.guarded.start);
    }
}

/// The handler and the flags that were set before ours. Any SIGBUS that is not ours is passed to this handler.
static OLD_HANDLER: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
static OLD_FLAGS: AtomicI32 = AtomicI32::new(0);

/// The action for SIGBUS that is set now.
fn action_now() -> io::Result<libc::sigaction> {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: asks for the action and changes nothing.
    check(unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut action) })?;
    Ok(action)
}

fn set_action(action: &libc::sigaction) -> io::Result<()> {
    // SAFETY: an action that was set before, the default one, or our own, whose handler does what handlers may do.
    check(unsafe { libc::sigaction(libc::SIGBUS, action, ptr::null_mut()) })
}

fn check(done: libc::c_int) -> io::Result<()> {
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn keep_as_old(action: &libc::sigaction) {
    OLD_FLAGS.store(action.sa_flags, Ordering::Release);
    OLD_HANDLER.store(action.sa_sigaction, Ordering::Release);
}

/// Installs the handler, once.
fn install_handler() -> Result<()> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if *installed {
        return Ok(());
    }
    let install = || {
        keep_as_old(&action_now()?);
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_sigbus;
        // SAFETY: all zeros is a valid `sigaction`.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_sigaction = handler as usize;
        // Runs on the alternate stack if a thread has one, as Rust's threads do.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        set_action(&action)
    };
    install().map_err(|e| Error::io(Operation::Guard, 0, 0, e))?;
    *installed = true;
    Ok(())
}

extern "C" fn on_sigbus(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let errno = errno::errno();
    // SAFETY: the system passes a valid structure to a handler with `SA_SIGINFO`.
    let code = unsafe { (*info).si_code };
    let is_replaced = code == libc::BUS_ADRERR && {
        // SAFETY: as above.
        let fault = unsafe { &*info };
        // SAFETY: this code comes with an address.
        let address = unsafe { fault.si_addr() }.addr();
        becomes_a_trap(address, info, context)
            || GUARDED.find(address, |guarded| guarded.replace(address)) == Some(true)
    };
    if !is_replaced {
        call_old_handler(signal, info, context);
    }
    errno::set_errno(errno);
}

/// Turns a fault into a trap, if the mapping has this instruction among its traps. The other handler is called after
/// the lookup, because nothing can be freed during a lookup.
fn becomes_a_trap(address: usize, info: *mut libc::siginfo_t, context: *mut libc::c_void) -> bool {
    let Some(instruction) = trap::instruction(context) else { return false };
    let traps = |guarded: &Guarded| guarded.traps.as_ref().is_some_and(|traps| traps.has(instruction));
    GUARDED.find(address, traps) == Some(true) && trap::forward_to_engine(info, context)
}

/// Does what would have happened without our handler. An old handler may set another action: Rust's own sets the
/// default action for a signal that is sent, and returns. That action becomes the old handler, and ours stays
/// installed.
fn call_old_handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: as in `on_sigbus`. A positive code is the kernel's, of a fault; others are sent by `kill` and the like.
    let is_fault = unsafe { (*info).si_code } > 0;
    match OLD_HANDLER.load(Ordering::Acquire) {
        libc::SIG_IGN if !is_fault => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // The access is repeated when this handler returns, and kills the process as it would have without our
            // handler. A signal that was sent must be raised again.
            // SAFETY: all zeros is a valid `sigaction`: the default one.
            let default: libc::sigaction = unsafe { mem::zeroed() };
            let _ = set_action(&default);
            if !is_fault {
                // SAFETY: a handler may raise a signal.
                unsafe { libc::raise(signal) };
            }
        }
        handler => {
            let (before, flags) = (action_now(), OLD_FLAGS.load(Ordering::Acquire));
            if flags & libc::SA_RESETHAND != 0 {
                // The old handler is for one signal only.
                OLD_HANDLER.store(libc::SIG_DFL, Ordering::Release);
            }
            if flags & libc::SA_SIGINFO != 0 {
                // SAFETY: installed with `SA_SIGINFO`, so a function of this type.
                let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                    unsafe { mem::transmute(handler) };
                handler(signal, info, context);
            } else {
                // SAFETY: installed without `SA_SIGINFO`, so a function of this type.
                let handler: extern "C" fn(libc::c_int) = unsafe { mem::transmute(handler) };
                handler(signal);
            }
            if let (Ok(before), Ok(after)) = (before, action_now()) {
                if before.sa_sigaction != after.sa_sigaction {
                    keep_as_old(&after);
                    let _ = set_action(&before);
                }
            }
        }
    }
}
