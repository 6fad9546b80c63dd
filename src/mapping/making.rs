//! Makes mappings: the functions of [`MmapOptions`] that map a file or memory.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use crate::backend::sealed::Bytes as _;
use crate::backend::{AnyBackend, Backend, DefaultBackend};
use crate::error::{Operation, Reason};
use crate::plan::Plan;
use crate::storage::{OsFile, Storage};
use crate::{AnyMmap, BufferedMmap, Error, Mapping, Mmap, MmapOptions, Result, error, unknown_length};

/// A file that can be mapped: a [`File`], or an [`Arc`] of one. The trait is sealed.
///
/// A mapping shares its file, so that the file stays open as long as the mapping needs it. A reference to a file cannot
/// ensure that.
///
/// ```compile_fail,E0277
/// # let file = std::fs::File::open("Cargo.toml").unwrap();
/// // A reference: pass `file`, or an `Arc` of it.
/// let map = portable_mmap::MmapOptions::new().map_buffered(&file);
/// ```
#[diagnostic::on_unimplemented(
    message = "a mapping shares its file: it takes a `File` or an `Arc<File>`, and not a `{Self}`",
    label = "pass a `File` or an `Arc<File>`",
    note = "pass the `File` itself to give it away: `map(file)`",
    note = "put the file into an `Arc` to keep using it, and pass a clone: `map(arc.clone())`"
)]
pub trait IntoSharedFile: sealed::IntoSharedFile {}

mod sealed {
    use std::fs::File;
    use std::sync::Arc;

    pub trait IntoSharedFile {
        /// A share of the file.
        fn into_shared(self) -> Arc<File>;
    }
}

impl IntoSharedFile for File {}

impl sealed::IntoSharedFile for File {
    fn into_shared(self) -> Arc<File> {
        Arc::new(self)
    }
}

impl IntoSharedFile for Arc<File> {}

impl sealed::IntoSharedFile for Arc<File> {
    fn into_shared(self) -> Arc<File> {
        self
    }
}

impl MmapOptions {
    /// Maps a file with this platform's own backend. The mapping shares the [`File`]. To use the file yourself, or to
    /// keep it if mapping fails, pass a clone of an [`Arc`] of it.
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
    /// All other `unsafe` functions that make a mapping refer to this text.
    ///
    /// The bytes of an OS mapping are those of the file. While the mapping exists and a slice of it is borrowed, nobody
    /// else may change the bytes of that slice: not another process, not another mapping of the same bytes, not a write
    /// through the file. That is Rust's rule for `&[u8]`, and neither this crate nor the operating system can enforce
    /// it. The file also must not become shorter than the mapping. On unix an access to bytes that are gone raises
    /// `SIGBUS`. (A [`guard`](Self::guard) turns that into zeros and an error, within the limits that its documentation
    /// names.) File locks, permissions, private directories or unlinked files are the usual ways to ensure this.
    ///
    /// The same holds for a mapping that a host of WASI has placed. A buffer ([`map_buffered`](Self::map_buffered))
    /// owns its bytes and has no such condition.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyFile`], [`Error::OffsetPastEnd`], [`Error::LengthPastEnd`], [`Error::OutOfRange`] (a length over
    /// `isize::MAX`), [`Error::Misaligned`], [`Error::Conflict`] and [`Error::Unsupported`] for options that do not fit
    /// the file, each other or the backend, and for a character device, a pipe or a socket without a
    /// [`len`](Self::len); [`Error::Io`] of kind `IsADirectory` for a directory, of kind
    /// `PermissionDenied` for a write-only file, and if changes would reach a file that is read-only, open for append
    /// or sealed against writing; [`Error::NoMemory`]; [`Error::Io`] with any error of the operating system. The file
    /// is then as before.
    pub unsafe fn map(&self, file: impl IntoSharedFile) -> Result<Mmap> {
        // SAFETY: the caller guarantees what this function's documentation says, which is what `map_with` requires.
        unsafe { self.map_with(file) }
    }

