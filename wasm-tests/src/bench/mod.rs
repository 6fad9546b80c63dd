//! Runs the workloads of `make bench` natively and in the sandbox, and checks their goals. Each goal is about the ratio
//! of two times from one run.

mod instructions;
pub mod jobs;
mod judge;
mod machine;
mod measured;
mod plan;
mod plot;
mod program;
mod render;
mod results;
mod sizes;

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use native_tests::workloads;
use wasmtime::error::Context as _;

pub use judge::{GoalResult, Verdict};
pub use machine::Machine;
pub use measured::{Instructions, Measured, Size};
pub use plan::{COLUMNS, NATIVE, Plan, SIMD};
pub use render::{markdown, missed_markdown, render};
pub use results::Results;

use program::Program;

/// Measures everything, one column after the other, and writes the reports: `report.json`, `machine.md`, `table.md`,
/// `missed.md`, `jobs.md`, `jobs-short.md` and `jobs-details.md` for the jobs, and `growth.svg`.
///
/// # Errors
///
/// Fails if a program cannot be run or fails, a line of its output cannot be parsed, or a report cannot be written.
pub fn run(plan: &Plan) -> wasmtime::Result<Results> {
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})")?;
    let progress = ProgressBar::new_spinner().with_style(style);
    progress.enable_steady_tick(Duration::from_millis(200));

    std::fs::create_dir_all(&plan.dir).with_context(|| format!("cannot make {}", plan.dir.display()))?;
    let data = plan.dir.join("data");
    progress.set_message("making the data");
    program::make_data(&plan.programs[0], &data, &plan.sources)?;

    let mut results = Results::new(workloads::python_version(Some(&plan.python)), Machine::current());
    for (column, path) in COLUMNS.into_iter().zip(&plan.programs) {
        let program = Program::load(column, path, &data)?;
        for name in program.list()? {
            if plan.filter.as_ref().is_some_and(|filter| !name.contains(filter)) {
                continue;
            }
            progress.set_message(format!("{column}: {name}"));
            results.measured.extend(program.measure(&name, plan)?);
        }
    }
    results.jobs = jobs::measure(plan, &data, &progress)?;
    results.peer = jobs::compare_peer(plan, &data, &progress)?;
    if results.measured.is_empty() && results.jobs.is_empty() && results.peer.is_none() {
        wasmtime::bail!("there is no such workload");
    }
    progress.set_message("counting instructions");
    results.instructions = instructions::count(&plan.programs[0], &data, plan)?;
    results.sizes = sizes::measure(plan)?;
    results.goal_results = judge::judge(&results.measured);
    if let Some(machine) = &mut results.machine {
        machine.finish();
    }
    progress.finish_and_clear();

    let write = |name: &str, text: String| {
        let path = plan.dir.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write("report.json", format!("{:#}\n", results.to_json()))?;
    write("machine.md", results.machine.as_ref().map_or_else(String::new, Machine::markdown))?;
    if !results.measured.is_empty() {
        write("table.md", markdown(&results))?;
        write("missed.md", missed_markdown(&results))?;
    }
    if !results.jobs.is_empty() {
        write("jobs.md", jobs::markdown(&results.jobs, &results.sizes))?;
        write("jobs-short.md", jobs::short_markdown(&results.jobs))?;
        write("jobs-details.md", jobs::details_markdown(&results.jobs))?;
    }
    if plan.filter.is_none() {
        write("growth.svg", plot::draw(&results.measured)?)?;
    }
    Ok(results)
}
