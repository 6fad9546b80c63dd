//! Files that are neither regular files nor directories: their reported length is meaningless, and the operating system
//! decides if they can be mapped.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use portable_mmap::{Access, Advice, Error, Flags, MmapOptions, Operation};

/// A device that can be read at offsets and cannot be mapped.
fn unmappable() -> File {
    File::open("/dev/urandom").unwrap()
}

#[test]
fn map_any_reads_a_device_that_the_system_cannot_map() {
    for access in [Access::Read, Access::Copy] {
        let options = MmapOptions::new().access(access).len(100_000).clone();
        // SAFETY: nobody changes these bytes.
        let refused = unsafe { options.map(unmappable()) };
        assert!(matches!(refused, Err(Error::Io { operation: Operation::Map, .. })), "{refused:?}");
        // SAFETY: nobody changes these bytes.
        let mut map = unsafe { options.map_any(unmappable()) }.unwrap();
        assert_eq!((map.backend_name(), map.len(), map.access()), ("buffered", 100_000, access));
        assert!(map[99_000..].iter().any(|&byte| byte != 0));
        let before = map.to_vec();
        map.refresh().unwrap();
        assert!(map[..] == before, "nothing is read again");
        map.close().unwrap();
    }
    // SAFETY: nobody changes these bytes.
    let map = unsafe { MmapOptions::new().access(Access::Read).len(5).map_any(unmappable()) }.unwrap();
    assert!(map.into_file().unwrap().is_none(), "it keeps no handle of the device");
    // SAFETY: nobody changes these bytes.
    let ended = unsafe { MmapOptions::new().access(Access::Read).len(5).map_any(File::open("/dev/null").unwrap()) };
    assert!(matches!(ended, Err(Error::LengthPastEnd { size: 0, extendable: false, .. })), "{ended:?}");
}

#[test]
fn changes_do_not_reach_a_device_that_cannot_be_mapped() {
    let device = File::options().read(true).write(true).open("/dev/urandom").unwrap();
    // SAFETY: nobody changes these bytes.
    let refused = unsafe { MmapOptions::new().len(100).map_any(device) };
    assert!(matches!(refused, Err(Error::Io { operation: Operation::Map, .. })), "{refused:?}");
}

#[test]
fn making_a_buffer_of_a_file_without_length_fails() {
    let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let devices = ["/dev/zero", "/dev/null", "/dev/urandom"].map(|path| File::open(path).unwrap());
    let others = [pipe_of(text()), File::from(OwnedFd::from(socket))];
    for file in devices.into_iter().chain(others) {
        let file = Arc::new(file);
        for access in [Access::Read, Access::Copy] {
            let refused = MmapOptions::new().access(access).len(100).map_buffered(file.clone());
            assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
            let refused = MmapOptions::new().access(access).map_buffered(file.clone());
            assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
        }
    }
}

/// Such a descriptor can be neither read nor mapped.
#[test]
fn mapping_a_file_that_is_open_only_as_a_path_fails() {
    use std::os::unix::fs::OpenOptionsExt;
    let path = std::env::current_exe().unwrap();
    for access in [Access::Read, Access::Copy, Access::Default] {
        let options = MmapOptions::new().access(access).clone();
        let open = || File::options().read(true).custom_flags(libc::O_PATH).open(&path).unwrap();
        // SAFETY: nobody changes these bytes.
        let mapped = unsafe { options.map(open()) }.map(drop);
        let buffered = options.map_buffered(open()).map(drop);
        // SAFETY: nobody changes these bytes.
        let any = unsafe { options.map_any(open()) }.map(drop);
        for refused in [mapped, buffered, any] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert!(format!("{error:#}").contains("not open for reading"), "{error:#}");
        }
    }
}

/// Changes reach nobody, and a sync does nothing.
#[test]
fn changes_of_a_mapped_device_can_be_flushed() {
    for guard in [false, true] {
        let device = File::options().read(true).write(true).open("/dev/zero").unwrap();
        // SAFETY: nobody else has these bytes.
        let mut map = unsafe { MmapOptions::new().len(100_000).guard(guard).map(device) }.unwrap();
        map[99_999] = 1;
        map.flush_range(0, 1).unwrap();
        map.flush_async().unwrap();
        map.flush().unwrap();
        map[0] = 1;
        assert_eq!((map.fault(), map.get_item(-1).unwrap()), (None, 1));
        map.close().unwrap();
    }
}

#[test]
fn map_any_makes_no_buffer_if_a_buffer_cannot_work() {
    let options = MmapOptions::new().flags(Flags::PRIVATE | Flags::HUGETLB).len(100).clone();
    // SAFETY: nobody changes these bytes.
    let refused = unsafe { options.map_any(unmappable()) };
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
}

