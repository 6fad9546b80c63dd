//! The other implementation of mappings in a sandbox: the emulation of wasi-libc, for programs in C. It is measured if
//! there is a compiler.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use comfy_table::Cell;
use native_tests::workloads::data;
use serde_json::{Value, json};
use wasmtime::error::Context as _;

use super::files;
use crate::bench::plan::{Plan, SIMD};
use crate::bench::program::{self, GUEST, MEMORY};
use crate::sandbox::{Run, Sandbox};
use crate::terminal::{align_right, new_table};

/// The name of the comparison.
pub(super) const NAME: &str = "wasi-libc's mmap";

const SOURCE: &str = include_str!("../../../peers/mman.c");

/// Rounds of each program; the shortest time counts.
const ROUNDS: usize = 3;

/// How the emulation of wasi-libc compares with ours, or the reason why it was not measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer(Result<Compared, String>);

#[derive(Clone, Debug, PartialEq)]
struct Compared {
    /// The version of the compiler.
    compiler: String,
    c: Measurements,
    ours: Measurements,
}

/// The time in nanoseconds and the result of each operation, or an error.
type Measurements = Vec<(String, Result<(f64, u64), String>)>;

pub(super) fn measure(plan: &Plan, data: &Path) -> wasmtime::Result<Peer> {
    let program = plan.dir.join("mman.wasm");
    let compiler = match compile(&plan.wasi_cc, &program) {
        Ok(compiler) => compiler,
        Err(why) => return Ok(Peer(Err(why))),
    };
    let (c, ours) = (Sandbox::load(&program)?, Sandbox::load(&plan.programs[2])?);
    let scratch = files::scratch(plan)?;
    let edited = scratch.path().join("edited");
    fs::write(&edited, vec![b'.'; 64 * data::MIB]).with_context(|| format!("cannot write {}", edited.display()))?;
    let (mut of_c, mut of_ours) = (Measurements::new(), Measurements::new());
    for _ in 0..ROUNDS {
        for (measurements, sandbox, command) in [(&mut of_c, &c, None), (&mut of_ours, &ours, Some("peer"))] {
            let args: Vec<&str> = command.into_iter().chain([GUEST.0, GUEST.1]).collect();
            let run = Run::new("bench").args(args.iter().copied()).memory(MEMORY);
            let report = sandbox.run(&run.read_only_dir(data, GUEST.0).dir(scratch.path(), GUEST.1))?;
            let report = program::check(report, SIMD, &args)?;
            let text = String::from_utf8_lossy(&report.stdout);
            keep_shortest(
                measurements,
                parse(&text).with_context(|| format!("{NAME}: a program printed this:\n{text}"))?,
            );
        }
    }
    agree(&of_c, &of_ours)?;
    Ok(Peer(Ok(Compared { compiler, c: of_c, ours: of_ours })))
}

/// Returns the compiler's version, or the reason why it cannot compile the program.
fn compile(compiler: &str, program: &Path) -> Result<String, String> {
    let source = program.with_extension("c");
    fs::write(&source, SOURCE).map_err(|error| format!("{}: {error}", source.display()))?;
    let run = |command: &mut Command| {
        let output = command.output().map_err(|error| format!("{compiler}: {error}"))?;
        let first = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned();
        if output.status.success() { Ok(first(&output.stdout)) } else { Err(first(&output.stderr)) }
    };
    let version = run(Command::new(compiler).arg("--version"))?;
    let flags = ["--target=wasm32-wasi", "-O2", "-msimd128", "-D_WASI_EMULATED_MMAN", "-lwasi-emulated-mman", "-o"];
    run(Command::new(compiler).arg(&source).args(flags).arg(program))?;
    Ok(version)
}

/// Parses the output of either program.
fn parse(text: &str) -> Option<Measurements> {
    let measurement = |line: &str| {
        let mut fields = line.split('\t');
        let (what, first) = (fields.next()?.to_owned(), fields.next()?);
        Some((
            what,
            match fields.next() {
                Some(result) => Ok((first.parse().ok()?, result.parse().ok()?)),
                None => Err(first.to_owned()),
            },
        ))
    };
    text.lines().map(measurement).collect()
}

fn keep_shortest(measurements: &mut Measurements, others: Measurements) {
    if measurements.is_empty() {
        *measurements = others;
        return;
    }
    for ((_, measurement), (_, other)) in measurements.iter_mut().zip(others) {
        if let (Ok((time, _)), Ok((other, _))) = (measurement, other) {
            *time = time.min(other);
        }
    }
}

