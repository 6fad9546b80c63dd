//! Tests of the kills: a program that loses flushed bytes is found, however it is killed.

mod common;

use common::{Target, guest};
use wasm_tests::crash::{Plan, Tally, render, run};

/// Kills a program with a flaw, `each` times in each column.
fn tallies(flaw: &'static str, each: usize) -> Vec<Tally> {
    let plan = Plan {
        native: guest(Target::Native, "crash"),
        wasip1: guest(Target::Wasip1, "crash"),
        wasip2: guest(Target::Wasip2, "crash"),
        harness: env!("CARGO_BIN_EXE_wasm-tests").into(),
        kills: 6 * each,
        seed: 7,
        flaw: Some(flaw),
    };
    let tallies = run(&plan).unwrap();
    assert_eq!(tallies.len(), 6);
    tallies
}

#[test]
fn a_flush_that_returns_too_early_is_found() {
    let tallies = tallies("early", 3);
    for tally in &tallies {
        // In an OS mapping a change is in the file before any flush, so a kill does not lose it.
        let loses = tally.name != "native Mapped";
        assert_eq!((tally.lost > 0, tally.passed()), (loses, !loses), "{tally:?}");
        assert_eq!((tally.kills, tally.foreign), (3, 0), "{tally:?}");
    }
    let text = render(&tallies);
    assert!(text.contains("\nFAILED wasip2, its host, seed "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
}

#[test]
fn a_byte_that_was_not_written_is_found() {
    for tally in tallies("stray", 3) {
        assert!(tally.foreign > 0 && !tally.passed(), "{tally:?}");
    }
}

#[test]
fn a_program_that_ends_by_itself_was_not_killed() {
    for tally in tallies("unknown", 1) {
        let [failure] = &tally.failures[..] else { panic!("{tally:?}") };
        assert!(failure.contains("it ended before it was killed"), "{failure}");
        assert_eq!((tally.kills, tally.passed()), (0, false));
    }
}