    /// Opens a file with the mode that the access needs, and maps it like [`map`](Self::map). It does not create a
    /// file.
    ///
    /// # Safety
    /// As for [`map`](Self::map).
    ///
    /// # Errors
    /// As for [`map`](Self::map), and [`Error::Io`] of opening.
    pub unsafe fn open(&self, path: impl AsRef<Path>) -> Result<Mmap> {
        let path = path.as_ref();
        let file = self.open_file(path)?;
        // SAFETY: the caller guarantees what `map` requires.
        unsafe { self.map_source(file, Some(path)) }
    }

    /// Maps zeros without a file, with this platform's own backend. A [`len`](Self::len) is required.
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
    /// The memory is shared by default: on unix a forked child sees the parent's changes, and the parent sees the
    /// child's.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a length of 0 or over `isize::MAX`, [`Error::Conflict`], [`Error::Unsupported`] (a tag
    /// name: see [`map_tagged`](Self::map_tagged)), [`Error::NoMemory`].
    pub fn map_anonymous(&self) -> Result<Mmap> {
        self.anonymous_with()
    }

    /// Maps memory without a file under the [`tag_name`](Self::tag_name), on Windows. Two mappings with the same name
    /// share the memory.
    ///
    /// # Safety
    /// As for [`map`](Self::map). Everybody who knows the name, in this process or another, can change the bytes.
    ///
    /// # Errors
    /// As for [`map_anonymous`](Self::map_anonymous), and [`Error::Unsupported`] on other systems.
    pub unsafe fn map_tagged(&self) -> Result<Mmap> {
        let Some(tag_name) = self.tag_name.as_ref().filter(|name| !name.is_empty()) else {
            return Err(Error::Conflict { what: "map_tagged needs a tag_name" });
        };
        let untagged = Self { tag_name: None, ..self.clone() };
        let mut plan = Plan::anonymous(&untagged, &DefaultBackend::limits())?;
        plan.tag_name = Some(tag_name.clone());
        DefaultBackend::check_supported(&plan)?;
        Ok(Mapping::over(DefaultBackend::anonymous(plan)?, None))
    }

    /// Maps a file with the emulation, on every target. This is safe, because the bytes are a copy that nobody else can
    /// change.
    ///
    /// # Errors
    /// As for [`map`](Self::map), and [`Error::Unsupported`] for a character device, a pipe and any other file without
    /// a length, and for a file that is open with `O_DIRECT` or `FILE_FLAG_NO_BUFFERING`.
    pub fn map_buffered(&self, file: impl IntoSharedFile) -> Result<BufferedMmap> {
        self.map_storage(OsFile::from(file.into_shared()))
    }

    /// Opens a file with the mode that the access needs, and maps it with the emulation. It does not create a file.
    ///
    /// # Errors
    /// As for [`map`](Self::map), and [`Error::Io`] of opening.
    pub fn open_buffered(&self, path: impl AsRef<Path>) -> Result<BufferedMmap> {
        let path = path.as_ref();
        let file = self.open_file(path)?;
        // SAFETY: a buffer owns its bytes, so there is no condition.
        unsafe { self.map_source(file, Some(path)) }
    }

    /// Maps anything that reads and writes at offsets, with the emulation: a part of an archive, a remote object, an
    /// encrypted file.
    ///
    /// # Errors
    /// As for [`map`](Self::map).
    pub fn map_storage<S: Storage>(&self, storage: S) -> Result<BufferedMmap<S>> {
        // SAFETY: a buffer owns its bytes, so there is no condition.
        unsafe { self.map_source(storage, None) }
    }

    /// Maps a file with the operating system if it can map the file, otherwise with the emulation. The type is the same
    /// in both cases, and [`backend_name`](Mapping::backend_name) returns which backend it is. Some network file
    /// systems and special files cannot be mapped. If a file system does not support shared mappings, such as FUSE with
    /// direct I/O, a mapping with [`Access::Read`](crate::Access::Read) becomes private. It may then show what the file
    /// held when a page was first accessed.
    ///
    /// It uses the emulation only if the operating system cannot map this file. It returns an error that concerns the
    /// process, such as too little memory, and the error of a sealed file.
    ///
    /// Some files report no length or a wrong one: files in `/proc` and `/sys`, pipes and sockets. Such a file is read
    /// when it is mapped, from the offset to its end, or [`len`](Self::len) bytes. The mapping is a buffer that keeps
    /// no share of the file, for [`Access::Read`](crate::Access::Read) and [`Access::Copy`](crate::Access::Copy) only.
    /// Reading a pipe that nobody closes never ends. A character device that the operating system cannot map, such as
    /// `/dev/urandom`, requires a [`len`](Self::len) and is read in the same way.
    ///
    /// # Safety
    /// As for [`map`](Self::map).
    ///
    /// # Errors
    /// As for [`map`](Self::map), and [`Error::Io`] of reading. The size in [`Error::LengthPastEnd`] is the length
    /// that reading found.
    pub unsafe fn map_any(&self, file: impl IntoSharedFile) -> Result<AnyMmap> {
        // SAFETY: the caller guarantees what `map` requires.
        unsafe { self.any_of(file.into_shared().into(), None) }
    }

