//! The comparison across targets: runs the suite, and the tests of the façade, on all columns, and writes reports.
//!
//! - [`columns`] defines the columns and parses the selection of columns; [`builder`] builds them and finds their
//!   hosts. The columns of one [`Subject`] are compared with each other.
//! - [`suite`] runs and checks the cases. A required column that cannot run is a failure here.
//! - [`Comparison`] is the result, with a [`Section`] for each subject.
//! - [`json`], [`junit`] and [`html`] write reports for programs, for CI systems and for people; [`hosts_page`] writes
//!   the page of the documentation.

pub mod builder;
pub mod columns;
mod comparison;
pub mod hosts_page;
pub mod html;
pub mod json;
pub mod junit;
mod table;

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use native_tests::ledger::Exception;
use serde_json::Value;

use crate::report;
use crate::suite::{self, no_case};
use builder::{Builder, Missing};
use columns::{Definition, Selection, Subject};

pub use comparison::{Absent, Comparison, Section};

/// The names of the reports: the page, the report for programs, and the report for CI systems.
const REPORTS: [&str; 3] = ["report.html", "report.json", "junit.xml"];

/// What to compare, and where to write the reports.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The columns.
    pub selection: Selection,
    /// How to build them.
    pub builder: Builder,
    /// The cases, and how they run.
    pub suite: suite::Plan,
    /// The directory of the reports.
    pub out: PathBuf,
}

/// Removes the reports of an earlier comparison from a directory, so that they are not mistaken for those of a
/// comparison that was interrupted.
///
/// # Errors
///
/// Fails if a report cannot be removed. A missing report is not an error.
pub fn clear(dir: &Path) -> io::Result<()> {
    REPORTS.iter().try_for_each(|name| match fs::remove_file(dir.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
}

/// Builds the columns and runs the cases on them. If `plan` includes building, prints the progress of it to standard
/// error.
#[must_use]
pub fn run(plan: &Plan) -> Comparison {
    let (started, mut elapsed, mut sections) = (SystemTime::now(), Duration::ZERO, Vec::new());
    for subject in Subject::ALL {
        if plan.selection.columns().any(|column| column.subject() == subject) {
            let (section, time) = run_section(subject, plan);
            sections.push(section);
            elapsed += time;
        }
    }
    let explained = sections.iter().all(|section| section.ran.is_empty())
        && sections.iter().any(|section| !section.results.problems.is_empty());
    // Without a column there is no case either, and the reason is known.
    if !explained && sections.iter().all(|section| section.results.cases.is_empty()) {
        // This problem concerns all subjects, and is reported with the first.
        sections[0].results.problems.push(no_case(plan.suite.filter.as_deref()));
    }
    Comparison { sections, filter: plan.suite.filter.clone(), started, elapsed }
}

/// Builds the columns of a subject, and runs its cases on those that are ready. Returns the results, and how long the
/// cases took. Each column has only the exceptions of its platform.
fn run_section(subject: Subject, plan: &Plan) -> (Section, Duration) {
    let (mut ran, mut columns, mut absent, mut problems) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut versions = Vec::new();
    for definition in plan.selection.columns().filter(|column| column.subject() == subject) {
        if plan.builder.build {
            eprintln!("== {}: {}", definition.name, definition.what);
        }
        match plan.builder.column(definition, plan.suite.limits) {
            Ok(column) => {
                ran.push(definition);
                versions.push(column.version().map(str::to_owned));
                columns.push(column);
            }
            Err(missing) => {
                problems.extend(problem(definition, &missing, plan.selection.requires_all()));
                let (Missing::Absent(reason) | Missing::Broken(reason)) = missing;
                absent.push(Absent { definition, reason });
            }
        }
    }
    let mut ledger: Vec<Exception> = ran.iter().flat_map(|column| column.platform.exceptions(column.name)).collect();
    let begun = Instant::now();
    let mut results = suite::run_allowing_no_case(&columns, &plan.suite, &ledger);
    results.problems.splice(0..0, problems);
    if plan.suite.filter.is_some() {
        let has_run = |exception: &Exception| results.cases.iter().any(|case| exception.covers(&case.name));
        ledger.retain(has_run);
    }
    (Section { subject, ran, versions, absent, results, ledger }, begun.elapsed())
}

/// A column that cannot run is a failure if it is required, and always if everything that it needs is installed.
fn problem(definition: &Definition, missing: &Missing, required: bool) -> Option<String> {
    match missing {
        Missing::Absent(reason) => {
            required.then(|| format!("{} is required and cannot run: {reason}", definition.name))
        }
        Missing::Broken(reason) => Some(format!("{} does not work: {reason}", definition.name)),
    }
}

impl Absent {
    fn render(&self) -> String {
        format!("{} ({}) cannot run: {}\n", self.definition.name, self.definition.key, self.reason)
    }
}

impl Section {
    /// The table, and the results that are not in it.
    fn render(&self) -> String {
        let mut text = String::new();
        let mut table = report::columns(&self.results);
        for Absent { definition, .. } in &self.absent {
            table.add_row([definition.name, "absent"]);
        }
        _ = writeln!(text, "{table}");
        text.extend(self.absent.iter().map(Absent::render));
        text.push_str(&report::not_in_the_table(&self.results));
        text
    }
}

impl Comparison {
    /// The whole result for a terminal. If no column has run, only the reasons.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        if !self.has_run() {
            for section in &self.sections {
                let problems = &section.results.problems;
                text.extend(problems.iter().map(|problem| format!("FAILED {problem}\n")));
                let absent =
                    section.absent.iter().filter(|absent| !problems.iter().any(|p| p.contains(&absent.reason)));
                text.extend(absent.map(Absent::render));
            }
            return text;
        }
        for section in &self.sections {
            text.push_str(&report::failures(&section.results, |case, column| Some(section.again(case, column))));
        }
        let ledger: Vec<Exception> = self.sections.iter().flat_map(|section| section.ledger.iter().copied()).collect();
        text.push_str(&report::exceptions(&ledger));
        for section in &self.sections {
            _ = write!(text, "{}\n{}", section.subject.title(), section.render());
        }
        text.push_str(&report::counts(self.passes(), self.failed()));
        text
    }

    /// Writes the three reports into a directory, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// Fails if a report cannot be written.
    pub fn write(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let junit = junit::report(self).map_err(io::Error::other)?;
        write_reports(dir, &json::report(self), junit)
    }
}

