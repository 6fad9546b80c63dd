//! The disk below a memory: what a failed sync loses.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::others::resize;

/// What of a memory is on the disk: a sync brings there what was written since the last one. One that fails forgets it, as
/// systems do: it is on the disk only if it is written again, and a later sync succeeds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<(Vec<u8>, Vec<Unsynced>)>>);

/// What the next sync is to bring to the disk.
#[derive(Clone, Debug)]
pub(crate) enum Unsynced {
    Bytes(Range<usize>),
    Len(usize),
}

impl Disk {
    /// A disk with these bytes on it.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Arc::new(Mutex::new((bytes.to_vec(), Vec::new()))))
    }

    fn state(&self) -> MutexGuard<'_, (Vec<u8>, Vec<Unsynced>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the bytes that are on it.
    pub(crate) fn content(&self) -> Vec<u8> {
        self.state().0.clone()
    }

    /// Notes what is to come to it.
    pub(crate) fn note(&self, what: Unsynced) {
        let (durable, unsynced) = &mut *self.state();
        if let Unsynced::Len(len) = what {
            // A system gives the room of what is cut off away at once.
            durable.iter_mut().skip(len).for_each(|byte| *byte = 0);
        }
        unsynced.push(what);
    }

    /// What a sync does that succeeds; `bytes` are the memory's own.
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

    /// What a failed sync does.
    pub(crate) fn forget(&self) {
        self.state().1.clear();
    }
}
