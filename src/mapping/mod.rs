//! A mapping: its properties, flush, advice, resize, refresh and close.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use self::door::Door;
use crate::backend::{Backend, DefaultBackend};
use crate::error::{Asked, Operation, Unit};
use crate::guard::Fault;
use crate::plan::zero_length;
use crate::region::Durability;
use crate::span::{self, Span};
use crate::storage::Storage;
use crate::{Access, Advice, Error, MmapOptions, Result, UncheckedAdvice};

mod door;
mod file;
mod front;
mod index;
mod iter;
mod lines;
mod making;
mod slice;

pub use index::ByteIndex;
pub use iter::Iter;
pub use lines::Lines;
pub use making::IntoSharedFile;

/// A file in memory: a slice of bytes, and a file with a position.
///
/// [`MmapOptions`] and [`Mapping::anonymous`] make a mapping. [`Mmap`](crate::Mmap) is a mapping with this platform's
/// own backend. A drop writes changes back and ignores errors; [`close`](Self::close) returns them. In a forked child a
/// drop writes nothing, because the changes are those of its parent, which writes them itself. [`flush`](Self::flush)
/// and [`close`](Self::close) write in a child too.
///
/// A mapping can be indexed, sliced and iterated like a slice. Indexing panics if the same index of a slice would
/// panic, and if the bytes cannot be loaded. Every other call returns an [`Error`] if it fails, and changes nothing
/// then.
///
/// A buffer loads the pages that are accessed. [`Deref`](std::ops::Deref) loads all of them. Before a loop, take a
/// slice of the part that you need with [`range`](Self::range), and index the slice. That is faster than indexing the
/// mapping, above all on WASI.
pub struct Mapping<B: Backend = DefaultBackend> {
    door: Door<B>,
    /// The position, in bytes from the start of the mapping. May lie past the end after the mapping was made shorter.
    position: usize,
}

impl<B: Backend> Mapping<B> {
    /// `path` is the path by which the file was opened.
    pub(crate) fn over(backend: B, path: Option<PathBuf>) -> Self {
        Self { door: Door::new(backend, path), position: 0 }
    }

    /// Maps `len` zeros without a file. On unix they are shared with forked children.
    ///
    /// ```
    /// use portable_mmap::{BufferedMmap, Mmap};
    ///
    /// # fn main() -> portable_mmap::Result<()> {
    /// let mut map = Mmap::anonymous(13)?;
    /// map[..5].copy_from_slice(b"Hello");
    /// assert_eq!(map.rfind("l")?, Some(3));
    ///
    /// let buffer: BufferedMmap = BufferedMmap::anonymous(1 << 20)?;
    /// assert_eq!(buffer.backend_name(), "buffered");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`MmapOptions::map_anonymous`].
    pub fn anonymous(len: usize) -> Result<Self> {
        MmapOptions::new().len(len).anonymous_with()
    }

