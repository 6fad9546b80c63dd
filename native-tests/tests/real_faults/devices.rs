//! Block devices: their length cannot be set, and nothing but what is written to the mapping reaches them.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use portable_mmap::{Backend, Buffered, Error, Mapped, MmapOptions};

use crate::grounds::{DEVICE, DEVICE_LEN, Ground, Test};

pub(crate) const TESTS: &[Test] = &[
    test("a_device_is_neither_resized_nor_extended_by_a_mapping", a_device_keeps_its_length::<Mapped>),
    test("a_device_is_neither_resized_nor_extended_by_a_buffer", a_device_keeps_its_length::<Buffered>),
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
    assert!(fs::read(&path).unwrap() == before, "the device is untouched");
}
