//! Instructions of the hot loops, natively: times differ from run to run, and these do not.

use std::path::Path;
use std::process::{Command, Stdio};

use native_tests::workloads::{Place, Ways, all, data};
use wasmtime::error::Context as _;

use super::measured::Instructions;
use super::plan::Plan;
use super::program;

/// Enough that what is done once has no share in it.
const LEN: usize = data::MIB;

/// Counts with callgrind, where it is found: what one time more costs.
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
            #[expect(clippy::cast_precision_loss, reason = "counts far below 2 to the 52nd")]
            let each = twice.saturating_sub(once) as f64 / LEN as f64;
            list.push(Instructions { workload: workload.name, way: way.to_owned(), each });
        }
    }
    Ok(Some(list))
}

fn collected(native: &Path, data: &Path, words: [&str; 2], times: &str) -> wasmtime::Result<u64> {
    let tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let len = LEN.to_string();
    let said = program::under(&tool, native, data, words, &["--times", times, "--len", &len])?;
    parse(&said).with_context(|| format!("callgrind said {said:?}"))
}

fn parse(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.split_once("Collected :"))?.1;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_count_is_found() {
        assert_eq!(parse("==1== Events    : Ir\n==1== Collected : 277429\n==1== \n"), Some(277_429));
        assert_eq!(parse("==1== Command: bench\n"), None);
    }
}
