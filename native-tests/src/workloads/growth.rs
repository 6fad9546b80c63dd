//! The cost of work for files of different lengths: one way for each kind of work and each length.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use portable_mmap::{Access, Backend, Buffered, DefaultBackend, Mapping, MmapOptions, OsFile};

use super::{Place, Ways};

/// The lengths, in MiB, with the names of the ways.
pub const SIZES: [(usize, [&str; 4]); 6] = [
    (1, ["map 1", "close 1", "edit 1", "scan 1"]),
    (4, ["map 4", "close 4", "edit 4", "scan 4"]),
    (16, ["map 16", "close 16", "edit 16", "scan 16"]),
    (64, ["map 64", "close 64", "edit 64", "scan 64"]),
    (256, ["map 256", "close 256", "edit 256", "scan 256"]),
    (1024, ["map 1024", "close 1024", "edit 1024", "scan 1024"]),
];

/// How many times quick work is repeated for one measurement.
const TIMES: u32 = 50;

fn open<B: Backend<Source = OsFile>>(path: &Path, access: Access) -> Mapping<B> {
    let file = std::fs::OpenOptions::new().read(true).write(access == Access::Write).open(path);
    // SAFETY: nobody else uses the file.
    let map = unsafe { MmapOptions::new().access(access).map_with(file.expect("the file can be opened")) };
    map.expect("the file can be mapped")
}

/// The average time of many runs.
fn average(mut act: impl FnMut() -> Duration) -> Duration {
    (0..TIMES).map(|_| act()).sum::<Duration>() / TIMES
}

fn growth<B: Backend<Source = OsFile> + 'static>(place: &Place, ways: &mut Ways) {
    for (mib, [map, close, edit, scan]) in SIZES {
        let path = place.sparse("growth", mib);
        ways.add_timed(map, || {
            let path = path.clone();
            move || {
                average(|| {
                    let start = Instant::now();
                    let map: Mapping<B> = black_box(open(&path, Access::Read));
                    let time = start.elapsed();
                    drop(map);
                    time
                })
            }
        });
        ways.add_timed(close, || {
            let path = path.clone();
            move || {
                average(|| {
                    let mut map: Mapping<B> = open(&path, Access::Read);
                    let start = Instant::now();
                    black_box(&mut map).close().expect("nothing was changed");
                    start.elapsed()
                })
            }
        });
        ways.add_timed(edit, || {
            let mut map: Mapping<B> = open(&path, Access::Write);
            let middle = map.len() / 2;
            move || {
                average(|| {
                    let start = Instant::now();
                    map[middle] = map[middle].wrapping_add(1);
                    map.flush_async().expect("there is room on the disk");
                    start.elapsed()
                })
            }
        });
        ways.add(scan, || {
            let path = path.clone();
            move || {
                let map: Mapping<B> = open(&path, Access::Read);
                black_box(map.find([1_u8]).expect("the file can be read"));
            }
        });
    }
}

/// Over the default backend of this platform.
pub(super) fn platform(place: &Place, ways: &mut Ways) {
    growth::<DefaultBackend>(place, ways);
}

/// Over a buffer.
pub(super) fn buffered(place: &Place, ways: &mut Ways) {
    growth::<Buffered<OsFile>>(place, ways);
}
