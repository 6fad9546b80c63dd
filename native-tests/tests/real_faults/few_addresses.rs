//! Mappings that take more than half of all addresses: a resize has no room for a second mapping.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use portable_mmap::{Error, Flags, Mmap, MmapOptions};

use crate::grounds::{ADDRESSES, Ground, Test};

pub(crate) const TESTS: &[Test] = &[
    test("a_mapping_is_resized_without_room_for_a_second_one", a_mapping_is_resized_without_room_for_a_second_one),
    test(
        "a_guarded_mapping_shrinks_without_room_for_a_second_one",
        a_guarded_mapping_shrinks_without_room_for_a_second_one,
    ),
    test("private_memory_is_resized_without_room_for_more", private_memory_is_resized_without_room_for_more),
    test("a_resize_without_room_changes_nothing", a_resize_without_room_changes_nothing),
];

const fn test(name: &'static str, play: fn(&Path)) -> Test {
    Test { name, ground: Ground::FewAddresses, ends_by: None, play }
}

/// More than half of the addresses.
const LEN: usize = ADDRESSES / 1024 * 600;

fn file(dir: &Path) -> Arc<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(dir.join("f")).unwrap();
    file.set_len(LEN as u64).unwrap();
    Arc::new(file)
}

fn mapped(file: &Arc<File>, options: &MmapOptions) -> Mmap {
    // SAFETY: nobody else uses the file.
    unsafe { options.map(file.clone()) }.unwrap()
}

fn a_mapping_is_resized_without_room_for_a_second_one(dir: &Path) {
    let (file, page) = (file(dir), Mmap::page_size());
    let mut map = mapped(&file, &MmapOptions::new());
    map[LEN - page - 1] = 7;
    for len in [LEN - page, LEN + page, LEN / 3, LEN - 1, LEN + 1, LEN] {
        map.resize(len).unwrap();
        assert_eq!((map.len(), map.size().unwrap()), (len, len as u64));
        map[len - 1] = 9;
        map.flush().unwrap();
        map[len - 1] = 0;
    }
    assert_eq!(map[LEN - page - 1], 0, "the file was truncated there");
    map.close().unwrap();
}

fn a_guarded_mapping_shrinks_without_room_for_a_second_one(dir: &Path) {
    let (file, page) = (file(dir), Mmap::page_size());
    let mut map = mapped(&file, MmapOptions::new().guard(true));
    map[0] = 7;
    for len in [LEN - page, LEN - 3 * page - 1, LEN / 2 + 1] {
        map.resize(len).unwrap();
        assert_eq!((map[0], map[len - 1], map.len(), map.fault()), (7, 0, len, None));
    }
    file.set_len(page as u64).unwrap();
    assert!(matches!(map.get_item(-1), Err(Error::Truncated { .. })), "it is still guarded");
    assert_eq!(map[0], 7);
}

fn private_memory_is_resized_without_room_for_more(_: &Path) {
    let page = Mmap::page_size();
    let mut map = MmapOptions::new().len(LEN).flags(Flags::PRIVATE).map_anonymous().unwrap();
    map[0] = 7;
    map[LEN - page..].fill(7);
    for len in [LEN - page + 10, LEN + page, LEN - 1, LEN + 1] {
        map.resize(len).unwrap();
        assert_eq!((map[0], map.len()), (7, len));
    }
    assert!(map[LEN - page..LEN - page + 10].iter().all(|&byte| byte == 7));
    assert!(map[LEN - page + 10..].iter().all(|&byte| byte == 0), "the truncated bytes are zeros again");
}

fn a_resize_without_room_changes_nothing(dir: &Path) {
    let file = file(dir);
    let mut map = mapped(&file, &MmapOptions::new());
    map[LEN - 1] = 7;
    let start = map.as_slice().unwrap().as_ptr();
    assert!(matches!(map.resize(2 * LEN), Err(Error::NoMemory { .. })));
    assert_eq!((map.len(), map[LEN - 1], map.as_slice().unwrap().as_ptr()), (LEN, 7, start));
    assert_eq!(file.metadata().unwrap().len(), LEN as u64);
    map.resize(LEN + 1).unwrap();
    map.close().unwrap();

    let mut map = MmapOptions::new().len(LEN).flags(Flags::PRIVATE).map_anonymous().unwrap();
    map[LEN - 1] = 7;
    assert!(matches!(map.resize(2 * LEN), Err(Error::NoMemory { .. })));
    assert_eq!((map.len(), map[LEN - 1]), (LEN, 7));
}
