//! `report.json`. Its schema is described in `wasm-tests/report-schema.md`.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use native_tests::counts::{Kind, Tally};
use serde_json::{Map, Value, json};

use super::comparison::{Absent, Comparison, Section, state};
use crate::suite::CaseResults;
use crate::verdict::Failure;

/// The version of the schema. It changes if an existing field changes its place or its meaning.
pub const VERSION: u32 = 2;

/// The whole report.
#[must_use]
pub fn report(comparison: &Comparison) -> Value {
    let mut transcripts = Transcripts::default();
    let sections: Vec<Value> =
        comparison.sections.iter().map(|section| value_of_section(section, &mut transcripts)).collect();
    let started = comparison.started.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    json!({
        "schema": "portable-mmap/compare",
        "version": VERSION,
        "started": started,
        "seconds": seconds(comparison.elapsed),
        "filter": comparison.filter,
        "passed": comparison.passed(),
        "counts": { "passed": comparison.passes(), "failed": comparison.failed() },
        "sections": sections,
        "transcripts": transcripts.all,
    })
}

fn value_of_section<'r>(section: &'r Section, transcripts: &mut Transcripts<'r>) -> Value {
    let results = &section.results;
    let cases = results.cases.iter().map(|case| {
        let cells =
            section.ran.iter().enumerate().map(|(index, definition)| {
                (definition.key.to_owned(), value_of_cell(section, case, index, transcripts))
            });
        json!({ "name": case.name, "cells": cells.collect::<Map<_, _>>() })
    });
    let cases: Vec<Value> = cases.collect();
    json!({
        "subject": section.subject.key(),
        "title": section.subject.title(),
        "left_out": results.left_out,
        "columns": columns(section),
        "problems": results.problems,
        "ledger": section.ledger.iter().map(|exception| json!({
            "case": exception.case, "column": key(section, exception.column), "reason": exception.reason,
        })).collect::<Vec<_>>(),
        "cases": cases,
    })
}

/// The columns that have run, and then those that have not.
fn columns(section: &Section) -> Vec<Value> {
    let ran = section.ran.iter().enumerate().map(|(index, definition)| {
        let cells = || section.results.cases.iter().map(|case| &case.cells[index]);
        let count = |wanted: &str| cells().filter(|cell| state(cell) == wanted).count();
        let time = cells().map(|cell| cell.time).sum();
        let tallies: Vec<&Tally> = cells().filter_map(|cell| Some(&cell.calls.as_ref()?.total)).collect();
        json!({
            "key": definition.key, "name": definition.name, "what": definition.what, "state": "ran",
            "host_version": section.versions[index],
            "cases": cells().count(), "passed": count("passed"), "failed": count("failed"),
            "excepted": count("excepted"), "seconds": seconds(time),
            "calls": if tallies.is_empty() { Value::Null } else { kinds(&tallies) },
        })
    });
    let absent = section.absent.iter().map(|Absent { definition, reason }| {
        json!({
            "key": definition.key, "name": definition.name, "what": definition.what, "state": "absent",
            "reason": reason,
        })
    });
    ran.chain(absent).collect()
}

fn key<'c>(section: &Section, name: &'c str) -> &'c str {
    section.ran.iter().find(|definition| definition.name == name).map_or(name, |definition| definition.key)
}

fn value_of_cell<'r>(
    section: &Section,
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
        value["failure"]["again"] = json!(section.again(&case.name, column));
        if let Some(seed) = cell.seed() {
            value["failure"]["seed"] = json!(seed);
        }
        if let Failure::Differs(difference) = failure {
            value["failure"]["difference"] = json!({
                "reference": key(section, &difference.reference), "line": difference.line + 1,
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

/// A duration in seconds, with the precision of a millisecond: no time here is more precise.
pub(crate) fn seconds(time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^53 milliseconds")]
    let milliseconds = time.as_millis() as f64;
    milliseconds / 1000.0
}

/// The transcripts, each of them once: those of a case are equal.
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
