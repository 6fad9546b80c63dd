//! Renders the results of a package's tests as text.

use std::fmt::Write as _;

use comfy_table::{Cell, Table};

use super::libtest::{Outcome, TestRun};
use super::results::{Results, Row};
use crate::terminal::{align_right, new_table};
use crate::verdict;

/// The number of characters of a program's and of a test's name in the table. The middle of a longer name is left out.
const PROGRAM: usize = 16;
const TEST: usize = 32;

/// The number of lines of a test's standard error that are shown.
const STDERR_LINES: usize = 12;

/// The whole text: differences in output first, then the table of tests that differ, and the totals.
#[must_use]
pub fn render(results: &Results) -> String {
    let mut text = String::new();
    for row in results.rows.iter().filter(|row| !row.is_equal_everywhere()) {
        text.push_str(&outputs(results, row));
    }
    for problem in &results.problems {
        _ = writeln!(text, "FAILED {problem}\n");
    }
    let differing: Vec<&Row> = results.rows.iter().filter(|row| !row.is_equal_everywhere()).collect();
    if !differing.is_empty() {
        _ = writeln!(text, "{}", differences(results, &differing));
    }
    _ = writeln!(text, "{}", totals(results));
    if results.left_out > 0 {
        _ = writeln!(text, "{} tests were left out.", results.left_out);
    }
    let failing =
        |row: &&Row| row.is_equal_everywhere() && !matches!(row.cells[0].outcome, Outcome::Passed | Outcome::Ignored);
    let failing: Vec<&Row> = results.rows.iter().filter(failing).collect();
    for row in &failing {
        _ = writeln!(text, "{}, {}: {} in every column", row.program, row.test, row.cells[0].outcome.word());
    }
    let equal = results.rows.len() - differing.len();
    _ = writeln!(text, "{equal} tests equal in {} columns, {} not", results.columns.len(), differing.len());
    if !failing.is_empty() {
        _ = writeln!(text, "Equal tests that fail in every column, and do not count as differences: {}", failing.len());
    }
    text
}

/// The differences of a test from the first column: another outcome with the message of the panic, or the first
/// differences of its output; and the reasons why it could not be run.
fn outputs(results: &Results, row: &Row) -> String {
    let mut text = String::new();
    let first = &row.cells[0];
    // Columns with the same message are named together.
    let mut messages: Vec<(String, Vec<&str>)> = Vec::new();
    for (index, (cell, column)) in row.cells.iter().zip(&results.columns).enumerate() {
        let mut add = |message: String| match messages.iter_mut().find(|(other, _)| *other == message) {
            Some((_, columns)) => columns.push(column),
            None => messages.push((message, vec![column])),
        };
        if let Outcome::NotRun(why) = &cell.outcome {
            add(format!("not run: {why}"));
        }
        if index == 0 || !first.outcome.is_comparable() || !cell.outcome.is_comparable() {
            continue;
        }
        if let Some(message) = failure_message(results, row, index) {
            add(message);
            continue;
        }
        for (what, theirs, ours) in [("output", &first.stdout, &cell.stdout), ("error", &first.stderr, &cell.stderr)] {
            if let Some(difference) = verdict::compare(&results.columns[0], &lines(theirs), &lines(ours)) {
                add(format!("standard {what} differs {difference}"));
            }
        }
    }
    for (what, columns) in messages {
        _ = writeln!(text, "UNEQUAL {}, {}, {}: {what}\n", row.program, row.test, columns.join(" and "));
    }
    text
}

