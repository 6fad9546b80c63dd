//! The mappings whose changes reach a file: another mapping of the same file shows them.
//!
//! Where the operating system maps files, all mappings of one file show the same bytes. Here each has its own, so the
//! `unsafe` functions that map a file write the changes of the others back first. A program needs that if it makes its
//! file longer, maps it anew and drops the old mapping then. The safe functions do not: somebody may have a `&mut` to the
//! bytes of another mapping.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use portable_mmap::raw::RawBuffer;

use super::descriptor::Descriptor;

type Entry = (Descriptor, Weak<RawBuffer<Descriptor>>);

static LIVE: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// Remembers a mapping for as long as it lives.
pub(super) fn add(file: &Descriptor, bytes: &Arc<RawBuffer<Descriptor>>) {
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    live.retain(|(_, bytes)| bytes.strong_count() > 0);
    live.push((file.clone(), Arc::downgrade(bytes)));
}

/// Writes the changes of all mappings of the same file to it. What cannot be written stays changed, and their own flush or
/// drop tells.
///
/// # Safety
/// Nobody writes to the bytes of these mappings while the call runs, and no `&mut` to them is live.
pub(super) unsafe fn write_back(file: &Descriptor) {
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    let same = live.iter().filter(|(other, _)| other.is_same_file(file));
    let same: Vec<_> = same.filter_map(|(other, bytes)| Some((other.clone(), bytes.upgrade()?))).collect();
    drop(live);
    for (other, bytes) in same {
        other.distrust();
        // SAFETY: the caller vouches for it.
        let _ = unsafe { bytes.flush_async_range(0, bytes.len()) };
    }
}
