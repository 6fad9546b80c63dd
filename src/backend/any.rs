//! Both backends in one type: a mapping of the operating system or of the host if it can map the file, otherwise the
//! emulation.

use std::ops::Range;
use std::ptr::NonNull;

use super::sealed::{Bytes, Faults, Ready};
use super::{Buffered, Mapped};
#[cfg(target_os = "wasi")]
use crate::HostMapping;
#[cfg(any(unix, windows))]
use crate::Mmap;
use crate::error::{Operation, says_unmappable};
use crate::guard::Fault;
use crate::plan::Plan;
use crate::region::Durability;
use crate::storage::{FileKind, OsFile};
use crate::{Access, Advice, AnyMmap, BufferedMmap, Error, Result, UncheckedAdvice, unknown_length};

/// The backend of [`AnyMmap`](crate::AnyMmap), which is chosen when a file is mapped.
#[derive(Debug)]
pub struct AnyBackend(Either);

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "each mapping has only one, and the sizes depend on the target")]
enum Either {
    Mapped(Mapped),
    Buffered(Buffered<OsFile>),
}

impl From<Mapped> for Either {
    fn from(backend: Mapped) -> Self {
        Self::Mapped(backend)
    }
}

impl From<Buffered<OsFile>> for Either {
    fn from(backend: Buffered<OsFile>) -> Self {
        Self::Buffered(backend)
    }
}

// The backend that maps a file without a host.
cfg_if::cfg_if! {
    if #[cfg(any(unix, windows))] {
        type Base = Mapped;
    } else {
        type Base = Buffered<OsFile>;
    }
}

/// Calls a function of the backend in use.
macro_rules! either {
    ($either:expr, $backend:ident => $call:expr) => {
        match $either.0 {
            Either::Mapped($backend) => $call,
            Either::Buffered($backend) => $call,
        }
    };
    (ref $either:expr, $backend:ident => $call:expr) => {
        match &$either.0 {
            Either::Mapped($backend) => $call,
            Either::Buffered($backend) => $call,
        }
    };
    (mut $either:expr, $backend:ident => $call:expr) => {
        match &mut $either.0 {
            Either::Mapped($backend) => $call,
            Either::Buffered($backend) => $call,
        }
    };
}

impl AnyBackend {
    /// Returns an error for a plan that a buffer does not support.
    pub(crate) fn check_buffer_supported(plan: &Plan) -> Result<()> {
        Buffered::<OsFile>::check_supported(plan)
    }

    /// A buffer of these bytes without a file. The plan's span has the same length.
    pub(crate) fn of_bytes(bytes: &[u8], plan: Plan) -> Result<Self> {
        Ok(Self(Either::Buffered(Buffered::of_bytes(bytes, plan)?)))
    }
}

/// The plan for reading a device once, because neither an OS mapping nor a buffer can map it. Returns `None` for other
/// files, if a buffer does not support the plan, and for `map`, which on WASI uses this backend too.
fn read_plan(plan: &Plan) -> Option<Plan> {
    let is_read = plan.reads_devices && plan.kind == FileKind::Special && !plan.reaches_file();
    let plan = is_read.then(|| Plan { kind: FileKind::Regular, ..plan.clone() })?;
    AnyBackend::check_buffer_supported(&plan).is_ok().then_some(plan)
}

/// From this length on, in bytes, a mapping of the host is faster for reading all bytes. Below it a buffer is faster,
/// because it reads all bytes with one call. Both are equally fast between 500 and 800 KiB, as `make bench-hosted`
/// measures.
#[cfg(target_os = "wasi")]
const HOSTED_FROM: usize = 512 << 10;

/// Asks the host for a mapping if the plan allows it. Returns `None` if the host has none and the plan does not require
/// one.
///
/// # Safety
/// As for [`Bytes::map`].
///
/// # Errors
/// The reason of the host, if the plan requires a mapping of the host.
#[cfg(target_os = "wasi")]
unsafe fn hosted(source: &OsFile, plan: &Plan) -> Result<Option<Mapped>> {
    let is_required = match plan.host_mapping {
        HostMapping::Never => return Ok(None),
        HostMapping::Auto if plan.span.len() < HOSTED_FROM => return Ok(None),
        HostMapping::Auto => false,
        HostMapping::Require => true,
    };
    let mapped = <Mapped>::check_supported(plan).and_then(|()| {
        // SAFETY: the caller guarantees what `Bytes::map` requires.
        unsafe { <Mapped>::map(source.clone(), plan.clone()) }
    });
    match mapped {
        Err(error) if is_required => Err(error),
        // Any error of the host is ignored, because a buffer needs no host.
        mapped => Ok(mapped.ok()),
    }
}

/// Converts the mapping. Its position stays.
#[cfg(any(unix, windows))]
impl From<Mmap> for AnyMmap {
    fn from(map: Mmap) -> Self {
        map.map_backend(|backend| AnyBackend(Either::Mapped(backend)))
    }
}

/// Converts the mapping. Its position stays.
impl From<BufferedMmap> for AnyMmap {
    fn from(map: BufferedMmap) -> Self {
        map.map_backend(|backend| AnyBackend(Either::Buffered(backend)))
    }
}

impl Bytes for AnyBackend {
    type Source = OsFile;

