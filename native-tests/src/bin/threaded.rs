//! Threads that read one file: some through its mapping, some through the file itself.
//!
//! The suite's cases have one thread each. This program runs natively, and on `wasm32-wasip1-threads`, where a read of the
//! library may go through the cursor of the file.

use std::fs::{self, File};
use std::hint;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use native_tests::others::PAGE;
use portable_mmap::{Access, Advice, BufferedMmap, MmapOptions, OsFile, Storage};

/// The number of pages of the file.
const PAGES: usize = 2048;
/// The number of pages that are loaded at a time: 1 MiB.
const CHUNK: usize = 256;
/// How many times each part starts again, with new threads, which hosts start slowly.
const ROUNDS: usize = 4;

fn main() -> ExitCode {
    let Some(dir) = std::env::args().nth(1) else {
        eprintln!("usage: threaded DIR");
        return ExitCode::from(2);
    };
    let path = Path::new(&dir).join("threaded");
    let content: Vec<u8> = (0..PAGES).flat_map(page).collect();
    fs::write(&path, content).expect("the directory can be written");

    // All of them run, so that the output shows which fail.
    let are_right = [
        a_file_is_read_while_its_mapping_loads(&path),
        a_mapping_returns_its_file_while_it_loads(&path),
        threads_load_ranges_of_one_mapping(&path),
        threads_load_mappings_of_one_file(&path),
        threads_read_one_storage(&path),
    ];
    fs::remove_file(&path).expect("the file can be removed");
    assert!(!are_right.contains(&false), "a thread has read wrong pages");
    ExitCode::SUCCESS
}

/// The bytes of a page: its number, over and over.
fn page(number: usize) -> Vec<u8> {
    u32::try_from(number).expect("a small number").to_le_bytes().repeat(PAGE / 4)
}

fn open(path: &Path) -> File {
    File::open(path).expect("the file can be opened")
}

fn options() -> MmapOptions {
    let mut options = MmapOptions::new();
    options.access(Access::Read);
    options
}

/// Advises sequential access, so that long ranges are read.
fn sequential(mut map: BufferedMmap) -> BufferedMmap {
    map.advise(Advice::Sequential).expect("the advice is accepted");
    map
}

/// The result of a thread that reads.
#[derive(Clone, Copy, Default)]
struct Tally {
    pages: usize,
    wrong: usize,
}

impl Tally {
    fn count(&mut self, number: usize, bytes: &[u8]) {
        self.pages += 1;
        self.wrong += usize::from(bytes != page(number));
    }

    fn add(&mut self, other: Self) {
        self.pages += other.pages;
        self.wrong += other.wrong;
    }
}

/// Prints the tallies of a part. Returns whether all pages were right.
fn print_tallies(part: &str, tallies: [(&str, Tally); 2]) -> bool {
    let texts = tallies.map(|(who, Tally { pages, wrong })| format!("{who}: {wrong} of {pages} pages wrong"));
    println!("{part}: {}", texts.join(", "));
    tallies.iter().all(|(_, tally)| tally.pages > 0 && tally.wrong == 0)
}

