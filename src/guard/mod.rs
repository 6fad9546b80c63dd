//! The guard: a file that is truncated under its mapping is an error and not the end of the process.
//!
//! What is lost, and until when, is one rule for every backend: [`lost`]. A buffer finds out when it loads. An OS mapping
//! finds out by a SIGBUS, whose handler looks the address up in the [`registry`] and puts zeros there.

pub(crate) mod lost;

// Neither Miri nor loom has signals; the registry is checked by both.
#[cfg(all(unix, not(any(miri, all(loom, test)))))]
mod handler;
#[cfg(all(unix, any(test, not(miri))))]
mod registry;

#[cfg(all(unix, not(any(miri, all(loom, test)))))]
pub(crate) use handler::Guard;
