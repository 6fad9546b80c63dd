//! A fleet: many instances that exist at the same time and each map one file. It runs in a separate process to measure
//! its memory.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use wasmtime::Result;
use wasmtime::error::Context as _;

use super::embedding::{Embedding, Offer};

/// The instances of a fleet, and what they do.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// The program `placed` as a guest.
    pub module: PathBuf,
    /// The directory that each instance gets.
    pub dir: PathBuf,
    /// The name of the file in the guest.
    pub file: String,
    /// The number of instances.
    pub instances: usize,
    /// How many blocks each instance accesses; all access the same blocks.
    pub blocks: usize,
    /// Whether their memories come from a pool.
    pub pooling: bool,
    /// Whether the host maps the file.
    pub host_mapping: bool,
}

/// The costs of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The process's proportional set size in bytes, without that before the start of the fleet.
    pub pss: u64,
    /// The size of its page tables in bytes.
    pub page_tables: u64,
    /// The time to make all instances.
    pub time: Duration,
}

impl Measured {
    /// The text that [`parse`](Self::parse) reads.
    #[must_use]
    pub fn render(&self) -> String {
        format!("{} {} {}\n", self.pss, self.page_tables, self.time.as_nanos())
    }

    /// Parses the output of a process.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().map(str::parse);
        let mut next = || words.next()?.ok();
        Some(Self { pss: next()?, page_tables: next()?, time: Duration::from_nanos(next()?) })
    }
}

/// The number in a line of a file of `/proc`, in bytes. The file has KiB.
fn proc_number(file: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}, which Linux has"))?;
    let number = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok());
    Ok(number.with_context(|| format!("{file} has no line {name}"))? << 10)
}

fn pss() -> Result<u64> {
    proc_number("/proc/self/smaps_rollup", "Pss:")
}

/// Makes all instances, and measures while they all exist.
///
/// # Errors
/// Fails if an instance fails, or the system has no `/proc`.
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
    fn rendered_costs_can_be_parsed() {
        let measured = Measured { pss: 5, page_tables: 6, time: Duration::from_nanos(7) };
        assert_eq!(Measured::parse(&measured.render()), Some(measured));
        assert_eq!(Measured::parse("1 2"), None);
    }
}
