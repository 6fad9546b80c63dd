//! A guest that maps files that are not regular or report a wrong length, in every way. The harness's tests give it
//! such files and check its output.

use std::env;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{self, ExitCode};
use std::sync::Arc;

use native_tests::others::pattern;
use portable_mmap::{Access, AnyMmap, Error, Mmap, MmapOptions};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["wrong-length", file, len] => wrong_length(Path::new(file), number(len)),
        ["pipe", first, second, third, fourth, len] => pipe([first, second, third, fourth], number(len)),
        ["device", file, len] => device(Path::new(file), number(len)),
        ["block", file] => block(&open_to_write(Path::new(file))),
        ["edit", file, how, at] => edit(&open_to_write(Path::new(file)), how, number(at)),
        ["refresh", file, at] => refresh(&open_to_write(Path::new(file)), number(at)),
        ["modes", file] => modes(Path::new(file)),
        ["shared", file] => shared(Path::new(file)),
        _ => {
            eprintln!("odd: unknown command {args:?}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn open(path: &Path) -> File {
    File::open(path).expect("the file can be read")
}

fn open_to_write(path: &Path) -> Arc<File> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    Arc::new(file.expect("the file can be read and written"))
}

/// Describes an error in a line.
fn described(error: &Error) -> String {
    match error {
        Error::Io { operation, .. } => format!("Io of {operation}, {:?}: {error}", error.kind()),
        _ => format!("{}: {error}", error.name()),
    }
}

fn tell(what: impl Display, result: Result<String, Error>) {
    println!("{what}: {}", result.unwrap_or_else(|error| described(&error)));
}

fn any(options: &MmapOptions, file: File) -> Result<AnyMmap, Error> {
    // SAFETY: the tests change no file while it is mapped.
    unsafe { options.map_any(file) }
}

fn map(options: &MmapOptions, file: &Arc<File>) -> Result<Mmap, Error> {
    // SAFETY: as above.
    unsafe { options.map(file.clone()) }
}

/// Describes a mapping, and whether it has the bytes that a read returns.
fn compared(map: &AnyMmap, expected: &[u8]) -> String {
    let verdict = if map[..] == *expected { "the same as a read" } else { "not the same as a read" };
    format!("{}, {} bytes, {verdict}", map.backend_name(), map.len())
}

/// Maps a file that reports a wrong length.
fn wrong_length(path: &Path, len: usize) {
    let expected = fs::read(path).expect("the file can be read");
    let reported = fs::metadata(path).expect("the file has metadata").len();
    println!("reports {reported} bytes, a read returns {} bytes", expected.len());
    for access in [Access::Read, Access::Copy] {
        let mut options = MmapOptions::new();
        options.access(access);
        tell(format_args!("{access:?}"), any(&options, open(path)).map(|map| compared(&map, &expected)));
        options.len(1);
        tell(format_args!("{access:?}, 1 byte"), any(&options, open(path)).map(|map| compared(&map, &expected[..1])));
        options.len(len);
        tell(format_args!("{access:?}, {len} bytes"), any(&options, open(path)).map(|map| compared(&map, &expected)));
    }
    let options = MmapOptions::new();
    tell("opened to read, Default", any(&options, open(path)).map(|map| compared(&map, &expected)));
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => tell("opened to write, Default", any(&options, file).map(|map| compared(&map, &expected))),
        Err(error) => println!("opened to write: {:?}", error.kind()),
    }
}

/// Reads and maps pipes with the same bytes in them.
fn pipe(pipes: [&str; 4], len: usize) {
    let [first, second, third, fourth] = pipes.map(Path::new);
    let expected = pattern(len);
    let mut bytes = Vec::new();
    match open(first).read_to_end(&mut bytes) {
        Ok(_) if bytes == expected => println!("read: all bytes"),
        Ok(n) => println!("read: {n} bytes, not the expected ones"),
        Err(error) => println!("read: failed, {error}"),
    }
    for (access, path) in [(Access::Read, second), (Access::Copy, third)] {
        let map = any(MmapOptions::new().access(access), open(path));
        tell(format_args!("{access:?}"), map.map(|map| compared(&map, &expected)));
    }
    let map = MmapOptions::new().access(Access::Read).len(100).map_buffered(open(fourth));
    tell("buffer", map.map(|map| format!("{} bytes", map.len())));
}

/// Maps a device without a length.
fn device(path: &Path, len: usize) {
    let zeros = |bytes: &[u8]| if bytes.iter().all(|&byte| byte == 0) { "all zero" } else { "not all zero" };
    for access in [Access::Read, Access::Copy] {
        let mut options = MmapOptions::new();
        options.access(access);
        tell(format_args!("any, {access:?}"), any(&options, open(path)).map(|map| format!("{} bytes", map.len())));
        options.len(len);
        let mapped = map(&options, &open(path).into());
        tell(format_args!("map, {access:?}, {len} bytes"), mapped.map(|map| format!("mapped {} bytes", map.len())));
        let mapped = any(&options, open(path));
        tell(
            format_args!("any, {access:?}, {len} bytes"),
            mapped.map(|map| format!("{} bytes, {}", map.len(), zeros(&map))),
        );
    }
}

