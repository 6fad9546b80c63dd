//! What is mapped: [`Storage`], which reads and writes at offsets; and [`OsFile`], the one that ships.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Error, Result};

// The second and last ladder: how files are read and written at offsets.
cfg_if::cfg_if! {
    if #[cfg(all(target_os = "wasi", target_env = "p1"))] {
        mod wasip1;
        use wasip1 as os;
    } else if #[cfg(any(unix, target_os = "wasi"))] {
        mod posix;
        use posix as os;
    } else if #[cfg(windows)] {
        mod windows;
        use windows as os;
    }
}

/// At most so many bytes are moved by one call: one call for 128 MiB fails on wasmtime.
pub(crate) const MAX_MOVE: usize = 1 << 20;

/// Something that [`Buffered`](crate::Buffered) can map: it reads and writes at offsets.
///
/// Offsets and lengths are in bytes from the start. Every function may be called from several threads at once, and none
/// of them moves a cursor that anybody else sees. Reads of different pages of one mapping run at the same time. A panic in
/// one of them is passed on.
///
/// A storage must not use a mapping of its own: it would wait for itself. A read that asks for bytes which the same thread
/// is loading returns an error of kind [`Deadlock`](io::ErrorKind::Deadlock); two threads that wait for each other do not
/// notice it.
///
/// ```
/// use std::io;
/// use std::sync::Mutex;
/// use portable_mmap::{MmapOptions, Mode, Storage};
///
/// /// Bytes in memory.
/// struct Memory(Mutex<Vec<u8>>);
///
/// impl Storage for Memory {
///     fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
///         let bytes = self.0.lock().unwrap();
///         let rest = bytes.get(offset as usize..).unwrap_or_default();
///         let n = rest.len().min(buf.len());
///         buf[..n].copy_from_slice(&rest[..n]);
///         Ok(n)
///     }
///     fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
///         self.0.lock().unwrap()[offset as usize..][..buf.len()].copy_from_slice(buf);
///         Ok(buf.len())
///     }
///     fn len(&self) -> io::Result<u64> {
///         Ok(self.0.lock().unwrap().len() as u64)
///     }
///     fn set_len(&self, len: u64) -> io::Result<()> {
///         self.0.lock().unwrap().resize(len as usize, 0);
///         Ok(())
///     }
///     fn sync(&self) -> io::Result<()> {
///         Ok(())
///     }
///     fn mode(&self) -> io::Result<Mode> {
///         Ok(Mode { read: true, write: true, append: false })
///     }
/// }
///
/// # fn main() -> portable_mmap::Result<()> {
/// let mut map = MmapOptions::new().map_storage(Memory(Mutex::new(b"Hello!".to_vec())))?;
/// map.set_slice(..5, b"Salut")?;
/// map.flush()?;
/// # Ok(())
/// # }
/// ```
pub trait Storage: Send + Sync {
    /// Reads bytes from `offset` into `buf`. May read fewer than asked for; 0 means that the end is reached, or that
    /// `buf` is empty.
    ///
    /// # Errors
    /// Its own; one of kind [`Interrupted`](io::ErrorKind::Interrupted) is tried again.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// [`read_at`](Self::read_at) into memory that is not initialised. Returns the bytes read: the start of `buf`.
    /// As provided it fills `buf` with zeros first.
    ///
    /// # Errors
    /// As for [`read_at`](Self::read_at).
    fn read_at_uninit<'b>(&self, buf: &'b mut [MaybeUninit<u8>], offset: u64) -> io::Result<&'b mut [u8]> {
        let buf = zeroed(buf);
        let n = self.read_at(buf, offset)?;
        buf.get_mut(..n).ok_or_else(overrun)
    }

    /// Writes bytes of `buf` from `offset` on. May write fewer. Never asked to write past the end.
    ///
    /// # Errors
    /// Its own; one of kind [`Interrupted`](io::ErrorKind::Interrupted) is tried again.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;

    /// How many bytes there are now.
    ///
    /// # Errors
    /// Its own.
    fn len(&self) -> io::Result<u64>;

    /// Whether there are no bytes.
    ///
    /// # Errors
    /// That of [`len`](Self::len).
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Makes it longer, with zeros, or shorter.
    ///
    /// # Errors
    /// Its own; the length is as before.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes it `to` bytes long, longer than the `from` bytes that it has, and reserves room for all of them, so that a
    /// later write of these bytes cannot fail for want of room. Overwrites nothing, not even what another writer appends
    /// meanwhile.
    ///
    /// The provided implementation returns an error of kind [`Unsupported`](io::ErrorKind::Unsupported).
    ///
    /// # Errors
    /// Its own, and one of kind [`Unsupported`](io::ErrorKind::Unsupported) if it cannot reserve room; the length is as
    /// before.
    fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns once all that was written is where a crash does not reach it.
    ///
    /// # Errors
    /// Its own.
    fn sync(&self) -> io::Result<()>;

    /// What may be done with it. Asked once, when it is mapped.
    ///
    /// # Errors
    /// Its own.
    fn mode(&self) -> io::Result<Mode>;

    /// What it is. Asked once, when it is mapped.
    ///
    /// # Errors
    /// Its own.
    fn kind(&self) -> io::Result<Kind> {
        Ok(Kind::Regular)
    }

    /// What it is, and how many bytes there are if one question answers both: else [`len`](Self::len) is asked for
    /// that. Asked once, when it is mapped.
    ///
    /// # Errors
    /// Its own.
    fn kind_and_len(&self) -> io::Result<(Kind, Option<u64>)> {
        Ok((self.kind()?, None))
    }

    /// The file behind it, if it is one.
    fn file(&self) -> Option<&Arc<File>> {
        None
    }

    /// Gives up what it holds and returns the file, if it is one.
    fn into_file(self) -> Option<Arc<File>>
    where
        Self: Sized,
    {
        None
    }
}

