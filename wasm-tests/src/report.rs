//! Renders the results of the suite as text: the failures, the ledger, and the table.

use std::fmt::Write as _;
use std::time::Duration;

use comfy_table::{Cell, Table};
use native_tests::ledger::Exception;

use crate::calls::{HostCalls, Stretch};
use crate::suite::Results;
use crate::terminal::{align_right, new_table};

/// The whole text for a terminal: failures first, and the table and the count last, because the end stays visible.
#[must_use]
pub fn render(results: &Results, ledger: &[Exception]) -> String {
    let mut text = failures(results, |_, _| None);
    text.push_str(&exceptions(ledger));
    _ = writeln!(text, "{}", columns(results));
    text.push_str(&not_in_the_table(results));
    text.push_str(&counts(results.passed(), results.failed()));
    text
}

/// The failures, with the seed if there is one, and the command that `again` returns for a case on the column with this
/// index.
pub(crate) fn failures(results: &Results, again: impl Fn(&str, usize) -> Option<String>) -> String {
    let mut text = String::new();
    for case in &results.cases {
        for (index, (cell, column)) in case.cells.iter().zip(&results.columns).enumerate() {
            let Some(failure) = cell.failure.as_ref().filter(|_| cell.failed()) else { continue };
            _ = writeln!(text, "FAILED {}, {column}: {failure}", case.name);
            if let Some(seed) = cell.seed() {
                _ = writeln!(text, "    with the seed {seed}");
            }
            if let Some(command) = again(&case.name, index) {
                _ = writeln!(text, "    again: {command}");
            }
            text.push('\n');
        }
    }
    for problem in &results.problems {
        _ = writeln!(text, "FAILED {problem}\n");
    }
    text
}

/// Results that are not counted in the table, and the number of cases that were not run.
pub(crate) fn not_in_the_table(results: &Results) -> String {
    let mut text = uncounted(results);
    text.push_str(&mapped(results));
    if results.left_out > 0 {
        _ = writeln!(text, "The filter left out {} cases.", results.left_out);
    }
    text
}

/// The last line, with the counts.
pub(crate) fn counts(passed: usize, failed: usize) -> String {
    format!("{passed} passed, {failed} failed\n")
}

/// The ledger of exceptions.
pub(crate) fn exceptions(ledger: &[Exception]) -> String {
    let mut text = String::new();
    if ledger.is_empty() {
        text.push_str("No exception concerns the cases and the columns that ran.\n");
    } else {
        text.push_str("Exceptions, each a property of the platform:\n");
    }
    let mut reasons: Vec<&str> = Vec::new();
    for Exception { reason, .. } in ledger {
        if reasons.contains(reason) {
            continue;
        }
        reasons.push(reason);
        _ = writeln!(text, "  {reason}:");
        for Exception { case, column, .. } in ledger.iter().filter(|other| other.reason == *reason) {
            _ = writeln!(text, "    {case}, {column}");
        }
    }
    text
}

/// The memory that should have been counted in a sandbox and could not be.
fn uncounted(results: &Results) -> String {
    let mut text = String::new();
    for (index, name) in results.columns.iter().enumerate() {
        let calls = results.cases.iter().filter_map(|case| case.cells[index].calls.as_ref());
        let unknown = calls.flat_map(|calls| &calls.stretches).filter(|stretch| !stretch.unknown.is_empty());
        let count = unknown.count();
        if count > 0 {
            let why = "is not checked, because this system does not report it";
            _ = writeln!(text, "{name}: the memory of {count} stretches {why}.");
        }
    }
    text
}

/// How many mappings the guests of each column have requested, which shows that the host has made them.
fn mapped(results: &Results) -> String {
    let mut text = String::new();
    for (index, name) in results.columns.iter().enumerate() {
        let maps = results.cases.iter().filter_map(|case| case.cells[index].calls.as_ref()).map(HostCalls::maps);
        let (cases, maps) = maps.filter(|&maps| maps > 0).fold((0, 0), |(cases, all), maps| (cases + 1, all + maps));
        if cases > 0 {
            _ = writeln!(text, "{name}: the host has mapped files in {cases} cases, {maps} times.");
        }
    }
    text
}

/// A row for each column.
pub(crate) fn columns(results: &Results) -> Table {
    let mut table = new_table(&["Column", "Cases", "Passed", "Failed", "Excepted", "Time"]);
    for (index, name) in results.columns.iter().enumerate() {
        let cells = || results.cases.iter().map(|case| &case.cells[index]);
        let time: Duration = cells().map(|cell| cell.time).sum();
        let numbers = [
            cells().count(),
            cells().filter(|cell| cell.failure.is_none()).count(),
            cells().filter(|cell| cell.failed()).count(),
            cells().filter(|cell| cell.failure.is_some() && cell.excepted.is_some()).count(),
        ];
        let mut row = vec![Cell::new(name)];
        row.extend(numbers.map(Cell::new));
        row.push(Cell::new(format!("{:.1} s", time.as_secs_f64())));
        table.add_row(row);
    }
    align_right(&mut table, 1);
    table
}

/// Every transcript, whether the case passed or not, and the counted calls.
#[must_use]
pub fn transcripts(results: &Results) -> String {
    let mut text = String::new();
    for case in &results.cases {
        for (cell, column) in case.cells.iter().zip(&results.columns) {
            _ = writeln!(text, "TRANSCRIPT {}, {column}:", case.name);
            for line in &cell.transcript {
                _ = writeln!(text, "    {line}");
            }
            if let Some(calls) = &cell.calls {
                text.push_str(&counted(calls));
            }
        }
    }
    text
}

/// The calls of a case, in total and in each counted stretch.
fn counted(calls: &HostCalls) -> String {
    let mut text = format!("  in all: {}\n", calls.total);
    for Stretch { what, calls, resident, .. } in &calls.stretches {
        _ = write!(text, "  {what}: {calls}");
        _ = match resident {
            Some(bytes) => writeln!(text, ", {bytes} bytes resident"),
            None => writeln!(text),
        };
    }
    text
}
