//! How programs are played: as a test, for some time, or one again.

use std::io::{IsTerminal as _, Write as _};
use std::process::exit;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::batch::{Batch, Finding, run};
use crate::child::{Order, WAYS};
use crate::shrink::shrink;

/// So many programs the test plays on each kind of host, the same each time.
const PROGRAMS: u64 = 30;
/// So many programs a child plays at most.
const PROGRAMS_OF_CHILD: u64 = 100;
/// After so many findings nobody waits for more.
const MOST_FINDINGS: usize = 3;

pub(crate) fn as_test() {
    let test = |way: usize| -> Result<(), Failed> {
        let first = WAYS.len() as u64 + way as u64;
        let every = WAYS.len() as u64;
        let order = Order { first, every, programs: PROGRAMS, time: Duration::MAX, is_told: false, kept: None };
        let (batch, _) = run(&order);
        match batch.finding {
            None if batch.programs == PROGRAMS && batch.counts.mappings > PROGRAMS => Ok(()),
            None => Err(format!("too little was played: {batch:?}").into()),
            Some(finding) => Err(format!("{}\n`-- --seed {}` plays it again", finding.what, finding.seed).into()),
        }
    };
    let name = |way: usize| format!("{}::hostile_guests_find_what_the_model_says", WAYS[way].0);
    let trials = (0..WAYS.len()).map(|way| Trial::test(name(way), move || test(way)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// What an argument says, or an end.
fn number(argument: &str, what: &str) -> u64 {
    argument.parse().unwrap_or_else(|_| {
        eprintln!("{what} is a number, not '{argument}'");
        exit(2)
    })
}

/// Plays one program, prints its steps, and makes it short where it shows a finding.
pub(crate) fn again(seed: &str) {
    let seed = number(seed, "a seed");
    let (batch, text) = run(&Order::one(seed, None));
    print!("{text}");
    if let Some(finding) = batch.finding {
        report(&finding);
        exit(1);
    }
}

/// Plays programs that were not played before, prints a table of what they have done, and each finding.
pub(crate) fn for_time(seconds: &str) {
    let (start, time) = (Instant::now(), Duration::from_secs(number(seconds, "a time in seconds")));
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    // So many programs are not played in a second.
    let mut first = clock * 1000;
    let (mut sum, mut findings) = (Batch::default(), 0);
    while start.elapsed() < time && findings < MOST_FINDINGS {
        let left = time.saturating_sub(start.elapsed());
        let order = Order { first, every: 1, programs: PROGRAMS_OF_CHILD, time: left, is_told: false, kept: None };
        let (batch, _) = run(&order);
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

/// Prints a finding, and the shortest program that shows it.
fn report(finding: &Finding) {
    println!("\nFINDING in program {}: {}", finding.seed, finding.what);
    match shrink(finding.seed) {
        Some(text) => println!("the shortest program that shows one:\n{text}\n"),
        None => println!("the program by itself shows nothing: those before it matter\n"),
    }
}
