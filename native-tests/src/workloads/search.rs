//! Searching forwards and backwards.

use std::fmt::Write as _;
use std::hint::black_box;

use super::data::{ABSENT, EARLY, LATE, mirrored};
use super::{OURS, Place, Ways, python};

/// The search function that a mapping uses, over a slice: a mapping cannot be faster.
pub(super) const MEMMEM: &str = "memchr's memmem, a slice";
/// The name of the way that searches from the other end.
pub(super) const OUR_FIND: &str = "our find";

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

fn find(place: &Place, ways: &mut Ways, needle: &[u8]) {
    let path = place.text();
    ways.add(OURS, || {
        let (map, needle) = (place.mapped(&path), needle.to_vec());
        move || {
            black_box(map.find(black_box(&needle)).expect("the text can be searched"));
        }
    });
    ways.add(MEMMEM, || {
        let (bytes, needle) = (place.read(&path), needle.to_vec());
        move || {
            black_box(memchr::memmem::find(black_box(&bytes), black_box(&needle)));
        }
    });
    python::add(ways, place, &path, &["find", &hexadecimal(needle)]);
}

/// `rfind`; and `find` of a needle that takes as long.
fn rfind(place: &Place, ways: &mut Ways, needle: &[u8], forwards: &[u8]) {
    let path = place.text();
    ways.add(OURS, || {
        let (map, needle) = (place.mapped(&path), needle.to_vec());
        move || {
            black_box(map.rfind(black_box(&needle)).expect("the text can be searched"));
        }
    });
    ways.add(OUR_FIND, || {
        let (map, needle) = (place.mapped(&path), forwards.to_vec());
        move || {
            black_box(map.find(black_box(&needle)).expect("the text can be searched"));
        }
    });
    python::add(ways, place, &path, &["rfind", &hexadecimal(needle)]);
}

/// `find` of an absent needle; and `rfind` of it and of its mirror image.
macro_rules! absent {
    ($index:literal: $find:ident, $rfind:ident, $mirrored:ident) => {
        pub(super) fn $find(place: &Place, ways: &mut Ways) {
            find(place, ways, ABSENT[$index]);
        }

        pub(super) fn $rfind(place: &Place, ways: &mut Ways) {
            rfind(place, ways, ABSENT[$index], ABSENT[$index]);
        }

        pub(super) fn $mirrored(place: &Place, ways: &mut Ways) {
            let needle = mirrored(ABSENT[$index]);
            rfind(place, ways, &needle, &needle);
        }
    };
}

absent!(0: find_rare, rfind_rare, rfind_rare_mirrored);
absent!(1: find_common, rfind_common, rfind_common_mirrored);
absent!(2: find_two, rfind_two, rfind_two_mirrored);
absent!(3: find_repeated, rfind_repeated, rfind_repeated_mirrored);

/// A needle near the end.
pub(super) fn find_late(place: &Place, ways: &mut Ways) {
    find(place, ways, LATE);
}

/// The same from the end: it is found at once, like a needle near the start with `find`.
pub(super) fn rfind_late(place: &Place, ways: &mut Ways) {
    rfind(place, ways, LATE, EARLY);
}

/// A needle near the start, from the end: as far as a needle near the end with `find`.
pub(super) fn rfind_late_mirrored(place: &Place, ways: &mut Ways) {
    rfind(place, ways, EARLY, LATE);
}
