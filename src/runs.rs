//! The runs of bytes in which two pages differ. Compares a word at a time, because comparing slices is slow on wasm.

use std::ops::Range;

const WORD: usize = size_of::<u64>();
/// The number of bytes that are compared without a branch.
const BLOCK: usize = 8 * WORD;

/// The ranges in which `own` differs from `copy`, in order. No two ranges are adjacent.
///
/// Both have the same length, a multiple of 64 bytes.
pub(crate) fn runs<'a>(own: &'a [u8], copy: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
    assert!(own.len() == copy.len() && own.len() % BLOCK == 0, "whole pages are compared");
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = first_different(own, copy, at)?;
        at = first_equal(own, copy, start);
        Some(start..at)
    })
}

/// The differences of the eight bytes at `at`. The first byte is the lowest on every target.
#[inline]
fn difference(own: &[u8], copy: &[u8], at: usize) -> u64 {
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes[at..at + WORD].try_into().expect("a word has 8 bytes"));
    word(own) ^ word(copy)
}

/// The index of the first differing byte at or after `from`.
fn first_different(own: &[u8], copy: &[u8], from: usize) -> Option<usize> {
    let mut at = from - from % WORD;
    if at < own.len() {
        // The bytes of this word before `from` were compared before.
        let rest = difference(own, copy, at) & (u64::MAX << ((from - at) * 8));
        if rest != 0 {
            return Some(at + rest.trailing_zeros() as usize / 8);
        }
        at += WORD;
    }
    // Whole blocks are compared first, because most of them are equal: the blocks after the rest of this one.
    let next_block = at.next_multiple_of(BLOCK).min(own.len());
    if (at..next_block).step_by(WORD).all(|at| difference(own, copy, at) == 0) {
        let blocks = own[next_block..].chunks_exact(BLOCK).zip(copy[next_block..].chunks_exact(BLOCK));
        at = next_block + blocks.take_while(|(own, copy)| blocks_are_equal(own, copy)).count() * BLOCK;
    }
    let first = (at..own.len()).step_by(WORD).find(|&at| difference(own, copy, at) != 0)?;
    Some(first + difference(own, copy, first).trailing_zeros() as usize / 8)
}

/// Whether two blocks have the same bytes.
#[inline]
fn blocks_are_equal(own: &[u8], copy: &[u8]) -> bool {
    let (own, copy) = (&own[..BLOCK], &copy[..BLOCK]);
    // Miri takes a second to compare a page by words.
    if cfg!(miri) {
        return own == copy;
    }
    (0..BLOCK).step_by(WORD).fold(0, |any, at| any | difference(own, copy, at)) == 0
}

/// The index of the first equal byte after `from`, where the bytes differ, or the length if there is no such byte.
fn first_equal(own: &[u8], copy: &[u8], from: usize) -> usize {
    let differs = |at: &usize| own[*at] != copy[*at];
    let aligned = from.next_multiple_of(WORD);
    if let Some(at) = (from..aligned).find(|at| !differs(at)) {
        return at;
    }
    for at in (aligned..own.len()).step_by(WORD) {
        let word = difference(own, copy, at);
        // The lowest bit that is set marks the first zero byte: the first equal byte.
        let zeros = word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080;
        if zeros != 0 {
            return at + zeros.trailing_zeros() as usize / 8;
        }
    }
    own.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(own: &[u8], copy: &[u8]) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for at in (0..own.len()).filter(|&at| own[at] != copy[at]) {
            match runs.last_mut() {
                Some(run) if run.end == at => run.end = at + 1,
                _ => runs.push(at..at + 1),
            }
        }
        runs
    }

    #[test]
    fn runs_are_those_of_a_naive_comparison() {
        let copy = [0x80; 256];
        let mut seed = 1_u64;
        // Miri takes seconds for a round.
        for round in (0..400).step_by(if cfg!(miri) { 57 } else { 1 }) {
            let mut own = copy;
            for _ in 0..round % 40 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let start = (seed >> 33) as usize % own.len();
                let len = (seed >> 50) as usize % 24;
                let end = own.len().min(start + len);
                own[start..end].iter_mut().for_each(|byte| *byte ^= seed.to_le_bytes()[5]);
            }
            assert_eq!(runs(&own, &copy).collect::<Vec<_>>(), naive(&own, &copy), "round {round}");
        }
    }

    #[test]
    fn equal_and_wholly_different_pages_have_none_and_one() {
        assert_eq!(runs(&[1; 64], &[1; 64]).count(), 0);
        assert_eq!(runs(&[1; 64], &[2; 64]).collect::<Vec<_>>(), vec![0..64; 1]);
        let mut own = [0; 64];
        (own[0], own[31], own[32], own[63]) = (1, 1, 1, 1);
        assert_eq!(runs(&own, &[0; 64]).collect::<Vec<_>>(), [0..1, 31..33, 63..64]);
        let mut own = [0; 4096];
        (own[100], own[4000]) = (1, 1);
        assert_eq!(runs(&own, &[0; 4096]).collect::<Vec<_>>(), [100..101, 4000..4001]);
    }
}
