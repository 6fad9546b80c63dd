//! The tables of jobs: for a terminal, for the README, and for the page on performance.

use std::fmt::Write as _;

use comfy_table::Cell;
use native_tests::jobs::{Job, Way, all};

use super::{COLUMNS, Cost, SANDBOX, WayResult};
use crate::bench::measured::Size;
use crate::bench::plan::SIMD;
use crate::terminal::new_table;

/// The limit on the size that the crate adds to a program, in KiB.
const MOST_ADDED: u64 = 40;

const MIB: u64 = 1 << 20;

/// The first words in the head of the README's table.
const SHORT: [&str; 2] = ["job", "the fastest other way"];

/// The notes below a comparison.
const NOTES: &str = "\
    A job includes opening and closing the file. It runs in its own process or instance, with a warm\n\
    cache. Memory is the private memory of the program or of one instance: pages of a mapped file\n\
    belong to the system. The sandbox has `seek` and `read` instead of `pread`.\n";

/// Both tables for a terminal, and notes.
#[must_use]
pub fn render(results: &[WayResult], sizes: &[Size]) -> String {
    if results.is_empty() {
        return String::new();
    }
    let mut text = String::from("Jobs, each way: time; memory of the program alone; bytes moved by calls:\n");
    text.push_str(&terminal_table(["Job", "Way"], &details(results)));
    text.push_str("Jobs with a mapping, against what a program does without one:\n");
    text.push_str(&terminal_table(["Job", "Against"], &comparisons(results, sizes)));
    text.push_str(NOTES);
    for (way, column, note) in notes(results) {
        _ = writeln!(text, "{way}, {column}: {note}.");
    }
    text
}

/// The table of the page on performance.
#[must_use]
pub fn markdown(results: &[WayResult], sizes: &[Size]) -> String {
    markdown_table(["job", "against"], &comparisons(results, sizes))
}

/// The table of the README: each job against the other way that is fastest natively.
#[must_use]
pub fn short_markdown(results: &[WayResult]) -> String {
    let time = |job, way| of(results, job, way, 0)?.cost.as_ref().ok().map(|cost| cost.time);
    let fastest = all().iter().filter_map(|job| {
        let ways = job.ways[1..].iter().filter_map(|way| Some((way, time(job, way)?)));
        let (way, _) = ways.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        compared(results, job, way)
    });
    markdown_table(SHORT, &fastest.collect::<Vec<_>>())
}

/// The table with the numbers from which the other table is made.
#[must_use]
pub fn details_markdown(results: &[WayResult]) -> String {
    markdown_table(["job", "way"], &details(results))
}

/// Two words, and a cell for each column.
type Row = [String; 2 + COLUMNS.len()];

fn row(first: [&str; 2], cells: [Option<String>; COLUMNS.len()]) -> Option<Row> {
    let [a, b] = first.map(str::to_owned);
    let is_known = cells.iter().any(Option::is_some);
    let [native, emulated, hosted] = cells.map(Option::unwrap_or_default);
    is_known.then_some([a, b, native, emulated, hosted])
}

fn header(first: [&str; 2]) -> Row {
    let [a, b] = first.map(str::to_owned);
    let [native, emulated, hosted] = COLUMNS.map(str::to_owned);
    [a, b, native, emulated, hosted]
}

fn terminal_table(first: [&str; 2], rows: &[Row]) -> String {
    let header = header(first);
    let mut table = new_table(&header.each_ref().map(String::as_str));
    for row in rows {
        table.add_row(row.iter().map(Cell::new));
    }
    format!("{table}\n")
}

fn markdown_table(first: [&str; 2], rows: &[Row]) -> String {
    let mut text = format!("| {} |\n|---|---|---|---|---|\n", header(first).join(" | "));
    for row in rows {
        _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

fn of<'d>(results: &'d [WayResult], job: &Job, way: &Way, column: usize) -> Option<&'d WayResult> {
    results.iter().find(|result| result.column == column && result.job == job.name && result.way == way.name)
}

/// A row for each way except ours, and one for the size.
fn comparisons(results: &[WayResult], sizes: &[Size]) -> Vec<Row> {
    let mut rows = Vec::new();
    for job in all() {
        rows.extend(job.ways[1..].iter().filter_map(|way| compared(results, job, way)));
    }
    if let Some(size) = sizes.iter().find(|size| size.column == SIMD) {
        let added = size.maps.saturating_sub(size.reads).div_ceil(1 << 10);
        let missed = if added > MOST_ADDED { "; missed" } else { "" };
        let cell = format!("{added} KiB more; the goal is at most {MOST_ADDED}{missed}");
        rows.extend(row(["size of a program", "fs::read"], [None, Some(cell.clone()), Some(cell)]));
    }
    rows
}

