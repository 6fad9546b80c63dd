//! Common code of the guard's tests: a guarded mapping, and child processes that run a part of a test.

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
    // SAFETY: the file is truncated, which the guard handles, and no slice is held for longer than one read.
    let map = unsafe { MmapOptions::new().access(access).guard(true).map(shared).unwrap() };
    (map, file, page)
}

/// The exit code of a child process that has completed its part. A child without a part exits with 0.
pub(crate) const DONE: i32 = 44;

/// Runs a test of this program in a child process, as `role`, and returns how it has ended. The output of a failed
/// child is printed.
pub(crate) fn end_of(test: &str, role: &str) -> ExitStatus {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["--exact", test]).env("GUARD_ROLE", role).output().unwrap();
    if output.status.code() != Some(DONE) {
        println!("{role}: {}\n{}", output.status, String::from_utf8_lossy(&output.stdout));
    }
    output.status
}

/// The role of this process in a test; `None` in the process that runs the tests.
pub(crate) fn role() -> Option<String> {
    std::env::var("GUARD_ROLE").ok()
}
