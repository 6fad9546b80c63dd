//! Renders the results of power failures as tables.

use std::fmt::Write as _;

use comfy_table::Cell;

use super::{ControlResult, Results, Tally};
use crate::terminal::{align_right, new_table};

/// The number of losses that are shown in full.
const MOST_SHOWN: usize = 5;

/// Renders the failures, and tables with a row for each column and each control.
#[must_use]
pub fn render(results: &Results) -> String {
    let mut text = String::new();
    for tally in &results.columns {
        let Tally { name, losses, problems, .. } = tally;
        for failure in problems.iter().chain(losses).take(MOST_SHOWN) {
            _ = writeln!(text, "FAILED {name}, {failure}");
        }
        let more = (problems.len() + losses.len()).saturating_sub(MOST_SHOWN);
        if more > 0 {
            _ = writeln!(text, "FAILED {name}, and {more} more");
        } else if !tally.passed() && losses.is_empty() && problems.is_empty() {
            _ = writeln!(
                text,
                "FAILED {name}: no flush returned, or no write was lost, so nothing was tested; use more points"
            );
        }
    }
    for ControlResult { name, tally, .. } in results.controls.iter().filter(|result| !result.passed()) {
        for problem in tally.problems.iter().take(MOST_SHOWN) {
            _ = writeln!(text, "FAILED {name}, {}, {problem}", tally.name);
        }
        if tally.problems.is_empty() {
            _ = writeln!(text, "FAILED {name}, {}: a broken library lost nothing", tally.name);
        }
    }
    _ = writeln!(text, "{}", columns(&results.columns));
    text.push_str("Flushes: returned flushes to the disk.\n");
    text.push_str("Thrown away: unsynced writes and lengths that did not reach the disk, or not as a whole.\n");
    text.push_str("Midway: the disk had a part of the changes of a call that had not returned yet.\n");
    if !results.controls.is_empty() {
        _ = writeln!(text, "{}", controls(&results.controls));
    }
    text
}

fn columns(tallies: &[Tally]) -> comfy_table::Table {
    let header = ["Column", "Points", "Flushes", "Thrown away", "Midway", "Bytes checked", "Lost", "Foreign"];
    let mut table = new_table(&header);
    let row = |name: &str, numbers: [usize; 7]| {
        let numbers = numbers.iter().map(Cell::new);
        std::iter::once(Cell::new(name)).chain(numbers).collect::<Vec<_>>()
    };
    let numbers = |t: &Tally| [t.points, t.flushes, t.thrown_away, t.midway, t.bytes, t.lost, t.foreign];
    let mut total = [0; 7];
    for tally in tallies {
        total.iter_mut().zip(numbers(tally)).for_each(|(sum, number)| *sum += number);
        table.add_row(row(tally.name, numbers(tally)));
    }
    table.add_row(row("all", total));
    align_right(&mut table, 1);
    table
}

fn controls(results: &[ControlResult]) -> comfy_table::Table {
    let mut table = new_table(&["A library with", "Column", "Points", "Points that lost", "Bytes lost", "Foreign"]);
    for ControlResult { name, harmless, tally } in results {
        let name = harmless.map_or_else(|| (*name).to_owned(), |why| format!("{name}\n({why})"));
        let numbers = [tally.points, tally.losses.len(), tally.lost, tally.foreign];
        let cells = [Cell::new(name), Cell::new(tally.name)].into_iter().chain(numbers.iter().map(Cell::new));
        table.add_row(cells.collect::<Vec<_>>());
    }
    align_right(&mut table, 2);
    table
}
