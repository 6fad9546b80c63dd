//! Block devices are mapped like files, but have a fixed length.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use std::process::Command;

use portable_mmap::{
    Access, AnyBackend, Backend, Buffered, Error, FaultKind, Mapped, Mapping, MmapOptions, OsFile, Storage,
};

use crate::grounds::{DEVICE, DEVICE_LEN, Ground, Test};

pub(crate) const TESTS: &[Test] = &[
    test("a_device_is_neither_resized_nor_extended_by_a_mapping", a_device_keeps_its_length::<Mapped>),
    test("a_device_is_neither_resized_nor_extended_by_a_buffer", a_device_keeps_its_length::<Buffered>),
    test("a_device_is_mapped_as_a_whole", a_device_is_mapped_as_a_whole::<Mapped>),
    test("a_device_is_mapped_as_a_whole_by_a_buffer", a_device_is_mapped_as_a_whole::<Buffered>),
    test("a_device_is_mapped_as_a_whole_by_any", a_device_is_mapped_as_a_whole::<AnyBackend>),
    test("a_part_of_a_device_must_be_inside_it", a_part_of_a_device_must_be_inside_it::<Mapped>),
    test("a_part_of_a_device_in_a_buffer_must_be_inside_it", a_part_of_a_device_must_be_inside_it::<Buffered>),
    test("a_flush_writes_changes_to_the_device", a_flush_writes_changes_to_the_device::<Mapped>),
    test("a_flush_of_a_buffer_writes_changes_to_the_device", a_flush_writes_changes_to_the_device::<Buffered>),
    test("a_guard_uses_the_length_of_a_device", a_guard_uses_the_length_of_a_device::<Mapped>),
    test("a_guard_of_a_buffer_uses_the_length_of_a_device", a_guard_uses_the_length_of_a_device::<Buffered>),
    test("a_read_only_device_is_not_mapped_for_writing", a_read_only_device_is_not_mapped_for_writing),
    test("the_cursor_of_a_device_does_not_move", the_cursor_of_a_device_does_not_move),
];

const fn test(name: &'static str, play: fn(&Path)) -> Test {
    Test { name, ground: Ground::BlockDevice, ends_by: None, play }
}

fn a_device_keeps_its_length<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let path = dir.join(DEVICE);
    let before = fs::read(&path).unwrap();
    assert!(before.len() == DEVICE_LEN && before.iter().any(|&byte| byte != 0));
    let device = Arc::new(OpenOptions::new().read(true).write(true).open(&path).unwrap());
    for allocate in [false, true] {
        let mut options = MmapOptions::new();
        options.len(1 << 16).allocate(allocate);
        // SAFETY: nobody else uses the device.
        let extended = unsafe { options.clone().extend(true).map_with::<B>(device.clone()) };
        assert!(matches!(extended, Err(Error::Unsupported { .. })), "{extended:?}");
        // SAFETY: as above.
        let mut map = unsafe { options.map_with::<B>(device.clone()) }.unwrap();
        for len in [1 << 15, 1 << 16, 1 << 17, 2 * DEVICE_LEN] {
            let resized = map.resize(len);
            assert!(matches!(resized, Err(Error::Unsupported { .. })), "{len}: {resized:?}");
        }
        assert!(map.as_slice().unwrap() == &before[..1 << 16]);
    }
    assert!(fs::read(&path).unwrap() == before, "the device is unchanged");
}

/// Makes the device read-only. A drop makes it writable again, because the device outlives the test.
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn new(dir: &Path) -> Self {
        let device = Self(fs::canonicalize(dir.join(DEVICE)).unwrap());
        device.set("--setro");
        device
    }

    fn set(&self, how: &str) {
        assert!(Command::new("blockdev").arg(how).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        self.set("--setrw");
    }
}

/// The system allows opening it for writing nevertheless.
fn a_read_only_device_is_not_mapped_for_writing(dir: &Path) {
    fn refused<B>(device: &Arc<File>)
    where
        B: Backend<Source: From<Arc<File>>>,
    {
        // SAFETY: nobody else uses the device.
        let error = unsafe { MmapOptions::new().map_with::<B>(device.clone()) }.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("the device is read-only"), "{error}");
    }
    let _read_only = ReadOnly::new(dir);
    let device = open(dir);
    refused::<Mapped>(&device);
    refused::<Buffered>(&device);
    refused::<AnyBackend>(&device);
    let content = fs::read(dir.join(DEVICE)).unwrap();
    for access in [Access::Read, Access::Copy] {
        let options = MmapOptions::new().access(access).clone();
        assert!(options.map_buffered(device.clone()).unwrap()[..] == content);
        // SAFETY: nobody else uses the device.
        assert!(unsafe { options.map_any(device.clone()) }.unwrap()[..] == content);
    }
}

fn open(dir: &Path) -> Arc<File> {
    Arc::new(OpenOptions::new().read(true).write(true).open(dir.join(DEVICE)).unwrap())
}

