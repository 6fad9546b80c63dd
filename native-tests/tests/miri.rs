//! Runs every case that is not large over the emulation and, under Miri, over OS mappings, which the library replaces
//! with memory of the allocator there. So Miri checks every access to the memory of both.

// On Windows the check of a file's mode moves its cursor.
#![cfg_attr(not(unix), allow(dead_code, unused_imports, reason = "there is nothing to run"))]

mod common;

use std::convert::identity;

use common::play;
use libtest_mimic::{Arguments, Trial};
use native_tests::{Case, FileBackend, Need, cases};
use portable_mmap::Buffered;

/// Cases that fail with memory in place of an OS mapping, by the start of their names. Cases that need a fault are left
/// out too, because a fault is a signal.
#[cfg(all(unix, miri))]
const LEFT_OUT_OF_MAPPED: &[(&str, &str)] = &[
    ("pages/", "two views of one file"),
    ("close/a_close_that_failed", "two views of one file"),
    ("close/a_failed_close", "two views of one file"),
    ("close/many_mappings", "two views of one file"),
    ("exporting/a_refresh", "two views of one file"),
    ("flush/truncated_changes", "two views of one file"),
    ("ownership/a_closed_mapping", "the memory keeps its file open"),
    ("refresh/a_", "two views of one file"),
    ("refresh/own_changes", "two views of one file"),
    ("refresh/changes_of_others", "two views of one file"),
    ("resize/a_file_that_another_truncated", "two views of one file"),
    ("resize/a_resized_mapping", "two views of one file"),
    ("windows/an_untouched", "two views of one file"),
    ("windows/changes_of_two", "two views of one file"),
    ("windows/mappings_of_two", "two views of one file"),
    ("windows/two_mappings", "two views of one file"),
    ("differences/", OF_A_STORAGE),
    ("durable/", OF_A_STORAGE),
    ("durable_together/", OF_A_STORAGE),
    ("faults/", OF_A_STORAGE),
    ("loading/", OF_A_STORAGE),
    ("shrunken/", OF_A_STORAGE),
    ("storage/", OF_A_STORAGE),
    ("storages/", OF_A_STORAGE),
    ("write_back/", OF_A_STORAGE),
];

/// The reason for cases that would run the same code a second time.
#[cfg(all(unix, miri))]
const OF_A_STORAGE: &str = "a mapping of a storage is a buffer with both backends";

#[cfg(not(unix))]
fn main() {}

/// Cases that Miri cannot run, by the start of their names, with the reason. Natively no case is left out.
const LEFT_OUT: &[(&str, &str)] = &[
    ("ways/", "the platform's own backend and files"),
    ("anonymous/", "memory that the platform maps"),
    ("modes/", "files opened by the crate, whose mode Miri cannot return"),
    ("order/", "files open only for writing, whose mode Miri cannot return"),
    ("extend/open_makes_the_file_longer", "files opened by the crate"),
    ("extend/allocated_blocks", "blocks of a disk, which Miri does not allocate"),
    ("resize/allocating_grows", "blocks of a disk, which Miri does not allocate"),
    ("errors/every_variant", "files opened by the crate"),
    ("errors/an_io_error_keeps", "files opened by the crate"),
    ("slice/a_regular_expression", "minutes of another crate's code over a plain slice"),
    ("reading/lines_longer_than", "minutes of another crate's code over long lines"),
    ("reading/a_long_line", "minutes of another crate's code over a long line"),
    ("search/changes_are_found", "minutes of another crate's code over a long mapping"),
    ("search/a_needle_may_be_the_whole_mapping", "minutes of another crate's code over a long needle"),
    ("search/periodic_needles", "minutes of another crate's code over long needles"),
    ("search/a_long_periodic_needle", "minutes of another crate's code over a long needle"),
];

#[cfg(unix)]
fn main() {
    let arguments = Arguments::from_args();
    let mut trials = trials::<Buffered>("Buffered", LEFT_OUT, &[]);
    trials.extend(trials_of_mapped());
    libtest_mimic::run(&arguments, trials).exit();
}

/// Natively `tests/native.rs` runs these cases over OS mappings.
#[cfg(all(unix, not(miri)))]
fn trials_of_mapped() -> Vec<Trial> {
    Vec::new()
}

#[cfg(all(unix, miri))]
fn trials_of_mapped() -> Vec<Trial> {
    trials::<portable_mmap::Mapped>("Mapped", &[LEFT_OUT, LEFT_OUT_OF_MAPPED].concat(), &[Need::FaultAddress])
}

#[cfg(unix)]
fn trials<B: FileBackend + 'static>(backend: &str, left_out: &[(&str, &str)], missing: &[Need]) -> Vec<Trial> {
    let cases: Vec<_> = cases::all::<B>().into_iter().filter(|case| !case.large).collect();
    for (start, reason) in left_out {
        assert!(cases.iter().any(|case| case.name.starts_with(start)), "{start} matches no case");
        if cfg!(miri) {
            println!("left out of {backend}: {start}: {reason}");
        }
    }
    if cfg!(miri) {
        for need in missing {
            println!("left out of {backend}: cases that need {need:?}");
        }
    }
    let is_left_out = |case: &Case<B>| {
        let named = left_out.iter().any(|(start, _)| case.name.starts_with(start));
        cfg!(miri) && (named || case.needs.iter().any(|need| missing.contains(need)))
    };
    let cases = cases.into_iter().filter(|case| !is_left_out(case));
    cases
        .map(|case| Trial::test(format!("{backend}: {}", case.name), move || Ok(play(&case, identity).map(drop)?)))
        .collect()
}
