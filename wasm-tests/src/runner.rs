//! The cargo runner: runs one WASI program in the environment that cargo gives to a native test.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wasmtime::error::Context as _;

use crate::outcome::End;
use crate::sandbox::{Grant, Output, Run, Sandbox};
use wasmtime_wasi::FsPerms;

/// The prefixes of the environment variables that are passed to the guest: those that cargo sets for tests, and those
/// that configure Rust's test programs and property tests.
const PASSED: [&str; 3] = ["CARGO", "PROPTEST_", "RUST"];

/// The exit code of a guest that trapped: that of a native program that aborts, as a shell reports it.
const TRAPPED: i32 = 134;

/// The exit code of a guest that exceeded its time limit, as in the program `timeout`.
const TIMED_OUT: i32 = 124;

/// The program to run, and settings beside those that every guest gets.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// More directories.
    pub grants: Vec<Grant>,
    /// More environment variables.
    pub env: Vec<(String, String)>,
    /// Bytes of linear memory. A guest of 32 bits cannot use more than 4 GiB, which is the default here.
    pub memory: u64,
    /// How long it may run.
    pub time: Option<Duration>,
    /// Whether the host maps files into its memory.
    pub host_mapping: bool,
}

impl Options {
    /// Runs this program with these arguments.
    #[must_use]
    pub fn new(program: PathBuf, args: Vec<String>) -> Self {
        Self { program, args, grants: Vec::new(), env: Vec::new(), memory: 4 << 30, time: None, host_mapping: false }
    }
}

/// Tells libtest not to capture output: a failing test ends the whole guest, and its captured message would be lost.
const NO_CAPTURE: &str = "RUST_TEST_NOCAPTURE";

/// Runs a guest with the standard streams of this process, and returns its exit code.
///
/// It gets the current directory, which cargo sets to that of the package, as `.` and under its own absolute name, and
/// cargo's directory for the files of integration tests, `CARGO_TARGET_TMPDIR`, under its absolute name.
///
/// # Errors
///
/// Fails if the program cannot be loaded, or a directory does not exist.
pub fn run(options: &Options) -> wasmtime::Result<i32> {
    let load = if options.host_mapping { Sandbox::load_with_host_mapping } else { Sandbox::load };
    let sandbox = load(&options.program)?;
    let here = std::env::current_dir().context("the current directory does not exist")?;
    let name = options.program.display().to_string();
    let mut run = Run::new(name).args(&options.args).memory(options.memory).output(Output::Inherited);
    if let Some(limit) = options.time {
        run = run.time(limit);
    }
    for (host, guest) in directories(&options.program, &here) {
        run = run.dir(host, guest);
    }
    for grant in &options.grants {
        run = run.grant(grant.clone());
    }
    if std::env::var_os(NO_CAPTURE).is_none() {
        run = run.env(NO_CAPTURE, "1");
    }
    for (name, value) in passed_env().into_iter().chain(options.env.clone()) {
        run = run.env(name, value);
    }
    let report = sandbox.run(&run)?;
    if let Some(bytes) = report.memory_over_limit {
        eprintln!("wasm-tests: the guest requested {bytes} bytes of memory, and its limit is {}", options.memory);
    }
    Ok(match report.end {
        End::Exited(code) => code,
        End::Trapped(what) => {
            eprintln!("wasm-tests: the guest trapped: {what}");
            TRAPPED
        }
        End::TimedOut => {
            eprintln!("wasm-tests: the guest exceeded its time limit");
            TIMED_OUT
        }
    })
}

/// The directories that a test program gets if cargo runs it in the directory `here`: each with its name in the guest.
pub(crate) fn directories(program: &Path, here: &Path) -> Vec<(PathBuf, String)> {
    let temporary = target_dir(program).map(|target| target.join("tmp")).filter(|dir| dir.is_dir());
    let own_names = [Some(here.to_path_buf()), temporary].into_iter().flatten();
    // Names in a guest are Unicode.
    let own_names = own_names.filter_map(|dir| dir.to_str().map(str::to_owned).map(|name| (dir, name)));
    own_names.chain([(here.to_path_buf(), ".".to_owned())]).collect()
}

/// Parses `HOST` or `HOST::GUEST` as a directory for the guest. Its default name there is that of the host.
#[must_use]
pub fn grant(text: &str, perms: FsPerms) -> Grant {
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    Grant { host: host.into(), guest: guest.to_owned(), perms }
}

/// The variables of this process that a guest gets.
pub(crate) fn passed_env() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| PASSED.iter().any(|start| name.starts_with(start)))
        .collect()
}

/// The target directory that contains a program: cargo tags it.
fn target_dir(program: &Path) -> Option<PathBuf> {
    let program = std::path::absolute(program).ok()?;
    program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file()).map(Path::to_path_buf)
}
