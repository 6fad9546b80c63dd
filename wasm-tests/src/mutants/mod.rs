//! Tests that the comparison can fail: a copy of the library is broken in one place at a time, and a case of the suite
//! must fail.
//!
//! The copy lies in a scratch directory and is built there. Each [mutant](table::MUTANTS) names the contract that it
//! breaks and the subject whose cases must fail. Its column is compared with the unchanged library, by the same code as
//! all columns. The unchanged copy must pass the same cases. Otherwise their failure would not show that they find the
//! mutant.

pub(crate) mod copy;
mod host;
mod host_table;
pub mod table;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use comfy_table::Cell;
use native_tests::ledger::{Exception, Platform};

use self::copy::Copy;
use self::table::{Mutant, Place};
use crate::column::Column;
use crate::outcome::Limits;
use crate::report;
use crate::sandbox::{MEMORY_LIMIT, Sandbox};
use crate::suite::{self, Results};
use crate::terminal::new_table;
use crate::verdict::Failure;

/// The result of a mutant that was not found.
const SURVIVED: &str = "SURVIVED: no case has failed";

/// The time limit of a case. With a mutant a case may never end.
const CASE_TIME: Duration = Duration::from_secs(30);

/// The mutants to run, and the directories.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The directory of the workspace.
    pub workspace: PathBuf,
    /// The suite's program of the unchanged library, natively: the reference.
    pub native: PathBuf,
    /// The directory in which the copy is made and built.
    pub scratch: PathBuf,
    /// The target directory of the harness. Tests of the host use the crates that were compiled there.
    pub target_dir: PathBuf,
    /// Only mutants whose names contain this are run.
    pub only: Option<String>,
    /// Mutants whose names contain this are not run.
    pub skip: Option<String>,
    /// How many cases run at once.
    pub jobs: usize,
}

/// The result of a mutant.
#[derive(Debug)]
pub struct MutantResult {
    mutant: &'static Mutant,
    result: Result<Found, String>,
}

/// The cases or tests that fail with a mutant.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// Their names. If the mutant was found, there is at least one.
    cases: Vec<String>,
    /// How many cases or tests were run.
    of: usize,
}

/// Runs the unchanged copy, and then all mutants that the plan selects. Prints the progress to standard error.
///
/// # Errors
///
/// Fails if the copy cannot be made or built, or does not pass without a change; the text says which.
pub fn run(plan: &Plan) -> Result<Vec<MutantResult>, String> {
    let wanted = |mutant: &&Mutant| {
        plan.only.as_ref().is_none_or(|only| mutant.name.contains(only))
            && plan.skip.as_ref().is_none_or(|skip| !mutant.name.contains(skip))
    };
    let mutants: Vec<&'static Mutant> = table::all().filter(wanted).collect();
    if mutants.is_empty() {
        return Err("there is no such mutant".to_owned());
    }
    let copy = Copy::make(&plan.workspace, &plan.scratch)?;
    control(plan, &copy, &mutants)?;
    Ok(mutants
        .into_iter()
        .map(|mutant| {
            eprintln!("== {}, in {}", mutant.name, mutant.place.column());
            MutantResult { mutant, result: find(plan, &copy, mutant) }
        })
        .collect())
}

/// Checks that the unchanged copy passes every case that must fail with a mutant.
fn control(plan: &Plan, copy: &Copy, mutants: &[&Mutant]) -> Result<(), String> {
    let mut runs: Vec<(Place, &str)> = mutants.iter().map(|mutant| (mutant.place, mutant.subject)).collect();
    runs.sort_unstable();
    runs.dedup();
    let mut programs: Vec<(Place, Program)> = Vec::new();
    for (place, subject) in runs {
        eprintln!("== the unchanged copy, in {}: {subject}", place.column());
        if place == Place::Host {
            let failed = host::build(copy, &plan.target_dir).and_then(|tests| host::failed(&tests, subject))?;
            if !failed.cases.is_empty() {
                return Err(format!("the unchanged copy does not pass {}", failed.cases.join(", ")));
            }
            continue;
        }
        if !programs.iter().any(|(built, _)| *built == place) {
            programs.push((place, build(copy, place)?));
        }
        let program = programs.iter().find(|(built, _)| *built == place).map(|(_, program)| program);
        let results = compare(plan, place, program.expect("it was just built"), subject);
        if results.failed() > 0 {
            let report = report::render(&results, &ledger());
            return Err(format!("the unchanged copy does not pass {subject} in {}:\n{report}", place.column()));
        }
    }
    Ok(())
}

fn find(plan: &Plan, copy: &Copy, mutant: &Mutant) -> Result<Found, String> {
    let mutated = copy.change(mutant.file, mutant.old, mutant.new)?;
    let found = if mutant.place == Place::Host {
        host::build(copy, &plan.target_dir).and_then(|tests| host::failed(&tests, mutant.subject))
    } else {
        build(copy, mutant.place)
            .and_then(|program| failed_cases(&compare(plan, mutant.place, &program, mutant.subject)))
    };
    mutated.undo()?;
    found.and_then(|found| if found.cases.is_empty() { Err(SURVIVED.to_owned()) } else { Ok(found) })
}

/// The suite's program, built from the copy.
enum Program {
    Native(PathBuf),
    Guest(Sandbox),
}

