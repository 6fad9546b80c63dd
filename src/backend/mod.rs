//! The contract of a backend, and the choice of the backend for each platform.
//!
//! # The contract
//!
//! A backend holds the bytes of a span of a source (a file, or any [`Storage`]), or anonymous zeros. It deals with
//! bytes, pages and its source, and not with positions, Python or slice notation: code that all backends share is in
//! `src/mapping`. Callers have checked every range against the plan's length, every change against the access, and
//! every offset against [`Bytes::allocation_granularity`](sealed::Bytes::allocation_granularity).
//!
//! A backend MUST:
//!
//! - **keep its bytes at one address** even if its value moves, until `resize`, `refresh`, `advise` or `close` is
//!   called, all of which take `&mut self`;
//! - **allow shared borrows to be alive while other ranges are requested**, from several threads at once: `bytes` may
//!   load, but never writes to a byte that it has returned before;
//! - **write back changes, and nothing else**: with [`Access::Write`](crate::Access::Write) or
//!   [`Access::Default`](crate::Access::Default) the bytes changed through `bytes_mut` reach the source at the latest
//!   when `flush` or `close` returns; with [`Access::Copy`](crate::Access::Copy) never. The backend decides when other
//!   mappings and readers of the file see them before that;
//! - **fill with zeros**: anonymous bytes are zero until written, and so are the bytes of the last page past the end of
//!   the source;
//! - **never make the source longer** except in `resize`;
//! - **undo partial work**: after an error the bytes, the length and the source are as before the call. The exception
//!   is a write-back: bytes that it has written stay written, and the others still count as changed;
//! - **access the bytes that it returns to a call that can fail**, if it has a guard: `bytes` and `bytes_mut` return
//!   the error of a fault that this causes, and `look` and `look_mut` return zeros;
//! - **do the work of `close` in `Drop`**, without reporting errors: write back changes, and free the memory.

use crate::storage::OsFile;

mod any;
mod buffered;
mod mapped;

pub use any::AnyBackend;
pub use buffered::Buffered;
pub use mapped::Mapped;

// The selector of the backend. `Mapped` is a mapping of the operating system, or of the host of a guest on WASI. The
// emulation exists on every target.
cfg_if::cfg_if! {
    if #[cfg(any(unix, windows))] {
        /// The backend of [`Mmap`](crate::Mmap) on this platform: OS mappings.
        pub type DefaultBackend = Mapped;
    } else if #[cfg(target_os = "wasi")] {
        /// The backend of [`Mmap`](crate::Mmap) on this platform: a mapping of the host if there is one, otherwise the
        /// emulation.
        pub type DefaultBackend = AnyBackend;
    } else {
        /// The backend of [`Mmap`](crate::Mmap) on this platform, which has no mappings: the emulation.
        pub type DefaultBackend = Buffered<OsFile>;
    }
}

