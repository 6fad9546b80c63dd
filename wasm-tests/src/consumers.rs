//! Runs programs that map files through other crates, with the memmap2 that those crates depend on and with the façade
//! instead.
//!
//! The reference is the native program with the real memmap2: every program must have the same output, and leave the
//! same files. With the façade this is required both with emulated mappings and with a host that maps files. Without
//! the façade a WASI program cannot map. The table shows how it fails, or that it reads the file instead, and this is
//! not a failure.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wasmtime::error::Context as _;

use crate::calls::HostCalls;
use crate::outcome::{End, Report};
use crate::sandbox::{HAS_HOST_MAPPING, Run, Sandbox};
use crate::terminal::{self, new_table};
use crate::{child, files};

/// The time limit of a program, which is enough for a busy machine.
const TIME: Duration = Duration::from_mins(2);

/// The program that writes the files for the others.
const PREPARE: &str = "prepare";

/// The programs to run, and their directories.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Cargo's target directory of the programs with the real memmap2: native programs, and those of each target.
    pub without: PathBuf,
    /// Cargo's target directory of the programs with the façade.
    pub with: PathBuf,
    /// Cargo's target directory of the components with the façade that use mappings of the host.
    pub hosted: PathBuf,
    /// The names of the programs.
    pub programs: Vec<String>,
}

/// The results of the programs.
#[derive(Debug)]
pub struct Results {
    /// The description of the files, from the program that wrote them.
    files: String,
    rows: Vec<Row>,
}

/// One program, in every column.
#[derive(Debug)]
struct Row {
    program: String,
    cells: Vec<Cell>,
}

/// One program in one column.
#[derive(Debug, PartialEq, Eq)]
enum Cell {
    /// The result is that of the reference.
    Equal,
    /// This is the reference itself, the native program with the real memmap2.
    Reference,
    /// The result may differ, because the program does not use the façade.
    Without(String),
    /// The result is a failure.
    Wrong(String),
}

/// One way to build and run the programs.
struct Column {
    name: &'static str,
    /// The target. `None` stands for this machine.
    target: Option<&'static str>,
    memmap2: Memmap2,
}

/// The implementation of memmap2's interface.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memmap2 {
    /// memmap2 itself.
    Published,
    /// The façade.
    Patched,
    /// The façade in a host that maps files.
    Hosted,
}

const P1: Option<&str> = Some("wasm32-wasip1");
const P2: Option<&str> = Some("wasm32-wasip2");

/// The first column is the reference of the others. Native programs never use the façade.
static ALL_COLUMNS: [Column; 7] = [
    Column { name: "native", target: None, memmap2: Memmap2::Published },
    Column { name: "wasip1", target: P1, memmap2: Memmap2::Published },
    Column { name: "wasip2", target: P2, memmap2: Memmap2::Published },
    Column { name: "wasip1, patched", target: P1, memmap2: Memmap2::Patched },
    Column { name: "wasip2, patched", target: P2, memmap2: Memmap2::Patched },
    Column { name: "wasip1, hosted", target: P1, memmap2: Memmap2::Hosted },
    Column { name: "wasip2, hosted", target: P2, memmap2: Memmap2::Hosted },
];

/// The number of columns before those in which the host maps files.
const WITHOUT_HOST: usize = 5;

/// The columns that this system can run.
fn columns() -> impl ExactSizeIterator<Item = &'static Column> {
    let count = if HAS_HOST_MAPPING { ALL_COLUMNS.len() } else { WITHOUT_HOST };
    ALL_COLUMNS[..count].iter()
}

/// The result of a run: its output, and the files after it.
struct ProgramRun {
    report: Report,
    left: Vec<String>,
}

