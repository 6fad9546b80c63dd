//! Programs that map files through other crates, with the memmap2 that those ask for and with the façade in its place.
//!
//! What a program must do is what it does natively with the real memmap2: the same output, and the same files
//! afterwards. With the façade that is demanded twice: where it emulates mappings, and where the host maps files.
//! Without the façade a WASI program cannot map; how it fails, or that it reads the file instead, is told and not
//! judged.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wasmtime::error::Context as _;

use crate::calls::HostCalls;
use crate::outcome::{End, Report};
use crate::sandbox::{HAS_HOST_MAPPING, Run, Sandbox};
use crate::terminal::{self, new_table};
use crate::{child, files};

/// Long enough for a busy machine.
const TIME: Duration = Duration::from_mins(2);

/// The program that writes the files which the others work on.
const PREPARE: &str = "prepare";

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Cargo's directory of the programs with the real memmap2: native programs, and those of each target.
    pub without: PathBuf,
    /// Cargo's directory of the programs with the façade.
    pub with: PathBuf,
    /// Cargo's directory of the components with the façade that have their host map files.
    pub hosted: PathBuf,
    /// The programs' names.
    pub programs: Vec<String>,
}

/// What the programs did.
#[derive(Debug)]
pub struct Results {
    /// What the program that wrote the files says of them.
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
    /// What the native program with the real memmap2 did.
    Equal,
    /// That program itself.
    Model,
    /// What may be otherwise, for nothing is patched.
    Without(String),
    /// What must not be otherwise.
    Wrong(String),
}

/// One way to build and run the programs.
struct Column {
    name: &'static str,
    /// None: natively.
    target: Option<&'static str>,
    memmap2: Memmap2,
}

/// What stands behind memmap2's interface.
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

/// The first is the model of the others. Native programs are never patched.
static ALL_COLUMNS: [Column; 7] = [
    Column { name: "native", target: None, memmap2: Memmap2::Published },
    Column { name: "wasip1", target: P1, memmap2: Memmap2::Published },
    Column { name: "wasip2", target: P2, memmap2: Memmap2::Published },
    Column { name: "wasip1, patched", target: P1, memmap2: Memmap2::Patched },
    Column { name: "wasip2, patched", target: P2, memmap2: Memmap2::Patched },
    Column { name: "wasip1, hosted", target: P1, memmap2: Memmap2::Hosted },
    Column { name: "wasip2, hosted", target: P2, memmap2: Memmap2::Hosted },
];

/// How many come before those in which the host maps files.
const WITHOUT_HOST: usize = 5;

/// Those that this system can run.
fn columns() -> impl ExactSizeIterator<Item = &'static Column> {
    let count = if HAS_HOST_MAPPING { ALL_COLUMNS.len() } else { WITHOUT_HOST };
    ALL_COLUMNS[..count].iter()
}

/// What a run gave: its output, and the files after it.
struct Ran {
    report: Report,
    left: Vec<String>,
}

/// Runs the programs.
///
/// # Errors
///
/// A program that is not there, or files that cannot be written.
pub fn run(plan: &Plan) -> wasmtime::Result<Results> {
    wasmtime::ensure!(!plan.programs.is_empty(), "there are no programs to run");
    let progress = terminal::progress(plan.programs.len() * columns().len());
    let files = prepare(plan, tempfile::tempdir()?.path())?;
    let rows = plan.programs.iter().map(|program| {
        let mut model = None;
        let cells = columns().map(|column| {
            progress.set_message(format!("{program}, {}", column.name));
            let ran = run_in(column, program, plan).with_context(|| format!("{program}, {}", column.name))?;
            let cell = match &model {
                None => judge_model(&ran),
                Some(model) => judge(column, &ran, model),
            };
            model.get_or_insert(ran);
            progress.inc(1);
            Ok(cell)
        });
        Ok(Row { program: program.clone(), cells: cells.collect::<wasmtime::Result<_>>()? })
    });
    let rows = rows.collect::<wasmtime::Result<_>>()?;
    progress.finish_and_clear();
    Ok(Results { files, rows })
}

/// Writes the files, and answers what is to be known of them.
fn prepare(plan: &Plan, dir: &Path) -> wasmtime::Result<String> {
    let report = run_native(&plan.without, PREPARE, dir)?;
    wasmtime::ensure!(report.end == End::Exited(0), "the files cannot be made: {}", last_line(&report.stderr));
    Ok(String::from_utf8_lossy(&report.stdout).into_owned())
}

/// Runs a native program of cargo's directory on the directory `work`.
fn run_native(programs: &Path, name: &str, work: &Path) -> std::io::Result<Report> {
    let path = programs.join("release").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    child::run(path.as_os_str(), &[work.as_os_str()], Some(TIME)).map(|(report, _)| report)
}

