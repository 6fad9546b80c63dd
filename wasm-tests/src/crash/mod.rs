//! Kills programs while they edit and flush a file, and checks what it contains.
//!
//! Each kill uses the next script of [`native_tests::crash`]. The victim's output remains after the kill, and shows
//! which steps have returned: the file must have every byte of a flush that had returned, and no byte that the program
//! did not write. A kill does not test a machine that stops, because the system's cache remains after the process.
//! [`power`](crate::power) tests that.

mod plan;
mod victim;

use std::fmt::Write as _;

use comfy_table::Cell;
use indicatif::{ProgressBar, ProgressStyle};
use native_tests::crash::{Findings, Model, Script, Step, content};
use native_tests::random::Random;

use self::victim::{FILE, Kill, Victim};
use crate::terminal::{align_right, new_table};

pub use plan::Plan;

/// The number of failures that are shown in full.
const MOST_SHOWN: usize = 5;

/// The results of all kills of one column.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The victim, and how it was killed.
    pub name: &'static str,
    /// The number of kills.
    pub kills: usize,
    /// Flushes that had returned.
    pub flushes: usize,
    /// Kills that left a part of the changes of a call that had not returned.
    pub midway: usize,
    /// Bytes of files that were checked.
    pub bytes: usize,
    /// Bytes that a returned flush had written, and that are missing.
    pub lost: usize,
    /// Bytes that the program did not write.
    pub foreign: usize,
    /// Descriptions of the failures.
    pub failures: Vec<String>,
}

impl Tally {
    /// Whether this column has shown that nothing is lost: nothing was lost, and there were flushes whose bytes could
    /// be lost.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && self.flushes > 0
    }

    /// Adds the result of one kill.
    fn add(&mut self, seed: u64, last: Option<usize>, found: &Findings) {
        let returned = Script::new(seed).take(last.map_or(0, |last| last + 1));
        self.flushes += returned.filter(|step| matches!(step, Step::Flush { .. })).count();
        self.kills += 1;
        self.midway += usize::from(found.newer > 0);
        self.bytes += found.bytes;
        self.lost += found.lost;
        self.foreign += found.foreign;
        if let Some(wrong) = &found.first_wrong {
            let after = last.map_or_else(|| "before the first return".to_owned(), |last| format!("after step {last}"));
            let Findings { lost, foreign, .. } = found;
            self.failures.push(format!("seed {seed}, {after}: {lost} lost, {foreign} foreign; {wrong}"));
        }
    }
}

/// Kills the victims as often as the plan requires.
///
/// # Errors
///
/// Fails if a program cannot be loaded.
pub fn run(plan: &Plan) -> wasmtime::Result<Vec<Tally>> {
    let victims = Victim::all(plan)?;
    let each = plan.kills.div_ceil(victims.len());
    let progress = ProgressBar::new((each * victims.len()) as u64);
    progress.set_style(ProgressStyle::with_template("{elapsed} {bar:30} {pos}/{len} {wide_msg}")?);
    let mut random = Random::new(plan.seed);
    let tallies = victims.iter().map(|victim| {
        progress.set_message(victim.name);
        let mut tally = Tally { name: victim.name, ..Tally::default() };
        for seed in (plan.seed..).take(each) {
            match kill(victim, seed, plan.flaw, &mut random) {
                Ok((last, found)) => tally.add(seed, last, &found),
                Err(error) => tally.failures.push(format!("seed {seed}: {error}")),
            }
            progress.inc(1);
        }
        tally
    });
    let tallies = tallies.collect();
    progress.finish_and_clear();
    Ok(tallies)
}

/// Kills once. Returns the last step whose return was reported, and the findings about the file.
fn kill(
    victim: &Victim,
    seed: u64,
    flaw: Option<&str>,
    random: &mut Random,
) -> Result<(Option<usize>, Findings), String> {
    let dir = tempfile::tempdir().map_err(|error| format!("no directory for it: {error}"))?;
    let path = dir.path().join(FILE);
    std::fs::write(&path, content()).map_err(|error| format!("its file cannot be written: {error}"))?;
    let output = victim.kill(&mut Kill { dir: dir.path(), seed, flaw, random })?;
    // A line without its end does not count as a report.
    let mut lines = output.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let last = lines.next_back().map(|line| line.parse().map_err(|_| format!("it printed {line:?}"))).transpose()?;
    let file = std::fs::read(&path).map_err(|error| format!("its file cannot be read: {error}"))?;
    Ok((last, Model::after(Script::new(seed), last, victim.is_mapped).check(&file)))
}

/// Renders the failures, and a table with a row for each column.
#[must_use]
pub fn render(tallies: &[Tally]) -> String {
    let mut text = String::new();
    for Tally { name, failures, flushes, .. } in tallies {
        for failure in failures.iter().take(MOST_SHOWN) {
            _ = writeln!(text, "FAILED {name}, {failure}");
        }
        if failures.len() > MOST_SHOWN {
            _ = writeln!(text, "FAILED {name}, and {} more", failures.len() - MOST_SHOWN);
        }
        if *flushes == 0 {
            _ = writeln!(text, "FAILED {name}: no flush returned, so nothing was tested; use more kills");
        }
    }
    let header = ["Killed", "Kills", "Flushes returned", "Midway", "Bytes checked", "Lost", "Foreign"];
    let mut table = new_table(&header);
    let row = |name: &str, numbers: [usize; 6]| {
        let numbers = numbers.iter().map(Cell::new);
        std::iter::once(Cell::new(name)).chain(numbers).collect::<Vec<_>>()
    };
    let numbers = |t: &Tally| [t.kills, t.flushes, t.midway, t.bytes, t.lost, t.foreign];
    let mut total = [0; 6];
    for tally in tallies {
        total.iter_mut().zip(numbers(tally)).for_each(|(sum, number)| *sum += number);
        table.add_row(row(tally.name, numbers(tally)));
    }
    table.add_row(row("all", total));
    align_right(&mut table, 1);
    _ = writeln!(text, "{table}");
    text.push_str("Midway: the file had a part of the changes of a call that had not returned yet.\n");
    text
}
