//! A suite whose cases fail in different ways on each column: the harness finds and describes each failure.

mod common;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use common::{Target, guest};
use native_tests::ledger::Exception;
use wasm_tests::column::Column;
use wasm_tests::outcome::Limits;
use wasm_tests::report;
use wasm_tests::sandbox::{HAS_HOST_MAPPING, Sandbox};
use wasm_tests::suite::{self, Plan, Results};

fn columns() -> Vec<Column> {
    let sandbox = |target| Sandbox::load(&guest(target, "hostile")).unwrap();
    vec![
        Column::child("native", vec![guest(Target::Native, "hostile").into()], None),
        Column::sandbox("wasip1", sandbox(Target::Wasip1)),
        Column::sandbox("wasip2", sandbox(Target::Wasip2)),
    ]
}

fn plan(filter: Option<&str>) -> Plan {
    let limits = Limits { time: Duration::from_secs(5), memory: 100 << 20 };
    Plan { filter: filter.map(str::to_owned), limits, jobs: 2, scratch: None }
}

/// The kinds of failures on the three columns, or "" for a case that passed.
fn kinds(results: &Results) -> BTreeMap<&str, Vec<&str>> {
    let kind = |cell: &suite::Cell| cell.failure.as_ref().map_or("", |failure| failure.kind());
    results.cases.iter().map(|case| (case.name.as_str(), case.cells.iter().map(kind).collect())).collect()
}

#[test]
fn each_misbehaviour_is_reported() {
    let ledger = [
        Exception { case: "excepted", column: "wasip2", reason: "the platform is like that" },
        Exception { case: "good", column: "wasip1", reason: "was mended" },
        Exception { case: "renamed", column: "wasip1", reason: "has another name now" },
    ];
    let results = suite::run(&columns(), &plan(None), &ledger);
    let expected = [
        ("good", ["", "", ""]),
        ("panics_rightly", ["", "", ""]),
        ("panics_wrongly", ["", "wrong panic", ""]),
        ("never_panics", ["", "", "did not panic"]),
        ("panics_unexpectedly", ["", "", "trapped"]),
        ("missing_on_wasip1", ["", "missing here", ""]),
        ("only_on_wasip2", ["missing here", "missing here", ""]),
        ("listed_otherwise", ["", "", "listed with another end"]),
        ("observes_otherwise", ["", "transcript differs", "transcript differs"]),
        ("leaves_otherwise", ["", "", "transcript differs"]),
        ("stops_early", ["", "did not run to its end", ""]),
        ("exits", ["", "", "failed"]),
        ("loops", ["", "timed out", ""]),
        ("wants_memory", ["", "trapped", "trapped"]),
        ("reads_twice", ["", "out of bounds", "out of bounds"]),
        ("stops_counting", ["", "", "out of bounds"]),
        ("excepted", ["", "", "transcript differs"]),
    ];
    assert_eq!(kinds(&results), expected.map(|(case, kinds)| (case, kinds.to_vec())).into());

    assert_eq!(results.problems.len(), 2, "{:?}", results.problems);
    assert!(results.problems[0].contains("lists good on wasip1, which passes"));
    assert!(results.problems[1].contains("lists renamed, which no column has"));

    let text = report::render(&results, &ledger);
    // 17 cases on 3 columns; 19 of those cells fail, one of them is excepted; two exceptions do not occur any more.
    assert!(text.ends_with("\n32 passed, 20 failed\n"), "{text}");
    for part in [
        "FAILED loops, wasip1: timed out: still running after 5s\n",
        "FAILED panics_unexpectedly, wasip2: trapped: wasm trap: wasm `unreachable` instruction executed\n",
        "    an unexpected panic\n",
        "FAILED observes_otherwise, wasip1: transcript differs from that of native (-) at line 2:\n      begins\n    - not on wasip2\n",
        "\n    + on wasip1\n",
        "(it requested 1",
        "FAILED reads_twice, wasip1: out of bounds: counted one read: 2 reads, not 1; 8 bytes read, not 4 (fd_pread 2 calls 8 bytes)\n",
        "FAILED reads_twice, wasip2: out of bounds: counted one read: 2 reads, not 1; 8 bytes read, not 4 (",
        "FAILED stops_counting, wasip2: out of bounds: counting nothing: its end and its bounds are missing\n",
        "  the platform is like that:\n    excepted, wasip2\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert!(text.lines().filter(|line| line.starts_with(['┌', '│', '└'])).all(|line| line.chars().count() <= 100));
    assert!(!text.contains("FAILED excepted"));
}

#[test]
fn a_filter_leaves_out_cases_and_reports_their_number() {
    let results = suite::run(&columns(), &plan(Some("goo")), &[]);
    assert_eq!(kinds(&results), [("good", vec!["", "", ""])].into());
    assert_eq!((results.passed(), results.failed(), results.left_out), (3, 0, 16));
    assert!(report::render(&results, &[]).contains("The filter left out 16 cases."));
}

#[test]
fn nothing_to_run_is_a_failure() {
    let results = suite::run(&columns(), &plan(Some("no such case")), &[]);
    assert_eq!((results.passed(), results.failed()), (0, 1));
}

#[test]
fn a_program_without_a_list_is_a_failure() {
    let mut columns = columns();
    // A program without cases.
    columns[0] = Column::child("native", vec![env!("CARGO_BIN_EXE_wasm-tests").into()], None);
    let results = suite::run(&columns, &plan(Some("good")), &[]);
    assert_eq!(kinds(&results), [("good", vec!["missing here", "", ""])].into());
    assert!(
        results.problems[0].starts_with("native: its list of cases ended with Exited(2)"),
        "{:?}",
        results.problems
    );
}

/// Runs the program itself, and returns its exit code and its last line.
#[test]
fn the_exit_code_shows_failures() {
    let run = |filter: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasm-tests"));
        command.arg("suite");
        let programs = [
            ("native", Target::Native),
            ("wasip1", Target::Wasip1),
            ("wasip2", Target::Wasip2),
            ("wasip2-hosted", Target::Wasip2Hosted),
        ];
        for (option, target) in programs {
            command.arg(format!("--{option}")).arg(guest(target, "hostile"));
        }
        let output = command.args(["--filter", filter]).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), stdout.lines().next_back().unwrap_or_default().to_owned())
    };
    // The number of columns of modules or native programs, and of components, which are fewer on systems that cannot
    // map files into a guest's memory. The case `exits` fails in components.
    let (others, components) = if HAS_HOST_MAPPING { (4, 2) } else { (3, 1) };
    assert_eq!(run("good"), (Some(0), format!("{} passed, 0 failed", others + components)));
    assert_eq!(run("exits"), (Some(1), format!("{others} passed, {components} failed")));
    assert_eq!(run("no such case"), (Some(1), "0 passed, 1 failed".to_owned()));
}