/// Runs a program in a column, on files that nobody has worked on before.
fn run_in(column: &Column, program: &str, plan: &Plan) -> wasmtime::Result<Ran> {
    let dir = tempfile::tempdir()?;
    prepare(plan, dir.path())?;
    let programs = match column.memmap2 {
        Memmap2::Published => &plan.without,
        // A module is the same: it asks its host by a call that every host has.
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
    Ok(Ran { report, left: files::describe(dir.path())? })
}

/// The native program with the real memmap2 has to do something.
fn judge_model(ran: &Ran) -> Cell {
    if ran.report.end != End::Exited(0) {
        return Cell::Wrong(ended(&ran.report));
    }
    if ran.report.stdout.is_empty() { Cell::Wrong("it printed nothing".to_owned()) } else { Cell::Model }
}

fn judge(column: &Column, ran: &Ran, model: &Ran) -> Cell {
    let failed = ran.report.end != End::Exited(0);
    let differs = ran.report.stdout != model.report.stdout || ran.left != model.left;
    let mapped = ran.report.calls.as_ref().map_or(0, HostCalls::maps);
    if column.memmap2 == Memmap2::Hosted && !failed && mapped == 0 {
        return Cell::Wrong("the host was asked to map nothing".to_owned());
    }
    match (failed, differs, column.memmap2 != Memmap2::Published) {
        (true, _, true) => Cell::Wrong(ended(&ran.report)),
        (false, true, true) => Cell::Wrong(difference(ran, model)),
        (false, false, true) => Cell::Equal,
        (true, _, false) => Cell::Without(ended(&ran.report)),
        (false, true, false) => Cell::Without(difference(ran, model)),
        (false, false, false) => Cell::Without("reads the file instead".to_owned()),
    }
}

/// How a run ended that did not end well.
fn ended(report: &Report) -> String {
    let said = last_line(&report.stderr);
    if report.end == End::Exited(1) { said } else { format!("{:?}: {said}", report.end) }
}

fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().next_back().unwrap_or("nothing was said").trim().to_owned()
}

fn difference(ran: &Ran, model: &Ran) -> String {
    if ran.report.stdout != model.report.stdout {
        return "it prints something else".to_owned();
    }
    let other = ran.left.iter().zip(&model.left).find(|(line, expected)| line != expected);
    other.map_or("its files differ".to_owned(), |(line, expected)| format!("it left {line}, not {expected}"))
}

impl Results {
    /// How many cells are wrong.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.rows.iter().flat_map(|row| &row.cells).filter(|cell| matches!(cell, Cell::Wrong(_))).count()
    }

    /// The table, and what is wrong.
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
                    Cell::Model => "runs".to_owned(),
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

    fn ran(end: End, stdout: &str, left: &str) -> Ran {
        let report = Report::native(end, stdout, *b"first\nwhy\n", Duration::ZERO);
        Ran { report, left: vec![left.to_owned()] }
    }

    #[test]
    fn only_what_is_patched_has_to_be_equal() {
        let model = ran(End::Exited(0), "out", "file");
        let [_, without, .., with, _, _] = &ALL_COLUMNS;
        for (end, out, left, with_it) in [
            (0, "out", "file", Cell::Equal),
            (0, "other", "file", Cell::Wrong("it prints something else".to_owned())),
            (0, "out", "other", Cell::Wrong("it left other, not file".to_owned())),
            (1, "out", "file", Cell::Wrong("why".to_owned())),
        ] {
            let ran = ran(End::Exited(end), out, left);
            assert_eq!(judge(with, &ran, &model), with_it);
            assert!(matches!(judge(without, &ran, &model), Cell::Without(_)));
        }
    }

    #[test]
    fn a_program_that_has_its_host_map_nothing_is_wrong_where_it_should() {
        let model = ran(End::Exited(0), "out", "file");
        let [.., hosted] = &ALL_COLUMNS;
        let mut calls = HostCalls::default();
        let judged = |calls: &HostCalls| {
            let mut ran = ran(End::Exited(0), "out", "file");
            ran.report.calls = Some(calls.clone());
            judge(hosted, &ran, &model)
        };
        assert_eq!(judged(&calls), Cell::Wrong("the host was asked to map nothing".to_owned()));
        calls.total.add(Group::Other, MAP, 0);
        assert_eq!(judged(&calls), Cell::Equal);
    }

    #[test]
    fn a_model_that_fails_or_is_silent_is_wrong() {
        assert_eq!(judge_model(&ran(End::Exited(0), "out", "")), Cell::Model);
        assert!(matches!(judge_model(&ran(End::Exited(1), "out", "")), Cell::Wrong(_)));
        assert!(matches!(judge_model(&ran(End::Exited(0), "", "")), Cell::Wrong(_)));
    }
}
