//! The machine that a benchmark ran on, and how busy it was.

use std::fmt;

use serde_json::{Value, json};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The machine, and its load before and after the benchmark.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// The name of its processor.
    pub processor: String,
    /// How many processors it has.
    pub processors: usize,
    /// Its memory, in bytes.
    pub memory: u64,
    /// The name and the version of its kernel.
    pub system: String,
    /// How many programs ran or waited for a processor in the minute before the benchmark, on average.
    pub load_before: f64,
    /// The same for the last minute of the benchmark, which includes the benchmark itself.
    pub load_after: f64,
}

impl Machine {
    /// Reads the facts about this machine, at the start of a benchmark.
    #[must_use]
    pub fn current() -> Self {
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(what);
        let unknown = || "unknown".to_owned();
        let load = load();
        Self {
            processor: system.cpus().first().map_or_else(unknown, |cpu| cpu.brand().trim().to_owned()),
            processors: system.cpus().len(),
            memory: system.total_memory(),
            system: System::kernel_long_version(),
            load_before: load,
            load_after: load,
        }
    }

    /// Reads the load again, at the end of the benchmark.
    pub(super) fn finish(&mut self) {
        self.load_after = load();
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "processor": self.processor, "processors": self.processors, "memory": self.memory, "system": self.system,
            "load_before": self.load_before, "load_after": self.load_after,
        })
    }

    /// The table of docs/performance.md.
    #[must_use]
    pub fn markdown(&self) -> String {
        format!(
            "| machine | processors | memory | system | load before | load at the end |\n|---|---:|---:|---|---:|---:|\n\
             | {} | {} | {} GiB | {} | {:.2} | {:.2} |\n",
            self.processor,
            self.processors,
            gib(self.memory),
            self.system,
            self.load_before,
            self.load_after
        )
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} processors, {}, with {} GiB of memory, {}; load {:.2} before, {:.2} at the end",
            self.processors,
            self.processor,
            gib(self.memory),
            self.system,
            self.load_before,
            self.load_after
        )
    }
}

fn gib(bytes: u64) -> u64 {
    (bytes + (1 << 29)) >> 30
}

/// The average of the last minute. Windows has none, and reports 0.
fn load() -> f64 {
    System::load_average().one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_about_this_machine_are_there() {
        let machine = Machine::current();
        assert!(machine.processors > 0 && machine.memory > 1 << 29, "{machine:?}");
        assert!(!machine.processor.is_empty() && !machine.system.is_empty(), "{machine:?}");
        assert_eq!(machine.markdown().lines().count(), 3);
    }
}
