//! The bytes at the start of a mapping that can be read without any other check.

use std::ops::Range;
use std::ptr::NonNull;

use crate::backend::Backend;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// The address of the bytes of a mapping, and how many bytes at the start are ready: loaded, and without a guard.
///
/// The backend has this information too, but to get it, code has to check whether the mapping is open and which backend
/// it has. A loop over `m[i]` has to check every index, because another thread may load bytes in the meantime. With
/// this type the check is a single comparison.
///
/// More bytes can become ready while the mapping is shared, and [`renew`](Self::renew) adopts their number. Only calls
/// that borrow the mapping mutably can make fewer bytes ready. Before such a call, the `Door` calls
/// [`forget`](Self::forget).
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
    /// The ready bytes of a backend.
    pub(super) fn of(backend: &impl Backend) -> Self {
        let ready = backend.ready();
        Self { start: ready.cast(), len: AtomicUsize::new(ready.len()) }
    }

    /// Adopts the number of ready bytes, which may have grown while the backend was shared.
    #[inline]
    pub(super) fn renew(&self, backend: &impl Backend) {
        let ready = backend.ready();
        // After a call that panicked the bytes may have another address. Then no byte counts as ready.
        if ready.len() > self.len.load(Ordering::Relaxed) && ready.cast() == self.start {
            // With Release here and Acquire in `len`, a thread that sees the number sees the bytes too. This is not
            // `fetch_max`, because ThreadSanitizer does not support it.
            let more = |len: usize| (len < ready.len()).then_some(ready.len());
            let _ = self.len.fetch_update(Ordering::Release, Ordering::Relaxed, more);
        }
    }

    /// Makes no byte count as ready.
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
        // SAFETY: the index lies in the ready bytes.
        (index < self.len()).then(|| unsafe { self.start.add(index) })
    }

    /// The bytes from `start` on that are ready, at most `most` of them.
    #[inline]
    pub(super) fn bytes_from(&mut self, start: usize, most: usize) -> Option<NonNull<[u8]>> {
        // Relaxed, because nobody else uses the mapping now.
        let left = self.len.load(Ordering::Relaxed).checked_sub(start)?;
        // SAFETY: the start lies in the ready bytes, or at their end.
        let start = unsafe { self.start.add(start) };
        Some(NonNull::slice_from_raw_parts(start, left.min(most)))
    }

    /// The bytes of a range, if they are ready.
    #[inline]
    pub(super) fn bytes(&self, range: Range<usize>) -> Option<NonNull<[u8]>> {
        if range.start > range.end || range.end > self.len() {
            return None;
        }
        // SAFETY: the start lies in the ready bytes, or at their end.
        let start = unsafe { self.start.add(range.start) };
        Some(NonNull::slice_from_raw_parts(start, range.len()))
    }
}