/// Maps a block device, and tries calls that must not change it.
fn block(device: &Arc<File>) {
    let mut options = MmapOptions::new();
    let whole = map(&options, device).expect("a block device can be mapped");
    let len = whole.len();
    println!("whole: {len} bytes, size {:?}", whole.size());
    options.guard(true);
    let guarded = map(&options, device).expect("a block device can be mapped");
    let same = guarded[..] == whole[..];
    println!("guarded: the same bytes: {same}, fault: {:?}", guarded.fault());
    options.guard(false);
    for (offset, len) in [(0, len + 1), (1 << 16, len), (len as u64, 1)] {
        let result = map(options.offset(offset).len(len), device);
        tell(format_args!("{len} bytes from {offset}"), result.map(|_| "mapped".to_owned()));
    }
    for allocate in [false, true] {
        options.offset(0).len(len / 2).allocate(allocate);
        let extended = map(options.clone().extend(true), device);
        tell(format_args!("extend, allocate: {allocate}"), extended.map(|_| "mapped".to_owned()));
        let mut half = map(&options, device).expect("a block device can be mapped");
        for len in [len / 4, len / 2, len, 2 * len] {
            let resized = half.resize(len).map(|()| "resized".to_owned());
            tell(format_args!("resize to {len}, allocate: {allocate}"), resized);
        }
    }
}

/// Changes a byte and writes it to the file in one way. Then the program ends, so that nothing else writes it.
fn edit(file: &Arc<File>, how: &str, at: usize) {
    let mut map = map(&MmapOptions::new(), file).expect("the file can be mapped");
    map[at] ^= 0x55;
    let page = Mmap::page_size();
    let done = match how {
        "flush_range" => map.flush_range(at / page * page, page),
        "flush" => map.flush(),
        "flush_async" => map.flush_async(),
        "close" => map.close(),
        _ => panic!("unknown way {how}"),
    };
    tell(how, done.map(|()| "done".to_owned()));
    if matches!(how, "flush_async" | "close") {
        file.sync_all().expect("the file can be synced");
    }
    process::exit(0);
}

/// Changes a byte of the file itself while it is mapped, and prints whether a refresh shows the change.
fn refresh(file: &Arc<File>, at: usize) {
    let mut map = map(&MmapOptions::new(), file).expect("the file can be mapped");
    let changed = map[at] ^ 0x55;
    let mut itself = &**file;
    itself.seek(SeekFrom::Start(at as u64)).expect("the file can be sought");
    itself.write_all(&[changed]).expect("the file can be written");
    let refreshed = map
        .refresh()
        .map(|()| if map[at] == changed { "shows the change" } else { "does not show the change" }.to_owned());
    tell("refresh", refreshed);
}

/// Maps a file with each access, opened in the mode that it needs.
fn modes(path: &Path) {
    for access in [Access::Read, Access::Copy, Access::Default, Access::Write] {
        // SAFETY: nobody else changes the file.
        let opened = unsafe { MmapOptions::new().access(access).open(path) };
        tell(format_args!("{access:?}"), opened.map(|map| format!("{} bytes, first {}", map.len(), map[0])));
    }
}

/// Maps a file that the system may be unable to map shared.
fn shared(path: &Path) {
    let expected = fs::read(path).expect("the file can be read");
    let number = |error: Error| format!("OS error {:?}, {}", error.raw_os_error(), described(&error));
    for access in [Access::Read, Access::Write] {
        let mut options = MmapOptions::new();
        options.access(access);
        // SAFETY: nobody else changes the file.
        let opened = unsafe { options.open(path) }.map_or_else(number, |map| map.backend_name().to_owned());
        println!("open, {access:?}: {opened}");
        let mapped = map(&options, &open_to_write(path)).map_or_else(number, |map| map.backend_name().to_owned());
        println!("map, {access:?}: {mapped}");
    }
    for access in [Access::Read, Access::Copy, Access::Write] {
        // SAFETY: as above.
        let mut map = match unsafe { MmapOptions::new().access(access).open_any(path) } {
            Ok(map) => map,
            Err(error) => {
                println!("any, {access:?}: {}", number(error));
                continue;
            }
        };
        println!("any, {access:?}: {}", compared(&map, &expected));
        if access == Access::Write {
            let last = map.len() - 1;
            map[0] ^= 0x55;
            map[last] ^= 0x55;
            tell("flush", map.flush().map(|()| "done".to_owned()));
            // Ends the program, so that no drop writes to the file.
            io::stdout().flush().expect("standard output is open");
            process::exit(0);
        }
    }
}
