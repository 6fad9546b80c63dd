//! The contract of a backend, and the one place that chooses which backend a platform gets.
//!
//! # The contract
//!
//! A backend holds the bytes of a span of a source (a file, or any [`Storage`]), or anonymous zeros. It knows bytes,
//! pages and its source; it knows no position, no Python and no slice notation: what all backends share stands once, in
//! `src/mapping`. Callers have checked every range against the plan's length, every change against the access, and every
//! offset against [`Bytes::allocation_granularity`](sealed::Bytes::allocation_granularity).
//!
//! A backend MUST:
//!
//! - **keep its bytes at one address** while its value moves, from making until `resize`, `refresh`, `advise` or `close`,
//!   all of which take `&mut self`;
//! - **let shared borrows be alive while other ranges are asked for**, from several threads at once: `bytes` may load,
//!   but never writes to a byte that it has handed out;
//! - **write back what was changed, and nothing else**: with [`Access::Write`](crate::Access::Write) or
//!   [`Access::Default`](crate::Access::Default) the bytes changed through `bytes_mut` reach the source at the latest when
//!   `flush` or `close` returns; with [`Access::Copy`](crate::Access::Copy) never. When another mapping or a reader of the
//!   file sees them before that is the backend's own affair;
//! - **fill with zeros**: anonymous bytes are zero until written, and so are the bytes of the last page past the end of
//!   the source;
//! - **never make the source longer** except in `resize`;
//! - **leave nothing half done**: after an error the bytes, the length and the source are as before the call, except that
//!   a write-back keeps what it has written and forgets nothing that it has not;
//! - **touch what it gives to a call that can fail**, if it has a guard: `bytes` and `bytes_mut` return the error of a
//!   fault that they take, and `look` and `look_mut` give zeros;
//! - **do its best in `Drop`**, silently: write back as `close` does, and give the memory up.

use crate::storage::OsFile;

mod any;
mod buffered;
mod mapped;

pub use any::AnyBackend;
pub use buffered::Buffered;
pub use mapped::Mapped;

// THE selector. `Mapped` is what an operating system maps, or the host of a guest on WASI; the emulation is there on every
// target.
cfg_if::cfg_if! {
    if #[cfg(any(unix, windows))] {
        /// The backend of [`Mmap`](crate::Mmap) on this platform: OS mappings.
        pub type DefaultBackend = Mapped;
    } else if #[cfg(target_os = "wasi")] {
        /// The backend of [`Mmap`](crate::Mmap) on this platform: a mapping of the host where there is one, else the
        /// emulation.
        pub type DefaultBackend = AnyBackend;
    } else {
        /// The backend of [`Mmap`](crate::Mmap) on this platform, which has no mappings: the emulation.
        pub type DefaultBackend = Buffered<OsFile>;
    }
}

/// What the slice face does about bytes that cannot be had. Not in line: or indexing would not be.
#[cold]
#[inline(never)]
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "so that the caller need not drop it")]
pub(crate) fn unreachable_bytes(error: crate::Error) -> ! {
    panic!("{error:#}")
}

/// What holds the bytes of a [`Mapping`](crate::Mapping): [`DefaultBackend`], [`Buffered`] or [`AnyBackend`].
///
/// It names a backend in generic code. It is sealed: its functions are for this crate.
pub trait Backend: sealed::Bytes + sealed::Ready + sealed::Faults {}

impl<S: crate::Storage> Backend for Buffered<S> {}
impl Backend for AnyBackend {}

pub(crate) mod sealed {
    use std::ops::Range;
    use std::ptr::NonNull;

    use crate::guard::Fault;
    use crate::plan::{Limits, Plan};
    use crate::region::Durability;
    use crate::storage::Storage;
    use crate::{Advice, Error, Result, UncheckedAdvice};

    /// The contract: see the top of `src/backend/mod.rs`.
    pub trait Bytes: Send + Sync + Sized {
        /// What it maps; [`OsFile`](crate::OsFile) unless a [`Storage`] was given.
        type Source: Storage;

        /// A name for people: `"mapped"` or `"buffered"`.
        fn name(&self) -> &'static str;

        /// The unit of `flush` and `advise`, in bytes.
        fn page_size() -> usize;

        /// What a mapping's offset in the file must be a multiple of, in bytes.
        fn allocation_granularity() -> usize;

        /// Whether a hint does anything.
        fn supports(advice: Advice) -> bool;

        /// Whether there is advice that can change bytes.
        fn supports_unchecked(advice: UncheckedAdvice) -> bool;

        /// Returns an error for what this backend cannot do, before anything is touched.
        ///
        /// # Errors
        /// [`Error::Unsupported`].
        fn check_supported(plan: &Plan) -> Result<()>;

        /// What a plan has to keep to.
        fn limits() -> Limits {
            Limits { granularity: Self::allocation_granularity(), check_supported: Self::check_supported }
        }

        /// Maps a span of a source that reaches at least as far.
        ///
        /// # Safety
        /// As for [`MmapOptions::map`](crate::MmapOptions::map).
        ///
        /// # Errors
        /// What the operating system or the allocator says.
        unsafe fn map(source: Self::Source, plan: Plan) -> Result<Self>;

        /// Zeros, of the plan's length.
        ///
        /// # Errors
        /// What the operating system or the allocator says.
        fn anonymous(plan: Plan) -> Result<Self>;

        /// What it was made from, its span kept up to date.
        fn plan(&self) -> &Plan;

        /// What is mapped; none for anonymous bytes, and where the source was given up after mapping.
        fn source(&self) -> Option<&Self::Source>;

        /// Gives everything else up; call `close` first.
        fn into_source(self) -> Option<Self::Source>;

