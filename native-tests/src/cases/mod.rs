//! The cases, by subject.

use crate::{Case, FileBackend};

mod errors;
mod large;
mod making;
mod reference;
mod scripts;
mod slice;

/// Every case, in the order in which they are listed.
#[must_use]
pub fn all<B: FileBackend>() -> Vec<Case<B>> {
    let subjects =
        [making::cases(), slice::cases(), errors::cases(), reference::cases(), scripts::cases(), large::cases()];
    subjects.into_iter().flatten().collect()
}
