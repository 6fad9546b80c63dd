//! A table of records sorted by their keys, like an index on a disk.

use std::io::{self, Write};

/// The length of a record, in bytes.
pub const RECORD: usize = 64;
/// The offset of the value in a record; the key is before it.
pub(super) const VALUE: usize = 8;

/// The key of a record, without reading the table. The upper half counts records; the lower half looks random.
#[must_use]
pub fn key(index: u64) -> u64 {
    index << 32 | mixed(index) >> 32
}

/// The value of a record that was not edited.
#[must_use]
pub fn value(index: u64) -> u64 {
    mixed(!index)
}

/// Bits that look random.
fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 31).wrapping_mul(0x7fb5_d329_728e_a185);
    (number ^ number >> 27).wrapping_mul(0x81da_def4_bc2d_d44d)
}

/// Reads a number at an offset in a record.
pub(super) fn number(record: &[u8], at: usize) -> u64 {
    let bytes = record[at..].first_chunk().expect("a record has room for its numbers");
    u64::from_le_bytes(*bytes)
}

/// Writes a table of this many records.
///
/// # Errors
///
/// Those of writing.
pub fn write(out: &mut impl Write, records: u64) -> io::Result<()> {
    let mut record = [0; RECORD];
    for index in 0..records {
        for (part, bytes) in record.chunks_mut(8).enumerate() {
            let number = match part {
                0 => key(index),
                1 => value(index),
                // The rest is not read. It looks random, so that a file system cannot compress it.
                _ => mixed(index + ((part as u64) << 56)),
            };
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        out.write_all(&record)?;
    }
    Ok(())
}

/// Returns the index of a key among `records` keys, or `None`; `key_at` returns the key at an index.
pub(super) fn find(key: u64, records: u64, mut key_at: impl FnMut(u64) -> io::Result<u64>) -> io::Result<Option<u64>> {
    let (mut start, mut end) = (0, records);
    while start < end {
        let middle = start + (end - start) / 2;
        match key_at(middle)?.cmp(&key) {
            std::cmp::Ordering::Less => start = middle + 1,
            std::cmp::Ordering::Greater => end = middle,
            std::cmp::Ordering::Equal => return Ok(Some(middle)),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::{RECORD, VALUE, find, key, number, value, write};

    #[test]
    fn each_key_of_a_table_is_found() {
        let mut table = Vec::new();
        write(&mut table, 100).expect("writing to a vector succeeds");
        let record = |index: u64| &table[usize::try_from(index).expect("it is short") * RECORD..][..RECORD];
        for index in 0..100 {
            let found = find(key(index), 100, |at| Ok(number(record(at), 0))).expect("nothing fails");
            assert_eq!(found, Some(index));
            assert_eq!(number(record(index), VALUE), value(index));
        }
        let found = find(key(100), 100, |at| Ok(number(record(at), 0))).expect("nothing fails");
        assert_eq!(found, None);
    }
}
