//! The hosts of jobs: a process, or an instance in a host that maps files or does not.

use std::path::Path;
use std::time::Instant;

use native_tests::counts::{Kind, Tally};
use native_tests::jobs::{Job, OURS, On, Way};
use wasmtime::error::Context as _;

use super::COLUMNS;
use crate::bench::plan::Plan;
use crate::bench::program::{self, GUEST, MEMORY};
use crate::child;
use crate::sandbox::{HAS_HOST_MAPPING, NO_HOST_MAPPING, Run, Sandbox};

/// A host of one column.
pub(super) struct Host<'p> {
    column: &'static str,
    /// The expected backend of a mapping.
    backend: &'static str,
    data: &'p Path,
    runner: Runner<'p>,
}

enum Runner<'p> {
    Process(&'p Path),
    Sandbox(Sandbox),
    Nothing(&'static str),
}

/// The result of running a job once.
#[derive(Debug, Default, PartialEq)]
pub(super) struct JobResult {
    pub(super) time: f64,
    pub(super) answer: u64,
    pub(super) memory: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) backend: Option<String>,
    pub(super) note: Option<String>,
}

impl<'p> Host<'p> {
    pub(super) fn native(plan: &'p Plan, data: &'p Path) -> Self {
        Self { column: COLUMNS[0], backend: "mapped", data, runner: Runner::Process(&plan.programs[0]) }
    }

    pub(super) fn emulated(plan: &'p Plan, data: &'p Path) -> wasmtime::Result<Self> {
        let runner = Runner::Sandbox(Sandbox::load(&plan.programs[2])?);
        Ok(Self { column: COLUMNS[1], backend: "buffered", data, runner })
    }

    pub(super) fn hosted(plan: &'p Plan, data: &'p Path) -> wasmtime::Result<Self> {
        let runner = if HAS_HOST_MAPPING {
            Runner::Sandbox(Sandbox::load_with_host_mapping(&plan.programs[2])?)
        } else {
            Runner::Nothing(NO_HOST_MAPPING)
        };
        Ok(Self { column: COLUMNS[2], backend: "hosted", data, runner })
    }

    /// The reason why nothing can run here, if there is one.
    pub(super) fn obstacle(&self) -> Option<&'static str> {
        if let Runner::Nothing(why) = self.runner { Some(why) } else { None }
    }

    /// Runs a job once, or returns the reason why it cannot run.
    pub(super) fn run_job(
        &self,
        job: &Job,
        way: &Way,
        scratch: &Path,
        turn: usize,
        measures_memory: bool,
    ) -> wasmtime::Result<Result<JobResult, String>> {
        let instances = if let On::Instances(count) = job.on { count / way.stands_for } else { 1 };
        let once = match &self.runner {
            Runner::Process(_) => self.run(job, way, scratch, [turn, instances], measures_memory)?,
            Runner::Sandbox(_) if instances > 1 => self.run_instances(job, way, scratch, instances, measures_memory)?,
            Runner::Sandbox(_) => self.run(job, way, scratch, [turn, 1], measures_memory)?,
            Runner::Nothing(why) => Err((*why).to_owned()),
        };
        if let Ok(JobResult { backend, .. }) = &once
            && way.name == OURS
            && backend.as_deref() != Some(self.backend)
        {
            wasmtime::bail!("{} on {}: the mapping is {backend:?} and not {}", job.name, self.column, self.backend);
        }
        Ok(once.map(|once| once.times(way.stands_for)))
    }

    /// Runs a lookup in each of several instances. The time includes making the instances.
    fn run_instances(
        &self,
        job: &Job,
        way: &Way,
        scratch: &Path,
        instances: usize,
        measures_memory: bool,
    ) -> wasmtime::Result<Result<JobResult, String>> {
        let mut all = JobResult::default();
        for turn in 0..instances {
            let start = Instant::now();
            let once = self.run(job, way, scratch, [turn, 1], measures_memory)?;
            let time = start.elapsed().as_secs_f64() * 1e9;
            let Ok(once) = once else { return Ok(once) };
            all = JobResult {
                time: all.time + time,
                answer: all.answer + once.answer,
                memory: all.memory.max(once.memory),
                bytes: once.bytes.map(|bytes| all.bytes.unwrap_or(0) + bytes),
                ..once
            };
        }
        Ok(Ok(all))
    }

    fn run(
        &self,
        job: &Job,
        way: &Way,
        scratch: &Path,
        [turn, times]: [usize; 2],
        measures_memory: bool,
    ) -> wasmtime::Result<Result<JobResult, String>> {
        let (turn, times) = (turn.to_string(), times.to_string());
        let options = ["--turn", &turn, "--times", &times].into_iter().chain(measures_memory.then_some("--look"));
        let all = |data, scratch| ["job", job.name, way.name, data, scratch].into_iter().chain(options).collect();
        match &self.runner {
            Runner::Nothing(why) => Ok(Err((*why).to_owned())),
            Runner::Process(path) => {
                let (data, place) = (self.data.to_string_lossy(), scratch.to_string_lossy());
                let args: Vec<&str> = all(&data, &place);
                let (report, counted) = child::run(path.as_os_str(), &args, None)?;
                let report = program::check(report, self.column, &args)?;
                let once = self.parse(&report.stdout)?;
                Ok(once.map(|once| JobResult { bytes: counted.map(|counted| counted.read + counted.written), ..once }))
            }
            Runner::Sandbox(sandbox) => {
                let args: Vec<&str> = all(GUEST.0, GUEST.1);
                let run = Run::new("bench").args(args.iter().copied()).memory(MEMORY);
                let report = sandbox.run(&run.read_only_dir(self.data, GUEST.0).dir(scratch, GUEST.1))?;
                let report = program::check(report, self.column, &args)?;
                let once = self.parse(&report.stdout)?;
                let stretch = report.calls.as_ref().and_then(|calls| calls.stretches.first());
                let (memory, bytes) =
                    (stretch.and_then(|stretch| stretch.resident), stretch.and_then(|s| moved(&s.calls)));
                Ok(once.map(|once| JobResult { memory, bytes, ..once }))
            }
        }
    }

    fn parse(&self, stdout: &[u8]) -> wasmtime::Result<Result<JobResult, String>> {
        let text = String::from_utf8_lossy(stdout);
        parse(&text).with_context(|| format!("bench on {} printed this:\n{text}", self.column))
    }
}

