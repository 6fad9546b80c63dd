//! One byte at a time.

use std::hint::black_box;
use std::io::SeekFrom;

use portable_mmap::{Backend, BufferedMmap, Mapping, Mmap};

use super::data::MIB;
use super::{OURS, Place, Ways};

/// The way for comparison.
pub(super) const INDEX: &str = "an index into a slice";

fn len(place: &Place) -> usize {
    place.len.min(16 * MIB)
}

fn anonymous(len: usize) -> Mmap {
    let mut map = Mmap::anonymous(len).expect("there is memory");
    map[..].fill(1);
    map
}

/// `read_byte` for all bytes.
pub(super) fn read_byte(place: &Place, ways: &mut Ways) {
    let len = len(place);
    ways.add(OURS, || {
        let mut map = anonymous(len);
        move || {
            map.seek(SeekFrom::Start(0)).expect("every mapping has a start");
            for _ in 0..len {
                black_box(map.read_byte().expect("it is not past the end"));
            }
        }
    });
    read_index(ways, len);
}

/// `write_byte` for all bytes.
pub(super) fn write_byte(place: &Place, ways: &mut Ways) {
    let len = len(place);
    write_each(ways, len, || anonymous(len));
}

/// The same over a buffer; in a sandbox [`write_byte`] uses a buffer.
pub(super) fn write_byte_buffered(place: &Place, ways: &mut Ways) {
    let len = len(place);
    write_each(ways, len, || {
        let mut map: BufferedMmap = BufferedMmap::anonymous(len).expect("there is memory");
        map[..].fill(1);
        map
    });
}

fn write_each<B: Backend + 'static>(ways: &mut Ways, len: usize, map: impl FnOnce() -> Mapping<B>) {
    ways.add(OURS, || {
        let mut map = map();
        move || {
            map.seek(SeekFrom::Start(0)).expect("every mapping has a start");
            for _ in 0..len {
                map.write_byte(black_box(2)).expect("it is not past the end");
            }
        }
    });
    write_index(ways, len);
}

fn read_index(ways: &mut Ways, len: usize) {
    ways.add(INDEX, || {
        let bytes = vec![1_u8; len];
        move || {
            for at in 0..len {
                black_box(bytes[black_box(at)]);
            }
        }
    });
}

fn write_index(ways: &mut Ways, len: usize) {
    ways.add(INDEX, || {
        let mut bytes = vec![1_u8; len];
        move || {
            for at in 0..len {
                bytes[black_box(at)] = black_box(2);
            }
        }
    });
}

/// `seek` to different positions.
pub(super) fn seek(place: &Place, ways: &mut Ways) {
    let len = len(place);
    ways.add(OURS, || {
        let mut map = anonymous(len);
        move || {
            for at in 0..len {
                black_box(map.seek(SeekFrom::Start(black_box(at) as u64)).expect("it is not past the end"));
            }
        }
    });
    read_index(ways, len);
}
