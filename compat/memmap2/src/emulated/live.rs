//! The mappings whose changes reach a file, and what they know of each other.
//!
//! Where the operating system maps files, all mappings of one file show the same bytes. Here each has its own. Two things
//! bring them together:
//!
//! - The `unsafe` functions that map a file write the changes of the others to it first. A program needs that if it makes its
//!   file longer, maps it anew and drops the old mapping then. The safe functions do not: somebody may have a `&mut` to the
//!   bytes of another mapping.
//! - What one mapping writes to the file is [`News`] for the others. Each reads it when it is borrowed mutably the next time:
//!   nobody else has a reference to its bytes then.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use portable_mmap::raw::RawBuffer;

use super::buffer::PAGE;
use super::descriptor::{Descriptor, FileId, WeakDescriptor};

/// Bytes of the file that other mappings have written since they were read here.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Whether there are any: a look at the range costs a lock.
    are_there: AtomicBool,
    /// All of them lie in this range of the file, in bytes.
    range: Mutex<Range<u64>>,
}

impl News {
    #[inline]
    pub(super) fn are_there(&self) -> bool {
        self.are_there.load(Ordering::Relaxed)
    }

    /// Adds bytes.
    pub(super) fn add(&self, more: &Range<u64>) {
        let mut range = self.range.lock().unwrap_or_else(PoisonError::into_inner);
        *range = if range.is_empty() { more.clone() } else { range.start.min(more.start)..range.end.max(more.end) };
        self.are_there.store(true, Ordering::Relaxed);
    }

    /// Takes all of them.
    pub(super) fn take(&self) -> Range<u64> {
        let mut range = self.range.lock().unwrap_or_else(PoisonError::into_inner);
        self.are_there.store(false, Ordering::Relaxed);
        std::mem::take(&mut *range)
    }
}

/// A mapping, for as long as it lives. What is here keeps neither its memory nor its file.
struct Entry {
    file: WeakDescriptor,
    bytes: Weak<RawBuffer<Descriptor>>,
}

static LIVE: Mutex<BTreeMap<FileId, Vec<Entry>>> = Mutex::new(BTreeMap::new());

fn live() -> MutexGuard<'static, BTreeMap<FileId, Vec<Entry>>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers a mapping for as long as it lives.
pub(super) fn add(file: &Descriptor, bytes: &Arc<RawBuffer<Descriptor>>) {
    let mut live = live();
    // Those of files that are not mapped any more go too.
    live.retain(|_, entries| {
        entries.retain(|entry| entry.bytes.strong_count() > 0);
        !entries.is_empty()
    });
    let entry = Entry { file: file.downgrade(), bytes: Arc::downgrade(bytes) };
    live.entry(file.id()).or_default().push(entry);
}

/// Tells the other mappings of a file that bytes of it were written.
pub(super) fn tell(writer: &Descriptor, written: &Range<u64>) {
    let live = live();
    let others = live.get(&writer.id()).into_iter().flatten().filter_map(|entry| entry.file.upgrade());
    others.filter(|other| !other.is(writer)).for_each(|other| other.news().add(written));
}

/// Writes the changes of all mappings of the same file to it, except those of pages with a byte that somebody else has changed
/// since it was read. The mapping may have been leaked long ago, so its byte is no newer than that of the file. What is not
/// written stays changed, and the mapping's own flush or drop writes it or tells why not.
///
/// # Safety
/// Nobody writes to the bytes of these mappings while the call runs, and no `&mut` to them is live.
pub(super) unsafe fn write_back(file: &Descriptor) {
    let live = live();
    let same = live.get(&file.id()).into_iter().flatten();
    let same: Vec<_> = same.filter_map(|entry| Some((entry.file.upgrade()?, entry.bytes.upgrade()?))).collect();
    // Not under the lock: a write tells of itself.
    drop(live);
    for (other, bytes) in same {
        other.distrust();
        // SAFETY: the caller vouches for it.
        let _ = unsafe { write_what_is_newer(&bytes) };
    }
}

/// # Safety
/// As for [`write_back`].
unsafe fn write_what_is_newer(bytes: &RawBuffer<Descriptor>) -> io::Result<()> {
    let mut start = 0;
    while start < bytes.len() {
        // SAFETY: the caller vouches for it.
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
