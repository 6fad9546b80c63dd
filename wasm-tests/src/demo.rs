//! Runs the example programs on a real file, natively and in wasmtime, and compares their results with those that the
//! harness computes itself.
//!
//! Three programs run in four columns. In one of these the host maps the files. The expected results are known
//! beforehand: `hello` prints the same everywhere and leaves the same file; `grep` finds as many matches as [`memchr`];
//! `replace` makes as many replacements, and the file is then equal to the result of replacing in memory.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::hash::Hasher as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use memchr::memmem;
use wasmtime::error::Context as _;

use crate::counters::{self, Counted};
use crate::outcome::{End, Report};
use crate::sandbox::{HAS_HOST_MAPPING, NO_HOST_MAPPING, Run, Sandbox};
use crate::terminal::{align_right, new_table};
use crate::{child, files};

/// The default pattern is the first of these words that the file contains.
const WORDS: [&str; 6] = ["error", "memory", "length", "the", "and", "a"];

/// The name of the copy that the programs work on.
const COPY: &str = "file";

/// The time limit of a program, which is enough for a file of gigabytes.
const TIME: Duration = Duration::from_mins(10);

/// The programs to run, and the file.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file, of which each program gets a copy.
    pub file: PathBuf,
    /// The directory of the native programs.
    pub native_dir: PathBuf,
    /// The directory of the Preview 1 modules. They also run with a host that maps their files.
    pub wasip1_dir: PathBuf,
    /// The directory of the Preview 2 components.
    pub wasip2_dir: PathBuf,
    /// The text to search for. The default is a word that the file contains.
    pub pattern: Option<String>,
}

/// The results of the programs.
#[derive(Debug)]
pub struct Results {
    /// The text to search for, its replacement, and the number of matches.
    task: Task,
    file: PathBuf,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Task {
    from: String,
    to: String,
    matches: usize,
    len: usize,
    /// The hash of the file after `replace`.
    replaced: u64,
    /// The hash of the file after the other programs.
    original: u64,
}

/// One program in one column.
#[derive(Debug)]
struct Row {
    program: Program,
    column: &'static str,
    /// What is wrong with its output.
    output: Result<(), String>,
    /// What is wrong with the files that it left.
    bytes: Result<(), String>,
    time: Duration,
    moved: Option<Counted>,
    /// Whether it mapped the file, so that its bytes move without calls.
    mapped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Hello,
    Grep,
    Replace,
}

impl Program {
    const ALL: [Self; 3] = [Self::Hello, Self::Grep, Self::Replace];

    fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Grep => "grep",
            Self::Replace => "replace",
        }
    }

    /// Its arguments, where `dir` is the directory that it works in.
    fn args(self, task: &Task, dir: &str) -> Vec<String> {
        let file = format!("{}/{COPY}", dir.trim_end_matches('/'));
        match self {
            Self::Hello => vec![dir.to_owned()],
            Self::Grep => vec![task.from.clone(), file],
            Self::Replace => vec![task.from.clone(), task.to.clone(), file],
        }
    }
}

/// One way to run the three programs.
enum Column {
    Native(PathBuf),
    Sandbox(&'static str, PathBuf),
    /// A sandbox that maps files into the guest's memory.
    Hosted(PathBuf),
}

/// The result of one run of a program.
struct ProgramRun {
    report: Report,
    moved: Option<Counted>,
    mapped: bool,
}

impl Column {
    fn name(&self) -> &'static str {
        match self {
            Self::Native(_) => "native",
            Self::Sandbox(name, _) => name,
            Self::Hosted(_) => "wasip1 hosted",
        }
    }

    fn run(&self, program: Program, task: &Task, dir: &Path) -> wasmtime::Result<ProgramRun> {
        match self {
            Self::Native(programs) => {
                let path = programs.join(program.name()).with_extension(std::env::consts::EXE_EXTENSION);
                let dir = dir.to_str().context("the temporary directory has no name in Unicode")?;
                let (report, moved) = child::run(path.as_os_str(), &program.args(task, dir), Some(TIME))?;
                // The output goes through a pipe, and was counted too.
                let printed = (report.stdout.len() + report.stderr.len()) as u64;
                let moved = moved.map(|moved| moved.since(Counted { read: 0, written: printed }));
                Ok(ProgramRun { report, moved, mapped: true })
            }
            Self::Sandbox(_, programs) => run_guest(&Sandbox::load(&wasm(programs, program))?, program, task, dir),
            Self::Hosted(programs) => {
                run_guest(&Sandbox::load_with_host_mapping(&wasm(programs, program))?, program, task, dir)
            }
        }
    }
}

