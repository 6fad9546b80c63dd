//! The comparison across targets: the suite on every column that there is, and reports of it.
//!
//! - [`columns`] names the columns and reads which are asked for; [`workshop`] builds them and finds what runs them.
//! - [`suite`](crate::suite) runs and judges. What is demanded and cannot run is a failure here.
//! - [`json`], [`junit`] and [`html`] write down what came of it, for programs, for CI systems and for people.

pub mod columns;
pub mod html;
pub mod json;
pub mod junit;
pub mod workshop;

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use native_tests::ledger::Exception;

use crate::column::Column;
use crate::report;
use crate::suite::{self, Cell, Results};
use crate::verdict::Failure;
use columns::{Definition, Selection};
use workshop::{Missing, Workshop};

/// What to compare, and where to write it down.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which columns.
    pub selection: Selection,
    /// How to build them.
    pub workshop: Workshop,
    /// Which cases, and how they run.
    pub suite: suite::Plan,
    /// The directory of the reports.
    pub out: PathBuf,
}

/// A column that has not run.
#[derive(Clone, Debug)]
pub struct Absent {
    /// The column.
    pub definition: &'static Definition,
    /// Why, and what to install.
    pub reason: String,
}

/// What came of it all.
#[derive(Debug)]
pub struct Comparison {
    /// The columns that have run, as in [`Results::columns`].
    pub ran: Vec<&'static Definition>,
    /// The columns that have not.
    pub absent: Vec<Absent>,
    /// What they did.
    pub results: Results,
    /// The exceptions of the columns that have run.
    pub ledger: Vec<Exception>,
    /// Which cases were asked for.
    pub filter: Option<String>,
    /// When it began.
    pub started: SystemTime,
    /// How long the cases took, all columns together, without building.
    pub elapsed: Duration,
}

/// Builds the columns and runs the suite on them. The building is told on standard error, if `plan` has it.
#[must_use]
pub fn run(plan: &Plan) -> Comparison {
    let started = SystemTime::now();
    let (mut ran, mut columns, mut absent, mut problems) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for definition in plan.selection.columns() {
        if plan.workshop.build {
            eprintln!("== {}: {}", definition.name, definition.what);
        }
        match plan.workshop.column(definition) {
            Ok(column) => {
                ran.push(definition);
                columns.push(column);
            }
            Err(missing) => {
                problems.extend(problem(definition, &missing, plan.selection.demands()));
                let (Missing::Absent(reason) | Missing::Broken(reason)) = missing;
                absent.push(Absent { definition, reason });
            }
        }
    }
    let comparison = compare(&ran, &columns, &plan.suite, started);
    let mut results = comparison.results;
    results.problems.splice(0..0, problems);
    Comparison { absent, results, ..comparison }
}

/// A column that cannot run is a failure where it was demanded, and always where all that it needs is there.
fn problem(definition: &Definition, missing: &Missing, demanded: bool) -> Option<String> {
    match missing {
        Missing::Absent(reason) => demanded.then(|| format!("{} is demanded and absent: {reason}", definition.name)),
        Missing::Broken(reason) => Some(format!("{} does not work: {reason}", definition.name)),
    }
}

/// Runs the suite on columns that are ready. Each has the exceptions of its platform, and no other column's.
fn compare(ran: &[&'static Definition], columns: &[Column], plan: &suite::Plan, started: SystemTime) -> Comparison {
    let ledger: Vec<Exception> = ran.iter().flat_map(|column| column.platform.exceptions(column.name)).collect();
    let begun = Instant::now();
    let results = suite::run(columns, plan, &ledger);
    let filter = plan.filter.clone();
    Comparison { ran: ran.to_vec(), absent: Vec::new(), results, ledger, filter, started, elapsed: begun.elapsed() }
}

impl Comparison {
    /// Whether every column that was demanded has run every case, with one and the same transcript.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.results.failed() == 0
    }

    /// The command that runs a case again on one of the columns that have run, and on the one that it was compared with.
    #[must_use]
    pub fn again(&self, case: &str, column: usize) -> String {
        let cells = self.results.cases.iter().find(|results| results.name == case).map(|results| &results.cells);
        let mut keys = vec![self.ran[column].key];
        if let Some(Failure::Differs(difference)) = cells.and_then(|cells| cells[column].failure.as_ref()) {
            let reference = self.ran.iter().find(|definition| definition.name == difference.reference);
            keys.splice(0..0, reference.map(|reference| reference.key));
        }
        format!("make compare COLUMNS='{}' FILTER='{case}'", keys.join(" "))
    }

    /// All of it for a terminal.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = report::failures(&self.results, |case, column| Some(self.again(case, column)));
        text.push_str(&report::exceptions(&self.ledger));
        let mut table = report::columns(&self.results);
        for Absent { definition, .. } in &self.absent {
            table.add_row([definition.name, "absent"]);
        }
        _ = writeln!(text, "{table}");
        for Absent { definition, reason } in &self.absent {
            _ = writeln!(text, "{} ({}) is absent: {reason}", definition.name, definition.key);
        }
        text.push_str(&report::closing(&self.results));
        text
    }

    /// Writes `report.json`, `junit.xml` and `report.html` into a directory, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn write(&self, dir: &std::path::Path) -> io::Result<Vec<PathBuf>> {
        fs::create_dir_all(dir)?;
        let json = json::report(self).to_string();
        let junit = junit::report(self).map_err(io::Error::other)?;
        let html = html::page(&json);
        let write = |name: &str, text: String| {
            let path = dir.join(name);
            fs::write(&path, text).map(|()| path)
        };
        Ok(vec![write("report.html", html)?, write("report.json", json)?, write("junit.xml", junit)?])
    }
}

/// What became of a case on a column, in one word.
fn state(cell: &Cell) -> &'static str {
    match (&cell.failure, &cell.excepted) {
        (None, _) => "passed",
        (Some(_), None) => "failed",
        (Some(_), Some(_)) => "excepted",
    }
}
