//! The registry of guarded regions. It finds the region that contains an address, also in a signal handler.
//!
//! A reader is a signal handler. It may interrupt any instruction, even of a writer on its own thread that holds the
//! lock, so it must never wait. It loads one pointer, the root, which points to a table of sorted chunks of sorted
//! entries, and searches the table. Nothing in a table ever moves.
//!
//! Writers take a lock. An insert copies the chunk that the region belongs to and the table, and swaps the root. All
//! other chunks are shared by the old table and the new one. A removal copies nothing, since it must not fail: it marks
//! the entry in place, and the next copy of the chunk leaves it out.
//!
//! # When memory is freed
//!
//! Memory that a writer removes is retired first, because readers may still use it. Readers count themselves in
//! `inside`. A writer that finds the count at zero frees all that was retired until then; otherwise a later writer
//! does. Two fences make this correct:
//!
//! - A reader increments `inside`, passes a fence, and loads the root and the marks.
//! - A writer stores the root or a mark, passes a fence, and loads `inside`.
//!
//! Sequentially consistent fences have a single order. If the writer's fence comes first, the reader sees the new root
//! or the mark, and does not reach the retired memory. If the reader's fence comes first, the writer sees the
//! increment. If it then loads zero, it also sees the decrement. The decrement releases all that the reader did, and
//! the load acquires it, so the reader has finished. The count is changed by read-modify-write operations only, so this
//! holds for each of many readers.
//!
//! These are fences and not sequentially consistent loads and stores for two reasons. One fence serves the root and the
//! marks. And loom, which checks this argument, treats such loads and stores as weaker than they are.

use std::cell::Cell;
use std::ops::Range;
use std::sync::PoisonError;
use std::{mem, ptr};

use crate::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};
use crate::sync::{Arc, Lifetime, Mutex, MutexGuard};
use crate::{Error, Result};

#[cfg(test)]
mod tests;

/// The maximum number of entries of a chunk. An insert copies a chunk and one slot for each chunk. With 20,000 regions
/// each of the two takes a few kilobytes. Under Miri and loom chunks are small, so that tests with few regions have
/// several.
const CHUNK: usize = if cfg!(any(miri, loom)) { 4 } else { 128 };

/// The maximum number of entries of each chunk that a split makes, so that the next inserts split none.
const SPLIT: usize = CHUNK * 3 / 4;

/// Values by the addresses of the regions that they belong to.
pub(crate) struct Registry<T> {
    /// The newest table, or null before the first insert.
    root: AtomicPtr<Table<T>>,
    /// How many readers there are.
    inside: AtomicUsize,
    writer: Mutex<Writer<T>>,
}

/// The state that only writers use.
struct Writer<T> {
    /// How many regions are registered.
    regions: usize,
    retired: Retired<T>,
}

// SAFETY: the pointers own what they point to, and `Arc<T>` is `Send`.
unsafe impl<T: Send + Sync> Send for Writer<T> {}

/// Memory that no new reader can reach.
struct Retired<T> {
    tables: List<Table<T>>,
    values: List<ValueNode<T>>,
}

/// The slots of all chunks, in ascending order.
struct Table<T> {
    slots: Vec<Slot<T>>,
    /// The slots whose chunks are freed with this table. The root owns none, because the next table will share them.
    /// Only writers use this field and the next one.
    owned: Cell<Range<usize>>,
    next: Cell<*mut Self>,
    lifetime: Lifetime,
}

/// A chunk, which is not empty.
struct Slot<T> {
    /// The start of the first entry.
    first: usize,
    entries: *mut [Entry<T>],
}

/// A region.
struct Entry<T> {
    start: usize,
    /// The end of the region. A removal sets it to the start, so that the region contains no address.
    end: AtomicUsize,
    /// Dangles after the removal. Until then it points to a value that the registry owns.
    value: *mut ValueNode<T>,
    lifetime: Lifetime,
}

/// A region's value, which all copies of its entry point to.
struct ValueNode<T> {
    value: Arc<T>,
    next: Cell<*mut Self>,
    lifetime: Lifetime,
}

impl<T> Registry<T> {
    /// A registry without regions.
    #[cfg(not(all(loom, test)))]
    pub(crate) const fn new() -> Self {
        Self { root: AtomicPtr::new(ptr::null_mut()), inside: AtomicUsize::new(0), writer: Mutex::new(Writer::new()) }
    }

    /// A registry without regions. loom's types have no constant constructors.
    #[cfg(all(loom, test))]
    pub(crate) fn new() -> Self {
        Self { root: AtomicPtr::new(ptr::null_mut()), inside: AtomicUsize::new(0), writer: Mutex::new(Writer::new()) }
    }
}

