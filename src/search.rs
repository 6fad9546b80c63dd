//! Searches bytes that are loaded a piece at a time. The code does not depend on mappings.

use std::ops::Range;

use memchr::memmem::{Finder, FinderRev};

use crate::Result;

/// The length of the first piece to search, in bytes, if the bytes may have to be loaded. Each further piece is twice as
/// long, up to [`MAX_STEP`].
pub(crate) const FIRST_STEP: usize = 64 << 10;
/// The length of the longest piece, in bytes.
const MAX_STEP: usize = 1 << 20;

/// The index of the first `needle` that lies wholly within `range`. `piece` returns the bytes of a part of the range.
///
/// Takes pieces from the front, and none after the piece with the match. The first piece has `step` bytes.
pub(crate) fn find<'b>(
    range: Range<usize>,
    needle: &[u8],
    mut step: usize,
    piece: impl Fn(Range<usize>) -> Result<&'b [u8]>,
) -> Result<Option<usize>> {
    let Range { mut start, end } = range;
    if end - start < needle.len() {
        // Checked first, because preparing a long needle takes time.
        return Ok(None);
    }
    let finder = Finder::new(needle);
    loop {
        // One step, or twice the needle's length if that is longer, so that each piece makes progress.
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

/// The index of the last `needle` that lies wholly within `range`. `piece` returns the bytes of a part of the range.
///
/// Takes pieces from the back, and none before the piece with the match.
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

/// Finds the last occurrence with a search for the first.
///
/// `memchr` uses vector instructions to search forwards, and searches backwards a byte at a time. So this takes blocks
/// from the back and searches each forwards. It searches backwards only in the block that contains an occurrence. Both
/// searches take linear time for every needle, and so does this one.
struct LastFinder<'n> {
    forwards: Finder<'n>,
    backwards: FinderRev<'n>,
}

impl<'n> LastFinder<'n> {
    /// The length of the last block, in bytes. It is searched backwards at once, so that an occurrence near the end
    /// takes one search.
    const LAST_BLOCK: usize = 512;
    /// The length of the longest block, in bytes. A block with an occurrence is searched twice.
    const MAX_BLOCK: usize = 256 << 10;

    fn new(needle: &'n [u8]) -> Self {
        Self { forwards: Finder::new(needle), backwards: FinderRev::new(needle) }
    }

    fn find(&self, bytes: &[u8]) -> Option<usize> {
        let needle = self.forwards.needle();
        if needle.len() < 2 {
            // `memchr` uses vector instructions to search for a single byte backwards too.
            return self.backwards.rfind(bytes);
        }
        // A block shares needle.len() - 1 bytes with the block after it, because an occurrence may lie across both. It
        // is at least twice as long as the needle, so no byte is searched forwards more than twice, and few are
        // searched backwards.
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
            assert_eq!(find(range.clone(), b"needle", FIRST_STEP, piece).unwrap(), within.first().copied());
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
            // Each occurrence lies after the one before it, and each border between blocks is crossed once.
            for at in 0..=bytes.len() - len {
                bytes[at..at + len].copy_from_slice(&needle);
                assert_eq!(finder.find(&bytes), Some(at), "{len}");
            }
        }
    }

    #[test]
    fn the_last_of_many_is_found() {
        // Periodic needles in periodic bytes make a naive search quadratic.
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
    fn no_piece_after_the_match_is_read() {
        let bytes = vec![b'x'; 1 << 22];
        let seen = std::cell::Cell::new(0);
        let piece = |range: Range<usize>| {
            seen.set(seen.get().max(range.end));
            Ok(&bytes[range])
        };
        assert_eq!(find(0..bytes.len(), b"xx", FIRST_STEP, piece).unwrap(), Some(0));
        assert_eq!(seen.get(), FIRST_STEP);
    }

    #[test]
    fn a_step_that_is_longer_than_the_range_is_one_piece() {
        let bytes = vec![b'x'; 1 << 22];
        let pieces = std::cell::Cell::new(0);
        let piece = |range: Range<usize>| {
            pieces.set(pieces.get() + 1);
            Ok(&bytes[range])
        };
        assert_eq!(find(5..bytes.len(), b"xy", usize::MAX, piece).unwrap(), None);
        assert_eq!(pieces.get(), 1);
    }
}
