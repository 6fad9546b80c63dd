//! Jobs: tasks of a program that uses a mapping, compared with the ways to do the same without one. Each job runs in a
//! separate process or instance, and all ways of a job must have the same result.

mod files;
mod host;
mod peer;
mod render;

use std::collections::BTreeSet;
use std::path::Path;

use indicatif::ProgressBar;
use native_tests::jobs::{Job, On, Way, all};
use serde_json::{Value, json};

use super::plan::Plan;
use files::Copy;
use host::{Host, JobResult};

pub use peer::Peer;
pub use render::{details_markdown, markdown, render, short_markdown};

/// The columns, in the order of the table. The last two are the same program in two hosts.
pub const COLUMNS: [&str; 3] = ["native", "wasip1 simd128, emulated", "wasip1 simd128, hosted"];

/// A hosted mapping is compared with the other ways of this column: they are the same programs in both, and need no
/// host that maps files.
const SANDBOX: usize = 1;

/// The number of rounds, in which all ways run once. The first round measures memory and calls; the shortest time of
/// the other rounds counts.
const ROUNDS: usize = 4;
/// A way that takes longer than this, in nanoseconds, has only two rounds.
const SLOW: f64 = 2e9;

/// The result of a way of a job on a column.
#[derive(Clone, Debug, PartialEq)]
pub struct WayResult {
    /// The index of the column.
    pub column: usize,
    /// The job.
    pub job: &'static str,
    /// The way.
    pub way: &'static str,
    /// The cost of the way, or the reason why it cannot run.
    pub cost: Result<Cost, String>,
    /// A note on how the way differs from its name, if it does.
    pub note: Option<String>,
}

/// The cost of a way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// The shortest time, in nanoseconds.
    pub time: f64,
    /// The memory that belongs to the program alone, in bytes, if it is known.
    pub memory: Option<u64>,
    /// The bytes that its calls moved, if they are counted.
    pub bytes: Option<u64>,
}

impl WayResult {
    pub(super) fn to_json(&self) -> Value {
        let cost = self.cost.as_ref().ok();
        json!({
            "column": COLUMNS[self.column], "job": self.job, "way": self.way, "note": self.note,
            "nanoseconds": cost.map(|cost| cost.time), "memory": cost.and_then(|cost| cost.memory),
            "bytes_moved": cost.and_then(|cost| cost.bytes), "absent": self.cost.as_ref().err(),
        })
    }
}

/// Whether the filter selects a job. Each name begins with `job`, so that this word selects all jobs and no workload.
fn is_wanted(plan: &Plan, name: &str) -> bool {
    plan.filter.as_ref().is_none_or(|filter| format!("job {name}").contains(filter))
}

/// Runs all jobs, one after the other, on each column.
pub(super) fn measure(plan: &Plan, data: &Path, progress: &ProgressBar) -> wasmtime::Result<Vec<WayResult>> {
    let jobs: Vec<&Job> = all().iter().filter(|job| is_wanted(plan, job.name)).collect();
    let mut list = Vec::new();
    if jobs.is_empty() {
        return Ok(list);
    }
    let hosts = [Host::native(plan, data), Host::emulated(plan, data)?, Host::hosted(plan, data)?];
    for job in jobs {
        let scratch = files::scratch(plan)?;
        let mut copy = match job.on {
            On::Copy(name) => Some(Copy::make(data, scratch.path(), name)?),
            On::Data | On::Instances(_) => None,
        };
        let mut answers = Vec::new();
        for (column, host) in hosts.iter().enumerate() {
            progress.set_message(format!("{}: {}", COLUMNS[column], job.name));
            // The other ways are measured only in the column without mappings of the host.
            let ways = if column > SANDBOX { &job.ways[..1] } else { job.ways };
            let mut tallies: Vec<Tally> = ways.iter().map(Tally::new).collect();
            if let Some(why) = host.obstacle() {
                for tally in &mut tallies {
                    tally.absent = Some(why.to_owned());
                }
            }
            for round in 0..ROUNDS {
                for tally in tallies.iter_mut().filter(|tally| tally.continues(round)) {
                    let turn = copy.as_ref().map_or(0, |copy| copy.turn);
                    match host.run_job(job, tally.way, scratch.path(), turn, round == 0)? {
                        Ok(once) => {
                            answers.push((tally.way.name, COLUMNS[column], once.answer));
                            tally.add(once, round);
                            copy.as_mut().map_or(Ok(()), |copy| copy.check(tally.way.name, COLUMNS[column]))?;
                        }
                        Err(why) => tally.absent = Some(why),
                    }
                }
            }
            list.extend(tallies.into_iter().map(|tally| tally.result(column, job.name)));
        }
        agree(job.name, &answers)?;
    }
    Ok(list)
}

