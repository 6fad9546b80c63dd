//! The results of a comparison.

use std::time::{Duration, SystemTime};

use native_tests::ledger::Exception;

use super::columns::{Definition, Subject};
use crate::suite::{Cell, Results};
use crate::verdict::Failure;

/// A column that has not run.
#[derive(Clone, Debug)]
pub struct Absent {
    /// The column.
    pub definition: &'static Definition,
    /// Why it has not run, and what to install.
    pub reason: String,
}

/// The results of the columns of one subject.
#[derive(Debug)]
pub struct Section {
    /// The subject of the comparison.
    pub subject: Subject,
    /// The columns that have run, as in [`Results::columns`].
    pub ran: Vec<&'static Definition>,
    /// The version of the host of each, if it reports one.
    pub versions: Vec<Option<String>>,
    /// The columns that have not run.
    pub absent: Vec<Absent>,
    /// The results of the columns.
    pub results: Results,
    /// The exceptions of the columns that have run.
    pub ledger: Vec<Exception>,
}

/// The results of all subjects.
#[derive(Debug)]
pub struct Comparison {
    /// The sections of the subjects that have columns, at least one.
    pub sections: Vec<Section>,
    /// The text that selects cases.
    pub filter: Option<String>,
    /// When it started.
    pub started: SystemTime,
    /// How long the cases took, all columns together, without building.
    pub elapsed: Duration,
}

impl Section {
    /// The command that runs a case again on one of the columns that have run, and on the column that it was compared
    /// with.
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
}

impl Comparison {
    /// Whether every required column has run every case, with the same transcript.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failed() == 0
    }

    /// Whether a column has run.
    #[must_use]
    pub fn has_run(&self) -> bool {
        self.sections.iter().any(|section| !section.ran.is_empty())
    }

    /// How many cells passed.
    pub(super) fn passes(&self) -> usize {
        self.sections.iter().map(|section| section.results.passed()).sum()
    }

    /// How many cells failed, plus the number of other problems.
    pub(super) fn failed(&self) -> usize {
        self.sections.iter().map(|section| section.results.failed()).sum()
    }
}

/// The outcome of a case on a column, in one word.
pub(super) fn state(cell: &Cell) -> &'static str {
    match (&cell.failure, &cell.excepted) {
        (None, _) => "passed",
        (Some(_), None) => "failed",
        (Some(_), Some(_)) => "excepted",
    }
}