/// Loads pages of a mapping in long ranges, and counts the loaded ranges.
fn load(map: &BufferedMmap, pages: Range<usize>, done: &AtomicUsize) -> Tally {
    let mut tally = Tally::default();
    for start in pages.step_by(CHUNK) {
        match map.range(start * PAGE..(start + CHUNK) * PAGE) {
            Ok(bytes) => bytes.chunks(PAGE).zip(start..).for_each(|(bytes, number)| tally.count(number, bytes)),
            // This does not panic, because another thread reads until this one ends.
            Err(error) => {
                eprintln!("pages from {start} on: {error}");
                (start..start + CHUNK).for_each(|number| tally.count(number, &[]));
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    tally
}

/// Reads pages through the cursor of a file, one after the other and again from the start, until `stop` is set. It
/// reads at least one page.
fn read(mut file: &File, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    let mut bytes = [0; PAGE];
    for number in (0..PAGES).cycle() {
        if number == 0 {
            file.seek(SeekFrom::Start(0)).expect("the file can be sought");
        }
        let is_read = file.read_exact(&mut bytes).is_ok();
        tally.count(number, if is_read { &bytes } else { &[] });
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    tally
}

/// Runs both in two threads that start together.
fn together<A: Send, B: Send>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    let start = Barrier::new(2);
    thread::scope(|scope| {
        let a = scope.spawn(|| {
            start.wait();
            a()
        });
        start.wait();
        let b = b();
        (a.join().expect("the thread does not panic"), b)
    })
}

/// Loads a mapping while another thread reads the file that `file` returns. `file` gets the number of loaded ranges.
fn loaded_and_read<'m>(map: &'m BufferedMmap, file: impl FnOnce(&AtomicUsize) -> &'m File + Send) -> (Tally, Tally) {
    let (done, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    together(
        || {
            let tally = load(map, 0..PAGES, &done);
            stop.store(true, Ordering::Relaxed);
            tally
        },
        || read(file(&done), &stop),
    )
}

/// The file is returned before the first page is loaded.
fn a_file_is_read_while_its_mapping_loads(path: &Path) -> bool {
    let (mut mapping, mut file) = (Tally::default(), Tally::default());
    for _ in 0..ROUNDS {
        let map = sequential(options().open_buffered(path).expect("the file can be mapped"));
        let lent = map.file().expect("the mapping has a file");
        let (loaded, read) = loaded_and_read(&map, |_| lent);
        mapping.add(loaded);
        file.add(read);
    }
    print_tallies("a file is read while its mapping loads", [("the mapping", mapping), ("the file", file)])
}

/// The file is returned while pages are loaded.
fn a_mapping_returns_its_file_while_it_loads(path: &Path) -> bool {
    let (mut mapping, mut file) = (Tally::default(), Tally::default());
    for _ in 0..ROUNDS {
        let map = sequential(options().map_buffered(open(path)).expect("the file can be mapped"));
        let (loaded, read) = loaded_and_read(&map, |done| {
            // The load of the second range has just started.
            while done.load(Ordering::Relaxed) == 0 {
                hint::spin_loop();
            }
            map.file().expect("the mapping has a file")
        });
        mapping.add(loaded);
        file.add(read);
    }
    print_tallies("a mapping returns its file while it loads", [("the mapping", mapping), ("the file", file)])
}

fn threads_load_ranges_of_one_mapping(path: &Path) -> bool {
    let (mut first, mut second) = (Tally::default(), Tally::default());
    let done = AtomicUsize::new(0);
    for _ in 0..ROUNDS {
        let map = sequential(options().open_buffered(path).expect("the file can be mapped"));
        let (a, b) = together(|| load(&map, 0..PAGES / 2, &done), || load(&map, PAGES / 2..PAGES, &done));
        first.add(a);
        second.add(b);
    }
    print_tallies("threads load ranges of one mapping", [("the first half", first), ("the second half", second)])
}

fn threads_load_mappings_of_one_file(path: &Path) -> bool {
    let (mut first, mut second) = (Tally::default(), Tally::default());
    let done = AtomicUsize::new(0);
    for _ in 0..ROUNDS {
        let file = Arc::new(open(path));
        let mapped = |file: Arc<File>| sequential(options().map_buffered(file).expect("the file can be mapped"));
        let (one, other) = (mapped(file.clone()), mapped(file));
        // When the first mapping is dropped, the other one still has the file.
        let (a, b) = together(
            || {
                let one = one;
                load(&one, 0..PAGES / 2, &done)
            },
            || load(&other, 0..PAGES, &done),
        );
        first.add(a);
        second.add(b);
    }
    print_tallies("threads load mappings of one file", [("the first", first), ("the second", second)])
}

/// Without a mapping, because its lock could prevent reads at the same time.
fn threads_read_one_storage(path: &Path) -> bool {
    let file = OsFile::from(open(path));
    let read = |pages: Range<usize>| {
        let mut tally = Tally::default();
        for _ in 0..10 * ROUNDS {
            tally.add(read_storage(&file, pages.clone()));
        }
        tally
    };
    let (first, second) = together(|| read(0..PAGES / 2), || read(PAGES / 2..PAGES));
    print_tallies("threads read one storage", [("the first half", first), ("the second half", second)])
}

fn read_storage(file: &OsFile, pages: Range<usize>) -> Tally {
    let mut tally = Tally::default();
    let mut memory = vec![MaybeUninit::uninit(); CHUNK * PAGE];
    let (mut at, end) = (pages.start * PAGE, pages.end * PAGE);
    while at < end {
        let len = memory.len().min(end - at);
        let bytes = file.read_at_uninit(&mut memory[..len], at as u64).expect("the file can be read");
        // A host may return fewer bytes than requested.
        let pages = (bytes.len() / PAGE).max(1);
        bytes.chunks(PAGE).take(pages).zip(at / PAGE..).for_each(|(bytes, number)| tally.count(number, bytes));
        if bytes.is_empty() {
            tally.count(at / PAGE, &[]);
        }
        at += pages * PAGE;
    }
    tally
}
