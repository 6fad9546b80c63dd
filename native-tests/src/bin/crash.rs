//! Edits and flushes a file by a script until it is killed. It reports each call that guarantees something after the
//! call has returned. The host that kills it then checks the file.
//!
//! With a flaw it breaks these guarantees on purpose. A test of the host checks that the host detects that.

use std::convert::Infallible;
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::ExitCode;

use native_tests::crash::{Script, Step};
use portable_mmap::{Backend, Error, Mapping, MmapOptions};

const USAGE: &str = "usage: crash FILE SEED BACKEND [early|stray]

BACKEND is `platform`, this platform's own, or `buffered`. `early` reports flushes without calling them; `stray` also
writes a byte that does not belong to the script. The program prints the number of each step whose call guarantees
something and has returned.";

/// A guarantee to break.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Early,
    Stray,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (path, seed, backend, flaw) = match args[..] {
        [path, seed, backend] => (path, seed, backend, None),
        [path, seed, backend, "early"] => (path, seed, backend, Some(Flaw::Early)),
        [path, seed, backend, "stray"] => (path, seed, backend, Some(Flaw::Stray)),
        _ => return fail(USAGE),
    };
    let (Ok(seed), path) = (seed.parse(), Path::new(path)) else { return fail(USAGE) };
    let options = MmapOptions::new();
    let played = match backend {
        // SAFETY: nobody else uses the file while this program runs; the stray byte is a flaw on purpose.
        "platform" => unsafe { options.open(path) }.and_then(|map| play(map, path, seed, flaw)),
        "buffered" => options.open_buffered(path).and_then(|map| play(map, path, seed, flaw)),
        _ => return fail(USAGE),
    };
    match played {
        Ok(never) => match never {},
        Err(error) => fail(&format!("crash: seed {seed}, {backend}: {error}")),
    }
}

fn play<B: Backend>(mut map: Mapping<B>, path: &Path, seed: u64, flaw: Option<Flaw>) -> Result<Infallible, Error> {
    let mut out = std::io::stdout().lock();
    for (number, step) in Script::new(seed).enumerate() {
        match (&step, flaw) {
            (Step::Flush { .. }, Some(Flaw::Early)) => {}
            (Step::Flush { .. }, Some(Flaw::Stray)) => {
                write_stray(path, map.len() - 1 - number % 100);
                step.apply(&mut map)?;
            }
            _ => step.apply(&mut map)?,
        }
        if step.guarantees() {
            // Written before the next step begins. If the reader is gone, nobody will kill this program, so it ends.
            if writeln!(out, "{number}").and_then(|()| out.flush()).is_err() {
                std::process::exit(1);
            }
        }
    }
    unreachable!("a script has no end")
}

/// Writes a byte to the file that is very unlikely to have been there before.
fn write_stray(path: &Path, at: usize) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).expect("the file can be opened");
    file.seek(SeekFrom::Start(at as u64)).expect("a file has a cursor");
    file.write_all(&[0xa5]).expect("the file can be written");
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}
