//! The results of a package's tests: a row for each test, with a cell for each column.

use std::time::Duration;

use super::libtest::{Outcome, TestRun};

/// The results of a package's tests.
#[derive(Debug)]
pub struct Results {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// How long the tests of each column took, without building.
    pub times: Vec<Duration>,
    /// Every test, by program and name.
    pub rows: Vec<Row>,
    /// Problems that do not concern one test.
    pub problems: Vec<String>,
    /// How many tests the filter and the skipped names left out.
    pub left_out: usize,
}

/// The results of one test.
#[derive(Debug)]
pub struct Row {
    /// The program that contains it.
    pub program: String,
    /// Its name.
    pub test: String,
    /// One cell for each column.
    pub cells: Vec<TestRun>,
}

impl Row {
    /// Whether the test is known to be marked with `#[should_panic]`.
    #[must_use]
    pub fn should_panic(&self) -> bool {
        self.cells.iter().any(|cell| cell.should_panic)
    }

    /// Whether the result in column `index` is that of the first column.
    #[must_use]
    pub fn is_equal(&self, index: usize) -> bool {
        let (first, cell) = (&self.cells[0], &self.cells[index]);
        (&first.outcome, &first.stdout, &first.stderr) == (&cell.outcome, &cell.stdout, &cell.stderr)
    }

    /// Whether the test ended by itself in every column, with the same result.
    #[must_use]
    pub fn is_equal_everywhere(&self) -> bool {
        (0..self.cells.len()).all(|index| self.is_equal(index) && self.cells[index].outcome.is_comparable())
    }
}

impl Results {
    /// Whether all tests ran everywhere with the same outcome and output, and at least one ran.
    #[must_use]
    pub fn are_equal(&self) -> bool {
        let ran = |row: &Row| row.cells.iter().any(|cell| cell.outcome != Outcome::Ignored);
        self.problems.is_empty() && self.rows.iter().all(Row::is_equal_everywhere) && self.rows.iter().any(ran)
    }
}