fn wasm(programs: &Path, program: Program) -> PathBuf {
    programs.join(program.name()).with_extension("wasm")
}

fn run_guest(sandbox: &Sandbox, program: Program, task: &Task, dir: &Path) -> wasmtime::Result<ProgramRun> {
    let run = Run::new(program.name()).args(program.args(task, "/")).dir(dir, "/").time(TIME);
    // Nothing else runs in this process meanwhile, and a guest's output goes to memory.
    let (report, moved) = counters::during(|| sandbox.run(&run));
    let report = report?;
    // The guest uses a buffer for a short file, even if the host maps files.
    let mapped = report.calls.as_ref().is_some_and(|calls| calls.maps() > 0);
    Ok(ProgramRun { report, moved, mapped })
}

/// Runs the programs.
///
/// # Errors
///
/// Fails if a file or a program does not exist, or the file does not contain the pattern.
pub fn run(plan: &Plan) -> wasmtime::Result<Results> {
    let task = Task::new(plan)?;
    let mut columns = vec![Column::Native(plan.native_dir.clone()), Column::Sandbox("wasip1", plan.wasip1_dir.clone())];
    if HAS_HOST_MAPPING {
        columns.push(Column::Hosted(plan.wasip1_dir.clone()));
    }
    columns.push(Column::Sandbox("wasip2", plan.wasip2_dir.clone()));
    let mut rows = Vec::new();
    for program in Program::ALL {
        // The output and the files of the first column, which those of the others must equal.
        let mut first: Option<(Vec<u8>, Vec<String>)> = None;
        for column in &columns {
            let dir = tempfile::tempdir()?;
            let copy = dir.path().join(COPY);
            copy_content(&plan.file, &copy).with_context(|| format!("cannot copy {}", plan.file.display()))?;
            let ran = column.run(program, &task, dir.path())?;
            let left = files::describe(dir.path())?;
            let (first_output, first_left) = first.get_or_insert_with(|| (ran.report.stdout.clone(), left.clone()));
            rows.push(Row {
                program,
                column: column.name(),
                output: check_output(program, &task, &ran.report, first_output),
                bytes: check_bytes(program, &task, &copy, &left, first_left),
                time: ran.report.time,
                moved: ran.moved,
                mapped: ran.mapped,
            });
        }
    }
    Ok(Results { task, file: plan.file.clone(), rows })
}

impl Task {
    fn new(plan: &Plan) -> wasmtime::Result<Self> {
        let content = fs::read(&plan.file).with_context(|| format!("cannot read {}", plan.file.display()))?;
        let from = match &plan.pattern {
            Some(pattern) => pattern.clone(),
            None => pattern_for(&content).context("the file has no letters to search for: use --pattern")?,
        };
        let to: String = from.chars().map(swap_case).collect();
        wasmtime::ensure!(
            from.bytes().all(|byte| byte.is_ascii_alphanumeric()) && to != from,
            "the pattern {from:?} has to be ASCII letters and digits, one letter at least"
        );
        let mut replaced = content.clone();
        let mut matches = 0;
        for at in memmem::find_iter(&content, &from) {
            replaced[at..at + to.len()].copy_from_slice(to.as_bytes());
            matches += 1;
        }
        wasmtime::ensure!(matches > 0, "the file does not contain {from:?}: there would be nothing to do");
        let (original, replaced) = (hash(&content), hash(&replaced));
        wasmtime::ensure!(original != replaced, "replacing changes nothing");
        Ok(Self { from, to, matches, len: content.len(), replaced, original })
    }
}

/// The first of the known words that the file contains, or else its first letters.
fn pattern_for(content: &[u8]) -> Option<String> {
    let known = WORDS.iter().find(|word| memmem::find(content, word.as_bytes()).is_some());
    known.map(|word| (*word).to_owned()).or_else(|| {
        let letters = content.split(|byte| !byte.is_ascii_alphabetic()).find(|run| !run.is_empty())?;
        String::from_utf8(letters[..letters.len().min(8)].to_vec()).ok()
    })
}

