//! Properties of Windows: named memory, offsets in steps of 64 KiB, files that cannot shrink while they are mapped.

#![cfg(windows)]

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use portable_mmap::{Access, Error, Flags, Mmap, MmapOptions, Operation, Prot, Result};

/// Creates a file with this content in a new directory.
fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, content).unwrap();
    (dir, path)
}

/// A tag that nobody else uses.
fn tag() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("portable-mmap-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn tagged(tag: &str, len: usize) -> Result<Mmap> {
    // SAFETY: no slice of it is held while another mapping of the tag is written to.
    unsafe { MmapOptions::new().len(len).tag_name(tag).map_tagged() }
}

fn map(options: &MmapOptions, path: &PathBuf) -> Result<Mmap> {
    // SAFETY: no slice of it is held while another mapping of the file is written to.
    unsafe { options.open(path) }
}

#[test]
fn two_mappings_of_one_tag_share_memory() {
    let (here, elsewhere) = (tag(), tag());
    let mut a = tagged(&here, 100).unwrap();
    let mut b = tagged(&here, 100).unwrap();
    let other = tagged(&elsewhere, 100).unwrap();
    a.set_slice(..5, b"Hello").unwrap();
    assert_eq!(b.get_slice(..5).unwrap(), b"Hello");
    b.set_item(0, b'J').unwrap();
    assert_eq!(a.get_slice(..6).unwrap(), b"Jello\0");
    assert_eq!(other.get_slice(..6).unwrap(), [0; 6]);
    // The memory lives as long as one of the mappings.
    a.close().unwrap();
    assert_eq!(tagged(&here, 100).unwrap().get_slice(..5).unwrap(), b"Jello");
    b.close().unwrap();
    assert_eq!(tagged(&here, 100).unwrap().get_slice(..5).unwrap(), [0; 5]);
}

#[test]
fn a_tag_that_exists_keeps_its_length() {
    let tag = tag();
    let long = 2 * Mmap::allocation_granularity();
    let mut a = tagged(&tag, long).unwrap();
    a.set_item(0, 1).unwrap();
    // A part of it can be mapped, but not more than its length.
    assert_eq!(tagged(&tag, 10).unwrap().get_item(0).unwrap(), 1);
    assert!(matches!(tagged(&tag, 2 * long), Err(Error::Io { .. })));
}

#[test]
fn memory_with_a_tag_keeps_its_length() {
    let tag = tag();
    let mut a = tagged(&tag, 9000).unwrap();
    a.set_item(8999, 1).unwrap();
    for len in [10, 8999, 20_000] {
        assert!(matches!(a.resize(len), Err(Error::Unsupported { .. })), "{len}");
        assert_eq!((a.len(), a.size().unwrap(), a[8999]), (9000, 9000, 1));
    }
    a.resize(9000).unwrap();
    // SAFETY: as in `tagged`.
    let mut copy = unsafe { MmapOptions::new().len(9000).flags(Flags::PRIVATE).tag_name(&tag).map_tagged() }.unwrap();
    assert!(matches!(copy.resize(20_000), Err(Error::Unsupported { .. })));
    assert_eq!((copy.len(), copy[8999]), (9000, 1));
}

#[test]
fn a_read_only_and_a_private_mapping_of_a_tag_change_nothing() {
    let tag = tag();
    let mut a = tagged(&tag, 10).unwrap();
    let with = |access| {
        // SAFETY: as in `tagged`.
        unsafe { MmapOptions::new().len(10).access(access).tag_name(&tag).map_tagged() }.unwrap()
    };
    let mut read = with(Access::Read);
    let mut copy = with(Access::Copy);
    a.set_item(0, 7).unwrap();
    assert_eq!(read.get_item(0).unwrap(), 7);
    assert!(matches!(read.set_item(0, 8), Err(Error::ReadOnly { .. })));
    copy.set_item(0, 9).unwrap();
    assert_eq!((a[0], read[0], copy[0]), (7, 7, 9));
}

#[test]
fn a_tag_names_the_mapping_of_a_file() {
    let (_dir, path) = file(b"0123456789");
    let tag = tag();
    let mut a = map(MmapOptions::new().tag_name(&tag), &path).unwrap();
    // With the same tag, and without a file.
    let mut b = tagged(&tag, 10).unwrap();
    b.set_slice(..2, b"ab").unwrap();
    assert_eq!(a.get_slice(..3).unwrap(), b"ab2");
    a.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"ab23456789");
}

#[test]
fn a_tag_must_be_a_valid_name() {
    for tag in ["", "a\0b"] {
        let error = tagged(tag, 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{tag:?}: {error}");
    }
    let error = MmapOptions::new().len(10).tag_name(tag()).map_anonymous().unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }));
}

