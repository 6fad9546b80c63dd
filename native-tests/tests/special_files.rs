//! Files that are neither regular nor directories: their length says nothing, and the operating system decides.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::ErrorKind;

use portable_mmap::{Access, Error, Flags, MmapOptions};

/// A device that can be read at offsets and cannot be mapped.
fn unmappable() -> File {
    File::open("/dev/urandom").unwrap()
}

#[test]
fn any_is_a_buffer_where_the_system_cannot_map() {
    let options = MmapOptions::new().access(Access::Read).len(100).clone();
    // SAFETY: nobody changes these bytes.
    let refused = unsafe { options.map(unmappable()) };
    assert!(matches!(refused, Err(Error::Io { operation: "map", .. })), "{refused:?}");
    // SAFETY: nobody changes these bytes.
    let map = unsafe { options.map_any(unmappable()) }.unwrap();
    assert_eq!(map.backend_name(), "buffered");
    assert_eq!(map.len(), 100);
    assert!(map.iter().any(|&byte| byte != 0));
    assert_eq!(map.access(), Access::Read);
    assert!(map.into_file().unwrap().is_some());
}

#[test]
fn any_is_no_buffer_where_a_buffer_could_not_do_it_either() {
    let options = MmapOptions::new().flags(Flags::PRIVATE | Flags::HUGETLB).len(100).clone();
    // SAFETY: nobody changes these bytes.
    let refused = unsafe { options.map_any(unmappable()) };
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
}

#[test]
fn a_mapping_refused_to_any_for_its_file_s_mode_is_not_made_by_a_buffer() {
    // SAFETY: nobody changes these bytes.
    let refused = unsafe { MmapOptions::new().len(100).map_any(unmappable()) };
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn the_length_of_a_device_is_not_asked_for() {
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
fn a_device_has_no_length_to_map_without_one() {
    let device = File::open("/dev/zero").unwrap();
    // SAFETY: nobody changes these bytes.
    let refused = unsafe { MmapOptions::new().access(Access::Read).map(device) };
    assert!(matches!(refused, Err(Error::EmptyFile)), "{refused:?}");
}