/// The part of a [`Mapping`](crate::Mapping) that holds the bytes: [`DefaultBackend`], [`Buffered`] or [`AnyBackend`].
///
/// Generic code uses it as a bound. It is sealed, and its functions are private to this crate.
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
        /// The type that it maps: [`OsFile`](crate::OsFile), or another [`Storage`].
        type Source: Storage;

        /// The name of the backend: `"mapped"`, `"buffered"` or `"hosted"`.
        fn name(&self) -> &'static str;

        /// The unit of `flush` and `advise`, in bytes.
        fn page_size() -> usize;

        /// The unit that a mapping's offset in the file must be a multiple of, in bytes.
        fn allocation_granularity() -> usize;

        /// Whether a hint has an effect.
        fn supports(advice: Advice) -> bool;

        /// Whether this advice, which can change bytes, is supported.
        fn supports_unchecked(advice: UncheckedAdvice) -> bool;

        /// Returns an error for a plan that this backend does not support. Changes nothing.
        ///
        /// # Errors
        /// [`Error::Unsupported`].
        fn check_supported(plan: &Plan) -> Result<()>;

        /// The limits for plans of this backend.
        fn limits() -> Limits {
            Limits { granularity: Self::allocation_granularity(), check_supported: Self::check_supported }
        }

        /// Maps a span of a source. The source is extended first if the plan says so.
        ///
        /// # Safety
        /// As for [`MmapOptions::map`](crate::MmapOptions::map).
        ///
        /// # Errors
        /// Any error of the operating system or of the allocator.
        unsafe fn map(source: Self::Source, plan: Plan) -> Result<Self>;

        /// Maps anonymous memory of the plan's length. All bytes are zeros.
        ///
        /// # Errors
        /// Any error of the operating system or of the allocator.
        fn anonymous(plan: Plan) -> Result<Self>;

        /// The plan that it was made from. A resize updates the span.
        fn plan(&self) -> &Plan;

        /// The source, or `None` for anonymous bytes and if the source was dropped after mapping.
        fn source(&self) -> Option<&Self::Source>;

        /// Drops everything except the source. Call `close` first.
        fn into_source(self) -> Option<Self::Source>;

        /// The bytes of a range, for a call that can fail.
        ///
        /// # Errors
        /// An error of loading or accessing them.
        fn bytes(&self, range: Range<usize>) -> Result<&[u8]>;

        /// The bytes of a range, mutably, for a call that can fail.
        ///
        /// # Errors
        /// An error of loading or accessing them, or [`Error::NoMemory`].
        fn bytes_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]>;

        /// The bytes of a range, for an access as a slice. With a guard, bytes that are gone are zeros.
        ///
        /// # Errors
        /// If the bytes cannot be loaded and there is no guard. The caller panics with the error.
        fn look(&self, range: Range<usize>) -> Result<&[u8]>;

        /// The bytes of a range, mutably, for an access as a slice.
        ///
        /// # Errors
        /// As for [`look`](Self::look), and if there is no memory for a copy of the pages.
        fn look_mut(&mut self, range: Range<usize>) -> Result<&mut [u8]>;

        /// Copies the bytes of a range to the bytes from `to` on. The ranges may overlap. Only the bytes from `to` on
        /// count as changed.
        ///
        /// # Errors
        /// An error of loading or accessing them, or [`Error::NoMemory`]; nothing is copied.
        fn copy_within(&mut self, from: Range<usize>, to: usize) -> Result<()>;

        /// Writes back the changes in a range. The range starts at a page, and the changes of whole pages are written.
        ///
        /// # Errors
        /// [`Error::Truncated`] if changes lie past the current end of the source, and [`Error::Io`]. Bytes that were
        /// not written still count as changed.
        fn flush(&mut self, range: Range<usize>, durability: Durability) -> Result<()>;

        /// Loads every byte and returns the address of the first one. From now on every page counts as borrowed
        /// mutably, until `resize` succeeds, so `flush` and `close` write changes that are made through the pointer.
        ///
        /// # Errors
        /// An error of loading or accessing them, or [`Error::NoMemory`].
        fn export(&mut self) -> Result<NonNull<u8>>;

        /// Keeps all bytes in memory.
        ///
        /// # Errors
        /// [`Error::Unsupported`], or any error of the operating system.
        fn lock(&mut self) -> Result<()>;

        /// Undoes `lock`.
        ///
        /// # Errors
        /// As for `lock`.
        fn unlock(&mut self) -> Result<()>;

        /// Gives a hint, which may have no effect.
        fn advise(&mut self, advice: Advice, range: Range<usize>);

        /// Applies the advice.
        ///
        /// # Safety
        /// As for [`Mapping::advise_unchecked`](crate::Mapping::advise_unchecked).
        ///
        /// # Errors
        /// [`Error::Unsupported`], or any error of the operating system.
        unsafe fn advise_unchecked(&mut self, advice: UncheckedAdvice, range: Range<usize>) -> Result<()>;

        /// Sets the length of the bytes and of the source, which ends where the bytes end.
        ///
        /// # Errors
        /// Any error. Bytes and source are then as before.
        fn resize(&mut self, len: usize) -> Result<()>;

        /// Makes later calls see what others wrote to the source. Changes of this mapping stay.
        ///
        /// # Errors
        /// [`Error::Io`]. Changes of this mapping stay.
        fn refresh(&mut self, range: Range<usize>) -> Result<()>;

        /// Writes all changes back, without a sync.
        ///
        /// # Errors
        /// As `flush`.
        fn close(&mut self) -> Result<()>;
    }

    /// The fast path: bytes that are ready, which need no loading and no check of a guard. A caller that gets `None`
    /// calls [`bytes`](Bytes::bytes).
    pub trait Ready {
        /// The ready bytes at the start of the mapping. They may be read until the backend is borrowed mutably by a
        /// function other than `bytes_mut`, `look_mut`, `copy_within` and [`ready_mut`](Self::ready_mut).
        fn ready(&self) -> NonNull<[u8]>;

        /// The byte at an index, if it lies in the mapping and is ready. Bytes before it need not be ready.
        fn ready_byte(&self, index: usize) -> Option<u8>;

        /// The address of the byte at an index, if it lies in the mapping, is ready, and may be changed. The byte
        /// counts as changed from then on. It may be used as long as the backend is borrowed mutably.
        fn ready_mut(&mut self, index: usize) -> Option<NonNull<u8>>;
    }

    /// The faults that a guard has noted.
    pub trait Faults {
        /// The first fault since the mapping was made, or after a refresh the first fault that is left.
        fn fault(&self) -> Option<Fault>;

        /// The error of a fault.
        fn fault_error(&self, fault: Fault) -> Error;
    }
}

impl crate::Advice {
    /// Whether this advice has an effect on [`Mmap`](crate::Mmap), this platform's own backend.
    #[must_use]
    pub fn is_supported(self) -> bool {
        self.is_supported_by::<DefaultBackend>()
    }

    /// Whether this advice has an effect on the backend `B`.
    #[must_use]
    pub fn is_supported_by<B: Backend>(self) -> bool {
        B::supports(self)
    }
}

impl crate::UncheckedAdvice {
    /// Whether [`Mmap`](crate::Mmap), this platform's own backend, supports this advice. The kernel may still return an
    /// error.
    #[must_use]
    pub fn is_supported(self) -> bool {
        self.is_supported_by::<DefaultBackend>()
    }

    /// Whether the backend `B` supports this advice. The kernel may still return an error.
    #[must_use]
    pub fn is_supported_by<B: Backend>(self) -> bool {
        B::supports_unchecked(self)
    }
}

// Asserts that a mapping is `Send` and `Sync`, for each backend on each target.
const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<crate::Mapping<DefaultBackend>>();
    send_and_sync::<crate::Mapping<Buffered<OsFile>>>();
    send_and_sync::<crate::Mapping<AnyBackend>>();
};