impl<T: Send + Sync> Registry<T> {
    /// Adds the region at these addresses. It must not be empty, and must not overlap a registered region.
    ///
    /// If there is no memory, nothing changes and the value is dropped.
    pub(crate) fn insert(&self, addresses: Range<usize>, value: Arc<T>) -> Result<()> {
        debug_assert!(!addresses.is_empty(), "a region holds an address");
        // Allocated before the lock is taken, and dropped after it is released, even after an error.
        let node = boxed(ValueNode { value, next: Cell::new(ptr::null_mut()), lifetime: Lifetime::default() })?;
        let mut node = List::of(node);
        let mut writer = self.lock();
        let old = self.root.load(Ordering::Relaxed);
        // SAFETY: only a writer retires the root, and this call is the only writer while it holds the lock.
        let slots = unsafe { old.as_ref() }.map_or(&[][..], |table| &table.slots);
        let replaced =
            if is_sparse(slots.len(), writer.regions) { 0..slots.len() } else { overlapped(slots, &addresses) };
        // SAFETY: the chunks of the root live until a writer replaces them.
        let table = unsafe { Table::successor(slots, &replaced, &addresses, node.head) }?;
        // From here on nothing fails.
        self.root.store(Box::into_raw(table), Ordering::Release);
        node.head = ptr::null_mut();
        writer.regions += 1;
        if !old.is_null() {
            // SAFETY: as above. It came from a box.
            unsafe { writer.retired.tables.push(old) }.owned.set(replaced);
        }
        self.leave(writer);
        Ok(())
    }

    /// Removes the region that starts at `start`, if there is one. It allocates nothing, so it cannot fail.
    ///
    /// The value is dropped now, or by a later writer if a reader is inside.
    pub(crate) fn remove(&self, start: usize) {
        let mut writer = self.lock();
        // SAFETY: only a writer retires the root, and this call is the only writer while it holds the lock.
        let table = unsafe { self.root.load(Ordering::Relaxed).as_ref() };
        // SAFETY: the chunks of the root live until a writer replaces them.
        let entry = table.and_then(|table| unsafe { table.last_from(start) });
        if let Some(entry) = entry.filter(|entry| entry.start == start && entry.is_registered()) {
            // The fence of `leave` orders this store before the load of the number of readers.
            entry.end.store(start, Ordering::Relaxed);
            writer.regions -= 1;
            // SAFETY: the value of a registered region came from a box, and is in no list. No new reader reaches it.
            unsafe { writer.retired.values.push(entry.value) };
        }
        self.leave(writer);
    }

    /// Shortens the region that starts at `start`: it then ends at `end`, which must not lie after its current end. It
    /// allocates nothing, so it cannot fail.
    pub(crate) fn shorten(&self, start: usize, end: usize) {
        let writer = self.lock();
        // SAFETY: only a writer retires the root, and this call is the only writer while it holds the lock.
        let table = unsafe { self.root.load(Ordering::Relaxed).as_ref() };
        // SAFETY: the chunks of the root live until a writer replaces them.
        let entry = table.and_then(|table| unsafe { table.last_from(start) });
        if let Some(entry) = entry.filter(|entry| entry.start == start && entry.is_registered()) {
            debug_assert!(start < end && end <= entry.end.load(Ordering::Relaxed), "a shorter region");
            // The fence of `leave` orders this store in the same way as that of a removal.
            entry.end.store(end, Ordering::Relaxed);
        }
        self.leave(writer);
    }

    /// Calls `found` with the value of the region that contains the address.
    ///
    /// For a signal handler: it takes no lock, allocates nothing and frees nothing. `found` may call this function
    /// again.
    pub(crate) fn find<R>(&self, address: usize, found: impl FnOnce(&T) -> R) -> Option<R> {
        let _inside = Inside::enter(&self.inside);
        // SAFETY: memory that is reachable from the root is not freed while this reader is inside: see the top of this
        // file.
        let table = unsafe { self.root.load(Ordering::Acquire).as_ref() }?;
        table.lifetime.read();
        // SAFETY: as above.
        let entry = unsafe { table.last_from(address) }?;
        entry.lifetime.read();
        if entry.end.load(Ordering::Relaxed) <= address {
            return None;
        }
        // SAFETY: as above. This reader does not see the mark of a removal, so the value is not freed while it is
        // inside.
        let node = unsafe { &*entry.value };
        node.lifetime.read();
        Some(found(&node.value))
    }

    fn lock(&self) -> MutexGuard<'_, Writer<T>> {
        // Nothing panics under the lock, because values are dropped after it is released.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Releases the lock. Frees retired memory if no reader is inside.
    fn leave(&self, mut writer: MutexGuard<'_, Writer<T>>) {
        fence(Ordering::SeqCst);
        let is_unread = self.inside.load(Ordering::Acquire) == 0;
        let unread = if is_unread { mem::replace(&mut writer.retired, Retired::new()) } else { Retired::new() };
        // The lock is released first, because the drop of a value may use the registry.
        drop(writer);
        drop(unread);
    }
}

