//! Writes the results of a package's tests as reports: `report.html`, `report.json` and `junit.xml`, in the forms of
//! the comparison across targets.
//!
//! A cell has passed if its test passed with the same result as in the first column. A test that is ignored, or that
//! fails in the same way in every column, is an exception with a reason. It does not count as passed, and not as a
//! difference.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Map, Value, json};

use super::again;
use super::libtest::{Outcome, TestRun};
use super::results::{Results, Row};
use super::table::{failure_message, lines};
use crate::compare::{self, json::seconds};
use crate::verdict::{self, Difference};

/// The state of a cell.
enum State {
    Passed,
    /// An exception, with its reason.
    Excepted(String),
    Failed(Failure),
}

struct Failure {
    /// A description in a few words.
    kind: String,
    /// The end of the test's standard error, if it failed here or in the first column and not in both.
    message: Option<String>,
    /// The first difference from the transcript of the first column.
    difference: Option<Difference>,
}

/// Writes the three reports into a directory, which is created if it does not exist, and returns their paths. `args`
/// are the arguments of the run.
///
/// # Errors
///
/// Fails if a report cannot be written.
pub fn write(results: &Results, started: SystemTime, args: &[OsString], dir: &Path) -> io::Result<Vec<PathBuf>> {
    let junit = junit(results).map_err(io::Error::other)?;
    compare::write_reports(dir, &json(results, started, args), junit)
}

fn json(results: &Results, started: SystemTime, args: &[OsString]) -> Value {
    let mut transcripts = Vec::new();
    let mut counts = [0, 0];
    let cases: Vec<Value> = results.rows.iter().map(|row| case(results, row, args, &mut transcripts)).collect();
    let columns: Vec<Value> = results
        .columns
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let states: Vec<State> = results.rows.iter().map(|row| state(results, row, index)).collect();
            let passed = states.iter().filter(|state| matches!(state, State::Passed)).count();
            let failed = states.iter().filter(|state| matches!(state, State::Failed(_))).count();
            counts = [counts[0] + passed, counts[1] + failed];
            let what = if index == 0 { "the reference of the others" } else { "compared with the first column" };
            json!({
                "key": name, "name": name, "what": what, "state": "ran",
                "cases": states.len(), "passed": passed, "failed": failed,
                "excepted": states.len() - passed - failed, "seconds": seconds(results.times[index]),
                "calls": null,
            })
        })
        .collect();
    let problems = problems(results);
    json!({
        "schema": "portable-mmap/compare",
        "version": compare::json::VERSION,
        "title": "Tests compared across targets",
        "started": started.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs(),
        "seconds": seconds(results.times.iter().sum()),
        "filter": null,
        "passed": results.are_equal(),
        "counts": { "passed": counts[0], "failed": counts[1] + problems.len() },
        "sections": [{
            "subject": "crate", "title": "Tests of the package", "left_out": results.left_out, "columns": columns,
            "problems": problems, "ledger": [], "cases": cases,
        }],
        "transcripts": transcripts,
    })
}

fn case(results: &Results, row: &Row, args: &[OsString], transcripts: &mut Vec<Vec<String>>) -> Value {
    let cells = row.cells.iter().enumerate().map(|(index, cell)| {
        let lines = transcript(cell);
        let known = transcripts.iter().position(|known| *known == lines).unwrap_or_else(|| {
            transcripts.push(lines);
            transcripts.len() - 1
        });
        let mut value = json!({ "seconds": seconds(cell.time), "transcript": known });
        match state(results, row, index) {
            State::Passed => value["state"] = json!("passed"),
            State::Excepted(reason) => {
                value["state"] = json!("excepted");
                value["reason"] = json!(reason);
            }
            State::Failed(failure) => {
                value["state"] = json!("failed");
                value["failure"] = json!({
                    "kind": failure.kind, "text": failure.text(),
                    "again": again::command(args, &row.test),
                });
                if let Some(difference) = failure.difference {
                    value["failure"]["difference"] = json!({
                        "reference": results.columns[0], "line": difference.line + 1, "before": difference.before,
                        "theirs": difference.theirs, "ours": difference.ours,
                    });
                }
            }
        }
        (results.columns[index].clone(), value)
    });
    let cells: Map<String, Value> = cells.collect();
    json!({ "name": format!("{}/{}", row.program, row.test), "cells": cells })
}

fn junit(results: &Results) -> Result<String, SerializeError> {
    let mut report = Report::new("tests compared across targets");
    report.set_time(results.times.iter().sum());
    for (index, column) in results.columns.iter().enumerate() {
        let mut suite = TestSuite::new(column.as_str());
        suite.set_time(results.times[index]);
        suite.add_test_cases(results.rows.iter().map(|row| {
            let mut case = TestCase::new(row.test.as_str(), status(state(results, row, index)));
            case.set_classname(format!("{column}.{}", row.program)).set_time(row.cells[index].time);
            case
        }));
        report.add_test_suite(suite);
    }
    let problems = problems(results);
    if !problems.is_empty() {
        let mut others = TestSuite::new("columns");
        others.add_test_cases(compare::junit::problem_cases(&problems));
        report.add_test_suite(others);
    }
    report.to_string()
}

fn status(state: State) -> TestCaseStatus {
    match state {
        State::Passed => TestCaseStatus::success(),
        State::Excepted(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason);
            status
        }
        State::Failed(failure) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let text = failure.text();
            status.set_type(failure.kind.as_str()).set_message(failure.kind).set_description(text);
            status
        }
    }
}

/// The problems that do not concern one test.
fn problems(results: &Results) -> Vec<String> {
    let mut problems = results.problems.clone();
    if problems.is_empty() && results.rows.iter().all(Row::is_equal_everywhere) && !results.are_equal() {
        problems.push("no test ran: each is ignored in every column".to_owned());
    }
    problems
}

fn state(results: &Results, row: &Row, index: usize) -> State {
    let (first, cell) = (&row.cells[0], &row.cells[index]);
    let failed = |kind| {
        let difference = verdict::compare(&results.columns[0], &transcript(first), &transcript(cell));
        State::Failed(Failure { kind, message: failure_message(results, row, index), difference })
    };
    let (word, reference) = (cell.outcome.word(), first.outcome.word());
    if !row.is_equal(index) {
        let same = cell.outcome == first.outcome;
        let column = &results.columns[0];
        return failed(if same {
            format!("other output than {column}")
        } else {
            format!("{word} here, {reference} in {column}")
        });
    }
    match &cell.outcome {
        Outcome::Passed => State::Passed,
        Outcome::Ignored => State::Excepted("ignored".to_owned()),
        _ if row.is_equal_everywhere() => State::Excepted(format!("{word} in every column")),
        _ => failed(word),
    }
}

impl Failure {
    fn text(&self) -> String {
        match (&self.message, &self.difference) {
            (Some(message), _) => message.clone(),
            (None, Some(difference)) => format!("{}: the transcript {difference}", self.kind),
            (None, None) => self.kind.clone(),
        }
    }
}

/// The outcome of a test and its output, as lines.
fn transcript(cell: &TestRun) -> Vec<String> {
    let mut transcript = vec![format!("outcome: {}", cell.outcome.word())];
    if let Outcome::NotRun(why) = &cell.outcome {
        transcript.push(why.clone());
    }
    for (name, text) in [("output", &cell.stdout), ("error", &cell.stderr)] {
        if !text.is_empty() {
            transcript.push(format!("standard {name}:"));
            transcript.extend(lines(text));
        }
    }
    transcript
}
