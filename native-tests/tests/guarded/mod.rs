//! What the tests of the guard share: a guarded mapping, and child processes that play a part of a test.

use std::fs::{File, OpenOptions};
use std::process::{Command, ExitStatus};
use std::sync::Arc;

use portable_mmap::{Access, Mmap, MmapOptions};

pub(crate) const PAGES: usize = 64;

pub(crate) fn guarded(dir: &tempfile::TempDir, access: Access) -> (Mmap, File, usize) {
    let path = dir.path().join("f");
    let page = Mmap::page_size();
    std::fs::write(&path, vec![7; PAGES * page]).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let shared = Arc::new(file.try_clone().unwrap());
    // SAFETY: what the guard is for: the file is shortened while nobody holds a slice for longer than a look.
    let map = unsafe { MmapOptions::new().access(access).guard(true).map(shared).unwrap() };
    (map, file, page)
}

/// With this code a child process exits that has come to the end of its part. A child that plays no part exits with 0.
pub(crate) const DONE: i32 = 44;

/// Runs a test of this program in a process of its own, as `role`, and tells how it has ended. What a child prints that
/// has failed is printed here too.
pub(crate) fn end_of(test: &str, role: &str) -> ExitStatus {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["--exact", test]).env("GUARD_ROLE", role).output().unwrap();
    if output.status.code() != Some(DONE) {
        println!("{role}: {}\n{}", output.status, String::from_utf8_lossy(&output.stdout));
    }
    output.status
}

/// The role of this process in a test; none if it is the one that tests.
pub(crate) fn role() -> Option<String> {
    std::env::var("GUARD_ROLE").ok()
}
