//! `junit.xml`: a suite for each column, in the form that CI systems read.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::comparison::{Absent, Comparison};
use crate::suite::Cell;

/// The whole report. An exception of the ledger and an absent column are skipped, with their reasons. Other problems
/// are errors in a suite of their own.
///
/// # Errors
///
/// Fails if the XML cannot be written, which is not expected.
pub fn report(comparison: &Comparison) -> Result<String, SerializeError> {
    let mut report = Report::new("comparison across targets");
    report.set_time(comparison.elapsed);
    for section in &comparison.sections {
        report.add_test_suites(section.ran.iter().enumerate().map(|(index, definition)| {
            let cases = &section.results.cases;
            let mut suite = TestSuite::new(definition.name);
            suite.set_time(cases.iter().map(|case| case.cells[index].time).sum());
            suite.add_test_cases(cases.iter().map(|case| {
                let again = || section.again(&case.name, index);
                let mut test = TestCase::new(case.name.as_str(), status(&case.cells[index], again));
                test.set_classname(definition.key).set_time(case.cells[index].time);
                test
            }));
            suite
        }));
    }
    let mut others = TestSuite::new("columns");
    let absent = comparison.sections.iter().flat_map(|section| &section.absent);
    others.add_test_cases(absent.map(|Absent { definition, reason }| {
        let mut status = TestCaseStatus::skipped();
        status.set_message(reason.as_str());
        TestCase::new(definition.name, status)
    }));
    others.add_test_cases(problem_cases(comparison.sections.iter().flat_map(|section| &section.results.problems)));
    if !others.test_cases.is_empty() {
        report.add_test_suite(others);
    }
    report.to_string()
}

/// The other problems, each as an error.
pub(crate) fn problem_cases<'p>(problems: impl IntoIterator<Item = &'p String>) -> impl Iterator<Item = TestCase> {
    problems.into_iter().enumerate().map(|(index, problem)| {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(problem.as_str());
        TestCase::new(format!("problem {}", index + 1), status)
    })
}

fn status(cell: &Cell, again: impl Fn() -> String) -> TestCaseStatus {
    match (&cell.failure, cell.excepted) {
        (None, _) => TestCaseStatus::success(),
        (Some(_), Some(reason)) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason);
            status
        }
        (Some(failure), None) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let seed = cell.seed().map(|seed| format!("with the seed {seed}\n")).unwrap_or_default();
            let text = format!("{failure}\n{seed}again: {}", again());
            status.set_type(failure.kind()).set_message(failure.kind()).set_description(text);
            status
        }
    }
}
