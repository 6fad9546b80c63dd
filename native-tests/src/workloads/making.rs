//! Mapping and closing.

use std::hint::black_box;

use portable_mmap::{Access, MmapOptions};

use super::{Place, Ways};

/// The number of repetitions in one measurement.
const TIMES: usize = 1000;

/// Map a file and close it.
pub(super) fn map_and_close(place: &Place, ways: &mut Ways) {
    let path = place.text();
    ways.add(super::OURS, || {
        let path = path.clone();
        move || {
            for _ in 0..TIMES {
                // SAFETY: the data is written once, before anything is measured.
                let map = unsafe { MmapOptions::new().access(Access::Read).open(&path) };
                map.and_then(|mut map| black_box(&mut map).close()).expect("the file can be mapped and closed");
            }
        }
    });
    #[cfg(any(unix, windows))]
    ways.add("memmap2", || {
        let path = path.clone();
        move || {
            for _ in 0..TIMES {
                let file = std::fs::File::open(&path).expect("the file can be opened");
                // SAFETY: as above.
                let map = unsafe { memmap2::Mmap::map(&file) }.expect("the file can be mapped");
                black_box(&map);
            }
        }
    });
    #[cfg(any(unix, windows))]
    ways.add("mmap-io", || {
        move || {
            for _ in 0..TIMES {
                let map = mmap_io::MemoryMappedFile::open_ro(&path).expect("the file can be mapped");
                black_box(&map);
            }
        }
    });
}
