//! The work of a buffer: loading a whole file, changing a few bytes, and finding the changed bytes.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom, Write};

use portable_mmap::{Access, Mmap, MmapOptions};

use super::data::MIB;
use super::{OURS, Place, Ways};
use crate::random::Random;

/// The start of the names of the read loops.
pub(super) const READ_LOOP: &str = "a read loop";
/// The sum over the bytes, a word at a time.
pub(super) const SUM: &str = "a sum of u64 words";
/// Read all, edit, write all.
pub(super) const WHOLE: &str = "read whole, edit, write whole";

/// Map a file and borrow all of it.
pub(super) fn full_load(place: &Place, ways: &mut Ways) {
    let (path, len) = (place.random(), place.len);
    ways.add(OURS, || {
        let path = path.clone();
        move || {
            // SAFETY: the data is written once, before anything is measured.
            let map = unsafe { MmapOptions::new().access(Access::Read).len(len).open(&path) };
            black_box(map.expect("the file can be mapped").as_slice().expect("the file can be read"));
        }
    });
    let steps = [
        ("a read loop, 64 KiB a call", 64 << 10),
        ("a read loop, 256 KiB a call", 256 << 10),
        ("a read loop, 1 MiB a call", MIB),
        ("a read loop, 4 MiB a call", 4 * MIB),
    ];
    for (name, step) in steps {
        ways.add(name, || {
            let mut file = File::open(&path).expect("the file can be opened");
            let mut memory = vec![0; len];
            move || {
                file.seek(SeekFrom::Start(0)).expect("every file has a start");
                memory.chunks_mut(step).for_each(|part| file.read_exact(part).expect("the file can be read"));
                black_box(&memory);
            }
        });
    }
}

/// The number of bytes that the small edits change.
const EDITS: usize = 100;

/// Changes single bytes in different places of a long file, and flushes them.
fn edit(place: &Place, ways: &mut Ways, sync: bool) {
    let len = place.len;
    let places = move |round: u64| {
        let mut random = Random::new(round);
        (0..EDITS).map(move |_| random.below(len))
    };
    ways.add(OURS, || {
        let path = place.copy("edited");
        let mut round = 0;
        move || {
            round += 1;
            // SAFETY: nobody else uses the file.
            let mut map = unsafe { MmapOptions::new().access(Access::Write).open(&path) }.expect("it can be mapped");
            for at in places(round) {
                map[at] = map[at].wrapping_add(1);
            }
            let written = if sync { map.flush() } else { map.flush_async() };
            written.and_then(|()| map.close()).expect("there is room on the disk");
        }
    });
    #[cfg(any(unix, windows))]
    ways.add("mmap-io", || {
        let path = place.copy("edited with mmap-io");
        let mut round = 0;
        move || {
            round += 1;
            let map = mmap_io::MemoryMappedFile::open_rw(&path).expect("the file can be mapped");
            for at in places(round) {
                let mut byte = map.as_slice_mut(at as u64, 1).expect("the index is in range");
                byte.as_mut()[0] = byte.as_mut()[0].wrapping_add(1);
            }
            if sync {
                map.flush().expect("there is room on the disk");
            }
        }
    });
    ways.add(WHOLE, || {
        let path = place.copy("rewritten");
        let (mut round, mut bytes) = (0, vec![0; len]);
        move || {
            round += 1;
            let mut file = OpenOptions::new().read(true).write(true).open(&path).expect("it can be opened");
            bytes.chunks_mut(MIB).for_each(|part| file.read_exact(part).expect("it can be read"));
            for at in places(round) {
                bytes[at] = bytes[at].wrapping_add(1);
            }
            file.seek(SeekFrom::Start(0)).expect("every file has a start");
            bytes.chunks(MIB).for_each(|part| file.write_all(part).expect("there is room on the disk"));
            if sync {
                file.sync_data().expect("the disk works");
            }
        }
    });
}

/// Until readers of the file see the edits.
pub(super) fn small_edits(place: &Place, ways: &mut Ways) {
    edit(place, ways, false);
}

/// Until the edits are on the disk.
pub(super) fn small_edits_synced(place: &Place, ways: &mut Ways) {
    edit(place, ways, true);
}

/// Borrows all bytes mutably, changes one, and flushes it.
pub(super) fn one_change_in_all(place: &Place, ways: &mut Ways) {
    ways.add(OURS, || {
        let path = place.copy("borrowed");
        // SAFETY: nobody else uses the file.
        let map = unsafe { MmapOptions::new().access(Access::Write).open(path) };
        let mut map: Mmap = map.expect("the file can be mapped");
        let middle = map.len() / 2;
        move || {
            let bytes = map.as_mut_slice().expect("there is memory");
            bytes[middle] = bytes[middle].wrapping_add(1);
            map.flush_async().expect("there is room on the disk");
        }
    });
    ways.add("one copy and one comparison", || {
        let bytes = place.read(&place.random());
        let mut copy = vec![0; bytes.len()];
        move || {
            copy.copy_from_slice(black_box(&bytes));
            let words = bytes.as_chunks().0.iter().zip(copy.as_chunks().0);
            black_box(words.fold(0, |any, (&own, &copy)| any | u64::from_le_bytes(own) ^ u64::from_le_bytes(copy)));
        }
    });
    ways.add(SUM, || {
        let bytes = place.read(&place.random());
        move || {
            let words = bytes.as_chunks().0;
            black_box(words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word))));
        }
    });
}