impl<T> Drop for Registry<T> {
    fn drop(&mut self) {
        let root = self.root.load(Ordering::Relaxed);
        if root.is_null() {
            return;
        }
        // SAFETY: it came from a box, and there are no readers left.
        let root = unsafe { Box::from_raw(root) };
        root.owned.set(0..root.slots.len());
        for slot in &root.slots {
            // SAFETY: the root's chunks live until it is dropped, at the end of this function.
            let entries = unsafe { slot.entries() };
            for entry in entries.iter().filter(|entry| entry.is_registered()) {
                // SAFETY: the value of a registered region came from a box, and is in no list.
                drop(unsafe { Box::from_raw(entry.value) });
            }
        }
    }
}

impl<T> Writer<T> {
    const fn new() -> Self {
        Self { regions: 0, retired: Retired::new() }
    }
}

impl<T> Retired<T> {
    const fn new() -> Self {
        Self { tables: List::new(), values: List::new() }
    }
}

/// Whether a table has far more chunks than its regions need. Then all chunks are copied, so that chunks whose entries
/// were removed do not accumulate. At least three quarters of the regions were removed since the last such copy, so its
/// cost is amortized.
fn is_sparse(chunks: usize, regions: usize) -> bool {
    chunks * CHUNK > 8 * (regions + CHUNK)
}

/// The chunks that a new region changes: the one that it belongs to, and those that start within it. The latter hold
/// removed entries at its addresses, which would hide it from a search.
fn overlapped<T>(slots: &[Slot<T>], addresses: &Range<usize>) -> Range<usize> {
    let start = slots.partition_point(|slot| slot.first <= addresses.start).saturating_sub(1);
    let end = slots.partition_point(|slot| slot.first < addresses.end);
    start..end.max(start + 1).min(slots.len())
}

impl<T> Table<T> {
    /// A table with a new region. New chunks take the place of the chunks in `replaced`.
    ///
    /// # Safety
    ///
    /// The chunks of `slots` are alive.
    unsafe fn successor(
        slots: &[Slot<T>],
        replaced: &Range<usize>,
        addresses: &Range<usize>,
        value: *mut ValueNode<T>,
    ) -> Result<Box<Self>> {
        let old = slots[replaced.clone()].iter();
        // SAFETY: the caller guarantees this.
        let old = old.flat_map(|slot| unsafe { slot.entries() }).filter(|entry| entry.is_registered());
        let count = old.clone().count() + 1;
        let mut entries = Vec::new();
        reserve(&mut entries, count)?;
        old.for_each(|entry| entries.push(entry.copy()));
        let at = entries.partition_point(|entry| entry.start < addresses.start);
        entries.insert(at, Entry::new(addresses.start, addresses.end, value));

        let chunks = if count <= CHUNK { 1 } else { count.div_ceil(SPLIT) };
        let owned = Cell::new(replaced.start..replaced.start);
        let mut table =
            boxed(Self { slots: Vec::new(), owned, next: Cell::new(ptr::null_mut()), lifetime: Lifetime::default() })?;
        reserve(&mut table.slots, slots.len() - replaced.len() + chunks)?;
        table.push_shared(&slots[..replaced.start]);
        // The table owns its new chunks until it is the root, so that an error frees them.
        if chunks == 1 {
            table.push_new(entries);
        } else {
            let mut entries = entries.into_iter();
            for chunk in 0..chunks {
                let len = count * (chunk + 1) / chunks - count * chunk / chunks;
                let mut copy = Vec::new();
                reserve(&mut copy, len)?;
                copy.extend(entries.by_ref().take(len));
                table.push_new(copy);
            }
        }
        table.push_shared(&slots[replaced.end..]);
        table.owned.set(0..0);
        Ok(table)
    }

    /// Adds chunks of the previous table. Room for them is reserved. This is most of the work of an insert, so it is
    /// one copy of memory: `extend_from_slice` clones one slot at a time.
    fn push_shared(&mut self, slots: &[Slot<T>]) {
        let room = &mut self.slots.spare_capacity_mut()[..slots.len()];
        // SAFETY: the room is as long as `slots` and does not overlap it, and slots are `Copy`.
        unsafe { room.as_mut_ptr().cast::<Slot<T>>().copy_from_nonoverlapping(slots.as_ptr(), slots.len()) };
        // SAFETY: they were just initialised.
        unsafe { self.slots.set_len(self.slots.len() + slots.len()) };
    }

