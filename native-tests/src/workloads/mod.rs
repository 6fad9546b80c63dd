//! What `make bench` measures: each workload in several ways, ours and those to compare with, in turns and in one run,
//! since only a ratio of two times on one machine means anything.

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
    /// What it belongs to: what is one line of a short table.
    pub group: &'static str,
    /// Where it is done.
    pub on: On,
    /// What is to be reached.
    pub goals: &'static [Goal],
    /// Readies its ways.
    pub ready: fn(&Place, &mut Ways),
    /// Whether a simulator counts its instructions: work of the library itself, and not of the system or of `memchr`.
    pub hot: bool,
}

/// Where something is done or judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Everywhere.
    All,
    /// Natively alone.
    Native,
    /// In the sandbox alone, with all of its columns.
    Sandbox,
    /// In the sandbox where vectors are enabled.
    Simd,
}

/// What a workload is to reach.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// The way that is judged.
    pub ours: &'static str,
    /// What it is compared with.
    pub against: Against,
    /// How the two have to compare.
    pub limit: Limit,
    /// Where.
    pub on: On,
    /// Why it is missed, where it is known to be.
    pub why: &'static str,
}

impl Goal {
    /// Ours against another way.
    #[must_use]
    pub const fn new(way: &'static str, limit: Limit, on: On) -> Self {
        Self { ours: OURS, against: Against::Way(way), limit, on, why: "" }
    }

    /// The same, with what is known of its being missed.
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
    /// The fastest of the ways whose names begin so, on the same column.
    Fastest(&'static str),
    /// The same way, natively.
    Native,
}

/// How two ways have to compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// The time is at most so many times the other's.
    Times(f64),
    /// The time is at most one of so many parts of the other's.
    Faster(f64),
    /// The bytes moved by calls are at most one of so many parts of the other's. Only a sandbox counts them.
    FewerBytes(f64),
}

/// The ways of doing a workload.
#[derive(Default)]
pub struct Ways {
    list: Vec<Way>,
    /// What cannot be done here, and why.
    absent: Vec<(&'static str, String)>,
    /// The only one that is made ready, if not all are.
    only: Option<String>,
}

struct Way {
    name: &'static str,
    /// Does it, and tells how long it took.
    act: Box<dyn FnMut() -> Duration>,
}

impl std::fmt::Debug for Ways {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// When the measuring of a workload ends.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds of all ways in turns, at least.
    pub rounds: usize,
    /// Time, at least: what is quick is done more often.
    pub time: Duration,
}

/// No more rounds than this, however quick they are.
const MOST_ROUNDS: usize = 100;

impl Ways {
    /// Of one way alone.
    #[must_use]
    pub fn only(way: &str) -> Self {
        Self { only: Some(way.to_owned()), ..Self::default() }
    }

    /// Adds a way: `ready` readies it, and what that gives does the work.
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

    /// Adds a way that takes its time itself: not all that it does counts.
    pub fn add_timed<A: FnMut() -> Duration + 'static>(&mut self, name: &'static str, ready: impl FnOnce() -> A) {
        if self.only.as_deref().is_none_or(|only| only == name) {
            self.list.push(Way { name, act: Box::new(ready()) });
        }
    }

    /// Notes a way that cannot be done here.
    pub fn lack(&mut self, name: &'static str, why: String) {
        self.absent.push((name, why));
    }

    /// The names of the ways, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.list.iter().map(|way| way.name)
    }

    /// What cannot be done here, and why.
    pub fn absent(&self) -> impl Iterator<Item = (&'static str, &str)> + '_ {
        self.absent.iter().map(|(name, why)| (*name, why.as_str()))
    }

    /// Does each way once, with `see` told before and after.
    pub fn warm_up(&mut self, mut see: impl FnMut(&'static str, bool)) {
        for way in &mut self.list {
            see(way.name, true);
            (way.act)();
            see(way.name, false);
        }
    }

    /// Does one way once. The time is its own.
    pub fn act(&mut self, index: usize) -> Duration {
        (self.list[index].act)()
    }

    /// The shortest time of each way, of rounds taken in turns.
    pub fn measure(&mut self, effort: Effort) -> Vec<(&'static str, Duration)> {
        let mut shortest: Vec<_> = self.names().map(|name| (name, Duration::MAX)).collect();
        let start = Instant::now();
        let mut round = 0;
        while round < effort.rounds || (round < MOST_ROUNDS && start.elapsed() < effort.time) {
            for turn in 0..self.list.len() {
                // Back and forth: what one way leaves in the caches is not always for the same one.
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
    /// Whether this program runs there. What is judged with vectors alone is done in all of the sandbox.
    #[must_use]
    pub fn is_here(self) -> bool {
        match self {
            Self::All => true,
            Self::Native => !cfg!(target_os = "wasi"),
            Self::Sandbox | Self::Simd => cfg!(target_os = "wasi"),
        }
    }
}
