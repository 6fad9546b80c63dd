//! Replaces `hosted` where the host cannot map files: every mapping is a buffer.

use std::io;

use portable_mmap::{Access, OsFile};

use super::advice::Advice;

/// A mapping of the host: there is none.
pub(super) enum Hosted {}

impl Hosted {
    pub(super) fn map(_: &OsFile, _: u64, _: usize, _: Access) -> Option<Self> {
        None
    }

    #[inline]
    pub(super) fn ptr(&self) -> *mut u8 {
        match *self {}
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match *self {}
    }

    pub(super) fn flush(&self, _: usize, _: usize, _: bool) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn advise(&self, _: Advice, _: usize, _: usize) -> io::Result<()> {
        match *self {}
    }
}
