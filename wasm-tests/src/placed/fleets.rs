//! Measures fleets of each size over each file, emulated and hosted: their costs in memory and time.

use std::fmt::Write as _;
use std::process::Command;

use comfy_table::Cell;
use wasmtime::{Result, bail};

use super::{Measured, Plan, make_file};
use crate::terminal::{align_right, new_table};

/// The numbers of instances that exist at the same time.
pub(super) const INSTANCES: [usize; 4] = [1, 10, 100, 1000];

/// The lengths in MiB of the files that they map.
pub(super) const FILES: [u64; 2] = [64, 1024];

/// The ways to map.
pub(super) const WAYS: [&str; 2] = ["emulated", HOSTED];
const HOSTED: &str = "hosted";

/// The costs of one fleet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) mib: u64,
    pub(super) way: &'static str,
    pub(super) pooling: bool,
    pub(super) instances: usize,
    pub(super) measured: Measured,
}

/// Measures all fleets: each size with memories on demand, and the largest also with memories from a pool.
///
/// # Errors
/// Fails if a fleet fails, with the output of all that fail.
pub(super) fn measure(plan: &Plan) -> Result<Vec<Cost>> {
    let (mut fleets, mut problems) = (Vec::new(), String::new());
    for mib in FILES {
        make_file(&plan.dir.join(format!("{mib}.bin")), mib << 20)?;
        for way in WAYS {
            let sizes = INSTANCES.into_iter().map(|instances| (instances, false));
            for (instances, pooling) in sizes.chain([(INSTANCES[INSTANCES.len() - 1], true)]) {
                let allocator = if pooling { ", from a pool" } else { "" };
                eprintln!("== instances: {instances}, {way}{allocator}, of a file of {mib} MiB");
                let mut command = Command::new(&plan.harness);
                command.arg("fleet").arg("--module").arg(&plan.guest).arg("--dir").arg(&plan.dir);
                command.args(["--file", &format!("/{mib}.bin"), "--instances", &instances.to_string()]);
                command.args(["--blocks", &plan.blocks.to_string()]);
                if pooling {
                    command.arg("--pooling");
                }
                if way == HOSTED {
                    command.arg("--host-mapping");
                }
                let output = command.output()?;
                if let Some(measured) = Measured::parse(&String::from_utf8_lossy(&output.stdout)) {
                    fleets.push(Cost { mib, way, pooling, instances, measured });
                } else {
                    let stderr = String::from_utf8_lossy(&output.stderr);
                    _ = writeln!(problems, "FAILED {instances} {way}{allocator}: {}", stderr.trim_end());
                }
            }
        }
    }
    if problems.is_empty() { Ok(fleets) } else { bail!("{problems}") }
}

/// A table with a row for each fleet.
pub(super) fn table(fleets: &[Cost]) -> String {
    let mut table = new_table(&["file", "instances", "way", "PSS", "page tables", "time"]);
    for Cost { mib, way, pooling, instances, measured } in fleets {
        let allocator = if *pooling { ", from a pool" } else { "" };
        let size = |bytes: u64| Cell::new(format!("{:.1} MiB", mebibytes(bytes)));
        table.add_row([
            Cell::new(format!("{mib} MiB")),
            Cell::new(instances),
            Cell::new(format!("{way}{allocator}")),
            size(measured.pss),
            size(measured.page_tables),
            Cell::new(format!("{:.3} s", measured.time.as_secs_f64())),
        ]);
    }
    align_right(&mut table, 3);
    format!("{table}\n")
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