fn swap_case(letter: char) -> char {
    if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Copies the content of a file, but not its permissions: the file may be read-only, and the copy must not be.
fn copy_content(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut File::open(from)?, &mut File::create(to)?).map(drop)
}

fn check_output(program: Program, task: &Task, report: &Report, first: &[u8]) -> Result<(), String> {
    let stderr = String::from_utf8_lossy(&report.stderr);
    if report.end != End::Exited(0) {
        return Err(format!("it ended with {:?}: {}", report.end, stderr.trim_end()));
    }
    if report.stdout.is_empty() {
        return Err("it printed nothing".to_owned());
    }
    if report.stdout != first {
        return Err("its output differs from that of the native program".to_owned());
    }
    let last = String::from_utf8_lossy(&report.stdout).lines().next_back().unwrap_or_default().to_owned();
    let count = task.matches.to_string();
    let counted = last.split(|c: char| !c.is_ascii_digit()).any(|number| number == count);
    if program != Program::Hello && !counted {
        return Err(format!("its last line should contain the number {count} of matches, and is {last:?}"));
    }
    Ok(())
}

fn check_bytes(program: Program, task: &Task, copy: &Path, left: &[String], first: &[String]) -> Result<(), String> {
    let content = fs::read(copy).map_err(|error| format!("the file cannot be read: {error}"))?;
    let expected = if program == Program::Replace { task.replaced } else { task.original };
    if content.len() != task.len {
        return Err(format!("the file had {} bytes and has {}", task.len, content.len()));
    }
    if hash(&content) != expected {
        return Err(match (program, hash(&content) == task.original) {
            (Program::Replace, true) => "the file has not changed".to_owned(),
            (Program::Replace, false) => "the file differs from the result of replacing in memory".to_owned(),
            _ => "the file has changed".to_owned(),
        });
    }
    if left != first {
        return Err(format!("it left {left:?}, and the native program {first:?}"));
    }
    if program == Program::Hello && left.len() < 2 {
        return Err("it left no file".to_owned());
    }
    Ok(())
}

impl Results {
    /// How many programs failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.rows.iter().filter(|row| row.output.is_err() || row.bytes.is_err()).count()
    }

    /// A heading, the table, and the failures.
    #[must_use]
    pub fn render(&self) -> String {
        let Task { from, to, matches, len, .. } = &self.task;
        let mut text = format!(
            "{}: {}, {matches} times {from:?}, to be replaced by {to:?}\n",
            self.file.display(),
            size(*len as u64)
        );
        let mut table = new_table(&["Program", "Column", "Output", "Final bytes", "Time", "Read", "Written"]);
        for row in &self.rows {
            let (read, written) = row.moved();
            table.add_row([
                row.program.name().to_owned(),
                row.column.to_owned(),
                verdict(&row.output),
                verdict(&row.bytes),
                format!("{:.1} ms", row.time.as_secs_f64() * 1000.0),
                read,
                written,
            ]);
        }
        align_right(&mut table, 4);
        _ = writeln!(text, "{table}");
        text.push_str(
            "Read and written: bytes moved by system calls. A mapping moves its pages without calls.\n\
             The reads of a native program include those of its own start.\n\
             \"-\" means that the system does not count.\n\
             Each program has run once. A host that is built with --release takes less time: see docs/performance.md.\n",
        );
        if !HAS_HOST_MAPPING {
            _ = writeln!(text, "NOT RUN: wasip1 hosted, because {NO_HOST_MAPPING}");
        }
        for row in &self.rows {
            for why in [&row.output, &row.bytes].into_iter().filter_map(|part| part.as_ref().err()) {
                _ = writeln!(text, "FAILED {}, {}: {why}", row.program.name(), row.column);
            }
        }
        _ = writeln!(text, "{} passed, {} failed", self.rows.len() - self.failed(), self.failed());
        text
    }
}

impl Row {
    /// Its counts of bytes read and written, as text.
    fn moved(&self) -> (String, String) {
        match self.moved {
            None => ("-".to_owned(), "-".to_owned()),
            Some(Counted { read, written }) if self.mapped => (mapped(read), mapped(written)),
            Some(Counted { read, written }) => (size(read), size(written)),
        }
    }
}

