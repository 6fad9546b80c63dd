//! The one door to the bytes of a mapping.
//!
//! Every call that wants bytes comes through here, so no call can forget what has to be looked at: whether the mapping is open,
//! whether a guard has noted a fault, whether it may be changed, and afterwards whether a fault was noted meanwhile. The
//! fields are private to this file.
//!
//! Beside it is a [`Front`]: the bytes for which none of this has to be asked.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::front::Front;
use super::index::check_index;
use crate::backend::Backend;
use crate::error::panic_with;
use crate::guard::Fault;
use crate::plan::Plan;
use crate::{Error, Result};

/// A backend, until it is closed.
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
    /// What the mapping was.
    Closed(Plan),
}

/// Gives bytes to a call that can fail, for as long as it lasts.
#[derive(Debug)]
pub(crate) struct Reader<'m, B>(&'m B);

impl<'m, B: Backend> Reader<'m, B> {
    /// The bytes of a range that lies in the mapping: loaded, and under a guard touched.
    #[inline]
    pub(crate) fn bytes(&self, range: Range<usize>) -> Result<&'m [u8]> {
        self.0.bytes(range)
    }
}

/// Gives bytes that may be changed to a call that can fail, for as long as it lasts.
#[derive(Debug)]
pub(crate) struct Writer<'m, B>(&'m mut B);

impl<B: Backend> Writer<'_, B> {
    /// The bytes of a range that lies in the mapping, to be changed: loaded, and under a guard touched.
    #[inline]
    pub(crate) fn bytes(&mut self, range: Range<usize>) -> Result<&mut [u8]> {
        self.0.bytes_mut(range)
    }

    /// Copies a range that lies in the mapping to where it lies in the mapping too.
    pub(crate) fn copy_within(&mut self, from: Range<usize>, to: usize) -> Result<()> {
        self.0.copy_within(from, to)
    }
}

impl<B: Backend> Door<B> {
    pub(crate) fn new(backend: B, path: Option<PathBuf>) -> Self {
        Self { front: Front::of(&backend), state: State::Open(backend), path }
    }

    /// The result of a backend or a source, with the path of the file if it is an error. Every such result goes through
    /// this function or [`named`].
    #[inline]
    pub(crate) fn named<T>(&self, result: Result<T>) -> Result<T> {
        named(self.path.as_deref(), result)
    }

    #[inline]
    fn backend(&self) -> Option<&B> {
        match &self.state {
            State::Open(backend) => Some(backend),
            State::Closed(_) => None,
        }
    }

    /// The backend, for a call that changes bytes and nothing else: those that are ready stay ready.
    #[inline]
    fn backend_for_bytes(&mut self) -> Option<&mut B> {
        match &mut self.state {
            State::Open(backend) => Some(backend),
            State::Closed(_) => None,
        }
    }

    /// The backend, for a call that may change anything.
    #[inline]
    fn backend_mut(&mut self) -> Option<&mut B> {
        self.front.forget();
        self.backend_for_bytes()
    }

    /// What the mapping is, or was until it was closed.
    #[inline]
    pub(crate) fn plan(&self) -> &Plan {
        match &self.state {
            State::Open(backend) => backend.plan(),
            State::Closed(plan) => plan,
        }
    }

