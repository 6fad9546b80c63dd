//! Jobs on text: a search, a count, and a replacement.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use portable_mmap::Access;
use regex::bytes::Regex;

use super::place::TEXT;
use super::{Place, whole};

/// Matches functions whose callers have to check something. A match ends at the end of its line, so a line has at most
/// one.
const PATTERN: &str = r"(?-u)\bunsafe fn [a-z_]+_unchecked\b.*";

/// A word of the text, and one of the same length that is not in it.
const REPLACED: [&[u8; 7]; 2] = [b"HashMap", b"H@shM@p"];

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is valid")
}

fn matches(bytes: &[u8]) -> u64 {
    regex(PATTERN).find_iter(bytes).count() as u64
}

#[expect(clippy::naive_bytecount, reason = "no other crate than this one, as fast as the compiler makes it")]
pub(super) fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// Calls `see` with each line.
fn each_line(place: &Place, path: &Path, mut see: impl FnMut(&[u8])) -> io::Result<()> {
    let (mut reader, mut line) = (BufReader::new(File::open(path)?), Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        see(&line);
        line.clear();
    }
    place.held();
    Ok(())
}

/// Runs `count` on the text, over a mapping.
fn over_mapping(place: &Place, count: fn(&[u8]) -> u64) -> io::Result<u64> {
    let map = place.map(&place.text(), Access::Read)?;
    let count = count(map.as_slice()?);
    place.held();
    Ok(count)
}

/// The same over a vector.
fn over_vector(place: &Place, count: fn(&[u8]) -> u64) -> io::Result<u64> {
    let bytes = whole::read(place, &place.text())?;
    let count = count(&bytes);
    place.held();
    Ok(count)
}

/// The number of lines that match.
pub(super) fn search(place: &Place) -> io::Result<u64> {
    over_mapping(place, matches)
}

pub(super) fn search_read(place: &Place) -> io::Result<u64> {
    over_vector(place, matches)
}

pub(super) fn search_lines(place: &Place) -> io::Result<u64> {
    let (regex, mut count) = (regex(PATTERN), 0);
    each_line(place, &place.text(), |line| count += u64::from(regex.is_match(line)))?;
    Ok(count)
}

/// The number of lines.
pub(super) fn count(place: &Place) -> io::Result<u64> {
    over_mapping(place, newlines)
}

pub(super) fn count_read(place: &Place) -> io::Result<u64> {
    over_vector(place, newlines)
}

pub(super) fn count_lines(place: &Place) -> io::Result<u64> {
    let mut count = 0;
    each_line(place, &place.text(), |line| count += u64::from(line.ends_with(b"\n")))?;
    Ok(count)
}

/// The word that is in the file now, and its replacement: each turn undoes the edits of the one before.
fn words(place: &Place) -> [&'static [u8; 7]; 2] {
    let [word, other] = REPLACED;
    if place.turn.is_multiple_of(2) { [word, other] } else { [other, word] }
}

/// Replaces a word everywhere with another one, and returns how many times.
pub(super) fn replace(place: &Place) -> io::Result<u64> {
    let [old, new] = words(place);
    let mut map = place.map(&place.copy(TEXT), Access::Write)?;
    let (mut from, mut count) = (0, 0);
    while let Some(at) = map.find_in(old, from..)? {
        from = at + old.len();
        map[at..from].copy_from_slice(new);
        count += 1;
    }
    place.held();
    map.close()?;
    Ok(count)
}

pub(super) fn replace_rewritten(place: &Place) -> io::Result<u64> {
    let [old, new] = words(place);
    let path = place.copy(TEXT);
    let mut bytes = whole::read(place, &path)?;
    let regex = regex(std::str::from_utf8(old).expect("both words are ASCII"));
    let (mut from, mut count) = (0, 0);
    while let Some(found) = regex.find_at(&bytes, from).map(|found| found.range()) {
        from = found.end;
        bytes[found].copy_from_slice(new);
        count += 1;
    }
    whole::write(&path, &bytes)?;
    place.held();
    Ok(count)
}
