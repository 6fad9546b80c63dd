//! The iterator of a mapping does what a slice's does, and loads no byte that it does not return.

use portable_mmap::{Access, MmapOptions};

use crate::others::PAGE;
use crate::random::{Random, patternless};
use crate::storages::{Emulated, Op};
use crate::{FileBackend, Scene, cases};

cases!("iterating":
    iterating_gives_every_byte_once,
    an_iterator_has_an_exact_length,
    a_loop_over_a_mapping_gives_its_bytes,
    steps_from_both_ends_are_those_of_a_slice,
    an_iterator_loads_what_it_returns
);

/// The number of bytes that an iterator loads at a time. Miri takes minutes for that many.
const STEP: usize = if cfg!(miri) { 1 << 10 } else { 64 << 10 };

fn iterating_gives_every_byte_once<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(STEP + 4097);
    let map = scene.mapped("f", &content);
    scene.bytes("iter", map.iter().copied().collect::<Vec<u8>>(), &content);
    let reversed: Vec<u8> = content.iter().rev().copied().collect();
    scene.bytes("reversed", map.iter().rev().copied().collect::<Vec<u8>>(), reversed);
    let every_so_often: Vec<u8> = content.iter().step_by(4099).copied().collect();
    scene.bytes("stepped", map.iter().step_by(4099).copied().collect::<Vec<u8>>(), every_so_often);
    scene.eq(
        "position",
        map.iter().position(|&byte| byte == content[70]),
        content.iter().position(|&b| b == content[70]),
    );
    scene.eq(
        "rposition",
        map.iter().rposition(|&byte| byte == content[70]),
        content.iter().rposition(|&b| b == content[70]),
    );
    scene.eq("at the border", map.iter().nth(STEP).copied(), Some(content[STEP]));
    scene.eq("past the end", map.iter().nth(content.len()), None);
    scene.eq("far past the end", map.iter().nth(usize::MAX), None);
    scene.eq("past the start", map.iter().nth_back(content.len()), None);
    scene.eq("last", map.iter().last(), content.last());
}

fn an_iterator_has_an_exact_length<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &patternless(STEP + 2));
    let mut bytes = map.iter();
    scene.eq("at first", (bytes.len(), bytes.size_hint()), (STEP + 2, (STEP + 2, Some(STEP + 2))));
    bytes.next();
    scene.eq("after one", bytes.len(), STEP + 1);
    bytes.nth(STEP - 2);
    scene.eq("after a step of reading ahead", bytes.len(), 2);
    scene.eq("count", bytes.clone().count(), 2);
    bytes.by_ref().for_each(drop);
    scene.eq("at the end", (bytes.len(), bytes.next(), bytes.next_back(), bytes.next()), (0, None, None, None));
    map.close().unwrap();
    scene.eq("closed", (map.iter().len(), map.iter().next(), map.iter().next_back()), (0, None, None));
}

fn a_loop_over_a_mapping_gives_its_bytes<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.mapped("f", b"hello");
    let mut letters = Vec::new();
    for &letter in &map {
        letters.push(char::from(letter));
    }
    scene.eq("letters", letters, ['h', 'e', 'l', 'l', 'o']);
    scene.eq("sum", (&map).into_iter().map(|&byte| u32::from(byte)).sum::<u32>(), 532);
}

fn steps_from_both_ends_are_those_of_a_slice<B: FileBackend>(scene: &mut Scene<B>) {
    let content = patternless(3 * STEP + 77);
    let map = scene.mapped("f", &content);
    for seed in 1..if cfg!(miri) { 3 } else { 200 } {
        let mut random = Random::new(seed);
        // Sometimes a new mapping, because the loaded pages determine how much is borrowed at a time.
        let fresh = scene.map(MmapOptions::new().access(Access::Read), &scene.open_read("f")).unwrap();
        let map = if seed % 2 == 0 { &map } else { &fresh };
        let (mut ours, mut slices) = (map.iter(), content.iter());
        while !slices.as_slice().is_empty() {
            let far = random.below(content.len());
            let n = if random.below(2) == 0 { far % 9 } else { far / 3 };
            let (got, want) = match random.below(6) {
                0 => (ours.next(), slices.next()),
                1 => (ours.next_back(), slices.next_back()),
                2 | 3 => (ours.nth(n), slices.nth(n)),
                _ => (ours.nth_back(n), slices.nth_back(n)),
            };
            assert_eq!(got, want, "seed {seed}");
            assert_eq!(ours.len(), slices.len(), "seed {seed}");
            if random.below(4) == 0 {
                assert!(ours.clone().eq(slices.clone()), "the rest, seed {seed}");
                let sums =
                    [ours.clone().map(|&b| u64::from(b)).sum::<u64>(), slices.clone().map(|&b| u64::from(b)).sum()];
                assert_eq!(sums[0], sums[1], "a fold, seed {seed}");
                assert_eq!(ours.clone().last(), slices.clone().last(), "the last, seed {seed}");
            }
        }
        assert_eq!((ours.next(), ours.next_back()), (None, None));
    }
    scene.eq("bytes", map.len(), content.len());
}

fn an_iterator_loads_what_it_returns<B: FileBackend>(scene: &mut Scene<B>) {
    let loaded = |act: fn(&Emulated)| {
        let e = Emulated::new(vec![7; 100 * PAGE]);
        act(&e);
        e.rig.count(Op::Read).1
    };
    scene.eq("count", loaded(|e| assert_eq!(e.map.iter().count(), 100 * PAGE)), 0);
    scene.eq("past the end", loaded(|e| assert_eq!(e.map.iter().nth(100 * PAGE), None)), 0);
    // The rest of the piece of 64 KiB that contains the byte.
    scene.eq("nth", loaded(|e| assert_eq!(e.map.iter().nth(50 * PAGE), Some(&7))), 14 * PAGE as u64);
    scene.eq("last", loaded(|e| assert_eq!(e.map.iter().last(), Some(&7))), 4 * PAGE as u64);
    scene.eq("rev", loaded(|e| assert_eq!(e.map.iter().rev().nth(3), Some(&7))), 4 * PAGE as u64);
}