    /// How many bytes there are; 0 once closed.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.backend().map_or(0, |backend| backend.plan().span.len())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.backend().is_none()
    }

    /// The backend's name, or that the mapping is closed.
    pub(crate) fn name(&self) -> &'static str {
        self.backend().map_or("closed", B::name)
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.backend()?.fault()
    }

    /// The source, whatever a guard has noted.
    pub(crate) fn source(&self) -> Option<&B::Source> {
        self.backend()?.source()
    }

    /// What the mapping is, if it is open. No function returns the backend itself, so no caller can get an error that
    /// lacks the path.
    ///
    /// # Errors
    /// [`Error::Closed`], and that of a fault.
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
        self.named(check_fault(backend))?;
        Ok(backend)
    }

    /// The backend and the path, for a call that changes bytes and nothing else.
    #[inline]
    fn parts_for_bytes(&mut self) -> Result<(&mut B, Option<&Path>)> {
        let (State::Open(backend), path) = (&mut self.state, self.path.as_deref()) else { return Err(Error::Closed) };
        named(path, check_fault(backend))?;
        Ok((backend, path))
    }

    /// Lets a call do something but change bytes.
    #[inline]
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut B) -> Result<T>) -> Result<T> {
        self.checked()?;
        self.act_despite_faults(act)
    }

    /// [`act`](Self::act), whatever a guard has noted: for the call that takes faults back.
    pub(crate) fn act_despite_faults<T>(&mut self, act: impl FnOnce(&mut B) -> Result<T>) -> Result<T> {
        let backend = self.backend_mut().ok_or(Error::Closed)?;
        let done = act(backend);
        let front = Front::of(backend);
        self.front = front;
        self.named(done)
    }

    #[cold]
    fn read_only(&self) -> Error {
        Error::ReadOnly { access: self.plan().access }
    }

    /// Makes sure that bytes may be changed: reported before any range is looked at.
    ///
    /// # Errors
    /// [`Error::Closed`], that of a fault, then [`Error::ReadOnly`].
    #[inline]
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.checked()?.plan().access.is_writable() { Ok(()) } else { Err(self.read_only()) }
    }

    /// Lets a call read, and looks for a fault before and afterwards.
    #[inline]
    pub(crate) fn read<'m, T>(&'m self, act: impl FnOnce(Reader<'m, B>) -> Result<T>) -> Result<T> {
        let backend = self.checked()?;
        let done = act(Reader(backend)).and_then(|value| check_fault(backend).map(|()| value));
        self.front.renew(backend);
        self.named(done)
    }

    /// The bytes of a range that lies in the mapping.
    #[inline]
    pub(crate) fn bytes(&self, range: Range<usize>) -> Result<&[u8]> {
        self.read(|reader| reader.bytes(range))
    }

    /// Lets a call change bytes, and looks for a fault before and afterwards.
    #[inline]
    pub(crate) fn write<T>(&mut self, act: impl FnOnce(Writer<'_, B>) -> Result<T>) -> Result<T> {
        self.check_writable()?;
        let (backend, path) = self.parts_for_bytes()?;
        let done = act(Writer(backend)).and_then(|value| check_fault(backend).map(|()| value));
        named(path, done)
    }

    /// The bytes of a range that lies in the mapping, to be changed.
    #[inline]
    pub(crate) fn bytes_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]> {
        self.check_writable()?;
        let (backend, path) = self.parts_for_bytes()?;
        named(path, backend.bytes_mut(range))
    }

    /// The bytes of a range that lies in the mapping, for the slice face, which cannot fail. None once closed.
    #[inline]
    #[track_caller]
    pub(crate) fn look(&self, range: Range<usize>) -> &[u8] {
        match self.ready_bytes(range.clone()) {
            Some(bytes) => bytes,
            None => self.look_closer(range),
        }
    }

    /// [`look`](Self::look), at bytes that are not all known to be ready.
    #[inline(never)]
    #[track_caller]
    fn look_closer(&self, range: Range<usize>) -> &[u8] {
        let Some(backend) = self.backend() else { return &[] };
        match backend.look(range) {
            Ok(bytes) => {
                self.front.renew(backend);
                bytes
            }
            Err(error) => panic_with(error, self.path.as_deref()),
        }
    }

    /// The bytes of a range that lies in the mapping, to be changed, for the slice face, which cannot fail.
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

    /// The byte at an index, if nothing has to be done or looked at for it, wherever it lies.
    #[inline]
    pub(crate) fn ready_byte(&self, index: usize) -> Option<u8> {
        self.backend()?.ready_byte(index)
    }

    /// The bytes of a range, if it lies in the mapping and all bytes up to its end are known to be ready.
    #[inline]
    pub(crate) fn ready_bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        // SAFETY: the front is that of the backend, which is borrowed as long as the bytes.
        self.front.bytes(range).map(|bytes| unsafe { bytes.as_ref() })
    }

    /// Whether all bytes before `end` are known to be ready, and there is one that is.
    #[inline]
    pub(crate) fn is_ready_up_to(&self, end: usize) -> bool {
        let ready = self.front.len();
        ready > 0 && end <= ready
    }

    /// As many bytes from `start` on as are known to be ready, `most` at the most; `None` if there is not even `start`.
    #[inline]
    pub(crate) fn ready_part(&self, start: usize, most: usize) -> Option<&[u8]> {
        self.ready_bytes(start..self.front.len().min(start.saturating_add(most)))
    }

    /// A reference to the byte at an index, if all bytes up to it are known to be ready.
    #[inline]
    pub(crate) fn ready_ref(&self, index: usize) -> Option<&u8> {
        // SAFETY: as in `ready_bytes`.
        self.front.byte(index).map(|byte| unsafe { byte.as_ref() })
    }

    /// A reference to the byte at an index, to be changed, if nothing has to be done or looked at for that.
    #[inline]
    pub(crate) fn ready_mut(&mut self, index: usize) -> Option<&mut u8> {
        let mut byte = self.backend_for_bytes()?.ready_mut(index)?;
        // SAFETY: the backend says that it may be used while it is borrowed, and it is borrowed as long as the reference.
        Some(unsafe { byte.as_mut() })
    }

    /// The byte at an index, to be changed, for the slice face, which cannot fail. Out of range it panics as a slice does.
    #[inline]
    #[track_caller]
    pub(crate) fn byte_mut(&mut self, index: usize) -> &mut u8 {
        if let Some(mut byte) = self.backend_for_bytes().and_then(|backend| backend.ready_mut(index)) {
            // SAFETY: as in `ready_mut`, which cannot be called here: what it returns would be borrowed until the end.
            return unsafe { byte.as_mut() };
        }
        self.unready_byte_mut(index)
    }

    /// [`byte_mut`](Self::byte_mut), of a byte that is not ready.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn unready_byte_mut(&mut self, index: usize) -> &mut u8 {
        check_index(index, self.len());
        &mut self.look_mut(index..index + 1)[0]
    }

    /// The same with another backend, made of this one.
    pub(crate) fn map<C: Backend>(self, make: impl FnOnce(B) -> C) -> Door<C> {
        match self.state {
            State::Open(backend) => Door::new(make(backend), self.path),
            State::Closed(plan) => Door { state: State::Closed(plan), front: Front::default(), path: self.path },
        }
    }

    /// Writes back and gives the backend up; after an error it stays.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.front.forget();
        if let State::Open(backend) = &mut self.state {
            named(self.path.as_deref(), backend.close())?;
            let plan = backend.plan().clone();
            self.state = State::Closed(plan);
        }
        Ok(())
    }

    /// Writes back and gives everything up but the source.
    pub(crate) fn into_source(self) -> Result<Option<B::Source>> {
        let State::Open(mut backend) = self.state else { return Err(Error::Closed) };
        named(self.path.as_deref(), backend.close())?;
        Ok(backend.into_source())
    }
}

/// A result, with this path if it is an error that concerns the file.
#[inline]
fn named<T>(path: Option<&Path>, result: Result<T>) -> Result<T> {
    result.map_err(|error| error.with_path(path))
}

/// Looks for a fault.
#[inline]
fn check_fault<B: Backend>(backend: &B) -> Result<()> {
    match backend.fault() {
        None => Ok(()),
        Some(fault) => Err(backend.fault_error(fault)),
    }
}
