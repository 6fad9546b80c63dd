//! Python's `mmap` object for Rust: a file in memory, as a slice and as a file, on every target.
//!
//! Natively a mapping is an *OS mapping*: it shares the pages of the operating system's cache. WASI has no mappings.
//! There a mapping is a *buffer*, the emulation: it reads pages into memory when they are touched, and writes back the
//! bytes that were changed. The host that runs a WASI program can also place a mapping of its operating system in the
//! program's memory: a *hosted mapping*. All of them have the same API, and the same tests show that they behave alike.
//!
//! # In two minutes
//!
//! ```
//! use portable_mmap::{Mmap, MmapOptions};
//! use std::io::SeekFrom;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir_in(".")?;
//! # let path = dir.path().join("hello.txt");
//! std::fs::write(&path, b"Hello Python!\n")?;
//!
//! // SAFETY: nobody else changes the file while it is mapped.
//! let mut map: Mmap = unsafe { MmapOptions::new().open(&path)? };
//! assert_eq!(map.readline()?, b"Hello Python!\n"); // as a file
//! assert_eq!(&map[..5], b"Hello"); // as a slice
//! map.set_slice(6.., b" world!\n")?; // in Python's notation
//! map.seek(SeekFrom::Start(0))?;
//! assert_eq!(map.readline()?, b"Hello  world!\n");
//! assert_eq!(map.rfind("o")?, None); // a search starts at the position, which is at the end
//! map.flush()?; // the changes are on the disk
//! map.close()?; // returns errors, which a drop cannot do
//! assert_eq!(std::fs::read(&path)?, b"Hello  world!\n");
//! # Ok(())
//! # }
//! ```
//!
//! Each call documents its errors. [`MmapOptions::map`] states what the caller of an `unsafe` function has to
//! guarantee. A call that returns an [`Error`] has changed nothing, with two exceptions: a write-back keeps what it has
//! already written, and on Windows [`resize`](Mapping::resize) can lose the mapping. Using a mapping as a slice
//! (`m[i]`, `m[a..b]`, [`Deref`](std::ops::Deref), iteration) panics if the same use of a slice panics, and if the
//! bytes of a buffer cannot be loaded.
//!
//! The [`guide`] has a page for each subject, tables for those who come from memmap2 or from Python, and a list of
//! error messages.
//!
//! # Backends
//!
//! | target | [`Mmap`] is | [`BufferedMmap`] is |
//! |---|---|---|
//! | Linux, Android, Apple's systems, the BSDs, Windows | [`Mapped`](DefaultBackend): an OS mapping | [`Buffered`]: the emulation |
//! | `wasm32-wasip1`; `wasm32-wasip2` with the feature `host-mapping` | [`AnyBackend`]: a mapping that the host has placed, or the emulation | [`Buffered`]: the emulation |
//! | `wasm32-wasip2` without it | [`AnyBackend`]: always the emulation | [`Buffered`]: the emulation |
//! | `wasm32-unknown-unknown` | [`Buffered`], of anonymous memory only | of a [`Storage`] or anonymous memory: there are no files |
//!
//! Every native program has both. Choose at run time with [`MmapOptions::map`], [`MmapOptions::map_buffered`], or
//! [`MmapOptions::map_any`], which falls back to a buffer where the operating system cannot map a file.
//! [`MmapOptions::map_storage`] maps anything that reads and writes at offsets.
//!
//! On `wasm32-wasip1`, and on `wasm32-wasip2` with the feature `host-mapping`, a mapping of 512 KiB or more is a hosted
//! mapping if the host is wasmtime with `portable-mmap-wasmtime`, and maps this file. What this page states about OS
//! mappings also holds for hosted mappings. A hosted mapping has pages of 4096 bytes, and it has no
//! [`lock`](Mapping::lock), no executable memory, and no advice that only Linux has. See
//! [`MmapOptions::host_mapping`].
//!
//! # Where a buffer differs from an OS mapping
//!
//! | what | OS mapping | buffer |
//! |---|---|---|
//! | a page that was touched | shows the file as it is now | holds what the file held when the page was loaded |
//! | another mapping or a writer of the same file | sees every change at once | sees changes after a [`flush`](Mapping::flush) of the buffer; the buffer shows changes of others after [`refresh`](Mapping::refresh) |
//! | changes that are not flushed when the process traps or is killed | are in the file | are lost |
//! | storing a value that is equal to the old one | is a write, and so is a mutable borrow | is not a write |
//! | memory | shared with the system's cache | the pages that were touched, and a copy of each page that was borrowed mutably since it was last written |
//! | a page past the end of a file that was truncated while mapped, without a [`guard`](MmapOptions::guard) | `SIGBUS` | [`Error::Truncated`]; indexing panics |
//! | the rest of the page in which such a file ends | zeros | zeros if the page is loaded later, otherwise what it held |
//! | changed bytes past the new end of the file | are lost, and [`flush`](Mapping::flush) returns [`Error::Truncated`] | are kept, and [`flush`](Mapping::flush) returns [`Error::Truncated`] until the file is long enough again |
//! | a flush after a failed sync | writes the whole pages again, including what others have written to them since | writes its own bytes again, over what others have written there since |
//! | fork | anonymous memory and the file's bytes are shared with the child | the child has a copy: its [`flush`](Mapping::flush) and [`close`](Mapping::close) write its changes, and its drop does not |
//! | executable memory, huge pages, tag names, [`lock`](Mapping::lock) | where the operating system has them | [`Error::Unsupported`] |
//!
//! # Differences from Python
//!
//! This is the complete list of deliberate differences from Python's `mmap`:
//!
//! - `set_name`, `MS_INVALIDATE`, and functions that act on the whole process do not exist. For `in`, `==`, `+`, `*`
//!   and iteration use those of slices.
//! - [`Flags::PRIVATE`] with default access is the same as [`Access::Copy`], for [`resize`](Mapping::resize) too.
//!   Python resizes the real file.
//! - [`Flags::SHARED`] together with [`Flags::PRIVATE`] returns [`Error::Conflict`].
//! - [`Prot`] without `READ` acts as if it had `READ`. Python makes a mapping that ends the process when it is touched.
//! - Executable mappings are read-only, and a buffer cannot be executable.
//! - A file that is open for append cannot be mapped for writing.
//! - An anonymous mapping with an offset returns [`Error::Conflict`].
//! - [`advise_range`](Mapping::advise_range) clamps every length to the mapping. Python raises `OverflowError` for
//!   some.
//! - [`flush_range`](Mapping::flush_range) does not check the alignment if the access is [`Access::Copy`].
//! - [`resize`](Mapping::resize) to 0 returns an error and leaves the file unchanged.
//! - After [`close`](Mapping::close), [`tell`](Mapping::tell) still returns the position, and [`len`](Mapping::len) is
//!   0.

