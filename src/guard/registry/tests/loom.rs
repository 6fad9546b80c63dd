//! Models: each runs with every possible order of its threads' steps. A thread that only calls `find` stands for a
//! signal handler.
//!
//! With more than two threads there are too many orders. Such a model runs only in the orders with few interruptions.

use ::loom::model::Builder;
use ::loom::thread;

use crate::guard::registry::Registry;
use crate::sync::{Arc, UnsafeCell};

/// A value whose drop must not race with a read of it.
struct Value(UnsafeCell<usize>);

// SAFETY: the cell is written only in a drop, and loom checks that.
unsafe impl Sync for Value {}

impl Value {
    fn new(id: usize) -> Arc<Self> {
        Arc::new(Self(UnsafeCell::new(id)))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: loom checks that nobody reads it.
        self.0.with_mut(|id| unsafe { *id = usize::MAX });
    }
}

impl Registry<Value> {
    fn look(&self, address: usize) -> Option<usize> {
        // SAFETY: loom checks that nobody writes it.
        self.find(address, |value| value.0.with(|id| unsafe { *id }))
    }

    fn put(&self, start: usize, id: usize) {
        self.insert(start..start + 10, Value::new(id)).unwrap();
    }
}

/// Runs `model` with a registry of regions of 10 bytes that have these starts. A region's id is its start.
fn check(starts: &'static [usize], model: impl Fn(&Arc<Registry<Value>>) + Send + Sync + 'static) {
    check_within(None, starts, model);
}

/// [`check`], but only in the orders in which threads are interrupted at most this many times.
fn check_within(
    interruptions: Option<usize>,
    starts: &'static [usize],
    model: impl Fn(&Arc<Registry<Value>>) + Send + Sync + 'static,
) {
    let mut builder = Builder::new();
    builder.preemption_bound = interruptions;
    builder.check(move || {
        let registry = Arc::new(Registry::new());
        for &start in starts {
            registry.put(start, start);
        }
        model(&registry);
    });
}

fn spawn<R: 'static>(
    registry: &Arc<Registry<Value>>,
    act: impl FnOnce(&Registry<Value>) -> R + 'static,
) -> thread::JoinHandle<R> {
    let registry = Arc::clone(registry);
    thread::spawn(move || act(&registry))
}

#[test]
fn a_look_during_an_insert_finds_the_neighbours() {
    // Of two chunks, one is copied.
    check(&[10, 30, 40, 50, 60], |registry| {
        let writer = spawn(registry, |registry| {
            registry.put(20, 20);
            assert_eq!(registry.look(20), Some(20));
        });
        assert!([None, Some(20)].contains(&registry.look(25)));
        assert_eq!([19, 30, 60].map(|address| registry.look(address)), [Some(10), Some(30), Some(60)]);
        writer.join().unwrap();
        assert_eq!(registry.look(25), Some(20));
    });
}

#[test]
fn a_look_during_an_insert_that_splits_finds_the_neighbours() {
    check(&[10, 30, 40, 50], |registry| {
        let writer = spawn(registry, |registry| registry.put(20, 20));
        assert_eq!([19, 30].map(|address| registry.look(address)), [Some(10), Some(30)]);
        writer.join().unwrap();
        assert_eq!(registry.look(25), Some(20));
    });
}

#[test]
fn a_look_during_the_first_insert_finds_it_or_nothing() {
    check(&[], |registry| {
        let writer = spawn(registry, |registry| registry.put(20, 20));
        assert!([None, Some(20)].contains(&registry.look(25)));
        writer.join().unwrap();
        assert_eq!(registry.look(25), Some(20));
    });
}

#[test]
fn a_look_during_a_removal_finds_the_region_or_nothing() {
    check(&[10, 20, 30], |registry| {
        let writer = spawn(registry, |registry| {
            registry.remove(20);
            assert_eq!(registry.look(20), None);
        });
        let first = registry.look(25);
        assert!([None, Some(20)].contains(&first));
        let second = registry.look(25);
        assert!(second.is_none() || second == first, "it came back");
        assert_eq!(registry.look(15), Some(10));
        writer.join().unwrap();
        assert_eq!(registry.look(25), None);
    });
}

#[test]
fn a_look_during_a_removal_and_an_insert_there_finds_one_of_the_two() {
    check(&[10, 20], |registry| {
        let writer = spawn(registry, |registry| {
            registry.remove(20);
            registry.put(20, 21);
        });
        let (first, second) = (registry.look(25), registry.look(25));
        // The old one, then nothing, then the new one.
        let order = [Some(20), None, Some(21)];
        let place = |id| order.iter().position(|&other| other == id).unwrap();
        assert!(place(first) <= place(second), "{first:?} {second:?}");
        writer.join().unwrap();
        assert_eq!(registry.look(25), Some(21));
    });
}

#[test]
fn nothing_is_freed_while_either_of_two_threads_looks() {
    check_within(Some(3), &[10, 20], |registry| {
        let looks = spawn(registry, |registry| assert!([None, Some(20)].contains(&registry.look(25))));
        let writer = spawn(registry, |registry| {
            registry.remove(20);
            registry.remove(10);
        });
        assert!([None, Some(10)].contains(&registry.look(15)));
        looks.join().unwrap();
        writer.join().unwrap();
        assert_eq!([15, 25].map(|address| registry.look(address)), [None; 2]);
    });
}

#[test]
fn a_look_while_two_writers_work_finds_only_registered_regions() {
    check_within(Some(3), &[10, 20], |registry| {
        let one = spawn(registry, |registry| registry.remove(20));
        let two = spawn(registry, |registry| registry.put(30, 30));
        let handler = spawn(registry, |registry| {
            assert!([None, Some(20)].contains(&registry.look(25)));
            assert!([None, Some(30)].contains(&registry.look(35)));
            assert_eq!(registry.look(15), Some(10));
        });
        for thread in [one, two, handler] {
            thread.join().unwrap();
        }
        assert_eq!([15, 25, 35].map(|address| registry.look(address)), [Some(10), None, Some(30)]);
    });
}

#[test]
fn a_thread_that_sees_the_flag_of_an_insert_finds_the_region() {
    use crate::sync::atomic::{AtomicBool, Ordering};
    check(&[10], |registry| {
        let is_registered = Arc::new(AtomicBool::new(false));
        let signal = Arc::clone(&is_registered);
        let writer = spawn(registry, move |registry| {
            registry.put(20, 20);
            signal.store(true, Ordering::Release);
        });
        if is_registered.load(Ordering::Acquire) {
            assert_eq!(registry.look(25), Some(20));
        }
        writer.join().unwrap();
    });
}