    /// How many bytes are mapped. 0 if the mapping is closed.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.door.len()
    }

    /// Whether no bytes are mapped, which is true only if the mapping is closed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether [`close`](Self::close) has succeeded. (Python's `closed`)
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.door.is_closed()
    }

    /// Always true. (Python's `seekable`)
    #[must_use]
    pub fn seekable(&self) -> bool {
        true
    }

    /// What a program may do to the bytes: the result of access, flags and prot together.
    #[must_use]
    pub fn access(&self) -> Access {
        self.door.plan().access
    }

    /// Where the mapping starts, in bytes from the start of the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.door.plan().span.offset()
    }

    /// The name of the backend: `"mapped"`, `"buffered"`, or `"hosted"` if the host of a guest has placed the mapping.
    /// `"closed"` if the mapping is closed.
    #[must_use]
    pub fn backend_name(&self) -> &'static str {
        self.door.name()
    }

    /// The first fault of a [guarded](MmapOptions::guard) mapping since it was made or [refreshed](Self::refresh).
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.door.fault()
    }

    /// The unit of flush and advice, in bytes: the operating system's page, or 4096 for a buffer.
    #[must_use]
    pub fn page_size() -> usize {
        B::page_size()
    }

    /// The unit that an offset in a file must be a multiple of, in bytes. (Python's `ALLOCATIONGRANULARITY`)
    #[must_use]
    pub fn allocation_granularity() -> usize {
        B::allocation_granularity()
    }

    /// The file that is mapped. Returns `None` for anonymous memory, for a storage that is not a file, if the mapping
    /// was made with [`track_file(false)`](MmapOptions::track_file), and if it is closed.
    ///
    /// On `wasm32-wasip1` a buffer loads long ranges more slowly after this call, because it no longer moves the file's
    /// own position.
    #[must_use]
    pub fn file(&self) -> Option<&Arc<File>> {
        self.door.source().filter(|_| self.door.plan().track_file)?.file()
    }

    /// The current length of the file, in bytes. It may be more than the length of the mapping. For anonymous memory it
    /// is the length of the mapping.
    ///
    /// # Errors
    /// [`Error::Untracked`], [`Error::Closed`], [`Error::Io`].
    pub fn size(&self) -> Result<u64> {
        let plan = self.door.open()?;
        if plan.anonymous && plan.track_file {
            return Ok(plan.span.len() as u64);
        }
        match self.door.source() {
            Some(source) if plan.track_file => {
                self.door.add_path(source.len().map_err(|e| Error::io(Operation::Metadata, 0, 0, e)))
            }
            _ => Err(Error::Untracked { operation: Operation::Size }),
        }
    }

    /// Writes all changes back and returns once they are on the disk.
    ///
    /// Does nothing on [`Access::Read`] and [`Access::Copy`].
    ///
    /// # A sync that fails
    /// An operating system can drop bytes that it cannot write to the disk. After a failed sync the next one succeeds,
    /// although the bytes are not on the disk. So after such an error the pages that were written since the last
    /// successful sync must be written again. The next flush of such a page, also with
    /// [`flush_async`](Self::flush_async), and [`close`](Self::close) write it again and sync it. They return an error
    /// until that succeeds.
    ///
    /// The system reports the error only once to an open file. All mappings of the file in this process then know of it
    /// (on Windows and WASI, all mappings of the same [`Arc`](std::sync::Arc)). If [`File::sync_all`] on
    /// [`file`](Self::file) returns the error, or a flush in a forked child, the system does not report it again, and
    /// the next flush here does not see it.
    ///
    /// An OS mapping with [`track_file(false)`](MmapOptions::track_file) does not know the length of the file, so it
    /// returns [`Error::Untracked`] after such an error.
    ///
    /// # Errors
    /// [`Error::Truncated`] if a changed page lies past the current end of the file, because a flush never makes a file
    /// longer. [`Error::Io`]. Bytes that were not written still count as changed, and the next flush or close writes
    /// them.
    pub fn flush(&mut self) -> Result<()> {
        self.flush_with(0, None, Durability::Disk)
    }

    /// Writes back the changes in the pages that hold `len` bytes from `offset` on, counted from the mapping's start,
    /// and returns once they are on the disk. A length of `None` means all bytes from there on. (Python's
    /// `flush(offset, size)`)
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the range does not lie in the mapping, [`Error::Misaligned`] if the offset is not a
    /// multiple of [`page_size`](Self::page_size), and the errors of [`flush`](Self::flush).
    pub fn flush_range(&mut self, offset: usize, len: impl Into<Option<usize>>) -> Result<()> {
        self.flush_with(offset, len.into(), Durability::Disk)
    }

    /// Writes all changes back and returns once every reader of the file sees them.
    ///
    /// # Errors
    /// As for [`flush`](Self::flush).
    pub fn flush_async(&mut self) -> Result<()> {
        self.flush_with(0, None, Durability::Visible)
    }

    /// Writes the changes in a range back and returns once every reader of the file sees them.
    ///
    /// # Errors
    /// As for [`flush_range`](Self::flush_range).
    pub fn flush_async_range(&mut self, offset: usize, len: impl Into<Option<usize>>) -> Result<()> {
        self.flush_with(offset, len.into(), Durability::Visible)
    }

    fn flush_with(&mut self, offset: usize, len: Option<usize>, durability: Durability) -> Result<()> {
        let plan = self.door.open()?;
        let (limit, reaches_file) = (plan.span.len(), plan.reaches_file());
        let len = len.unwrap_or_else(|| limit.saturating_sub(offset));
        let range = span::checked_range(Asked::Flush, offset, len, limit)?;
        if !reaches_file {
            return Ok(());
        }
        span::check_aligned(range.start as u64, B::page_size(), Unit::PageSize)?;
        self.door.act(|backend| backend.flush(range, durability))
    }

    /// Tells the system how all bytes will be used.
    ///
    /// # Errors
    /// As for [`advise_range`](Self::advise_range).
    pub fn advise(&mut self, advice: Advice) -> Result<()> {
        self.advise_range(advice, 0, usize::MAX)
    }

    /// Tells the system how `len` bytes from `start` will be used. Bytes past the mapping's end are ignored. This is a
    /// hint: it never fails if its start is valid. On a buffer `Normal`, `Random` and `Sequential` apply to all bytes.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the start does not lie in the mapping, [`Error::Misaligned`] if it is not a multiple of
    /// [`page_size`](Self::page_size).
    pub fn advise_range(&mut self, advice: Advice, start: usize, len: usize) -> Result<()> {
        let range = self.advised(start, len)?;
        self.door.act(|backend| {
            backend.advise(advice, range);
            Ok(())
        })
    }

    /// Gives advice that can change bytes.
    ///
    /// # Safety
    /// After the advice nobody may assume that a slice of the range still has its old bytes. This holds for this
    /// process and for every other process that shares the memory. The bytes may change immediately, or with
    /// [`UncheckedAdvice::Free`] at any later time until they are written.
    ///
    /// # Errors
    /// As for [`advise_range`](Self::advise_range), [`Error::Unsupported`] if the advice is not supported, and
    /// [`Error::Io`].
    pub unsafe fn advise_unchecked(&mut self, advice: UncheckedAdvice, start: usize, len: usize) -> Result<()> {
        let range = self.advised(start, len)?;
        // SAFETY: the range lies in the mapping, and the caller accepts that its bytes may change.
        self.door.act(|backend| unsafe { backend.advise_unchecked(advice, range) })
    }

    fn advised(&self, start: usize, len: usize) -> Result<Range<usize>> {
        let limit = self.door.open()?.span.len();
        if start >= limit {
            return Err(Error::OutOfRange {
                what: Asked::Advice,
                start: start as i128,
                len: len as u64,
                limit: limit as u64,
            });
        }
        span::check_aligned(start as u64, B::page_size(), Unit::PageSize)?;
        Ok(start..start.saturating_add(len).min(limit))
    }

    /// Keeps all bytes in memory, so that no page is moved to swap space or has to be read again. A resize may unlock
    /// the mapping: lock it again afterwards. (`mlock`, `VirtualLock`)
    ///
    /// # Errors
    /// [`Error::Unsupported`] on a buffer. [`Error::Io`], for example if the operating system's limit on locked memory
    /// is reached.
    pub fn lock(&mut self) -> Result<()> {
        self.door.act(B::lock)
    }

    /// Undoes [`lock`](Self::lock). (`munlock`, `VirtualUnlock`)
    ///
    /// # Errors
    /// As for [`lock`](Self::lock). Windows returns an error if the bytes are not locked.
    pub fn unlock(&mut self) -> Result<()> {
        self.door.act(B::unlock)
    }

    /// The address of the first byte, for code that keeps a pointer instead of a slice: a binding to another language,
    /// a library in C.
    ///
    /// The pointer stays valid until [`resize`](Self::resize) succeeds, or until the mapping is closed or dropped.
    /// Moving, flushing, refreshing and all other uses of the mapping keep it valid. If the mapping allows changes,
    /// bytes may be written through the pointer. From this call on every page counts as borrowed mutably:
    /// [`flush`](Self::flush) and [`close`](Self::close) write every byte that was changed. For this a buffer loads all
    /// bytes, keeps a copy of them, and compares all bytes of a flush with the copy.
    ///
    /// The code that uses the pointer must keep Rust's rules. It must not write through the pointer while a slice of
    /// the same bytes is borrowed, or while a call of this mapping runs in another thread.
    ///
    /// ```
    /// use portable_mmap::Mmap;
    ///
    /// # fn main() -> portable_mmap::Result<()> {
    /// let mut map = Mmap::anonymous(10)?;
    /// let start = map.export()?;
    /// // SAFETY: the first of ten bytes, which nobody borrows.
    /// unsafe { start.write(b'A') };
    /// assert_eq!(map.find("A")?, Some(0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::NoMemory`], and those of loading.
    pub fn export(&mut self) -> Result<*mut u8> {
        Ok(self.door.act(B::export)?.as_ptr())
    }

    /// Changes the length of the mapping to `len` bytes, and sets the length of its file so that the file ends where
    /// the mapping ends.
    ///
    /// A file that extends past the end of the mapping is truncated there, even if the mapping grows. For example, if a
    /// mapping starts at offset 8,192 of a file of 40,000 bytes and is resized to 20,000 bytes, the file has 28,192
    /// bytes afterwards. Bytes that the mapping gains are those of the file, or zeros past the file's end. The position
    /// stays the same, even if it then lies past the end. Anonymous memory can always shrink. It can grow only if it is
    /// private.
    ///
    /// On unix an OS mapping shrinks in place, and on Linux it grows with `mremap`, so neither needs the addresses of a
    /// second mapping. To grow a mapping on Linux that has a [`guard`](MmapOptions::guard), that was partly advised or
    /// locked, or that uses huge pages, the file is mapped a second time. On other systems a mapping always grows in
    /// this way.
    ///
    /// ```
    /// # fn main() -> portable_mmap::Result<()> {
    /// # let dir = tempfile::tempdir_in(".").unwrap();
    /// # let path = dir.path().join("file");
    /// # std::fs::write(&path, b"0123456789").unwrap();
    /// use portable_mmap::MmapOptions;
    ///
    /// let mut map = MmapOptions::new().open_buffered(&path)?;
    /// map.resize(4)?;
    /// map.resize(6)?;
    /// assert_eq!(map.as_slice()?, b"0123\0\0");
    /// assert_eq!(map.size()?, 6);
    /// # map.close()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::ReadOnly`] on [`Access::Read`] and [`Access::Copy`]; [`Error::Untracked`]; [`Error::OutOfRange`] for a
    /// length of 0 or a file that would be too long; [`Error::Unsupported`] for growing shared anonymous memory, for a
    /// device, and if [`allocate`](MmapOptions::allocate) is not supported; [`Error::NoMemory`]; [`Error::Io`]. The
    /// mapping and the file are then as before. On Windows making the file shorter is an error while another mapping of
    /// the file exists.
    ///
    /// On unix the signal `SIGXFSZ` kills a process that makes a file longer than its limit (`ulimit -f`), as for any
    /// write. If the process ignores this signal, the call returns [`Error::Io`] of the kind `FileTooLarge`.
    pub fn resize(&mut self, len: usize) -> Result<()> {
        let plan = self.door.open()?;
        if matches!(plan.access, Access::Read | Access::Copy) {
            return Err(Error::ReadOnly { access: plan.access });
        }
        if !plan.track_file {
            return Err(Error::Untracked { operation: Operation::Resize });
        }
        if !plan.has_settable_len() {
            return Err(Error::Unsupported { what: "only the length of a regular file can be changed" });
        }
        if len == 0 {
            return Err(zero_length(Asked::NewLength));
        }
        Span::new(plan.span.offset(), len)?;
        if plan.anonymous && !plan.private && len > plan.span.len() {
            return Err(Error::Unsupported {
                what: "shared anonymous memory cannot grow; memory made with Flags::PRIVATE can",
            });
        }
        self.door.act(|backend| backend.resize(len))
    }

    /// Makes later reads see what others wrote to the file. The changes of this mapping stay: a page with changes is
    /// read again, and the changes are applied to it. OS mappings always show the file as it is, with one exception.
    ///
    /// On an overlay (Linux's overlayfs, which containers use) the first write to a file of a lower layer makes a copy
    /// of the file. An OS mapping of a file that was opened before that still shows the old file. With [`Access::Read`]
    /// this call maps the copy, if `/proc` is mounted. For that it opens the file again, and returns [`Error::Io`] if
    /// that fails. With [`Access::Copy`] the mapping shows the old file. Open the file again and make a new mapping to
    /// see the copy.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Io`]. The changes of this mapping stay.
    pub fn refresh(&mut self) -> Result<()> {
        self.refresh_range(0, self.len())
    }

    /// [`refresh`](Self::refresh) for the pages that hold `len` bytes from `offset`.
    ///
    /// # Errors
    /// As for [`refresh`](Self::refresh); [`Error::OutOfRange`] if the range does not lie in the mapping.
    pub fn refresh_range(&mut self, offset: usize, len: usize) -> Result<()> {
        self.door.act_despite_faults(|backend| {
            let range = span::checked_range(Asked::Refresh, offset, len, backend.plan().span.len())?;
            backend.refresh(range)
        })
    }

    /// Writes changes back, and frees the memory and the mapping's share of the file. It syncs only if an earlier sync
    /// failed. Later calls return [`Error::Closed`]. Closing twice is not an error. If the caller has an `Arc` of the
    /// file, the file stays open.
    ///
    /// # Errors
    /// As for [`flush`](Self::flush): the mapping stays open, and `close` can be called again.
    pub fn close(&mut self) -> Result<()> {
        self.door.close()
    }

    /// Closes the mapping and returns its share of the file, if it has one.
    ///
    /// # Errors
    /// As for [`close`](Self::close), and [`Error::Closed`]. After an error the mapping is dropped, and the drop tries
    /// to write its changes once more.
    pub fn into_file(self) -> Result<Option<Arc<File>>> {
        let track_file = self.door.plan().track_file;
        let source = self.door.into_source()?;
        Ok(source.filter(|_| track_file).and_then(|source| source.file().cloned()))
    }

    /// Converts the backend with `make`. The position stays.
    pub(crate) fn map_backend<C: Backend>(self, make: impl FnOnce(B) -> C) -> Mapping<C> {
        Mapping { door: self.door.map(make), position: self.position }
    }

    /// Calls a function of the backend, for [`raw`](crate::raw).
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut B) -> Result<T>) -> Result<T> {
        self.door.act(act)
    }

    /// [`act`](Self::act) for a mapping that may be changed.
    pub(crate) fn act_writable<T>(&mut self, act: impl FnOnce(&mut B) -> Result<T>) -> Result<T> {
        self.door.check_writable()?;
        self.door.act(act)
    }
}

/// Prints the state, never the bytes.
impl<B: Backend> fmt::Debug for Mapping<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("access", &self.access())
            .field("len", &self.len())
            .field("position", &self.position)
            .field("offset", &self.offset())
            .field("backend", &self.backend_name())
            .finish_non_exhaustive()
    }
}
