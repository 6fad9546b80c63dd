//! For systems that cannot map a file over existing memory: guests fall back to the emulation.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use portable_mmap::FaultKind;
use portable_mmap::host::Traps;

use crate::Access;

pub(crate) fn page_size() -> usize {
    4096
}

/// A mapping, which cannot exist here.
#[derive(Debug)]
pub(crate) struct Placed(Infallible);

impl Placed {
    pub(crate) fn check_mappable(_: &File, _: u64, _: usize, _: Access) -> Result<(), i32> {
        // With 0, `map` returns that mappings are not supported.
        Err(0)
    }

    pub(crate) unsafe fn map(
        _: Arc<File>,
        _: u64,
        _: *mut u8,
        _: usize,
        _: Access,
        _: Option<Traps>,
    ) -> Result<Self, i32> {
        Err(0)
    }

    pub(crate) fn range(&self) -> Range<usize> {
        match self.0 {}
    }

    pub(crate) fn len(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn restore_plain_memory(self) {
        match self.0 {}
    }

    pub(crate) fn forget(self) {
        match self.0 {}
    }

    #[expect(clippy::needless_pass_by_value, reason = "the signature is that of the other implementation")]
    pub(crate) fn joined(first: Self, _: Self) -> (Self, Option<Self>) {
        match first.0 {}
    }

    pub(crate) fn without(self, _: &Range<usize>) -> [Option<Self>; 2] {
        match self.0 {}
    }

    pub(crate) fn file_to_sync(&self) -> Option<Arc<File>> {
        match self.0 {}
    }

    pub(crate) fn sync(&self, _: &Range<usize>) -> Result<(), i32> {
        match self.0 {}
    }

    pub(crate) fn make_dirty(&mut self, _: &Range<usize>) {
        match self.0 {}
    }

    pub(crate) fn advise(&self, _: &Range<usize>, _: u32) -> Result<(), i32> {
        match self.0 {}
    }

    pub(crate) fn refresh(&mut self, _: &Range<usize>) -> Result<(), i32> {
        match self.0 {}
    }

    pub(crate) fn fault(&self) -> Option<(u32, FaultKind)> {
        match self.0 {}
    }

    pub(crate) fn is_lost(&self, _: usize) -> bool {
        match self.0 {}
    }
}

pub(crate) fn reset(_: Range<usize>) {}

pub(crate) fn join(_: Range<usize>) {}

pub(crate) fn sync_number(_: &io::Error) -> i32 {
    portable_mmap::host::errno::IO
}
