//! Files for the tests.

#![allow(dead_code, reason = "each test program uses some of it")]

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

/// Creates a file for one test with `content`.
pub(crate) fn file(test: &str, content: &[u8]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join(test);
    fs::write(&path, content).unwrap();
    path
}

/// Opens a file for reading and writing.
pub(crate) fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}
