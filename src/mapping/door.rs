//! Access to the bytes of a mapping, with all checks.
//!
//! Every call that uses bytes goes through a [`Door`], so no call can omit a check: whether the mapping is open,
//! whether a guard has noted a fault, whether the bytes may be changed, and afterwards whether a fault was noted during
//! the call. The fields are private to this file.
//!
//! A [`Front`] has the bytes that need none of these checks.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use super::front::Front;
use super::index::check_index;
use crate::backend::Backend;
use crate::error::panic_with;
use crate::guard::Fault;
use crate::newlines::first_newline;
use crate::plan::Plan;
use crate::{Error, Result};

/// The backend of a mapping, until the mapping is closed.
#[derive(Debug)]
pub(crate) struct Door<B> {
    state: State<B>,
    front: Front,
    /// The path by which the file was opened, for errors.
    path: Option<PathBuf>,
}

#[derive(Debug)]
enum State<B> {
    Open(B),
    /// The plan of the mapping that was closed.
    Closed(Plan),
}

/// Access to bytes for a call that can fail, while the call runs.
#[derive(Debug)]
pub(crate) struct Reader<'m, B>(&'m B);

impl<'m, B: Backend> Reader<'m, B> {
    /// The bytes of a range that lies in the mapping. Loads them, and with a guard touches every page.
    #[inline]
    pub(crate) fn bytes(&self, range: Range<usize>) -> Result<&'m [u8]> {
        self.0.bytes(range)
    }
}

/// Mutable access to bytes for a call that can fail, while the call runs.
#[derive(Debug)]
pub(crate) struct Writer<'m, B>(&'m mut B);

impl<B: Backend> Writer<'_, B> {
    /// The bytes of a range that lies in the mapping, mutably. Loads them, and with a guard touches every page.
    #[inline]
    pub(crate) fn bytes(&mut self, range: Range<usize>) -> Result<&mut [u8]> {
        self.0.bytes_mut(range)
    }

    /// Copies the bytes of a range to the bytes from `to` on. Both ranges lie in the mapping.
    pub(crate) fn copy_within(&mut self, from: Range<usize>, to: usize) -> Result<()> {
        self.0.copy_within(from, to)
    }
}

impl<B: Backend> Door<B> {
    pub(crate) fn new(backend: B, path: Option<PathBuf>) -> Self {
        Self { front: Front::of(&backend), state: State::Open(backend), path }
    }

    /// Adds the path of the file to an error of a backend or a source. Every result of a backend or a source goes
    /// through this method or the function [`add_path`].
    #[inline]
    pub(crate) fn add_path<T>(&self, result: Result<T>) -> Result<T> {
        add_path(self.path.as_deref(), result)
    }

    #[inline]
    fn backend(&self) -> Option<&B> {
        match &self.state {
            State::Open(backend) => Some(backend),
            State::Closed(_) => None,
        }
    }

    /// The backend, for a call that changes only bytes. Ready bytes stay ready.
    #[inline]
    fn backend_for_bytes(&mut self) -> Option<&mut B> {
        match &mut self.state {
            State::Open(backend) => Some(backend),
            State::Closed(_) => None,
        }
    }

    /// The backend, for a call that may change anything. From now on no byte counts as ready.
    #[inline]
    fn backend_mut(&mut self) -> Option<&mut B> {
        self.front.forget();
        self.backend_for_bytes()
    }

    /// The plan of the mapping, also after it was closed.
    #[inline]
    pub(crate) fn plan(&self) -> &Plan {
        match &self.state {
            State::Open(backend) => backend.plan(),
            State::Closed(plan) => plan,
        }
    }