/// The row that compares a job with a mapping and one other way.
fn compared(results: &[WayResult], job: &Job, way: &Way) -> Option<Row> {
    let cell = |column: usize| {
        let ours = of(results, job, &job.ways[0], column)?;
        Some(comparison(ours, of(results, job, way, column.min(SANDBOX))?))
    };
    row([job.name, way.name], [0, 1, 2].map(cell))
}

/// A row for each way.
fn details(results: &[WayResult]) -> Vec<Row> {
    let mut rows = Vec::new();
    for job in all() {
        for way in job.ways {
            let cell = |column| {
                of(results, job, way, column).map(|result| result.cost.as_ref().map_or_else(Clone::clone, cost))
            };
            rows.extend(row([job.name, way.name], [0, 1, 2].map(cell)));
        }
    }
    rows
}

fn cost(cost: &Cost) -> String {
    let bytes = |bytes: Option<u64>| bytes.map_or("not known".to_owned(), |bytes| format!("{} MiB", mib(bytes)));
    format!("{}; {}; {}", time(cost.time), bytes(cost.memory), bytes(cost.bytes))
}

fn comparison(ours: &WayResult, theirs: &WayResult) -> String {
    let (ours, theirs) = match (&ours.cost, &theirs.cost) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(why), _) => return why.clone(),
        (_, Err(why)) => return format!("{}: {why}", theirs.way),
    };
    let times = speed(theirs.time / ours.time);
    let shown = |bytes| if bytes < MIB { "under 1".to_owned() } else { mib(bytes) };
    match (ours.memory, theirs.memory) {
        (Some(..MIB), Some(..MIB)) => format!("{times}, both with under 1 MiB"),
        (Some(ours), Some(theirs)) => format!("{times}, with {} MiB instead of {}", shown(ours), shown(theirs)),
        _ => times,
    }
}

fn speed(ratio: f64) -> String {
    match ratio {
        1.05.. => format!("{} times faster", number(ratio)),
        0.95.. => "as fast".to_owned(),
        _ => format!("{} times slower", number(1.0 / ratio)),
    }
}

fn time(nanos: f64) -> String {
    if nanos < 1e7 { format!("{:.2} ms", nanos / 1e6) } else { format!("{} ms", number(nanos / 1e6)) }
}

/// A number with one decimal if it has one digit before the point.
fn number(number: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a ratio, a time or a size")]
    if number < 9.95 { format!("{number:.1}") } else { grouped(number.round() as u64) }
}

#[expect(clippy::cast_precision_loss, reason = "a size below a terabyte")]
fn mib(bytes: u64) -> String {
    number(bytes as f64 / MIB as f64)
}

/// A number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let head = digits.len() % 3;
    let groups = digits.as_bytes()[head..].chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    Some(digits[..head].to_owned())
        .filter(|head| !head.is_empty())
        .into_iter()
        .chain(groups)
        .collect::<Vec<_>>()
        .join(",")
}