/// What a file was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Reading.
    pub read: bool,
    /// Writing.
    pub write: bool,
    /// Writing at the end only, wherever a write says it goes.
    pub append: bool,
}

/// What a [`Storage`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Bytes with a length.
    Regular,
    /// A directory, which cannot be mapped.
    Directory,
    /// A device or the like, whose length says nothing.
    Special,
}

/// A file of the operating system.
///
/// Holds the [`File`] itself and not its number: WASI has no `dup`, and a number that is kept alone may come to name
/// another file.
#[derive(Debug)]
pub struct OsFile {
    file: Arc<File>,
    /// What it was opened for, if that need not be asked.
    mode: Option<Mode>,
    /// Whether a caller was given a reference to `file`, which its counts do not show. A file layer that moves the cursor
    /// holds the lock until the cursor is back.
    lent: Mutex<bool>,
}

impl OsFile {
    fn new(file: Arc<File>, mode: Option<Mode>) -> Self {
        Self { file, mode, lent: Mutex::new(false) }
    }

    /// A file that was just opened for reading, and for writing if `write` says so.
    pub(crate) fn opened(file: File, write: bool) -> Self {
        Self::new(Arc::new(file), Some(Mode { read: true, write, append: false }))
    }

    /// Waits until no read uses the cursor, and keeps reads away from it.
    fn lent(&self) -> MutexGuard<'_, bool> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for OsFile {
    fn clone(&self) -> Self {
        // The clone can lend the file at once, so no read may use the cursor now. Later the count of the `Arc` is 2.
        let _lent = self.lent();
        Self::new(self.file.clone(), self.mode)
    }
}

#[cfg(any(unix, windows))]
impl OsFile {
    /// The file, for this crate's own use.
    pub(crate) fn get(&self) -> &Arc<File> {
        &self.file
    }
}

impl From<Arc<File>> for OsFile {
    fn from(file: Arc<File>) -> Self {
        Self::new(file, None)
    }
}

impl From<File> for OsFile {
    fn from(file: File) -> Self {
        Arc::new(file).into()
    }
}

