//! A file that counts its calls, for programs whose host does not count them.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;

use portable_mmap::{Metadata, OsFile, Storage};

use crate::counts::{Group, Tally};

thread_local! {
    static TALLY: RefCell<Tally> = const { RefCell::new(Tally::new()) };
}

/// The files that a backend maps.
pub trait Source: Storage + From<Arc<File>> {
    /// The calls of this thread so far; `None` if they are not counted.
    #[must_use]
    fn tally() -> Option<Tally> {
        None
    }
}

impl Source for OsFile {}

/// A file of the operating system that counts its calls per thread, because cases run in parallel.
#[derive(Clone, Debug)]
pub struct CountedFile(OsFile);

impl From<Arc<File>> for CountedFile {
    fn from(file: Arc<File>) -> Self {
        Self(file.into())
    }
}

impl Source for CountedFile {
    fn tally() -> Option<Tally> {
        Some(TALLY.with_borrow(Tally::clone))
    }
}

fn note(group: Group, name: &'static str, bytes: usize) {
    TALLY.with_borrow_mut(|tally| tally.add(group, name, bytes as u64));
}

/// Records a call, and how many bytes it moved if it succeeded.
fn moved<T>(group: Group, name: &'static str, result: io::Result<T>, bytes: impl Fn(&T) -> usize) -> io::Result<T> {
    note(group, name, result.as_ref().map_or(0, bytes));
    result
}

impl Storage for CountedFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        moved(Group::Read, "read_at", self.0.read_at(buf, offset), |&n| n)
    }

    fn read_at_uninit<'b>(&self, buf: &'b mut [MaybeUninit<u8>], offset: u64) -> io::Result<&'b mut [u8]> {
        moved(Group::Read, "read_at_uninit", self.0.read_at_uninit(buf, offset), |read| read.len())
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        moved(Group::Write, "write_at", self.0.write_at(buf, offset), |&n| n)
    }

    fn len(&self) -> io::Result<u64> {
        note(Group::Stat, "len", 0);
        self.0.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        note(Group::Other, "set_len", 0);
        self.0.set_len(len)
    }

    fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
        note(Group::Other, "allocate", 0);
        self.0.allocate(from, to)
    }

    fn sync(&self) -> io::Result<()> {
        note(Group::Sync, "sync", 0);
        self.0.sync()
    }

    fn metadata(&self) -> io::Result<Metadata> {
        note(Group::Stat, "metadata", 0);
        self.0.metadata()
    }

    fn file(&self) -> Option<&Arc<File>> {
        self.0.file()
    }
}
