//! See the library's module `script`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: portable_mmap_fuzz::script::Input| portable_mmap_fuzz::script::run(&input));
