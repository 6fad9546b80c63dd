//! The disk of a storage in memory, which loses bytes in a failed sync.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::others::resize;

/// The bytes of a storage that are on its disk. A sync copies the bytes there that were written since the last sync. A
/// failed sync loses them, as operating systems do: they reach the disk only if they are written again and a later sync
/// succeeds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<(Vec<u8>, Vec<Unsynced>)>>);

/// A change that the next sync has to copy to the disk.
#[derive(Clone, Debug)]
pub(crate) enum Unsynced {
    Bytes(Range<usize>),
    Len(usize),
}

impl Disk {
    /// Makes a disk with these bytes.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Arc::new(Mutex::new((bytes.to_vec(), Vec::new()))))
    }

    fn state(&self) -> MutexGuard<'_, (Vec<u8>, Vec<Unsynced>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the bytes on the disk.
    pub(crate) fn content(&self) -> Vec<u8> {
        self.state().0.clone()
    }

    /// Records a change for the next sync.
    pub(crate) fn note(&self, what: Unsynced) {
        let (durable, unsynced) = &mut *self.state();
        if let Unsynced::Len(len) = what {
            // A system releases the blocks of truncated bytes at once.
            durable.iter_mut().skip(len).for_each(|byte| *byte = 0);
        }
        unsynced.push(what);
    }

    /// Syncs the recorded changes; `bytes` are the bytes of the storage.
    pub(crate) fn sync(&self, bytes: &[u8]) {
        let (durable, unsynced) = &mut *self.state();
        for what in unsynced.drain(..) {
            match what {
                Unsynced::Len(len) => resize(durable, len, 0),
                Unsynced::Bytes(range) => {
                    let end = range.end.min(bytes.len());
                    let len = durable.len().max(end);
                    resize(durable, len, 0);
                    if let Some(written) = bytes.get(range.start..end) {
                        durable[range.start..end].copy_from_slice(written);
                    }
                }
            }
        }
    }

    /// Drops the recorded changes, as a failed sync does.
    pub(crate) fn forget(&self) {
        self.state().1.clear();
    }
}