impl Storage for OsFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        os::read_at(&self.file, buf, offset)
    }

    fn read_at_uninit<'b>(&self, buf: &'b mut [MaybeUninit<u8>], offset: u64) -> io::Result<&'b mut [u8]> {
        os::read_at_uninit(&self.file, &self.lent, buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        os::write_at(&self.file, buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
        os::allocate(&self.file, from, to)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn mode(&self) -> io::Result<Mode> {
        self.mode.map_or_else(|| os::mode(&self.file), Ok)
    }

    fn kind(&self) -> io::Result<Kind> {
        Ok(self.kind_and_len()?.0)
    }

    fn kind_and_len(&self) -> io::Result<(Kind, Option<u64>)> {
        let data = self.file.metadata()?;
        let kind = if data.is_file() {
            Kind::Regular
        } else if data.is_dir() {
            Kind::Directory
        } else {
            Kind::Special
        };
        Ok((kind, Some(data.len())))
    }

    fn file(&self) -> Option<&Arc<File>> {
        *self.lent() = true;
        Some(&self.file)
    }

    fn into_file(self) -> Option<Arc<File>> {
        Some(self.file)
    }
}

/// Fills memory with zeros: in one step, where a loop over its bytes keeps an interpreter busy for long.
pub(crate) fn zeroed(buf: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    // SAFETY: as long as the slice is, and zero is a byte.
    unsafe { buf.as_mut_ptr().write_bytes(0, buf.len()) };
    // SAFETY: every byte was just initialised, and `MaybeUninit<u8>` has the layout of `u8`.
    unsafe { &mut *(std::ptr::from_mut(buf) as *mut [u8]) }
}

/// Makes a call until it is not interrupted.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// One [`Storage::write_at`] of at most [`MAX_MOVE`] bytes that moves at least one, tried again when interrupted.
pub(crate) fn write_some<S: Storage + ?Sized>(storage: &S, buf: &[u8], offset: u64) -> io::Result<usize> {
    let buf = &buf[..buf.len().min(MAX_MOVE)];
    match uninterrupted(|| storage.write_at(buf, offset)) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Ok(n) if n > buf.len() => Err(overrun()),
        result => result,
    }
}

/// One [`Storage::read_at_uninit`] of at most [`MAX_MOVE`] bytes, tried again when interrupted. Returns how many bytes
/// at the start of `buf` are initialised now; 0 is the end.
pub(crate) fn read_some<S: Storage>(storage: &S, buf: &mut [MaybeUninit<u8>], offset: u64) -> io::Result<usize> {
    let len = buf.len().min(MAX_MOVE);
    let start = buf.as_ptr().cast::<u8>();
    uninterrupted(|| match storage.read_at_uninit(&mut buf[..len], offset)? {
        // A storage is safe code and may return any slice: what counts is that these very bytes were initialised.
        [] => Ok(0),
        read if read.as_ptr() == start && read.len() <= len => Ok(read.len()),
        _ => Err(io::Error::other("a storage returned other bytes than those it was to read into")),
    })
}

/// Fills `buf` from `offset` on. Returns how many bytes there were: fewer only where the storage ends.
pub(crate) fn read_full<S: Storage>(storage: &S, buf: &mut [u8], offset: u64) -> Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        let rest = &mut buf[filled..];
        let (at, len) = (offset + filled as u64, rest.len());
        match uninterrupted(|| storage.read_at(&mut rest[..len.min(MAX_MOVE)], at)) {
            Ok(0) => break,
            Ok(n) if n <= len => filled += n,
            Ok(_) => return Err(Error::io("read", at, len as u64, overrun())),
            Err(e) => return Err(Error::io("read", at, len as u64, e)),
        }
    }
    Ok(filled)
}

/// The error of a storage that breaks its contract.
fn overrun() -> io::Error {
    io::Error::other("the storage claims to have moved more bytes than it was asked to")
}

/// Makes a storage longer, then does what needs it that long; if that fails the storage gets its old length back, unless
/// somebody else has made it longer meanwhile. `from` is its length, or nothing where it needs no change.
pub(crate) fn with_length<S: Storage, T>(
    storage: &S,
    from: Option<u64>,
    to: u64,
    allocate: bool,
    then: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let Some(from) = from else { return then() };
    let extended = if allocate { storage.allocate(from, to) } else { storage.set_len(to) };
    extended.map_err(|e| match e.kind() {
        io::ErrorKind::Unsupported if allocate => Error::Unsupported {
            what: "reserving room for a longer file on this system or file system; it grows without allocate(true)",
        },
        _ => Error::io("extend", from, to - from, e),
    })?;
    then().inspect_err(|_| {
        // Nothing more can be done if this fails too, and the first error is the one to report.
        if storage.len().is_ok_and(|len| len == to) {
            let _ = storage.set_len(from);
        }
    })
}
