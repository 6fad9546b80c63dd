//! The ways to run programs: as a test, for some time, or one program again.

use std::io::{IsTerminal as _, Write as _};
use std::process::exit;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::batch::{Batch, Finding, run};
use crate::child::{HOSTS, Task};
use crate::shrink::shrink;

/// The number of programs that the test runs with each kind of host. They are the same each time.
const PROGRAMS: u64 = 30;
/// The largest number of programs that a child runs.
const PROGRAMS_OF_CHILD: u64 = 100;
/// The number of findings after which the run ends.
const MOST_FINDINGS: usize = 3;

pub(crate) fn as_test() {
    let test = |host_kind: usize| -> Result<(), Failed> {
        let first = HOSTS.len() as u64 + host_kind as u64;
        let every = HOSTS.len() as u64;
        let task = Task { first, every, programs: PROGRAMS, time: Duration::MAX, prints_steps: false, kept: None };
        let (batch, _) = run(&task);
        match batch.finding {
            None if batch.programs == PROGRAMS && batch.counts.mappings > PROGRAMS => Ok(()),
            None => Err(format!("too few programs or mappings were made: {batch:?}").into()),
            Some(finding) => Err(format!("{}\n`-- --seed {}` runs it again", finding.what, finding.seed).into()),
        }
    };
    let name = |host_kind: usize| format!("{}::hostile_guests_have_the_results_of_the_model", HOSTS[host_kind].0);
    let trials = (0..HOSTS.len()).map(|host_kind| Trial::test(name(host_kind), move || test(host_kind)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// Parses an argument as a number, or exits.
fn number(argument: &str, what: &str) -> u64 {
    argument.parse().unwrap_or_else(|_| {
        eprintln!("{what} is a number, not '{argument}'");
        exit(2)
    })
}

/// Runs one program, prints its steps, and shortens it if it has a finding.
pub(crate) fn replay(seed: &str) {
    let seed = number(seed, "a seed");
    let (batch, text) = run(&Task::one(seed, None));
    print!("{text}");
    if let Some(finding) = batch.finding {
        report(&finding);
        exit(1);
    }
}

/// Runs new programs, and prints each finding and a table of counts.
pub(crate) fn for_time(seconds: &str) {
    let (start, time) = (Instant::now(), Duration::from_secs(number(seconds, "a time in seconds")));
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    // Fewer than 1,000 programs run in a second, so the seeds of two runs differ.
    let mut first = clock * 1000;
    let (mut sum, mut findings) = (Batch::default(), 0);
    while start.elapsed() < time && findings < MOST_FINDINGS {
        let left = time.saturating_sub(start.elapsed());
        let task = Task { first, every: 1, programs: PROGRAMS_OF_CHILD, time: left, prints_steps: false, kept: None };
        let (batch, _) = run(&task);
        sum.add(&batch);
        first += PROGRAMS_OF_CHILD;
        if std::io::stderr().is_terminal() {
            eprint!("\r{} of {} s, {} programs ", start.elapsed().as_secs(), time.as_secs(), sum.programs);
            _ = std::io::stderr().flush();
        }
        if let Some(finding) = batch.finding {
            findings += 1;
            report(&finding);
        }
    }
    if std::io::stderr().is_terminal() {
        eprint!("\r{:60}\r", "");
    }
    let counts = sum.counts;
    println!("programs     calls  mappings   faults    traps  reads mapped  stores ended  left out  findings");
    println!(
        "{:8}  {:8}  {:8}  {:7}  {:7}  {:12}  {:12}  {:8}  {findings:8}",
        sum.programs,
        counts.calls,
        counts.mappings,
        counts.faults,
        counts.traps,
        counts.reads_mapped,
        counts.ended,
        counts.left_out
    );
    if findings > 0 {
        exit(1);
    }
}

/// Prints a finding, and the shortened program.
fn report(finding: &Finding) {
    println!("\nFINDING in program {}: {}", finding.seed, finding.what);
    match shrink(finding.seed) {
        Some(text) => println!("the shortened program:\n{text}\n"),
        None => println!("the program alone has no finding, so it depends on earlier programs\n"),
    }
}
