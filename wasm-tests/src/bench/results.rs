//! The results of a run: the measurements and the goals.

use serde_json::{Value, json};

use super::jobs::{Peer, WayResult};
use super::judge::GoalResult;
use super::machine::Machine;
use super::measured::{Instructions, Measured, Size};

/// The results of a run.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// The machine that everything was measured on.
    pub machine: Option<Machine>,
    /// The version of CPython, if there is one.
    pub python: Option<String>,
    /// Each way of each workload on each column.
    pub measured: Vec<Measured>,
    /// Instructions of the hot loops; `None` if there is no simulator.
    pub instructions: Option<Vec<Instructions>>,
    /// The sizes that the crate adds to a program.
    pub sizes: Vec<Size>,
    /// Each way of each job on each column.
    pub jobs: Vec<WayResult>,
    /// The comparison with wasi-libc's mappings in C.
    pub peer: Option<Peer>,
    /// The goals.
    pub goal_results: Vec<GoalResult>,
}

impl Results {
    /// Results without measurements.
    #[must_use]
    pub fn new(python: Option<String>, machine: Machine) -> Self {
        Self { machine: Some(machine), python, ..Self::default() }
    }

    /// A JSON object with `machine`, `python`, the lists `goals`, `measured`, `instructions`, `sizes` and `jobs`, and
    /// `peer`. A missing part is null.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let goals = self.goal_results.iter().map(GoalResult::to_json).collect::<Value>();
        let measured = |m: &Measured| {
            json!({
                "column": m.column, "workload": m.workload, "way": m.way,
                "nanoseconds": m.time.as_ref().ok(), "absent": m.time.as_ref().err(),
                "calls": m.calls.as_ref().map(ToString::to_string), "bytes_moved": m.bytes(), "peak_memory": m.peak,
            })
        };
        let instructions = |list: &Vec<Instructions>| {
            let one = |i: &Instructions| json!({ "workload": i.workload, "way": i.way, "instructions": i.each });
            list.iter().map(one).collect::<Value>()
        };
        let size = |s: &Size| {
            let added = s.maps.saturating_sub(s.reads);
            json!({ "column": s.column, "reads": s.reads, "maps": s.maps, "added": added })
        };
        json!({
            "machine": self.machine.as_ref().map(Machine::to_json),
            "python": self.python,
            "goals": goals,
            "measured": self.measured.iter().map(measured).collect::<Value>(),
            "instructions": self.instructions.as_ref().map(instructions),
            "sizes": self.sizes.iter().map(size).collect::<Value>(),
            "jobs": self.jobs.iter().map(WayResult::to_json).collect::<Value>(),
            "peer": self.peer.as_ref().map(Peer::to_json),
        })
    }
}
