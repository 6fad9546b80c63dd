//! Counts the failed syncs of a file, for all of its mappings.
//!
//! If a system cannot bring bytes of a file to the disk, it reports this once to an open file, and may drop the bytes
//! of everybody who shares the file. So each mapping has to know of the syncs that failed for the others.

use std::fs::{File, Metadata};
use std::io;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::process::Maker;

/// Two files with the same place share a count, so a failed sync of one makes the mappings of both write their bytes
/// again.
const PLACES: usize = 1024;

static FAILED: [AtomicUsize; PLACES] = [const { AtomicUsize::new(0) }; PLACES];

/// A sync holds a lock. So a caller that reads the count after a sync that succeeded sees all earlier failures.
type Locks = [Mutex<()>; PLACES];

/// The locks of one process. In a forked child, locks that other threads of the parent held are never released.
struct Process {
    maker: Maker,
    locks: Locks,
}

/// The locks of this process, or of its parent. They are never freed.
static PROCESS: AtomicPtr<Process> = AtomicPtr::new(std::ptr::null_mut());

/// The locks of this process, or `None` if there is no memory for them.
fn locks() -> Option<&'static Locks> {
    loop {
        let found = PROCESS.load(Ordering::Acquire);
        // SAFETY: they are never freed, and are changed only through the locks themselves.
        if let Some(process) = unsafe { found.as_ref() }.filter(|process| process.maker.is_current()) {
            return Some(&process.locks);
        }
        let mut new = Vec::new();
        new.try_reserve_exact(1).ok()?;
        new.push(Process { maker: Maker::current(), locks: [const { Mutex::new(()) }; PLACES] });
        let new = Box::into_raw(new.into_boxed_slice()).cast();
        if PROCESS.compare_exchange(found, new, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: a slice of one element has the layout of the element. It came from a box, and nobody else has it.
            drop(unsafe { Box::from_raw(new) });
        }
    }
}

/// The place where the failed syncs of a file are counted. It needs no memory and no cleanup.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailedSyncs(usize);

impl FailedSyncs {
    /// The place is found by device and inode, because a duplicated descriptor shares the system's report. On systems
    /// without these it is found by the address of the file.
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

    /// How many syncs have failed, of this file or of another with the same place.
    pub(crate) fn count(self) -> usize {
        FAILED[self.0].load(Ordering::Acquire)
    }

    /// Syncs the file with `call`, while no other mapping of the file syncs, and counts a failure.
    pub(crate) fn sync(self, call: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let _alone = locks().map(|locks| locks[self.0].lock().unwrap_or_else(PoisonError::into_inner));
        let synced = call();
        if synced.is_err() {
            FAILED[self.0].fetch_add(1, Ordering::Release);
        }
        synced
    }
}
