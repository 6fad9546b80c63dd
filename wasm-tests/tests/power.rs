//! Tests of the power failures: nothing is lost, and a program that loses flushed bytes is found in every column.

mod common;

use common::{Target, guest};
use wasm_tests::power::{Plan, Results, obstacle, render, run};

/// Simulates power failures under a program with a flaw. `None` if no file system can be mounted.
fn results(points: usize, flaw: Option<&'static str>) -> Option<Results> {
    if let Some(obstacle) = obstacle() {
        println!("NOT RUN: {obstacle}");
        return None;
    }
    let plan = Plan {
        native: guest(Target::Native, "power"),
        wasip1: guest(Target::Wasip1, "power"),
        wasip2: guest(Target::Wasip2, "power"),
        harness: env!("CARGO_BIN_EXE_wasm-tests").into(),
        points,
        seed: 7,
        controls: None,
        flaw,
    };
    let results = run(&plan).unwrap();
    assert_eq!(results.columns.len(), 4);
    Some(results)
}

#[test]
fn flushed_bytes_survive_a_power_failure() {
    let Some(results) = results(60, None) else { return };
    assert!(results.passed(), "{}", render(&results));
    assert!(results.columns.iter().all(|tally| tally.points == 15), "{results:?}");
}

#[test]
fn a_flush_that_returns_too_early_is_found() {
    let Some(results) = results(60, Some("early")) else { return };
    for tally in &results.columns {
        assert!(tally.lost > 0 && !tally.passed(), "{tally:?}");
        assert_eq!(tally.problems, [""; 0], "{tally:?}");
    }
    let text = render(&results);
    assert!(text.contains("\nFAILED wasip2, seed "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 200), "{text}");
}

#[test]
fn a_program_that_ends_by_itself_is_reported() {
    let Some(results) = results(4, Some("unknown")) else { return };
    for tally in &results.columns {
        let [problem] = &tally.problems[..] else { panic!("{tally:?}") };
        assert!(
            problem.contains("it ended before the last power failure") && problem.contains("usage: power"),
            "{problem}"
        );
        assert_eq!((tally.points, tally.passed()), (0, false));
    }
}
