//! What `make bench` measures: each workload in two ways, ours and the one to compare with, in turns and in one run, since
//! only a ratio of two times on one machine means anything.

use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portable_mmap::{Access, BufferedMmap, MmapOptions};

/// A workload.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name.
    pub name: &'static str,
    /// What it is compared with.
    pub against: &'static str,
    /// How many times the other's time it may take.
    pub goal: f64,
    /// The goal is one of the sandbox: natively fresh memory comes page by page from the system, and a mapping of the
    /// system's own is what one would take.
    pub sandboxed: bool,
    /// Prepares the files, and gives the two ways.
    pub prepare: fn(&Path) -> Pair,
}

/// Two ways to do one thing.
pub struct Pair {
    ours: Box<dyn FnMut()>,
    theirs: Box<dyn FnMut()>,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair")
    }
}

impl Pair {
    fn new(ours: impl FnMut() + 'static, theirs: impl FnMut() + 'static) -> Self {
        Self { ours: Box::new(ours), theirs: Box::new(theirs) }
    }

    /// The shortest time of each, of `rounds` taken in turns after one to warm up.
    pub fn measure(&mut self, rounds: usize) -> (Duration, Duration) {
        let time = |act: &mut dyn FnMut()| {
            let start = Instant::now();
            act();
            start.elapsed()
        };
        let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
        for round in 0..=rounds {
            let (a, b) = (time(&mut self.ours), time(&mut self.theirs));
            if round > 0 {
                (ours, theirs) = (ours.min(a), theirs.min(b));
            }
        }
        (ours, theirs)
    }
}

/// All workloads.
pub const ALL: &[Workload] = &[
    Workload {
        name: "load all of a 256 MiB file",
        against: "the fastest plain read loop into memory that is there",
        goal: 1.1,
        sandboxed: true,
        prepare: full_load,
    },
    Workload {
        name: "map and close a 1 GiB file, 1,000 times",
        against: "the same with a 1 MiB file",
        goal: 1.5,
        sandboxed: false,
        prepare: map_and_close,
    },
];

const MIB: usize = 1 << 20;

/// A file of `mib` MiB whose bytes are not zero.
fn data(dir: &Path, mib: usize) -> PathBuf {
    let path = dir.join(format!("{mib}-mib"));
    let part = b"abcdefghijklmnopqrstuvw".repeat(MIB / 23 + 1);
    let mut file = File::create(&path).expect("a file can be made");
    for _ in 0..mib {
        file.write_all(&part[..MIB]).expect("there is room on the disk");
    }
    path
}

/// A sparse file of `mib` MiB.
fn sparse(dir: &Path, mib: usize) -> PathBuf {
    let path = dir.join(format!("{mib}-mib-sparse"));
    File::create(&path).and_then(|file| file.set_len((mib * MIB) as u64)).expect("a file can be made");
    path
}

fn buffered(path: &Path) -> BufferedMmap {
    MmapOptions::new().access(Access::Read).open_buffered(path).expect("the file can be mapped")
}

fn full_load(dir: &Path) -> Pair {
    let path = data(dir, 256);
    let mut memory = vec![0; 256 * MIB];
    let mut file = OpenOptions::new().read(true).open(&path).expect("the file can be opened");
    Pair::new(
        move || {
            black_box(buffered(&path).as_slice().expect("the file can be read"));
        },
        move || {
            file.seek(SeekFrom::Start(0)).expect("a file can be read from its start");
            // 1 MiB a call is the fastest of 64 KiB, 256 KiB, 1 MiB and 4 MiB.
            for part in memory.chunks_mut(MIB) {
                file.read_exact(part).expect("the file can be read");
            }
            black_box(&memory);
        },
    )
}

fn map_and_close(dir: &Path) -> Pair {
    let way = |path: PathBuf| {
        move || {
            for _ in 0..1000 {
                // SAFETY: nobody else knows the file.
                let map = unsafe { MmapOptions::new().access(Access::Read).open(&path) };
                map.and_then(|mut map| black_box(&mut map).close()).expect("the file can be mapped and closed");
            }
        }
    };
    Pair::new(way(sparse(dir, 1024)), way(sparse(dir, 1)))
}

/// Removes what workloads have left in a directory.
pub fn clean(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        // What is left over is in the way of nobody.
        let _ = fs::remove_file(entry.path());
    }
}
