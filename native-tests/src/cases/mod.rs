//! The cases, by subject.

use crate::{Case, FileBackend};

mod advise;
mod close;
mod differences;
mod faults;
mod flush;
mod guard;
mod loading;
mod refresh;
mod resize;
mod scripts;
mod shrunken;
mod slice;
mod storage;
mod write_back;

/// Every case, in the order in which they are listed.
#[must_use]
pub fn all<B: FileBackend>() -> Vec<Case<B>> {
    let subjects = [
        slice::cases(),
        scripts::cases(),
        flush::cases(),
        advise::cases(),
        resize::cases(),
        refresh::cases(),
        close::cases(),
        guard::cases(),
        shrunken::cases(),
        write_back::cases(),
        loading::cases(),
        storage::cases(),
        faults::cases(),
        differences::cases(),
    ];
    subjects.into_iter().flatten().collect()
}