    fn name(&self) -> &'static str {
        either!(ref self, backend => backend.name())
    }

    fn page_size() -> usize {
        Base::page_size()
    }

    fn allocation_granularity() -> usize {
        Base::allocation_granularity()
    }

    fn supports(advice: Advice) -> bool {
        Base::supports(advice)
    }

    fn supports_unchecked(advice: UncheckedAdvice) -> bool {
        Base::supports_unchecked(advice)
    }

    fn check_supported(plan: &Plan) -> Result<()> {
        Base::check_supported(plan).or_else(|e| read_plan(plan).map(drop).ok_or(e))
    }

    unsafe fn map(source: OsFile, plan: Plan) -> Result<Self> {
        #[cfg(target_os = "wasi")]
        // SAFETY: the caller guarantees what `Bytes::map` requires.
        if let Some(hosted) = unsafe { hosted(&source, &plan) }? {
            return Ok(Self(hosted.into()));
        }
        let map = |plan: &Plan| {
            // On WASI the buffer does not support devices, which are read once instead.
            Base::check_supported(plan)?;
            // SAFETY: the caller guarantees what `Bytes::map` requires.
            unsafe { Base::map(source.clone(), plan.clone()) }
        };
        let cannot_map_file = |error: &Error| match error {
            Error::Io { operation: Operation::Map, source, .. } => says_unmappable(source),
            Error::Unsupported { .. } => plan.kind == FileKind::Special,
            _ => false,
        };
        let mut mapped = map(&plan);
        if plan.access == Access::Read && !plan.private && mapped.as_ref().is_err_and(cannot_map_file) {
            // Some file systems support only private mappings, such as FUSE with direct I/O.
            mapped = map(&Plan { private: true, ..plan.clone() });
        }
        let error = match mapped {
            Ok(backend) => return Ok(Self(backend.into())),
            Err(error) if cannot_map_file(&error) => error,
            Err(error) => return Err(error),
        };
        if let Some(plan) = read_plan(&plan) {
            return Self::of_bytes(&unknown_length::read_span(&source, plan.span)?, plan);
        }
        // A buffer does not support plans that only an OS mapping supports.
        if Buffered::<OsFile>::check_supported(&plan).is_err() {
            return Err(error);
        }
        // SAFETY: as above; a buffer has no condition.
        Ok(Self(Either::Buffered(unsafe { Buffered::map(source, plan)? })))
    }

    fn anonymous(plan: Plan) -> Result<Self> {
        Ok(Self(Base::anonymous(plan)?.into()))
    }

    #[inline]
    fn plan(&self) -> &Plan {
        either!(ref self, backend => backend.plan())
    }

    fn source(&self) -> Option<&OsFile> {
        either!(ref self, backend => backend.source())
    }

    fn into_source(self) -> Option<OsFile> {
        either!(self, backend => backend.into_source())
    }

    #[inline]
    fn bytes(&self, range: Range<usize>) -> Result<&[u8]> {
        either!(ref self, backend => backend.bytes(range))
    }

    #[inline]
    fn bytes_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]> {
        either!(mut self, backend => backend.bytes_mut(range))
    }

    #[inline]
    fn look(&self, range: Range<usize>) -> Result<&[u8]> {
        either!(ref self, backend => backend.look(range))
    }

    #[inline]
    fn look_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]> {
        either!(mut self, backend => backend.look_mut(range))
    }

    fn copy_within(&mut self, from: Range<usize>, to: usize) -> Result<()> {
        either!(mut self, backend => backend.copy_within(from, to))
    }

    fn flush(&mut self, range: Range<usize>, durability: Durability) -> Result<()> {
        either!(mut self, backend => backend.flush(range, durability))
    }

    fn export(&mut self) -> Result<NonNull<u8>> {
        either!(mut self, backend => backend.export())
    }

    fn lock(&mut self) -> Result<()> {
        either!(mut self, backend => backend.lock())
    }

    fn unlock(&mut self) -> Result<()> {
        either!(mut self, backend => backend.unlock())
    }

    fn advise(&mut self, advice: Advice, range: Range<usize>) {
        either!(mut self, backend => backend.advise(advice, range));
    }

    unsafe fn advise_unchecked(&mut self, advice: UncheckedAdvice, range: Range<usize>) -> Result<()> {
        // SAFETY: the caller guarantees what `Backend::advise_unchecked` requires.
        either!(mut self, backend => unsafe { backend.advise_unchecked(advice, range) })
    }

    fn resize(&mut self, len: usize) -> Result<()> {
        either!(mut self, backend => backend.resize(len))
    }

    fn refresh(&mut self, range: Range<usize>) -> Result<()> {
        either!(mut self, backend => backend.refresh(range))
    }

    fn close(&mut self) -> Result<()> {
        either!(mut self, backend => backend.close())
    }
}

impl Ready for AnyBackend {
    #[inline]
    fn ready(&self) -> NonNull<[u8]> {
        either!(ref self, backend => backend.ready())
    }

    #[inline]
    fn ready_byte(&self, index: usize) -> Option<u8> {
        either!(ref self, backend => backend.ready_byte(index))
    }

    #[inline]
    fn ready_mut(&mut self, index: usize) -> Option<NonNull<u8>> {
        either!(mut self, backend => backend.ready_mut(index))
    }
}

impl Faults for AnyBackend {
    #[inline]
    fn fault(&self) -> Option<Fault> {
        either!(ref self, backend => backend.fault())
    }

    fn fault_error(&self, fault: Fault) -> Error {
        either!(ref self, backend => backend.fault_error(fault))
    }
}
