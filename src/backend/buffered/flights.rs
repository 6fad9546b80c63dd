//! Tracks which pages are being loaded, and by which thread. Loads of different pages run in parallel, and no page is
//! loaded twice.
//!
//! A thread that needs absent pages takes a [`Flight`] of pages that nobody else is loading, fills their memory without
//! a lock, and then lands: it marks the pages as loaded under the lock. A thread whose pages are all in flight waits
//! until a flight lands.

use std::ops::Range;
use std::sync::PoisonError;

use crate::page_set::PageSet;
use crate::sync::thread::{self, ThreadId};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::{Error, Result};

/// The loads of one mapping.
#[derive(Debug)]
pub(super) struct Flights<T> {
    state: Mutex<State<T>>,
    landed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    in_flight: Vec<(Range<usize>, ThreadId)>,
    /// Other state that the lock protects.
    extra: T,
}

/// What a thread that needs pages has to do next.
#[derive(Debug)]
pub(super) enum Start<'f, T> {
    /// Nothing: all pages are loaded.
    Loaded,
    /// Load these pages, and land.
    Flight(Flight<'f, T>),
    /// Return an error: the thread is already loading these pages itself, so waiting would never end.
    Reentered,
}

/// Pages that only the current thread may load. If the flight is dropped without landing, they stay absent.
#[derive(Debug)]
pub(super) struct Flight<'f, T> {
    flights: &'f Flights<T>,
    pub(super) pages: Range<usize>,
}

/// The state under the lock, while a flight lands.
#[derive(Debug)]
pub(super) struct Landing<'l, T> {
    others: &'l [(Range<usize>, ThreadId)],
    pub(super) extra: &'l mut T,
}

impl<T> Landing<'_, T> {
    /// Calls `act` with the runs of pages within `range` that are in no other flight.
    pub(super) fn not_in_flight(&self, range: Range<usize>, mut act: impl FnMut(Range<usize>)) {
        let mut rest = range;
        while !rest.is_empty() {
            let run = free_run(self.others, rest.clone());
            rest.start = run.end;
            if !run.is_empty() {
                act(run);
            }
        }
    }
}

/// The first run of pages within `range` that is in no flight. If all are in a flight, the run is empty, at the end of
/// the range.
fn free_run(in_flight: &[(Range<usize>, ThreadId)], range: Range<usize>) -> Range<usize> {
    let Range { mut start, end } = range;
    while let Some((taken, _)) = in_flight.iter().find(|(taken, _)| start < end && taken.contains(&start)) {
        start = taken.end.min(end);
    }
    let next = in_flight.iter().map(|(taken, _)| taken.start).filter(|&next| next > start).min();
    start..next.unwrap_or(end).min(end)
}

impl<T> Flights<T> {
    pub(super) fn new(extra: T) -> Self {
        Self { state: Mutex::new(State { in_flight: Vec::new(), extra }), landed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A panic in a storage leaves this state valid, because pages are added after their bytes were read.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `act` under the lock.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut self.lock().extra)
    }

    /// Takes pages to load: the first run of absent pages in `wanted` that is in no flight. `read_ahead_end` returns
    /// the end up to which further pages should be loaded. The flight ends before the next page that is loaded, or that
    /// is in `lost`. A flight that starts with a page in `lost` has only pages in `lost`.
    ///
    /// # Errors
    /// [`Error::NoMemory`].
    pub(super) fn start(
        &self,
        loaded: &PageSet,
        lost: Option<&PageSet>,
        wanted: &Range<usize>,
        read_ahead_end: impl FnOnce(&mut T, &Range<usize>) -> usize,
    ) -> Result<Start<'_, T>> {
        let mut state = self.lock();
        loop {
            // Reserved before anything changes, because it may fail.
            let room = state.in_flight.try_reserve(1);
            room.map_err(|_| Error::no_memory(size_of::<(Range<usize>, ThreadId)>() as u64))?;
            let mut absent = loaded.first_absent(wanted);
            if absent.is_empty() {
                return Ok(Start::Loaded);
            }
            while !absent.is_empty() {
                let free = free_run(&state.in_flight, absent.clone());
                if !free.is_empty() {
                    let pages = extended(&mut state, loaded, lost, free, read_ahead_end);
                    state.in_flight.push((pages.clone(), thread::current().id()));
                    return Ok(Start::Flight(Flight { flights: self, pages }));
                }
                absent = loaded.first_absent(&(absent.end..wanted.end));
            }
            let own = thread::current().id();
            let overlaps = |taken: &Range<usize>| taken.start < wanted.end && wanted.start < taken.end;
            if state.in_flight.iter().any(|(taken, by)| *by == own && overlaps(taken)) {
                return Ok(Start::Reentered);
            }
            state = self.landed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The pages of a flight that starts with the run `free`.
fn extended<T>(
    state: &mut State<T>,
    loaded: &PageSet,
    lost: Option<&PageSet>,
    free: Range<usize>,
    read_ahead_end: impl FnOnce(&mut T, &Range<usize>) -> usize,
) -> Range<usize> {
    if let Some(lost) = lost {
        let run = lost.first_present(&free);
        if run.start == free.start && !run.is_empty() {
            return run;
        }
    }
    let end = read_ahead_end(&mut state.extra, &free).max(free.end);
    let mut pages = loaded.first_absent(&(free.start..end));
    if let Some(lost) = lost {
        pages = lost.first_absent(&pages);
    }
    free_run(&state.in_flight, pages)
}

impl<T> Flight<'_, T> {
    /// Calls `act` under the lock, and wakes the threads that wait for these pages.
    pub(super) fn land<R>(self, act: impl FnOnce(Landing<'_, T>) -> R) -> R {
        let mut state = self.flights.lock();
        forget(&mut state, &self.pages);
        let State { in_flight, extra } = &mut *state;
        let result = act(Landing { others: in_flight, extra });
        drop(state);
        self.flights.landed.notify_all();
        std::mem::forget(self);
        result
    }
}

/// Removes a flight.
fn forget<T>(state: &mut State<T>, pages: &Range<usize>) {
    state.in_flight.retain(|(taken, _)| taken != pages);
}

impl<T> Drop for Flight<'_, T> {
    fn drop(&mut self) {
        forget(&mut self.flights.lock(), &self.pages);
        self.flights.landed.notify_all();
    }
}

/// Models of two threads, run in every order of their steps by `make loom`.
#[cfg(all(test, loom))]
mod models {
    use super::*;
    use crate::sync::atomic::{AtomicUsize, Ordering};
    use crate::sync::{Arc, UnsafeCell};

