//! Many instances that are alive at once, and each map one file: in a process of their own, whose memory is theirs.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use wasmtime::Result;
use wasmtime::error::Context as _;

use super::embedding::{Embedding, Offer};

/// Which instances, and what each does.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// The program `placed` as a guest.
    pub module: PathBuf,
    /// The directory that each is given.
    pub dir: PathBuf,
    /// The file, as the guest names it.
    pub file: String,
    /// How many there are.
    pub instances: usize,
    /// How many blocks each touches: the same ones.
    pub blocks: usize,
    /// Whether their memories come from a pool.
    pub pooling: bool,
    /// Whether the host maps the file.
    pub host_mapping: bool,
}

/// What they cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The process's share in memory, in bytes, without what it had before.
    pub pss: u64,
    /// Its page tables, in bytes.
    pub page_tables: u64,
    /// To make them all.
    pub time: Duration,
}

impl Measured {
    /// As [`parse`](Self::parse) reads it.
    #[must_use]
    pub fn render(&self) -> String {
        format!("{} {} {}\n", self.pss, self.page_tables, self.time.as_nanos())
    }

    /// Reads what a process has printed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().map(str::parse);
        let mut next = || words.next()?.ok();
        Some(Self { pss: next()?, page_tables: next()?, time: Duration::from_nanos(next()?) })
    }
}

/// A line of a file of `/proc`, whose numbers are in KiB.
fn proc_number(file: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}, which Linux has"))?;
    let number = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok());
    Ok(number.with_context(|| format!("{file} has no line {name}"))? << 10)
}

fn pss() -> Result<u64> {
    proc_number("/proc/self/smaps_rollup", "Pss:")
}

/// Makes them all, and measures while all are alive.
///
/// # Errors
/// One that does not end well, and a system without `/proc`.
pub fn run(fleet: &Fleet) -> Result<Measured> {
    let embedding = Embedding::new(fleet.pooling, if fleet.host_mapping { Offer::Mappings } else { Offer::Nothing })?;
    let module = embedding.load(&fleet.module)?;
    let (blocks, before) = (fleet.blocks.to_string(), pss()?);
    let start = Instant::now();
    let mut alive = Vec::with_capacity(fleet.instances);
    for _ in 0..fleet.instances {
        let args = ["hold", &fleet.file, &blocks];
        alive.push(embedding.start(&module, &fleet.dir, &args)?.0);
    }
    let time = start.elapsed();
    let measured =
        Measured { pss: pss()?.saturating_sub(before), page_tables: proc_number("/proc/self/status", "VmPTE:")?, time };
    drop(alive);
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_read_as_it_was_written() {
        let measured = Measured { pss: 5, page_tables: 6, time: Duration::from_nanos(7) };
        assert_eq!(Measured::parse(&measured.render()), Some(measured));
        assert_eq!(Measured::parse("1 2"), None);
    }
}
