//! Locking bytes in memory: an OS mapping can be locked, a buffer cannot.

#![cfg(any(unix, windows))]

use portable_mmap::{BufferedMmap, Error, Mmap, MmapOptions};

/// The memory that this process has locked, in KiB.
#[cfg(target_os = "linux")]
fn locked() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// This is a single test because the count is for the whole process.
#[test]
fn locked_bytes_stay_in_memory_until_they_are_unlocked_or_dropped() {
    let mut map = Mmap::anonymous(8 * Mmap::page_size()).unwrap();
    map.lock().unwrap();
    #[cfg(target_os = "linux")]
    let here = 8 * Mmap::page_size() / 1024;
    #[cfg(target_os = "linux")]
    assert_eq!(locked(), here);
    map.fill(7);
    map.unlock().unwrap();
    #[cfg(target_os = "linux")]
    assert_eq!(locked(), 0);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    std::fs::write(&path, vec![1; 3 * Mmap::page_size()]).unwrap();
    // SAFETY: nobody else uses the file.
    let mut map = unsafe { MmapOptions::new().open(&path) }.unwrap();
    map.lock().unwrap();
    map[0] = 2;
    map.flush().unwrap();
    #[cfg(target_os = "linux")]
    assert_eq!(locked(), 3 * Mmap::page_size() / 1024);
    map.close().unwrap();
    #[cfg(target_os = "linux")]
    assert_eq!(locked(), 0);
    assert!(matches!(map.lock(), Err(Error::Closed { .. })));
    assert!(matches!(map.unlock(), Err(Error::Closed { .. })));

    let mut buffer: BufferedMmap = BufferedMmap::anonymous(10).unwrap();
    assert!(matches!(buffer.lock(), Err(Error::Unsupported { .. })));
    assert!(matches!(buffer.unlock(), Err(Error::Unsupported { .. })));
}
