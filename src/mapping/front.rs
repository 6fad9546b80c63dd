//! The bytes at the start of a mapping that can be read at once.

use std::ops::Range;
use std::ptr::NonNull;

use crate::backend::Backend;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// Where the bytes of a mapping are, and how many of them, from the first on, are ready: loaded, and without a guard.
///
/// The backend knows this too, behind the questions whether the mapping is open and which backend it has. A loop over
/// `m[i]` asks each time, since another thread may load bytes between two turns, so what it asks is one comparison.
///
/// More bytes become ready while the mapping is shared, and [`renew`](Self::renew) notices that. Only calls that borrow the
/// mapping mutably can make fewer bytes ready: before such a call, the door calls [`forget`](Self::forget).
#[derive(Debug)]
pub(super) struct Front {
    start: NonNull<u8>,
    len: AtomicUsize,
}

// SAFETY: it is a copy of an address that the backend has, and backends may be sent.
unsafe impl Send for Front {}
// SAFETY: as for `Send`; the length is an atomic.
unsafe impl Sync for Front {}

impl Default for Front {
    fn default() -> Self {
        Self { start: NonNull::dangling(), len: AtomicUsize::new(0) }
    }
}

impl Front {
    /// What is ready of a backend.
    pub(super) fn of(backend: &impl Backend) -> Self {
        let ready = backend.ready();
        Self { start: ready.cast(), len: AtomicUsize::new(ready.len()) }
    }

    /// Notices what has become ready while the backend was shared.
    #[inline]
    pub(super) fn renew(&self, backend: &impl Backend) {
        let ready = backend.ready();
        // Of a mapping whose last call panicked the address may be another: it is as if nothing were ready.
        if ready.len() > self.len.load(Ordering::Relaxed) && ready.cast() == self.start {
            // With Release, and with Acquire below: who sees the number sees the bytes, as the backend saw them. Not
            // `fetch_max`, which ThreadSanitizer does not know.
            let more = |len: usize| (len < ready.len()).then_some(ready.len());
            let _ = self.len.fetch_update(Ordering::Release, Ordering::Relaxed, more);
        }
    }

    /// Nothing is ready.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.len = AtomicUsize::new(0);
    }

    /// How many bytes are ready.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// The byte at an index, if it is ready.
    #[inline]
    pub(super) fn byte(&self, index: usize) -> Option<NonNull<u8>> {
        // SAFETY: that many bytes are there.
        (index < self.len()).then(|| unsafe { self.start.add(index) })
    }

    /// The bytes of a range, if they are ready.
    #[inline]
    pub(super) fn bytes(&self, range: Range<usize>) -> Option<NonNull<[u8]>> {
        if range.start > range.end || range.end > self.len() {
            return None;
        }
        // SAFETY: that many bytes are there.
        let start = unsafe { self.start.add(range.start) };
        Some(NonNull::slice_from_raw_parts(start, range.len()))
    }
}
