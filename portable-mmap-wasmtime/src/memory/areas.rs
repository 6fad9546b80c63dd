//! Whether the process has areas of memory left, of which Linux gives it only so many.
//!
//! A mapping takes some, and may leave some behind. The system joins neighbours to one area, but not those that a guest has
//! written to while something else lay between them. So a guest that maps, stores and unmaps in a bad order leaves the store
//! more areas each time, until it is dropped. No count of mappings bounds that, and at the limit of the system the host's
//! own allocator fails. So the areas are counted, but not each time: it takes as long as there are areas.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::sync::{Mutex, PoisonError};

use portable_mmap::host::Guard;

/// So many areas a mapping or a refresh takes or leaves behind, at most.
const MOST_ADDED: usize = Guard::MOST_AREAS + 4;

/// After so many mappings and refreshes the areas are counted again: the process has other uses for them too.
const MOST_UNCOUNTED: usize = 256;

/// How many areas Linux gives a process unless it is told otherwise.
const MOST_AREAS: usize = 65_530;

/// So many more mappings and refreshes may come before the areas are counted.
static LEFT: Mutex<usize> = Mutex::new(0);

/// Whether there are areas for one more mapping or refresh, which then counts as done. A quarter of them is the host's.
pub(super) fn take() -> bool {
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    if *left == 0 {
        // Without a count nothing is known to be left.
        let may_use = count().is_ok_and(|areas| areas + MOST_UNCOUNTED * MOST_ADDED <= most() / 4 * 3);
        *left = if may_use { MOST_UNCOUNTED } else { 0 };
    }
    let is_left = *left > 0;
    *left = left.saturating_sub(1);
    is_left
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
    use super::*;

    #[test]
    fn a_process_has_areas_and_a_limit() {
        let areas = count().unwrap();
        assert!((3..most()).contains(&areas), "{areas} areas");
        assert!((0..10 * MOST_UNCOUNTED).all(|_| take()), "a process that maps nothing has areas left");
    }
}
