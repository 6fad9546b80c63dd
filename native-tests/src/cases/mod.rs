//! The cases, by subject.

use crate::{Case, FileBackend};

mod moving;
mod notation;
mod panics;
mod position;
mod search;
mod slice;

/// Every case, in the order in which they are listed.
#[must_use]
pub fn all<B: FileBackend>() -> Vec<Case<B>> {
    let subjects =
        [slice::cases(), panics::cases(), notation::cases(), search::cases(), moving::cases(), position::cases()];
    subjects.into_iter().flatten().collect()
}
