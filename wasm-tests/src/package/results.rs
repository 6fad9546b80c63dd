//! What became of a package's tests: a row for each, with a cell for each column.

use std::time::Duration;

use super::libtest::{Outcome, Ran};

/// What became of a package's tests.
#[derive(Debug)]
pub struct Results {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// How long the tests of each column took, without building.
    pub times: Vec<Duration>,
    /// Every test, by program and name.
    pub rows: Vec<Row>,
    /// What is wrong beside the tests.
    pub problems: Vec<String>,
    /// How many tests the filter and the skipped names left out.
    pub left_out: usize,
}

/// What became of one test.
#[derive(Debug)]
pub struct Row {
    /// The program that has it.
    pub program: String,
    /// Its name.
    pub test: String,
    /// One for each column.
    pub cells: Vec<Ran>,
}

impl Row {
    /// Whether the test is known to be one that should panic.
    #[must_use]
    pub fn should_panic(&self) -> bool {
        self.cells.iter().any(|cell| cell.should_panic)
    }

    /// Whether column `index` did what the first did.
    #[must_use]
    pub fn is_equal(&self, index: usize) -> bool {
        let (first, cell) = (&self.cells[0], &self.cells[index]);
        (&first.outcome, &first.stdout, &first.stderr) == (&cell.outcome, &cell.stdout, &cell.stderr)
    }

    /// Whether the test was run to an end of its own in every column, and did the same there.
    #[must_use]
    pub fn is_well(&self) -> bool {
        (0..self.cells.len()).all(|index| self.is_equal(index) && self.cells[index].outcome.is_told())
    }
}

impl Results {
    /// Whether all tests ran everywhere with one outcome and one output, and there was at least one.
    #[must_use]
    pub fn are_equal(&self) -> bool {
        let ran = |row: &Row| row.cells.iter().any(|cell| cell.outcome != Outcome::Ignored);
        self.problems.is_empty() && self.rows.iter().all(Row::is_well) && self.rows.iter().any(ran)
    }
}
