//! Runs every case on every column, and compares the transcripts.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use native_tests::ledger::Exception;

use crate::calls::HostCalls;
use crate::case::Case;
use crate::column::Column;
use crate::files;
use crate::outcome::Limits;
use crate::terminal;
use crate::verdict::{Failure, compare, judge};

/// The settings of a run of the suite.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Only cases whose names contain this are run. If it is the whole name of a case, only that case is run.
    pub filter: Option<String>,
    /// The limits of each case.
    pub limits: Limits,
    /// How many cases run at once.
    pub jobs: usize,
    /// The directory in which the directories of the cases are created. The default is the system's directory of
    /// temporary files.
    pub scratch: Option<PathBuf>,
}

/// The results of the whole suite.
#[derive(Debug)]
pub struct Results {
    /// The names of the columns. The reference of a case is the first column that passes it.
    pub columns: Vec<String>,
    /// Every case, in the order of the first column's list, then those that only others have.
    pub cases: Vec<CaseResults>,
    /// Other problems: a list that cannot be read, an exception that does not occur.
    pub problems: Vec<String>,
    /// How many cases the filter left out.
    pub left_out: usize,
}

/// The results of one case.
#[derive(Debug)]
pub struct CaseResults {
    /// Its name.
    pub name: String,
    /// One cell for each column.
    pub cells: Vec<Cell>,
}

/// The result of one case on one column.
#[derive(Debug)]
pub struct Cell {
    /// The reason why it did not pass, if it did not.
    pub failure: Option<Failure>,
    /// The reason in the ledger, if the case need not pass.
    pub excepted: Option<&'static str>,
    /// What it observed, and the description of the files in its directory afterwards.
    pub transcript: Vec<String>,
    /// How long it ran.
    pub time: Duration,
    /// Its calls for files, if they are counted.
    pub calls: Option<HostCalls>,
}

impl Cell {
    /// Whether it counts as failed: it did not pass, and the ledger does not list it.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failure.is_some() && self.excepted.is_none()
    }

    /// The seed of the random numbers at the line where it failed, if its transcript has one.
    #[must_use]
    pub fn seed(&self) -> Option<&str> {
        let end = match &self.failure {
            Some(Failure::Differs(difference)) => difference.line + 1,
            _ => self.transcript.len(),
        };
        self.transcript.iter().take(end).rev().find_map(|line| line.strip_prefix("seed = "))
    }

    fn did_not_run(failure: Failure) -> Self {
        Self { failure: Some(failure), excepted: None, transcript: Vec::new(), time: Duration::ZERO, calls: None }
    }
}

impl Results {
    /// How many cells passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.cells().filter(|cell| cell.failure.is_none()).count()
    }

    /// How many cells failed, plus the number of other problems.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.cells().filter(|cell| cell.failed()).count() + self.problems.len()
    }

    fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.cases.iter().flat_map(|case| &case.cells)
    }
}

/// The problem that is reported if nothing is run.
pub(crate) fn no_case(filter: Option<&str>) -> String {
    let problem = "there is no case to run".to_owned();
    let Some(filter) = filter else { return problem };
    let list = "`cargo test -p native-tests --test native -- --list`";
    format!("{problem}: no name contains {filter:?}\n    {list} prints the names of the suite")
}

/// Runs the suite: every case that any column lists, on every column, each in a fresh directory.
#[must_use]
pub fn run(columns: &[Column], plan: &Plan, ledger: &[Exception]) -> Results {
    let mut results = run_allowing_no_case(columns, plan, ledger);
    if results.cases.is_empty() {
        results.problems.push(no_case(plan.filter.as_deref()));
    }
    results
}

/// Like [`run`], but it is not a failure if the filter leaves no case.
pub(crate) fn run_allowing_no_case(columns: &[Column], plan: &Plan, ledger: &[Exception]) -> Results {
    let mut problems = Vec::new();
    let lists: Vec<Vec<Case>> = columns
        .iter()
        .map(|column| {
            column.list(plan.limits).unwrap_or_else(|error| {
                problems.push(format!("{}: {error}", column.name()));
                Vec::new()
            })
        })
        .collect();
    let (cases, left_out) = merge(&lists, plan.filter.as_deref());
    let cells = run_cells(columns, &lists, &cases, plan);
    problems.extend(columns.iter().flat_map(Column::take_problems));
    let mut cells = cells.into_iter();
    let cases = cases
        .iter()
        .map(|case| CaseResults { name: case.name.clone(), cells: cells.by_ref().take(columns.len()).collect() })
        .collect();
    let columns = columns.iter().map(|column| column.name().to_owned()).collect();
    let mut results = Results { columns, cases, problems, left_out };
    compare_cells(&mut results, ledger, &lists, plan.filter.as_deref());
    results
}

