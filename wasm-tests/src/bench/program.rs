//! Runs the program `bench` on one column, as a child process or a guest.

use std::ffi::OsStr;
use std::path::Path;

use native_tests::workloads::OURS;
use wasmtime::error::Context as _;

use super::measured::Measured;
use super::plan::{COLUMNS, NATIVE, Plan};
use crate::child;
use crate::outcome::{End, Report};
use crate::sandbox::{Run, Sandbox};

/// The directory of a guest's data, and the directory that it may write.
pub(super) const GUEST: (&str, &str) = ("/data", "/scratch");

/// The limit on a guest's memory: enough for a file of 1 GiB, and other data.
pub(super) const MEMORY: u64 = 4 << 30;

/// The prefix of the names of workloads that measure many lengths. Their peak memory would be that of the longest.
const GROWTH: &str = "from 1 MiB";

pub(super) struct Program<'p> {
    column: &'static str,
    path: &'p Path,
    data: &'p Path,
    sandbox: Option<Sandbox>,
}

impl<'p> Program<'p> {
    pub(super) fn load(column: &'static str, path: &'p Path, data: &'p Path) -> wasmtime::Result<Self> {
        debug_assert!(COLUMNS.contains(&column));
        let sandbox = if column == NATIVE { None } else { Some(Sandbox::load_to_measure(path)?) };
        Ok(Self { column, path, data, sandbox })
    }

    /// The names of its workloads.
    pub(super) fn list(&self) -> wasmtime::Result<Vec<String>> {
        let report = self.run(&["list"], None)?;
        Ok(String::from_utf8_lossy(&report.stdout).lines().map(str::to_owned).collect())
    }

    /// Measures a workload in each of its ways, and then the peak memory of each way alone in a separate process.
    pub(super) fn measure(&self, workload: &str, plan: &Plan) -> wasmtime::Result<Vec<Measured>> {
        let scratch = tempfile::tempdir_in(&plan.dir).context("there is no directory to write to")?;
        let (rounds, time) = (plan.effort.rounds.to_string(), plan.effort.time.as_millis().to_string());
        let options = ["--rounds", &rounds, "--milliseconds", &time, "--python", &plan.python];
        let report = self.work("time", workload, scratch.path(), &options)?;
        let mut all = Vec::new();
        for line in String::from_utf8_lossy(&report.stdout).lines().filter(|line| !line.starts_with("count")) {
            let (way, time) =
                parse(line).with_context(|| format!("bench on {}, {workload}: it printed {line:?}", self.column))?;
            let stretches = report.calls.iter().flat_map(|calls| &calls.stretches);
            let calls = stretches.filter(|stretch| stretch.what == way).map(|stretch| stretch.calls.clone()).next();
            let (column, workload) = (self.column, workload.to_owned());
            all.push(Measured { column, workload, way, time, calls, peak: None });
        }
        for m in &mut all {
            // CPython has another process, whose memory is not measured.
            if m.time.is_ok() && m.way != "CPython" && !workload.starts_with(GROWTH) {
                m.peak = self.peak(workload, &m.way, &plan.dir)?;
            }
        }
        if !all.iter().any(|m| m.way == OURS) && !workload.starts_with(GROWTH) {
            wasmtime::bail!("bench on {}, {workload}: our own way is missing", self.column);
        }
        Ok(all)
    }

    fn peak(&self, workload: &str, way: &str, dir: &Path) -> wasmtime::Result<Option<u64>> {
        let scratch = tempfile::tempdir_in(dir).context("there is no directory to write to")?;
        let report = self.work("once", workload, scratch.path(), &["--way", way])?;
        if self.sandbox.is_some() {
            return Ok(Some(report.memory));
        }
        let text = String::from_utf8_lossy(&report.stdout);
        Ok(text.lines().find_map(|line| line.strip_prefix("peak\t")?.rsplit('\t').next()?.parse().ok()))
    }

    fn work(&self, command: &str, workload: &str, scratch: &Path, options: &[&str]) -> wasmtime::Result<Report> {
        let native = (self.data.to_string_lossy(), scratch.to_string_lossy());
        let (data, place) = if self.sandbox.is_some() { GUEST } else { (&*native.0, &*native.1) };
        let args: Vec<&str> = [command, workload, data, place].into_iter().chain(options.iter().copied()).collect();
        self.run(&args, Some(scratch))
    }

    fn run(&self, args: &[&str], scratch: Option<&Path>) -> wasmtime::Result<Report> {
        let report = match &self.sandbox {
            None => start(self.path, args)?,
            Some(sandbox) => {
                let mut run = Run::new("bench").args(args.iter().copied()).memory(MEMORY);
                run = run.read_only_dir(self.data, GUEST.0);
                if let Some(scratch) = scratch {
                    run = run.dir(scratch, GUEST.1);
                }
                sandbox.run(&run)?
            }
        };
        check(report, self.column, args)
    }
}

fn start(program: &Path, args: &[&str]) -> wasmtime::Result<Report> {
    let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    Ok(child::run(program.as_os_str(), &args, None)?.0)
}

pub(super) fn check(report: Report, column: &str, args: &[&str]) -> wasmtime::Result<Report> {
    if report.end != End::Exited(0) {
        let stderr = String::from_utf8_lossy(&report.stderr);
        wasmtime::bail!("bench {} on {column}: {:?}: {stderr}", args.join(" "), report.end);
    }
    Ok(report)
}

/// Makes the data, unless it exists.
pub(super) fn make_data(native: &Path, data: &Path, sources: &Path) -> wasmtime::Result<()> {
    let args = ["make", &data.to_string_lossy(), &sources.to_string_lossy()];
    check(start(native, &args)?, NATIVE, &args).map(|_| ())
}

/// Runs one way under a tool, and returns the standard error of the tool.
pub(super) fn run_under(
    tool: &[&str],
    native: &Path,
    data: &Path,
    words: [&str; 2],
    options: &[&str],
) -> wasmtime::Result<String> {
    let scratch = tempfile::tempdir().context("there is no directory to write to")?;
    let [workload, way] = words;
    let (data, place) = (data.to_string_lossy(), scratch.path().to_string_lossy().into_owned());
    let program = native.to_string_lossy();
    let mut args = tool[1..].to_vec();
    args.extend([&*program, "once", workload, &*data, &*place, "--way", way]);
    args.extend(options);
    let report = check(start(Path::new(tool[0]), &args)?, tool[0], &args)?;
    Ok(String::from_utf8_lossy(&report.stderr).into_owned())
}

/// Parses a line as a way, and its time in nanoseconds or the reason why there is none.
fn parse(line: &str) -> Option<(String, Result<f64, String>)> {
    let mut fields = line.split('\t');
    let (kind, way, value) = (fields.next()?, fields.next()?.to_owned(), fields.next()?);
    if fields.next().is_some() {
        return None;
    }
    match kind {
        "time" => Some((way, Ok(value.parse().ok()?))),
        "absent" => Some((way, Err(value.to_owned()))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_line_has_three_fields() {
        assert_eq!(parse("time\tours\t2200"), Some(("ours".into(), Ok(2200.0))));
        assert_eq!(parse("absent\tCPython\tno python3 here"), Some(("CPython".into(), Err("no python3 here".into()))));
        for line in ["", "time\tours", "time\tours\tx", "time\tours\t1\t1", "tame\tours\t1"] {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }
}
