//! The life of a mapping: sizes, flush, advise, resize, refresh, close.

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
mod index;
mod iter;
mod making;
mod slice;

pub use index::ByteIndex;
pub use iter::Iter;
pub use making::IntoSharedFile;

/// A file in memory: a slice of bytes, and a file with a position.
///
/// Made by [`MmapOptions`] or [`Mapping::anonymous`]; [`Mmap`](crate::Mmap) is the one over this platform's own
/// backend. A drop writes the changes back and ignores errors: [`close`](Self::close) returns them. In a forked child a
/// drop writes nothing, since the changes are those of its parent, which writes them too; [`flush`](Self::flush) and
/// [`close`](Self::close) write in a child as they do anywhere.
///
/// As a slice it is indexed, sliced and iterated; indexing panics where a slice's would, and where bytes cannot be
/// loaded. Every other call returns an [`Error`], after which everything is as it was before.
///
/// A buffer loads what is touched. [`Deref`](std::ops::Deref) touches everything. In a loop, take a slice of the part
/// that you need once, by [`range`](Self::range), and index that: it is faster than to index the mapping, above all on
/// WASI.
pub struct Mapping<B: Backend = DefaultBackend> {
    door: Door<B>,
    /// The position of the file face, in bytes from the start of the mapping; past the end after a shrink.
    position: usize,
}

impl<B: Backend> Mapping<B> {
    /// `path` is that by which the file was opened.
    pub(crate) fn over(backend: B, path: Option<PathBuf>) -> Self {
        Self { door: Door::new(backend, path), position: 0 }
    }

    /// `len` zeros without a file: shared with forked children on unix, and never written anywhere.
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

