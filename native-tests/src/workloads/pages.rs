//! Access to single bytes of loaded pages.

use std::hint::black_box;

use portable_mmap::{Backend, Mapping, Mmap};

use super::data::MIB;
use super::{OURS, Place, Ways};
use crate::random::Random;

/// The same over an OS mapping.
pub(super) const MAPPED: &str = "Mapped";
/// The same over a slice.
pub(super) const SLICE: &str = "a slice";
/// The same over a slice, with the check that is needed if a page may be absent.
const CHECKED: &str = "a slice, with a check for each byte";

/// The number of bytes of access in order.
const ALL_OF: usize = 64 * MIB;

fn indices(place: &Place) -> Vec<u32> {
    let mut random = Random::new(7);
    (0..place.len.min(4 * MIB)).map(|_| u32::try_from(random.below(place.len)).expect("files are shorter")).collect()
}

fn sum(indices: &[u32], byte: impl Fn(usize) -> u8) {
    black_box(indices.iter().fold(0_u64, |sum, &at| sum + u64::from(byte(at as usize))));
}

fn each<B: Backend + 'static>(ways: &mut Ways, name: &'static str, place: &Place, map: impl FnOnce() -> Mapping<B>) {
    ways.add(name, || {
        let (map, indices) = (map(), indices(place));
        move || sum(&indices, |at| map[at])
    });
}

fn once<B: Backend + 'static>(ways: &mut Ways, name: &'static str, place: &Place, map: impl FnOnce() -> Mapping<B>) {
    ways.add(name, || {
        let (map, indices) = (map(), indices(place));
        move || {
            let bytes = &map[..];
            sum(&indices, |at| bytes[at]);
        }
    });
}

/// `m[i]` at shuffled indices.
pub(super) fn index(place: &Place, ways: &mut Ways) {
    let path = place.random();
    each(ways, OURS, place, || place.buffered(&path));
    if cfg!(any(unix, windows)) {
        each(ways, MAPPED, place, || place.mapped(&path));
    }
    slice(place, ways);
}

/// The same over a range that was borrowed once.
pub(super) fn range_once(place: &Place, ways: &mut Ways) {
    let path = place.random();
    once(ways, OURS, place, || place.buffered(&path));
    if cfg!(any(unix, windows)) {
        once(ways, MAPPED, place, || place.mapped(&path));
    }
    slice(place, ways);
}

/// `m[i]` at shuffled indices of the platform's default mapping; in a sandbox that is one of two backends.
pub(super) fn own_index(place: &Place, ways: &mut Ways) {
    each(ways, OURS, place, || place.mapped(&place.random()));
    slice(place, ways);
}

/// `m[i]` for one index after the other.
pub(super) fn own_index_in_order(place: &Place, ways: &mut Ways) {
    in_order(place, ways, |map, len| (0..len).fold(0, |sum, at| sum + u64::from(map[at])));
}

/// `m.iter()`.
pub(super) fn own_iter(place: &Place, ways: &mut Ways) {
    in_order(place, ways, |map, len| {
        let mut sum = 0;
        // A loop as users write it, because `sum` would borrow a piece at a time.
        for &byte in map.iter().take(len) {
            sum += u64::from(byte);
        }
        sum
    });
}

/// Sums bytes with a loop over the platform's default mapping, and with a loop over a slice.
fn in_order(place: &Place, ways: &mut Ways, sum: fn(&Mmap, usize) -> u64) {
    let len = place.len.min(ALL_OF);
    ways.add(OURS, || {
        let map = place.mapped(&place.random());
        move || _ = black_box(sum(&map, black_box(len)))
    });
    slice_in_order(place, ways, len);
    checked_in_order(place, ways, len);
}

/// The same loop over a slice, with bounds checks, because in general the compiler cannot prove that an index is valid.
#[expect(clippy::needless_range_loop, reason = "indices are what is measured")]
fn slice_in_order(place: &Place, ways: &mut Ways, len: usize) {
    ways.add(SLICE, || {
        let bytes = place.read(&place.random());
        move || {
            let (bytes, mut sum) = (black_box(&bytes[..]), 0_u64);
            for at in 0..black_box(len) {
                sum += u64::from(bytes[at]);
            }
            black_box(sum);
        }
    });
}

/// The cost of the check alone: the same loop over a slice compares each index with the end of the loaded bytes. Every
/// mapping that loads pages when they are first touched needs this check. The compiler cannot assume anything about the
/// function that is called for the other indices.
#[expect(clippy::needless_range_loop, reason = "indices are what is measured")]
fn checked_in_order(place: &Place, ways: &mut Ways, len: usize) {
    #[cold]
    #[inline(never)]
    fn load(at: usize, loaded: &mut usize) {
        *loaded = black_box(at + 1);
    }

    ways.add(CHECKED, || {
        let bytes = place.read(&place.random());
        move || {
            let (bytes, mut loaded, mut sum) = (black_box(&bytes[..]), black_box(len), 0_u64);
            for at in 0..black_box(len) {
                if at >= loaded {
                    load(at, &mut loaded);
                }
                sum += u64::from(bytes[at]);
            }
            black_box(sum);
        }
    });
}

fn slice(place: &Place, ways: &mut Ways) {
    ways.add(SLICE, || {
        let (bytes, indices) = (place.read(&place.random()), indices(place));
        move || sum(&indices, |at| bytes[at])
    });
}
