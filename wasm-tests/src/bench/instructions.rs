//! Counts the instructions of hot loops, natively. Unlike times, they are the same in each run.

use std::path::Path;
use std::process::{Command, Stdio};

use native_tests::workloads::{Place, Ways, all, data};
use wasmtime::error::Context as _;

use super::measured::Instructions;
use super::plan::Plan;
use super::program;

/// The length of the data, at which the costs of the start do not matter.
const LEN: usize = data::MIB;

/// Counts with callgrind, if it is installed: the difference between running a way twice and once.
pub(super) fn count(native: &Path, data: &Path, plan: &Plan) -> wasmtime::Result<Option<Vec<Instructions>>> {
    let there = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let mut list = Vec::new();
    let wanted = |name: &str| plan.filter.as_ref().is_none_or(|filter| name.contains(filter));
    for workload in all().iter().filter(|workload| workload.hot && wanted(workload.name)) {
        let mut ways = Ways::default();
        let scratch = tempfile::tempdir().context("there is no directory to write to")?;
        let place = Place { data: data.to_owned(), scratch: scratch.path().to_owned(), len: LEN, python: None };
        (workload.ready)(&place, &mut ways);
        for way in ways.names().filter(|&way| way != "CPython") {
            let once = collected(native, data, [workload.name, way], "1")?;
            let twice = collected(native, data, [workload.name, way], "2")?;
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
            let each = twice.saturating_sub(once) as f64 / LEN as f64;
            list.push(Instructions { workload: workload.name, way: way.to_owned(), each });
        }
    }
    Ok(Some(list))
}

fn collected(native: &Path, data: &Path, words: [&str; 2], times: &str) -> wasmtime::Result<u64> {
    let tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let len = LEN.to_string();
    let output = program::run_under(&tool, native, data, words, &["--times", times, "--len", &len])?;
    parse(&output).with_context(|| format!("callgrind printed {output:?}"))
}

fn parse(output: &str) -> Option<u64> {
    let line = output.lines().find_map(|line| line.split_once("Collected :"))?.1;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_count_is_parsed() {
        assert_eq!(parse("==1== Events    : Ir\n==1== Collected : 277429\n==1== \n"), Some(277_429));
        assert_eq!(parse("==1== Command: bench\n"), None);
    }
}
