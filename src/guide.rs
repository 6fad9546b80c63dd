//! How to do what programs do with mappings: one part for each task.
//!
//! # A buffer for `bytes`
//!
//! [`Bytes::from_owner`](https://docs.rs/bytes/1/bytes/struct.Bytes.html#method.from_owner) takes a mapping, and its
//! clones and parts share it. The file stays mapped until the last of them is dropped.
//!
//! ```
//! use bytes::Bytes;
//! use portable_mmap::{Access, MmapOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir_in(".")?;
//! # let path = dir.path().join("packet");
//! std::fs::write(&path, b"head body")?;
//! // SAFETY: nobody changes the file while it is mapped.
//! let map = unsafe { MmapOptions::new().access(Access::Read).open(&path)? };
//! let packet = Bytes::from_owner(map);
//! let body = packet.slice(5..);
//! drop(packet);
//! assert_eq!(body, "body");
//! # Ok(())
//! # }
//! ```
//!
//! # Records and numbers
//!
//! The address of the first byte is a multiple of [`page_size`](crate::Mapping::page_size), so of 4096 on every target. A
//! record at an offset that is a multiple of its alignment is aligned. Crates such as
//! [`bytemuck`](https://docs.rs/bytemuck) and [`zerocopy`](https://docs.rs/zerocopy) check that, and need no `unsafe`.
//!
//! ```
//! use bytemuck::{Pod, Zeroable};
//! use portable_mmap::MmapOptions;
//!
//! #[derive(Clone, Copy, Pod, Zeroable)]
//! #[repr(C)]
//! struct Record {
//!     key: u32,
//!     count: u32,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir_in(".")?;
//! # let path = dir.path().join("table");
//! std::fs::write(&path, [0; 80])?;
//! // SAFETY: nobody else uses the file while it is mapped.
//! let mut map = unsafe { MmapOptions::new().open(&path)? };
//! let records: &mut [Record] = bytemuck::cast_slice_mut(map.range_mut(16..)?);
//! records[7] = Record { key: 5, count: 1 };
//! map.flush()?;
//! let found = bytemuck::cast_slice::<u8, Record>(&map[16..]).iter().position(|record| record.key == 5);
//! assert_eq!(found, Some(7));
//! # Ok(())
//! # }
//! ```
//!
//! A buffer copies the pages of what is borrowed mutably, so borrow the records that you change and not the whole table.
//!
//! # Regular expressions
//!
//! `regex::bytes` searches a mapping as it is.
//!
//! ```
//! use portable_mmap::{Access, MmapOptions};
//! use regex::bytes::Regex;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir_in(".")?;
//! # let path = dir.path().join("log");
//! std::fs::write(&path, b"GET /a 200\nGET /b 404\nGET /c 200\n")?;
//! // SAFETY: nobody changes the file while it is mapped.
//! let map = unsafe { MmapOptions::new().access(Access::Read).open(&path)? };
//! let failed = Regex::new(r"(?m)^GET (\S+) 404$")?;
//! let path = failed.captures(&map).map(|found| found[1].to_vec());
//! assert_eq!(path.as_deref(), Some(&b"/b"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! # A lock on the file
//!
//! A file lock keeps other programs that ask for it away while you use the bytes. The mapping gives its
//! [`file`](crate::Mapping::file), which can be locked. WASI has no file locks.
//!
//! ```
//! use portable_mmap::MmapOptions;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir_in(".")?;
//! # let path = dir.path().join("counter");
//! std::fs::write(&path, b"7")?;
//! // SAFETY: all programs that use the file lock it first.
//! let mut map = unsafe { MmapOptions::new().open(&path)? };
//! let file = map.file().expect("the mapping tracks its file").clone();
//! file.lock()?;
//! map[0] += 1;
//! map.flush()?;
//! file.unlock()?;
//! assert_eq!(std::fs::read(&path)?, b"8");
//! # Ok(())
//! # }
//! ```
//!
//! # Threads
//!
//! A mapping is [`Send`] and [`Sync`]. Threads that read share it. To write, give each thread a part of its own.
//!
//! ```
//! use portable_mmap::Mmap;
//! use std::thread;
//!
//! # fn main() -> portable_mmap::Result<()> {
//! let mut map = Mmap::anonymous(64 * 1024)?;
//! thread::scope(|scope| {
//!     for (part, number) in map.chunks_mut(16 * 1024).zip(1..) {
//!         scope.spawn(move || part.fill(number));
//!     }
//! });
//! let map = std::sync::Arc::new(map);
//! let sums = [0, 1, 2, 3].map(|part| {
//!     let map = map.clone();
//!     thread::spawn(move || map[part * 16 * 1024..][..16 * 1024].iter().map(|&byte| u32::from(byte)).sum::<u32>())
//! });
//! assert_eq!(sums.map(|sum| sum.join().unwrap()), [1, 2, 3, 4].map(|number| number * 16 * 1024));
//! # Ok(())
//! # }
//! ```
//!
//! # A file that grows
//!
//! A mapping is as long as the file was when it was mapped. [`size`](crate::Mapping::size) tells how long the file is now.
//! Map it again to see what was added. A window that starts at the last page is enough for that.
//!
//! ```
//! use portable_mmap::{Access, Mmap, MmapOptions};
//! use std::fs::{File, OpenOptions};
//! use std::io::Write;
//! use std::sync::Arc;
//!
//! /// What lies behind the first `seen` bytes of a file that only grows.
//! fn news(file: &Arc<File>, seen: u64) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
//!     if file.metadata()?.len() <= seen {
//!         return Ok(Vec::new());
//!     }
//!     let start = seen - seen % Mmap::allocation_granularity() as u64;
//!     // SAFETY: the program that writes the file appends to it and changes nothing.
//!     let window = unsafe { MmapOptions::new().access(Access::Read).offset(start).map(file.clone())? };
//!     Ok(window[usize::try_from(seen - start)?..].to_vec())
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir_in(".")?;
//! # let path = dir.path().join("log");
//! std::fs::write(&path, b"one\n")?;
//! let file = Arc::new(File::open(&path)?);
//! assert_eq!(news(&file, 0)?, b"one\n");
//! OpenOptions::new().append(true).open(&path)?.write_all(b"two\n")?;
//! assert_eq!(news(&file, 4)?, b"two\n");
//! assert_eq!(news(&file, 8)?, b"");
//! # Ok(())
//! # }
//! ```
//!
//! Where the writer may also truncate the file, use a [`guard`](crate::MmapOptions::guard).
//!
//! # A WASI host that maps files
//!
//! On WASI [`Mmap`](crate::Mmap) is a buffer: it reads pages when they are touched, and writes changes back when it is flushed.
//! A host can do better, and place a mapping of its operating system in the memory of the program. wasmtime does with the
//! crate `portable-mmap-wasmtime`. The code stays as it is:
//!
//! | built for | feature `host-mapping` | runs in | maps by the host |
//! |---|---|---|---|
//! | `wasm32-wasip1` | off | every host | where the host does that |
//! | `wasm32-wasip1` | on | hosts that map files | always |
//! | `wasm32-wasip2` | off | every host | never |
//! | `wasm32-wasip2` | on | hosts that map files | always |
//!
//! A mapping of the host is like a native one. Making it takes microseconds for any length. Other mappings and programs see
//! a change at once, and it is in the file without a flush; [`flush`](crate::Mapping::flush) brings it to the disk. What was
//! said of safety natively holds: nobody may change the bytes while a slice of them is borrowed.
//!
//! A file of less than 512 KiB stays a buffer, which is the faster way there. So does one that the host does not map: by
//! default it maps for reading alone, and only files that nobody can change. A program that depends on one or the other
//! says so, and gets an error where it cannot be:
//!
//! ```
//! use portable_mmap::{Access, HostMapping, MmapOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir_in(".")?;
//! # let path = dir.path().join("index");
//! # std::fs::write(&path, b"entries")?;
//! let mut options = MmapOptions::new();
//! options.access(Access::Read).host_mapping(HostMapping::Require);
//! // SAFETY: nobody changes the file while it is mapped.
//! let map = unsafe { options.open(&path)? };
//! // Natively the choice means nothing, and this is "mapped". On WASI it is "hosted".
//! assert_ne!(map.backend_name(), "buffered");
//! # Ok(())
//! # }
//! ```
//!
//! # From memmap2
//!
//! | memmap2 | here |
//! |---|---|
//! | `Mmap::map(&file)` | `MmapOptions::new().access(Access::Read).map(file)`, which shares the file: pass it, or an `Arc` |
//! | `MmapMut::map_mut(&file)` | `MmapOptions::new().map(file)` |
//! | `MmapOptions::map_copy(&file)` | `.access(Access::Copy)` |
//! | `MmapOptions::map_copy_read_only(&file)` | `.flags(Flags::PRIVATE).prot(Prot::READ)` |
//! | `MmapOptions::map_exec(&file)` | `.prot(Prot::READ \| Prot::EXEC)` |
//! | `MmapOptions::map_anon()`, `MmapMut::map_anon(n)` | `.map_anonymous()`, [`Mmap::anonymous(n)`](crate::Mapping::anonymous) |
//! | `MmapOptions::populate()`, `.no_reserve_swap()`, `.stack()`, `.huge(…)` | [`Flags`](crate::Flags), with [`Prot`](crate::Prot) in place of `access` |
//! | `&map[..]`, `map.len()`, `map.as_ptr()` | the same |
//! | a pointer of `map.as_mut_ptr()` that is kept | [`export`](crate::Mapping::export) |
//! | `map.flush()`, `.flush_async()` | the same, on `&mut self` |
//! | `map.flush_range(a, n)` | the same, on `&mut self`; `a` is a multiple of the page size |
//! | `map.advise(…)`, `.advise_range(…)` | the same, on `&mut self`; the range starts at a page |
//! | `map.unchecked_advise(…)` | [`advise_unchecked(advice, 0, map.len())`](crate::Mapping::advise_unchecked) |
//! | `map.lock()`, `.unlock()` | the same, on `&mut self` |
//! | `MmapRaw` | [`export`](crate::Mapping::export), and the [`raw`](crate::raw) module |
//! | `map.remap(n, …)` | [`resize`](crate::Mapping::resize), which changes the file too |
//! | `make_read_only`, `make_mut`, `make_exec` | map the file again; anonymous memory stays writable |
//!
//! What memmap2 accepts and this crate does not, as Python does not: an empty file, a length past the end of the file
//! (without [`extend`](crate::MmapOptions::extend)), an offset at the end of the file or between multiples of
//! [`allocation_granularity`](crate::Mapping::allocation_granularity), anonymous memory of no bytes, and changes to a file
//! that is open for append. `map.split(…)` is that of `BufRead` where this trait is in scope: write `map[..].split(…)`.
//!
//! An error of memmap2 is an [`io::Error`](std::io::Error). An [`Error`](crate::Error) converts into one with `?`, which
//! keeps the kind and the system's number. Functions that return the [`Error`](crate::Error) itself keep the path too: print
//! it with `{:#}`, which adds the cause.
//!
//! ```
//! use portable_mmap::MmapOptions;
//! use std::fs::OpenOptions;
//! use std::io;
//!
//! fn shout(path: &std::path::Path) -> io::Result<()> {
//!     let file = OpenOptions::new().read(true).write(true).open(path)?;
//!     // With memmap2: `MmapMut::map_mut(&file)?`.
//!     // SAFETY: nobody else uses the file while it is mapped.
//!     let mut map = unsafe { MmapOptions::new().map(file)? };
//!     map.make_ascii_uppercase();
//!     map.flush()?;
//!     Ok(())
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir_in(".")?;
//! # let path = dir.path().join("text");
//! std::fs::write(&path, b"hello")?;
//! shout(&path)?;
//! assert_eq!(std::fs::read(&path)?, b"HELLO");
//! # Ok(())
//! # }
//! ```