/// A count of a program that also read or wrote the pages of a mapping.
fn mapped(bytes: u64) -> String {
    if bytes == 0 { "mapped".to_owned() } else { format!("mapped + {}", size(bytes)) }
}

fn verdict(part: &Result<(), String>) -> String {
    if part.is_ok() { "equal" } else { "WRONG" }.to_owned()
}

fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::{COPY, Plan, Program, Task, check_bytes, check_output};
    use crate::files;
    use crate::outcome::{End, Report};

    fn task(dir: &tempfile::TempDir, content: &[u8], pattern: Option<&str>) -> wasmtime::Result<Task> {
        let file = dir.path().join(COPY);
        fs::write(&file, content).unwrap();
        let none = PathBuf::new();
        Task::new(&Plan {
            file,
            native_dir: none.clone(),
            wasip1_dir: none.clone(),
            wasip2_dir: none,
            pattern: pattern.map(str::to_owned),
        })
    }

    fn printed(end: End, stdout: &str) -> Report {
        Report::native(end, stdout, [], Duration::ZERO)
    }

    #[test]
    fn a_pattern_is_found_in_every_file_with_letters() {
        let dir = tempfile::tempdir().unwrap();
        let found = |content: &[u8], pattern| -> wasmtime::Result<_> {
            let task = task(&dir, content, pattern)?;
            Ok((task.from, task.to, task.matches))
        };
        let is = |from: &str, to: &str, matches| (from.to_owned(), to.to_owned(), matches);
        assert_eq!(found(b"an error, the Error, errorerror", None).unwrap(), is("error", "ERROR", 3));
        assert_eq!(found(b"\0\xff12XYZ34 XYZ", None).unwrap(), is("XYZ", "xyz", 2));
        assert_eq!(found(b"x1x1 X1", Some("x1")).unwrap(), is("x1", "X1", 2));
        for (content, pattern) in
            [(&b""[..], None), (b"123", None), (b"error", Some("b")), (b"1", Some("1")), (b"(a", Some("(a"))]
        {
            assert!(found(content, pattern).is_err(), "{content:?} {pattern:?}");
        }
    }

    #[test]
    fn wrong_output_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let task = task(&dir, b"error error", None).unwrap();
        let check = |program, end, stdout, first: &str| {
            check_output(program, &task, &printed(end, stdout), first.as_bytes()).is_ok()
        };
        let found = "0 error\n2 matches\n";
        assert!(check(Program::Grep, End::Exited(0), found, found));
        assert!(!check(Program::Grep, End::Exited(1), found, found));
        assert!(!check(Program::Grep, End::Exited(0), found, "2 matches\n"));
        for wrong in ["", "2\nmatches\n", "12 matches\n", "22\n"] {
            assert!(!check(Program::Grep, End::Exited(0), wrong, wrong), "{wrong:?}");
        }
        assert!(check(Program::Hello, End::Exited(0), "Hello\n", "Hello\n"));
        assert!(!check(Program::Hello, End::Exited(0), "", ""));
    }

    #[test]
    fn wrong_bytes_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let task = task(&dir, b"an error", None).unwrap();
        let copy = dir.path().join(COPY);
        let check = |program, content: &str| {
            fs::write(&copy, content).unwrap();
            let left = files::describe(dir.path()).unwrap();
            check_bytes(program, &task, &copy, &left, &left)
        };
        assert_eq!(check(Program::Grep, "an error"), Ok(()));
        assert_eq!(check(Program::Replace, "an ERROR"), Ok(()));
        for (program, content, why) in [
            (Program::Grep, "an ERROR", "changed"),
            (Program::Hello, "an erroR", "changed"),
            (Program::Replace, "an error", "not changed"),
            (Program::Replace, "AN ERROR", "differs from the result"),
            (Program::Replace, "an ERROR\0", "9"),
            (Program::Hello, "an error", "no file"),
        ] {
            assert!(check(program, content).unwrap_err().contains(why), "{program:?} {content}");
        }
        let other = vec!["file a".to_owned(), "file b".to_owned()];
        fs::write(&copy, "an error").unwrap();
        assert!(check_bytes(Program::Grep, &task, &copy, &files::describe(dir.path()).unwrap(), &other).is_err());
    }
}
