//! A guest that misbehaves, in one way for each command. Tests of the harness check that it handles that.
//!
//! With `list` and `run` it acts as a suite whose cases fail differently on each target.

use std::io::Write as _;
use std::path::Path;
use std::process::{ExitCode, abort, exit};
use std::time::Duration;
use std::{env, fs, hint, thread};

use portable_mmap::{OsFile, Storage as _};

/// The size of one allocation, in bytes.
const PIECE: usize = 16 << 20;

/// The name of each case, its expected end, and the targets that list it.
const CASES: [(&str, &str, &[&str]); 17] = [
    ("good", "finishes", &["native", "wasip1", "wasip2"]),
    ("panics_rightly", "panics: index out of range", &["native", "wasip1", "wasip2"]),
    ("panics_wrongly", "panics: index out of range", &["native", "wasip1", "wasip2"]),
    ("never_panics", "panics: index out of range", &["native", "wasip1", "wasip2"]),
    ("panics_unexpectedly", "finishes", &["native", "wasip1", "wasip2"]),
    ("missing_on_wasip1", "finishes", &["native", "wasip2"]),
    ("only_on_wasip2", "finishes", &["wasip2"]),
    ("listed_otherwise", "finishes", &["native", "wasip1", "wasip2"]),
    ("observes_otherwise", "finishes", &["native", "wasip1", "wasip2"]),
    ("leaves_otherwise", "finishes", &["native", "wasip1", "wasip2"]),
    ("stops_early", "finishes", &["native", "wasip1", "wasip2"]),
    ("exits", "finishes", &["native", "wasip1", "wasip2"]),
    ("loops", "finishes", &["native", "wasip1", "wasip2"]),
    ("wants_memory", "finishes", &["native", "wasip1", "wasip2"]),
    ("reads_twice", "finishes", &["native", "wasip1", "wasip2"]),
    ("stops_counting", "finishes", &["native", "wasip1", "wasip2"]),
    ("excepted", "finishes", &["native", "wasip1", "wasip2"]),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["exit", code] => exit(code.parse().expect("an exit code")),
        ["trap"] => abort(),
        ["panic", message] => panic!("{message}"),
        ["spin"] => spin(),
        ["sleep"] => thread::sleep(Duration::from_hours(1)),
        ["allocate"] => allocate(),
        ["print", mebibytes] => print_mebibytes(mebibytes.parse().expect("a number")),
        ["args", ..] => println!("{args:?}"),
        ["env"] => env::vars().for_each(|(name, value)| println!("{name}={value}")),
        ["cat", path] => print!("{}", fs::read_to_string(path).expect("the file can be read")),
        ["write", path, text] => fs::write(path, text).expect("the file can be written"),
        ["list"] => list(),
        ["run", case, "--dir", dir] | ["run", case, "--dir", dir, "--backend", _] => run(case, Path::new(dir)),
        _ => {
            eprintln!("hostile: unknown command {args:?}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Never returns, and never calls the host.
fn spin() {
    let mut count = 0_u64;
    loop {
        count = hint::black_box(count.wrapping_add(1));
    }
}

/// Allocates memory until an allocation fails.
fn allocate() {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut piece = Vec::new();
        if piece.try_reserve_exact(PIECE).is_err() {
            println!("an allocation failed after {} pieces", held.len());
            // Like most programs: allocate without checking, and abort.
            piece = Vec::with_capacity(PIECE);
        }
        piece.resize(PIECE, 1);
        held.push(hint::black_box(piece));
    }
}

fn print_mebibytes(count: usize) {
    let line = [b'.'; 1023];
    let mut stdout = std::io::stdout().lock();
    for _ in 0..count << 10 {
        stdout.write_all(&line).and_then(|()| stdout.write_all(b"\n")).expect("standard output");
    }
}

fn target() -> &'static str {
    match (cfg!(target_os = "wasi"), cfg!(target_env = "p2")) {
        (false, _) => "native",
        (true, false) => "wasip1",
        (true, true) => "wasip2",
    }
}

fn list() {
    for (name, ends, targets) in CASES {
        if targets.contains(&target()) {
            let ends = if name == "listed_otherwise" && target() == "wasip2" { "panics: something" } else { ends };
            println!("{name}\t{ends}");
        }
    }
}

/// Reads from a file this many times, and prints a bound of one read.
fn read(path: &Path, times: usize) {
    fs::write(path, "0123456789").expect("the directory can be written");
    // The library's own call, because the number of calls of the standard library for a read may change with its
    // version.
    let file = OsFile::from(fs::File::open(path).expect("the file can be opened"));
    println!("counting one read");
    for _ in 0..times {
        assert_eq!(file.read_at(&mut [0; 4], 0).expect("the file can be read"), 4);
    }
    println!("counted one read: reads 1..=1, bytes read 4..=4, syncs 0..=0");
}

fn run(case: &str, dir: &Path) {
    println!("begins");
    let on = |name: &str| target() == name;
    let mut content = "0123456789".to_owned();
    match case {
        "panics_wrongly" if on("wasip1") => panic!("another message"),
        "panics_rightly" | "panics_wrongly" => panic!("index out of range: 9"),
        "never_panics" if !on("wasip2") => panic!("index out of range: 9"),
        "panics_unexpectedly" if on("wasip2") => panic!("an unexpected panic"),
        "observes_otherwise" if on("wasip1") => println!("on wasip1"),
        "observes_otherwise" | "excepted" if !on("wasip2") => println!("not on wasip2"),
        "excepted" => println!("on wasip2"),
        "leaves_otherwise" if on("wasip2") => content.replace_range(4..5, "x"),
        "stops_early" if on("wasip1") => return,
        "exits" if on("wasip2") => exit(1),
        "loops" if on("wasip1") => spin(),
        "wants_memory" if !on("native") => allocate(),
        "reads_twice" => read(&dir.join("read"), if on("native") { 1 } else { 2 }),
        "stops_counting" => {
            println!("counting nothing");
            if !on("wasip2") {
                println!("counted nothing: reads 0..=0, writes 0..=0");
            }
        }
        _ => {}
    }
    fs::write(dir.join("left"), content).expect("the directory can be written");
    println!("end of {case}");
}
