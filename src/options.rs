//! How a mapping is made: [`MmapOptions`], [`Access`], [`Flags`], [`Prot`].

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

use bitflags::bitflags;

use crate::backend::sealed::Bytes as _;
use crate::backend::{AnyBackend, Backend, Platform};
use crate::plan::Plan;
use crate::storage::{OsFile, Storage};
use crate::{AnyMmap, BufferedMmap, Error, Mapping, Mmap, Result, sizeless};

/// What may be done to the bytes, and where changes go. (Python's `access`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Access {
    /// What [`Flags`] and [`Prot`] say; with their defaults, as `Write`. (`ACCESS_DEFAULT`)
    #[default]
    Default,
    /// No change is allowed. The file has to be open for reading. (`ACCESS_READ`)
    Read,
    /// Changes reach the file, which has to be open for reading and writing. (`ACCESS_WRITE`)
    Write,
    /// Changes stay in memory. The file has to be open for reading. (`ACCESS_COPY`)
    Copy,
}

impl Access {
    /// Whether bytes may be changed.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        !matches!(self, Self::Read)
    }
}

bitflags! {
    /// The nature of a mapping. (Python's `flags`)
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Flags: u32 {
        /// Changes are shared. Implied where `PRIVATE` is not given.
        const SHARED = 1 << 0;
        /// Changes are private to this mapping: on a file that is [`Access::Copy`] throughout.
        const PRIVATE = 1 << 1;
        /// A hint: load everything at once (Linux).
        const POPULATE = 1 << 2;
        /// A hint: reserve no swap space (Linux, Android, …).
        const NORESERVE = 1 << 3;
        /// A hint: the memory is used as a stack (Linux, anonymous only).
        const STACK = 1 << 4;
        /// Huge pages (Linux, anonymous only). Fails where there are none, and always on a buffer.
        const HUGETLB = 1 << 5;
    }
}

bitflags! {
    /// What the memory may be used for. (Python's `prot`)
    ///
    /// `READ | WRITE`, the default, acts as [`Access::Default`], `WRITE` alone as [`Access::Write`], and all else as
    /// [`Access::Read`]. `READ` is added where it is missing.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Prot: u32 {
        /// The bytes may be read.
        const READ = 1 << 0;
        /// The bytes may be changed.
        const WRITE = 1 << 1;
        /// The bytes may be executed: read-only OS mappings alone. On Windows the file has to be open for execution too,
        /// which [`MmapOptions::open`] does not ask for.
        const EXEC = 1 << 2;
    }
}

impl Default for Prot {
    fn default() -> Self {
        Self::READ | Self::WRITE
    }
}

/// How to make a mapping: a builder whose setters can be chained.
///
/// ```
/// use portable_mmap::{Access, MmapOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
/// // SAFETY: nobody else changes this file while it is mapped.
/// let map = unsafe { MmapOptions::new().access(Access::Read).open(path)? };
/// assert!(map.find("portable-mmap")?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct MmapOptions {
    pub(crate) len: usize,
    pub(crate) offset: u64,
    pub(crate) access: Access,
    pub(crate) flags: Flags,
    pub(crate) prot: Prot,
    pub(crate) extend: bool,
    pub(crate) track_file: bool,
    pub(crate) tag_name: Option<String>,
    pub(crate) guard: bool,
    pub(crate) allocate: bool,
}

impl Default for MmapOptions {
    fn default() -> Self {
        Self {
            len: 0,
            offset: 0,
            access: Access::default(),
            flags: Flags::default(),
            prot: Prot::default(),
            extend: false,
            track_file: true,
            tag_name: None,
            guard: false,
            allocate: false,
        }
    }
}

impl MmapOptions {
    /// The whole file, shared, readable and writable.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes to map. 0, the default: from the offset to the end of the file as it is when mapped.
    pub fn len(&mut self, len: usize) -> &mut Self {
        self.len = len;
        self
    }

    /// Where the mapping starts, in bytes from the start of the file: a multiple of
    /// [`allocation_granularity`](Mapping::allocation_granularity). Multiples of 64 KiB are right on every system.
    pub fn offset(&mut self, offset: u64) -> &mut Self {
        self.offset = offset;
        self
    }

