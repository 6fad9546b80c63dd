//! Runs every case that is not large over the emulation, on a storage that asks the system for nothing but what Miri
//! interprets: so the interpreter sees every access to the buffer's memory.

// On Windows, trying what a file may be used for moves its cursor.
#![cfg_attr(not(unix), allow(dead_code, unused_imports, reason = "there is nothing to run"))]

mod common;

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;

use common::play;
use libtest_mimic::{Arguments, Trial};
use native_tests::cases;
use native_tests::counted::Source;
use portable_mmap::{Buffered, Kind, Mode, OsFile, Storage};

#[cfg(not(unix))]
fn main() {}

/// What Miri does not interpret, by the start of a case's name, with the reason. Natively nothing is left out.
const LEFT_OUT: &[(&str, &str)] = &[
    ("ways/", "the platform's own backend and files"),
    ("anonymous/", "memory that the platform maps"),
    ("modes/", "files opened by the crate, whose mode only the system knows"),
    ("extend/open_makes_the_file_longer", "files opened by the crate"),
    ("errors/every_variant", "files opened by the crate"),
    ("errors/an_io_error_keeps", "files opened by the crate"),
    ("slice/a_regular_expression", "minutes of another crate's code over a plain slice"),
    ("search/a_needle_may_be_the_whole_mapping", "minutes of another crate's code over a long needle"),
    ("search/periodic_needles", "minutes of another crate's code over long needles"),
    ("search/a_long_periodic_needle", "minutes of another crate's code over a long needle"),
];

#[cfg(unix)]
fn main() {
    let arguments = Arguments::from_args();
    let cases: Vec<_> = cases::all::<Buffered<Probed>>().into_iter().filter(|case| !case.large).collect();
    for (start, reason) in LEFT_OUT {
        assert!(cases.iter().any(|case| case.name.starts_with(start)), "{start} leaves no case out");
        if cfg!(miri) {
            println!("left out: {start}: {reason}");
        }
    }
    let is_left_out = |name: &str| cfg!(miri) && LEFT_OUT.iter().any(|(start, _)| name.starts_with(start));
    let cases = cases.into_iter().filter(|case| !is_left_out(case.name));
    let trials = cases.map(|case| Trial::test(case.name, move || Ok(play(&case).map(drop)?)));
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

/// A file whose mode is found by trying: Miri cannot ask the system for it.
struct Probed(OsFile);

impl From<Arc<File>> for Probed {
    fn from(file: Arc<File>) -> Self {
        Self(file.into())
    }
}

impl Source for Probed {}

impl Storage for Probed {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn read_at_uninit<'b>(&self, buf: &'b mut [MaybeUninit<u8>], offset: u64) -> io::Result<&'b mut [u8]> {
        self.0.read_at_uninit(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
        self.0.allocate(from, to)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    /// Leaves the file as it is. A file that cannot be read is not mapped, whatever else it may be.
    fn mode(&self) -> io::Result<Mode> {
        let len = self.0.len()?;
        let mut first = [0];
        let read = self.0.read_at(&mut first, 0).is_ok();
        let write = self.0.set_len(len.max(1)).is_ok();
        let mut append = false;
        if read && write {
            let longer = self.0.len()?;
            self.0.write_at(&first, 0)?;
            append = self.0.len()? > longer;
        }
        if write {
            self.0.set_len(len)?;
        }
        Ok(Mode { read, write, append })
    }

    fn kind(&self) -> io::Result<Kind> {
        self.0.kind()
    }

    fn file(&self) -> Option<&Arc<File>> {
        self.0.file()
    }

    fn into_file(self) -> Option<Arc<File>> {
        self.0.into_file()
    }
}
