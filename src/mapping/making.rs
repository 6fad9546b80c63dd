//! Making a mapping: the constructors of [`MmapOptions`].

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use crate::backend::sealed::Bytes as _;
use crate::backend::{AnyBackend, Backend, DefaultBackend};
use crate::error::{Operation, Reason};
use crate::plan::Plan;
use crate::storage::{OsFile, Storage};
use crate::{AnyMmap, BufferedMmap, Error, Mapping, Mmap, MmapOptions, Result, error, unknown_length};

/// What can be mapped as a file: a [`File`], or an [`Arc`] of one. It is sealed.
///
/// A mapping shares its file, so that the file stays open as long as the mapping needs it. A reference to a file is not
/// enough for that.
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
        /// A share in the file.
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
    /// All other `unsafe` functions that make a mapping refer to this text.
    ///
    /// The bytes of an OS mapping are those of the file. While the mapping is alive and a slice of it is borrowed,
    /// nobody else may change the bytes of that slice: not another process, not another mapping of the same bytes, not
    /// a write through the file. That is Rust's rule for `&[u8]`, and neither this crate nor the operating system can
    /// enforce it. Nor may the file become shorter than the mapping: a touch of what is gone raises `SIGBUS` on unix (a
    /// [`guard`](Self::guard) turns that into zeros and an error, within the limits that its text names). File locks,
    /// permissions, private directories or unlinked files are the usual ways to ensure this.
    ///
    /// The same holds for a mapping that a host of WASI has placed. A buffer ([`map_buffered`](Self::map_buffered))
    /// owns its bytes, and has no such condition.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyFile`], [`Error::OffsetPastEnd`], [`Error::LengthPastEnd`], [`Error::OutOfRange`] (a length over
    /// `isize::MAX`), [`Error::Misaligned`], [`Error::Conflict`] and [`Error::Unsupported`] for options that do not fit
    /// the file, each other or the backend; [`Error::Io`] of kind `IsADirectory` for a directory, of kind
    /// `PermissionDenied` for a write-only file, and where changes would reach a file that is read-only, open for
    /// append or sealed against writing; [`Error::NoMemory`]; [`Error::Io`] with what the operating system says. The
    /// file is as it was.
    pub unsafe fn map(&self, file: impl IntoSharedFile) -> Result<Mmap> {
        // SAFETY: the caller owes what this function's text says, which is what `map_with` asks for.
        unsafe { self.map_with(file) }
    }

    /// Opens a file with the mode that the access needs, and maps it as [`map`](Self::map) does. It does not create a
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
        // SAFETY: the caller owes what `map` asks for.
        unsafe { self.map_source(file, Some(path)) }
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
        let Some(tag_name) = self.tag_name.as_ref().filter(|name| !name.is_empty()) else {
            return Err(Error::Conflict { what: "map_tagged needs a tag_name" });
        };
        let untagged = Self { tag_name: None, ..self.clone() };
        let mut plan = Plan::anonymous(&untagged, &DefaultBackend::limits())?;
        plan.tag_name = Some(tag_name.clone());
        DefaultBackend::check_supported(&plan)?;
        Ok(Mapping::over(DefaultBackend::anonymous(plan)?, None))
    }

    /// Maps a file with the emulation, on every target. Safe: the bytes are a copy that nobody else can change.
    ///
    /// # Errors
    /// As for [`map`](Self::map); [`Error::Unsupported`] for a character device, a pipe and anything else that has no
    /// length, and for a file that is open with `O_DIRECT` or `FILE_FLAG_NO_BUFFERING`.
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
        // SAFETY: a buffer owns its bytes and owes nothing.
        unsafe { self.map_source(file, Some(path)) }
    }

    /// Maps anything that reads and writes at offsets, with the emulation: a part of an archive, a remote object, an
    /// encrypted file.
    ///
    /// # Errors
    /// As for [`map`](Self::map).
    pub fn map_storage<S: Storage>(&self, storage: S) -> Result<BufferedMmap<S>> {
        // SAFETY: a buffer owns its bytes and owes nothing.
        unsafe { self.map_source(storage, None) }
    }

    /// Maps a file with `Mapped` where the operating system can, else with the emulation, as one type;
    /// [`backend_name`](Mapping::backend_name) says which it became. Some network file systems and special files cannot
    /// be mapped. Where a file system has no shared mappings, such as FUSE with direct I/O, an
    /// [`Access::Read`](crate::Access::Read) becomes a private one, which may show what the file held when a page was
    /// first touched.
    ///
    /// It falls back only if the operating system cannot map this file. An error that concerns the process, such as too
    /// little memory, is returned, and so is that of a sealed file.
    ///
    /// A file that reports no length, or a wrong one (files of `/proc` and `/sys`, pipes, sockets), is read from the
    /// offset to its end, or to the length that is asked for, when it is mapped: a buffer, for
    /// [`Access::Read`](crate::Access::Read) and [`Access::Copy`](crate::Access::Copy) only, that keeps no share in the
    /// file. Reading a pipe that nobody closes does not end. A character device that the operating system cannot map,
    /// such as `/dev/urandom`, needs a [`len`](Self::len) and is read in the same way.
    ///
    /// # Safety
    /// As for [`map`](Self::map).
    ///
    /// # Errors
    /// As for [`map`](Self::map), and [`Error::Io`] of reading. [`Error::LengthPastEnd`] gives what was read as the
    /// size.
    pub unsafe fn map_any(&self, file: impl IntoSharedFile) -> Result<AnyMmap> {
        // SAFETY: the caller owes what `map` asks for.
        unsafe { self.any_of(file.into_shared().into(), None) }
    }

    /// Opens a file with the mode that the access needs, and maps it as [`map_any`](Self::map_any) does.
    ///
    /// # Safety
    /// As for [`map`](Self::map).
    ///
    /// # Errors
    /// As for [`map_any`](Self::map_any), and [`Error::Io`] of opening.
    pub unsafe fn open_any(&self, path: impl AsRef<Path>) -> Result<AnyMmap> {
        let path = path.as_ref();
        let file = self.open_file(path)?;
        // SAFETY: the caller owes what `map` asks for.
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
        // SAFETY: the caller owes what `map` asks for.
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
        // SAFETY: the caller owes what `map` asks for.
        unsafe { self.map_source(file.into_shared().into(), None) }
    }

    /// [`map_anonymous`](Self::map_anonymous) with the backend `B`, for generic code.
    ///
    /// # Errors
    /// As for [`map_anonymous`](Self::map_anonymous).
    pub fn anonymous_with<B: Backend>(&self) -> Result<Mapping<B>> {
        Ok(Mapping::over(B::anonymous(Plan::anonymous(self, &B::limits())?)?, None))
    }

    /// Maps a source, which was opened by `path` if there is one.
    ///
    /// # Safety
    /// As for [`map`](Self::map).
    unsafe fn map_source<B: Backend>(&self, source: B::Source, path: Option<&Path>) -> Result<Mapping<B>> {
        let backend = Plan::of_source(self, &source, &B::limits()).and_then(|plan| {
            // SAFETY: the caller owes what `map` asks for.
            unsafe { B::map(source, plan) }
        });
        match backend {
            Ok(backend) => Ok(Mapping::over(backend, path.and_then(error::owned))),
            Err(e) => Err(e.with_path(path)),
        }
    }

    /// Opens a file for reading, and for writing too where mapping or what comes of it will write to it.
    fn open_file(&self, path: &Path) -> Result<OsFile> {
        let write = Plan::combine(self)?.reaches_file() || self.extend;
        let file = OpenOptions::new().read(true).write(write).open(path);
        file.map(|file| OsFile::opened(file, write)).map_err(|e| {
            // Windows opens no directory, and says that permission is denied.
            let e = if path.is_dir() { Reason::Directory.into() } else { e };
            Error::io(Operation::Open, self.offset, self.len as u64, e).with_path(Some(path))
        })
    }
}
