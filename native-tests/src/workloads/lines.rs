//! Reading line by line.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Seek, SeekFrom};

use super::data::MIB;
use super::{OURS, Place, Ways, python};

/// The way of the standard library.
pub(super) const READ_UNTIL: &str = "read_until, BufReader of 1 MiB";

/// The loop of `readline` without this crate: each search starts where the last one has stored the position.
const STORED_POSITION: &str = "memchr from a stored position, a slice";

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
    ways.add(STORED_POSITION, || {
        let bytes = place.read(&path);
        move || {
            let mut position = 0;
            while *black_box(&position) < bytes.len() {
                let rest = &bytes[position..];
                let line = memchr::memchr(b'\n', rest).map_or(rest, |newline| &rest[..=newline]);
                position += line.len();
                black_box(line);
            }
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
