//! A disk that forgets what was not synced when the power fails, and what a file on it holds then.
//!
//! The disk is a file system of this process, mounted through FUSE, with one file. It keeps what was synced apart from what
//! was not. A program edits, flushes and resizes the file by a script of [`native_tests::power`]. At seeded points, counted
//! in requests of the program's, the power fails: of what was not synced each change reaches the disk or not, in any order
//! and torn, and each length too. Then every byte is looked at: it is what the last flush of it that had returned has
//! promised, or what the script made of it since. The program does not notice, and goes on to the next point.
//!
//! What has returned is known exactly: the program reports it to another file of the file system.

mod column;
mod control;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing is mounted there"))]
mod disk;
#[cfg_attr(not(target_os = "linux"), path = "nowhere.rs")]
mod mount;
mod plan;
mod table;
mod tally;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing is mounted there"))]
mod witness;

use self::column::{Column, Place};
use self::mount::Mounted;
use self::witness::Witness;
use crate::terminal::progress;

pub use control::Told;
pub use plan::{Controls, Plan};
pub use table::render;
pub use tally::Tally;

/// Power failures in one run of a program.
const POINTS_OF_A_RUN: usize = 50;

/// What all power failures have left.
#[derive(Debug)]
pub struct Results {
    /// The library as it is.
    pub columns: Vec<Tally>,
    /// Libraries that are broken.
    pub controls: Vec<Told>,
}

impl Results {
    /// Whether nothing is lost but by the controls, and by those as it should be.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.columns.iter().all(Tally::passed) && self.controls.iter().all(Told::passed)
    }
}

/// Why no file system can be mounted here, if so.
#[must_use]
pub fn obstacle() -> Option<String> {
    let mounted = Mounted::new(Witness::new(0, 0, false)).map_err(|error| error.to_string());
    mounted.and_then(Mounted::unmount).err()
}

/// Lets the power fail as often as the plan says.
///
/// # Errors
///
/// A control that cannot be built.
pub fn run(plan: &Plan) -> Result<Results, String> {
    let each = plan.points.div_ceil(Place::ALL.len());
    let count = Place::ALL.len() + plan.controls.as_ref().map_or(0, |_| control::count());
    let progress = progress(each * count);
    let edit = |column: &Column| {
        progress.set_message(column.name());
        let mut tally = Tally { name: column.name(), ..Tally::default() };
        // No two columns share a script, and a control has that of its column.
        let scripts = each.div_ceil(POINTS_OF_A_RUN) as u64;
        let (mut seed, mut left) = (plan.seed + scripts * column.place() as u64, each);
        while left > 0 {
            let points = left.min(POINTS_OF_A_RUN);
            tally.join(column.play(seed, points));
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