    /// How many bytes there are. 0 if the mapping is closed.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.backend().map_or(0, |backend| backend.plan().span.len())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.backend().is_none()
    }

    /// The name of the backend, or `"closed"`.
    pub(crate) fn name(&self) -> &'static str {
        self.backend().map_or("closed", B::name)
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.backend()?.fault()
    }

    /// The source, even if a guard has noted a fault.
    pub(crate) fn source(&self) -> Option<&B::Source> {
        self.backend()?.source()
    }

    /// The plan of the mapping, if it is open. No function returns the backend itself, so no caller can get an error
    /// that lacks the path.
    ///
    /// # Errors
    /// [`Error::Closed`], and the error of a fault.
    #[inline]
    pub(crate) fn open(&self) -> Result<&Plan> {
        let backend = self.checked()?;
        self.front.renew(backend);
        Ok(backend.plan())
    }

    /// The backend, if the mapping is open and no fault was noted.
    #[inline]
    fn checked(&self) -> Result<&B> {
        let backend = self.backend().ok_or(Error::Closed)?;
        self.add_path(check_fault(backend))?;
        Ok(backend)
    }

    /// The backend and the path, for a call that changes only bytes.
    #[inline]
    fn parts_for_bytes(&mut self) -> Result<(&mut B, Option<&Path>)> {
        let (State::Open(backend), path) = (&mut self.state, self.path.as_deref()) else { return Err(Error::Closed) };
        add_path(path, check_fault(backend))?;
        Ok((backend, path))
    }

    /// Calls `act` with the backend if the mapping is open and no fault was noted. For calls that do not fit
    /// [`read`](Self::read) or [`write`](Self::write).
    #[inline]
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut B) -> Result<T>) -> Result<T> {
        self.checked()?;
        self.act_despite_faults(act)
    }

    /// [`act`](Self::act), even if a guard has noted a fault. For the call that clears faults.
    pub(crate) fn act_despite_faults<T>(&mut self, act: impl FnOnce(&mut B) -> Result<T>) -> Result<T> {
        let backend = self.backend_mut().ok_or(Error::Closed)?;
        let done = act(backend);
        let front = Front::of(backend);
        self.front = front;
        self.add_path(done)
    }

    #[cold]
    fn read_only(&self) -> Error {
        Error::ReadOnly { access: self.plan().access }
    }

    /// Checks that bytes may be changed. Callers call it before they check a range.
    ///
    /// # Errors
    /// [`Error::Closed`], the error of a fault, and [`Error::ReadOnly`], checked in this order.
    #[inline]
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.checked()?.plan().access.is_writable() { Ok(()) } else { Err(self.read_only()) }
    }

    /// Calls `act` to read bytes, and checks for a fault before and afterwards.
    #[inline]
    pub(crate) fn read<'m, T>(&'m self, act: impl FnOnce(Reader<'m, B>) -> Result<T>) -> Result<T> {
        let backend = self.checked()?;
        let done = act(Reader(backend)).and_then(|value| check_fault(backend).map(|()| value));
        self.front.renew(backend);
        self.add_path(done)
    }

    /// The bytes of a range that lies in the mapping.
    #[inline]
    pub(crate) fn bytes(&self, range: Range<usize>) -> Result<&[u8]> {
        self.read(|reader| reader.bytes(range))
    }

    /// Calls `act` to change bytes, and checks for a fault before and afterwards.
    #[inline]
    pub(crate) fn write<T>(&mut self, act: impl FnOnce(Writer<'_, B>) -> Result<T>) -> Result<T> {
        self.check_writable()?;
        let (backend, path) = self.parts_for_bytes()?;
        let done = act(Writer(backend)).and_then(|value| check_fault(backend).map(|()| value));
        add_path(path, done)
    }

    /// The bytes of a range that lies in the mapping, mutably.
    #[inline]
    pub(crate) fn bytes_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]> {
        self.check_writable()?;
        let (backend, path) = self.parts_for_bytes()?;
        add_path(path, backend.bytes_mut(range))
    }

    /// The bytes of a range that lies in the mapping, for an access as a slice. It panics if they cannot be loaded.
    /// Returns an empty slice if the mapping is closed.
    #[inline]
    #[track_caller]
    pub(crate) fn look(&self, range: Range<usize>) -> &[u8] {
        match self.ready_bytes(range.clone()) {
            Some(bytes) => bytes,
            None => self.look_unready(range),
        }
    }

    /// [`look`](Self::look) for bytes that are not all known to be ready.
    #[inline(never)]
    #[track_caller]
    fn look_unready(&self, range: Range<usize>) -> &[u8] {
        let Some(backend) = self.backend() else { return &[] };
        match backend.look(range) {
            Ok(bytes) => {
                self.front.renew(backend);
                bytes
            }
            Err(error) => panic_with(error, self.path.as_deref()),
        }
    }

    /// The bytes of a range that lies in the mapping, mutably, for an access as a slice. It panics if the mapping is
    /// read-only, and if the bytes cannot be loaded.
    #[inline]
    #[track_caller]
    pub(crate) fn look_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        assert!(self.plan().access.is_writable(), "{}", self.read_only());
        let State::Open(backend) = &mut self.state else { return &mut [] };
        match backend.look_mut(range) {
            Ok(bytes) => bytes,
            Err(error) => panic_with(error, self.path.as_deref()),
        }
    }

    /// The byte at an index, if it lies in the mapping and is ready. Bytes before it need not be ready.
    #[inline]
    pub(crate) fn ready_byte(&self, index: usize) -> Option<u8> {
        self.backend()?.ready_byte(index)
    }

    /// The bytes of a range, if it lies in the mapping and all bytes up to its end are known to be ready.
    #[inline]
    pub(crate) fn ready_bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        // SAFETY: the front is that of the backend, and the backend is borrowed as long as the bytes.
        self.front.bytes(range).map(|bytes| unsafe { bytes.as_ref() })
    }

    /// Whether at least one byte, and all bytes before `end`, are known to be ready.
    #[inline]
    pub(crate) fn is_ready_up_to(&self, end: usize) -> bool {
        let ready = self.front.len();
        ready > 0 && end <= ready
    }

    /// The line that starts at `start`, with its newline, if it is known to be ready and has at most `most` bytes.
    ///
    /// Returns a pointer, because the borrow checker keeps a reference that is returned in one case borrowed in the
    /// other case too. The bytes may be read for as long as the mapping stays borrowed.
    #[inline]
    pub(crate) fn ready_line(&mut self, start: usize, most: usize) -> Option<NonNull<[u8]>> {
        let rest = self.front.bytes_from(start, most)?;
        // SAFETY: as in `ready_bytes`.
        let len = first_newline(unsafe { rest.as_ref() })? + 1;
        Some(NonNull::slice_from_raw_parts(rest.cast(), len))
    }

    /// A reference to the byte at an index, if all bytes up to it are known to be ready.
    #[inline]
    pub(crate) fn ready_ref(&self, index: usize) -> Option<&u8> {
        // SAFETY: as in `ready_bytes`.
        self.front.byte(index).map(|byte| unsafe { byte.as_ref() })
    }

    /// A mutable reference to the byte at an index, if the byte is ready and may be changed.
    #[inline]
    pub(crate) fn ready_mut(&mut self, index: usize) -> Option<&mut u8> {
        let mut byte = self.backend_for_bytes()?.ready_mut(index)?;
        // SAFETY: the byte may be used while the backend is borrowed mutably, and it is borrowed as long as the
        // reference.
        Some(unsafe { byte.as_mut() })
    }

    /// The byte at an index, mutably, for an access as a slice. It panics as [`look_mut`](Self::look_mut) does, and if
    /// the index is out of range.
    #[inline]
    #[track_caller]
    pub(crate) fn byte_mut(&mut self, index: usize) -> &mut u8 {
        if let Some(mut byte) = self.backend_for_bytes().and_then(|backend| backend.ready_mut(index)) {
            // SAFETY: as in `ready_mut`. That method cannot be called here, because its result would stay borrowed
            // until the end of the function.
            return unsafe { byte.as_mut() };
        }
        self.unready_byte_mut(index)
    }

    /// [`byte_mut`](Self::byte_mut) for a byte that is not ready.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn unready_byte_mut(&mut self, index: usize) -> &mut u8 {
        check_index(index, self.len());
        &mut self.look_mut(index..index + 1)[0]
    }

    /// Converts the backend with `make`.
    pub(crate) fn map<C: Backend>(self, make: impl FnOnce(B) -> C) -> Door<C> {
        match self.state {
            State::Open(backend) => Door::new(make(backend), self.path),
            State::Closed(plan) => Door { state: State::Closed(plan), front: Front::default(), path: self.path },
        }
    }

    /// Writes changes back and drops the backend. After an error the mapping stays open.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.front.forget();
        if let State::Open(backend) = &mut self.state {
            add_path(self.path.as_deref(), backend.close())?;
            let plan = backend.plan().clone();
            self.state = State::Closed(plan);
        }
        Ok(())
    }

    /// Writes changes back and drops everything except the source.
    pub(crate) fn into_source(self) -> Result<Option<B::Source>> {
        let State::Open(mut backend) = self.state else { return Err(Error::Closed) };
        add_path(self.path.as_deref(), backend.close())?;
        Ok(backend.into_source())
    }
}

/// Adds a path to an error that concerns the file.
#[inline]
fn add_path<T>(path: Option<&Path>, result: Result<T>) -> Result<T> {
    result.map_err(|error| error.with_path(path))
}

/// Returns an error if the backend has noted a fault.
#[inline]
fn check_fault<B: Backend>(backend: &B) -> Result<()> {
    match backend.fault() {
        None => Ok(()),
        Some(fault) => Err(backend.fault_error(fault)),
    }
}
