//! Measures the workloads: the program that `make bench` runs natively and in the sandbox.
//!
//! `bench DIR [TEXT]` prints a line for each workload whose name contains the text: name, what it is compared with, the
//! goal (or `-` where it is none here), and the two times in nanoseconds, with tabs between.

use std::path::Path;
use std::process::ExitCode;

use native_tests::workloads::{ALL, Workload, clean};

/// How many times each way is taken.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (dir, text) = match &args[..] {
        [dir] => (dir, ""),
        [dir, text] => (dir, text.as_str()),
        _ => {
            eprintln!("usage: bench DIR [TEXT]");
            return ExitCode::from(2);
        }
    };
    let dir = Path::new(dir);
    for workload in ALL.iter().filter(|workload| workload.name.contains(text)) {
        let Workload { name, against, goal, sandboxed, prepare } = *workload;
        let goal = if sandboxed && !cfg!(target_os = "wasi") { "-".to_owned() } else { goal.to_string() };
        let (ours, theirs) = prepare(dir).measure(ROUNDS);
        println!("{name}\t{against}\t{goal}\t{}\t{}", ours.as_nanos(), theirs.as_nanos());
        clean(dir);
    }
    ExitCode::SUCCESS
}
