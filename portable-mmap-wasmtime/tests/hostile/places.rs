//! Random numbers for steps: mostly addresses at which mappings overlap, near the borders of pages, blocks and files.

use fastrand::Rng;

use crate::common::{BLOCK, PAGE};
use crate::steps::{BLOCKS, Handle, INITIAL, MOST_BYTES, STORES};

fn one_of(rng: &mut Rng, numbers: &[usize]) -> usize {
    numbers[rng.usize(..numbers.len())]
}

/// The address of a byte in memory, mostly where mappings are.
pub(crate) fn address(rng: &mut Rng) -> usize {
    let block = if rng.u32(..10) == 0 { rng.usize(1..=BLOCKS) } else { rng.usize(INITIAL..INITIAL + 6) };
    let page = if rng.bool() { 0 } else { rng.usize(..BLOCK / PAGE) };
    let byte = if rng.bool() { one_of(rng, &[0, 1, PAGE - 1]) } else { rng.usize(..PAGE) };
    if rng.u32(..100) == 0 { one_of(rng, &[1 << 31, u32::MAX as usize]) } else { block * BLOCK + page * PAGE + byte }
}

/// The length of a copy or fill in memory.
pub(crate) fn len(rng: &mut Rng) -> usize {
    match rng.u32(..8) {
        0 => rng.usize(..BLOCK),
        1 => one_of(rng, &[0, BLOCK, BLOCK + 1, 2 * BLOCK]),
        2 => one_of(rng, &[PAGE, PAGE + 1, 2 * PAGE]),
        _ => rng.usize(1..300),
    }
}

/// The address at which a mapping starts.
pub(crate) fn map_place(rng: &mut Rng) -> usize {
    match rng.u32(..25) {
        0 => one_of(rng, &[0, BLOCK, (BLOCKS - 1) * BLOCK, BLOCKS * BLOCK, u32::MAX as usize / BLOCK * BLOCK]),
        1 => address(rng),
        _ => rng.usize(INITIAL..INITIAL + 6) * BLOCK,
    }
}

/// The address to which many bytes are read, mostly the start of a page.
pub(crate) fn read_place(rng: &mut Rng) -> usize {
    if rng.u32(..8) == 0 { address(rng) } else { address(rng) / PAGE * PAGE }
}

pub(crate) fn map_len(rng: &mut Rng) -> usize {
    match rng.u32(..12) {
        0 => one_of(rng, &[0, 16 * BLOCK, u32::MAX as usize, u32::MAX as usize - BLOCK]),
        1 | 2 => one_of(rng, &[1, PAGE - 1, PAGE, PAGE + 1]),
        3 => rng.usize(1..3 * BLOCK),
        4 => 3 * BLOCK,
        _ => one_of(rng, &[PAGE, 4 * PAGE, BLOCK - PAGE, BLOCK, BLOCK + 1, 2 * BLOCK]),
    }
}

pub(crate) fn map_offset(rng: &mut Rng) -> u64 {
    match rng.u32(..20) {
        0 => [1, 512, PAGE as u64 - 1, 1 << 62, u64::MAX, u64::MAX - 4095, i64::MAX as u64 & !4095][rng.usize(..7)],
        1..12 => 0,
        _ => (rng.usize(..3 * BLOCK) / rng.usize(1..4) / PAGE * PAGE) as u64,
    }
}

/// The new length of a file.
pub(crate) fn file_len(rng: &mut Rng) -> usize {
    let blocks = rng.usize(..5) * BLOCK;
    match rng.u32(..10) {
        0 => rng.usize(..=MOST_BYTES),
        1 => blocks + rng.usize(..BLOCK / PAGE) * PAGE,
        2 => blocks + one_of(rng, &[1, PAGE - 1, PAGE, PAGE + 1, BLOCK - 1]),
        3..7 => MOST_BYTES - rng.usize(..2) * PAGE / 2,
        _ => blocks,
    }
}

/// The offset at which a call reads or writes.
pub(crate) fn file_offset(rng: &mut Rng) -> usize {
    file_len(rng).min(MOST_BYTES - 2 * BLOCK - 1)
}

/// The offset and the length of a part of a mapping.
pub(crate) fn part(rng: &mut Rng) -> (usize, usize) {
    let huge = u32::MAX as usize;
    match rng.u32(..12) {
        0 => (one_of(rng, &[0, PAGE, huge, huge - PAGE + 1]), one_of(rng, &[0, 1, PAGE, huge, huge - PAGE + 1])),
        1 => (rng.usize(..2 * BLOCK), rng.usize(..2 * BLOCK)),
        2 => (rng.usize(..BLOCK), 0),
        3..6 => (0, one_of(rng, &[PAGE, BLOCK, 2 * BLOCK])),
        _ => (rng.usize(..BLOCK / PAGE) * PAGE, one_of(rng, &[1, PAGE, PAGE + 1, 3 * PAGE])),
    }
}

pub(crate) fn handle(rng: &mut Rng) -> Handle {
    match rng.u32(..20) {
        0 => Handle::Unmapped(rng.usize(..8)),
        1 => Handle::Of(rng.usize(..STORES), rng.usize(..8)),
        2 => Handle::Number([0, -1, 1, 2, i32::MIN, i32::MAX][rng.usize(..6)]),
        _ => Handle::Own(rng.usize(..8)),
    }
}
