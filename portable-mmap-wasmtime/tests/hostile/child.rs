//! A process of its own that plays programs: a host that is wrong may end it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::guest::TWO_PAGES;
use crate::common::{Ground, Host, Scene, areas};
use crate::play::play;
use crate::steps::{Placed, STORES, program};

/// The argument by which a child process knows what it is.
pub(crate) const ROLE: &str = "--play";

/// What a child plays.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The number of the first program.
    pub(crate) first: u64,
    /// From one program to the next. The numbers of programs take turns on the kinds of hosts.
    pub(crate) every: u64,
    pub(crate) programs: u64,
    /// No program begins later.
    pub(crate) time: Duration,
    /// Whether each step is printed before it is played.
    pub(crate) is_told: bool,
    /// These steps alone.
    pub(crate) kept: Option<Vec<usize>>,
}

impl Order {
    /// One program, each step of which is printed.
    pub(crate) fn one(seed: u64, kept: Option<Vec<usize>>) -> Self {
        Self { first: seed, every: 1, programs: 1, time: Duration::MAX, is_told: true, kept }
    }

    /// The process that plays it.
    pub(crate) fn command(&self, dir: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        let numbers = [self.first, self.every, self.programs, self.time.as_secs(), u64::from(self.is_told)];
        command.arg(ROLE).arg(dir).args(numbers.map(|number| number.to_string())).env("RUST_BACKTRACE", "0");
        if let Some(kept) = &self.kept {
            command.arg(kept.iter().map(usize::to_string).collect::<Vec<_>>().join(","));
        }
        command
    }

    /// What the arguments of [`command`](Self::command) say.
    fn read(arguments: &[String]) -> (PathBuf, Self) {
        let number = |i: usize| arguments[i].parse::<u64>().expect("a number");
        let kept = arguments.get(6).map(|list| list.split(',').filter_map(|index| index.parse().ok()).collect());
        let (time, is_told) = (Duration::from_secs(number(4)), number(5) == 1);
        let order = Self { first: number(1), every: number(2), programs: number(3), time, is_told, kept };
        (arguments[0].clone().into(), order)
    }
}

/// The kinds of hosts, in turn.
pub(crate) const WAYS: [(&str, Ground, bool); 4] = [
    ("on_demand", Ground::OnDemand, false),
    ("pooled", Ground::Pooled, false),
    ("asynchronous", Ground::Async, false),
    ("pooled_and_resident", Ground::Pooled, true),
];

fn host(way: usize, dir: &Path) -> Host {
    let (_, ground, is_resident) = WAYS[way];
    let scene = Scene { ground, dir: dir.to_owned() };
    scene.host_of(TWO_PAGES, STORES as u32, |_, pool| {
        if is_resident {
            pool.linear_memory_keep_resident(64 << 20);
        }
    })
}

/// How many file descriptors this process has.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("a list of descriptors").count()
}

/// So many more areas of memory than after its first programs a process may have: threads come and go.
const MOST_MORE_AREAS: usize = 150;

/// A host sets up what it keeps in so many programs.
const FIRST: usize = 2;

/// Whether a host leaves something behind when its stores have ended.
#[derive(Debug, Default)]
struct Leaks {
    played: usize,
    areas: usize,
}

impl Leaks {
    fn check(&mut self, descriptors_before: usize) {
        self.played += 1;
        if self.played <= FIRST {
            self.areas = areas();
            return;
        }
        assert_eq!(descriptors(), descriptors_before, "descriptors after a program, and before it");
        let (before, now) = (self.areas, areas());
        assert!(now < before + MOST_MORE_AREAS, "the process has {now} areas of memory, and had {before}");
    }
}

/// A program takes so long at most.
const LONGEST: u64 = 60;

/// Ends this process when it makes no progress.
fn watch(progress: &'static AtomicU64) {
    thread::spawn(move || {
        let (mut seen, mut waited) = (0, 0);
        while waited < LONGEST {
            thread::sleep(Duration::from_secs(1));
            let now = progress.load(Ordering::Relaxed);
            waited = if now == seen { waited + 1 } else { 0 };
            seen = now;
        }
        eprintln!("a program takes more than {LONGEST} s");
        exit(3);
    });
}

/// Plays what the arguments say. A finding is a panic, or another end of this process.
pub(crate) fn main(arguments: &[String]) {
    static PROGRESS: AtomicU64 = AtomicU64::new(1);
    let (dir, order) = Order::read(arguments);
    watch(&PROGRESS);
    let start = Instant::now();
    let mut hosts: BTreeMap<usize, (Host, Leaks)> = BTreeMap::new();
    for seed in (0..order.programs).map(|i| order.first + i * order.every) {
        if start.elapsed() > order.time {
            break;
        }
        PROGRESS.fetch_add(1, Ordering::Relaxed);
        println!("program {seed}");
        let way = (seed % WAYS.len() as u64) as usize;
        let (host, leaks) = hosts.entry(way).or_insert_with(|| (host(way, &dir), Leaks::default()));
        let descriptors = descriptors();
        let (steps, indices) = chosen(program(seed), order.kept.as_deref());
        let counts = play(host, &dir, &steps, |index, (slot, step)| {
            if order.is_told {
                println!("step {} store {slot}: {step:?}", indices[index]);
            }
        });
        leaks.check(descriptors);
        println!("done {}", counts.numbers().map(|number| number.to_string()).join(" "));
    }
}

/// The steps that are kept, and their numbers.
fn chosen(steps: Vec<Placed>, kept: Option<&[usize]>) -> (Vec<Placed>, Vec<usize>) {
    let is_kept = |(index, _): &(usize, Placed)| kept.is_none_or(|kept| kept.contains(index));
    let (indices, steps) = steps.into_iter().enumerate().filter(is_kept).unzip();
    (steps, indices)
}
