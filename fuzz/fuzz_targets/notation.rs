//! See the library's module `notation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: portable_mmap_fuzz::notation::Input| portable_mmap_fuzz::notation::run(&input));
