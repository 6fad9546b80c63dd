//! x

mod advice;
mod backend;
mod error;
mod index;
mod mapping;
mod notation;
mod options;
mod plan;
mod search;
mod slice;
mod span;
mod stream;

pub use advice::{Advice, UncheckedAdvice};
#[cfg(any(unix, windows))]
pub use backend::Mapped;
pub use backend::{AnyBackend, Backend, Buffered, Fault, FaultKind, Kind, Mode, OsFile, Platform, Storage};
pub use error::{Error, Result};
pub use index::Iter;
pub use mapping::Mapping;
pub use notation::Slice;
pub use options::{Access, Flags, MmapOptions, Prot};

/// x
pub type Mmap = Mapping<Platform>;
/// x
pub type BufferedMmap<S = OsFile> = Mapping<Buffered<S>>;
/// x
pub type AnyMmap = Mapping<AnyBackend>;