/// Builds the suite's program from the copy.
fn build(copy: &Copy, place: Place) -> Result<Program, String> {
    let built = copy.build("suite", place.target())?;
    if place.target().is_none() {
        return Ok(Program::Native(built));
    }
    Sandbox::load(&built).map(Program::Guest).map_err(|error| format!("{error:#}"))
}

/// Compares a column with the unchanged library.
fn compare(plan: &Plan, place: Place, program: &Program, subject: &str) -> Results {
    let native = |place: Place, program: &Path| {
        let backend = if place == Place::Mapped { "mapped" } else { "buffered" };
        Column::child(place.column(), vec![program.into()], Some(backend))
    };
    let column = match program {
        Program::Native(program) => native(place, program),
        Program::Guest(sandbox) => Column::sandbox(place.column(), sandbox.clone()),
    };
    // The reference is another backend, because the exceptions of the ledger on the mutant's column must not be its
    // own.
    let reference = native(if place == Place::Mapped { Place::Buffered } else { Place::Mapped }, &plan.native);
    let limits = Limits { time: CASE_TIME, memory: MEMORY_LIMIT };
    let plan = suite::Plan { filter: Some(subject.to_owned()), limits, jobs: plan.jobs, scratch: None };
    suite::run(&[reference, column], &plan, &ledger())
}

/// The exceptions of the platform's own mappings.
fn ledger() -> Vec<Exception> {
    Platform::MAPPED_HERE.exceptions(Place::Mapped.column()).collect()
}

/// The cases in which the second column failed.
///
/// # Errors
///
/// Fails if no case failed, or if a failure does not come from the mutant: a list that cannot be read, a program that
/// does not start, a reference that fails itself.
fn failed_cases(results: &Results) -> Result<Found, String> {
    if let Some(problem) = results.problems.first() {
        return Err(problem.clone());
    }
    let mut cases = Vec::new();
    for case in &results.cases {
        let [reference, mutated] = &case.cells[..] else { return Err("there are not two columns".to_owned()) };
        if reference.failed() {
            return Err(format!("{} fails without the mutant", case.name));
        }
        match &mutated.failure {
            Some(Failure::NotListed | Failure::ListedOtherwise | Failure::NotRun(_)) => {
                return Err(format!("{} could not be run", case.name));
            }
            Some(_) if mutated.failed() => cases.push(case.name.clone()),
            _ => {}
        }
    }
    if cases.is_empty() {
        return Err(SURVIVED.to_owned());
    }
    Ok(Found { cases, of: results.cases.len() })
}

/// Renders the mutants that were not found, then a table of all mutants: what each breaks, and the first case that
/// found it.
#[must_use]
pub fn render(results: &[MutantResult]) -> String {
    let mut table = new_table(&["Mutant\nColumn, cases", "Broken contract\nFound by"]);
    let mut failures = String::new();
    for MutantResult { mutant, result } in results {
        let [cases, by] = match result {
            Ok(found) => [format!("{} of {}", found.cases.len(), found.of), found.cases[0].clone()],
            Err(why) => {
                _ = writeln!(failures, "FAILED {}, which breaks that {}: {why}\n", mutant.name, mutant.contract);
                ["none".to_owned(), "NOT FOUND".to_owned()]
            }
        };
        let column = mutant.place.column().trim_start_matches("native ");
        let [first, second] = [(mutant.name, format!("{column}, {cases}")), (mutant.contract, by)];
        table.add_row([first, second].map(|(above, below)| Cell::new(format!("{above}\n{below}"))));
    }
    let found = results.iter().filter(|result| result.result.is_ok()).count();
    format!("{failures}{table}\n{found} of {} mutants found\n", results.len())
}

/// Whether all mutants were found.
#[must_use]
pub fn all_found(results: &[MutantResult]) -> bool {
    results.iter().all(|result| result.result.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{CaseResults, Cell};

    fn cell(failure: Option<Failure>) -> Cell {
        Cell { failure, excepted: None, transcript: Vec::new(), time: Duration::ZERO, calls: None }
    }

    fn results(failures: [Option<Failure>; 2]) -> Results {
        let quiet = CaseResults { name: "quiet".into(), cells: vec![cell(None), cell(None)] };
        let case = CaseResults { name: "case".into(), cells: failures.map(cell).into() };
        Results { columns: vec!["a".into(), "b".into()], cases: vec![quiet, case], problems: vec![], left_out: 0 }
    }

    #[test]
    fn a_mutant_is_found_by_the_cases_that_fail_with_it() {
        let found = failed_cases(&results([None, Some(Failure::NotFinished)])).unwrap();
        assert_eq!(found, Found { cases: vec!["case".into()], of: 2 });
        assert!(failed_cases(&results([None, None])).unwrap_err().starts_with("SURVIVED"));
    }

    #[test]
    fn a_failure_that_is_not_from_the_mutant_does_not_count() {
        for failure in [Failure::NotListed, Failure::NotRun("no program".into())] {
            assert!(failed_cases(&results([None, Some(failure)])).is_err());
        }
        assert!(failed_cases(&results([Some(Failure::NotFinished), Some(Failure::NotFinished)])).is_err());
        let mut broken = results([None, Some(Failure::NotFinished)]);
        broken.problems.push("no list".into());
        assert_eq!(failed_cases(&broken), Err("no list".into()));
        let mut excepted = results([None, Some(Failure::NotFinished)]);
        excepted.cases[1].cells[1].excepted = Some("a reason");
        assert!(failed_cases(&excepted).is_err());
    }
}
