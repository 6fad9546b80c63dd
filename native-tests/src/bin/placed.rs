//! Measures the whole cost of a mapping: an OS mapping, a hosted mapping, or a buffer. The program maps with `Mmap`
//! only, and prints the kind of the mapping.
//!
//! `placed times FILE` prints a line for each act, with its shortest time in nanoseconds. `placed read FILE` prints the
//! same for a program that reads the file into a vector instead of mapping it. `placed lengths FILE` prints the time to
//! map, read and unmap each of some lengths, with a hosted mapping and with a buffer. `placed hold FILE BLOCKS` maps
//! the file, touches this many blocks of it at random places, the same each time, and ends without unmapping.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use native_tests::random::Random;
use portable_mmap::{Access, HostMapping, Mmap, MmapOptions, Result};

/// The number of bytes that are touched at a time.
const BLOCK: usize = 64 << 10;

/// Lengths, in KiB, around the one from which a hosted mapping is faster than a buffer.
const LENGTHS: [usize; 11] = [4, 16, 32, 64, 96, 128, 192, 256, 384, 512, 1024];

/// Rounds of each measurement; the shortest counts.
const ROUNDS: usize = 5;
const SHORT_ROUNDS: usize = 300;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["times", path] => times(path),
        ["read", path] => {
            read(path);
            Ok(())
        }
        ["lengths", path] => lengths(path),
        ["hold", path, blocks] => hold(path, blocks.parse().expect("a number of blocks")),
        _ => {
            eprintln!("usage: placed times FILE | placed read FILE | placed lengths FILE | placed hold FILE BLOCKS");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn open(path: &str) -> Arc<File> {
    Arc::new(OpenOptions::new().read(true).write(true).open(path).expect("the file can be opened for writing"))
}

/// # Safety
/// Nobody else changes the file meanwhile. (Nobody else uses the files that this program gets.)
unsafe fn map(file: &Arc<File>, access: Access, len: usize) -> Result<Mmap> {
    // SAFETY: the caller guarantees it.
    unsafe { MmapOptions::new().access(access).len(len).map(file.clone()) }
}

fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = act();
    (value, start.elapsed())
}

/// Adds up all words of a slice, which is as fast as memory can be read.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    words.wrapping_add(rest.iter().map(|&byte| u64::from(byte)).sum())
}

/// The shortest time of each act.
struct Times([Duration; 5]);

impl Times {
    fn keep_shortest(&mut self, times: [Duration; 5]) {
        self.0.iter_mut().zip(times).for_each(|(shortest, time)| *shortest = time.min(*shortest));
    }

    fn print(&self, backend: &str) {
        println!("backend {backend}");
        for (act, time) in ["map", "first scan", "second scan", "unmap", "edit"].into_iter().zip(self.0) {
            println!("{act}: {}", time.as_nanos());
        }
    }
}

fn times(path: &str) -> Result<()> {
    let file = open(path);
    let mut shortest = Times([Duration::MAX; 5]);
    let mut name = "";
    for _ in 0..ROUNDS {
        // SAFETY: nobody else uses the file that this program gets.
        let (map_, mapping) = timed(|| unsafe { map(&file, Access::Read, 0) });
        let map_ = map_?;
        name = map_.backend_name();
        let (_, first) = timed(|| black_box(sum(&map_)));
        let (_, second) = timed(|| black_box(sum(&map_)));
        let ((), unmapping) = timed(|| drop(map_));
        // SAFETY: as above.
        let mut map_ = unsafe { map(&file, Access::Write, 0) }?;
        let middle = map_.len() / 2;
        let (edited, editing) = timed(|| {
            map_.set_item(middle.cast_signed(), 7)?;
            map_.flush_async()
        });
        edited?;
        shortest.keep_shortest([mapping, first, second, unmapping, editing]);
    }
    shortest.print(name);
    Ok(())
}

/// Files are read in steps of this size, because a host may not move more at once.
const STEP: usize = 1 << 20;

/// Panics if the file cannot be read, because the measurement has created it.
fn read(path: &str) {
    let mut shortest = Times([Duration::MAX; 5]);
    for _ in 0..ROUNDS {
        let mut file = OpenOptions::new().read(true).write(true).open(path).expect("the file can be opened");
        let len = usize::try_from(file.metadata().expect("a length").len()).expect("it fits into memory");
        let (bytes, reading) = timed(|| {
            let mut bytes = vec![0; len];
            bytes.chunks_mut(STEP).for_each(|part| file.read_exact(part).expect("the file can be read"));
            bytes
        });
        let (_, first) = timed(|| black_box(sum(&bytes)));
        let (_, second) = timed(|| black_box(sum(&bytes)));
        let ((), dropping) = timed(|| drop(bytes));
        let ((), editing) = timed(|| {
            file.seek(SeekFrom::Start(len as u64 / 2)).expect("a place in the file");
            file.write_all(&[7]).expect("the file can be written");
        });
        shortest.keep_shortest([reading, first, second, dropping, editing]);
    }
    shortest.print("read");
}

fn lengths(path: &str) -> Result<()> {
    let file = open(path);
    for kib in LENGTHS {
        let times = [HostMapping::Require, HostMapping::Never].map(|host_mapping| {
            let mut shortest = Duration::MAX;
            for _ in 0..SHORT_ROUNDS {
                let mut options = MmapOptions::new();
                options.access(Access::Read).len(kib << 10).host_mapping(host_mapping);
                // SAFETY: nobody else uses the file that this program gets.
                let (done, time) = timed(|| unsafe { options.map(file.clone()) }.map(|map| black_box(sum(&map))));
                done?;
                shortest = time.min(shortest);
            }
            Result::Ok(shortest)
        });
        let [hosted, buffered] = times;
        println!("{kib}: {} {}", hosted?.as_nanos(), buffered?.as_nanos());
    }
    Ok(())
}

fn hold(path: &str, blocks: usize) -> Result<()> {
    let file = open(path);
    // SAFETY: nobody changes the file that this program gets.
    let map = unsafe { map(&file, Access::Read, 0) }?;
    let mut random = Random::new(1);
    let count = map.len() / BLOCK;
    let read = (0..blocks).fold(0_u64, |total, _| {
        let start = random.below(count) * BLOCK;
        // A single block and not a slice to the end, because a buffer loads the whole range.
        total.wrapping_add(sum(&map[start..start + BLOCK]))
    });
    black_box(read);
    // The file stays mapped when the program has ended, as long as its store exists.
    std::mem::forget(map);
    Ok(())
}
