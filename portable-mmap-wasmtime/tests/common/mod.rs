//! Code that the tests share.

pub(crate) mod children;
pub(crate) mod component;
pub(crate) mod guest;
pub(crate) mod host;

use std::fs::File;
use std::io::{BufRead as _, BufReader};

pub(crate) use children::{Test, tests};
pub(crate) use guest::{Guest, READ, WRITE};
pub(crate) use host::{Data, Host, HostKind, Scene, trusting};
pub(crate) use portable_mmap::host::{BLOCK, DIRTY, DISK, SHARED, VISIBLE, errno};

/// The size of a page.
pub(crate) const PAGE: usize = 4096;

/// The address at which the tests map: the first block of the memory that [`Host::guest`] has grown.
pub(crate) const AT: usize = 16 * BLOCK;

/// Bytes that differ from page to page, none of which is zero.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / PAGE * 7 + i % 199) as u8 | 1).collect()
}

/// How many areas of memory this process has. The number varies, because the allocator of each thread has some.
pub(crate) fn areas() -> usize {
    BufReader::new(File::open("/proc/self/maps").unwrap()).lines().count()
}