/// The two outcomes of a test that ended otherwise in column `index` than in the first one, and the message of the one
/// that did not pass. `None` if the outcomes are equal, or one of them says that the test did not run to its end.
pub(super) fn failure_message(results: &Results, row: &Row, index: usize) -> Option<String> {
    let (first, cell) = (&row.cells[0], &row.cells[index]);
    let ran = |cell: &TestRun| cell.outcome.is_comparable() && cell.outcome != Outcome::Ignored;
    if cell.outcome == first.outcome || !ran(first) || !ran(cell) {
        return None;
    }
    let reference = &results.columns[0];
    let outcomes = format!("{} here, {} in {reference}", cell.outcome.word(), first.outcome.word());
    let in_reference = || format!("in {reference}");
    let passed = cell.outcome == Outcome::Passed;
    let (failed, place) = if passed { (first, in_reference()) } else { (cell, "here".to_owned()) };
    let message = message(&failed.stderr);
    Some(if message.is_empty() { outcomes } else { format!("{outcomes}\n  standard error {place}:{message}") })
}

/// The first panic in a standard error and the lines after it, or else its last lines.
fn message(stderr: &str) -> String {
    let stderr = stderr.trim();
    let lines: Vec<&str> = stderr.lines().collect();
    let panic = lines.iter().position(|line| line.starts_with("thread ") && line.contains(" panicked at "));
    let first = panic.unwrap_or(lines.len().saturating_sub(STDERR_LINES));
    let shown = &lines[first..lines.len().min(first + STDERR_LINES)];
    let mut text = String::new();
    for line in shown {
        _ = write!(text, "\n    {}", verdict::excerpt(line, 0));
    }
    let left_out = lines.len() - shown.len();
    if left_out > 0 {
        _ = write!(text, "\n    ({left_out} other lines)");
    }
    text
}

/// The lines of a text, and a note if the last line has no end.
pub(super) fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if !text.is_empty() && !text.ends_with('\n') {
        lines.push("(without the end of the line)".to_owned());
    }
    lines
}

fn differences(results: &Results, rows: &[&Row]) -> Table {
    let header: Vec<&str> = ["Program", "Test"].into_iter().chain(results.columns.iter().map(String::as_str)).collect();
    let mut table = new_table(&header);
    for row in rows {
        let mut cells = vec![shortened(&row.program, PROGRAM), shortened(&row.test, TEST)];
        cells.extend(row.cells.iter().enumerate().map(|(index, cell)| {
            let output_differs = cell.outcome == row.cells[0].outcome && !row.is_equal(index);
            if output_differs { "differs".to_owned() } else { cell.outcome.word() }
        }));
        table.add_row(cells);
    }
    table
}

fn shortened(name: &str, most: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= most {
        return name.to_owned();
    }
    let half = (most - 1) / 2;
    letters[..half].iter().chain(&['…']).chain(&letters[letters.len() - half..]).collect()
}

fn totals(results: &Results) -> Table {
    let header = ["Column", "Tests", "Passed", "By panic", "Failed", "Ignored", "Not run", "Unequal", "Time"];
    let mut table = new_table(&header);
    for (index, name) in results.columns.iter().enumerate() {
        let rows = || results.rows.iter().filter(move |row| row.cells[index].outcome != Outcome::Absent);
        let count = |wanted: &dyn Fn(&Outcome) -> bool| rows().filter(|row| wanted(&row.cells[index].outcome)).count();
        let passed = |outcome: &Outcome| *outcome == Outcome::Passed;
        let (ignored, not_run) = (count(&|o| *o == Outcome::Ignored), count(&|o| matches!(o, Outcome::NotRun(_))));
        let numbers = [
            rows().count(),
            count(&passed),
            // The passed tests that should panic.
            rows().filter(|row| row.should_panic() && passed(&row.cells[index].outcome)).count(),
            rows().count() - count(&passed) - ignored - not_run,
            ignored,
            not_run,
            results.rows.iter().filter(|row| !row.is_equal(index)).count(),
        ];
        let mut row = vec![Cell::new(name)];
        row.extend(numbers.map(Cell::new));
        row.push(Cell::new(format!("{:.1} s", results.times[index].as_secs_f64())));
        table.add_row(row);
    }
    align_right(&mut table, 1);
    table
}