/// The notes of each way, once for each column.
fn notes(results: &[WayResult]) -> Vec<(&str, &str, &str)> {
    let mut notes = Vec::new();
    for WayResult { way, column, note, .. } in results {
        if let Some(note) = note {
            let note = (*way, COLUMNS[*column], note.as_str());
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use native_tests::jobs::all;

    use super::{
        Cost, SHORT, Size, WayResult, details_markdown, grouped, header, markdown, mib, render, short_markdown, speed,
    };

    fn way_result(column: usize, way: usize, time: f64, mib: u64) -> WayResult {
        let job = &all()[0];
        let cost = Cost { time: time * 1e6, memory: Some(mib << 20), bytes: Some(mib << 20) };
        WayResult { column, job: job.name, way: job.ways[way].name, cost: Ok(cost), note: None }
    }

    /// A mapping on each column, and another way that is not measured with mappings of the host.
    fn all_columns() -> Vec<WayResult> {
        vec![
            way_result(0, 0, 10.0, 0),
            way_result(0, 1, 31.0, 1024),
            way_result(1, 0, 20.0, 1025),
            way_result(1, 1, 20.0, 1024),
            way_result(2, 0, 40.0, 1),
        ]
    }

    #[test]
    fn a_cell_compares_time_and_memory() {
        let text = markdown(&all_columns(), &[]);
        let row = text.lines().nth(2).unwrap();
        let cells = [
            "3.1 times faster, with under 1 MiB instead of 1,024",
            "as fast, with 1,025 MiB instead of 1,024",
            "2.0 times slower, with 1.0 MiB instead of 1,024",
        ];
        assert_eq!(row, format!("| {} | {} | {} |", all()[0].name, all()[0].ways[1].name, cells.join(" | ")));
        assert_eq!(text.lines().count(), 3, "{text}");
    }

    #[test]
    fn the_short_table_has_the_fastest_other_way() {
        let mut all_ways = all_columns();
        all_ways.push(way_result(0, 2, 15.0, 0));
        let text = short_markdown(&all_ways);
        assert_eq!(text.lines().count(), 3, "{text}");
        let row =
            format!("| {} | {} | 1.5 times faster, both with under 1 MiB |", all()[0].name, all()[0].ways[2].name);
        assert!(text.contains(&row), "{text}");
        assert!(short_markdown(&all_columns()).contains(all()[0].ways[1].name));
    }

    #[test]
    fn little_memory_is_not_shown_as_a_number() {
        let text = markdown(&[way_result(0, 0, 10.0, 0), way_result(0, 1, 31.0, 0)], &[]);
        assert!(text.contains("| 3.1 times faster, both with under 1 MiB |"), "{text}");
        let text = markdown(&[way_result(0, 0, 10.0, 8), way_result(0, 1, 31.0, 0)], &[]);
        assert!(text.contains("| 3.1 times faster, with 8.0 MiB instead of under 1 |"), "{text}");
    }

    #[test]
    fn the_details_have_a_row_for_each_way() {
        let text = details_markdown(&all_columns());
        assert!(text.contains("| 31 ms; 1,024 MiB; 1,024 MiB |"), "{text}");
        assert_eq!(text.lines().count(), 4, "{text}");
    }

    #[test]
    fn a_reason_why_a_way_cannot_run_is_in_its_cell() {
        let mut results = all_columns();
        results[3].cost = Err("does not fit".into());
        let text = markdown(&results, &[]);
        assert!(text.contains(&format!("| {}: does not fit |", all()[0].ways[1].name)), "{text}");
        results[2].cost = Err("not here".into());
        assert!(markdown(&results, &[]).contains("| not here |"));
    }

    #[test]
    fn a_program_that_grows_too_much_is_marked() {
        let size = |added: u64| Size { column: super::SIMD, reads: 90 << 10, maps: (90 + added) << 10 };
        assert!(
            markdown(&[], &[size(40)])
                .contains("|  | 40 KiB more; the goal is at most 40 | 40 KiB more; the goal is at most 40 |")
        );
        assert!(markdown(&[], &[size(41)]).contains("| 41 KiB more; the goal is at most 40; missed |"));
    }

    #[test]
    fn no_line_in_a_terminal_is_wider_than_the_limit() {
        let mut results = all_columns();
        results[3].note = Some("in steps".into());
        let text = render(&results, &[]);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.ends_with(&format!("{}, wasip1 simd128, emulated: in steps.\n", all()[0].ways[1].name)), "{text}");
        assert_eq!(render(&[], &[]), "");
    }

    #[test]
    fn numbers_have_two_or_more_significant_digits() {
        assert_eq!(
            [0.96, 1.04, 1.06, 0.5, 9.94, 9.96, 1234.5].map(speed),
            [
                "as fast",
                "as fast",
                "1.1 times faster",
                "2.0 times slower",
                "9.9 times faster",
                "10 times faster",
                "1,235 times faster"
            ]
        );
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([300 << 10, 1024 << 20].map(mib), ["0.3", "1,024"]);
    }

    /// The rows of a table in a text, by their first two cells.
    fn quoted<'t>(text: &'t str, first: [&str; 2]) -> Vec<[&'t str; 2]> {
        let head = format!("| {} |", header(first).join(" | "));
        let mut lines = text.lines().skip_while(|line| *line != head);
        assert!(lines.next().is_some(), "there is no table {head}");
        let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
        rows.map(|row| {
            let mut cells = row.trim_matches('|').split('|').map(str::trim);
            [cells.next().unwrap(), cells.next().unwrap()]
        })
        .collect()
    }

    #[test]
    fn the_tables_of_the_readme_and_of_the_page_have_these_jobs() {
        let (readme, page) = (include_str!("../../../../README.md"), include_str!("../../../../docs/performance.md"));
        let of = |from| all().iter().flat_map(move |job| job.ways[from..].iter().map(|way| [job.name, way.name]));
        let shown = quoted(page, ["job", "against"]);
        assert_eq!(shown[..shown.len() - 1], of(1).collect::<Vec<_>>());
        assert_eq!(shown[shown.len() - 1], ["size of a program", "fs::read"]);
        let short = quoted(readme, SHORT);
        assert_eq!(
            short.iter().map(|[job, _]| *job).collect::<Vec<_>>(),
            all().iter().map(|job| job.name).collect::<Vec<_>>()
        );
        assert!(short.iter().all(|row| shown.contains(row)), "{short:?}");
        assert_eq!(quoted(page, ["job", "way"]), of(0).collect::<Vec<_>>());
    }
}
