//! Runs every case natively, over each backend, and compares the transcripts.

mod common;

use std::convert::identity;

use common::play;
use libtest_mimic::{Arguments, Failed, Trial};
use native_tests::cases;
use native_tests::counted::CountedFile;
use native_tests::ledger::{Exception, Platform};
use portable_mmap::{Buffered, Mapped};

fn main() {
    let mapped = cases::all::<Mapped>();
    let buffered = cases::all::<Buffered<CountedFile>>();
    let ledger: Vec<Exception> = Platform::MAPPED_HERE.exceptions("native Mapped").collect();
    for exception in &ledger {
        let is_there = mapped.iter().any(|case| case.name == exception.case);
        assert!(is_there, "the ledger lists {}, which is not a case", exception.case);
    }
    let trials = mapped.into_iter().zip(buffered).map(|(mapped, buffered)| {
        assert_eq!(mapped.name, buffered.name, "every backend has the same cases");
        let excepted = ledger.iter().copied().find(|exception| exception.case == mapped.name);
        Trial::test(mapped.name, move || {
            if let Some(exception) = excepted {
                let transcript = play(&buffered, identity).map_err(|e| format!("buffered: {e}"))?;
                return match play(&mapped, identity) {
                    Ok(reference) if reference == transcript => Err("the ledger lists a case that passes".into()),
                    _ => {
                        println!("{} cannot pass on mapped: {}", exception.case, exception.reason);
                        Ok(())
                    }
                };
            }
            let reference = play(&mapped, identity).map_err(|e| format!("mapped: {e}"))?;
            let transcript = play(&buffered, identity).map_err(|e| format!("buffered: {e}"))?;
            same(&reference, &transcript)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
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
