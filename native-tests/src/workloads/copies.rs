//! Copying out of a mapping, and within one.

use std::hint::black_box;

use portable_mmap::{Mmap, Slice};

use super::data::MIB;
use super::{OURS, Place, Ways};

/// Moves half of the bytes by less than their number, so that source and destination overlap.
pub(super) fn move_within(place: &Place, ways: &mut Ways) {
    let len = place.len.min(64 * MIB);
    let (to, count) = (len / 2 - len / 8, len / 2);
    ways.add(OURS, || {
        let mut map = Mmap::anonymous(len).expect("there is memory");
        map[..].fill(1);
        move || map.move_within(black_box(to), 0, count).expect("both ranges are inside")
    });
    ways.add("copy_within", || {
        let mut bytes = vec![1_u8; len];
        move || {
            bytes.copy_within(0..count, black_box(to));
            black_box(&bytes);
        }
    });
}

/// All bytes.
pub(super) fn get_slice(place: &Place, ways: &mut Ways) {
    let path = place.random();
    let len = place.len / 4;
    ways.add(OURS, || {
        let map = place.mapped(&path);
        move || drop(black_box(map.get_slice(..isize::try_from(len).expect("it is short")).expect("there is memory")))
    });
    ways.add("to_vec", || {
        let map = place.mapped(&path);
        move || drop(black_box(map[..len].to_vec()))
    });
}

fn stepped(place: &Place, ways: &mut Ways, step: isize) {
    let path = place.random();
    let len = place.len / 4;
    ways.add(OURS, || {
        let map = place.mapped(&path);
        let slice = if step > 0 {
            Slice::new(None, Some(isize::try_from(len).expect("it is short")), step)
        } else {
            Slice::new(Some(isize::try_from(len - 1).expect("it is short")), None, step)
        };
        move || drop(black_box(map.get_slice(slice).expect("there is memory")))
    });
    ways.add("a plain iterator", || {
        let map = place.mapped(&path);
        let stride = step.unsigned_abs();
        move || {
            let bytes = &map[..len];
            let picked: Vec<u8> = if step > 0 {
                bytes.iter().step_by(black_box(stride)).copied().collect()
            } else {
                bytes.iter().rev().step_by(black_box(stride)).copied().collect()
            };
            drop(black_box(picked));
        }
    });
}

/// Every third byte.
pub(super) fn every_third(place: &Place, ways: &mut Ways) {
    stepped(place, ways, 3);
}

/// All bytes, from the last to the first.
pub(super) fn backwards(place: &Place, ways: &mut Ways) {
    stepped(place, ways, -1);
}
