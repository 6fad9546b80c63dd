//! Whether the process has areas of memory left, of which Linux gives it only so many.
//!
//! A mapping takes some, and may leave some behind. The system joins neighbours to one area, but not those that a guest has
//! written to while something else lay between them. So a guest that maps, stores and unmaps in a bad order leaves the store
//! more areas each time, until it is dropped. No count of mappings bounds that, and at the limit of the system the host's
//! own allocator fails. So the areas are counted, but not each time: it takes as long as there are areas.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use portable_mmap::host::Guard;

/// So many areas a mapping or a refresh takes or leaves behind, at most.
const MOST_ADDED: usize = Guard::MOST_AREAS + 4;

/// After so many mappings and refreshes the areas are counted again: the process has other uses for them too.
const MOST_UNCOUNTED: usize = 256;

/// How many areas Linux gives a process unless it is told otherwise.
const MOST_AREAS: usize = 65_530;

/// After a count that finds too few areas left, nobody counts for so many times as long as the count took. Others wait for a
/// count, and a guest could ask for mappings without end.
const REST: u32 = 10;

static LEFT: Mutex<Left> = Mutex::new(Left { uncounted: 0, rests_until: None });

/// What is known of the areas that are left.
#[derive(Debug)]
struct Left {
    /// So many more mappings and refreshes may come before the areas are counted.
    uncounted: usize,
    /// Until then there are too few.
    rests_until: Option<Instant>,
}

impl Left {
    /// Takes the areas of one mapping or refresh, if there are any. `are_enough` counts.
    fn take(&mut self, are_enough: impl FnOnce() -> bool) -> bool {
        if self.uncounted == 0 {
            let start = Instant::now();
            if self.rests_until.is_some_and(|until| start < until) {
                return false;
            }
            if !are_enough() {
                self.rests_until = Some(start + start.elapsed() * (REST + 1));
                return false;
            }
            *self = Self { uncounted: MOST_UNCOUNTED, rests_until: None };
        }
        self.uncounted -= 1;
        true
    }
}

fn left() -> MutexGuard<'static, Left> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there are areas for one more mapping or refresh, which then counts as done. A quarter of them is the host's.
pub(super) fn take() -> bool {
    // Without a count nothing is known to be left.
    left().take(|| count().is_ok_and(|areas| areas + MOST_UNCOUNTED * MOST_ADDED <= most() / 4 * 3))
}

/// A store has given areas back: there may be enough again.
pub(super) fn given_back() {
    left().rests_until = None;
}

fn most() -> usize {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count");
    text.ok().and_then(|text| text.trim_end().parse().ok()).unwrap_or(MOST_AREAS)
}

/// How many areas the process has: lines of a file that the system writes as it is read.
fn count() -> io::Result<usize> {
    let (mut list, mut lines) = (BufReader::with_capacity(64 << 10, File::open("/proc/self/maps")?), 0);
    while list.skip_until(b'\n')? > 0 {
        lines += 1;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_process_has_areas_and_a_limit() {
        let areas = count().unwrap();
        assert!((3..most()).contains(&areas), "{areas} areas");
        assert!((0..10 * MOST_UNCOUNTED).all(|_| take()), "a process that maps nothing has areas left");
    }

    #[test]
    fn areas_are_counted_once_for_many_mappings() {
        let (mut left, mut counts) = (Left { uncounted: 0, rests_until: None }, 0);
        for _ in 0..3 * MOST_UNCOUNTED {
            assert!(left.take(|| {
                counts += 1;
                true
            }));
        }
        assert_eq!(counts, 3);
    }

    #[test]
    fn where_too_few_are_left_they_are_not_counted_again_at_once() {
        let (mut left, mut counts) = (Left { uncounted: 0, rests_until: None }, 0);
        for _ in 0..1000 {
            assert!(!left.take(|| {
                counts += 1;
                std::thread::sleep(Duration::from_secs(1));
                false
            }));
        }
        assert_eq!(counts, 1);
        left.rests_until = Some(Instant::now());
        assert!(left.take(|| true), "after the rest there may be enough");
    }
}
