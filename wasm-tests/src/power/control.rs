//! Libraries that do not sync what they should: each must lose bytes, or else nothing that a column shows is worth much.

use super::column::{Column, Place};
use super::plan::{Controls, Plan};
use super::tally::Tally;
use crate::mutants::copy::Copy;

/// A library that is broken in one place.
#[derive(Debug)]
struct Control {
    /// What it does wrong.
    name: &'static str,
    /// The text of the library that is changed, and its file.
    file: &'static str,
    old: &'static str,
    new: &'static str,
    /// Where it is run.
    places: &'static [Place],
    /// Why nothing is lost all the same, where that is so.
    harmless: Option<&'static str>,
}

const NO_SYNC: &str = "no sync";
const NO_LENGTH: &str = "no sync of a new length";
const BUFFERS: &[Place] = &[Place::Buffered, Place::Wasip1, Place::Wasip2];

const CONTROLS: [Control; 4] = [
    Control {
        name: NO_SYNC,
        file: "src/backend/mapped/sync.rs",
        old: "let durability = if self.unsynced.has_failed { Durability::Disk } else { durability };",
        new: "let durability = Durability::Visible;",
        places: &[Place::Mapped],
        harmless: None,
    },
    Control {
        name: NO_SYNC,
        file: "src/backend/buffered/write_back.rs",
        old: "let synced = storage.sync();",
        new: "let synced = std::io::Result::Ok(());",
        places: BUFFERS,
        harmless: None,
    },
    Control {
        name: NO_LENGTH,
        file: "src/backend/mapped/sync.rs",
        old: "(durability, self.unsynced.has_new_len, &self.source)",
        new: "(durability, false, &self.source)",
        places: &[Place::Mapped],
        harmless: Some("on Linux msync syncs the whole file, with its length"),
    },
    Control {
        name: NO_LENGTH,
        file: "src/backend/buffered/unsynced.rs",
        old: "self.has_no_runs() && !self.has_new_len && !self.has_failed",
        new: "self.has_no_runs() && !self.has_failed",
        places: BUFFERS,
        harmless: None,
    },
];

/// What became of a control in one column.
#[derive(Debug)]
pub struct Told {
    /// What the library does wrong.
    pub name: &'static str,
    /// Why nothing is lost all the same, where that is so.
    pub harmless: Option<&'static str>,
    /// What it has lost.
    pub tally: Tally,
}

impl Told {
    /// Whether it has lost what it should.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.tally.problems.is_empty() && (self.harmless.is_some() || !self.tally.losses.is_empty())
    }
}

/// How many columns of controls there are.
pub(super) fn count() -> usize {
    CONTROLS.iter().map(|control| control.places.len()).sum()
}

/// Builds each of them, and has it edit the file where it belongs.
pub(super) fn run(plan: &Plan, controls: &Controls, edit: impl Fn(&Column) -> Tally) -> Result<Vec<Told>, String> {
    let copy = Copy::make(&controls.workspace, &controls.scratch)?;
    let mut told = Vec::new();
    for control in &CONTROLS {
        let changed = copy.change(control.file, control.old, control.new)?;
        let columns: Result<Vec<_>, String> = control
            .places
            .iter()
            .map(|&place| Ok(Column::new(place, copy.build("power", place.target())?, plan)))
            .collect();
        // Before an error is told: the next run would copy the change away, but nobody else who builds there.
        changed.undo()?;
        for column in columns? {
            told.push(Told { name: control.name, harmless: control.harmless, tally: edit(&column) });
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{CONTROLS, Copy};

    #[test]
    fn every_control_applies_to_the_library_as_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        let copy = Copy::make(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")), scratch.path()).unwrap();
        for control in &CONTROLS {
            copy.change(control.file, control.old, control.new).unwrap().undo().unwrap();
        }
    }
}
