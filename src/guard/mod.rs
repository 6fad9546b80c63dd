//! The guard: a file that is truncated under its mapping is an error and not the end of the process.
//!
//! What is lost, and until when, is one rule for every backend: [`lost`]. A buffer finds out when it loads. An OS mapping
//! finds out by a SIGBUS, whose handler looks the address up in the [`registry`] and puts zeros there.

pub(crate) mod lost;

#[cfg(all(unix, not(miri)))]
mod handler;
#[cfg(all(unix, not(miri)))]
mod registry;

#[cfg(all(unix, not(miri)))]
pub(crate) use handler::Guard;

// Tested wherever it can be interpreted.
#[cfg(all(unix, miri, test))]
mod registry;
