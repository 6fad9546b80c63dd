//! What the tests have in common.

pub(crate) mod children;
pub(crate) mod component;
pub(crate) mod guest;
pub(crate) mod host;

use std::fs::File;
use std::io::{BufRead as _, BufReader};

pub(crate) use children::{Test, tests};
pub(crate) use guest::{Guest, READ, WRITE};
pub(crate) use host::{Data, Ground, Host, Scene, trusting};
pub(crate) use portable_mmap::host::{BLOCK, DIRTY, DISK, SHARED, VISIBLE, errno};

/// The unit in which a guest maps.
pub(crate) const PAGE: usize = 4096;

/// Where the tests map: the first block of what [`Host::guest`] has grown.
pub(crate) const AT: usize = 16 * BLOCK;

/// Bytes that differ from page to page, none of which is zero.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / PAGE * 7 + i % 199) as u8 | 1).collect()
}

/// How many areas of memory this process has. Threads come and go, and the allocator of each has some.
pub(crate) fn areas() -> usize {
    BufReader::new(File::open("/proc/self/maps").unwrap()).lines().count()
}
