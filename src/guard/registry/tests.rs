use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{CHUNK, Linked, List, Registry, Slot};
use crate::Error;
use crate::sync::Arc;

#[cfg(loom)]
mod loom;

thread_local! {
    /// How many allocations succeed before one fails.
    static GRANTED: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Whether this allocation must fail.
pub(super) fn must_fail() -> bool {
    let granted = GRANTED.get();
    GRANTED.set(granted.and_then(|granted| granted.checked_sub(1)));
    granted == Some(0)
}

/// A value that stores its region, and counts drops.
struct Counted<'a> {
    addresses: Range<usize>,
    id: usize,
    drops: &'a AtomicUsize,
    is_alive: AtomicBool,
}

impl<'a> Counted<'a> {
    fn new(addresses: &Range<usize>, id: usize, drops: &'a AtomicUsize) -> Arc<Self> {
        Arc::new(Self { addresses: addresses.clone(), id, drops, is_alive: AtomicBool::new(true) })
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        assert!(self.is_alive.swap(false, Ordering::Relaxed), "dropped twice");
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

impl<'a> Registry<Counted<'a>> {
    fn add(&self, addresses: Range<usize>, id: usize, drops: &'a AtomicUsize) {
        self.insert(addresses.clone(), Counted::new(&addresses, id, drops)).unwrap();
    }

    /// The id of the region that contains the address.
    fn id(&self, address: usize) -> Option<usize> {
        self.find(address, |value| {
            assert!(value.is_alive.load(Ordering::Relaxed), "dropped too early");
            assert!(value.addresses.contains(&address), "{address} is not in {:?}", value.addresses);
            value.id
        })
    }
}

fn chunks<T: Send + Sync>(registry: &Registry<T>) -> Vec<Slot<T>> {
    // SAFETY: no test calls this while another thread writes.
    let root = unsafe { registry.root.load(Ordering::Relaxed).as_ref() };
    root.map_or(Vec::new(), |table| table.slots.clone())
}

/// Checks the invariants of a table between two calls. Returns the number of its chunks.
fn check<T: Send + Sync>(registry: &Registry<T>) -> usize {
    let (mut regions, mut last) = (0, None);
    let slots = chunks(registry);
    for slot in &slots {
        // SAFETY: the root's chunks are alive, and no test calls this while another thread writes.
        let entries = unsafe { slot.entries() };
        assert!((1..=CHUNK).contains(&entries.len()));
        assert_eq!(slot.first, entries[0].start);
        for entry in entries {
            assert!(last < Some(entry.start), "{last:?} {}", entry.start);
            last = Some(entry.start);
            regions += usize::from(entry.is_registered());
        }
    }
    assert_eq!(registry.lock().regions, regions);
    // An insert may split a chunk after it found the table dense enough.
    assert!(slots.len() <= 8 + 8 * (regions + 1) / CHUNK + 1, "{} chunks, {regions} regions", slots.len());
    slots.len()
}

fn retired<T: Send + Sync>(registry: &Registry<T>) -> (usize, usize) {
    fn len<X: Linked>(list: &List<X>) -> usize {
        let (mut len, mut next) = (0, list.head);
        // SAFETY: what is in a list is alive.
        while let Some(one) = unsafe { next.as_ref() } {
            (len, next) = (len + 1, one.next().get());
        }
        len
    }
    let writer = registry.lock();
    (len(&writer.retired.tables), len(&writer.retired.values))
}

/// Pseudo-random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

#[test]
fn random_edits_agree_with_a_map() {
    let (space, edits, looks) = if cfg!(miri) { (800, 240, 2) } else { (40_000, 60_000, 10) };
    let drops = AtomicUsize::new(0);
    let registry = Registry::new();
    let mut model = BTreeMap::new();
    let mut random = Random(1);
    let mut most_chunks = 0;
    for id in 0..edits {
        // The number of regions rises and falls several times.
        let inserts = if id * 8 / edits % 2 == 0 { 80 } else { 15 };
        let start = random.below(space);
        let around = if random.below(100) < inserts {
            let end = start + 1 + random.below(50);
            let before: Option<(&usize, &(usize, usize))> = model.range(..end).next_back();
            if before.is_some_and(|(_, &(last, _))| last > start) {
                continue;
            }
            registry.add(start..end, id, &drops);
            model.insert(start, (end, id));
            start..end
        } else {
            let Some((&start, &(end, id))) = model.range(start..).next() else { continue };
            let shorter = start + random.below(end - start);
            if shorter > start && random.below(3) == 0 {
                registry.shorten(start, shorter);
                model.insert(start, (shorter, id));
            } else {
                registry.remove(start);
                model.remove(&start);
            }
            start..end
        };
        let expected = |address: usize| {
            let (_, &(end, id)) = model.range(..=address).next_back()?;
            (address < end).then_some(id)
        };
        let near = [around.start.saturating_sub(1), around.start, around.end - 1, around.end];
        for address in near.into_iter().chain((0..looks).map(|_| random.below(space + 60))) {
            assert_eq!(registry.id(address), expected(address), "{address} after edit {id}");
        }
        if id % 16 == 0 {
            most_chunks = most_chunks.max(check(&registry));
        }
        assert_eq!(retired(&registry), (0, 0));
    }
    assert!(most_chunks > 3, "{most_chunks} chunks are too few for this test");
    let dropped = drops.load(Ordering::Relaxed);
    drop(registry);
    assert_eq!(drops.load(Ordering::Relaxed), dropped + model.len());
}

#[test]
fn a_neighbour_is_not_found_in_place_of_a_region() {
    let drops = AtomicUsize::new(0);
    let registry = Registry::new();
    assert_eq!(registry.id(0), None);
    registry.add(20..30, 2, &drops);
    registry.add(10..20, 1, &drops);
    registry.add(40..50, 4, &drops);
    let ids = || [9, 10, 19, 20, 29, 30, 39, 40, 49, 50, usize::MAX].map(|address| registry.id(address));
    let (one, two, four) = (Some(1), Some(2), Some(4));
    assert_eq!(ids(), [None, one, one, two, two, None, None, four, four, None, None]);
    registry.remove(20);
    assert_eq!(ids(), [None, one, one, None, None, None, None, four, four, None, None]);
    registry.remove(10);
    registry.remove(40);
    assert_eq!(ids(), [None; 11]);
}

#[test]
fn the_end_of_a_shortened_region_can_be_used_by_another() {
    let drops = AtomicUsize::new(0);
    let registry = Registry::new();
    registry.add(10..30, 1, &drops);
    registry.shorten(10, 15);
    registry.shorten(20, 25);
    let ids = || [9, 10, 14, 15, 20, 24, 29].map(|address| registry.id(address));
    let one = Some(1);
    assert_eq!(ids(), [None, one, one, None, None, None, None]);
    registry.add(15..25, 2, &drops);
    let two = Some(2);
    assert_eq!(ids(), [None, one, one, two, two, two, None]);
    registry.remove(10);
    assert_eq!(ids(), [None, None, None, two, two, two, None]);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn removing_a_region_that_is_not_registered_does_nothing() {
    let drops = AtomicUsize::new(0);
    let registry = Registry::new();
    registry.remove(10);
    registry.add(10..20, 1, &drops);
    for start in [0, 9, 11, 20] {
        registry.remove(start);
    }
    assert_eq!(registry.id(19), Some(1));
    registry.remove(10);
    registry.remove(10);
    assert_eq!((registry.id(19), drops.load(Ordering::Relaxed)), (None, 1));
    check(&registry);
}

#[test]
fn a_region_at_the_address_of_a_removed_one_has_its_own_value() {
    let drops = AtomicUsize::new(0);
    let registry = Registry::new();
    registry.add(0..10, 1000, &drops);
    registry.add(50..60, 1001, &drops);
    for id in 0..10 * CHUNK {
        let len = 1 + id % 20;
        registry.add(20..20 + len, id, &drops);
        assert_eq!([20, 19 + len].map(|address| registry.id(address)), [Some(id); 2]);
        assert_eq!([9, 20 + len, 50].map(|address| registry.id(address)), [Some(1000), None, Some(1001)]);
        registry.remove(20);
        assert_eq!([20, 19 + len].map(|address| registry.id(address)), [None; 2]);
        assert_eq!(drops.load(Ordering::Relaxed), id + 1);
    }
    assert_eq!(check(&registry), 1);
}

#[test]
fn a_region_over_many_removed_ones_is_found_everywhere() {
    let drops = AtomicUsize::new(0);
    let registry = Registry::new();
    let end = 40 * CHUNK;
    for start in (0..end).step_by(10) {
        registry.add(start..start + 5, start, &drops);
    }
    assert!(check(&registry) > 4);
    for start in (10..end - 10).step_by(10) {
        registry.remove(start);
    }
    registry.add(7..end - 12, 7, &drops);
    for address in 0..end + 10 {
        let id = match address {
            0..5 => Some(0),
            address if (7..end - 12).contains(&address) => Some(7),
            address if (end - 10..end - 5).contains(&address) => Some(end - 10),
            _ => None,
        };
        assert_eq!(registry.id(address), id, "{address}");
    }
    check(&registry);
}

#[test]
fn chunks_of_removed_regions_do_not_accumulate() {
    let drops = AtomicUsize::new(0);
    // With rising and with falling addresses: systems assign them in both directions.
    for is_upwards in [true, false] {
        let registry = Registry::new();
        let start = |id: usize| if is_upwards { 16 * id } else { (1 << 20) - 16 * id };
        for id in 0..if cfg!(miri) { 20 } else { 60 } * CHUNK {
            registry.add(start(id)..start(id) + 16, id, &drops);
            if let Some(old) = id.checked_sub(2 * CHUNK) {
                registry.remove(start(old));
                assert_eq!([old, old + 1].map(|id| registry.id(start(id))), [None, Some(old + 1)]);
            }
            if id % CHUNK == 0 {
                check(&registry);
            }
        }
    }
}

#[test]
fn a_value_is_dropped_when_it_is_removed() {
    let drops = AtomicUsize::new(0);
    let registry = Registry::new();
    for id in 0..10 {
        registry.add(id * 10..id * 10 + 10, id, &drops);
    }
    for id in 0..7 {
        assert_eq!(drops.load(Ordering::Relaxed), id);
        registry.remove(id * 10);
    }
    assert_eq!(retired(&registry), (0, 0));
    drop(registry);
    assert_eq!(drops.load(Ordering::Relaxed), 10);
}

#[test]
fn nothing_is_freed_while_a_reader_is_inside() {
    let drops = AtomicUsize::new(0);
    let registry = Registry::new();
    registry.add(0..10, 1, &drops);
    registry.add(10..20, 2, &drops);
    let found = registry.find(5, |one| {
        registry.remove(0);
        registry.remove(10);
        registry.add(0..20, 3, &drops);
        assert_eq!(retired(&registry), (1, 2));
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        // A later reader finds the new regions, and a reader that leaves does not free what the first one uses.
        assert_eq!(registry.id(5), Some(3));
        registry.remove(0);
        assert_eq!(registry.id(5), None);
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        one.id
    });
    assert_eq!(found, Some(1));
    // A reader frees nothing. The next writer does.
    assert_eq!((retired(&registry), drops.load(Ordering::Relaxed)), ((1, 3), 0));
    registry.add(0..10, 4, &drops);
    assert_eq!((retired(&registry), drops.load(Ordering::Relaxed)), ((0, 0), 3));
    // A drop of the registry frees retired memory too.
    registry.find(5, |_| registry.remove(0));
    assert_eq!((retired(&registry), drops.load(Ordering::Relaxed)), ((0, 1), 3));
    drop(registry);
    assert_eq!(drops.load(Ordering::Relaxed), 4);
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "a panic ends the program")]
fn a_reader_that_panics_is_not_counted_any_more() {
    let drops = AtomicUsize::new(0);
    let registry = Registry::new();
    registry.add(0..10, 1, &drops);
    let caught = catch_unwind(AssertUnwindSafe(|| registry.find(5, |_| panic!("on purpose"))));
    assert!(caught.is_err());
    registry.remove(0);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
#[cfg(not(loom))]
fn a_value_may_use_a_static_registry_in_its_drop() {
    static REGISTRY: Registry<Again> = Registry::new();
    struct Again(usize);
    impl Drop for Again {
        fn drop(&mut self) {
            if self.0 == 1 {
                REGISTRY.insert(0..10, Arc::new(Again(2))).unwrap();
            }
        }
    }
    REGISTRY.insert(0..10, Arc::new(Again(1))).unwrap();
    REGISTRY.remove(0);
    assert_eq!(REGISTRY.find(5, |again| again.0), Some(2));
    REGISTRY.remove(0);
    assert_eq!(REGISTRY.find(5, |again| again.0), None);
}

#[test]
fn an_insert_without_memory_changes_nothing() {
    let drops = AtomicUsize::new(0);
    let registry = Registry::new();
    for id in 0..CHUNK {
        registry.add(id * 20..id * 20 + 10, id, &drops);
    }
    assert_eq!(check(&registry), 1);
    // This one splits the chunk.
    let addresses = 15..20;
    let mut failed = 0;
    loop {
        let value = Counted::new(&addresses, CHUNK, &drops);
        GRANTED.set(Some(failed));
        let result = registry.insert(addresses.clone(), value);
        GRANTED.set(None);
        let Err(error) = result else { break };
        assert!(matches!(error, Error::NoMemory { len, .. } if len > 0), "{error}");
        failed += 1;
        assert_eq!(drops.load(Ordering::Relaxed), failed);
        assert_eq!((check(&registry), registry.id(15), registry.id(5)), (1, None, Some(0)));
    }
    assert_eq!(failed, 6);
    assert_eq!((check(&registry), registry.id(15), registry.id(5)), (2, Some(CHUNK), Some(0)));
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "there are no threads")]
fn threads_find_their_own_regions_and_those_that_stay() {
    const WRITERS: usize = 2;
    // Several chunks.
    const STAY: usize = 2 * CHUNK + CHUNK / 2;
    let rounds = if cfg!(miri) { 12 } else { 20_000 };
    let drops = AtomicUsize::new(0);
    let registry = Registry::new();
    // Between two regions that stay there is room for a region that is added and removed.
    for at in 0..STAY {
        registry.add(at * 100..at * 100 + 50, at, &drops);
    }
    let working = AtomicUsize::new(WRITERS);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (registry, drops, working) = (&registry, &drops, &working);
            scope.spawn(move || {
                let mut random = Random(writer as u64);
                for round in 0..rounds {
                    let start = (writer + WRITERS * random.below(STAY / WRITERS)) * 100 + 50;
                    let len = 1 + random.below(50);
                    let id = STAY + writer + WRITERS * round;
                    registry.add(start..start + len, id, drops);
                    assert_eq!(registry.id(start + len - 1), Some(id));
                    registry.remove(start);
                    assert_eq!(registry.id(start), None);
                }
                working.fetch_sub(1, Ordering::Relaxed);
            });
        }
        for reader in 0..2 {
            let (registry, working) = (&registry, &working);
            scope.spawn(move || {
                let mut random = Random(77 + reader);
                while working.load(Ordering::Relaxed) > 0 {
                    let address = random.below(STAY * 100);
                    let id = registry.id(address);
                    if address % 100 < 50 {
                        assert_eq!(id, Some(address / 100));
                    } else {
                        assert!(id.is_none_or(|id| id >= STAY), "{id:?}");
                    }
                    // A handler that interrupts a handler.
                    registry.find(0, |_| assert_eq!(registry.id(address / 100 * 100), Some(address / 100)));
                }
            });
        }
    });
    registry.remove(0);
    assert_eq!(retired(&registry), (0, 0));
    assert_eq!(drops.load(Ordering::Relaxed), WRITERS * rounds + 1);
    drop(registry);
    assert_eq!(drops.load(Ordering::Relaxed), WRITERS * rounds + STAY);
}
