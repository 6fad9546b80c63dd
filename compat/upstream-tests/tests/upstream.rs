//! memmap2's own tests, included in this crate. On WASI the names that they import are the façade's; on native targets
//! they are memmap2's own.

#[cfg(any(target_os = "wasi", memmap2_emulated))]
extern crate facade as memmap2;
#[cfg(not(any(target_os = "wasi", memmap2_emulated)))]
extern crate published as memmap2;

pub use memmap2::*;

/// The path at which the tests import advice.
#[cfg(unix)]
mod advice {
    pub(crate) use memmap2::Advice;
}

/// Replaces the crate `tempfile`, which has no directory for its files on WASI, with the one function that the tests
/// use.
#[cfg(target_os = "wasi")]
extern crate self as tempfile;
#[cfg(target_os = "wasi")]
pub use directory::tempdir;

#[cfg(target_os = "wasi")]
mod directory {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::{fs, io};

    /// A directory that is removed when it is dropped.
    #[derive(Debug)]
    pub struct Directory(PathBuf);

    impl Directory {
        /// Its path.
        #[must_use]
        pub fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            // If a file in it is still open, removing may fail, and the directory stays, as with the crate `tempfile`.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Creates a new directory.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn tempdir() -> io::Result<Directory> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("upstream-{number}"));
            match fs::create_dir(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Directory(path)),
            }
        }
    }
}

/// The tests themselves, unchanged.
#[allow(clippy::all, clippy::pedantic, clippy::restriction, warnings, reason = "another project's text")]
mod map {
    include!(concat!(env!("OUT_DIR"), "/map.rs"));
}
