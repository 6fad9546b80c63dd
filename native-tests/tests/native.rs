//! Runs every case natively, over each backend, and compares the transcripts.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;

use libtest_mimic::{Arguments, Failed, Trial};
use native_tests::ledger::LEDGER;
use native_tests::{Case, Ends, FileBackend, Scene, cases};
use portable_mmap::{Buffered, Mapped, OsFile};

fn main() {
    let mapped = cases::all::<Mapped>();
    let buffered = cases::all::<Buffered<OsFile>>();
    let trials = mapped.into_iter().zip(buffered).map(|(mapped, buffered)| {
        assert_eq!(mapped.name, buffered.name, "every backend has the same cases");
        let excepted = LEDGER.iter().find(|exception| exception.case == mapped.name && exception.column == "mapped");
        Trial::test(mapped.name, move || {
            if let Some(exception) = excepted {
                let transcript = play(&buffered).map_err(|e| format!("buffered: {e}"))?;
                return match play(&mapped) {
                    Ok(reference) if reference == transcript => Err("the ledger excepts what holds".into()),
                    _ => {
                        println!("{} does not hold on mapped: {}", exception.case, exception.reason);
                        Ok(())
                    }
                };
            }
            let reference = play(&mapped).map_err(|e| format!("mapped: {e}"))?;
            let transcript = play(&buffered).map_err(|e| format!("buffered: {e}"))?;
            same(&reference, &transcript)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// Plays a case in a directory of its own. Gives its transcript, with the files that it leaves.
fn play<B: FileBackend>(case: &Case<B>) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().map_err(|e| format!("no directory for the case: {e}"))?;
    let transcript = Rc::new(RefCell::new(Vec::new()));
    let lines = transcript.clone();
    let mut scene = Scene::new(dir.path(), move |line| lines.borrow_mut().push(line.to_owned()));
    let ended = catch_unwind(AssertUnwindSafe(|| (case.run)(&mut scene)));
    let message = ended.map_err(|panic| match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast::<&str>().map_or_else(|_| "a panic without words".into(), |text| text.to_string()),
    });
    match (case.ends, message) {
        (Ends::Finishing, Ok(())) => {}
        (Ends::Finishing, Err(message)) => return Err(message),
        (Ends::Panicking(text), Ok(())) => return Err(format!("did not panic with {text:?}")),
        (Ends::Panicking(text), Err(message)) if message.contains(text) => {}
        (Ends::Panicking(text), Err(message)) => return Err(format!("panicked with {message:?}, not {text:?}")),
    }
    let mut lines = transcript.take();
    if lines.is_empty() {
        return Err("the case observed nothing".into());
    }
    lines.extend(files(dir.path())?);
    Ok(lines)
}

/// A line for each file that a case has left.
fn files(dir: &Path) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| e.to_string())? {
        let path = entry.map_err(|e| e.to_string())?.path();
        let len = path.metadata().map_err(|e| e.to_string())?.len();
        // Sparse giants are the cases' own to look at.
        let small = path.is_file() && len <= 1 << 30;
        let content = if small { std::fs::read(&path).map_err(|e| e.to_string())? } else { Vec::new() };
        let hash = content.iter().fold(0_u64, |hash, &byte| hash.rotate_left(5).wrapping_mul(31) ^ u64::from(byte));
        lines.push(format!("{}: {len} bytes, {hash:016x}", path.file_name().unwrap_or_default().display()));
    }
    lines.sort();
    Ok(lines)
}

fn same(reference: &[String], transcript: &[String]) -> Result<(), Failed> {
    if reference == transcript {
        return Ok(());
    }
    let at = reference.iter().zip(transcript).position(|(a, b)| a != b);
    let at = at.unwrap_or(reference.len().min(transcript.len()));
    let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "no line".into());
    Err(format!("line {at} differs\n  mapped:   {}\n  buffered: {}", line(reference), line(transcript)).into())
}