// The list of targets. Cargo.toml has the same list in the same words; `make check-targets` compares them. The rest of
// the library writes `unix` for the systems in the first `any`.
cfg_if::cfg_if! {
    if #[cfg(any(
        any(
            target_os = "android",
            target_os = "dragonfly",
            target_os = "freebsd",
            target_os = "linux",
            target_os = "netbsd",
            target_os = "openbsd",
            target_vendor = "apple",
        ),
        windows,
        all(target_os = "wasi", target_env = "p1"),
        all(target_os = "wasi", target_env = "p2"),
        all(target_arch = "wasm32", target_os = "unknown"),
    ))] {
        mod advice;
        mod backend;
        mod error;
        #[cfg(any(doc, doctest))]
        pub mod guide;
        mod guard;
        #[doc(hidden)]
        pub mod host;
        mod mapping;
        mod newlines;
        mod notation;
        mod number;
        mod options;
        mod page_set;
        mod plan;
        mod process;
        pub mod raw;
        mod region;
        mod runs;
        mod search;
        mod unknown_length;
        mod span;
        mod storage;
        mod sync;

        pub use advice::{Advice, UncheckedAdvice};
        pub use backend::{AnyBackend, Backend, Buffered, DefaultBackend, Mapped};
        pub use error::{Asked, Error, Operation, Result, Unit};
        pub use guard::{Fault, FaultKind};
        pub use mapping::{ByteIndex, IntoSharedFile, Iter, Lines, Mapping};
        pub use notation::{SearchRange, Slice};
        pub use options::{Access, Flags, HostMapping, MmapOptions, Prot};
        #[cfg(not(any(unix, windows)))]
        pub use region::HostRegion;
        #[cfg(any(unix, windows))]
        pub use region::OsRegion;
        pub use region::Region;
        pub use storage::{FileKind, Metadata, OpenMode, OsFile, Storage};

        /// A mapping over the default backend of this platform: an OS mapping on unix and Windows; on WASI a hosted
        /// mapping or a buffer.
        pub type Mmap = Mapping<DefaultBackend>;

        /// A mapping over the emulation, of a file or of any [`Storage`], on every target. Safe functions make it:
        /// [`MmapOptions::map_buffered`], [`MmapOptions::open_buffered`], [`MmapOptions::map_storage`].
        pub type BufferedMmap<S = OsFile> = Mapping<Buffered<S>>;

        /// A mapping over whichever backend can map the file: see [`MmapOptions::map_any`].
        pub type AnyMmap = Mapping<AnyBackend>;

        /// The README's code is compiled.
        #[cfg(doctest)]
        #[doc = include_str!("../README.md")]
        pub struct Readme;
    } else {
        compile_error!(
            "portable-mmap does not support this target. It supports Linux, Android, Apple's systems, FreeBSD, NetBSD, \
             OpenBSD, DragonFly BSD, Windows, wasm32-wasip1, wasm32-wasip1-threads, wasm32-wasip2, and, without files, \
             wasm32-unknown-unknown. For a WebAssembly program that uses files, build with `--target wasm32-wasip1`. To \
             add a target, name it in src/lib.rs and in Cargo.toml, and see the choices by target in src/backend/mod.rs, \
             src/storage/mod.rs and src/region."
        );
    }
}