fn mapped<B>(device: &Arc<File>, options: &MmapOptions) -> portable_mmap::Result<Mapping<B>>
where
    B: Backend<Source: From<Arc<File>>>,
{
    // SAFETY: nobody else uses the device.
    unsafe { options.map_with::<B>(device.clone()) }
}

/// Returns the bytes that the device has.
fn stored(dir: &Path) -> Vec<u8> {
    fs::read(dir.join("image")).unwrap()
}

fn a_device_is_mapped_as_a_whole<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let (device, before) = (open(dir), stored(dir));
    assert_eq!(device.metadata().unwrap().len(), 0, "the length that the system reports");
    for access in [Access::Write, Access::Read, Access::Copy] {
        for guard in [false, true] {
            let mut map = mapped::<B>(&device, MmapOptions::new().access(access).guard(guard)).unwrap();
            assert_eq!((map.len(), map.size().unwrap()), (DEVICE_LEN, DEVICE_LEN as u64));
            assert!(map.as_slice().unwrap() == before);
            if access == Access::Copy {
                map[..5000].fill(1);
            }
            map.flush().unwrap();
            map.refresh().unwrap();
            assert_eq!(map.fault(), None);
            map.close().unwrap();
        }
    }
    assert!(stored(dir) == before);
}

fn a_part_of_a_device_must_be_inside_it<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let (device, before, granularity) = (open(dir), stored(dir), Mapping::<B>::allocation_granularity());
    let options = |offset: usize, len| MmapOptions::new().offset(offset as u64).len(len).clone();
    let map = mapped::<B>(&device, &options(granularity, 0)).unwrap();
    assert!(map[..] == before[granularity..]);
    let map = mapped::<B>(&device, &options(DEVICE_LEN - granularity, granularity)).unwrap();
    assert!(map[..] == before[DEVICE_LEN - granularity..]);
    for (offset, len) in [(0, DEVICE_LEN + 1), (granularity, DEVICE_LEN), (DEVICE_LEN, 1)] {
        let refused = mapped::<B>(&device, &options(offset, len)).unwrap_err();
        assert!(matches!(refused, Error::LengthPastEnd { size, .. } if size == DEVICE_LEN as u64), "{refused:?}");
        assert!(!refused.to_string().contains("extend"), "{refused}");
    }
    let refused = mapped::<B>(&device, &options(DEVICE_LEN, 0)).unwrap_err();
    assert!(matches!(refused, Error::OffsetPastEnd { size, .. } if size == DEVICE_LEN as u64), "{refused:?}");
}

fn a_flush_writes_changes_to_the_device<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let (device, mut expected, page) = (open(dir), stored(dir), Mapping::<B>::page_size());
    for guard in [false, true] {
        let mut map = mapped::<B>(&device, MmapOptions::new().guard(guard)).unwrap();
        let mut change = |map: &mut Mapping<B>, at: usize| {
            expected[at] ^= 0x55;
            map[at] ^= 0x55;
            expected.clone()
        };
        let now = change(&mut map, 0);
        map.flush_range(0, page).unwrap();
        assert!(stored(dir) == now);
        change(&mut map, 3 * page);
        let now = change(&mut map, DEVICE_LEN - 1);
        map.flush().unwrap();
        assert!(stored(dir) == now);
        change(&mut map, 7 * page);
        map.flush_async().unwrap();
        map.flush().unwrap();
        let now = change(&mut map, DEVICE_LEN / 2);
        map.close().unwrap();
        device.sync_all().unwrap();
        assert!(stored(dir) == now);
    }
}

fn a_guard_uses_the_length_of_a_device<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let device = open(dir);
    let map = mapped::<B>(&device, MmapOptions::new().guard(true)).unwrap();
    let image = OpenOptions::new().write(true).open(dir.join("image")).unwrap();
    image.set_len(DEVICE_LEN as u64 / 2).unwrap();
    let name = fs::read_link(dir.join(DEVICE)).unwrap();
    let done = Command::new("losetup").arg("-c").arg(name).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert_eq!((map[0], map.fault()), (stored(dir)[0], None));
    assert_eq!(map.size().unwrap(), DEVICE_LEN as u64 / 2);
    assert_eq!(map[DEVICE_LEN - 1], 0);
    let fault = map.fault().unwrap();
    assert_eq!((fault.kind, fault.offset), (FaultKind::Truncated, (DEVICE_LEN - Mapping::<B>::page_size()) as u64));
    assert!(map[..DEVICE_LEN / 2] == stored(dir), "the bytes of the device");
    let refused = map.get_item(0).unwrap_err();
    assert!(matches!(refused, Error::Truncated { size, .. } if size == DEVICE_LEN as u64 / 2), "{refused:?}");
}

fn the_cursor_of_a_device_does_not_move(dir: &Path) {
    use std::io::{Seek, SeekFrom};
    let device = open(dir);
    (&*device).seek(SeekFrom::Start(77)).unwrap();
    assert_eq!(OsFile::from(device.clone()).len().unwrap(), DEVICE_LEN as u64);
    drop(mapped::<Mapped>(&device, &MmapOptions::new()).unwrap());
    assert_eq!((&*device).stream_position().unwrap(), 77);
}