    /// Opens a file with the mode that the access needs, and maps it like [`map_any`](Self::map_any).
    ///
    /// # Safety
    /// As for [`map`](Self::map).
    ///
    /// # Errors
    /// As for [`map_any`](Self::map_any), and [`Error::Io`] of opening.
    pub unsafe fn open_any(&self, path: impl AsRef<Path>) -> Result<AnyMmap> {
        let path = path.as_ref();
        let file = self.open_file(path)?;
        // SAFETY: the caller guarantees what `map` requires.
        unsafe { self.any_of(file, Some(path)) }
    }

    /// # Safety
    /// As for [`map`](Self::map).
    unsafe fn any_of(&self, file: OsFile, path: Option<&Path>) -> Result<AnyMmap> {
        let read = unknown_length::read(self, &file)
            .and_then(|read| read.map(|(bytes, plan)| AnyBackend::of_bytes(&bytes, plan)).transpose());
        if let Some(backend) = read.map_err(|e| e.with_path(path))? {
            return Ok(Mapping::over(backend, path.and_then(error::owned)));
        }
        let options = Self { reads_devices: true, ..self.clone() };
        // SAFETY: the caller guarantees what `map` requires.
        unsafe { options.map_source(file, path) }
    }

    /// Maps a file with the backend `B`, for generic code.
    ///
    /// # Safety
    /// As for [`map`](Self::map).
    ///
    /// # Errors
    /// As for [`map`](Self::map).
    pub unsafe fn map_with<B>(&self, file: impl IntoSharedFile) -> Result<Mapping<B>>
    where
        B: Backend<Source: From<Arc<File>>>,
    {
        // SAFETY: the caller guarantees what `map` requires.
        unsafe { self.map_source(file.into_shared().into(), None) }
    }

    /// [`map_anonymous`](Self::map_anonymous) with the backend `B`, for generic code.
    ///
    /// # Errors
    /// As for [`map_anonymous`](Self::map_anonymous).
    pub fn anonymous_with<B: Backend>(&self) -> Result<Mapping<B>> {
        Ok(Mapping::over(B::anonymous(Plan::anonymous(self, &B::limits())?)?, None))
    }

    /// Maps a source. `path` is the path by which it was opened, if there is one.
    ///
    /// # Safety
    /// As for [`map`](Self::map).
    unsafe fn map_source<B: Backend>(&self, source: B::Source, path: Option<&Path>) -> Result<Mapping<B>> {
        let backend = Plan::of_source(self, &source, &B::limits()).and_then(|plan| {
            // SAFETY: the caller guarantees what `map` requires.
            unsafe { B::map(source, plan) }
        });
        match backend {
            Ok(backend) => Ok(Mapping::over(backend, path.and_then(error::owned))),
            Err(e) => Err(e.with_path(path)),
        }
    }

    /// Opens a file for reading, and also for writing if the mapping will write to it or extend it.
    fn open_file(&self, path: &Path) -> Result<OsFile> {
        let write = Plan::combine(self)?.reaches_file() || self.extend;
        let file = OpenOptions::new().read(true).write(write).open(path);
        file.map(|file| OsFile::opened(file, write)).map_err(|e| {
            // Windows does not open directories, and returns that permission is denied.
            let e = if path.is_dir() { Reason::Directory.into() } else { e };
            Error::io(Operation::Open, self.offset, self.len as u64, e).with_path(Some(path))
        })
    }
}
