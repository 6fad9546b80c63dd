//! Renders the results as text: goals and details for a terminal, and the table of docs/performance.md.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, Table};
use native_tests::workloads::{Limit, all};

use super::jobs::{self, Peer};
use super::judge::{GoalResult, Verdict, goal_text, is_met};
use super::measured::Measured;
use super::plan::COLUMNS;
use super::results::Results;
use crate::terminal::{align_right, new_table};

/// The whole text: times and memory first, and goals last, because the end stays visible.
#[must_use]
pub fn render(results: &Results) -> String {
    let mut text = details(results);
    text.push_str(&instructions(results));
    text.push_str(&sizes(results));
    let mut table = new_table(&["Work", "Against", "Goal", COLUMNS[0], COLUMNS[1], COLUMNS[2], COLUMNS[3]]);
    for result in &results.goal_results {
        let mut row = vec![Cell::new(result.name), Cell::new(&result.against), Cell::new(goal_text(result.limit))];
        row.extend(result.verdicts.iter().map(|verdict| Cell::new(cell(verdict, result.limit, "MISSED"))));
        table.add_row(row);
    }
    align_right(&mut table, 3);
    _ = writeln!(text, "{table}");
    text.push_str(&jobs::render(&results.jobs, &results.sizes));
    text.push_str(&results.peer.as_ref().map_or_else(String::new, Peer::render));
    if let Some(machine) = &results.machine {
        _ = writeln!(text, "Machine: {machine}.");
    }
    let python = results.python.as_deref().unwrap_or("there is no python3 here");
    _ = writeln!(text, "CPython: {python}.");
    for result in results.goal_results.iter().filter(|result| result.is_missed()) {
        let why = reason(result);
        let (GoalResult { name, against, limit, .. }, columns) = (result, missed(result));
        _ = writeln!(text, "MISSED: {name}, against {against}, {} ({columns}): {why}", goal_text(*limit));
    }
    text
}

/// Why a goal is missed.
fn reason(result: &GoalResult) -> &'static str {
    if result.why.is_empty() { "not explained yet" } else { result.why }
}

/// The columns on which a goal is missed.
fn missed(result: &GoalResult) -> String {
    let columns = COLUMNS.into_iter().zip(&result.verdicts);
    let missed = columns.filter(|(_, verdict)| matches!(verdict, Verdict::Missed(_)));
    missed.map(|(column, _)| column).collect::<Vec<_>>().join(", ")
}

fn cell(verdict: &Verdict, limit: Limit, missed: &str) -> String {
    match verdict {
        Verdict::NoGoal => String::new(),
        Verdict::NotChecked(why) => why.clone(),
        Verdict::Met(value) => number(*value, limit),
        Verdict::Missed(value) => format!("{} {missed}", number(*value, limit)),
    }
}