    /// What may be done to the bytes. Excludes flags and prot other than their defaults.
    pub fn access(&mut self, access: Access) -> &mut Self {
        self.access = access;
        self
    }

    /// The nature of the mapping.
    pub fn flags(&mut self, flags: Flags) -> &mut Self {
        self.flags = flags;
        self
    }

    /// What the memory may be used for.
    pub fn prot(&mut self, prot: Prot) -> &mut Self {
        self.prot = prot;
        self
    }

    /// Makes a file that is shorter than offset and length longer when it is mapped, with zeros; the file has to be
    /// open for writing. Without it such a length is [`Error::LengthPastEnd`]. (Python on Windows always extends.)
    pub fn extend(&mut self, extend: bool) -> &mut Self {
        self.extend = extend;
        self
    }

    /// Whether [`size`](Mapping::size) and [`resize`](Mapping::resize) may use the file later; true by default. With
    /// `false` they answer [`Error::Untracked`], and an OS mapping gives up its share in the [`File`] once it is made.
    /// (Python's `trackfd`)
    pub fn track_file(&mut self, track_file: bool) -> &mut Self {
        self.track_file = track_file;
        self
    }

    /// Windows: names the mapping; two mappings of one tag share memory. Elsewhere mapping answers
    /// [`Error::Unsupported`]. (Python's `tagname`)
    pub fn tag_name(&mut self, tag_name: impl Into<String>) -> &mut Self {
        self.tag_name = Some(tag_name.into());
        self
    }

    /// Makes a file that is truncated under the mapping an error and not the end of the process.
    ///
    /// A touch past the new end of the file reads zeros, in place of the `SIGBUS` that ends the process on unix and of
    /// the panic of a buffer's slice face. With the first such touch every page past the end is lost: it reads as zeros,
    /// and what is stored in it reaches no file. The mapping notes the [`fault`](Mapping::fault), and from then on its
    /// fallible calls return [`Error::Truncated`], until [`refresh`](Mapping::refresh) takes the fault back: then lost
    /// pages are looked at anew, and one that the file still does not have is a fault again when it is touched. A page
    /// that the file has and that cannot be read, or a hole for which a full disk has no room, is lost alone: then the
    /// calls return [`Error::Io`] with the cause.
    ///
    /// A call that can fail touches every page that it gives, so it returns the error itself. `m[a..b]` and the rest of
    /// the slice face touch nothing in advance: look at [`fault`](Mapping::fault) afterwards.
    ///
    /// What a guard cannot do:
    ///
    /// - Bytes that are gone stay gone, and those of a slice may change from data to zeros while it is borrowed. The guard
    ///   survives that; Rust does not define what a program that reads such a slice at that moment sees.
    /// - It works by a handler for `SIGBUS`, which is installed with the first guard and passes on to the handler that was
    ///   there before what is not a guard's. A handler that is installed later has to pass on in the same way.
    /// - A thread that blocks `SIGBUS` ends the process when it touches what is gone: the kernel does not ask a handler
    ///   then.
    /// - A system call that is given the address of what is gone, such as `write` of a slice of the mapping, returns
    ///   `EFAULT` and notes no fault.
    ///
    /// On Windows, where a mapped file cannot be truncated, it does nothing.
    pub fn guard(&mut self, guard: bool) -> &mut Self {
        self.guard = guard;
        self
    }

    /// Allocates disk blocks whenever the mapping makes its file longer, so that a full disk is an error then, and not
    /// a `SIGBUS` when a hole in the file is touched.
    ///
    /// This takes a call of the operating system: `fallocate` on Linux, `F_PREALLOCATE` on macOS, `posix_fallocate` on
    /// FreeBSD, `SetFileInformationByHandle` on Windows. Where there is none (WASI, other systems, some file systems)
    /// the call that would make the file longer returns [`Error::Unsupported`] and leaves the file as it is.
    pub fn allocate(&mut self, allocate: bool) -> &mut Self {
        self.allocate = allocate;
        self
    }

