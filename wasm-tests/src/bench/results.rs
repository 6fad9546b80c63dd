//! What was measured.

use native_tests::counts::{Kind, Tally};
use serde_json::{Value, json};

use super::Judged;

/// Everything that a run has found out.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// Which CPython there was.
    pub python: Option<String>,
    /// Each way of each workload on each column.
    pub measured: Vec<Measured>,
    /// Instructions of the hot loops; nothing where there is no simulator.
    pub instructions: Option<Vec<Instructions>>,
    /// What the crate adds to a program.
    pub sizes: Vec<Size>,
    /// The goals.
    pub judged: Vec<Judged>,
}

/// A way of doing a workload, on a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The column.
    pub column: &'static str,
    /// The workload.
    pub workload: String,
    /// The way.
    pub way: String,
    /// The shortest time, in nanoseconds, or why there is none.
    pub time: Result<f64, String>,
    /// The calls for files of its first time, where they are counted: in the sandbox.
    pub calls: Option<Tally>,
    /// The most memory that the program had which did this alone, in bytes.
    pub peak: Option<u64>,
}

impl Measured {
    /// How many bytes its calls moved.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        let calls = self.calls.as_ref()?;
        Some(calls.count(Kind::BytesRead)? + calls.count(Kind::BytesWritten)?)
    }
}

/// Instructions of a way of a workload, natively.
#[derive(Clone, Debug, PartialEq)]
pub struct Instructions {
    /// The workload.
    pub workload: &'static str,
    /// The way.
    pub way: String,
    /// For each byte, or each index.
    pub each: f64,
}

/// What the crate adds to a release build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// The column.
    pub column: &'static str,
    /// Bytes of the program that reads its file.
    pub reads: u64,
    /// Bytes of the one that maps it.
    pub maps: u64,
}

impl Results {
    /// Of nothing yet.
    #[must_use]
    pub fn new(python: Option<String>) -> Self {
        Self { python, ..Self::default() }
    }

    /// An object: `python`, and the lists `goals`, `measured`, `instructions` and `sizes`. What there is none of is
    /// null.
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
            "python": self.python,
            "goals": goals,
            "measured": self.measured.iter().map(measured).collect::<Value>(),
            "instructions": self.instructions.as_ref().map(instructions),
            "sizes": self.sizes.iter().map(size).collect::<Value>(),
        })
    }
}
