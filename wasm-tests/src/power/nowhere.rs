//! Where there is no FUSE: nothing can be mounted.

use std::convert::Infallible;
use std::io;
use std::path::Path;

use super::witness::Witness;

/// Does not exist.
#[derive(Debug)]
pub(super) struct Mounted(Infallible);

impl Mounted {
    pub(super) fn new(_: Witness) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a process can mount a file system of its own only on Linux"))
    }

    pub(super) fn path(&self) -> &Path {
        match self.0 {}
    }

    pub(super) fn unmount(self) -> Result<Witness, String> {
        match self.0 {}
    }
}
