//! For systems without FUSE, which cannot mount anything.

use std::convert::Infallible;
use std::io;
use std::path::Path;

use super::checker::Checker;

/// A mounted file system, which cannot exist here.
#[derive(Debug)]
pub(super) struct Mounted(Infallible);

impl Mounted {
    pub(super) fn new(_: Checker) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a process can mount a file system of its own only on Linux"))
    }

    pub(super) fn path(&self) -> &Path {
        match self.0 {}
    }

    pub(super) fn unmount(self) -> Result<Checker, String> {
        match self.0 {}
    }
}
