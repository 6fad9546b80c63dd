//! memmap2's own tests against the façade: their crate is this one, in which the names that they use are the
//! façade's. Where files can be mapped they are those of memmap2 itself.

#[cfg(any(target_os = "wasi", memmap2_emulated))]
extern crate facade as memmap2;
#[cfg(not(any(target_os = "wasi", memmap2_emulated)))]
extern crate published as memmap2;

pub use memmap2::*;

/// Where the tests look for hints.
#[cfg(unix)]
mod advice {
    pub(crate) use memmap2::Advice;
}

/// The one thing that the tests want of this crate, where it cannot know a directory for such files.
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
        /// Its name.
        #[must_use]
        pub fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            // A file that is still open may be in the way, and then it stays, as with the crate of this name.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// A new directory.
    ///
    /// # Errors
    /// Where it cannot be made.
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

/// The tests themselves, as they are.
#[allow(clippy::all, clippy::pedantic, clippy::restriction, warnings, reason = "another project's text")]
mod map {
    include!(concat!(env!("OUT_DIR"), "/map.rs"));
}
