//! The measurements, and the columns.

use std::path::PathBuf;
use std::time::Duration;

use native_tests::workloads::Effort;

/// The columns, in the order of the table. The third is the second with 128-bit vectors.
pub const COLUMNS: [&str; 4] = [NATIVE, "wasip1", SIMD, "wasip2"];
/// The column that others are compared with.
pub const NATIVE: &str = "native";
/// The column where vectors are enabled.
pub const SIMD: &str = "wasip1 simd128";

/// The programs and settings of a measurement.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program `bench`, for each of the [`COLUMNS`].
    pub programs: [PathBuf; 4],
    /// The programs that map a file, and those that read it, for each column of WASI.
    pub sizes: Vec<(PathBuf, PathBuf)>,
    /// A directory with Rust files, from which the text is made.
    pub sources: PathBuf,
    /// The directory of the data and the reports.
    pub dir: PathBuf,
    /// Only workloads and jobs whose names contain this are run.
    pub filter: Option<String>,
    /// The name of a C compiler for WASI.
    pub wasi_cc: String,
    /// The name of CPython.
    pub python: String,
    /// How long a workload is measured.
    pub effort: Effort,
}

impl Plan {
    /// The effort of `make bench`.
    pub const EFFORT: Effort = Effort { rounds: 5, time: Duration::from_secs(1) };
}
