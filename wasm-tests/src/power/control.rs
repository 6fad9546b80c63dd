//! Libraries that do not sync what they should. Each must lose bytes; otherwise the results of the columns prove
//! little.

use super::column::{Column, Place};
use super::plan::{Controls, Plan};
use super::tally::Tally;
use crate::mutants::copy::Copy;

/// A library that is broken in one place.
#[derive(Debug)]
struct Control {
    /// Its flaw.
    name: &'static str,
    /// The file of the library that is changed, the text in it, and the replacement.
    file: &'static str,
    old: &'static str,
    new: &'static str,
    /// The columns in which it runs.
    places: &'static [Place],
    /// Why nothing is lost anyway, if nothing is lost.
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

/// The result of a control in one column.
#[derive(Debug)]
pub struct ControlResult {
    /// The flaw of the library.
    pub name: &'static str,
    /// Why nothing is lost anyway, if nothing is lost.
    pub harmless: Option<&'static str>,
    /// Its losses.
    pub tally: Tally,
}

impl ControlResult {
    /// Whether it has lost bytes as it should.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.tally.problems.is_empty() && (self.harmless.is_some() || !self.tally.losses.is_empty())
    }
}

/// The number of pairs of a control and a column.
pub(super) fn count() -> usize {
    CONTROLS.iter().map(|control| control.places.len()).sum()
}

/// Builds each control, and runs it in its columns.
pub(super) fn run(
    plan: &Plan,
    controls: &Controls,
    edit: impl Fn(&Column) -> Tally,
) -> Result<Vec<ControlResult>, String> {
    let copy = Copy::make(&controls.workspace, &controls.scratch)?;
    let mut results = Vec::new();
    for control in &CONTROLS {
        let changed = copy.change(control.file, control.old, control.new)?;
        let columns: Result<Vec<_>, String> = control
            .places
            .iter()
            .map(|&place| Ok(Column::new(place, copy.build("power", place.target())?, plan)))
            .collect();
        // The change is undone before an error is returned. The next run would undo it too, but other users of the
        // directory would build it.
        changed.undo()?;
        for column in columns? {
            results.push(ControlResult { name: control.name, harmless: control.harmless, tally: edit(&column) });
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{CONTROLS, Copy};

    #[test]
    fn every_control_applies_to_the_current_library() {
        let scratch = tempfile::tempdir().unwrap();
        let copy = Copy::make(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")), scratch.path()).unwrap();
        for control in &CONTROLS {
            copy.change(control.file, control.old, control.new).unwrap().undo().unwrap();
        }
    }
}
