//! How to use mappings: a page for each subject.
//!
//! | page | subjects |
//! |---|---|
//! | [`reading`] | mapping for reading, parts of files, search, lines, `regex`, `bytes` |
//! | [`writing`] | mapping for writing, copy-on-write, anonymous and shared memory, storages |
//! | [`records`] | records and typed views |
//! | [`growing`] | new files, `resize`, full disks, files that others append to |
//! | [`durability`] | when changes are on the disk, errors of a flush, crash safety |
//! | [`changing`] | files that others change or truncate, `refresh`, guards, file locks |
//! | [`wasi`] | WASI: hosts, the emulation, hosted mappings, the façade, tests |
//! | [`threads`] | threads and async |
//! | [`porting`] | from memmap2, from Python |
//! | [`troubleshooting`] | error messages, and what to do about them |
//!
//! Words with a special meaning in this documentation: an *OS mapping* is a mapping of the operating system; a *buffer*
//! is the emulation, a copy of the file's pages in memory; a *hosted mapping* is an OS mapping that the host of a WASI
//! program has placed in the program's memory; the *position* is where the next read or write of a mapping starts.
//!
//! The pages are also files, `src/guide/*.md`. `make test` runs each of their examples natively and on WASI.

#[doc = include_str!("guide/reading.md")]
pub mod reading {}

#[doc = include_str!("guide/writing.md")]
pub mod writing {}

#[doc = include_str!("guide/records.md")]
pub mod records {}

#[doc = include_str!("guide/growing.md")]
pub mod growing {}

#[doc = include_str!("guide/durability.md")]
pub mod durability {}

#[doc = include_str!("guide/changing.md")]
pub mod changing {}

#[doc = include_str!("guide/wasi.md")]
pub mod wasi {}

#[doc = include_str!("guide/threads.md")]
pub mod threads {}

#[doc = include_str!("guide/porting.md")]
pub mod porting {}

#[doc = include_str!("guide/troubleshooting.md")]
pub mod troubleshooting {}
