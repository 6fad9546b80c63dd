//! Runs programs in child processes, and parses the results.

use std::os::unix::process::ExitStatusExt as _;

use crate::child::Task;
use crate::runner::{COUNTS, Counts};

/// The results of programs.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) programs: u64,
    pub(crate) counts: Counts,
    pub(crate) finding: Option<Finding>,
}

/// A failure of one program.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) seed: u64,
    /// The number of the last step, if steps are printed.
    pub(crate) last_step: Option<usize>,
    pub(crate) what: String,
}

impl Batch {
    pub(crate) fn add(&mut self, other: &Self) {
        self.programs += other.programs;
        let (sum, counts) = (self.counts.numbers(), other.counts.numbers());
        self.counts = Counts::from_numbers(std::array::from_fn(|i| sum[i] + counts[i]));
    }
}

/// Runs programs. The second result is the output of the child.
pub(crate) fn run(task: &Task) -> (Batch, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let output = task.command(dir.path()).output().expect("a child process");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut batch = Batch::default();
    let (mut seed, mut last_step) = (task.first, None);
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let numbers = || rest.split([' ', ':']).map_while(|number| number.parse::<u64>().ok());
        match word {
            "program" => seed = numbers().next().unwrap_or(seed),
            "step" => last_step = numbers().next().map(|number| number as usize),
            "done" => {
                let all: [u64; COUNTS] = numbers().collect::<Vec<_>>().try_into().expect("all counts");
                batch.add(&Batch { programs: 1, counts: Counts::from_numbers(all), finding: None });
            }
            _ => {}
        }
    }
    if !output.status.success() {
        let signal = output.status.signal().map(|signal| format!("the process was ended by signal {signal}\n"));
        let what = signal.unwrap_or_default() + String::from_utf8_lossy(&output.stderr).trim();
        batch.finding = Some(Finding { seed, last_step, what });
    }
    (batch, text)
}