    /// Maps a file with this platform's own backend. The mapping shares the [`File`]: keep an
    /// [`Arc`] of it to have it back when mapping fails, or to use it beside the mapping.
    ///
    /// ```
    /// use std::{fs::File, sync::Arc};
    /// use portable_mmap::{Access, MmapOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    /// let file = Arc::new(File::open(path)?);
    /// // SAFETY: nobody else changes this file while it is mapped.
    /// let map = unsafe { MmapOptions::new().access(Access::Read).len(9).map(file.clone())? };
    /// assert_eq!(map.as_slice()?.len(), 9);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Safety
    ///
    /// This is the one safety text; all other `unsafe` ways to make a mapping point here.
    ///
    /// The bytes of an OS mapping are the file's own. While the mapping is alive and a slice of it is borrowed, nobody
    /// else may change the bytes of that slice: not another process, not another mapping of the same bytes, not a
    /// write through the file. That is Rust's rule for `&[u8]`, and neither this crate nor the operating system can
    /// enforce it. Nor may the file become shorter than the mapping: a touch of what is gone raises `SIGBUS` on unix
    /// (a [`guard`](Self::guard) turns that into zeros and an error, within the limits that its text names). File locks, permissions, private directories or
    /// unlinked files are the usual ways to make sure.
    ///
    /// A buffer (WASI, [`map_buffered`](Self::map_buffered)) owns its bytes and owes nothing: there the function is
    /// `unsafe` so that one source compiles for every target.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyFile`], [`Error::OffsetPastEnd`], [`Error::LengthPastEnd`], [`Error::OutOfRange`] (a length over
    /// `isize::MAX`), [`Error::Misaligned`], [`Error::Conflict`] and [`Error::Unsupported`] for options that do not fit
    /// the file, each other or the backend; [`Error::Io`] of kind `IsADirectory` for a directory, of kind
    /// `PermissionDenied` for a write-only file, and where changes would reach a file that is read-only or open for
    /// append; [`Error::NoMemory`]; [`Error::Io`] with what the operating system says. The file is as it was.
    pub unsafe fn map(&self, file: impl Into<Arc<File>>) -> Result<Mmap> {
        // SAFETY: the caller owes what this function's text says, which is what `map_with` asks for.
        unsafe { self.map_with(file) }
    }

    /// Opens a file with the mode that the access needs, and maps it as [`map`](Self::map) does.
    ///
    /// # Safety
    /// As for [`map`](Self::map).
    ///
    /// # Errors
    /// As for [`map`](Self::map), and [`Error::Io`] of opening.
    pub unsafe fn open(&self, path: impl AsRef<Path>) -> Result<Mmap> {
        let file = self.open_file(path.as_ref())?;
        // SAFETY: the caller owes what `map` asks for.
        unsafe { self.map_source(file) }
    }

    /// Maps zeros without a file, with this platform's own backend. Needs a [`len`](Self::len).
    ///
    /// ```
    /// use portable_mmap::MmapOptions;
    ///
    /// # fn main() -> portable_mmap::Result<()> {
    /// let mut map = MmapOptions::new().len(13).map_anonymous()?;
    /// map.write_bytes(b"Hello world!")?;
    /// assert_eq!(&map[..], b"Hello world!\0");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Shared by default: on unix a forked child sees the parent's changes, and the parent the child's.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a length of 0 or over `isize::MAX`, [`Error::Conflict`], [`Error::Unsupported`] (a tag
    /// name: see [`map_tagged`](Self::map_tagged)), [`Error::NoMemory`].
    pub fn map_anonymous(&self) -> Result<Mmap> {
        self.anonymous_with()
    }

    /// Windows: maps memory without a file under the [`tag_name`](Self::tag_name): two mappings of one tag share it.
    ///
    /// # Safety
    /// As for [`map`](Self::map): whoever knows the tag, in this process or another, can change the bytes.
    ///
    /// # Errors
    /// As for [`map_anonymous`](Self::map_anonymous); [`Error::Unsupported`] elsewhere.
    pub unsafe fn map_tagged(&self) -> Result<Mmap> {
        let Some(tag_name) = &self.tag_name else {
            return Err(Error::Conflict { what: "map_tagged without a tag_name" });
        };
        let untagged = Self { tag_name: None, ..self.clone() };
        let mut plan = Plan::anonymous(&untagged, &Platform::limits())?;
        plan.tag_name = Some(tag_name.clone());
        Platform::admit(&plan)?;
        Ok(Mapping::over(Platform::anonymous(plan)?))
    }