/// The cases of all lists, and how many of them the filter leaves out.
fn merge(lists: &[Vec<Case>], filter: Option<&str>) -> (Vec<Case>, usize) {
    let mut names = HashSet::new();
    let all: Vec<&Case> = lists.iter().flatten().filter(|case| names.insert(&case.name)).collect();
    let is_name = filter.is_some_and(|filter| all.iter().any(|case| case.name == filter));
    let wanted = |case: &&Case| filter.is_none_or(|f| if is_name { case.name == f } else { case.name.contains(f) });
    let cases: Vec<Case> = all.iter().copied().filter(wanted).cloned().collect();
    let left_out = all.len() - cases.len();
    (cases, left_out)
}

/// Runs each case on each column: all columns of the first case, then of the second.
fn run_cells(columns: &[Column], lists: &[Vec<Case>], cases: &[Case], plan: &Plan) -> Vec<Cell> {
    let count = cases.len() * columns.len();
    let progress = terminal::progress(count);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let (case, column) = (&cases[index / columns.len()], &columns[index % columns.len()]);
                    progress.set_message(format!("{}, {}", case.name, column.name()));
                    let cell = run_cell(column, &lists[index % columns.len()], case, plan);
                    progress.inc(1);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, cell));
                }
            });
        }
    });
    progress.finish_and_clear();
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, cell)| cell).collect()
}

fn run_cell(column: &Column, list: &[Case], case: &Case, plan: &Plan) -> Cell {
    match list.iter().find(|listed| listed.name == case.name) {
        None => return Cell::did_not_run(Failure::NotListed),
        Some(listed) if listed.expects != case.expects => {
            return Cell::did_not_run(Failure::ListedOtherwise);
        }
        Some(_) => {}
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix("case-");
    let dir = match &plan.scratch {
        Some(scratch) => builder.tempdir_in(scratch),
        None => builder.tempdir(),
    };
    let dir = match dir {
        Ok(dir) => dir,
        Err(error) => return Cell::did_not_run(Failure::NotRun(format!("no directory for it: {error}"))),
    };
    let report = match column.run(&case.name, dir.path(), plan.limits) {
        Ok(report) => report,
        Err(error) => return Cell::did_not_run(Failure::NotRun(error)),
    };
    let mut failure = judge(case, &report, column.limits(plan.limits).time).err();
    let mut transcript: Vec<String> = String::from_utf8_lossy(&report.stdout).lines().map(str::to_owned).collect();
    match files::describe(dir.path()) {
        Ok(lines) => transcript.extend(lines),
        Err(error) => {
            failure.get_or_insert(Failure::NotRun(format!("its files cannot be read: {error}")));
        }
    }
    Cell { failure, excepted: None, transcript, time: report.time, calls: report.calls }
}

/// Compares the transcripts of each case, and applies the ledger.
fn compare_cells(results: &mut Results, ledger: &[Exception], lists: &[Vec<Case>], filter: Option<&str>) {
    for case in &mut results.cases {
        let exceptions: Vec<Option<&'static str>> = results
            .columns
            .iter()
            .map(|column| ledger.iter().find(|e| e.covers(&case.name) && e.column == column).map(|e| e.reason))
            .collect();
        // The reference is the first column that ended as it should and is not in the ledger.
        let reference = case.cells.iter().zip(&exceptions).position(|(cell, e)| cell.failure.is_none() && e.is_none());
        let reference = reference.map(|index| (&results.columns[index], case.cells[index].transcript.clone()));
        for (index, (cell, excepted)) in case.cells.iter_mut().zip(exceptions).enumerate() {
            cell.excepted = excepted;
            if let (None, Some((name, theirs))) = (&cell.failure, &reference) {
                cell.failure = compare(name, theirs, &cell.transcript).map(Failure::Differs);
            }
            if let (None, Some(reason)) = (&cell.failure, excepted) {
                results.problems.push(format!(
                    "the ledger lists {} on {}, which passes: {reason}",
                    case.name, results.columns[index]
                ));
            }
        }
    }
    // A filtered run checks only the exceptions that the filter selects.
    for exception in ledger.iter().filter(|e| filter.is_none_or(|filter| e.case.contains(filter))) {
        if !lists.iter().flatten().any(|listed| exception.covers(&listed.name)) {
            results.problems.push(format!("the ledger lists {}, which no column has", exception.case));
        }
    }
}
