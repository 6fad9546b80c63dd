//! References to the bytes of a mapping while safe functions are called. The same tests run over OS mappings and over
//! the emulation, the latter in Miri too.

// On native targets these tests run over memmap2 itself, for comparison.
#[cfg(not(any(target_os = "wasi", memmap2_emulated)))]
extern crate published as memmap2;

mod common;

use std::fs;

use common::{file, open};
use memmap2::{MmapMut, MmapOptions, MmapRaw};

#[test]
fn a_mutable_slice_survives_a_mapping_made_by_safe_code() {
    let path = file("slice", &[b'a'; 5000]);
    let file = open(&path);
    // SAFETY: nobody changes the file meanwhile.
    let mut map = unsafe { MmapMut::map_mut(&file) }.unwrap();
    let slice = &mut map[..];
    slice[0] = b'X';
    let raw = MmapRaw::map_raw(&file).unwrap();
    slice[0] = b'Y';
    let reader = MmapOptions::new().map_raw_read_only(&file).unwrap();
    slice[0] = b'Z';
    assert_eq!((raw.len(), reader.len()), (5000, 5000));
    drop((raw, reader));
    drop(map);
    assert_eq!(fs::read(&path).unwrap()[..2], *b"Za");
}
