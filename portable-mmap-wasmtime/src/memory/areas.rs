//! Checks that the process has areas of memory left. Linux gives a process a limited number of them.
//!
//! A mapping uses some, and may leave some behind. The system joins adjacent areas to one area, but not those that a
//! guest has written to while something else lay between them. So a guest that maps, stores and unmaps in a bad order
//! leaves more areas in the store each time, until the store is dropped. No limit on the number of mappings bounds
//! that, and at the limit of the system the host's own allocator fails. So the areas are counted, but not each time,
//! because counting takes as long as there are areas.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use portable_mmap::host::Guard;

/// The largest number of areas that a mapping or a refresh uses or leaves behind.
const MOST_ADDED: usize = Guard::MOST_AREAS + 4;

/// The number of mappings and refreshes after which the areas are counted again: other parts of the process use areas
/// too.
const MOST_UNCOUNTED: usize = 256;

/// How many areas Linux gives a process by default.
const MOST_AREAS: usize = 65_530;

/// After a count that finds too few areas left, no count starts for this many times as long as the count took.
/// Otherwise a guest could request mappings all the time, and others would always wait for a count.
const PAUSE_FACTOR: u32 = 10;

static LEFT: Mutex<Left> = Mutex::new(Left { uncounted: 0, paused_until: None });

/// What the last count has found.
#[derive(Debug)]
struct Left {
    /// The number of mappings and refreshes before the areas are counted again.
    uncounted: usize,
    /// There are too few areas, and no count starts before this time.
    paused_until: Option<Instant>,
}

impl Left {
    /// Uses the areas of one mapping or refresh, if there are any. `are_enough` counts them.
    fn take(&mut self, are_enough: impl FnOnce() -> bool) -> bool {
        if self.uncounted == 0 {
            let start = Instant::now();
            if self.paused_until.is_some_and(|until| start < until) {
                return false;
            }
            if !are_enough() {
                self.paused_until = Some(start + start.elapsed() * (PAUSE_FACTOR + 1));
                return false;
            }
            *self = Self { uncounted: MOST_UNCOUNTED, paused_until: None };
        }
        self.uncounted -= 1;
        true
    }
}

fn left() -> MutexGuard<'static, Left> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there are areas for one more mapping or refresh, which then counts as made. A quarter of them is reserved
/// for the host.
pub(super) fn take() -> bool {
    // If the count fails, no areas are known to be left.
    left().take(|| count().is_ok_and(|areas| areas + MOST_UNCOUNTED * MOST_ADDED <= most() / 4 * 3))
}

/// Records that a store has released areas: there may be enough again.
pub(super) fn released() {
    left().paused_until = None;
}

fn most() -> usize {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count");
    text.ok().and_then(|text| text.trim_end().parse().ok()).unwrap_or(MOST_AREAS)
}

/// The number of areas of the process: the number of lines of a file that the system generates when it is read.
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
        assert!((0..10 * MOST_UNCOUNTED).all(|_| take()), "areas are left in a process that maps nothing");
    }

    #[test]
    fn areas_are_counted_once_for_many_mappings() {
        let (mut left, mut counts) = (Left { uncounted: 0, paused_until: None }, 0);
        for _ in 0..3 * MOST_UNCOUNTED {
            assert!(left.take(|| {
                counts += 1;
                true
            }));
        }
        assert_eq!(counts, 3);
    }

    #[test]
    fn a_count_that_finds_too_few_is_not_repeated_at_once() {
        let (mut left, mut counts) = (Left { uncounted: 0, paused_until: None }, 0);
        for _ in 0..1000 {
            assert!(!left.take(|| {
                counts += 1;
                std::thread::sleep(Duration::from_secs(1));
                false
            }));
        }
        assert_eq!(counts, 1);
        left.paused_until = Some(Instant::now());
        assert!(left.take(|| true), "after the pause the areas are counted again");
    }
}
