//! Files that report no length or a wrong length, pipes, and devices without a length.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::thread;

use native_tests::others::pattern;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use wasm_tests::sandbox::Sandbox;

use super::run::Place;
use crate::common::{Target, Test};

pub(crate) const TESTS: &[Test] = &[
    ("a_file_of_sys_is_as_long_as_its_content", a_file_of_sys_is_as_long_as_its_content),
    ("a_file_of_proc_is_as_long_as_its_content", a_file_of_proc_is_as_long_as_its_content),
    ("a_writable_file_of_sys_cannot_be_changed_by_a_mapping", a_writable_file_of_sys_cannot_be_changed_by_a_mapping),
    ("a_pipe_that_cannot_be_read_is_not_empty", a_pipe_that_cannot_be_read_is_not_empty),
    (
        "a_device_without_a_length_is_read_up_to_the_given_length",
        a_device_without_a_length_is_read_up_to_the_given_length,
    ),
];

const NO_LENGTH: &str = "a character device, a pipe or a socket has no length; map_any and open_any read a pipe to its end, \
    and len(n) bytes of a device";
const NO_CHANGES: &str =
    "Unsupported: changes cannot be written to a file that reports a wrong length; Access::Read and Access::Copy work";
const NOT_OPEN: &str = "Io of map, PermissionDenied: cannot map the file: the file is not open for writing; map it with \
                        Access::Read or Access::Copy, or open it for reading and writing";

/// Maps a file that reports a wrong length, and checks all lines of the output except the last, which is about a file
/// that is open for writing. Returns that line.
fn of_wrong_length(place: Place, path: &str, reported: usize, requested: usize) -> String {
    let path = Path::new(path);
    let (dir, name) = (path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap());
    let len = fs::read(path).unwrap().len();
    assert!(len < requested && requested != reported);
    let mut expected = vec![format!("reports {reported} bytes, a read returns {len} bytes\n")];
    for access in ["Read", "Copy"] {
        expected.push(format!(
            "{access}: buffered, {len} bytes, the same as a read\n\
             {access}, 1 byte: buffered, 1 bytes, the same as a read\n\
             {access}, {requested} bytes: LengthPastEnd: {requested} bytes from offset 0 end past the end of the file, which has \
             {len} bytes\n"
        ));
    }
    expected.push(format!("opened to read, Default: {NOT_OPEN}\n"));
    let printed = place.run(dir, true, "wrong-length", &[name], &[&requested.to_string()]);
    let expected = expected.concat();
    let Some(rest) = printed.strip_prefix(&expected) else { panic!("{printed}is not\n{expected}") };
    rest.trim_end().to_owned()
}

fn a_file_of_sys_is_as_long_as_its_content(_: Target, sandbox: &Sandbox) {
    for place in Place::both(sandbox) {
        let writing = of_wrong_length(place, "/sys/devices/system/cpu/online", 4096, 100);
        assert_eq!(writing, "opened to write: PermissionDenied");
    }
}

fn a_file_of_proc_is_as_long_as_its_content(_: Target, sandbox: &Sandbox) {
    for place in Place::both(sandbox) {
        // Root may open it for writing, but every write fails.
        let writing = of_wrong_length(place, "/proc/version", 0, 100_000);
        let opened = format!("opened to write, Default: {NO_CHANGES}");
        assert!(writing == opened || writing == "opened to write: PermissionDenied", "{writing}");
    }
}

fn a_writable_file_of_sys_cannot_be_changed_by_a_mapping(_: Target, sandbox: &Sandbox) {
    let path = "/sys/kernel/mm/ksm/run";
    if let Err(error) = File::options().read(true).write(true).open(path) {
        println!("NOT RUN: {path} cannot be opened for writing: {error}");
        return;
    }
    for place in Place::both(sandbox) {
        let writing = of_wrong_length(place, path, 4096, 100);
        assert_eq!(writing, format!("opened to write, Default: {NO_CHANGES}"));
    }
}

/// More bytes than a pipe can hold.
const TEXT: usize = 70_000;

/// wasmtime reads a pipe at offsets, which fails. The result is then an error of reading, because there may be bytes.
fn a_pipe_that_cannot_be_read_is_not_empty(target: Target, sandbox: &Sandbox) {
    for place in Place::both(sandbox) {
        let dir = tempfile::tempdir().unwrap();
        let names = ["1", "2", "3", "4"];
        for path in names.map(|name| dir.path().join(name)) {
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            // The thread waits for a reader, and is abandoned if there is none. The reader may stop early.
            thread::spawn(move || File::options().write(true).open(path)?.write_all(&pattern(TEXT)));
        }
        let printed = place.run(dir.path(), true, "pipe", &names, &[&TEXT.to_string()]);
        let lines: Vec<&str> = printed.lines().collect();
        let [read, mapped, copied, buffer] = lines[..] else { panic!("{printed}") };
        assert!(buffer.starts_with("buffer: Unsupported: a buffer cannot map a character device, a pipe"), "{buffer}");
        let of_mapping = [mapped.strip_prefix("Read: ").unwrap(), copied.strip_prefix("Copy: ").unwrap()];
        if read == "read: all bytes" {
            let expected = format!("buffered, {TEXT} bytes, the same as a read");
            assert_eq!(of_mapping, [&expected; 2]);
            continue;
        }
        assert!(read.starts_with("read: failed, ") && !place.is_native(), "{read}");
        let kind = if target == Target::Wasip1 { "NotSeekable" } else { "Uncategorized" };
        let expected = format!("Io of read, {kind}: cannot read 65536 bytes from offset 0");
        assert_eq!(of_mapping, [&expected; 2]);
    }
}

fn a_device_without_a_length_is_read_up_to_the_given_length(_: Target, sandbox: &Sandbox) {
    for place in Place::both(sandbox) {
        for (device, bytes) in [("zero", "all zero"), ("urandom", "not all zero")] {
            let printed = place.run(Path::new("/dev"), false, "device", &[device], &["100000"]);
            let mapped = match (place.is_native(), device) {
                (false, _) => {
                    "Unsupported: a buffer cannot map a character device, a pipe or a socket, which has no length; map_any \
                     reads as much of it as len says"
                }
                (true, "zero") => "mapped 100000 bytes",
                (true, _) => "Io of map, Uncategorized: cannot map 100000 bytes",
            };
            let expected = ["Read", "Copy"].map(|access| {
                format!(
                    "any, {access}: Unsupported: {NO_LENGTH}\n\
                     map, {access}, 100000 bytes: {mapped}\n\
                     any, {access}, 100000 bytes: 100000 bytes, {bytes}\n"
                )
            });
            assert_eq!(printed, expected.concat());
        }
    }
}
