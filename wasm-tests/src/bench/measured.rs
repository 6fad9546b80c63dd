//! The measurements: times, instructions and sizes.

use native_tests::counts::{Kind, Tally};

/// A way of doing a workload, on a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The column.
    pub column: &'static str,
    /// The workload.
    pub workload: String,
    /// The way.
    pub way: String,
    /// The shortest time, in nanoseconds, or the reason why there is none.
    pub time: Result<f64, String>,
    /// The calls for files in its first round, if they are counted: in the sandbox.
    pub calls: Option<Tally>,
    /// The peak memory in bytes of a program that does only this.
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
    /// The number of instructions for each byte or index.
    pub each: f64,
}

/// The size that the crate adds to a release build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// The column.
    pub column: &'static str,
    /// Bytes of the program that reads its file.
    pub reads: u64,
    /// Bytes of the program that maps it.
    pub maps: u64,
}
