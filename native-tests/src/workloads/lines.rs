//! Reading line by line.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Seek, SeekFrom};

use super::data::MIB;
use super::{OURS, Place, Ways, python};

/// The way of the standard library.
pub(super) const READ_UNTIL: &str = "read_until, BufReader of 1 MiB";

/// All lines of the text.
pub(super) fn readline(place: &Place, ways: &mut Ways) {
    let path = place.text();
    ways.add(OURS, || {
        let mut map = place.mapped(&path);
        move || {
            map.seek(SeekFrom::Start(0)).expect("every mapping has a start");
            while !black_box(map.readline().expect("the text can be read")).is_empty() {}
        }
    });
    read_until(place, ways);
    python::add(ways, place, &path, &["readline"]);
}

/// The same by the iterator.
pub(super) fn iterator(place: &Place, ways: &mut Ways) {
    let path = place.text();
    ways.add(OURS, || {
        let map = place.mapped(&path);
        move || {
            for line in map.lines_with_terminator() {
                black_box(line.expect("the text can be read"));
            }
        }
    });
    read_until(place, ways);
    python::add(ways, place, &path, &["readline"]);
}

fn read_until(place: &Place, ways: &mut Ways) {
    let path = place.text();
    ways.add(READ_UNTIL, || {
        let file = File::open(&path).expect("the text can be opened");
        let (mut reader, mut line, len) = (BufReader::with_capacity(MIB, file), Vec::new(), place.len);
        move || {
            reader.seek(SeekFrom::Start(0)).expect("every file has a start");
            let mut read = 0;
            while read < len {
                line.clear();
                read += reader.read_until(b'\n', &mut line).expect("the text can be read");
                black_box(&line);
            }
        }
    });
}
