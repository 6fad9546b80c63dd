//! How many syncs of a file have failed, whichever mapping asked for them.
//!
//! A system reports once to an open file that it could not bring its bytes to the disk, and may have dropped those of all who
//! share the file. So each of them has to know of the syncs that failed for the others.

use std::fs::{File, Metadata};
use std::io;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::process::Maker;

/// Two files that share a place have each other's failures counted: their mappings write once more than they have to.
const PLACES: usize = 1024;

static FAILED: [AtomicUsize; PLACES] = [const { AtomicUsize::new(0) }; PLACES];

/// A sync holds a lock. So whoever looks after a sync that succeeded sees all failures before it.
type Locks = [Mutex<()>; PLACES];

/// The locks of one process. A forked child never gets back those that other threads of its parent held.
struct Process {
    maker: Maker,
    locks: Locks,
}

/// Those of this process, or of the one that it is a child of. They are never freed.
static PROCESS: AtomicPtr<Process> = AtomicPtr::new(std::ptr::null_mut());

/// The locks of this process. None without memory for them.
fn locks() -> Option<&'static Locks> {
    loop {
        let found = PROCESS.load(Ordering::Acquire);
        // SAFETY: nobody frees them, and nobody changes them but through the locks themselves.
        if let Some(process) = unsafe { found.as_ref() }.filter(|process| process.maker.is_current()) {
            return Some(&process.locks);
        }
        let mut new = Vec::new();
        new.try_reserve_exact(1).ok()?;
        new.push(Process { maker: Maker::current(), locks: [const { Mutex::new(()) }; PLACES] });
        let new = Box::into_raw(new.into_boxed_slice()).cast();
        if PROCESS.compare_exchange(found, new, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: a slice of one is laid out as the one, which came from a box and which nobody else has.
            drop(unsafe { Box::from_raw(new) });
        }
    }
}

/// Where the syncs of a file are counted. It takes no memory, and nothing has to be given back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailedSyncs(usize);

impl FailedSyncs {
    /// Found by device and inode, since a duplicated descriptor shares the report. Where the system has neither, found by
    /// the address of the file.
    #[cfg(unix)]
    pub(super) fn of(_: &Arc<File>, data: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let number = data.dev().wrapping_add(data.ino()) % PLACES as u64;
        Self(usize::try_from(number).unwrap_or_default())
    }

    /// As above.
    #[cfg(not(unix))]
    pub(super) fn of(file: &Arc<File>, _: &Metadata) -> Self {
        // A `File` in an `Arc` takes 16 to 32 bytes.
        Self(Arc::as_ptr(file).addr() / 16 % PLACES)
    }

    /// How many syncs of the file have failed, or of another that shares its place.
    pub(crate) fn count(self) -> usize {
        FAILED[self.0].load(Ordering::Acquire)
    }

    /// Syncs the file with a call, while no other mapping of it does, and counts it if it fails.
    pub(crate) fn sync(self, call: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let _alone = locks().map(|locks| locks[self.0].lock().unwrap_or_else(PoisonError::into_inner));
        let synced = call();
        if synced.is_err() {
            FAILED[self.0].fetch_add(1, Ordering::Release);
        }
        synced
    }
}
