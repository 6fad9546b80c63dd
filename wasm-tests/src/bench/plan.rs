//! What to measure, and on which columns.

use std::path::PathBuf;
use std::time::Duration;

use native_tests::workloads::Effort;

/// The columns, in the order of the table. The third is the second with vectors.
pub const COLUMNS: [&str; 4] = [NATIVE, "wasip1", SIMD, "wasip2"];
/// The column that others are compared with.
pub const NATIVE: &str = "native";
/// The column where vectors are enabled.
pub const SIMD: &str = "wasip1 simd128";

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program `bench`, for each of the [`COLUMNS`].
    pub programs: [PathBuf; 4],
    /// The programs that map a file, and read it, for each of the columns that are WASI's.
    pub sizes: Vec<(PathBuf, PathBuf)>,
    /// A directory with files of Rust, out of which the text is made.
    pub sources: PathBuf,
    /// Where the data is kept and the report goes.
    pub dir: PathBuf,
    /// Only workloads and jobs whose names contain this.
    pub filter: Option<String>,
    /// What a compiler of C for WASI is called.
    pub wasi_cc: String,
    /// What CPython is called.
    pub python: String,
    /// How long a workload is measured.
    pub effort: Effort,
}

impl Plan {
    /// How much `make bench` measures.
    pub const EFFORT: Effort = Effort { rounds: 5, time: Duration::from_secs(1) };
}