    /// How many bytes are mapped; 0 once closed.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.door.len()
    }

    /// Whether no bytes are mapped: only once it is closed.
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

    /// What may be done to the bytes: what results from access, flags and prot.
    #[must_use]
    pub fn access(&self) -> Access {
        self.door.plan().access
    }

    /// Where the mapping starts, in bytes from the start of the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.door.plan().span.offset()
    }

    /// `"mapped"`, `"buffered"`, or `"hosted"` in a guest whose host has placed the mapping; `"closed"` once closed.
    #[must_use]
    pub fn backend_name(&self) -> &'static str {
        self.door.name()
    }

    /// The first byte that a [guarded](MmapOptions::guard) mapping could not give since it was made or
    /// [refreshed](Self::refresh).
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.door.fault()
    }

    /// The unit of flush and advice, in bytes: the operating system's page, or 4096 for a buffer.
    #[must_use]
    pub fn page_size() -> usize {
        B::page_size()
    }

    /// What an offset in a file has to be a multiple of, in bytes. (Python's `ALLOCATIONGRANULARITY`)
    #[must_use]
    pub fn allocation_granularity() -> usize {
        B::allocation_granularity()
    }

    /// The file that is mapped. `None` for anonymous memory and for storages that are no files, if the mapping was made
    /// with [`track_file(false)`](MmapOptions::track_file), and if it is closed.
    ///
    /// On `wasm32-wasip1` a buffer loads long ranges more slowly after this call, because it no longer moves the file's
    /// own position.
    #[must_use]
    pub fn file(&self) -> Option<&Arc<File>> {
        self.door.source().filter(|_| self.door.plan().track_file)?.file()
    }

    /// The length of the file now, in bytes, which may be more than is mapped. For anonymous memory, the length of the
    /// mapping.
    ///
    /// # Errors
    /// [`Error::Untracked`], [`Error::Closed`], [`Error::Io`].
    pub fn size(&self) -> Result<u64> {
        let backend = self.door.open()?;
        let plan = backend.plan();
        if plan.anonymous && plan.track_file {
            return Ok(plan.span.len() as u64);
        }
        match backend.source() {
            Some(source) if plan.track_file => {
                source.len().map_err(|e| self.door.with_path(Error::io(Operation::Metadata, 0, 0, e)))
            }
            _ => Err(Error::Untracked { operation: Operation::Size }),
        }
    }

    /// Writes all changes back and returns once they are on the disk.
    ///
    /// Does nothing on [`Access::Read`] and [`Access::Copy`].
    ///
    /// # A sync that fails
    /// An operating system can drop what it cannot write to the disk: after a sync that fails the next one succeeds,
    /// although nothing is on the disk. So after such an error every page that was written since the last successful
    /// sync is written and synced again by the next flush of it, also by [`flush_async`](Self::flush_async), and by
    /// [`close`](Self::close). They return an error until that succeeds.
    ///
    /// The system reports the error once to an open file. All mappings of the file in this process know of it then; on
    /// Windows and WASI, all mappings of one [`Arc`](std::sync::Arc) of it. A [`File::sync_all`] on
    /// [`file`](Self::file) that returns the error consumes it, and so does a flush in a forked child: the next flush
    /// here does not see it.
    ///
    /// An OS mapping with [`track_file(false)`](MmapOptions::track_file) cannot tell how far the file reaches, and so
    /// returns [`Error::Untracked`] after such an error.
    ///
    /// # Errors
    /// [`Error::Truncated`] if a changed page lies past the end of the file now: a flush never makes a file longer.
    /// [`Error::Io`]. What was not written stays changed, and the next flush or close completes the job.
    pub fn flush(&mut self) -> Result<()> {
        self.flush_with(0, None, Durability::Disk)
    }

    /// Writes the changes back in the pages that hold `len` bytes from `offset`, counted from the mapping's start, and
    /// returns once they are on the disk. A length of `None` means all bytes from there on. (Python's
    /// `flush(offset, size)`)
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the range does not lie in the mapping, [`Error::Misaligned`] if the offset is not a
    /// multiple of [`page_size`](Self::page_size); and as [`flush`](Self::flush).
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
        let backend = self.door.open()?;
        let (limit, reaches_file) = (backend.plan().span.len(), backend.plan().reaches_file());
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

    /// Tells the system how `len` bytes from `start` will be used; bytes behind the mapping's end do not count. This is
    /// a hint: it never fails if its range is right. On a buffer `Normal`, `Random` and `Sequential` hold for all
    /// bytes.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the start does not lie in the mapping, [`Error::Misaligned`] if it is not a multiple of
    /// [`page_size`](Self::page_size).
    pub fn advise_range(&mut self, advice: Advice, start: usize, len: usize) -> Result<()> {
        let range = self.advised(start, len)?;
        self.door.open_mut()?.advise(advice, range);
        Ok(())
    }

    /// Gives advice that can change bytes.
    ///
    /// # Safety
    /// No slice of the range is used after the advice as if it still held what it held before, by this process or any
    /// that shares the memory: the bytes may change at once, or with [`UncheckedAdvice::Free`] at any later time until
    /// they are written to.
    ///
    /// # Errors
    /// As for [`advise_range`](Self::advise_range); [`Error::Unsupported`] where the advice is not available;
    /// [`Error::Io`].
    pub unsafe fn advise_unchecked(&mut self, advice: UncheckedAdvice, start: usize, len: usize) -> Result<()> {
        let range = self.advised(start, len)?;
        // SAFETY: the range lies in the mapping; the caller answers for what becomes of its bytes.
        self.door.act(|backend| unsafe { backend.advise_unchecked(advice, range) })
    }

    fn advised(&self, start: usize, len: usize) -> Result<Range<usize>> {
        let limit = self.door.open()?.plan().span.len();
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

    /// Keeps all bytes in memory, so that no page is moved to swap space or has to be read again. A resize may end
    /// that: lock the mapping again after it. (`mlock`, `VirtualLock`)
    ///
    /// # Errors
    /// [`Error::Unsupported`] on a buffer; [`Error::Io`], since operating systems limit how much may be locked.
    pub fn lock(&mut self) -> Result<()> {
        self.door.act(B::lock)
    }

    /// Lets the bytes leave memory again. (`munlock`, `VirtualUnlock`)
    ///
    /// # Errors
    /// As for [`lock`](Self::lock). Windows returns an error if the bytes are not locked.
    pub fn unlock(&mut self) -> Result<()> {
        self.door.act(B::unlock)
    }

    /// The address of the first byte, for code that keeps a pointer instead of a slice: a binding to another language,
    /// a library in C.
    ///
    /// The pointer stays valid while the mapping is moved, flushed, refreshed and used in any other way, until
    /// [`resize`](Self::resize) succeeds or the mapping is closed or dropped. A mapping that allows changes may be
    /// written to through it, and from this call on every page counts as borrowed mutably: [`flush`](Self::flush) and
    /// [`close`](Self::close) write every byte that was changed. A buffer loads all bytes for that, keeps a copy of
    /// them, and compares all bytes of a flush with the copy.
    ///
    /// The code that uses the pointer keeps Rust's rules: nobody writes through it while a slice of the same bytes is
    /// borrowed or a call of this mapping runs in another thread.
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

    /// Makes the mapping `len` bytes long and sets the length of its file: the file ends where the mapping ends.
    ///
    /// A file that goes on behind the mapping is truncated there, even if the mapping grows: of a file of 40,000 bytes,
    /// a mapping from offset 8,192 that is resized to 20,000 bytes leaves 28,192. Bytes that the mapping gains are
    /// those of the file, and zeros where it had none. The position stays, past the end if need be. Anonymous memory
    /// shrinks; it grows only if it is private.
    ///
    /// On unix an OS mapping shrinks where it is, and on Linux it grows by `mremap`, so neither takes addresses for a
    /// second mapping. Linux maps the file anew to grow a mapping that has a [`guard`](MmapOptions::guard), that was
    /// advised or locked in part, or that lies in huge pages. Other systems always do so to grow a mapping.
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
    /// length of 0 or a file too long; [`Error::Unsupported`] where shared anonymous memory would grow, on a device,
    /// and where [`allocate`](MmapOptions::allocate) is not supported; [`Error::NoMemory`]; [`Error::Io`]. The mapping
    /// and the file are as before. On Windows shortening is an error while another mapping of the file is alive.
    ///
    /// On unix a process that makes a file longer than its limit (`ulimit -f`) is ended by `SIGXFSZ`, as by any write.
    /// One that ignores this signal gets [`Error::Io`] of the kind `FileTooLarge`.
    pub fn resize(&mut self, len: usize) -> Result<()> {
        let plan = self.door.open()?.plan();
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

    /// Makes later reads see what others wrote to the file. The changes of this mapping stay: a page that has some is
    /// read again, and the changes are applied to it. OS mappings see the file as it is anyway, with one exception.
    ///
    /// On an overlay (overlayfs of Linux, as in a container) the first write to a file of a lower layer makes a copy of
    /// it, and an OS mapping of a file that was opened before goes on to show the old one. With [`Access::Read`] this
    /// call maps the copy, where `/proc` is mounted: the file is opened again for that, which returns [`Error::Io`]
    /// where it fails. With [`Access::Copy`] the mapping shows the old file until it is made again from a file that was
    /// opened again.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Io`]; own changes stay.
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

    /// Writes changes back, without a sync unless an earlier one failed, and releases the memory and the share in the
    /// file. Later calls return [`Error::Closed`]. Closing twice is fine. The caller's own `Arc` of the file stays
    /// open.
    ///
    /// # Errors
    /// As for [`flush`](Self::flush): the mapping stays open, and `close` can be called again.
    pub fn close(&mut self) -> Result<()> {
        self.door.close()
    }

    /// Closes the mapping and returns its share in the file, if it has one.
    ///
    /// # Errors
    /// As for [`close`](Self::close); [`Error::Closed`]. After an error the mapping is dropped, which tries once more
    /// to write its changes.
    pub fn into_file(self) -> Result<Option<Arc<File>>> {
        let track_file = self.door.plan().track_file;
        let source = self.door.into_source()?;
        Ok(source.filter(|_| track_file).and_then(|source| source.file().cloned()))
    }

    /// The same mapping over another backend, made of this one.
    pub(crate) fn map_backend<C: Backend>(self, make: impl FnOnce(B) -> C) -> Mapping<C> {
        Mapping { door: self.door.map(make), position: self.position }
    }

    /// The backend, for [`raw`](crate::raw).
    pub(crate) fn backend_mut(&mut self) -> Result<&mut B> {
        self.door.open_mut()
    }

    /// The backend of a mapping that may be changed, for [`raw`](crate::raw).
    pub(crate) fn writable_backend(&mut self) -> Result<&mut B> {
        self.door.check_writable()?;
        self.door.open_mut()
    }
}

/// The state, never the bytes.
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
