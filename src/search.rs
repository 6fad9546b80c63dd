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
/// Pieces are asked for from the front, and none behind the one with the answer.
pub(crate) fn find<'b>(
    range: Range<usize>,
    needle: &[u8],
    piece: impl Fn(Range<usize>) -> Result<&'b [u8]>,
) -> Result<Option<usize>> {
    let Range { mut start, end } = range;
    let finder = Finder::new(needle);
    let mut step = FIRST_STEP;
    while end - start >= needle.len() {
        // No byte more than a step, unless the needle is so long that a step would hardly get on.
        let piece_end = start.saturating_add(step.max(needle.len().saturating_mul(2))).min(end);
        if let Some(index) = finder.find(piece(start..piece_end)?) {
            return Ok(Some(start + index));
        }
        if piece_end == end {
            break;
        }
        // A match may start in this piece and end in the next.
        start = piece_end - needle.len().saturating_sub(1);
        step = (step * 2).min(MAX_STEP);
    }
    Ok(None)
}

/// The index of the last `needle` that lies wholly within `range`, of which `piece` gives the bytes.
///
/// Pieces are asked for from the back, and none before the one with the answer.
pub(crate) fn rfind<'b>(
    range: Range<usize>,
    needle: &[u8],
    piece: impl Fn(Range<usize>) -> Result<&'b [u8]>,
) -> Result<Option<usize>> {
    let Range { start, mut end } = range;
    let finder = FinderRev::new(needle);
    let mut step = FIRST_STEP;
    while end - start >= needle.len() {
        let piece_start = end.saturating_sub(step.max(needle.len().saturating_mul(2))).max(start);
        if let Some(index) = finder.rfind(piece(piece_start..end)?) {
            return Ok(Some(piece_start + index));
        }
        if piece_start == start {
            break;
        }
        end = piece_start + needle.len().saturating_sub(1);
        step = (step * 2).min(MAX_STEP);
    }
    Ok(None)
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