#[test]
fn map_any_makes_no_buffer_if_the_mode_of_the_file_is_wrong() {
    // SAFETY: nobody changes these bytes.
    let refused = unsafe { MmapOptions::new().len(100).map_any(unmappable()) };
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn the_length_of_a_device_is_not_read() {
    let device = File::open("/dev/zero").unwrap();
    // SAFETY: nobody changes these bytes.
    let mut map = unsafe { MmapOptions::new().access(Access::Copy).len(100_000).map(device) }.unwrap();
    assert_eq!(map.backend_name(), "mapped");
    assert!(map.iter().all(|&byte| byte == 0));
    map[99_999] = 1;
    assert_eq!(map.get_item(-1).unwrap(), 1);
    map.close().unwrap();
}

#[test]
fn mapping_a_device_requires_a_length() {
    let device = File::open("/dev/zero").unwrap();
    // SAFETY: nobody changes these bytes.
    let refused = unsafe { MmapOptions::new().access(Access::Read).map(device) };
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
}

/// A file of `/sys`, which reports a length of 4096 bytes and holds only a few.
const WRONG_LENGTH: &str = "/sys/devices/system/cpu/online";

#[test]
fn map_any_is_as_long_as_what_can_be_read() {
    let content = fs::read(WRONG_LENGTH).unwrap();
    let len = usize::try_from(fs::metadata(WRONG_LENGTH).unwrap().len()).unwrap();
    assert!(content.len() < len, "{WRONG_LENGTH} reports {len} bytes");
    for access in [Access::Read, Access::Copy] {
        let options = MmapOptions::new().access(access).clone();
        let open = || File::open(WRONG_LENGTH).unwrap();
        // SAFETY: nobody changes these bytes.
        let map = unsafe { options.map_any(open()) }.unwrap();
        assert_eq!(map[..], content);
        // SAFETY: nobody changes these bytes.
        let part = unsafe { options.clone().len(1).map_any(open()) }.unwrap();
        assert_eq!(part[..], content[..1]);
        for (offset, len) in [(0, 100), (0, len), (4096, 0)] {
            // SAFETY: nobody changes these bytes.
            let refused = unsafe { options.clone().offset(offset).len(len).map_any(open()) }.unwrap_err();
            match refused {
                Error::LengthPastEnd { size, extendable: false, .. } => {
                    assert_eq!((offset, size), (0, content.len() as u64));
                }
                Error::OffsetPastEnd { .. } => assert_eq!(offset, 4096),
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn changes_do_not_reach_a_file_that_reports_a_wrong_length() {
    // SAFETY: nobody changes these bytes.
    let refused = unsafe { MmapOptions::new().map_any(File::open(WRONG_LENGTH).unwrap()) };
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied, "it is open for reading");
    for writable in ["/proc/self/comm", "/sys/kernel/mm/ksm/run"] {
        let Ok(file) = File::options().read(true).write(true).open(writable) else {
            println!("NOT RUN: {writable} cannot be opened for writing");
            continue;
        };
        let file = Arc::new(file);
        // SAFETY: nobody changes these bytes.
        let refused = unsafe { MmapOptions::new().map_any(file.clone()) };
        assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
        // SAFETY: nobody changes these bytes.
        let map = unsafe { MmapOptions::new().access(Access::Copy).map_any(file) }.unwrap();
        assert_eq!(map[..], fs::read(writable).unwrap());
    }
}

/// Makes a pipe from which `text` can be read.
fn pipe_of(text: Vec<u8>) -> File {
    let (reader, mut writer) = io::pipe().unwrap();
    // A thread writes, because a pipe holds no more than its buffer.
    thread::spawn(move || writer.write_all(&text));
    File::from(OwnedFd::from(reader))
}

fn text() -> Vec<u8> {
    (0..300_000_u32).map(|i| (i % 253) as u8).collect()
}

#[test]
fn map_any_reads_a_file_of_proc_to_its_end() {
    let expected = fs::read("/proc/version").unwrap();
    let file = Arc::new(File::open("/proc/version").unwrap());
    assert_eq!(file.metadata().unwrap().len(), 0, "the system reports it as empty");
    for access in [Access::Read, Access::Copy] {
        // SAFETY: nobody changes these bytes.
        let mut map = unsafe { MmapOptions::new().access(access).map_any(file.clone()) }.unwrap();
        assert_eq!(map.backend_name(), "buffered");
        assert_eq!(map.as_slice().unwrap(), expected);
        assert_eq!((map.size().unwrap(), map.access()), (expected.len() as u64, access));
        // Nothing is read again.
        map.advise(Advice::DontNeed).unwrap();
        map.refresh().unwrap();
        assert_eq!(map.as_slice().unwrap(), expected);
        assert!(map.resize(1).is_err() && map.file().is_none());
    }
    // SAFETY: as above.
    let map = unsafe { MmapOptions::new().access(Access::Read).len(5).map_any(file.clone()) }.unwrap();
    assert_eq!(map.as_slice().unwrap(), &expected[..5]);
    let size = expected.len() as u64;
    // SAFETY: as above.
    let refused = unsafe { MmapOptions::new().access(Access::Read).len(100_000).map_any(file.clone()) };
    assert!(matches!(refused, Err(Error::LengthPastEnd { size: s, len: 100_000, .. }) if s == size), "{refused:?}");
    // SAFETY: as above.
    let refused = unsafe { MmapOptions::new().access(Access::Read).offset(1 << 16).map_any(file) };
    assert!(matches!(refused, Err(Error::OffsetPastEnd { .. })), "{refused:?}");
}

#[test]
fn map_any_reads_a_long_file_of_proc_in_pieces() {
    // A read returns at most a page. Lines that change between two reads are ignored.
    let names = |bytes: &[u8]| {
        let lines = String::from_utf8_lossy(bytes);
        lines.lines().map(|line| line.split(' ').next_back().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let expected = fs::read("/proc/kallsyms").unwrap();
    // SAFETY: nobody changes these bytes.
    let map = unsafe { MmapOptions::new().access(Access::Read).map_any(File::open("/proc/kallsyms").unwrap()) };
    if expected.is_empty() {
        assert!(matches!(map, Err(Error::EmptyFile { .. })), "{map:?}");
    } else {
        assert_eq!(names(map.unwrap().as_slice().unwrap()), names(&expected));
    }
}

#[test]
fn map_any_reads_a_pipe_to_its_end() {
    // SAFETY: nobody changes these bytes.
    let mut map = unsafe { MmapOptions::new().access(Access::Copy).map_any(pipe_of(text())) }.unwrap();
    assert_eq!(map.backend_name(), "buffered");
    assert_eq!(map.as_slice().unwrap(), text());
    map[299_999] = 255;
    map.advise(Advice::DontNeed).unwrap();
    map.refresh().unwrap();
    assert_eq!(map[299_999], 255);
    map.flush().unwrap();
    map.close().unwrap();
}

#[test]
fn map_any_maps_a_part_of_a_pipe() {
    let options = MmapOptions::new().access(Access::Read).offset(1 << 16).clone();
    // SAFETY: nobody changes these bytes.
    let map = unsafe { options.map_any(pipe_of(text())) }.unwrap();
    assert_eq!((map.as_slice().unwrap(), map.offset()), (&text()[1 << 16..], 1 << 16));
    // SAFETY: as above.
    let map = unsafe { options.clone().len(7).map_any(pipe_of(text())) }.unwrap();
    assert_eq!(map.as_slice().unwrap(), &text()[1 << 16..][..7]);
    // SAFETY: as above.
    let refused = unsafe { options.map_any(pipe_of(b"short".to_vec())) };
    assert!(matches!(refused, Err(Error::OffsetPastEnd { size: 5, .. })), "{refused:?}");
    // SAFETY: as above.
    let refused = unsafe { options.clone().offset(0).len(6).map_any(pipe_of(b"short".to_vec())) };
    assert!(matches!(refused, Err(Error::LengthPastEnd { size: 5, len: 6, .. })), "{refused:?}");
    // SAFETY: as above.
    let refused = unsafe { options.clone().offset(0).map_any(pipe_of(Vec::new())) };
    assert!(matches!(refused, Err(Error::EmptyFile { .. })), "{refused:?}");
}

#[test]
fn map_any_never_writes_to_a_file_without_size() {
    // SAFETY: nobody changes these bytes.
    let refused = unsafe { MmapOptions::new().map_any(pipe_of(text())) };
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
    let (_reader, writer) = io::pipe().unwrap();
    // SAFETY: as above.
    let refused = unsafe { MmapOptions::new().access(Access::Read).map_any(File::from(OwnedFd::from(writer))) };
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied, "the writing end cannot be read");
    // SAFETY: as above.
    let refused = unsafe { MmapOptions::new().map_any(File::open("/proc/version").unwrap()) };
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn map_any_does_not_read_an_endless_device() {
    // SAFETY: nobody changes these bytes.
    let refused = unsafe { MmapOptions::new().access(Access::Read).map_any(File::open("/dev/zero").unwrap()) };
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
}

#[test]
fn map_any_of_an_empty_file_fails() {
    let path = std::env::temp_dir().join(format!("portable-mmap-any-empty-{}", std::process::id()));
    fs::write(&path, b"").unwrap();
    // SAFETY: nobody changes the file.
    let refused = unsafe { MmapOptions::new().access(Access::Read).map_any(File::open(&path).unwrap()) };
    assert!(matches!(refused, Err(Error::EmptyFile { .. })), "{refused:?}");
    fs::remove_file(path).unwrap();
}