impl JobResult {
    /// The cost of `count` such runs; memory is that of one.
    fn times(self, count: usize) -> Self {
        let Self { time, answer, bytes, .. } = self;
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let time = time * count as f64;
        let count = count as u64;
        Self { time, answer: answer * count, bytes: bytes.map(|bytes| bytes * count), ..self }
    }
}

fn moved(calls: &Tally) -> Option<u64> {
    Some(calls.count(Kind::BytesRead)? + calls.count(Kind::BytesWritten)?)
}

/// Parses the output of `bench job`.
fn parse(text: &str) -> Option<Result<JobResult, String>> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
    if let Some(why) = field("absent") {
        return Some(Err(why.to_owned()));
    }
    Some(Ok(JobResult {
        time: field("time")?.parse().ok()?,
        answer: field("answer")?.parse().ok()?,
        memory: field("memory").and_then(|memory| memory.parse().ok()),
        bytes: None,
        backend: field("backend").map(str::to_owned),
        note: field("note").map(str::to_owned),
    }))
}

#[cfg(test)]
mod tests {
    use super::{JobResult, parse};

    #[test]
    fn the_output_of_a_job_is_parsed_by_name() {
        let text = "counting a mapping\ncounted a mapping: \ntime\t12\nanswer\t7\nmemory\t4096\nbackend\tmapped\n";
        let once = JobResult {
            time: 12.0,
            answer: 7,
            memory: Some(4096),
            backend: Some("mapped".into()),
            ..JobResult::default()
        };
        assert_eq!(parse(text), Some(Ok(once)));
        assert_eq!(parse("time\t1\nanswer\t2\nnote\tin steps\n").unwrap().unwrap().note.as_deref(), Some("in steps"));
        assert_eq!(parse("absent\tdoes not fit\n"), Some(Err("does not fit".into())));
        assert_eq!(parse("time\t12\n"), None);
    }

    #[test]
    fn one_run_is_multiplied() {
        let one = JobResult { time: 2.0, answer: 3, memory: Some(4), bytes: Some(5), ..JobResult::default() };
        let many = JobResult { time: 20.0, answer: 30, memory: Some(4), bytes: Some(50), ..JobResult::default() };
        assert_eq!(one.times(10), many);
    }
}
