//! `map_any` where the system does not map a file: it falls back to a buffer only if the file cannot be mapped at all.
//! Also files that can be mapped, but not by every backend or for every access.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]

#[path = "common/seccomp.rs"]
mod seccomp;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use portable_mmap::{Access, AnyMmap, Error, MmapOptions, Operation};
use seccomp::{rejecting, rule};
use seccompiler::SeccompCmpOp;

const LEN: usize = 10_000;

fn file(dir: &tempfile::TempDir) -> Arc<File> {
    let path = dir.path().join("f");
    fs::write(&path, [7; LEN]).unwrap();
    Arc::new(OpenOptions::new().read(true).write(true).open(path).unwrap())
}

/// Runs `act` in a thread that cannot map files, or cannot map with these flags.
fn without_mappings<T: Send>(number: i32, flags: Option<libc::c_int>, act: impl FnOnce() -> T + Send) -> T {
    let mut arguments = vec![(4, SeccompCmpOp::Ne, -1)];
    if let Some(flags) = flags {
        arguments.push((3, SeccompCmpOp::MaskedEq(u64::from(libc::MAP_TYPE.cast_unsigned())), flags));
    }
    rejecting(vec![(libc::SYS_mmap, rule(&arguments))], number, act)
}

fn any(options: &MmapOptions, file: &Arc<File>) -> Result<AnyMmap, Error> {
    // SAFETY: nobody else uses the file while a slice is alive.
    unsafe { options.map_any(file.clone()) }
}

#[test]
fn map_any_makes_a_buffer_if_the_system_cannot_map_the_file() {
    let dir = tempfile::tempdir().unwrap();
    for number in [libc::ENODEV, libc::EINVAL, libc::EACCES, libc::EOPNOTSUPP, libc::ENOSYS] {
        let file = file(&dir);
        for access in [Access::Write, Access::Read, Access::Copy] {
            let options = MmapOptions::new().access(access).clone();
            let mut map = without_mappings(number, None, || any(&options, &file)).unwrap();
            assert_eq!((map.backend_name(), map.len(), map[LEN - 1]), ("buffered", LEN, 7), "{number}");
            if access == Access::Write {
                map[0] = 8;
                map.flush().unwrap();
                assert_eq!(fs::read(dir.path().join("f")).unwrap()[..2], [8, 7]);
            }
            // SAFETY: nobody else uses the file.
            let refused = without_mappings(number, None, || unsafe { options.map(file.clone()) }).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(number), "what `map` returns");
        }
    }
}

#[test]
fn map_any_returns_every_other_error_of_the_system() {
    let dir = tempfile::tempdir().unwrap();
    let numbers =
        [libc::EPERM, libc::ENOMEM, libc::EAGAIN, libc::EOVERFLOW, libc::ENFILE, libc::EBADF, libc::EIO, libc::ETXTBSY];
    for number in numbers {
        let file = file(&dir);
        for access in [Access::Write, Access::Read, Access::Copy] {
            let options = MmapOptions::new().access(access).clone();
            let refused = without_mappings(number, None, || any(&options, &file).map(|map| map.len())).unwrap_err();
            match refused {
                Error::NoMemory { operation: Operation::Map, .. } => assert_eq!(number, libc::ENOMEM),
                Error::Io { operation: Operation::Map, source, .. } => assert_eq!(source.raw_os_error(), Some(number)),
                other => panic!("{number}: {other}"),
            }
            let mut extending = options.clone();
            extending.len(LEN + 1).extend(true);
            assert!(without_mappings(number, None, || any(&extending, &file).map(|map| map.len())).is_err());
            assert_eq!(file.metadata().unwrap().len(), LEN as u64, "the file is unchanged");
        }
    }
}

/// As FUSE with direct I/O does.
#[test]
fn map_any_makes_a_private_mapping_if_shared_ones_fail() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(&dir);
    let shared = Some(libc::MAP_SHARED);
    for guard in [false, true] {
        let options = MmapOptions::new().access(Access::Read).guard(guard).clone();
        file.set_len(LEN as u64).unwrap();
        let mut map = without_mappings(libc::ENODEV, shared, || any(&options, &file)).unwrap();
        assert_eq!((map.backend_name(), map.access(), map.len()), ("mapped", Access::Read, LEN));
        assert!(map.iter().all(|&byte| byte == 7));
        map.flush().unwrap();
        if guard {
            file.set_len(0).unwrap();
            assert!(matches!(map.get_item(-1), Err(Error::Truncated { .. })));
            file.set_len(LEN as u64).unwrap();
            without_mappings(libc::ENODEV, shared, || map.refresh()).unwrap();
            assert_eq!((map.get_item(-1).unwrap(), map.fault()), (0, None));
        }
        map.close().unwrap();
    }
    // Bytes written to a private mapping do not reach the file.
    let map = without_mappings(libc::ENODEV, shared, || any(&MmapOptions::new(), &file)).unwrap();
    assert_eq!(map.backend_name(), "buffered");
    // An error of the private mapping is handled like one of the shared mapping.
    let options = MmapOptions::new().access(Access::Read).clone();
    let refused = without_mappings(libc::ENODEV, shared, || {
        without_mappings(libc::EPERM, Some(libc::MAP_PRIVATE), || any(&options, &file).map(|map| map.len()))
    });
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EPERM));
}

