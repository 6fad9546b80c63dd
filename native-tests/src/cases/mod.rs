//! The cases, by subject.

use crate::{Case, FileBackend};

mod closed;
mod errors;
mod large;
mod making;
mod moving;
mod notation;
mod oracle;
mod panics;
mod position;
mod reading;
mod reference;
mod scripts;
mod search;
mod slice;
mod traits;
mod writing;

/// Every case, in the order in which they are listed.
#[must_use]
pub fn all<B: FileBackend>() -> Vec<Case<B>> {
    let subjects = [
        making::cases(),
        slice::cases(),
        panics::cases(),
        notation::cases(),
        search::cases(),
        moving::cases(),
        position::cases(),
        reading::cases(),
        writing::cases(),
        traits::cases(),
        closed::cases(),
        errors::cases(),
        reference::cases(),
        oracle::cases(),
        scripts::cases(),
        large::cases(),
    ];
    subjects.into_iter().flatten().collect()
}
