//! A guest that requests mappings from its host. The harness's tests run it in hosts with and without hosted mappings,
//! and check its output.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use portable_mmap::{Access, Error, HostMapping, Mmap, MmapOptions};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["choose", file, access, len] => choose(Path::new(file), access, number(len)),
        ["share", file] => share(Path::new(file)),
        ["copy", file] => copy(Path::new(file)),
        ["resize", file, ref lens @ ..] => resize(Path::new(file), lens),
        ["drop", file, times] => drop_again(Path::new(file), number(times)),
        ["hold", file, count] => hold(Path::new(file), number(count)),
        #[cfg(all(target_os = "wasi", target_env = "p1"))]
        ["handshake", file] => handshake::make(Path::new(file)),
        _ => {
            eprintln!("hosted: unknown command {args:?}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn open_to_write(path: &Path) -> Arc<File> {
    Arc::new(OpenOptions::new().read(true).write(true).open(path).expect("the file can be read and written"))
}

fn map(options: &MmapOptions, file: &Arc<File>) -> Result<Mmap, Error> {
    // SAFETY: this program has one thread, and borrows no slice while it changes the file.
    unsafe { options.map(file.clone()) }
}

/// Makes a hosted mapping of the whole file; a buffer is not allowed.
fn required(file: &Arc<File>) -> Mmap {
    map(MmapOptions::new().host_mapping(HostMapping::Require), file).expect("the host maps the file")
}

/// Maps the first bytes of a file with each choice of [`HostMapping`], and prints the result. The file is open only for
/// reading if changes do not reach it.
fn choose(path: &Path, access: &str, len: usize) {
    let (access, file) = match access {
        "read" => (Access::Read, Arc::new(File::open(path).expect("the file can be read"))),
        "copy" => (Access::Copy, Arc::new(File::open(path).expect("the file can be read"))),
        _ => (Access::Write, open_to_write(path)),
    };
    for choice in [HostMapping::Auto, HostMapping::Require, HostMapping::Never] {
        let mut options = MmapOptions::new();
        options.access(access).len(len).host_mapping(choice);
        // SAFETY: nobody changes the file meanwhile.
        match unsafe { options.map_any(file.clone()) } {
            Ok(map) => println!("{choice:?}: {}", map.backend_name()),
            Err(error) => println!("{choice:?}: {}: {error:#}", error.name()),
        }
    }
}

/// Changes a file with a write and with a store to a mapping of it, and prints whether each change is visible on the
/// other side at once.
fn share(path: &Path) {
    let file = open_to_write(path);
    let mut map = required(&file);
    let last = map.len() - 1;
    // Touched, so that the emulation would have loaded it.
    let before = (map[0], map[last]);
    (&*file).seek(SeekFrom::Start(0)).expect("a file has a cursor");
    (&*file).write_all(&[before.0.wrapping_add(1)]).expect("the file can be written");
    println!("a write is visible in the mapping: {}", map[0] == before.0.wrapping_add(1));
    map[last] = before.1.wrapping_add(1);
    println!("a store is visible in the file: {}", last_byte(&file) == before.1.wrapping_add(1));
    println!("a store is visible in another mapping: {}", required(&file)[last] == before.1.wrapping_add(1));
}

/// Changes a copy, and prints whether the bytes of the file and of the mapping are right.
fn copy(path: &Path) {
    let file = open_to_write(path);
    let mut options = MmapOptions::new();
    options.access(Access::Copy).host_mapping(HostMapping::Require);
    let mut copy = map(&options, &file).expect("the host maps the file");
    let (last, before) = (copy.len() - 1, last_byte(&file));
    copy[last] = before.wrapping_add(1);
    copy.flush().expect("there is nothing to flush");
    println!("{}, the file is unchanged: {}", copy.backend_name(), last_byte(&file) == before);
    println!("the copy is changed: {}", copy[last] == before.wrapping_add(1));
}

fn last_byte(mut file: &File) -> u8 {
    let mut byte = [0];
    file.seek(SeekFrom::End(-1)).expect("a file has a cursor");
    file.read_exact(&mut byte).expect("the file can be read");
    byte[0]
}

/// Maps a file with the default choice, resizes it to each of the lengths, and prints what kind of mapping it is then.
fn resize(path: &Path, lens: &[&str]) {
    let file = open_to_write(path);
    let mut map = map(&MmapOptions::new(), &file).expect("the file can be mapped");
    println!("{} bytes, {}", map.len(), map.backend_name());
    for len in lens {
        map.resize(number(len)).expect("the file can have this length");
        println!("{} bytes, {}, it ends with {}", map.len(), map.backend_name(), map[map.len() - 1]);
        let last = map.len() - 1;
        map[last] = b'!';
    }
}

/// Maps a file and drops the mapping this many times. Resources that are not released add up.
fn drop_again(path: &Path, times: usize) {
    let file = open_to_write(path);
    let mut bytes = 0_u64;
    for _ in 0..times {
        let map = required(&file);
        bytes += u64::from(map[map.len() - 1] == b'.') * map.len() as u64;
    }
    println!("{bytes} bytes");
}

/// Holds this many mappings of a file at once, made with the default choice, and prints their kinds.
fn hold(path: &Path, count: usize) {
    let file = open_to_write(path);
    let mut maps: Vec<Mmap> =
        (0..count).map(|_| map(&MmapOptions::new(), &file).expect("the file can be mapped")).collect();
    println!("{}", maps.iter().map(Mmap::backend_name).collect::<Vec<_>>().join(", "));
    let required = map(MmapOptions::new().host_mapping(HostMapping::Require), &file);
    println!(
        "one more: {}",
        required.map_or_else(|error| error.name().to_owned(), |map| map.backend_name().to_owned())
    );
    // After one is dropped, there is room for another one.
    maps.remove(0);
    println!("another: {}", map(&MmapOptions::new(), &file).expect("the file can be mapped").backend_name());
}

/// The call with which a guest requests mappings from its host, made by hand.
#[cfg(all(target_os = "wasi", target_env = "p1"))]
mod handshake {
    use std::fs::File;
    use std::os::fd::AsRawFd as _;
    use std::path::Path;

    use portable_mmap::host::request::{LEN, NOBODY, OFFSET, REPLY_LEN, Request, decode_reply, encode_reply};

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn fd_pread(fd: u32, vectors: *const Vector, count: usize, offset: u64, moved: *mut u32) -> u32;
    }

    #[repr(C)]
    struct Vector {
        start: *mut u8,
        len: usize,
    }

    /// Makes the call with an unused descriptor and with that of a file, and prints whether the host replies and
    /// whether it writes anything except a reply.
    pub(super) fn make(path: &Path) {
        let file = File::open(path).expect("the file can be read");
        let fd = u32::try_from(file.as_raw_fd()).expect("a descriptor is not negative");
        for (name, fd) in [("unused descriptor", NOBODY), ("descriptor of the file", fd)] {
            let request = Request::Probe.encode(5);
            let (mut bytes, mut memory, mut moved) = (request, vec![7; 100_000], 0);
            let vectors = [
                Vector { start: memory.as_mut_ptr(), len: memory.len() },
                Vector { start: bytes.as_mut_ptr(), len: LEN },
            ];
            // SAFETY: both buffers and the number can be written to.
            let _ = unsafe { fd_pread(fd, vectors.as_ptr(), vectors.len(), OFFSET, &raw mut moved) };
            let reply = decode_reply(&bytes, 5);
            let mut expected = request;
            if let Some(result) = reply {
                expected[..REPLY_LEN].copy_from_slice(&encode_reply(5, result));
            }
            let is_unchanged = memory == vec![7; 100_000] && bytes == expected && moved == 0;
            println!("{name}: reply {reply:?}, everything else is unchanged: {is_unchanged}");
        }
    }
}
