//! The guarantees of memory without a file. The same tests run over OS mappings and over the emulation, the latter in
//! Miri too.

// On native targets these tests run over memmap2 itself, for comparison.
#[cfg(not(any(target_os = "wasi", memmap2_emulated)))]
extern crate published as memmap2;

use memmap2::{MmapMut, MmapOptions, MmapRaw};
#[cfg(any(target_os = "linux", target_os = "wasi"))]
use memmap2::{RemapOptions, UncheckedAdvice};

/// A multiple of the page size of every system.
#[cfg(any(target_os = "linux", target_os = "wasi"))]
const PAGES: usize = 64 << 10;

#[test]
fn anonymous_memory_is_zero_and_not_shared() {
    let mut map = MmapMut::map_anon(10_000).unwrap();
    let other = MmapMut::map_anon(10_000).unwrap();
    // Compared as a whole, because interpreters are slow at comparing byte by byte.
    assert!(map[..] == [0; 10_000]);
    map[9_999] = 7;
    map.flush().unwrap();
    let map = map.make_read_only().unwrap();
    assert_eq!((map[9_999], other[9_999]), (7, 0));
    let mut map = map.make_mut().unwrap();
    map[0] = 8;
    assert_eq!((map[0], map[9_999]), (8, 7));
}

#[test]
fn a_length_of_zero_is_an_empty_slice() {
    assert!(MmapMut::map_anon(0).unwrap().is_empty());
    let mut map = MmapOptions::new().map_anon().unwrap();
    assert_eq!(&mut map[..], b"");
    map.flush().unwrap();
}

#[test]
fn a_length_over_isize_max_is_an_error() {
    let most = isize::MAX.unsigned_abs();
    for len in [most + 1, usize::MAX] {
        assert!(MmapMut::map_anon(len).is_err(), "{len}");
    }
    // A slice can have this length, but there is not enough memory.
    assert!(MmapMut::map_anon(most).is_err());
}

#[test]
fn slices_survive_a_flush_and_bytes_do_not_move_with_the_value() {
    let mut map = MmapMut::map_anon(5000).unwrap();
    map[4999] = 1;
    let start = map.as_ptr();
    let slice = &map[4990..];
    map.flush_range(0, 10).unwrap();
    map.flush_async().unwrap();
    assert_eq!(slice[9], 1);
    let moved = Box::new(map);
    assert_eq!((moved.as_ptr(), moved[4999]), (start, 1));
}

#[test]
fn a_pointer_can_be_written_through_after_flushes() {
    let mut map = MmapMut::map_anon(5000).unwrap();
    map.fill(b'a');
    let raw = MmapRaw::from(map);
    let pointer = raw.as_mut_ptr();
    for at in [0, 4095, 4096, 4999] {
        // SAFETY: the address is inside the memory, and there are no slices of it.
        unsafe { pointer.wrapping_add(at).write(b'b') };
        raw.flush_range(at, 1).unwrap();
        // SAFETY: as above.
        assert_eq!(unsafe { raw.as_ptr().wrapping_add(at).read() }, b'b');
    }
    assert_eq!((raw.as_mut_ptr(), raw.len()), (pointer, 5000));
}

#[cfg(any(target_os = "linux", target_os = "wasi"))]
#[test]
fn anonymous_memory_can_be_remapped_to_another_length() {
    let mut map = MmapMut::map_anon(3).unwrap();
    map.copy_from_slice(b"abc");
    // SAFETY: there is no pointer into the memory.
    unsafe { map.remap(2 * PAGES, RemapOptions::new().may_move(true)) }.unwrap();
    assert_eq!(&map[..5], b"abc\0\0");
    map[2 * PAGES - 1] = 1;
    // SAFETY: as above.
    unsafe { map.remap(2, RemapOptions::new()) }.unwrap();
    assert_eq!(&map[..], b"ab");
}

#[cfg(any(target_os = "linux", target_os = "wasi"))]
#[test]
fn advice_fills_a_range_with_zeros() {
    let mut map = MmapMut::map_anon(3 * PAGES).unwrap();
    map.fill(1);
    // SAFETY: nobody borrows the bytes.
    unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, PAGES, PAGES) }.unwrap();
    let (ones, zeros) = (vec![1; PAGES], vec![0; PAGES]);
    assert!(map[..PAGES] == ones && map[2 * PAGES..] == ones, "the other bytes are unchanged");
    assert!(map[PAGES..2 * PAGES] == zeros);
}
