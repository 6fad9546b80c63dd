//! The mappings whose changes reach a file, and how they exchange changes.
//!
//! OS mappings of one file all show the same bytes. Buffers each have their own copy. Two rules keep them together:
//!
//! - The `unsafe` functions that map a file first write the changes of its other mappings to it. A program needs this
//!   if it makes its file longer, maps it again and then drops the old mapping. The safe functions do not, because
//!   there may be a `&mut` to the bytes of another mapping.
//! - A range that one mapping writes to the file is recorded as [`WrittenRange`] in the others. Each reads it when it
//!   is next borrowed mutably, because then there is no other reference to its bytes.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use portable_mmap::raw::RawBuffer;

use super::buffer::PAGE;
use super::descriptor::{Descriptor, FileId, WeakDescriptor};

/// A range of the file that other mappings have written since this mapping read it.
#[derive(Debug, Default)]
pub(super) struct WrittenRange {
    /// Whether the range is not empty. Checking the range itself takes a lock.
    has_bytes: AtomicBool,
    /// The smallest range that contains them all, in bytes of the file.
    range: Mutex<Range<u64>>,
}

impl WrittenRange {
    #[inline]
    pub(super) fn has_bytes(&self) -> bool {
        self.has_bytes.load(Ordering::Relaxed)
    }

    /// Adds a range.
    pub(super) fn add(&self, more: &Range<u64>) {
        let mut range = self.range.lock().unwrap_or_else(PoisonError::into_inner);
        *range = if range.is_empty() { more.clone() } else { range.start.min(more.start)..range.end.max(more.end) };
        self.has_bytes.store(true, Ordering::Relaxed);
    }

    /// Removes and returns the range.
    pub(super) fn take(&self) -> Range<u64> {
        let mut range = self.range.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_bytes.store(false, Ordering::Relaxed);
        std::mem::take(&mut *range)
    }
}

/// A mapping that is alive. An entry keeps neither its memory nor its file.
struct Entry {
    file: WeakDescriptor,
    bytes: Weak<RawBuffer<Descriptor>>,
}

static LIVE: Mutex<BTreeMap<FileId, Vec<Entry>>> = Mutex::new(BTreeMap::new());

fn live() -> MutexGuard<'static, BTreeMap<FileId, Vec<Entry>>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers a mapping until it is dropped.
pub(super) fn add(file: &Descriptor, bytes: &Arc<RawBuffer<Descriptor>>) {
    let mut live = live();
    // Remove all entries of dropped mappings, also those of other files.
    live.retain(|_, entries| {
        entries.retain(|entry| entry.bytes.strong_count() > 0);
        !entries.is_empty()
    });
    let entry = Entry { file: file.downgrade(), bytes: Arc::downgrade(bytes) };
    live.entry(file.id()).or_default().push(entry);
}

/// Records in the other mappings of a file that a range of it was written.
pub(super) fn record_written(writer: &Descriptor, written: &Range<u64>) {
    let live = live();
    let others = live.get(&writer.id()).into_iter().flatten().filter_map(|entry| entry.file.upgrade());
    others.filter(|other| !other.is(writer)).for_each(|other| other.written_by_others().add(written));
}

/// Writes the changes of all mappings of the same file to it, except the pages with a byte that somebody else has
/// changed since it was read. Such a mapping may have been leaked long ago, so its byte may be older than that of the
/// file. Pages that are not written still count as changed, and the mapping's own flush or drop writes them or returns
/// the error.
///
/// # Safety
/// Nobody writes to the bytes of these mappings while the call runs, and no `&mut` to them is live.
pub(super) unsafe fn write_back(file: &Descriptor) {
    let live = live();
    let same = live.get(&file.id()).into_iter().flatten();
    let same: Vec<_> = same.filter_map(|entry| Some((entry.file.upgrade()?, entry.bytes.upgrade()?))).collect();
    // Not under the lock: a write calls `record_written`, which takes it.
    drop(live);
    for (other, bytes) in same {
        other.require_check();
        // SAFETY: the caller guarantees it.
        let _ = unsafe { write_newer_pages(&bytes) };
    }
}

/// # Safety
/// As for [`write_back`].
unsafe fn write_newer_pages(bytes: &RawBuffer<Descriptor>) -> io::Result<()> {
    let mut start = 0;
    while start < bytes.len() {
        // SAFETY: the caller guarantees it.
        let conflict = unsafe { bytes.first_conflict(start, bytes.len() - start) }?;
        let page = conflict.map_or(bytes.len(), |at| at - at % PAGE);
        if page > start {
            // SAFETY: as above.
            unsafe { bytes.flush_async_range(start, page - start) }?;
        }
        start = page.saturating_add(PAGE);
    }
    Ok(())
}