/// Fails if the two count different lines. The number of edits that are in the file is a result, and may differ.
fn agree(c: &Measurements, ours: &Measurements) -> wasmtime::Result<()> {
    for ((what, c), (_, ours)) in c.iter().zip(ours).filter(|((what, _), _)| what.starts_with("count")) {
        if let (Ok((_, c)), Ok((_, ours))) = (c, ours)
            && c != ours
        {
            wasmtime::bail!("{NAME}, {what}: {c} from C and {ours} with this crate");
        }
    }
    Ok(())
}

impl Peer {
    /// A table, or the reason why there is none.
    #[must_use]
    pub fn render(&self) -> String {
        let Compared { compiler, c, ours } = match &self.0 {
            Ok(compared) => compared,
            Err(why) => return format!("NOT MEASURED: {NAME}, from C: {why}\n"),
        };
        let mut table = new_table(&["In the sandbox, simd128", "wasi-libc's mmap", "this crate"]);
        for ((what, c), (_, ours)) in c.iter().zip(ours) {
            table.add_row([what, &cell(what, c), &cell(what, ours)].map(Cell::new));
        }
        align_right(&mut table, 1);
        let mut text = format!("{table}\n");
        _ = writeln!(text, "The C compiler is {compiler}.");
        text
    }

    pub(in crate::bench) fn to_json(&self) -> Value {
        let measurements = |measurements: &Measurements| {
            let measurement = |(what, measurement): &(String, Result<(f64, u64), String>)| {
                let (time, result) =
                    measurement.as_ref().map_or((None, None), |(time, result)| (Some(time), Some(result)));
                json!({ "act": what, "nanoseconds": time, "result": result, "error": measurement.as_ref().err() })
            };
            measurements.iter().map(measurement).collect::<Value>()
        };
        match &self.0 {
            Ok(Compared { compiler, c, ours }) => {
                json!({ "compiler": compiler, "c": measurements(c), "ours": measurements(ours) })
            }
            Err(why) => json!({ "not_measured": why }),
        }
    }
}

fn cell(what: &str, measurement: &Result<(f64, u64), String>) -> String {
    match measurement {
        Ok((time, arrived)) if what.starts_with("edit") => {
            format!("{:.2} ms; {arrived} are in the file", time / 1e6)
        }
        Ok((time, _)) => format!("{:.1} ms", time / 1e6),
        Err(error) => error.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Compared, Measurements, Peer, agree, keep_shortest, parse};

    fn measurements(text: &str) -> Measurements {
        parse(text).unwrap()
    }

    #[test]
    fn errors_and_times_stand_beside_each_other() {
        let c = measurements("count 256\tOut of memory\ncount 64\t3000000\t7\nedit 9\t1000000\t0\n");
        let ours = measurements("count 256\t8000000\t9\ncount 64\t2000000\t7\nedit 9\t500000\t9\n");
        assert!(agree(&c, &ours).is_ok());
        let text = Peer(Ok(Compared { compiler: "clang 14".into(), c, ours })).render();
        for cell in ["Out of memory", "8.0 ms", "1.00 ms; 0 are in the file", "0.50 ms; 9 are in the file", "clang 14."]
        {
            assert!(text.contains(cell), "{cell} is not in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn lines_that_are_counted_differently_are_an_error() {
        assert!(agree(&measurements("count 64\t1\t7\n"), &measurements("count 64\t1\t8\n")).is_err());
        assert!(agree(&measurements("edit 64\t1\t0\n"), &measurements("edit 64\t1\t8\n")).is_ok());
    }

    #[test]
    fn the_shortest_time_is_kept() {
        let mut shortest = measurements("count 64\t5\t7\n");
        keep_shortest(&mut shortest, measurements("count 64\t3\t7\n"));
        keep_shortest(&mut shortest, measurements("count 64\t4\t7\n"));
        assert_eq!(shortest, measurements("count 64\t3\t7\n"));
        assert_eq!(parse("count 64\tx\t7\n"), None);
    }

    #[test]
    fn a_missing_compiler_is_reported() {
        let text = Peer(Err("clang: not found".into())).render();
        assert_eq!(text, "NOT MEASURED: wasi-libc's mmap, from C: clang: not found\n");
    }
}
