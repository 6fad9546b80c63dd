//! Runs the ordinary tests of any package, each alone, natively and on WASI, and compares the results.
//!
//! Cargo builds the package's test programs for each target. Each `#[test]` runs in a separate process natively, and in
//! a fresh sandbox on WASI, with the directories that cargo's [runner](crate::runner) gives. So a test that fails does
//! not keep the others from running, and a test that should panic can do so.
//!
//! Documentation tests and benchmarks are left out: cargo does not build programs for them here.

mod again;
mod build;
pub mod cases;
mod libtest;
mod normal;
mod program;
mod published;
mod reports;
mod results;
mod table;
mod target;
pub mod wrapper;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use self::build::CargoBuild;
use self::program::Program;
use crate::hosts;
use crate::outcome::Limits;
use crate::terminal;

pub(crate) use build::set_flags;
pub use libtest::{Outcome, Test, TestRun};
pub use published::Published;
pub use reports::write as write_reports;
pub use results::{Results, Row};
pub use table::render;
pub use target::{Host, Target};

/// The package, the columns, and settings.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The package.
    pub source: Source,
    /// The directory in which cargo runs for WASI, if it is not that of the package.
    pub wasi_dir: Option<PathBuf>,
    /// The directory in which to build, if it is not the target directory of the package.
    pub target_dir: Option<PathBuf>,
    /// More arguments for cargo, such as features.
    pub cargo_args: Vec<OsString>,
    /// The columns, of which the first is the reference.
    pub columns: Vec<(Target, Host)>,
    /// Only tests whose names contain this are run.
    pub filter: Option<String>,
    /// Tests whose names contain one of these are not run.
    pub skip: Vec<String>,
    /// The limits of each test.
    pub limits: Limits,
    /// How many tests run at once.
    pub jobs: usize,
    /// The directory of the reports, if they are written.
    pub out: Option<PathBuf>,
    /// The arguments of `wasm-tests crate`, which the reports repeat in the command for one test.
    pub args: Vec<OsString>,
}

/// The location of a package.
#[derive(Clone, Debug)]
pub enum Source {
    /// A local package: its directory or its manifest.
    Local(PathBuf),
    /// A published package, which cargo fetches.
    Published(Published),
}

/// Parses lists of targets and hosts, with commas between them, as columns: targets in their build, and each target of
/// WASI on those of the hosts that run it.
///
/// # Errors
///
/// Fails if a name is unknown, or there are fewer than two columns to compare. The text says which.
pub fn columns(targets: &str, hosts: &str) -> Result<Vec<(Target, Host)>, String> {
    let targets: Vec<Target> = targets.split(',').map(Target::parse).collect::<Result<_, _>>()?;
    let hosts: Vec<Host> = hosts.split(',').map(Host::parse).collect::<Result<_, _>>()?;
    let on = |target: Target| {
        let hosts = hosts.iter().filter(|host| host.runs(&target)).copied();
        let hosts: Vec<Host> = if target == Target::Native { vec![Host::This] } else { hosts.collect() };
        hosts.into_iter().map(move |host| (target.clone(), host)).collect::<Vec<_>>()
    };
    let columns: Vec<(Target, Host)> = targets.into_iter().flat_map(on).collect();
    if columns.len() < 2 {
        return Err(format!("there are {} columns of these targets and hosts: a comparison needs two", columns.len()));
    }
    Ok(columns)
}

impl Plan {
    fn cargo_build(&self) -> Result<CargoBuild, String> {
        let package = match &self.source {
            Source::Local(place) => place.clone(),
            Source::Published(package) => {
                let dir = self.target_dir.clone().map_or_else(|| std::path::absolute("target/crates"), Ok);
                package.fetch(&dir.map_err(|error| error.to_string())?)?
            }
        };
        CargoBuild::new(&package, self.target_dir.as_deref(), &self.cargo_args)?.wasi_dir(self.wasi_dir.as_deref())
    }

    fn selects(&self, test: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| test.contains(filter))
            && !self.skip.iter().any(|skip| test.contains(skip))
    }
}

/// A test and its result in one column.
type TestResult = ((String, String), TestRun);

