//! Measures the workloads. `make bench` runs this program natively and in a sandbox.
//!
//! - `bench make DIR SOURCES` makes the data, unless it exists.
//! - `bench list` prints the names of the workloads that this platform has.
//! - `bench time NAME DATA SCRATCH [--rounds N] [--milliseconds N] [--python PROGRAM]` runs a workload in each of its
//!   ways, in turns, and prints a line `time<TAB>way<TAB>nanoseconds` for each, or `absent<TAB>way<TAB>why`. Before
//!   that it runs each way once, between two lines that make the host count calls.
//! - `bench once NAME DATA SCRATCH --way WAY [--times N] [--len BYTES]` runs only one way, so that the process can be
//!   examined. It prints `peak<TAB>way<TAB>bytes of memory` if the system reports them.
//! - `bench job NAME WAY DATA SCRATCH [--turn N] [--times N] [--look]` runs a job once, between two such lines, and
//!   prints a line `time<TAB>nanoseconds` and a line `answer<TAB>number`; or `absent<TAB>why` if there is not enough
//!   memory. Other facts are in lines `backend`, `note` and, with `--look`, `memory`.
//! - `bench peer DATA SCRATCH` does the same as a C program over the `mmap` of wasi-libc.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use native_tests::jobs;
use native_tests::workloads::{Effort, Place, Ways, Workload, all, data, peak_memory};

const USAGE: &str = "usage: bench make DIR SOURCES | bench list | bench time|once NAME DATA SCRATCH [OPTION]... | \
    bench job NAME WAY DATA SCRATCH [OPTION]... | bench peer DATA SCRATCH";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match &words[..] {
        ["make", dir, sources] => data::make(Path::new(dir), Path::new(sources)).map_err(|error| error.to_string()),
        ["list"] => {
            all().iter().filter(|workload| workload.on.is_here()).for_each(|workload| println!("{}", workload.name));
            Ok(())
        }
        [command @ ("time" | "once"), name, data, scratch, options @ ..] => {
            work(*command == "time", name, Path::new(data), Path::new(scratch), options)
        }
        ["job", name, way, data, scratch, options @ ..] => job(name, way, Path::new(data), Path::new(scratch), options),
        ["peer", data, scratch] => {
            jobs::peer::run(Path::new(data), Path::new(scratch)).map_err(|error| error.to_string())
        }
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work(in_turns: bool, name: &str, data: &Path, scratch: &Path, options: &[&str]) -> Result<(), String> {
    let find = |workload: &&Workload| workload.name == name && workload.on.is_here();
    let workload = all().iter().find(find).ok_or_else(|| format!("there is no workload {name:?} on this platform"))?;
    let mut place = Place { data: data.to_owned(), scratch: PathBuf::from(scratch), len: data::LEN, python: None };
    let mut effort = Effort { rounds: 5, time: Duration::from_secs(1) };
    let (mut way, mut times) = ("", 1);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let value = *options.next().ok_or_else(|| format!("{option} has no value"))?;
        let number = || value.parse().map_err(|_| format!("{value:?} is not a number"));
        match *option {
            "--rounds" => effort.rounds = number()?,
            "--milliseconds" => effort.time = Duration::from_millis(number()? as u64),
            "--python" => place.python = Some(value.to_owned()),
            "--way" => way = value,
            "--times" => times = number()?,
            "--len" => place.len = number()?,
            _ => return Err(format!("there is no option {option}")),
        }
    }
    if in_turns { time(workload, &place, effort) } else { once(workload, &place, way, times) }
}

fn time(workload: &Workload, place: &Place, effort: Effort) -> Result<(), String> {
    let mut ways = Ways::default();
    (workload.ready)(place, &mut ways);
    // The host reacts to these lines at once, so they must not stay in a buffer.
    let mut out = std::io::stdout();
    let mut told = Ok(());
    ways.warm_up(|way, begins| {
        let line = if begins { format!("counting {way}\n") } else { format!("counted {way}: \n") };
        if let Err(error) = out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
            told = Err(error.to_string());
        }
    });
    told?;
    for (way, why) in ways.absent() {
        println!("absent\t{way}\t{why}");
    }
    for (way, time) in ways.measure(effort) {
        println!("time\t{way}\t{}", time.as_nanos());
    }
    Ok(())
}

fn once(workload: &Workload, place: &Place, way: &str, times: usize) -> Result<(), String> {
    let mut ways = Ways::only(way);
    (workload.ready)(place, &mut ways);
    if ways.names().count() != 1 {
        return Err(format!("{} has no way {way:?}", workload.name));
    }
    (0..times).for_each(|_| _ = ways.act(0));
    if let Some(bytes) = peak_memory() {
        println!("peak\t{way}\t{bytes}");
    }
    Ok(())
}

fn job(name: &str, way: &str, data: &Path, scratch: &Path, options: &[&str]) -> Result<(), String> {
    let job = jobs::find(name).ok_or_else(|| format!("there is no job {name:?}"))?;
    let find = |other: &&jobs::Way| other.name == way;
    let way = job.ways.iter().find(find).ok_or_else(|| format!("{name} has no way {way:?}"))?;
    let mut place = jobs::Place::new(data, scratch);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut number =
            || options.next().and_then(|value| value.parse().ok()).ok_or(format!("{option} has no number"));
        match *option {
            "--turn" => place.turn = number()?,
            "--times" => place.times = number()?,
            "--look" => place.looks = true,
            _ => return Err(format!("there is no option {option}")),
        }
    }
    println!("counting {}", way.name);
    let start = Instant::now();
    let done = (way.act)(&place);
    let time = start.elapsed();
    println!("counted {}: ", way.name);
    match done {
        Ok(answer) => println!("time\t{}\nanswer\t{answer}", time.as_nanos()),
        Err(error) if error.kind() == ErrorKind::OutOfMemory => println!("absent\tdoes not fit: {error}"),
        Err(error) => return Err(error.to_string()),
    }
    let told = [
        ("memory", place.most_memory().map(|most| most.to_string())),
        ("backend", place.backend().map(str::to_owned)),
        ("note", place.noted()),
    ];
    for (what, value) in told.into_iter().filter_map(|(what, value)| Some((what, value?))) {
        println!("{what}\t{value}");
    }
    Ok(())
}
