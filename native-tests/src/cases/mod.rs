//! The cases, by subject.

use crate::{Case, FileBackend};

mod advise;
mod close;
mod closed;
mod counting;
mod differences;
mod durable;
mod durable_together;
mod errors;
mod exporting;
mod faults;
mod flush;
mod guard;
mod iterating;
mod large;
mod lines;
mod loading;
mod lost;
mod making;
mod moving;
mod notation;
mod oracle;
mod pages;
mod panics;
mod position;
mod reading;
mod reference;
mod refresh;
mod resize;
mod scripts;
mod search;
mod shrunken;
mod slice;
mod storages;
mod traits;
mod write_back;
mod writing;

/// All cases, in the order of the list.
#[must_use]
pub fn all<B: FileBackend>() -> Vec<Case<B>> {
    let subjects = [
        making::cases(),
        slice::cases(),
        iterating::cases(),
        panics::cases(),
        notation::cases(),
        search::cases(),
        moving::cases(),
        position::cases(),
        reading::cases(),
        lines::cases(),
        writing::cases(),
        traits::cases(),
        flush::cases(),
        advise::cases(),
        resize::cases(),
        refresh::cases(),
        pages::cases(),
        close::cases(),
        exporting::cases(),
        closed::cases(),
        guard::cases(),
        lost::cases(),
        shrunken::cases(),
        errors::cases(),
        loading::cases(),
        storages::cases(),
        faults::cases(),
        differences::cases(),
        durable::cases(),
        durable_together::cases(),
        write_back::cases(),
        reference::cases(),
        oracle::cases(),
        scripts::cases(),
        large::cases(),
        counting::cases(),
    ];
    subjects.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use portable_mmap::{Buffered, OsFile};

    use super::all;

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for case in all::<Buffered<OsFile>>() {
            assert!(names.insert(case.name), "there are two cases {}", case.name);
        }
    }
}
