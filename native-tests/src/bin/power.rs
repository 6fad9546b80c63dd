//! Edits, flushes and resizes a file by a script. It reports each act that has returned to a second file beside the
//! first one, until a report fails. Then the last power failure has happened.
//!
//! With `early` it breaks its guarantee on purpose. A test of the host checks that the host detects that.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use native_tests::crash::Step;
use native_tests::power::{Act, FILE, REPORTS, Script};
use portable_mmap::{Backend, Mapping, MmapOptions, Result};

const USAGE: &str = "usage: power DIR SEED BACKEND [early]

BACKEND is `platform`, this platform's own, or `buffered`. `early` reports flushes without calling them.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (dir, seed, backend, is_early) = match args[..] {
        [dir, seed, backend] => (dir, seed, backend, false),
        [dir, seed, backend, "early"] => (dir, seed, backend, true),
        _ => return fail(USAGE),
    };
    let (Ok(seed), dir) = (seed.parse(), Path::new(dir)) else { return fail(USAGE) };
    let played = match backend {
        // SAFETY: nobody else uses the file while this program runs.
        "platform" => play(dir, seed, is_early, |options, path| unsafe { options.open(path) }),
        "buffered" => play(dir, seed, is_early, |options, path| options.open_buffered(path)),
        _ => return fail(USAGE),
    };
    match played {
        Ok(refused) => {
            // For the log, in case too few acts were reported.
            eprintln!("power: a report failed: {refused}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&format!("power: seed {seed}, {backend}: {error}")),
    }
}

/// Plays until a report fails, and returns the reason.
fn play<B: Backend>(
    dir: &Path,
    seed: u64,
    is_early: bool,
    open: impl Fn(&MmapOptions, &Path) -> Result<Mapping<B>>,
) -> io::Result<io::Error> {
    let path = dir.join(FILE);
    let mut reports = OpenOptions::new().write(true).open(dir.join(REPORTS))?;
    let mut map = open(&MmapOptions::new(), &path)?;
    for (number, act) in Script::new(seed).enumerate() {
        match act {
            Act::Step(Step::Flush { .. }) if is_early => {}
            Act::Step(step) => step.apply(&mut map)?,
            Act::Reopen { to, .. } => {
                map.close()?;
                // A close alone guarantees nothing about the disk.
                OpenOptions::new().write(true).open(&path)?.sync_all()?;
                map = open(MmapOptions::new().len(to).extend(true), &path)?;
            }
        }
        if let Err(refused) = reports.write_all(format!("{number}\n").as_bytes()) {
            return Ok(refused);
        }
    }
    unreachable!("a script has no end")
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}