#[test]
fn an_offset_is_a_multiple_of_64_kib() {
    assert_eq!(Mmap::allocation_granularity(), 64 << 10);
    assert_eq!(Mmap::page_size(), 4096);
    let content: Vec<u8> = (0..70_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let (_dir, path) = file(&content);
    for offset in [1, 4096, 65_535] {
        let error = map(MmapOptions::new().offset(offset), &path).unwrap_err();
        assert!(matches!(error, Error::Misaligned { granularity: 65_536, .. }), "{error}");
    }
    let mut window = map(MmapOptions::new().offset(65_536), &path).unwrap();
    assert_eq!(window.as_slice().unwrap(), &content[65_536..]);
    window.set_item(-1, 0).unwrap();
    window.flush_range(0, 1).unwrap();
    window.flush_range(4096, 10).unwrap();
    assert_eq!(fs::read(&path).unwrap()[69_999], 0);
}

#[test]
fn anonymous_memory_can_be_read_only() {
    let mut zeros = MmapOptions::new().len(5000).access(Access::Read).map_anonymous().unwrap();
    assert_eq!(zeros.as_slice().unwrap(), [0; 5000]);
    assert!(matches!(zeros.set_item(0, 1), Err(Error::ReadOnly { .. })));
    let mut private = MmapOptions::new().len(5000).flags(Flags::PRIVATE).map_anonymous().unwrap();
    private.set_slice(.., &[3; 5000]).unwrap();
    private.resize(9000).unwrap();
    assert_eq!((private[4999], private[5000], private.len()), (3, 0, 9000));
    private.resize(10).unwrap();
    assert_eq!(private.as_slice().unwrap(), [3; 10]);
}

#[test]
fn a_resize_shortens_and_lengthens_the_file() {
    let (_dir, path) = file(&[1; 10_000]);
    let mut map = map(&MmapOptions::new(), &path).unwrap();
    map.set_item(0, 2).unwrap();
    for len in [100, 70_000, 200_000, 5] {
        map.resize(len).unwrap();
        assert_eq!((map.len(), fs::metadata(&path).unwrap().len()), (len, len as u64));
        assert_eq!((map[0], map[4], map.get(100).copied().unwrap_or(0)), (2, 1, 0));
    }
    map.close().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"\x02\x01\x01\x01\x01");
}

#[test]
fn a_file_that_is_mapped_twice_cannot_shrink() {
    let (_dir, path) = file(&[1; 10_000]);
    let mut a = map(&MmapOptions::new(), &path).unwrap();
    let b = map(&MmapOptions::new(), &path).unwrap();
    a.set_slice(9_998.., b"ab").unwrap();
    a.seek(std::io::SeekFrom::Start(77)).unwrap();
    let error = a.resize(100).unwrap_err();
    assert!(matches!(error, Error::Io { operation: Operation::Truncate, offset: 100, len: 9_900, .. }), "{error}");
    // Everything is unchanged, and still works.
    assert_eq!((a.len(), a.size().unwrap(), a.tell(), a[9_999]), (10_000, 10_000, 77, b'b'));
    assert_eq!((b.len(), b.get_slice(9_997..).unwrap()), (10_000, b"\x01ab".to_vec()));
    a.set_item(-1, b'c').unwrap();
    assert_eq!(b[9_999], b'c');
    drop(b);
    a.resize(100).unwrap();
    assert_eq!((a.len(), fs::metadata(&path).unwrap().len()), (100, 100));
}

#[test]
fn a_tag_stays_with_a_mapping_that_is_resized() {
    let (_dir, path) = file(&[1; 10_000]);
    let tag = tag();
    let mut a = map(MmapOptions::new().tag_name(&tag), &path).unwrap();
    for len in [100, 200_000, 50_000] {
        a.resize(len).unwrap();
        assert_eq!((a.len(), fs::metadata(&path).unwrap().len()), (len, len as u64));
        a.set_item(-1, 5).unwrap();
        let b = tagged(&tag, len).unwrap();
        assert_eq!((b[0], b[len - 1]), (1, 5));
        drop(b);
    }
    // If another mapping has the tag too, its length cannot be changed.
    let b = tagged(&tag, 50_000).unwrap();
    for len in [100, 50_001, 300_000] {
        let error = a.resize(len).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        assert_eq!((a.len(), fs::metadata(&path).unwrap().len()), (50_000, 50_000));
        assert_eq!((a[0], a[49_999], b[49_999]), (1, 5, 5));
    }
}

#[test]
fn mapping_a_handle_without_the_needed_access_fails() {
    let (_dir, path) = file(b"0123456789");
    let open = |options: &OpenOptions| -> Arc<File> { Arc::new(options.open(&path).unwrap()) };
    let read = open(OpenOptions::new().read(true));
    let write = open(OpenOptions::new().write(true));
    let append = open(OpenOptions::new().read(true).append(true));
    let refused = |access, file: &Arc<File>| {
        // SAFETY: nobody else writes to the file.
        let result = unsafe { MmapOptions::new().access(access).map(file.clone()) };
        result.err().map(|error| error.kind())
    };
    let denied = Some(ErrorKind::PermissionDenied);
    assert_eq!([Access::Write, Access::Read, Access::Copy].map(|access| refused(access, &read)), [denied, None, None]);
    assert_eq!([Access::Write, Access::Read, Access::Copy].map(|access| refused(access, &write)), [denied; 3]);
    assert_eq!(
        [Access::Write, Access::Read, Access::Copy].map(|access| refused(access, &append)),
        [denied, None, None]
    );
    assert_eq!(fs::read(&path).unwrap(), b"0123456789");
}

#[test]
fn a_mapping_outlives_its_handle_of_the_file() {
    let (_dir, path) = file(b"0123456789");
    let mut map = map(MmapOptions::new().track_file(false), &path).unwrap();
    map.set_item(0, b'a').unwrap();
    map.flush().unwrap();
    assert!(matches!(map.size(), Err(Error::Untracked { .. })));
    drop(map);
    assert_eq!(fs::read(&path).unwrap(), b"a123456789");
}

#[test]
fn code_can_be_mapped_from_a_file_open_for_execution() {
    use std::os::windows::fs::OpenOptionsExt;
    const GENERIC_READ: u32 = 0x8000_0000;
    const GENERIC_EXECUTE: u32 = 0x2000_0000;
    let (_dir, path) = file(b"0123456789");
    let open = |access| Arc::new(OpenOptions::new().access_mode(access).open(&path).unwrap());
    let map = |file| {
        // SAFETY: nobody writes to the file.
        unsafe { MmapOptions::new().prot(Prot::READ | Prot::EXEC).map(file) }
    };
    assert_eq!(map(open(GENERIC_READ | GENERIC_EXECUTE)).unwrap().as_slice().unwrap(), b"0123456789");
}
