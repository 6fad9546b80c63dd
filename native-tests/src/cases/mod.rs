//! The cases, by subject.

use crate::{Case, FileBackend};

mod closed;
mod moving;
mod notation;
mod oracle;
mod panics;
mod position;
mod reading;
mod search;
mod slice;
mod traits;
mod writing;

/// Every case, in the order in which they are listed.
#[must_use]
pub fn all<B: FileBackend>() -> Vec<Case<B>> {
    let subjects = [
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
        oracle::cases(),
    ];
    subjects.into_iter().flatten().collect()
}
