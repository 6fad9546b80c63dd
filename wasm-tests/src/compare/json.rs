//! `report.json`. Its schema is described in `wasm-tests/report-schema.md`.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use native_tests::counts::{Kind, Tally};
use serde_json::{Map, Value, json};

use super::{Absent, Comparison, state};
use crate::suite::CaseResults;
use crate::verdict::Failure;

/// The version of the schema: another one where something that was there has changed its place or its meaning.
pub const VERSION: u32 = 1;

/// The whole report.
#[must_use]
pub fn report(comparison: &Comparison) -> Value {
    let results = &comparison.results;
    let mut transcripts = Transcripts::default();
    let cases: Vec<Value> = results
        .cases
        .iter()
        .map(|case| {
            let cells = comparison.ran.iter().enumerate().map(|(index, definition)| {
                (definition.key.to_owned(), value_of_cell(comparison, case, index, &mut transcripts))
            });
            json!({ "name": case.name, "cells": cells.collect::<Map<_, _>>() })
        })
        .collect();
    let started = comparison.started.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    json!({
        "schema": "portable-mmap/compare",
        "version": VERSION,
        "started": started,
        "seconds": seconds(comparison.elapsed),
        "filter": comparison.filter,
        "left_out": results.left_out,
        "passed": comparison.passed(),
        "counts": { "passed": results.passed(), "failed": results.failed() },
        "columns": columns(comparison),
        "problems": results.problems,
        "ledger": comparison.ledger.iter().map(|exception| json!({
            "case": exception.case, "column": key(comparison, exception.column), "reason": exception.reason,
        })).collect::<Vec<_>>(),
        "cases": cases,
        "transcripts": transcripts.all,
    })
}

/// Columns that have run and then those that have not.
fn columns(comparison: &Comparison) -> Vec<Value> {
    let ran = comparison.ran.iter().enumerate().map(|(index, definition)| {
        let cells = || comparison.results.cases.iter().map(|case| &case.cells[index]);
        let count = |wanted: &str| cells().filter(|cell| state(cell) == wanted).count();
        let time = cells().map(|cell| cell.time).sum();
        let tallies: Vec<&Tally> = cells().filter_map(|cell| Some(&cell.calls.as_ref()?.total)).collect();
        json!({
            "key": definition.key, "name": definition.name, "what": definition.what, "state": "ran",
            "cases": cells().count(), "passed": count("passed"), "failed": count("failed"),
            "excepted": count("excepted"), "seconds": seconds(time),
            "calls": if tallies.is_empty() { Value::Null } else { kinds(&tallies) },
        })
    });
    let absent = comparison.absent.iter().map(|Absent { definition, reason }| {
        json!({
            "key": definition.key, "name": definition.name, "what": definition.what, "state": "absent",
            "reason": reason,
        })
    });
    ran.chain(absent).collect()
}

fn key<'c>(comparison: &Comparison, name: &'c str) -> &'c str {
    comparison.ran.iter().find(|definition| definition.name == name).map_or(name, |definition| definition.key)
}

fn value_of_cell<'r>(
    comparison: &Comparison,
    case: &'r CaseResults,
    column: usize,
    transcripts: &mut Transcripts<'r>,
) -> Value {
    let cell = &case.cells[column];
    let mut value = json!({
        "state": state(cell),
        "seconds": seconds(cell.time),
        "transcript": transcripts.index(&cell.transcript),
    });
    if let Some(failure) = &cell.failure {
        value["failure"] = json!({ "kind": failure.kind(), "text": failure.to_string() });
        value["failure"]["again"] = json!(comparison.again(&case.name, column));
        if let Some(seed) = cell.seed() {
            value["failure"]["seed"] = json!(seed);
        }
        if let Failure::Differs(difference) = failure {
            value["failure"]["difference"] = json!({
                "reference": key(comparison, &difference.reference), "line": difference.line + 1,
                "before": difference.before, "theirs": difference.theirs, "ours": difference.ours,
            });
        }
    }
    if let Some(reason) = cell.excepted {
        value["reason"] = json!(reason);
    }
    if let Some(calls) = &cell.calls {
        let by_name = calls.total.iter().map(|(name, count)| (name.to_owned(), json!([count.calls, count.bytes])));
        value["calls"] = by_name.collect::<Map<_, _>>().into();
    }
    value
}

/// The sums of the kinds of calls.
fn kinds(tallies: &[&Tally]) -> Value {
    let kinds = [Kind::Reads, Kind::BytesRead, Kind::Writes, Kind::BytesWritten, Kind::Syncs, Kind::Stats];
    let sums = kinds.map(|kind| {
        let sum: u64 = tallies.iter().filter_map(|tally| tally.count(kind)).sum();
        (kind.name().replace(' ', "_"), json!(sum))
    });
    sums.into_iter().collect::<Map<_, _>>().into()
}

/// In milliseconds: no clock here is better.
fn seconds(time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^53 milliseconds")]
    let milliseconds = time.as_millis() as f64;
    milliseconds / 1000.0
}

/// Each transcript once: those of a case are equal.
#[derive(Default)]
struct Transcripts<'r> {
    all: Vec<&'r [String]>,
    indices: HashMap<&'r [String], usize>,
}

impl<'r> Transcripts<'r> {
    fn index(&mut self, lines: &'r [String]) -> usize {
        *self.indices.entry(lines).or_insert_with(|| {
            self.all.push(lines);
            self.all.len() - 1
        })
    }
}
