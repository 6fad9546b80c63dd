//! The façade in a build script, which cargo builds with it too: every call returns an error that says what to do.

#![cfg(not(any(target_os = "wasi", memmap2_emulated)))]

use std::fs::File;
use std::io::{self, ErrorKind};

use memmap2::{Mmap, MmapMut, MmapOptions, MmapRaw};

/// Requires the error that says what to do.
fn says_what_to_do<T>(result: Result<T, impl Into<io::Error>>) {
    let Err(error) = result.map_err(Into::into) else { panic!("nothing is mapped") };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("build it without the patch of memmap2"), "{error}");
}

#[test]
fn mapping_a_file_fails_with_an_error_that_says_what_to_do() {
    let file = File::open("Cargo.toml").unwrap();
    let options = MmapOptions::new();
    // SAFETY: nobody changes the file.
    says_what_to_do(unsafe { Mmap::map(&file) });
    // SAFETY: as above.
    says_what_to_do(unsafe { MmapMut::map_mut(&file) });
    // SAFETY: as above.
    says_what_to_do(unsafe { options.map(&file) });
    // SAFETY: as above.
    says_what_to_do(unsafe { options.map_exec(&file) });
    // SAFETY: as above.
    says_what_to_do(unsafe { options.map_mut(&file) });
    // SAFETY: as above.
    says_what_to_do(unsafe { options.map_copy(&file) });
    // SAFETY: as above.
    says_what_to_do(unsafe { options.map_copy_read_only(&file) });
    says_what_to_do(MmapRaw::map_raw(&file));
    says_what_to_do(options.map_raw(&file));
    says_what_to_do(options.map_raw_read_only(&file));
    says_what_to_do(Mmap::map_if_safe(&file));
    says_what_to_do(options.map_if_safe(&file));
}

#[test]
fn anonymous_memory_fails_with_an_error_that_says_what_to_do() {
    says_what_to_do(MmapMut::map_anon(4096));
    says_what_to_do(MmapMut::map_anon(0));
    says_what_to_do(MmapOptions::new().len(usize::MAX).map_anon());
    says_what_to_do(MmapOptions::new().len(1 << 21).huge(None).map_anon());
}
