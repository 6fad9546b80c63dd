//! Simulates power failures: a disk loses what was not synced, and then the file on it is checked.
//!
//! The disk is a file system of this process, mounted through FUSE, with one file. It keeps synced bytes apart from
//! unsynced changes. A program edits, flushes and resizes the file by a script of [`native_tests::power`]. The power
//! fails at seeded points, which are counted in requests of the program. Each unsynced change reaches the disk or not,
//! in any order and torn, and so does each length. Then every byte is checked: it must be the byte that the last
//! returned flush of it guarantees, or one that the script has written since. The program does not notice the failure,
//! and continues to the next point.
//!
//! The program reports each returned step to another file of the file system, so these are known exactly.

#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing is mounted on other systems"))]
mod checker;
mod column;
mod control;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing is mounted on other systems"))]
mod disk;
#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
mod mount;
mod plan;
mod table;
mod tally;

use self::checker::Checker;
use self::column::{Column, Place};
use self::mount::Mounted;
use crate::terminal::progress;

pub use control::ControlResult;
pub use plan::{Controls, Plan};
pub use table::render;
pub use tally::Tally;

/// The number of power failures in one run of a program.
const POINTS_OF_A_RUN: usize = 50;

/// The results of all power failures.
#[derive(Debug)]
pub struct Results {
    /// The results of the unchanged library.
    pub columns: Vec<Tally>,
    /// The results of broken libraries.
    pub controls: Vec<ControlResult>,
}

impl Results {
    /// Whether only the controls lost bytes, and each of them that should.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.columns.iter().all(Tally::passed) && self.controls.iter().all(ControlResult::passed)
    }
}

/// The reason why no file system can be mounted here, if there is one.
#[must_use]
pub fn obstacle() -> Option<String> {
    let mounted = Mounted::new(Checker::new(0, 0, false)).map_err(|error| error.to_string());
    mounted.and_then(Mounted::unmount).err()
}

/// Simulates as many power failures as the plan requires.
///
/// # Errors
///
/// Fails if a control cannot be built.
pub fn run(plan: &Plan) -> Result<Results, String> {
    let each = plan.points.div_ceil(Place::ALL.len());
    let count = Place::ALL.len() + plan.controls.as_ref().map_or(0, |_| control::count());
    let progress = progress(each * count);
    let edit = |column: &Column| {
        progress.set_message(column.name());
        let mut tally = Tally { name: column.name(), ..Tally::default() };
        // Columns do not share scripts, and a control has the scripts of its column.
        let scripts = each.div_ceil(POINTS_OF_A_RUN) as u64;
        let (mut seed, mut left) = (plan.seed + scripts * column.place() as u64, each);
        while left > 0 {
            let points = left.min(POINTS_OF_A_RUN);
            tally.join(column.run_script(seed, points));
            progress.inc(points as u64);
            (seed, left) = (seed + 1, left - points);
        }
        tally
    };
    let programs = [&plan.native, &plan.native, &plan.wasip1, &plan.wasip2];
    let columns = Place::ALL.into_iter().zip(programs);
    let columns = columns.map(|(place, program)| edit(&Column::new(place, program.clone(), plan))).collect();
    let controls = plan.controls.as_ref().map_or(Ok(Vec::new()), |controls| control::run(plan, controls, edit));
    progress.finish_and_clear();
    Ok(Results { columns, controls: controls? })
}
