//! The workloads of `make bench`. Each is measured in several ways, with this crate and without, in turns and in one
//! run, because only the ratio of two times on the same machine is meaningful.

mod bytes;
mod copies;
pub mod data;
mod growth;
mod lines;
mod loading;
mod making;
mod pages;
mod peak;
mod python;
mod search;
mod table;

use std::time::{Duration, Instant};

pub use data::Place;
pub use growth::SIZES;
pub(crate) use peak::own_status;
pub use peak::peak_memory;
pub use python::version as python_version;
pub use table::{all, most};

/// The way that is judged.
pub const OURS: &str = "ours";

/// A workload.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name.
    pub name: &'static str,
    /// Its group, which is one line of the short table.
    pub group: &'static str,
    /// Where it runs.
    pub on: On,
    /// Its goals.
    pub goals: &'static [Goal],
    /// Prepares its ways.
    pub ready: fn(&Place, &mut Ways),
    /// Whether a simulator counts its instructions. This is for work of the library itself, not of the system or of
    /// `memchr`.
    pub hot: bool,
}

/// Where a workload runs, or a goal applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Everywhere.
    All,
    /// Only natively.
    Native,
    /// Only in the sandbox, in all its columns.
    Sandbox,
    /// In the sandbox with SIMD enabled.
    Simd,
}

/// A goal of a workload.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// The way that is judged.
    pub ours: &'static str,
    /// The way or ways to compare with.
    pub against: Against,
    /// The limit of the comparison.
    pub limit: Limit,
    /// Where the goal applies.
    pub on: On,
    /// The reason why the goal is missed, or an empty text if none is known.
    pub why: &'static str,
}

impl Goal {
    /// A goal of our way against another way.
    #[must_use]
    pub const fn new(way: &'static str, limit: Limit, on: On) -> Self {
        Self { ours: OURS, against: Against::Way(way), limit, on, why: "" }
    }

    /// The same goal, with the reason why it is missed.
    #[must_use]
    pub const fn missed_because(self, why: &'static str) -> Self {
        Self { why, ..self }
    }
}

/// The other side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// Another way, on the same column.
    Way(&'static str),
    /// The fastest of the ways whose names start with this, on the same column.
    Fastest(&'static str),
    /// The same way, natively.
    Native,
}

/// The limit of a comparison of two ways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// The time is at most this factor times that of the other way.
    Times(f64),
    /// The time of the other way is at least this factor times as long.
    Faster(f64),
    /// The calls of the other way move at least this factor times as many bytes. Only a sandbox counts them.
    FewerBytes(f64),
}

/// The ways of a workload.
#[derive(Default)]
pub struct Ways {
    list: Vec<Way>,
    /// The ways that cannot run here, with the reasons.
    absent: Vec<(&'static str, String)>,
    /// The only way to prepare, or `None` for all ways.
    only: Option<String>,
}

struct Way {
    name: &'static str,
    /// Runs the way, and returns the time.
    act: Box<dyn FnMut() -> Duration>,
}

impl std::fmt::Debug for Ways {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// How long the measurement of a workload lasts.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The minimum number of rounds of all ways in turns.
    pub rounds: usize,
    /// The minimum time: a quick workload runs more rounds.
    pub time: Duration,
}

/// The maximum number of rounds, however quick they are.
const MOST_ROUNDS: usize = 100;

impl Ways {
    /// Prepares only one way.
    #[must_use]
    pub fn only(way: &str) -> Self {
        Self { only: Some(way.to_owned()), ..Self::default() }
    }

    /// Adds a way: `ready` prepares it, and returns the function that does the work.
    pub fn add<A: FnMut() + 'static>(&mut self, name: &'static str, ready: impl FnOnce() -> A) {
        self.add_timed(name, || {
            let mut act = ready();
            move || {
                let start = Instant::now();
                act();
                start.elapsed()
            }
        });
    }

    /// Adds a way that measures its own time, because only a part of its work counts.
    pub fn add_timed<A: FnMut() -> Duration + 'static>(&mut self, name: &'static str, ready: impl FnOnce() -> A) {
        if self.only.as_deref().is_none_or(|only| only == name) {
            self.list.push(Way { name, act: Box::new(ready()) });
        }
    }

    /// Records a way that cannot run here.
    pub fn add_absent(&mut self, name: &'static str, why: String) {
        self.absent.push((name, why));
    }

    /// The names of the ways, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.list.iter().map(|way| way.name)
    }

    /// The ways that cannot run here, with the reasons.
    pub fn absent(&self) -> impl Iterator<Item = (&'static str, &str)> + '_ {
        self.absent.iter().map(|(name, why)| (*name, why.as_str()))
    }

    /// Runs each way once, and calls `see` before and after it.
    pub fn warm_up(&mut self, mut see: impl FnMut(&'static str, bool)) {
        for way in &mut self.list {
            see(way.name, true);
            (way.act)();
            see(way.name, false);
        }
    }

    /// Runs one way once, and returns its time.
    pub fn act(&mut self, index: usize) -> Duration {
        (self.list[index].act)()
    }

    /// Returns the shortest time of each way, measured in rounds of all ways in turns.
    pub fn measure(&mut self, effort: Effort) -> Vec<(&'static str, Duration)> {
        let mut shortest: Vec<_> = self.names().map(|name| (name, Duration::MAX)).collect();
        let start = Instant::now();
        let mut round = 0;
        while round < effort.rounds || (round < MOST_ROUNDS && start.elapsed() < effort.time) {
            for turn in 0..self.list.len() {
                // Forwards and backwards in alternation, so that a way does not always follow the same other way.
                let index = if round % 2 == 0 { turn } else { self.list.len() - 1 - turn };
                let time = self.act(index);
                shortest[index].1 = shortest[index].1.min(time);
            }
            round += 1;
        }
        shortest
    }
}

impl On {
    /// Whether this program runs there. A workload with a goal only for SIMD runs in the whole sandbox.
    #[must_use]
    pub fn is_here(self) -> bool {
        match self {
            Self::All => true,
            Self::Native => !cfg!(target_os = "wasi"),
            Self::Sandbox | Self::Simd => cfg!(target_os = "wasi"),
        }
    }
}
