//! Has programs played by child processes, and reads what became of them.

use std::os::unix::process::ExitStatusExt as _;

use crate::child::Order;
use crate::play::{COUNTS, Counts};

/// What programs have done, and how they ended.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) programs: u64,
    pub(crate) counts: Counts,
    pub(crate) finding: Option<Finding>,
}

/// What one program shows.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) seed: u64,
    /// The number of the last step, where steps are printed.
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

/// Has programs played. The second result is what the child has printed.
pub(crate) fn run(order: &Order) -> (Batch, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let output = order.command(dir.path()).output().expect("a child process");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut batch = Batch::default();
    let (mut seed, mut last_step) = (order.first, None);
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
        let signal = output.status.signal().map(|signal| format!("the process died of signal {signal}\n"));
        let what = signal.unwrap_or_default() + String::from_utf8_lossy(&output.stderr).trim();
        batch.finding = Some(Finding { seed, last_step, what });
    }
    (batch, text)
}
