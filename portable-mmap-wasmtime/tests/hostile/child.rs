//! A child process that runs programs, because a host that is wrong may end its process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::guest::TWO_PAGES;
use crate::common::{Host, HostKind, Scene, areas};
use crate::runner::run_program;
use crate::steps::{STORES, StoreStep, program};

/// The argument that marks a child process.
pub(crate) const ROLE: &str = "--play";

/// The programs that a child runs.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// The number of the first program.
    pub(crate) first: u64,
    /// The difference between the numbers of two programs. The number of a program selects the kind of host.
    pub(crate) every: u64,
    pub(crate) programs: u64,
    /// No program starts after this time.
    pub(crate) time: Duration,
    /// Whether each step is printed before it runs.
    pub(crate) prints_steps: bool,
    /// Only these steps are run.
    pub(crate) kept: Option<Vec<usize>>,
}

impl Task {
    /// One program, each step of which is printed.
    pub(crate) fn one(seed: u64, kept: Option<Vec<usize>>) -> Self {
        Self { first: seed, every: 1, programs: 1, time: Duration::MAX, prints_steps: true, kept }
    }

    /// The process that runs it.
    pub(crate) fn command(&self, dir: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        let numbers = [self.first, self.every, self.programs, self.time.as_secs(), u64::from(self.prints_steps)];
        command.arg(ROLE).arg(dir).args(numbers.map(|number| number.to_string())).env("RUST_BACKTRACE", "0");
        if let Some(kept) = &self.kept {
            command.arg(kept.iter().map(usize::to_string).collect::<Vec<_>>().join(","));
        }
        command
    }

    /// Parses the arguments of [`command`](Self::command).
    fn read(arguments: &[String]) -> (PathBuf, Self) {
        let number = |i: usize| arguments[i].parse::<u64>().expect("a number");
        let kept = arguments.get(6).map(|list| list.split(',').filter_map(|index| index.parse().ok()).collect());
        let (time, prints_steps) = (Duration::from_secs(number(4)), number(5) == 1);
        let task = Self { first: number(1), every: number(2), programs: number(3), time, prints_steps, kept };
        (arguments[0].clone().into(), task)
    }
}

/// The kinds of hosts, which alternate.
pub(crate) const HOSTS: [(&str, HostKind, bool); 4] = [
    ("on_demand", HostKind::OnDemand, false),
    ("pooled", HostKind::Pooled, false),
    ("asynchronous", HostKind::Async, false),
    ("pooled_and_resident", HostKind::Pooled, true),
];

fn host(host_kind: usize, dir: &Path) -> Host {
    let (_, kind, is_resident) = HOSTS[host_kind];
    let scene = Scene { kind, dir: dir.to_owned() };
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

/// How many more areas of memory a process may have than after its first programs. The number varies with the threads.
const MOST_MORE_AREAS: usize = 150;

/// The number of programs in which a host sets up structures that it keeps.
const FIRST: usize = 2;

/// Checks that a host leaves nothing behind when its stores have ended.
#[derive(Debug, Default)]
struct Leaks {
    programs: usize,
    areas: usize,
}

impl Leaks {
    fn check(&mut self, descriptors_before: usize) {
        self.programs += 1;
        if self.programs <= FIRST {
            self.areas = areas();
            return;
        }
        assert_eq!(descriptors(), descriptors_before, "descriptors after a program, and before it");
        let (before, now) = (self.areas, areas());
        assert!(now < before + MOST_MORE_AREAS, "the process has {now} areas of memory, and had {before}");
    }
}

/// The longest time of a program in seconds.
const LONGEST: u64 = 60;

/// Ends this process if it makes no progress.
fn watch(progress: &'static AtomicU64) {
    thread::spawn(move || {
        let (mut last, mut waited) = (0, 0);
        while waited < LONGEST {
            thread::sleep(Duration::from_secs(1));
            let now = progress.load(Ordering::Relaxed);
            waited = if now == last { waited + 1 } else { 0 };
            last = now;
        }
        eprintln!("a program takes more than {LONGEST} s");
        exit(3);
    });
}

/// Runs the programs that the arguments describe. A finding is a panic, or another failure of this process.
pub(crate) fn main(arguments: &[String]) {
    static PROGRESS: AtomicU64 = AtomicU64::new(1);
    let (dir, task) = Task::read(arguments);
    watch(&PROGRESS);
    let start = Instant::now();
    let mut hosts: BTreeMap<usize, (Host, Leaks)> = BTreeMap::new();
    for seed in (0..task.programs).map(|i| task.first + i * task.every) {
        if start.elapsed() > task.time {
            break;
        }
        PROGRESS.fetch_add(1, Ordering::Relaxed);
        println!("program {seed}");
        let host_kind = (seed % HOSTS.len() as u64) as usize;
        let (host, leaks) = hosts.entry(host_kind).or_insert_with(|| (host(host_kind, &dir), Leaks::default()));
        let descriptors = descriptors();
        let (steps, indices) = chosen(program(seed), task.kept.as_deref());
        let counts = run_program(host, &dir, &steps, |index, (slot, step)| {
            if task.prints_steps {
                println!("step {} store {slot}: {step:?}", indices[index]);
            }
        });
        leaks.check(descriptors);
        println!("done {}", counts.numbers().map(|number| number.to_string()).join(" "));
    }
}

/// The steps that are kept, and their numbers.
fn chosen(steps: Vec<StoreStep>, kept: Option<&[usize]>) -> (Vec<StoreStep>, Vec<usize>) {
    let is_kept = |(index, _): &(usize, StoreStep)| kept.is_none_or(|kept| kept.contains(index));
    let (indices, steps) = steps.into_iter().enumerate().filter(is_kept).unzip();
    (steps, indices)
}
