//! Finding bytes in bytes that come a piece at a time. There is no mapping in sight.

use std::ops::Range;

use memchr::memmem::{Finder, FinderRev};

use crate::Result;

/// The first piece that is looked at, in bytes; each further one is twice as long, up to [`MAX_STEP`].
const FIRST_STEP: usize = 64 << 10;
/// The longest piece that is looked at.
const MAX_STEP: usize = 1 << 20;

/// The index of the first `needle` that lies wholly within `range`, of which `piece` gives the bytes.
///
/// Pieces are asked for from the front, and none behind the one with the match.
pub(crate) fn find<'b>(
    range: Range<usize>,
    needle: &[u8],
    piece: impl Fn(Range<usize>) -> Result<&'b [u8]>,
) -> Result<Option<usize>> {
    let Range { mut start, end } = range;
    if end - start < needle.len() {
        // Before the needle is looked at, which takes time as it is long.
        return Ok(None);
    }
    let finder = Finder::new(needle);
    let mut step = FIRST_STEP;
    loop {
        // No byte more than a step, unless the needle is so long that a step would hardly get on.
        let piece_end = start.saturating_add(step.max(needle.len().saturating_mul(2))).min(end);
        if let Some(index) = finder.find(piece(start..piece_end)?) {
            return Ok(Some(start + index));
        }
        if piece_end == end {
            return Ok(None);
        }
        // A match may start in this piece and end in the next.
        start = piece_end - needle.len().saturating_sub(1);
        step = (step * 2).min(MAX_STEP);
    }
}

/// The index of the last `needle` that lies wholly within `range`, of which `piece` gives the bytes.
///
/// Pieces are asked for from the back, and none before the one with the match.
pub(crate) fn rfind<'b>(
    range: Range<usize>,
    needle: &[u8],
    piece: impl Fn(Range<usize>) -> Result<&'b [u8]>,
) -> Result<Option<usize>> {
    let Range { start, mut end } = range;
    if end - start < needle.len() {
        return Ok(None);
    }
    let finder = LastFinder::new(needle);
    let mut step = FIRST_STEP;
    loop {
        let piece_start = end.saturating_sub(step.max(needle.len().saturating_mul(2))).max(start);
        if let Some(index) = finder.find(piece(piece_start..end)?) {
            return Ok(Some(piece_start + index));
        }
        if piece_start == start {
            return Ok(None);
        }
        end = piece_start + needle.len().saturating_sub(1);
        step = (step * 2).min(MAX_STEP);
    }
}

/// Finds the last occurrence with the search for the first.
///
/// `memchr` searches forwards with vectors, and backwards a byte at a time. So blocks are taken from the back, each is
/// searched forwards, and only the one that holds an occurrence at all is searched backwards, for its last. Both searches
/// take linear time whatever the needle is, and so does this.
struct LastFinder<'n> {
    forwards: Finder<'n>,
    backwards: FinderRev<'n>,
}

impl<'n> LastFinder<'n> {
    /// The block that is searched backwards at once, in bytes: an occurrence near the end is found with one search.
    const LAST_BLOCK: usize = 512;
    /// The longest block: what is searched twice, where it holds an occurrence.
    const MAX_BLOCK: usize = 256 << 10;

    fn new(needle: &'n [u8]) -> Self {
        Self { forwards: Finder::new(needle), backwards: FinderRev::new(needle) }
    }

    fn find(&self, bytes: &[u8]) -> Option<usize> {
        let needle = self.forwards.needle();
        if needle.len() < 2 {
            // One byte is searched for backwards with vectors too.
            return self.backwards.rfind(bytes);
        }
        // A block shares needle.len() - 1 bytes with the one behind it, for an occurrence may lie across both. It has
        // twice the needle's length at least: so no byte is searched more than twice forwards, and few backwards.
        let (mut end, mut block) = (bytes.len(), Self::LAST_BLOCK.max(needle.len() * 2));
        let mut start = end.saturating_sub(block);
        let mut found = self.backwards.rfind(&bytes[start..end]);
        while found.is_none() && start > 0 {
            end = start + needle.len() - 1;
            block = (block * 2).min(Self::MAX_BLOCK.max(needle.len() * 2));
            start = end.saturating_sub(block);
            let bytes = &bytes[start..end];
            found = self.forwards.find(bytes).and_then(|first| Some(first + self.backwards.rfind(&bytes[first..])?));
        }
        Some(start + found?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_across_pieces_are_found() {
        let mut bytes = vec![b'.'; 300_000];
        let needles = [FIRST_STEP - 3, 3 * FIRST_STEP - 1, 299_990];
        for at in needles {
            bytes[at..at + 6].copy_from_slice(b"needle");
        }
        let piece = |range: Range<usize>| Ok(&bytes[range]);
        for range in [0..300_000, FIRST_STEP - 2..300_000, 0..299_995, 5..7, 10..10] {
            let within: Vec<_> = needles.into_iter().filter(|&at| range.start <= at && at + 6 <= range.end).collect();
            assert_eq!(find(range.clone(), b"needle", piece).unwrap(), within.first().copied());
            assert_eq!(rfind(range, b"needle", piece).unwrap(), within.last().copied());
        }
    }

    #[test]
    fn the_last_occurrence_is_found_wherever_it_lies() {
        let block = LastFinder::LAST_BLOCK;
        for len in [1, 2, 3, 7, 300, 1000] {
            let needle: Vec<u8> = (0..len).map(|i| b'a' + u8::try_from(i % 7).unwrap()).collect();
            let finder = LastFinder::new(&needle);
            let mut bytes = vec![b'.'; 9 * block];
            assert_eq!(finder.find(&bytes), None, "{len}");
            // Each lies behind those before it, and over each border of blocks once.
            for at in 0..=bytes.len() - len {
                bytes[at..at + len].copy_from_slice(&needle);
                assert_eq!(finder.find(&bytes), Some(at), "{len}");
            }
        }
    }

    #[test]
    fn the_last_of_many_is_found() {
        // Periodic needles in periodic bytes: what makes a naive search quadratic.
        let len = 6 << 16;
        for unit in ["a", "ab", "aab"] {
            let bytes = unit.repeat(len / unit.len());
            let needle = &bytes[..bytes.len() / 4];
            let absent = format!("b{needle}");
            let finder = LastFinder::new(needle.as_bytes());
            assert_eq!(finder.find(bytes.as_bytes()), bytes.rfind(needle), "{unit}");
            assert_eq!(LastFinder::new(absent.as_bytes()).find(bytes.as_bytes()), bytes.rfind(&absent), "{unit}");
        }
    }

    #[test]
    fn no_piece_behind_the_answer_is_asked_for() {
        let bytes = vec![b'x'; 1 << 22];
        let seen = std::cell::Cell::new(0);
        let piece = |range: Range<usize>| {
            seen.set(seen.get().max(range.end));
            Ok(&bytes[range])
        };
        assert_eq!(find(0..bytes.len(), b"xx", piece).unwrap(), Some(0));
        assert_eq!(seen.get(), FIRST_STEP);
    }
}