        /// The bytes of a range, for a call that can fail.
        ///
        /// # Errors
        /// That of loading or touching them.
        fn bytes(&self, range: Range<usize>) -> Result<&[u8]>;

        /// The bytes of a range, to be changed, for a call that can fail.
        ///
        /// # Errors
        /// That of loading or touching them, or [`Error::NoMemory`].
        fn bytes_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]>;

        /// The bytes of a range, for the slice face, which cannot fail: under a guard zeros stand for what is gone.
        ///
        /// # Panics
        /// Without a guard, if they cannot be had.
        #[track_caller]
        fn look(&self, range: Range<usize>) -> &[u8];

        /// The bytes of a range, to be changed, for the slice face.
        ///
        /// # Panics
        /// As for [`look`](Self::look), and if there is no memory for what has to be kept.
        #[track_caller]
        fn look_mut(&mut self, range: Range<usize>) -> &mut [u8];

        /// Copies the bytes of a range to the bytes from `to` on, which may overlap: a change of those alone.
        ///
        /// # Errors
        /// That of loading or touching them, or [`Error::NoMemory`]; nothing is copied.
        fn copy_within(&mut self, from: Range<usize>, to: usize) -> Result<()>;

        /// Writes the changes in a range back. It starts at a page and the changes of whole pages are written.
        ///
        /// # Errors
        /// [`Error::Truncated`] if changes lie past the end of the source now, [`Error::Io`]; what was not written stays
        /// changed.
        fn flush(&mut self, range: Range<usize>, durability: Durability) -> Result<()>;

        /// The address of the first byte. Every byte is loaded, and every page counts as borrowed mutably from now on until
        /// `resize` succeeds, so that `flush` and `close` write what is stored through the pointer.
        ///
        /// # Errors
        /// That of loading or touching them, or [`Error::NoMemory`].
        fn export(&mut self) -> Result<NonNull<u8>>;

        /// Keeps all bytes in memory.
        ///
        /// # Errors
        /// [`Error::Unsupported`], or what the operating system says.
        fn lock(&mut self) -> Result<()>;

        /// Takes `lock` back.
        ///
        /// # Errors
        /// As for `lock`.
        fn unlock(&mut self) -> Result<()>;

        /// Makes use of a hint, or not.
        fn advise(&mut self, advice: Advice, range: Range<usize>);

        /// Does what the advice says.
        ///
        /// # Safety
        /// As for [`Mapping::advise_unchecked`](crate::Mapping::advise_unchecked).
        ///
        /// # Errors
        /// [`Error::Unsupported`], or what the operating system says.
        unsafe fn advise_unchecked(&mut self, advice: UncheckedAdvice, range: Range<usize>) -> Result<()>;

        /// Makes the bytes and the source longer or shorter: the source ends where the bytes end.
        ///
        /// # Errors
        /// Whatever went wrong; bytes and source are as before.
        fn resize(&mut self, len: usize) -> Result<()>;

        /// Lets later calls see what others wrote to the source; own changes stay.
        ///
        /// # Errors
        /// [`Error::Io`]; own changes stay.
        fn refresh(&mut self, range: Range<usize>) -> Result<()>;

        /// Writes all changes back, without a sync.
        ///
        /// # Errors
        /// As `flush`.
        fn close(&mut self) -> Result<()>;
    }

    /// The fast path: bytes for which nothing has to be done or looked at. There is no loading and no guard; a caller
    /// that gets none asks for [`bytes`](Bytes::bytes).
    pub trait Ready {
        /// The byte at an index, if it lies in the mapping and is ready.
        fn ready_byte(&self, index: usize) -> Option<u8>;

        /// The bytes of a range, if it lies in the mapping and is ready.
        fn ready_bytes(&self, range: Range<usize>) -> Option<&[u8]>;

        /// A reference to the byte at an index, if it lies in the mapping and all bytes are ready.
        fn ready_ref(&self, index: usize) -> Option<&u8>;

        /// The address of the byte at an index, if it lies in the mapping, is ready, may be changed, and is known as changed
        /// from then on. The byte may be used as long as the backend is borrowed mutably.
        fn ready_mut(&mut self, index: usize) -> Option<NonNull<u8>>;
    }

    /// What a guard has noted.
    pub trait Faults {
        /// The first fault since the mapping was made, or of those that a refresh has left.
        fn fault(&self) -> Option<Fault>;

        /// The error of a fault.
        fn fault_error(&self, fault: Fault) -> Error;
    }
}

impl crate::Advice {
    /// Whether [`Mmap`](crate::Mmap), this platform's own backend, does anything on this advice.
    #[must_use]
    pub fn is_supported(self) -> bool {
        self.is_supported_by::<DefaultBackend>()
    }

    /// Whether the backend `B` does anything on this advice.
    #[must_use]
    pub fn is_supported_by<B: Backend>(self) -> bool {
        B::supports(self)
    }
}

impl crate::UncheckedAdvice {
    /// Whether [`Mmap`](crate::Mmap), this platform's own backend, has this advice. The kernel may still not take it.
    #[must_use]
    pub fn is_supported(self) -> bool {
        self.is_supported_by::<DefaultBackend>()
    }

    /// Whether the backend `B` has this advice. The kernel may still not take it.
    #[must_use]
    pub fn is_supported_by<B: Backend>(self) -> bool {
        B::supports_unchecked(self)
    }
}

// A mapping may be sent and shared: asserted for each backend on each target.
const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<crate::Mapping<DefaultBackend>>();
    send_and_sync::<crate::Mapping<Buffered<OsFile>>>();
    send_and_sync::<crate::Mapping<AnyBackend>>();
};