/// Runs the programs.
///
/// # Errors
///
/// Fails if a program does not exist, or files cannot be written.
pub fn run(plan: &Plan) -> wasmtime::Result<Results> {
    wasmtime::ensure!(!plan.programs.is_empty(), "there are no programs to run");
    let progress = terminal::progress(plan.programs.len() * columns().len());
    let files = prepare(plan, tempfile::tempdir()?.path())?;
    let rows = plan.programs.iter().map(|program| {
        let mut reference = None;
        let cells = columns().map(|column| {
            progress.set_message(format!("{program}, {}", column.name));
            let ran = run_in(column, program, plan).with_context(|| format!("{program}, {}", column.name))?;
            let cell = match &reference {
                None => judge_reference(&ran),
                Some(reference) => judge(column, &ran, reference),
            };
            reference.get_or_insert(ran);
            progress.inc(1);
            Ok(cell)
        });
        Ok(Row { program: program.clone(), cells: cells.collect::<wasmtime::Result<_>>()? })
    });
    let rows = rows.collect::<wasmtime::Result<_>>()?;
    progress.finish_and_clear();
    Ok(Results { files, rows })
}

/// Writes the files, and returns a description of them.
fn prepare(plan: &Plan, dir: &Path) -> wasmtime::Result<String> {
    let report = run_native(&plan.without, PREPARE, dir)?;
    wasmtime::ensure!(report.end == End::Exited(0), "the files cannot be made: {}", last_line(&report.stderr));
    Ok(String::from_utf8_lossy(&report.stdout).into_owned())
}

/// Runs a native program from cargo's directory on the directory `work`.
fn run_native(programs: &Path, name: &str, work: &Path) -> std::io::Result<Report> {
    let path = programs.join("release").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    child::run(path.as_os_str(), &[work.as_os_str()], Some(TIME)).map(|(report, _)| report)
}

/// Runs a program in a column, on new files.
fn run_in(column: &Column, program: &str, plan: &Plan) -> wasmtime::Result<ProgramRun> {
    let dir = tempfile::tempdir()?;
    prepare(plan, dir.path())?;
    let programs = match column.memmap2 {
        Memmap2::Published => &plan.without,
        // The module is the same: it requests mappings with a call that every host has.
        Memmap2::Hosted if column.target == P2 => &plan.hosted,
        Memmap2::Patched | Memmap2::Hosted => &plan.with,
    };
    let report = match column.target {
        None => run_native(programs, program, dir.path())?,
        Some(target) => {
            let path = programs.join(target).join("release").join(program).with_extension("wasm");
            let load = if column.memmap2 == Memmap2::Hosted { Sandbox::load_with_host_mapping } else { Sandbox::load };
            load(&path)?.run(&Run::new(program).args(["/"]).dir(dir.path(), "/").time(TIME))?
        }
    };
    Ok(ProgramRun { report, left: files::describe(dir.path())? })
}

/// The native program with the real memmap2 has to succeed and to print something.
fn judge_reference(ran: &ProgramRun) -> Cell {
    if ran.report.end != End::Exited(0) {
        return Cell::Wrong(ended(&ran.report));
    }
    if ran.report.stdout.is_empty() { Cell::Wrong("it printed nothing".to_owned()) } else { Cell::Reference }
}

fn judge(column: &Column, ran: &ProgramRun, reference: &ProgramRun) -> Cell {
    let failed = ran.report.end != End::Exited(0);
    let differs = ran.report.stdout != reference.report.stdout || ran.left != reference.left;
    let mapped = ran.report.calls.as_ref().map_or(0, HostCalls::maps);
    if column.memmap2 == Memmap2::Hosted && !failed && mapped == 0 {
        return Cell::Wrong("it requested no mapping from the host".to_owned());
    }
    match (failed, differs, column.memmap2 != Memmap2::Published) {
        (true, _, true) => Cell::Wrong(ended(&ran.report)),
        (false, true, true) => Cell::Wrong(difference(ran, reference)),
        (false, false, true) => Cell::Equal,
        (true, _, false) => Cell::Without(ended(&ran.report)),
        (false, true, false) => Cell::Without(difference(ran, reference)),
        (false, false, false) => Cell::Without("reads the file instead".to_owned()),
    }
}

/// Describes the end of a run that failed.
fn ended(report: &Report) -> String {
    let said = last_line(&report.stderr);
    if report.end == End::Exited(1) { said } else { format!("{:?}: {said}", report.end) }
}

fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().next_back().unwrap_or("no message").trim().to_owned()
}

