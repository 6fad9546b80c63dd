//! How many syncs of a file have failed, whichever mapping asked for them.
//!
//! A system reports once to an open file that it could not bring its bytes to the disk, and may have dropped those of all who
//! share the file. So each of them has to know of the syncs that failed for the others.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A place for files. Two files that share one have each other's failures counted: their mappings write once more than they
/// have to.
#[derive(Debug)]
struct Place {
    /// Held during a sync: after one that succeeded, whoever looks has all failures before it.
    syncing: Mutex<()>,
    failed: AtomicUsize,
}

/// Found by the address of the file, so that it takes no memory, and none has to be given back.
static PLACES: [Place; 256] = [const { Place { syncing: Mutex::new(()), failed: AtomicUsize::new(0) } }; 256];

fn place_of(file: &Arc<File>) -> &'static Place {
    // A `File` in an `Arc` takes 16 to 32 bytes.
    &PLACES[Arc::as_ptr(file).addr() / 16 % PLACES.len()]
}

/// How many syncs of the file have failed, or of another that shares its place.
pub(super) fn of(file: &Arc<File>) -> usize {
    place_of(file).failed.load(Ordering::Acquire)
}

/// Syncs the file with a call, while no other mapping of it does.
pub(super) fn sync(file: &Arc<File>, call: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let place = place_of(file);
    let _alone = place.syncing.lock().unwrap_or_else(PoisonError::into_inner);
    let synced = call();
    if synced.is_err() {
        place.failed.fetch_add(1, Ordering::Release);
    }
    synced
}