/// Writes a report as a page, the report itself and the report for CI systems into a directory, which is created if it
/// does not exist.
pub(crate) fn write_reports(dir: &Path, report: &Value, junit: String) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(dir)?;
    let json = report.to_string();
    let texts = REPORTS.iter().zip([html::page(&json), json, junit]);
    texts.map(|(name, text)| fs::write(dir.join(name), text).map(|()| dir.join(name))).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::Value;

    use super::builder::Missing;
    use super::columns::{COLUMNS, Definition, Subject};
    use super::{Absent, Comparison, Section, json, junit, problem};
    use crate::suite::{CaseResults, Cell, Results};
    use crate::verdict::{Failure, compare};

    fn column(key: &str) -> &'static Definition {
        COLUMNS.iter().find(|column| column.key == key).unwrap()
    }

    fn cell(transcript: &[&str]) -> Cell {
        let transcript = transcript.iter().map(ToString::to_string).collect();
        Cell { failure: None, excepted: None, transcript, time: Duration::from_millis(1500), calls: None }
    }

    /// One case on two columns, and a third that is absent.
    fn comparison(second: Cell) -> Comparison {
        let ran = vec![column("mapped"), column("wasip1")];
        let cells = vec![cell(&["seed = 7", "a", "seed = 8", "b", "c"]), second];
        let results = Results {
            columns: ran.iter().map(|column| column.name.to_owned()).collect(),
            cases: vec![CaseResults { name: "scripts/<one>".into(), cells }],
            problems: Vec::new(),
            left_out: 0,
        };
        let absent = vec![Absent { definition: column("node"), reason: "there is no `node`".into() }];
        let versions = vec![None, Some("1.2".to_owned())];
        let section = Section { subject: Subject::Library, ran, versions, absent, results, ledger: Vec::new() };
        let (started, elapsed) = (SystemTime::now(), Duration::from_secs(2));
        Comparison { sections: vec![section], filter: None, started, elapsed }
    }

    fn differing() -> Comparison {
        let mut comparison = comparison(cell(&["seed = 7", "a", "seed = 8", "x", "seed = 9"]));
        let cells = &mut comparison.sections[0].results.cases[0].cells;
        let difference = compare("native Mapped", &cells[0].transcript, &cells[1].transcript).unwrap();
        cells[1].failure = Some(Failure::Differs(difference));
        comparison
    }

    #[test]
    fn an_absent_column_is_a_failure_if_it_is_required_and_a_broken_one_always() {
        let absent = Missing::Absent("there is no `node`".into());
        assert_eq!(problem(column("node"), &absent, false), None);
        let message = problem(column("node"), &absent, true).unwrap();
        assert_eq!(message, "wasip1 Node is required and cannot run: there is no `node`");
        let broken = Missing::Broken("cargo ended with 101".into());
        assert!(problem(column("node"), &broken, false).is_some() && problem(column("node"), &broken, true).is_some());
    }

    #[test]
    fn equal_transcripts_pass_and_are_stored_once() {
        let comparison = comparison(cell(&["seed = 7", "a", "seed = 8", "b", "c"]));
        let report = json::report(&comparison);
        assert!(comparison.passed());
        assert_eq!(report["passed"], true);
        assert_eq!(report["transcripts"].as_array().unwrap().len(), 1);
        assert_eq!(report["sections"][0]["columns"][2]["state"], "absent");
        assert_eq!(report["sections"][0]["columns"][0]["seconds"], 1.5);
        assert_eq!(report["sections"][0]["columns"][0]["host_version"], Value::Null);
        assert_eq!(report["sections"][0]["columns"][1]["host_version"], "1.2");
        let text = comparison.render();
        assert!(text.contains("wasip1 Node (node) cannot run: there is no `node`\n2 passed, 0 failed\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let junit = junit::report(&comparison).unwrap();
        assert!(
            junit.contains("name=\"scripts/&lt;one&gt;\"") && junit.contains("<skipped message=\"there is no `node`")
        );
    }

    #[test]
    fn a_difference_has_the_seed_of_its_line_and_a_command() {
        let comparison = differing();
        assert!(!comparison.passed());
        let again = "make compare COLUMNS='mapped wasip1' FILTER='scripts/<one>'";
        let text = comparison.render();
        assert!(text.contains(&format!("    with the seed 8\n    again: {again}\n")), "{text}");
        let report = json::report(&comparison);
        let failure = &report["sections"][0]["cases"][0]["cells"]["wasip1"]["failure"];
        assert_eq!((&failure["seed"], &failure["again"]), (&"8".into(), &again.into()));
        assert_eq!(
            (&failure["difference"]["line"], &failure["difference"]["reference"]),
            (&4.into(), &"mapped".into())
        );
        assert_eq!(report["sections"][0]["cases"][0]["cells"]["mapped"]["failure"], Value::Null);
        let junit = junit::report(&comparison).unwrap();
        assert!(junit.contains("failures=\"1\"") && junit.contains("with the seed 8"), "{junit}");
    }

    #[test]
    fn an_exception_is_no_failure_and_has_a_reason() {
        let mut comparison = differing();
        comparison.sections[0].results.cases[0].cells[1].excepted = Some("the platform is like that");
        assert!(comparison.passed());
        let cell = &json::report(&comparison)["sections"][0]["cases"][0]["cells"]["wasip1"];
        assert_eq!((&cell["state"], &cell["reason"]), (&"excepted".into(), &"the platform is like that".into()));
        let junit = junit::report(&comparison).unwrap();
        assert!(junit.contains("<skipped message=\"the platform is like that\"/>"), "{junit}");
    }
}
