//! Jobs of `make bench`: the same work of a program with and without a mapping.
//!
//! A way of a job is one function, from opening a file to closing it. A new process or instance calls it once, as a
//! user's program does, so that memory touched by an earlier call does not help. The ways of a job return the same
//! answer, and leave the same bytes in a file that they edit.

pub mod peer;
mod place;
mod records;
pub mod table;
mod text;
mod whole;

use std::io;

pub use place::{Place, own_memory};

/// The way over a mapping.
pub const OURS: &str = "a mapping";
/// The whole file into a vector.
pub const READ: &str = "fs::read";
/// The same, and writing the vector to the file.
pub const REWRITE: &str = "fs::read, fs::write";
/// The standard library's reader of lines.
pub const LINES: &str = "BufReader";
/// A call for each record that is read.
pub const PREAD: &str = "pread";
/// A call for each record that is read, and one for each that is written.
pub const PWRITE: &str = "pread, pwrite";

/// The number of instances that look up a key.
pub const INSTANCES: usize = 1000;

/// A job.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// A description of the job.
    pub name: &'static str,
    /// The data of the job.
    pub on: On,
    /// The ways; the one with this crate is first.
    pub ways: &'static [Way],
}

/// The data of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The data, only for reading.
    Data,
    /// A copy of the first 256 MiB of this file of the data, under the same name. A second run undoes the edits of the
    /// first.
    Copy(&'static str),
    /// The data, in this many instances. Natively one process opens and closes the file as many times.
    Instances(usize),
}

/// A way of a job.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Its name, after the functions that it uses.
    pub name: &'static str,
    /// Does the job, and returns the answer.
    pub act: fn(&Place) -> io::Result<u64>,
    /// The number of instances for which the time of one counts. It is more than 1 if every instance takes long.
    pub stands_for: usize,
}

const fn way(name: &'static str, act: fn(&Place) -> io::Result<u64>) -> Way {
    Way { name, act, stands_for: 1 }
}

/// All jobs.
#[must_use]
pub const fn all() -> &'static [Job] {
    &JOBS
}

/// The job of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Job> {
    JOBS.iter().find(|job| job.name == name)
}

const JOBS: [Job; 6] = [
    Job {
        name: "search 1 GiB of text with a regex",
        on: On::Data,
        ways: &[way(OURS, text::search), way(READ, text::search_read), way(LINES, text::search_lines)],
    },
    Job {
        name: "count the lines of 1 GiB",
        on: On::Data,
        ways: &[way(OURS, text::count), way(READ, text::count_read), way(LINES, text::count_lines)],
    },
    Job {
        name: "replace a word in 256 MiB, in place",
        on: On::Copy(place::TEXT),
        ways: &[way(OURS, text::replace), way(REWRITE, text::replace_rewritten)],
    },
    Job {
        name: "read and edit 1,000 records of 256 MiB",
        on: On::Copy(place::TABLE),
        ways: &[way(OURS, records::edit), way(PWRITE, records::edit_each), way(REWRITE, records::edit_rewritten)],
    },
    Job {
        name: "look 256 keys up in a table of 1 GiB",
        on: On::Data,
        ways: &[way(OURS, records::look_up), way(PREAD, records::look_up_each), way(READ, records::look_up_read)],
    },
    Job {
        name: "1,000 instances that look one key up in 1 GiB",
        on: On::Instances(INSTANCES),
        ways: &[
            way(OURS, records::instances),
            way(PREAD, records::instances_each),
            // Each reads 1 GiB.
            Way { stands_for: 500, ..way(READ, records::instances_read) },
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::{OURS, On, all, find};

    #[test]
    fn a_job_has_a_name_of_its_own_and_our_way_first() {
        for job in all() {
            assert_eq!(find(job.name).map(|found| found.ways.len()), Some(job.ways.len()), "{}", job.name);
            assert_eq!(job.ways[0].name, OURS, "{}", job.name);
            assert!(job.ways[1..].iter().all(|way| way.name != OURS), "{}", job.name);
        }
    }

    #[test]
    fn only_instances_stand_for_others() {
        for job in all() {
            let instances = if let On::Instances(count) = job.on { count } else { 1 };
            assert!(job.ways.iter().all(|way| instances % way.stands_for == 0), "{}", job.name);
        }
    }
}