fn number(value: f64, limit: Limit) -> String {
    match limit {
        Limit::FewerBytes(_) => format!("{value:.0}"),
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Times and memory of each way.
fn details(results: &Results) -> String {
    let memory = |m: &Measured| m.peak.map(|peak| format!("{} MiB", peak >> 20));
    format!(
        "Shortest times:\n{}\nPeak memory of a program that does only this:\n{}\n",
        of_each_way(results, |m| Some(time(m))),
        of_each_way(results, memory)
    )
}

/// A table with a line for each way that has a value, and a column for each column.
fn of_each_way(results: &Results, what: impl Fn(&Measured) -> Option<String>) -> Table {
    let mut table = new_table(&["Work", "Way", COLUMNS[0], COLUMNS[1], COLUMNS[2], COLUMNS[3]]);
    for workload in all() {
        let mut ways: Vec<&str> = Vec::new();
        for m in results.measured.iter().filter(|m| m.workload == workload.name) {
            if !ways.contains(&&*m.way) {
                ways.push(&m.way);
            }
        }
        for way in ways {
            let on = |column: &str| {
                let is_it = |m: &&Measured| m.column == column && m.workload == workload.name && m.way == way;
                results.measured.iter().find(is_it).and_then(&what)
            };
            let cells = COLUMNS.map(on);
            if cells.iter().any(Option::is_some) {
                let mut row = vec![Cell::new(workload.name), Cell::new(way)];
                row.extend(cells.into_iter().map(|cell| Cell::new(cell.unwrap_or_default())));
                table.add_row(row);
            }
        }
    }
    align_right(&mut table, 2);
    table
}

fn time(m: &Measured) -> String {
    match &m.time {
        Ok(time) if *time < 1e5 => format!("{:.2} µs", time / 1e3),
        Ok(time) => format!("{:.2} ms", time / 1e6),
        Err(why) => why.clone(),
    }
}

fn instructions(results: &Results) -> String {
    let Some(list) = &results.instructions else {
        return "Instructions: NOT COUNTED: there is no valgrind here.\n".to_owned();
    };
    if list.is_empty() {
        return String::new();
    }
    let mut table = new_table(&["Work", "Way", "Instructions for each"]);
    for one in list {
        let each = Cell::new(format!("{:.2}", one.each)).set_alignment(CellAlignment::Right);
        table.add_row([Cell::new(one.workload), Cell::new(&one.way), each]);
    }
    format!("Instructions for each byte or index, natively, counted by callgrind:\n{table}\n")
}

fn sizes(results: &Results) -> String {
    results.sizes.iter().fold(String::new(), |mut text, size| {
        let added = size.maps.saturating_sub(size.reads);
        _ = writeln!(
            text,
            "Size on {}: a program that reads its file {} KB, one that maps it {} KB: {} KB more.",
            size.column,
            size.reads / 1000,
            size.maps / 1000,
            added / 1000
        );
        text
    })
}

/// The table of docs/performance.md: one line for each group of workloads, with the worst value.
#[must_use]
pub fn markdown(results: &Results) -> String {
    let mut text = format!("| {} |\n|---|---|---|---:|---:|---:|---:|\n", header().join(" | "));
    let mut lines: Vec<(&GoalResult, [Verdict; 4])> = Vec::new();
    for result in &results.goal_results {
        let same = |(line, _): &&mut (&GoalResult, _)| {
            line.group == result.group && line.against == result.against && line.limit == result.limit
        };
        match lines.iter_mut().find(same) {
            Some((_, worst)) => {
                for (worst, verdict) in worst.iter_mut().zip(&result.verdicts) {
                    *worst = worse(worst, verdict, result.limit);
                }
            }
            None => lines.push((result, result.verdicts.clone())),
        }
    }
    for (result, worst) in lines {
        let GoalResult { group, against, limit, .. } = result;
        let cells = worst.iter().map(|verdict| cell(verdict, *limit, "missed")).collect::<Vec<_>>().join(" | ");
        _ = writeln!(text, "| {group} | {against} | {} | {cells} |", goal_text(*limit));
    }
    text
}

/// The table of docs/performance.md that gives the reason for each missed goal. Goals of one group with the same reason
/// share a line.
#[must_use]
pub fn missed_markdown(results: &Results) -> String {
    let mut text = "| missed | against | why |\n|---|---|---|\n".to_owned();
    let mut lines: Vec<[&str; 3]> = Vec::new();
    for result in results.goal_results.iter().filter(|result| result.is_missed()) {
        let line = [result.group, &result.against, reason(result)];
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    for [group, against, why] in lines {
        _ = writeln!(text, "| {group} | {against} | {why} |");
    }
    text
}

fn header() -> Vec<&'static str> {
    ["work", "against", "goal"].into_iter().chain(COLUMNS).collect()
}

fn worse(a: &Verdict, b: &Verdict, limit: Limit) -> Verdict {
    match (a.value(), b.value()) {
        (Some(x), Some(y)) => {
            // The worse value exceeds the limit that the other value sets.
            let other = match limit {
                Limit::Times(_) => Limit::Times(y),
                _ => Limit::Faster(y),
            };
            if is_met(x, other) { b.clone() } else { a.clone() }
        }
        (None, Some(_)) => b.clone(),
        _ => a.clone(),
    }
}

#[cfg(test)]
mod tests {
    use native_tests::workloads::{Limit, all, most};

    use super::{COLUMNS, GoalResult, Results, Verdict, header, markdown, missed_markdown, render, worse};

    fn goal_result(group: &'static str, value: f64) -> GoalResult {
        let verdict = if value <= 2.0 { Verdict::Met(value) } else { Verdict::Missed(value) };
        let verdicts = [verdict, Verdict::NoGoal, Verdict::NotChecked("no python3 here".into()), Verdict::NoGoal];
        GoalResult { name: "n", group, against: "other".into(), limit: Limit::Times(2.0), why: "so it is", verdicts }
    }

    #[test]
    fn a_missed_goal_is_reported_with_its_reason() {
        let results = Results { goal_results: vec![goal_result("g", 2.5)], ..Results::default() };
        let text = render(&results);
        assert!(text.contains("2.50 MISSED") && text.contains("(native): so it is"), "{text}");
        let results = Results { goal_results: vec![goal_result("g", 1.5)], ..Results::default() };
        assert!(!render(&results).contains("MISSED"));
    }

    #[test]
    fn a_line_of_the_short_table_has_the_worst_of_its_group() {
        let results = Results {
            goal_results: vec![goal_result("g", 1.5), goal_result("g", 2.5), goal_result("h", 1.0)],
            ..Results::default()
        };
        let text = markdown(&results);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines[0], "| g | other | at most 2 times | 2.50 missed |  | no python3 here |  |");
        assert_eq!(lines.len(), 2);
        let (met, more) = (Verdict::Met(4.0), Verdict::Met(5.0));
        assert_eq!(worse(&met, &more, Limit::Faster(3.0)), met);
        assert_eq!(worse(&met, &more, Limit::Times(9.0)), more);
    }

    #[test]
    fn each_missed_goal_of_a_group_has_one_line_with_its_reason() {
        let goal_results = vec![goal_result("g", 1.5), goal_result("h", 2.5), goal_result("h", 3.0)];
        let text = missed_markdown(&Results { goal_results, ..Results::default() });
        assert_eq!(text.lines().skip(2).collect::<Vec<_>>(), ["| h | other | so it is |"]);
    }

    /// The lines of the table in a text, below its head.
    fn quoted(text: &str) -> Vec<&str> {
        let head = format!("| {} |", header().join(" | "));
        let mut lines = text.lines().skip_while(|line| *line != head);
        assert!(lines.next().is_some(), "there is no table {head}");
        lines.skip(1).take_while(|line| line.starts_with('|')).collect()
    }

    fn cells(line: &str) -> Vec<&str> {
        line.trim_matches('|').split('|').map(str::trim).collect()
    }

    /// docs/performance.md quotes a table that this list makes. It must have the same groups and columns.
    #[test]
    fn the_page_on_performance_has_these_workloads() {
        let quoted = quoted(include_str!("../../../docs/performance.md"));
        let mut groups: Vec<&str> = all().iter().filter(|w| !w.goals.is_empty()).map(|w| w.group).collect();
        groups.extend(most().iter().map(|(group, _)| *group));
        for line in &quoted {
            assert_eq!(cells(line).len(), 3 + COLUMNS.len(), "{line}");
            assert!(groups.contains(&cells(line)[0]), "the page quotes {line:?}");
        }
        for group in groups {
            assert!(quoted.iter().any(|line| cells(line)[0] == group), "the page does not quote {group:?}");
        }
    }
}
