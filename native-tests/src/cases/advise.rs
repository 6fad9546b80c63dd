//! Advice: it never fails if its range is right, and never changes a byte.
//!
//! The effect of advice on a buffer is the subject of `loading`.

use portable_mmap::{Access, Advice, Buffered, MmapOptions, OsFile, UncheckedAdvice};

use crate::others::{UNIT, pattern};
use crate::storages::Emulated;
use crate::{FileBackend, Scene, cases};

cases!("advise":
    every_advice_is_accepted_and_changes_no_byte,
    the_start_must_lie_in_the_mapping,
    the_start_must_be_aligned,
    a_start_outside_is_reported_before_its_alignment,
    a_length_past_the_end_is_clamped,
    the_position_stays,
    dont_need_keeps_changes_that_are_not_flushed,
    dont_need_keeps_the_changes_of_a_copy,
    dont_need_keeps_anonymous_bytes,
    a_buffer_supports_five_hints,
    a_buffer_has_no_unchecked_advice
);

fn every_advice_is_accepted_and_changes_no_byte<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", &pattern(2 * UNIT));
    for access in [Some(Access::Write), Some(Access::Read), Some(Access::Copy), None] {
        let mut map = match access {
            Some(access) => scene.map(MmapOptions::new().access(access), &file).unwrap(),
            None => scene.anonymous(2 * UNIT),
        };
        if map.access().is_writable() {
            map[UNIT..UNIT + 5].copy_from_slice(b"hello");
        }
        let want = map.to_vec();
        for &advice in Advice::ALL {
            map.advise(advice).unwrap();
            map.advise_range(advice, UNIT, 5).unwrap();
            assert!(map[..] == want[..], "{advice:?} changes no byte");
        }
        scene.bytes("bytes", &map, want);
    }
    scene.eq("number of kinds", Advice::ALL.len(), 18);
}

fn the_start_must_lie_in_the_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(UNIT));
    for &advice in Advice::ALL {
        scene.fails("at the end", &mut map, "OutOfRange", |map| map.advise_range(advice, UNIT, 0));
        scene.fails("past it", &mut map, "OutOfRange", |map| map.advise_range(advice, 2 * UNIT, 1));
    }
    let advised = map.advise_range(Advice::Normal, usize::MAX, usize::MAX);
    scene.variant("far past it", advised, "OutOfRange");
}

fn the_start_must_be_aligned<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(UNIT));
    for &advice in Advice::ALL {
        for start in [1, 4095, UNIT - 1] {
            let advised = map.advise_range(advice, start, 1);
            scene.variant("misaligned", advised, "Misaligned");
        }
    }
}

fn a_start_outside_is_reported_before_its_alignment<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(UNIT));
    scene.fails("both wrong", &mut map, "OutOfRange", |map| map.advise_range(Advice::Random, UNIT + 1, 1));
}

fn a_length_past_the_end_is_clamped<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(UNIT + 10));
    for &advice in Advice::ALL {
        for (start, len) in [(0, UNIT + 11), (0, usize::MAX), (UNIT, 11), (UNIT, usize::MAX), (UNIT, 0), (0, 0)] {
            map.advise_range(advice, start, len).unwrap();
        }
    }
    scene.bytes("bytes", &map, pattern(UNIT + 10));
}

fn the_position_stays<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", b"hello");
    map.read_byte().unwrap();
    for &advice in Advice::ALL {
        map.advise(advice).unwrap();
    }
    scene.eq("position", map.tell(), 1);
}

fn dont_need_keeps_changes_that_are_not_flushed<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.mapped("f", &pattern(2 * UNIT));
    let mut want = pattern(2 * UNIT);
    for at in [0, 4096, UNIT + 1] {
        map[at] = 0;
        want[at] = 0;
    }
    map.advise(Advice::DontNeed).unwrap();
    scene.bytes("bytes", &map, &want);
    map.advise_range(Advice::DontNeed, UNIT, 1).unwrap();
    scene.bytes("bytes", &map, &want);
    map.flush().unwrap();
    map.advise(Advice::DontNeed).unwrap();
    scene.bytes("flushed", &map, &want);
    scene.file_is("f", want);
}

fn dont_need_keeps_the_changes_of_a_copy<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Copy), &file).unwrap();
    map[0] = b'j';
    map.advise(Advice::DontNeed).unwrap();
    map.advise_range(Advice::DontNeed, 0, 5).unwrap();
    scene.bytes("bytes", &map, b"jello");
    scene.file_is("f", b"hello");
}

fn dont_need_keeps_anonymous_bytes<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.anonymous(5);
    map[..].copy_from_slice(b"hello");
    map.advise(Advice::DontNeed).unwrap();
    scene.bytes("bytes", &map, b"hello");
}

fn a_buffer_supports_five_hints<B: FileBackend>(scene: &mut Scene<B>) {
    let known: Vec<_> =
        Advice::ALL.iter().filter(|advice| advice.is_supported_by::<Buffered<OsFile>>()).copied().collect();
    let five = [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed, Advice::DontNeed];
    scene.eq("known", known, five);
}

fn a_buffer_has_no_unchecked_advice<B: FileBackend>(scene: &mut Scene<B>) {
    let Emulated { mut map, .. } = Emulated::new(pattern(UNIT));
    for &advice in UncheckedAdvice::ALL {
        // SAFETY: no slice of the mapping is alive.
        let advised = unsafe { map.advise_unchecked(advice, 0, UNIT) };
        scene.err("advice", advised, "Unsupported");
        // SAFETY: as above.
        let advised = unsafe { map.advise_unchecked(advice, UNIT, 1) };
        scene.err("start outside", advised, "OutOfRange");
        // SAFETY: as above.
        let advised = unsafe { map.advise_unchecked(advice, 1, 1) };
        scene.err("misaligned", advised, "Misaligned");
    }
    scene.bytes("bytes", &map, pattern(UNIT));
}
