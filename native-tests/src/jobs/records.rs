//! Jobs on a table of records: edits here and there, and lookups of keys.

use std::fs::{File, OpenOptions};
use std::io;

use portable_mmap::Access;

use super::place::TABLE;
use super::table::{RECORD, VALUE, find, key, number, value};
use super::{Place, whole};
use crate::random::Random;

/// The number of records that are edited.
const EDITS: usize = 1000;
/// The number of keys that are looked up. These searches touch about 1 % of the table's pages.
const LOOKUPS: usize = 256;
/// The bits that an edit flips in a value. A second edit undoes the first.
const CHANGE: u64 = 0x0123_4567_89ab_cdef;

/// Reads and writes whole records at offsets: natively with one call each, `pread` and `pwrite`. On WASI the standard
/// library has no stable call for this.
#[cfg(unix)]
mod at {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::FileExt as _;

    pub(super) fn read(file: &mut File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        file.read_exact_at(bytes, offset)
    }

    pub(super) fn write(file: &mut File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }
}

#[cfg(not(unix))]
mod at {
    use std::fs::File;
    use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

    pub(super) fn read(file: &mut File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(bytes)
    }

    pub(super) fn write(file: &mut File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }
}

/// The offsets of the edited records in a file of this length.
fn edited(len: usize) -> impl Iterator<Item = usize> {
    let mut random = Random::new(64);
    (0..EDITS).map(move |_| random.below(len / RECORD) * RECORD)
}

/// Edits a record, and returns its key, which no edit changes.
fn edit_record(record: &mut [u8]) -> u64 {
    let value = number(record, VALUE) ^ CHANGE;
    record[VALUE..VALUE + 8].copy_from_slice(&value.to_le_bytes());
    number(record, 0)
}

fn file_len(file: &File) -> io::Result<usize> {
    usize::try_from(file.metadata()?.len()).map_err(io::Error::other)
}

/// Reads records and edits them, and returns the sum of their keys.
pub(super) fn edit(place: &Place) -> io::Result<u64> {
    let mut map = place.map(&place.copy(TABLE), Access::Write)?;
    let mut sum = 0_u64;
    for at in edited(map.len()) {
        sum = sum.wrapping_add(edit_record(&mut map[at..at + RECORD]));
    }
    place.held();
    map.close()?;
    Ok(sum)
}

pub(super) fn edit_each(place: &Place) -> io::Result<u64> {
    let mut file = OpenOptions::new().read(true).write(true).open(place.copy(TABLE))?;
    let (mut record, mut sum) = ([0; RECORD], 0_u64);
    for at in edited(file_len(&file)?) {
        at::read(&mut file, &mut record, at as u64)?;
        sum = sum.wrapping_add(edit_record(&mut record));
        at::write(&mut file, &record, at as u64)?;
    }
    place.held();
    Ok(sum)
}

pub(super) fn edit_rewritten(place: &Place) -> io::Result<u64> {
    let path = place.copy(TABLE);
    let (mut bytes, mut sum) = (whole::read(place, &path)?, 0_u64);
    for at in edited(bytes.len()) {
        sum = sum.wrapping_add(edit_record(&mut bytes[at..at + RECORD]));
    }
    whole::write(&path, &bytes)?;
    place.held();
    Ok(sum)
}

/// Looks up `count` keys from the `turn`-th on, and returns how many have the right value, which has to be all.
fn look_up_with(
    turn: usize,
    count: usize,
    len: usize,
    mut number_at: impl FnMut(usize) -> io::Result<u64>,
) -> io::Result<u64> {
    let records = (len / RECORD) as u64;
    let place = |index: u64| usize::try_from(index).expect("an index in the table") * RECORD;
    let mut right = 0;
    for turn in turn..turn + count {
        let index = Random::new(turn as u64 + 1).number() % records;
        if let Some(found) = find(key(index), records, |at| number_at(place(at)))? {
            right += u64::from(number_at(place(found) + VALUE)? == value(index));
        }
    }
    Ok(right)
}

fn look_up_mapped(place: &Place, turn: usize, count: usize) -> io::Result<u64> {
    let mut map = place.map(&place.table(), Access::Read)?;
    // Not a slice of the whole mapping, because a buffer would load all of it.
    let right = look_up_with(turn, count, map.len(), |at| Ok(number(&map[at..at + 8], 0)))?;
    place.held();
    map.close()?;
    Ok(right)
}

fn look_up_by_calls(place: &Place, turn: usize, count: usize) -> io::Result<u64> {
    let mut file = File::open(place.table())?;
    let len = file_len(&file)?;
    let mut bytes = [0; 8];
    let right = look_up_with(turn, count, len, |at| {
        at::read(&mut file, &mut bytes, at as u64)?;
        Ok(number(&bytes, 0))
    })?;
    place.held();
    Ok(right)
}

fn look_up_in_whole(place: &Place, turn: usize, count: usize) -> io::Result<u64> {
    let bytes = whole::read(place, &place.table())?;
    let right = look_up_with(turn, count, bytes.len(), |at| Ok(number(&bytes[at..], 0)))?;
    place.held();
    Ok(right)
}

/// Looks up keys by binary search, and returns how many have the right value.
pub(super) fn look_up(place: &Place) -> io::Result<u64> {
    look_up_mapped(place, 0, LOOKUPS)
}

pub(super) fn look_up_each(place: &Place) -> io::Result<u64> {
    look_up_by_calls(place, 0, LOOKUPS)
}

pub(super) fn look_up_read(place: &Place) -> io::Result<u64> {
    look_up_in_whole(place, 0, LOOKUPS)
}

/// Looks up one key, from opening the table to closing it, as many times as one process has to.
fn each_instance(place: &Place, look_up: fn(&Place, usize, usize) -> io::Result<u64>) -> io::Result<u64> {
    (place.turn..place.turn + place.times).map(|turn| look_up(place, turn, 1)).sum()
}

pub(super) fn instances(place: &Place) -> io::Result<u64> {
    each_instance(place, look_up_mapped)
}

pub(super) fn instances_each(place: &Place) -> io::Result<u64> {
    each_instance(place, look_up_by_calls)
}

pub(super) fn instances_read(place: &Place) -> io::Result<u64> {
    each_instance(place, look_up_in_whole)
}
