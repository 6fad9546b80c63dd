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
    ("what_is_flushed_is_on_the_block_device", what_is_flushed_is_on_the_block_device),
    ("a_refresh_shows_what_others_wrote_to_a_block_device", a_refresh_shows_what_others_wrote_to_a_block_device),
    ("a_read_only_grant_keeps_a_block_device", a_read_only_grant_keeps_a_block_device),
];

/// How long the device is, in bytes.
const LEN: usize = 1 << 20;

/// The name of the device in its directory.
const DEVICE: &str = "device";

/// A directory with a block device in it, and the file that holds its bytes, which is elsewhere.
struct Ground {
    granted: TempDir,
    image: TempDir,
    /// Keeps the device.
    _device: LoopDevice,
}

impl Ground {
    /// Nothing where this user or this system cannot have one.
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
        Ok(Self { granted, image, _device: device })
    }

    /// What has reached the device.
    fn stored(&self) -> Vec<u8> {
        fs::read(self.image.path().join("image")).unwrap()
    }

    /// What a program prints that may write to the device.
    fn run(&self, place: Place, command: &str, rest: &[&str]) -> String {
        place.run(self.granted.path(), true, command, &[DEVICE], rest)
    }
}

fn a_block_device_has_its_length_and_keeps_it(_: Target, sandbox: &Sandbox) {
    let Some(ground) = Ground::new() else { return };
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
        assert_eq!(ground.run(place, "block", &[]), expected.concat());
    }
    assert!(ground.stored() == pattern(LEN), "the device is untouched");
}

fn what_is_flushed_is_on_the_block_device(_: Target, sandbox: &Sandbox) {
    let Some(ground) = Ground::new() else { return };
    let mut expected = pattern(LEN);
    for place in Place::both(sandbox) {
        let edits = [("flush_range", 0), ("flush", LEN - 1), ("flush_async", LEN / 2), ("close", 3 << 16)];
        for (how, at) in edits {
            assert_eq!(ground.run(place, "edit", &[how, &at.to_string()]), format!("{how}: done\n"));
            expected[at] ^= 0x55;
            let stored = ground.stored();
            assert!(stored == expected, "{how}: {} and not {}", stored[at], expected[at]);
        }
    }
}

fn a_refresh_shows_what_others_wrote_to_a_block_device(_: Target, sandbox: &Sandbox) {
    let Some(ground) = Ground::new() else { return };
    for place in Place::both(sandbox) {
        for at in [0, LEN - 1] {
            assert_eq!(ground.run(place, "refresh", &[&at.to_string()]), "refresh: sees it\n");
        }
    }
}

fn a_read_only_grant_keeps_a_block_device(_: Target, sandbox: &Sandbox) {
    let Some(ground) = Ground::new() else { return };
    for place in Place::both(sandbox) {
        let printed = place.run(ground.granted.path(), false, "modes", &[DEVICE], &[]);
        let writing = if place.is_native() {
            format!("{LEN} bytes, first 1")
        } else {
            format!("Io of open, PermissionDenied: cannot open `/{DEVICE}`")
        };
        let expected =
            format!("Read: {LEN} bytes, first 1\nCopy: {LEN} bytes, first 1\nDefault: {writing}\nWrite: {writing}\n");
        assert_eq!(printed, expected);
    }
    assert!(ground.stored() == pattern(LEN), "the device is untouched");
}
