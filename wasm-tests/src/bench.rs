//! The workloads of `make bench`, natively and in the sandbox: ratios of two times from one run.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use comfy_table::{Cell, CellAlignment};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use wasmtime::error::Context as _;

use crate::child;
use crate::report::new_table;
use crate::sandbox::{End, Report, Run, Sandbox};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program `bench`, for this machine.
    pub native: PathBuf,
    /// As a core module.
    pub wasip1: PathBuf,
    /// As a component.
    pub wasip2: PathBuf,
    /// Where the report goes, as JSON.
    pub report: PathBuf,
    /// Only workloads whose names contain this.
    pub filter: Option<String>,
}

/// A workload on a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The column.
    pub column: &'static str,
    /// The workload.
    pub workload: String,
    /// What it is compared with.
    pub against: String,
    /// How many times the other's time it may take; none where it is not judged.
    pub goal: Option<f64>,
    /// The shortest time, in nanoseconds.
    pub ours: f64,
    /// That of the other way.
    pub theirs: f64,
}

impl Measured {
    /// How many times the time of the other way it took.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.ours / self.theirs
    }

    /// Whether the goal is met, where there is one.
    #[must_use]
    pub fn met(&self) -> Option<bool> {
        self.goal.map(|goal| self.ratio() <= goal)
    }
}

/// Measures everything, one column after the other, and writes the report.
///
/// # Errors
///
/// A program that cannot be run or does not finish, a line of it that cannot be read, a report that cannot be written.
pub fn run(plan: &Plan) -> wasmtime::Result<Vec<Measured>> {
    let style = ProgressStyle::with_template("{spinner} measuring on {msg} ({elapsed})")?;
    let progress = ProgressBar::new_spinner().with_style(style);
    progress.enable_steady_tick(std::time::Duration::from_millis(200));
    let mut all = Vec::new();
    for (column, program) in [("native", &plan.native), ("wasip1", &plan.wasip1), ("wasip2", &plan.wasip2)] {
        progress.set_message(column);
        let dir = tempfile::tempdir().context("there is no directory for the data")?;
        let report = start(column, program, dir.path(), plan.filter.as_deref())
            .with_context(|| format!("cannot run {}", program.display()))?;
        if report.end != End::Exited(0) {
            wasmtime::bail!("bench on {column}: {:?}: {}", report.end, String::from_utf8_lossy(&report.stderr));
        }
        let text = String::from_utf8_lossy(&report.stdout);
        for line in text.lines() {
            all.push(parse(column, line).with_context(|| format!("bench on {column} printed {line:?}"))?);
        }
    }
    progress.finish_and_clear();
    if all.is_empty() {
        wasmtime::bail!("there is no such workload");
    }
    if let Some(dir) = plan.report.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(&plan.report, format!("{:#}\n", to_json(&all)))
        .with_context(|| format!("cannot write {}", plan.report.display()))?;
    Ok(all)
}

fn start(column: &str, program: &Path, dir: &Path, filter: Option<&str>) -> wasmtime::Result<Report> {
    if column == "native" {
        let args: Vec<&OsStr> = std::iter::once(dir.as_os_str()).chain(filter.map(OsStr::new)).collect();
        return Ok(child::run(program.as_os_str(), &args, None)?.0);
    }
    Sandbox::load(program)?.run(&Run::new("bench").args(["/"]).args(filter).dir(dir, "/"))
}

fn parse(column: &'static str, line: &str) -> Option<Measured> {
    let mut fields = line.split('\t');
    let (workload, against) = (fields.next()?.to_owned(), fields.next()?.to_owned());
    let goal = match fields.next()? {
        "-" => None,
        goal => Some(goal.parse().ok()?),
    };
    let (ours, theirs) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    fields.next().is_none().then_some(Measured { column, workload, against, goal, ours, theirs })
}

/// A list of objects: `column`, `workload`, `against`, `goal` (or null), `ours_ns`, `theirs_ns`, `ratio`, `met` (or null).
fn to_json(all: &[Measured]) -> Value {
    let object = |m: &Measured| {
        json!({
            "column": m.column, "workload": m.workload, "against": m.against, "goal": m.goal,
            "ours_ns": m.ours, "theirs_ns": m.theirs, "ratio": m.ratio(), "met": m.met(),
        })
    };
    all.iter().map(object).collect()
}

/// The results as a table.
#[must_use]
pub fn render(all: &[Measured]) -> String {
    let mut table = new_table(&["Workload", "Column", "Ours", "Theirs", "Ratio", "Goal", ""]);
    for m in all {
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(&m.workload),
            Cell::new(m.column),
            right(format!("{:.2} ms", m.ours / 1e6)),
            right(format!("{:.2} ms", m.theirs / 1e6)),
            right(format!("{:.2}", m.ratio())),
            right(m.goal.map_or_else(|| "none here".into(), |goal| format!("{goal}"))),
            Cell::new(m.met().map_or("", |met| if met { "met" } else { "MISSED" })),
        ]);
    }
    let mut text = format!("{table}\n");
    let mut told: Vec<&str> = Vec::new();
    for m in all.iter().filter(|m| m.column == all[0].column) {
        if !told.contains(&&*m.workload) {
            told.push(&m.workload);
            _ = writeln!(text, "{}: against {}.", m.workload, m.against);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Measured, parse, render, to_json};

    fn measured() -> Measured {
        parse("wasip1", "load\ta loop\t1.1\t2200\t1000").unwrap()
    }

    #[test]
    fn a_line_has_five_fields() {
        let m = measured();
        assert_eq!((m.workload.as_str(), m.goal, m.ours, m.theirs), ("load", Some(1.1), 2200.0, 1000.0));
        assert_eq!(parse("native", "load\ta loop\t-\t1\t1").unwrap().met(), None);
        for line in ["", "load\ta loop\t1.1\t2200", "load\ta loop\tx\t1\t1", "a\tb\t1\t1\t1\t1"] {
            assert_eq!(parse("native", line), None, "{line:?}");
        }
    }

    #[test]
    fn a_missed_goal_is_told() {
        assert_eq!((measured().ratio(), measured().met()), (2.2, Some(false)));
        let text = render(&[measured()]);
        assert!(text.contains("2.20") && text.contains("MISSED") && text.contains("against a loop"), "{text}");
        assert_eq!(to_json(&[measured()])[0]["met"], false);
    }
}
