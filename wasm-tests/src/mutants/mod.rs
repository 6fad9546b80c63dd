//! The proof that the comparison can fail: a copy of the library is broken in one place at a time, and a case of the
//! suite has to notice.
//!
//! The copy lies in a scratch directory and is built there. Each [mutant](table::MUTANTS) names the contract that it
//! breaks and the subject whose cases must notice; the column that has it is compared with the library as it is, by the
//! same code as all columns are. The copy as it is must pass the same cases: else a mutant would be found by nothing that
//! it does.

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

/// Why a mutant was not found.
const SURVIVED: &str = "SURVIVED: no case has noticed";

/// A case that takes so long has been led astray.
const CASE_TIME: Duration = Duration::from_secs(30);

/// What to break, and where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The directory of the workspace.
    pub workspace: PathBuf,
    /// The suite's program as it is, natively: the measure.
    pub native: PathBuf,
    /// Where the copy is made and built.
    pub scratch: PathBuf,
    /// The directory that the harness was built in: tests of the host use what was compiled there.
    pub target_dir: PathBuf,
    /// Only mutants whose names contain this.
    pub only: Option<String>,
    /// None of the mutants whose names contain this.
    pub skip: Option<String>,
    /// How many cases run at once.
    pub jobs: usize,
}

/// What became of a mutant.
#[derive(Debug)]
pub struct MutantResult {
    mutant: &'static Mutant,
    result: Result<Found, String>,
}

/// The cases or tests that have noticed a mutant.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// Their names; there is at least one if it was found.
    cases: Vec<String>,
    /// How many there were.
    of: usize,
}

/// Runs all mutants that the plan wants, after the copy as it is. Says on standard error what it is doing.
///
/// # Errors
///
/// A copy that cannot be made or built, or that does not pass as it is; the text says which.
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

/// The copy as it is passes every case that is to notice a mutant.
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
        let results = compare(plan, place, program.expect("just built"), subject);
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
        build(copy, mutant.place).and_then(|program| noticed(&compare(plan, mutant.place, &program, mutant.subject)))
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

/// Compares a column with the library as it is.
fn compare(plan: &Plan, place: Place, program: &Program, subject: &str) -> Results {
    let native = |place: Place, program: &Path| {
        let backend = if place == Place::Mapped { "mapped" } else { "buffered" };
        Column::child(place.column(), vec![program.into()], Some(backend))
    };
    let column = match program {
        Program::Native(program) => native(place, program),
        Program::Guest(sandbox) => Column::sandbox(place.column(), sandbox.clone()),
    };
    // One that is another backend, where there are two: what the ledger excepts there is the platform's.
    let measure = native(if place == Place::Mapped { Place::Buffered } else { Place::Mapped }, &plan.native);
    let limits = Limits { time: CASE_TIME, memory: MEMORY_LIMIT };
    let plan = suite::Plan { filter: Some(subject.to_owned()), limits, jobs: plan.jobs, scratch: None };
    suite::run(&[measure, column], &plan, &ledger())
}

/// What the platform's own mappings cannot hold here.
fn ledger() -> Vec<Exception> {
    Platform::MAPPED_HERE.exceptions(Place::Mapped.column()).collect()
}

/// The cases in which the second column failed.
///
/// # Errors
///
/// None, or something that is no case's finding: a list that cannot be had, a program that does not start, a measure that
/// fails itself.
fn noticed(results: &Results) -> Result<Found, String> {
    if let Some(problem) = results.problems.first() {
        return Err(problem.clone());
    }
    let mut cases = Vec::new();
    for case in &results.cases {
        let [measure, mutated] = &case.cells[..] else { return Err("there are not two columns".to_owned()) };
        if measure.failed() {
            return Err(format!("{} fails without it", case.name));
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

/// The mutants that were not found, then all of them: what each breaks, and the first case that found it.
#[must_use]
pub fn render(results: &[MutantResult]) -> String {
    let mut table = new_table(&["Mutant\nColumn, cases", "What does not hold\nFound by"]);
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

/// Whether all were found.
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
        let found = noticed(&results([None, Some(Failure::NotFinished)])).unwrap();
        assert_eq!(found, Found { cases: vec!["case".into()], of: 2 });
        assert!(noticed(&results([None, None])).unwrap_err().starts_with("SURVIVED"));
    }

    #[test]
    fn what_no_case_has_noticed_does_not_count() {
        for failure in [Failure::NotListed, Failure::NotRun("no program".into())] {
            assert!(noticed(&results([None, Some(failure)])).is_err());
        }
        assert!(noticed(&results([Some(Failure::NotFinished), Some(Failure::NotFinished)])).is_err());
        let mut broken = results([None, Some(Failure::NotFinished)]);
        broken.problems.push("no list".into());
        assert_eq!(noticed(&broken), Err("no list".into()));
        let mut excepted = results([None, Some(Failure::NotFinished)]);
        excepted.cases[1].cells[1].excepted = Some("a reason");
        assert!(noticed(&excepted).is_err());
    }
}
