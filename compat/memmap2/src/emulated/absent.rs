//! Replaces the emulation in a program for the machine that builds, where nothing can be mapped.
//!
//! Cargo patches the whole graph, including build scripts and procedural macros. Those that depend on memmap2 compile
//! with this module. Every call that makes a mapping returns an error, without accessing the file.

use std::io;
#[cfg(not(windows))]
use std::os::fd::{AsRawFd as AsRaw, RawFd as Raw};
#[cfg(windows)]
use std::os::windows::io::{AsRawHandle as AsRaw, RawHandle as Raw};

use super::advice::{Advice, UncheckedAdvice};

/// The error of every call.
pub(super) fn unsupported(_: &'static str) -> io::Error {
    let text = "this program is not built for WASI, but with the memmap2 of portable-mmap, which maps only on WASI. \
                If it is your own program, build it without the patch of memmap2: without `--config …/wasi.toml`, \
                or in another directory. If it is a build script or a procedural macro, it must not map files";
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// A file or its descriptor, which is not used.
#[expect(missing_debug_implementations, reason = "the interface has none")]
pub struct MmapRawDescriptor(());

/// What can be mapped on WASI: a reference to a file or to anything else that has a descriptor, or the descriptor's number.
pub trait MmapAsRawDesc {
    /// The descriptor.
    fn as_raw_desc(&self) -> MmapRawDescriptor;
}

impl MmapAsRawDesc for Raw {
    fn as_raw_desc(&self) -> MmapRawDescriptor {
        MmapRawDescriptor(())
    }
}

impl<T: AsRaw> MmapAsRawDesc for &T {
    fn as_raw_desc(&self) -> MmapRawDescriptor {
        MmapRawDescriptor(())
    }
}

/// A file that can be mapped: there is none.
pub(super) enum Descriptor {}

impl Descriptor {
    pub(super) fn new(MmapRawDescriptor(()): &MmapRawDescriptor) -> io::Result<Self> {
        Err(unsupported("a file"))
    }

    pub(super) fn end(&self) -> io::Result<u64> {
        match *self {}
    }
}

/// # Safety
/// None: there is no file.
pub(super) unsafe fn write_back(file: &Descriptor) {
    match *file {}
}

/// What a mapping would be for.
pub(super) enum Access {
    Default,
    Write,
    Copy,
}

/// The bytes of a mapping: there is none.
pub(super) enum Buffer {}

impl Buffer {
    pub(super) fn of_file(file: &Descriptor, _: u64, _: usize, _: Access) -> io::Result<Self> {
        match *file {}
    }

    pub(super) fn anonymous(_: usize) -> io::Result<Self> {
        Err(unsupported("anonymous memory"))
    }

    pub(super) fn len(&self) -> usize {
        match *self {}
    }

    pub(super) fn ptr(&self) -> *mut u8 {
        match *self {}
    }

    pub(super) fn ptr_mut(&mut self) -> *mut u8 {
        match *self {}
    }

    pub(super) fn make_mut(&mut self) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn make_read_only(&mut self) -> io::Result<()> {
        match *self {}
    }

    /// # Safety
    /// None: there is no mapping.
    pub(super) unsafe fn flush(&self, _: usize, _: usize, _: bool) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn advise(&self, _: Advice, _: usize, _: usize) -> io::Result<()> {
        match *self {}
    }

    /// # Safety
    /// None: there is no mapping.
    pub(super) unsafe fn advise_unchecked(&self, _: UncheckedAdvice, _: usize, _: usize) -> io::Result<()> {
        match *self {}
    }

    /// # Safety
    /// None: there is no mapping.
    pub(super) unsafe fn remap(&mut self, _: usize, _: bool) -> io::Result<()> {
        match *self {}
    }
}

/// A length that no mapping has.
pub(super) fn check_len(_: u64) -> io::Result<usize> {
    Err(unsupported("a length"))
}
