//! See the library's module `search`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: portable_mmap_fuzz::search::Input| portable_mmap_fuzz::search::run(&input));
