//! The files of the workloads: created once, kept, and then only read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use portable_mmap::{Access, BufferedMmap, Mmap, MmapOptions};

use crate::jobs::table;
use crate::random::Random;

/// A mebibyte.
pub const MIB: usize = 1 << 20;
/// The length of each of the two files, in bytes.
pub const LEN: usize = 256 * MIB;
/// The length of each of the files of the jobs, in bytes.
const LONG: usize = 1024 * MIB;

/// Needles that are not in the text. The first two differ in how often their bytes are in it.
pub const ABSENT: [&[u8]; 4] = [b"\x07Zq\x07ZQ_", b"return the self of other types", b"\x01\x02", &[b'e'; 24]];
/// A needle that is in the text once, near its start.
pub const EARLY: &[u8] = b"a needle near the start";
/// A needle that is in the text once, near its end.
pub const LATE: &[u8] = b"a needle close to the end";
/// The distance of these needles from the start and from the end.
const MARGIN: usize = 64 << 10;

/// The directories of a workload.
#[derive(Clone, Debug)]
pub struct Place {
    /// The data.
    pub data: PathBuf,
    /// An empty directory.
    pub scratch: PathBuf,
    /// How many bytes of each file are used: all, unless instructions are counted.
    pub len: usize,
    /// The program to compare with, if it is not `python3`.
    pub python: Option<String>,
}

impl Place {
    /// Source text.
    #[must_use]
    pub fn text(&self) -> PathBuf {
        self.data.join("text")
    }

    /// Random bytes.
    #[must_use]
    pub fn random(&self) -> PathBuf {
        self.data.join("random")
    }

    /// A mapping of one of the two, read-only, with every page touched.
    pub(super) fn mapped(&self, path: &Path) -> Mmap {
        let mut options = MmapOptions::new();
        options.access(Access::Read).len(self.len);
        // SAFETY: the data is written once, before anything is measured.
        let map = unsafe { options.open(path) }.expect("the data can be mapped");
        touch(&map);
        map
    }

    /// A buffer of one of the two, read-only, with every page loaded.
    pub(super) fn buffered(&self, path: &Path) -> BufferedMmap {
        let mut options = MmapOptions::new();
        let map = options.access(Access::Read).len(self.len).open_buffered(path).expect("the data can be read");
        touch(map.as_slice().expect("the data can be read"));
        map
    }

    /// The bytes of one of the two.
    pub(super) fn read(&self, path: &Path) -> Vec<u8> {
        let mut bytes = vec![0; self.len];
        let mut file = File::open(path).expect("the data can be opened");
        // wasmtime cannot move 128 MiB in one call.
        bytes.chunks_mut(MIB).for_each(|part| file.read_exact(part).expect("the data is long enough"));
        bytes
    }

    /// Creates a sparse file of `mib` MiB with this name.
    pub(super) fn sparse(&self, name: &str, mib: usize) -> PathBuf {
        let path = self.scratch.join(format!("{name}-{mib}-mib"));
        let file = File::create(&path).expect("a file can be made");
        file.set_len(mib as u64 * MIB as u64).expect("the length of a file can be set");
        path
    }

    /// A copy of the random bytes, to be changed.
    pub(super) fn copy(&self, name: &str) -> PathBuf {
        let path = self.scratch.join(name);
        let mut file = File::create(&path).expect("a file can be made");
        let mut data = File::open(self.random()).expect("the data can be opened");
        let mut part = vec![0; MIB];
        for _ in 0..self.len / MIB {
            data.read_exact(&mut part).expect("the data is long enough");
            file.write_all(&part).expect("there is room on the disk");
        }
        path
    }
}

/// Reads a byte of every page.
fn touch(bytes: &[u8]) {
    std::hint::black_box(bytes.iter().step_by(4096).fold(0, |sum: u8, byte| sum.wrapping_add(*byte)));
}

/// Makes the data in a directory, unless it is there. The text consists of the Rust files under `sources` in the order
/// of their paths, repeated until it is long enough.
///
/// # Errors
///
/// Those of reading and writing; and `NotFound` if there is no Rust file.
pub fn make(dir: &Path, sources: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    once(&dir.join("random"), LEN, |file| {
        let mut random = Random::new(256);
        (0..LEN / 8).try_for_each(|_| file.write_all(&random.number().to_le_bytes()))
    })?;
    let text = dir.join("text");
    once(&text, LEN, |file| {
        let mut paths = Vec::new();
        find_sources(sources, &mut paths)?;
        paths.sort();
        let mut left = LEN;
        while left > 0 {
            let before = left;
            for path in &paths {
                let bytes = fs::read(path)?;
                let part = &bytes[..bytes.len().min(left)];
                file.write_all(part)?;
                left -= part.len();
            }
            if left == before {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("no text in {}", sources.display())));
            }
        }
        file.flush()?;
        place_needles(file.get_mut())
    })?;
    once(&dir.join("text-1-gib"), LONG, |file| {
        (0..LONG / LEN).try_for_each(|_| io::copy(&mut File::open(&text)?, file).map(drop))
    })?;
    once(&dir.join("table"), LONG, |file| table::write(file, (LONG / table::RECORD) as u64))
}

/// Writes a file of this many bytes completely or not at all.
fn once(path: &Path, len: usize, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|data| data.len() == len as u64) {
        return Ok(());
    }
    let part = path.with_extension("part");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&part)?;
    let mut file = BufWriter::with_capacity(MIB, file);
    write(&mut file)?;
    file.flush()?;
    drop(file);
    fs::rename(part, path)
}

/// Writes the needles that have to be in the text, and removes those that have to be absent.
fn place_needles(file: &mut File) -> io::Result<()> {
    let mut map = MmapOptions::new().map_buffered(file.try_clone()?)?;
    for needle in ABSENT.into_iter().chain([EARLY, LATE]) {
        for needle in [needle.to_vec(), mirrored(needle)] {
            while let Some(at) = map.find(&needle)? {
                map[at] = b'.';
            }
        }
    }
    let late = map.len() - MARGIN;
    map[MARGIN..MARGIN + EARLY.len()].copy_from_slice(EARLY);
    map[late..late + LATE.len()].copy_from_slice(LATE);
    Ok(map.close()?)
}

/// The bytes from the last to the first.
pub(super) fn mirrored(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

fn find_sources(dir: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            find_sources(&path, paths)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}