/// Creates a memory file of `LEN` bytes with these seals.
fn sealed(seals: libc::c_int) -> Arc<File> {
    // SAFETY: the name ends with a zero byte.
    let fd = unsafe { libc::memfd_create(c"sealed".as_ptr(), libc::MFD_ALLOW_SEALING) };
    assert!(fd >= 0);
    // SAFETY: the descriptor is new, and nobody else owns it.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(&[7; LEN]).unwrap();
    // SAFETY: the call accesses no memory.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }, 0);
    Arc::new(file)
}

#[test]
fn mapping_memory_sealed_against_writing_fails() {
    for seals in [libc::F_SEAL_WRITE, libc::F_SEAL_FUTURE_WRITE] {
        let file = sealed(seals);
        let options = MmapOptions::new();
        // SAFETY: nobody changes the file.
        let mapped = unsafe { options.map(file.clone()) }.map(|map| map.len());
        let buffered = options.map_buffered(file.clone()).map(|map| map.len());
        for refused in [mapped, buffered, any(&options, &file).map(|map| map.len())] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
            assert!(refused.to_string().contains("sealed against writing; map it with Access::Read"), "{refused}");
        }
        for access in [Access::Read, Access::Copy] {
            let options = MmapOptions::new().access(access).clone();
            assert!(options.map_buffered(file.clone()).unwrap().iter().all(|&byte| byte == 7));
            let map = any(&options, &file).unwrap();
            assert_eq!((map.backend_name(), map[LEN - 1]), ("mapped", 7));
        }
    }
}

#[test]
fn extending_memory_sealed_against_growing_fails() {
    let file = sealed(libc::F_SEAL_GROW);
    for allocate in [false, true] {
        for access in [Access::Write, Access::Read, Access::Copy] {
            let options = MmapOptions::new().access(access).len(LEN + 1).extend(true).allocate(allocate).clone();
            // SAFETY: nobody else uses the file.
            let mapped = unsafe { options.map(file.clone()) }.map(|map| map.len());
            let buffered = options.map_buffered(file.clone()).map(|map| map.len());
            for refused in [mapped, buffered, any(&options, &file).map(|map| map.len())] {
                let refused = refused.unwrap_err();
                assert_eq!(refused.raw_os_error(), Some(libc::EPERM), "{refused}");
            }
            assert_eq!(file.metadata().unwrap().len(), LEN as u64);
        }
    }
    let mut map = MmapOptions::new().map_buffered(file.clone()).unwrap();
    map[0] = 8;
    assert!(map.resize(LEN + 1).is_err());
    assert_eq!((map.len(), map[0], map.size().unwrap()), (LEN, 8, LEN as u64));
    map.close().unwrap();
}

#[test]
fn the_system_maps_a_file_open_with_o_direct_and_a_buffer_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, [7; LEN]).unwrap();
    let direct = OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT).open(&path);
    let Ok(direct) = direct.map(Arc::new) else {
        println!("NOT RUN: this file system has no O_DIRECT");
        return;
    };
    for access in [Access::Write, Access::Read, Access::Copy] {
        let options = MmapOptions::new().access(access).clone();
        let refused = options.map_buffered(direct.clone()).map(|map| map.len()).unwrap_err();
        assert!(matches!(refused, Error::Unsupported { .. }), "{refused:?}");
        assert!(refused.to_string().contains("open the file without"), "{refused}");
        let mut map = any(&options, &direct).unwrap();
        assert_eq!((map.backend_name(), map[LEN - 1]), ("mapped", 7));
        if access == Access::Write {
            map[LEN - 1] = 8;
            map.flush().unwrap();
            assert_eq!(fs::read(&path).unwrap()[LEN - 2..], [7, 8]);
            map[LEN - 1] = 7;
            map.close().unwrap();
        }
        let refused = without_mappings(libc::ENODEV, None, || any(&options, &direct).map(|map| map.len()));
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::ENODEV), "a buffer does not help");
    }
}
