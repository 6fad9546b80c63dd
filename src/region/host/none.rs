//! For targets on which no host places mappings.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::ops::Range;

use crate::FaultKind;

/// A mapping of a host. No value of this type exists.
#[derive(Debug)]
pub(super) struct Placed(Infallible);

impl Placed {
    pub(super) fn is_possible() -> bool {
        false
    }

    #[expect(clippy::unnecessary_wraps, reason = "as where there is a host")]
    pub(super) unsafe fn map(_: &File, _: u64, _: *mut u8, _: usize, _: u32) -> io::Result<Option<Self>> {
        Ok(None)
    }

    pub(super) fn sync(&self, _: &Range<usize>, _: u32) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn advise(&self, _: &Range<usize>, _: u32) {
        match self.0 {}
    }

    pub(super) fn refresh(&mut self, _: &Range<usize>) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn fault(&self) -> Option<(usize, FaultKind)> {
        match self.0 {}
    }

    pub(super) fn is_lost(&self, _: usize) -> bool {
        match self.0 {}
    }

    pub(super) fn unmap(&mut self) -> bool {
        match self.0 {}
    }
}
