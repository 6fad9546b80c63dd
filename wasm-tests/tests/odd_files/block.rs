//! Block devices.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use native_tests::loops::LoopDevice;
use native_tests::others::pattern;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use wasm_tests::sandbox::Sandbox;

use super::run::Place;
use crate::common::{Target, Test};

pub(crate) const TESTS: &[Test] = &[
    ("a_block_device_has_its_length_and_keeps_it", a_block_device_has_its_length_and_keeps_it),
    ("flushed_bytes_are_on_the_block_device", flushed_bytes_are_on_the_block_device),
    ("a_refresh_loads_other_writes_to_a_block_device", a_refresh_loads_other_writes_to_a_block_device),
    ("a_read_only_grant_permits_no_writes", a_read_only_grant_permits_no_writes),
];

/// The length of the device in bytes.
const LEN: usize = 1 << 20;

/// The name of the device in its directory.
const DEVICE: &str = "device";

/// A directory with a block device, and a file in another directory that holds the bytes of the device.
struct Device {
    granted: TempDir,
    image: TempDir,
    /// The device exists as long as this.
    _loop: LoopDevice,
}

impl Device {
    /// Creates a device. Returns `None` if this user or this system cannot create one.
    fn new() -> Option<Self> {
        Self::make().inspect_err(|reason| println!("NOT RUN: a block device in a directory: {reason}")).ok()
    }

    fn make() -> Result<Self, String> {
        let (granted, image) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(image.path().join("image"), pattern(LEN)).unwrap();
        let device = LoopDevice::new(&image.path().join("image"))?;
        let number = device.file().metadata().unwrap().rdev();
        let path = granted.path().join(DEVICE);
        let made = mknodat(CWD, &path, FileType::BlockDevice, Mode::RUSR | Mode::WUSR, number);
        made.map_err(|error| format!("mknod: {error}"))?;
        fs::File::open(path).map_err(|error| format!("its node cannot be opened: {error}"))?;
        Ok(Self { granted, image, _loop: device })
    }

    /// The bytes on the device.
    fn stored(&self) -> Vec<u8> {
        fs::read(self.image.path().join("image")).unwrap()
    }

    /// The output of a program that may write to the device.
    fn run(&self, place: Place, command: &str, rest: &[&str]) -> String {
        place.run(self.granted.path(), true, command, &[DEVICE], rest)
    }
}

fn a_block_device_has_its_length_and_keeps_it(_: Target, sandbox: &Sandbox) {
    let Some(device) = Device::new() else { return };
    let mut expected =
        vec![format!("whole: {LEN} bytes, size Ok({LEN})\nguarded: the same bytes: true, fault: None\n")];
    for (len, offset) in [(LEN + 1, 0), (LEN, 1 << 16), (1, LEN)] {
        expected.push(format!(
            "{len} bytes from {offset}: LengthPastEnd: {len} bytes from offset {offset} end past the end of the file, which \
             has {LEN} bytes\n"
        ));
    }
    for allocate in [false, true] {
        expected.push(format!("extend, allocate: {allocate}: Unsupported: only a regular file can be extended\n"));
        for len in [LEN / 4, LEN / 2, LEN, 2 * LEN] {
            expected.push(format!(
                "resize to {len}, allocate: {allocate}: Unsupported: only the length of a regular file can be changed\n"
            ));
        }
    }
    for place in Place::both(sandbox) {
        assert_eq!(device.run(place, "block", &[]), expected.concat());
    }
    assert!(device.stored() == pattern(LEN), "the device has not changed");
}

fn flushed_bytes_are_on_the_block_device(_: Target, sandbox: &Sandbox) {
    let Some(device) = Device::new() else { return };
    let mut expected = pattern(LEN);
    for place in Place::both(sandbox) {
        let edits = [("flush_range", 0), ("flush", LEN - 1), ("flush_async", LEN / 2), ("close", 3 << 16)];
        for (how, at) in edits {
            assert_eq!(device.run(place, "edit", &[how, &at.to_string()]), format!("{how}: done\n"));
            expected[at] ^= 0x55;
            let stored = device.stored();
            assert!(stored == expected, "{how}: {} and not {}", stored[at], expected[at]);
        }
    }
}

fn a_refresh_loads_other_writes_to_a_block_device(_: Target, sandbox: &Sandbox) {
    let Some(device) = Device::new() else { return };
    for place in Place::both(sandbox) {
        for at in [0, LEN - 1] {
            assert_eq!(device.run(place, "refresh", &[&at.to_string()]), "refresh: shows the change\n");
        }
    }
}

fn a_read_only_grant_permits_no_writes(_: Target, sandbox: &Sandbox) {
    let Some(device) = Device::new() else { return };
    for place in Place::both(sandbox) {
        let printed = place.run(device.granted.path(), false, "modes", &[DEVICE], &[]);
        let writing = if place.is_native() {
            format!("{LEN} bytes, first 1")
        } else {
            format!(
                "Io of open, PermissionDenied: cannot open `/{DEVICE}`: the host does not allow it; name the directory of the \
                 file to the host, usually with --dir, with the right to write if the mapping writes, \
                 or use Access::Read"
            )
        };
        let expected =
            format!("Read: {LEN} bytes, first 1\nCopy: {LEN} bytes, first 1\nDefault: {writing}\nWrite: {writing}\n");
        assert_eq!(printed, expected);
    }
    assert!(device.stored() == pattern(LEN), "the device has not changed");
}
