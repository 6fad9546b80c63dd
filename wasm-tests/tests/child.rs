//! Native programs as child processes: their reports are like those of guests.

mod common;

use std::time::{Duration, Instant};

use common::{Target, guest};
use wasm_tests::child;
use wasm_tests::counters::Counted;
use wasm_tests::outcome::{End, OUTPUT_LIMIT, Report};

fn run(args: &[&str]) -> (Report, Option<Counted>) {
    child::run(guest(Target::Native, "hostile").as_os_str(), args, Some(Duration::from_mins(1))).unwrap()
}

#[test]
fn each_end_is_reported() {
    assert_eq!(run(&["exit", "3"]).0.end, End::Exited(3));
    assert_eq!(run(&["args", "a b"]).0.stdout, b"[\"args\", \"a b\"]\n");
    let panic = run(&["panic", "index out of range"]).0;
    assert_eq!(panic.end, End::Exited(101));
    assert!(str::from_utf8(&panic.stderr).unwrap().contains("\nindex out of range\n"));
    let abort = run(&["trap"]).0.end;
    // Windows has no signals.
    assert!(matches!(&abort, End::Trapped(what) if what.contains("signal")) || cfg!(windows), "{abort:?}");
}

#[test]
fn a_program_that_does_not_end_is_killed() {
    for forever in ["spin", "sleep"] {
        let start = Instant::now();
        let limit = Some(Duration::from_millis(300));
        let (report, _) = child::run(guest(Target::Native, "hostile").as_os_str(), &[forever], limit).unwrap();
        assert_eq!(report.end, End::TimedOut);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
}

#[test]
fn output_is_captured_up_to_the_limit() {
    let report = run(&["print", "8"]).0;
    assert_eq!((report.end, report.stdout.len()), (End::Exited(0), 8 << 20));
    let report = run(&["print", "80"]).0;
    assert_ne!(report.end, End::Exited(0));
    assert_eq!(report.stdout.len(), OUTPUT_LIMIT);
}

#[test]
fn bytes_are_counted_if_the_system_counts_them() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, vec![b'a'; 1 << 20]).unwrap();
    let (report, counted) = run(&["cat", file.to_str().unwrap()]);
    assert_eq!(report.stdout.len(), 1 << 20);
    match counted {
        Some(Counted { read, written }) => {
            // The start of the program reads a few bytes too.
            assert!((1 << 20..2 << 20).contains(&read), "{read}");
            assert_eq!(written, 1 << 20);
        }
        None if cfg!(target_os = "linux") => panic!("Linux counts"),
        None => {}
    }
}

#[test]
fn a_missing_program_is_an_error() {
    let error = child::run("/no/such/program".as_ref(), &[] as &[&str], None).unwrap_err();
    assert!(error.to_string().starts_with("cannot start /no/such/program: "), "{error}");
}