fn difference(ran: &ProgramRun, reference: &ProgramRun) -> String {
    if ran.report.stdout != reference.report.stdout {
        return "its output differs".to_owned();
    }
    let other = ran.left.iter().zip(&reference.left).find(|(line, expected)| line != expected);
    other.map_or("its files differ".to_owned(), |(line, expected)| format!("it left {line}, not {expected}"))
}

impl Results {
    /// How many cells are wrong.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.rows.iter().flat_map(|row| &row.cells).filter(|cell| matches!(cell, Cell::Wrong(_))).count()
    }

    /// The table, and the failures.
    #[must_use]
    pub fn render(&self) -> String {
        let mut header = vec!["Program"];
        header.extend(columns().map(|column| column.name));
        let mut table = new_table(&header);
        let mut notes: Vec<&str> = Vec::new();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = vec![row.program.clone()];
            for cell in &row.cells {
                line.push(match cell {
                    Cell::Reference => "runs".to_owned(),
                    Cell::Equal => "equal".to_owned(),
                    Cell::Wrong(_) => "WRONG".to_owned(),
                    Cell::Without(what) => {
                        let known = notes.iter().position(|note| note == what);
                        let number = known.unwrap_or_else(|| {
                            notes.push(what);
                            notes.len() - 1
                        });
                        format!("({})", number + 1)
                    }
                });
            }
            table.add_row(line);
        }
        _ = writeln!(text, "{}{table}", self.files);
        for (number, note) in notes.iter().enumerate() {
            _ = writeln!(text, "({}) {note}", number + 1);
        }
        for row in &self.rows {
            for (cell, column) in row.cells.iter().zip(columns()) {
                if let Cell::Wrong(why) = cell {
                    _ = writeln!(text, "FAILED {}, {}: {why}", row.program, column.name);
                }
            }
        }
        _ = writeln!(text, "{} programs, {} failures", self.rows.len(), self.failed());
        text
    }
}

#[cfg(test)]
mod tests {
    use native_tests::counts::Group;

    use super::*;
    use crate::calls::MAP;

    fn ran(end: End, stdout: &str, left: &str) -> ProgramRun {
        let report = Report::native(end, stdout, *b"first\nwhy\n", Duration::ZERO);
        ProgramRun { report, left: vec![left.to_owned()] }
    }

    #[test]
    fn only_programs_with_the_facade_have_to_be_equal() {
        let reference = ran(End::Exited(0), "out", "file");
        let [_, without, .., with, _, _] = &ALL_COLUMNS;
        for (end, out, left, with_it) in [
            (0, "out", "file", Cell::Equal),
            (0, "other", "file", Cell::Wrong("its output differs".to_owned())),
            (0, "out", "other", Cell::Wrong("it left other, not file".to_owned())),
            (1, "out", "file", Cell::Wrong("why".to_owned())),
        ] {
            let ran = ran(End::Exited(end), out, left);
            assert_eq!(judge(with, &ran, &reference), with_it);
            assert!(matches!(judge(without, &ran, &reference), Cell::Without(_)));
        }
    }

    #[test]
    fn a_program_that_requests_no_mapping_from_its_host_is_wrong() {
        let reference = ran(End::Exited(0), "out", "file");
        let [.., hosted] = &ALL_COLUMNS;
        let mut calls = HostCalls::default();
        let judged = |calls: &HostCalls| {
            let mut ran = ran(End::Exited(0), "out", "file");
            ran.report.calls = Some(calls.clone());
            judge(hosted, &ran, &reference)
        };
        assert_eq!(judged(&calls), Cell::Wrong("it requested no mapping from the host".to_owned()));
        calls.total.add(Group::Other, MAP, 0);
        assert_eq!(judged(&calls), Cell::Equal);
    }

    #[test]
    fn a_reference_that_fails_or_prints_nothing_is_wrong() {
        assert_eq!(judge_reference(&ran(End::Exited(0), "out", "")), Cell::Reference);
        assert!(matches!(judge_reference(&ran(End::Exited(1), "out", "")), Cell::Wrong(_)));
        assert!(matches!(judge_reference(&ran(End::Exited(0), "", "")), Cell::Wrong(_)));
    }
}