    const PAGES: usize = 3;

    struct Memory {
        pages: Vec<UnsafeCell<u8>>,
        loaded: PageSet,
        flights: Flights<()>,
        /// How many pages were read from the storage.
        reads: AtomicUsize,
        /// Whether the next read fails.
        failing: AtomicUsize,
    }

    // SAFETY: loom sees every access to the cells, and that is what is checked.
    unsafe impl Sync for Memory {}
    // SAFETY: as for `Sync`.
    unsafe impl Send for Memory {}

    impl Memory {
        fn new(failing: usize) -> Arc<Self> {
            Arc::new(Self {
                pages: (0..PAGES).map(|_| UnsafeCell::new(0)).collect(),
                loaded: PageSet::with_room(PAGES).unwrap(),
                flights: Flights::new(()),
                reads: AtomicUsize::new(0),
                failing: AtomicUsize::new(failing),
            })
        }

        /// Loads as a buffer does. False if the read fails.
        fn load(&self, wanted: &Range<usize>, ahead: usize) -> bool {
            if self.loaded.contains_all(wanted) {
                return true;
            }
            loop {
                match self.flights.start(&self.loaded, None, wanted, |(), run| (run.end + ahead).min(PAGES)).unwrap() {
                    Start::Loaded => return true,
                    Start::Reentered => panic!("no read asks for pages"),
                    Start::Flight(flight) => {
                        if self.failing.swap(0, Ordering::Relaxed) > 0 {
                            return false;
                        }
                        let pages = flight.pages.clone();
                        for page in pages.clone() {
                            // SAFETY: loom checks that nobody else accesses the cell meanwhile.
                            self.pages[page].with_mut(|byte| unsafe { *byte += 1 });
                        }
                        self.reads.fetch_add(pages.len(), Ordering::Relaxed);
                        flight.land(|_| self.loaded.insert(&pages));
                    }
                }
            }
        }

        fn check(&self, wanted: &Range<usize>) {
            for page in wanted.clone() {
                // SAFETY: as above.
                assert_eq!(self.pages[page].with(|byte| unsafe { *byte }), 1, "loaded, and loaded once");
            }
        }
    }

    fn load_twice(memory: &Arc<Memory>, ranges: [Range<usize>; 2], ahead: usize) {
        let [first, second] = ranges;
        let other = {
            let memory = memory.clone();
            thread::spawn(move || {
                while !memory.load(&second, ahead) {}
                memory.check(&second);
            })
        };
        while !memory.load(&first, ahead) {}
        memory.check(&first);
        other.join().unwrap();
    }

    #[test]
    fn loom_loads_that_overlap_read_each_page_once() {
        loom::model(|| {
            let memory = Memory::new(0);
            load_twice(&memory, [0..2, 1..3], 0);
            assert_eq!(memory.reads.load(Ordering::Relaxed), 3);
        });
    }

    #[test]
    fn loom_loads_of_one_range_wait_for_each_other() {
        loom::model(|| {
            let memory = Memory::new(0);
            load_twice(&memory, [0..1, 0..1], 1);
            assert_eq!(memory.reads.load(Ordering::Relaxed), 2);
        });
    }

    #[test]
    fn loom_a_load_that_fails_lets_the_other_thread_load() {
        loom::model(|| {
            let memory = Memory::new(1);
            load_twice(&memory, [0..1, 0..2], 0);
        });
    }
}
