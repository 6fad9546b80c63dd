//! All that a run has found out: what was measured, and what became of the goals.

use serde_json::{Value, json};

use super::jobs::{Done, Peer};
use super::judge::Judged;
use super::machine::Machine;
use super::measured::{Instructions, Measured, Size};

/// Everything that a run has found out.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// The machine that everything was measured on.
    pub machine: Option<Machine>,
    /// Which CPython there was.
    pub python: Option<String>,
    /// Each way of each workload on each column.
    pub measured: Vec<Measured>,
    /// Instructions of the hot loops; nothing where there is no simulator.
    pub instructions: Option<Vec<Instructions>>,
    /// What the crate adds to a program.
    pub sizes: Vec<Size>,
    /// Each way of each job on each column.
    pub jobs: Vec<Done>,
    /// The mappings of the sandbox's own library.
    pub peer: Option<Peer>,
    /// The goals.
    pub judged: Vec<Judged>,
}

impl Results {
    /// Of nothing yet.
    #[must_use]
    pub fn new(python: Option<String>, machine: Machine) -> Self {
        Self { machine: Some(machine), python, ..Self::default() }
    }

    /// An object: `machine`, `python`, and the lists `goals`, `measured`, `instructions`, `sizes` and `jobs`, and `peer`. What there
    /// is none of is null.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let goals = self.judged.iter().map(Judged::to_json).collect::<Value>();
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
        let size = |s: &Size| json!({ "column": s.column, "reads": s.reads, "maps": s.maps, "added": s.maps.saturating_sub(s.reads) });
        json!({
            "machine": self.machine.as_ref().map(Machine::to_json),
            "python": self.python,
            "goals": goals,
            "measured": self.measured.iter().map(measured).collect::<Value>(),
            "instructions": self.instructions.as_ref().map(instructions),
            "sizes": self.sizes.iter().map(size).collect::<Value>(),
            "jobs": self.jobs.iter().map(Done::to_json).collect::<Value>(),
            "peer": self.peer.as_ref().map(Peer::to_json),
        })
    }
}