/// Compares wasi-libc's mappings, in C, with ours.
pub(super) fn compare_peer(plan: &Plan, data: &Path, progress: &ProgressBar) -> wasmtime::Result<Option<Peer>> {
    if !is_wanted(plan, peer::NAME) {
        return Ok(None);
    }
    progress.set_message(peer::NAME);
    peer::measure(plan, data).map(Some)
}

/// Fails if two ways have different results, because the time of a wrong result means nothing.
fn agree(job: &str, answers: &[(&str, &str, u64)]) -> wasmtime::Result<()> {
    let different: BTreeSet<u64> = answers.iter().map(|(_, _, answer)| *answer).collect();
    if different.len() > 1 {
        wasmtime::bail!("{job}: the ways do not agree: {answers:?}");
    }
    Ok(())
}

/// The measurements of a way so far.
struct Tally {
    way: &'static Way,
    first: f64,
    cost: Cost,
    note: Option<String>,
    absent: Option<String>,
}

impl Tally {
    fn new(way: &'static Way) -> Self {
        let cost = Cost { time: f64::INFINITY, ..Cost::default() };
        Self { way, first: 0.0, cost, note: None, absent: None }
    }

    fn continues(&self, round: usize) -> bool {
        self.absent.is_none() && (round < 2 || self.first <= SLOW)
    }

    fn add(&mut self, once: JobResult, round: usize) {
        if round == 0 {
            self.first = once.time;
            self.cost.memory = once.memory;
            self.cost.bytes = once.bytes;
        } else {
            self.cost.time = self.cost.time.min(once.time);
        }
        self.note = once.note;
    }

    fn result(self, column: usize, job: &'static str) -> WayResult {
        let cost = self.absent.map_or(Ok(self.cost), Err);
        WayResult { column, job, way: self.way.name, cost, note: self.note }
    }
}

#[cfg(test)]
mod tests {
    use native_tests::jobs::all;

    use super::host::JobResult;
    use super::{SLOW, Tally, agree};

    #[test]
    fn ways_that_do_not_agree_are_an_error() {
        assert!(agree("job", &[("a", "native", 1), ("b", "native", 1)]).is_ok());
        let error = agree("job", &[("a", "native", 1), ("b", "native", 2)]).unwrap_err();
        assert!(format!("{error}").contains("do not agree"), "{error}");
    }

    #[test]
    fn the_first_round_measures_memory_and_the_shortest_other_time_counts() {
        let once = |time, memory| JobResult { time, memory, ..JobResult::default() };
        let mut tally = Tally::new(&all()[0].ways[0]);
        for (round, time) in [1.0, 9.0, 7.0, 8.0].into_iter().enumerate() {
            assert!(tally.continues(round));
            tally.add(once(time, Some(5).filter(|_| round == 0)), round);
        }
        let cost = tally.result(0, "job").cost.unwrap();
        assert_eq!((cost.time, cost.memory), (7.0, Some(5)));
    }

    #[test]
    fn a_slow_way_has_two_rounds() {
        let mut tally = Tally::new(&all()[0].ways[0]);
        tally.add(JobResult { time: SLOW * 2.0, ..JobResult::default() }, 0);
        assert!(tally.continues(1) && !tally.continues(2));
    }
}