    /// Maps a file with the emulation, on every target. Safe: the bytes are a copy that nobody else can change.
    ///
    /// # Errors
    /// As for [`map`](Self::map).
    pub fn map_buffered(&self, file: impl Into<Arc<File>>) -> Result<BufferedMmap> {
        self.map_storage(OsFile::from(file.into()))
    }

    /// Opens a file with the mode that the access needs, and maps it with the emulation.
    ///
    /// # Errors
    /// As for [`map`](Self::map), and [`Error::Io`] of opening.
    pub fn open_buffered(&self, path: impl AsRef<Path>) -> Result<BufferedMmap> {
        self.map_storage(self.open_file(path.as_ref())?)
    }

    /// Maps anything that reads and writes at offsets, with the emulation: a part of an archive, a remote object, an
    /// encrypted file.
    ///
    /// # Errors
    /// As for [`map`](Self::map).
    pub fn map_storage<S: Storage>(&self, storage: S) -> Result<BufferedMmap<S>> {
        // SAFETY: a buffer owns its bytes and owes nothing.
        unsafe { self.map_source(storage) }
    }

    /// Maps a file with `Mapped` where the operating system can, else with the emulation, as one type;
    /// [`backend_name`](Mapping::backend_name) says which it became. Some network file systems and special files cannot
    /// be mapped.
    ///
    /// What does not say how long it is (files of `/proc`, pipes, sockets) is read from the offset to its end, or to the
    /// length that is asked for, when it is mapped: a buffer, for [`Access::Read`] and [`Access::Copy`] only, that keeps no
    /// share in the file. A pipe that nobody closes is read for ever.
    ///
    /// # Safety
    /// As for [`map`](Self::map).
    ///
    /// # Errors
    /// As for [`map`](Self::map), and [`Error::Io`] of reading. [`Error::LengthPastEnd`] gives what was read as the size.
    pub unsafe fn map_any(&self, file: impl Into<Arc<File>>) -> Result<AnyMmap> {
        let file = OsFile::from(file.into());
        if let Some((bytes, plan)) = sizeless::read(self, &file)? {
            return Ok(Mapping::over(AnyBackend::of_bytes(&bytes, plan)?));
        }
        // SAFETY: the caller owes what `map` asks for.
        unsafe { self.map_source(file) }
    }

    /// Maps a file with the backend `B`, for generic code.
    ///
    /// # Safety
    /// As for [`map`](Self::map).
    ///
    /// # Errors
    /// As for [`map`](Self::map).
    pub unsafe fn map_with<B>(&self, file: impl Into<Arc<File>>) -> Result<Mapping<B>>
    where
        B: Backend<Source: From<Arc<File>>>,
    {
        // SAFETY: the caller owes what `map` asks for.
        unsafe { self.map_source(file.into().into()) }
    }

    /// [`map_anonymous`](Self::map_anonymous) with the backend `B`, for generic code.
    ///
    /// # Errors
    /// As for [`map_anonymous`](Self::map_anonymous).
    pub fn anonymous_with<B: Backend>(&self) -> Result<Mapping<B>> {
        Ok(Mapping::over(B::anonymous(Plan::anonymous(self, &B::limits())?)?))
    }

    /// # Safety
    /// As for [`map`](Self::map).
    unsafe fn map_source<B: Backend>(&self, source: B::Source) -> Result<Mapping<B>> {
        let plan = Plan::of_source(self, &source, &B::limits())?;
        // SAFETY: the caller owes what `map` asks for.
        Ok(Mapping::over(unsafe { B::map(source, plan)? }))
    }

    /// Opens a file for reading, and for writing too where mapping or what comes of it will write to it.
    fn open_file(&self, path: &Path) -> Result<OsFile> {
        let write = Plan::combine(self)?.reaches_file() || self.extend;
        let file = OpenOptions::new().read(true).write(write).open(path);
        file.map(|file| OsFile::opened(file, write)).map_err(|e| {
            // Windows opens no directory, and says that permission is denied.
            let e = if path.is_dir() { io::ErrorKind::IsADirectory.into() } else { e };
            Error::io("open", self.offset, self.len as u64, e)
        })
    }
}