    /// Adds a chunk that the table owns.
    fn push_new(&mut self, entries: Vec<Entry<T>>) {
        // The vectors are full, so this allocates nothing.
        let entries = entries.into_boxed_slice();
        self.slots.push(Slot { first: entries[0].start, entries: Box::into_raw(entries) });
        self.owned.get_mut().end = self.slots.len();
    }

    /// The last entry that starts at or before the address, even if its region was removed.
    ///
    /// # Safety
    ///
    /// The chunks are alive, for as long as the table is borrowed.
    unsafe fn last_from(&self, address: usize) -> Option<&Entry<T>> {
        let slot = self.slots.partition_point(|slot| slot.first <= address).checked_sub(1)?;
        // SAFETY: the caller guarantees this.
        let entries = unsafe { self.slots.get(slot)?.entries() };
        entries.get(entries.partition_point(|entry| entry.start <= address).checked_sub(1)?)
    }
}

impl<T> Drop for Table<T> {
    fn drop(&mut self) {
        for slot in &self.slots[self.owned.take()] {
            // SAFETY: the chunk came from a box, and no other table has it any more.
            drop(unsafe { Box::from_raw(slot.entries) });
        }
    }
}

impl<T> Slot<T> {
    /// # Safety
    ///
    /// The chunk is alive for `'a`.
    unsafe fn entries<'a>(&self) -> &'a [Entry<T>] {
        // SAFETY: the caller guarantees this. Nobody has a mutable reference to a chunk that is in a table.
        unsafe { &*self.entries }
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<T> {}

impl<T> Entry<T> {
    fn new(start: usize, end: usize, value: *mut ValueNode<T>) -> Self {
        Self { start, end: AtomicUsize::new(end), value, lifetime: Lifetime::default() }
    }

    /// Copies the entry. Only a writer calls this, so nobody marks the entry at the same time.
    fn copy(&self) -> Self {
        Self::new(self.start, self.end.load(Ordering::Relaxed), self.value)
    }

    /// Whether the region is registered. Only a writer calls this, as above.
    fn is_registered(&self) -> bool {
        self.end.load(Ordering::Relaxed) > self.start
    }
}

/// A counted reader.
struct Inside<'a>(&'a AtomicUsize);

impl<'a> Inside<'a> {
    fn enter(inside: &'a AtomicUsize) -> Self {
        inside.fetch_add(1, Ordering::Relaxed);
        // Comes before every load of the root and the marks: see the top of this file.
        fence(Ordering::SeqCst);
        Self(inside)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// A linked list of boxes. Each box has a field for the link, because a removal must not allocate.
struct List<X: Linked> {
    head: *mut X,
}

trait Linked: Sized {
    /// The link to the next box. Only the list uses it; readers may read the other fields.
    fn next(&self) -> &Cell<*mut Self>;
}

impl<T> Linked for Table<T> {
    fn next(&self) -> &Cell<*mut Self> {
        &self.next
    }
}

impl<T> Linked for ValueNode<T> {
    fn next(&self) -> &Cell<*mut Self> {
        &self.next
    }
}

impl<X: Linked> List<X> {
    const fn new() -> Self {
        Self { head: ptr::null_mut() }
    }

    fn of(one: Box<X>) -> Self {
        Self { head: Box::into_raw(one) }
    }

    /// # Safety
    ///
    /// The pointer came from a box and is in no list. Others may read what it points to until the list is dropped.
    unsafe fn push(&mut self, pointer: *mut X) -> &X {
        // SAFETY: the caller guarantees this.
        let one = unsafe { &*pointer };
        one.next().set(mem::replace(&mut self.head, pointer));
        one
    }
}

impl<X: Linked> Drop for List<X> {
    fn drop(&mut self) {
        while !self.head.is_null() {
            // SAFETY: it came from a box, and is in this list only.
            let one = unsafe { Box::from_raw(self.head) };
            self.head = one.next().get();
        }
    }
}

/// Reserves memory for exactly `len` elements in an empty vector.
fn reserve<X>(vec: &mut Vec<X>, len: usize) -> Result<()> {
    let no_memory = Error::no_memory((len * size_of::<X>()) as u64);
    #[cfg(test)]
    if tests::must_fail() {
        return Err(no_memory);
    }
    vec.try_reserve_exact(len).map_err(|_| no_memory)
}

/// Puts a value in a box.
fn boxed<X>(value: X) -> Result<Box<X>> {
    let mut one = Vec::new();
    reserve(&mut one, 1)?;
    one.push(value);
    let one = Box::into_raw(one.into_boxed_slice());
    // SAFETY: a slice of one element has the layout of the element.
    Ok(unsafe { Box::from_raw(one.cast()) })
}