/// Builds and runs the tests.
///
/// # Errors
///
/// Fails if something is missing here, and describes how to install it, or if something cannot be built; the text says
/// which.
pub fn run(plan: &Plan) -> Result<Results, String> {
    let build = plan.cargo_build()?;
    let tools = hosts::tools().map_err(|error| format!("this program cannot be found: {error}"))?;
    let missing: Vec<String> =
        plan.columns.iter().filter_map(|(target, host)| build.missing(target, *host, &tools)).collect();
    if !missing.is_empty() {
        return Err(missing.join("\n"));
    }
    let mut results =
        Results { columns: Vec::new(), times: Vec::new(), rows: Vec::new(), problems: Vec::new(), left_out: 0 };
    // The programs that did not list their tests, each with the column.
    let mut unlisted = Vec::new();
    for (index, (target, host)) in plan.columns.iter().enumerate() {
        let name = target.column(*host);
        let binaries = build.build(target).map_err(|error| format!("{name}: {error}"))?;
        let other = if let Host::Other(host) = host {
            Some(Arc::new(host.start(host.program(&tools)?, &tools)?))
        } else {
            None
        };
        let start = Instant::now();
        clear(&build.built(target).join("tmp"))
            .map_err(|error| format!("cannot empty the directory for the files of tests: {error}"))?;
        let mut left_out = 0;
        for binary in binaries {
            let label = binary.label.clone();
            let program = match (target, host, &other) {
                (Target::Wasi(_), _, Some(served)) => Program::other(binary, served.clone(), plan.limits),
                (Target::Wasi(_), Host::Wasmtime, None) => Program::wasmtime(binary, plan.limits),
                (Target::Wasi(_), Host::Hosted, None) => Program::hosted(binary, plan.limits),
                _ => Ok(Program::native(binary, plan.limits)),
            };
            let listed = program.and_then(|program| program.list().map(|tests| (program, tests)));
            match listed {
                Ok((program, mut tests)) => {
                    let all = tests.len();
                    tests.retain(|test| plan.selects(&test.name));
                    left_out += all - tests.len();
                    let ran = run_tests(&name, &program, &tests, plan.jobs);
                    let names = tests.into_iter().map(|test| (label.clone(), test.name));
                    fill(&mut results.rows, index, names.zip(ran).collect());
                }
                Err(error) => {
                    results.problems.push(format!("{label}, {name}: {error}"));
                    unlisted.push((label, index));
                }
            }
        }
        let exits = other.iter().flat_map(|host| host.take_exits());
        results.problems.extend(exits.map(|exit| format!("{name}: {exit}")));
        results.left_out = results.left_out.max(left_out);
        results.times.push(start.elapsed());
        results.columns.push(name);
    }
    let count = results.columns.len();
    for row in &mut results.rows {
        row.cells.resize(count, TestRun::silent(Outcome::Absent));
        for (_, index) in unlisted.iter().filter(|(program, _)| *program == row.program) {
            row.cells[*index] = TestRun::silent(Outcome::NotRun("its program does not list its tests here".into()));
        }
    }
    if results.rows.is_empty() {
        results.problems.push("there is no test to run".to_owned());
    }
    Ok(results)
}

/// Adds the results of a column's tests to the rows. Tests that the columns before do not have get their own rows.
fn fill(rows: &mut Vec<Row>, column: usize, results: Vec<TestResult>) {
    for ((program, test), ran) in results {
        let index = rows.iter().position(|row| row.program == program && row.test == test).unwrap_or_else(|| {
            rows.push(Row { program, test, cells: Vec::new() });
            rows.len() - 1
        });
        rows[index].cells.resize(column, TestRun::silent(Outcome::Absent));
        rows[index].cells.push(ran);
    }
}

fn run_tests(column: &str, program: &Program, tests: &[Test], jobs: usize) -> Vec<TestRun> {
    let progress = terminal::progress(tests.len());
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(tests.len()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(test) = tests.get(index) else { break };
                    progress.set_message(format!("{}, {column}", test.name));
                    let ran = program.run(test);
                    progress.inc(1);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, ran));
                }
            });
        }
    });
    progress.finish_and_clear();
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, ran)| ran).collect()
}

/// Empties a directory, if it exists.
fn clear(dir: &Path) -> std::io::Result<()> {
    if dir.is_dir() {
        std::fs::remove_dir_all(dir)?;
        std::fs::create_dir(dir)?;
    }
    Ok(())
}
