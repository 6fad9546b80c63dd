//! Files in huge pages: what a guard replaces, and what is unmapped, is whole ones.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use portable_mmap::{Access, Error, FaultKind, Mmap, MmapOptions};

use crate::grounds::{Ground, HUGE_PAGES, Test};

pub(crate) const TESTS: &[Test] = &[
    test("a_guard_replaces_whole_huge_pages", a_guard_replaces_whole_huge_pages),
    test("a_part_of_a_huge_page_is_unmapped_as_a_whole", a_part_of_a_huge_page_is_unmapped_as_a_whole),
];

const fn test(name: &'static str, play: fn(&Path)) -> Test {
    Test { name, ground: Ground::HugePages, ends_by: None, play }
}

/// A file of so many huge pages, and the size of one.
fn file_of(dir: &Path, pages: usize) -> (Arc<File>, usize) {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(dir.join("f")).unwrap();
    let page = usize::try_from(file.metadata().unwrap().blksize()).unwrap();
    assert!(page > Mmap::page_size(), "a file in huge pages");
    file.set_len((pages * page) as u64).unwrap();
    (Arc::new(file), page)
}

fn mapped(file: &Arc<File>, options: &MmapOptions) -> Mmap {
    // SAFETY: nobody holds a slice while the file changes.
    unsafe { options.map(file.clone()) }.unwrap()
}

fn a_guard_replaces_whole_huge_pages(dir: &Path) {
    let (file, page) = file_of(dir, HUGE_PAGES);
    for access in [Access::Write, Access::Copy] {
        file.set_len((HUGE_PAGES * page) as u64).unwrap();
        let mut writer = mapped(&file, &MmapOptions::new());
        writer.as_mut_slice().unwrap().iter_mut().step_by(page).for_each(|byte| *byte = 7);
        writer.flush().unwrap();
        let mut map = mapped(&file, MmapOptions::new().access(access).guard(true));
        assert_eq!((map[0], map[2 * page], map.fault()), (7, 7, None));
        file.set_len(page as u64).unwrap();
        assert_eq!((map[page - 1], map[0], map.fault()), (0, 7, None));

        map[2 * page + 5000] = 1;
        let fault = map.fault().unwrap();
        assert_eq!((fault.offset, fault.kind), (2 * page as u64, FaultKind::Truncated), "{access:?}");
        assert_eq!((map[page], map[2 * page], map[2 * page + 5000]), (0, 0, 1));
        assert!(map[page..].iter().step_by(4096).all(|&byte| byte == 0 || byte == 1));
        assert!(matches!(map.get_item(0), Err(Error::Truncated { .. })));
        assert_eq!(map[0], 7, "a page that the file has");

        file.set_len((HUGE_PAGES * page) as u64).unwrap();
        writer[2 * page] = 9;
        map.refresh().unwrap();
        assert_eq!(map.fault(), None);
        assert_eq!(map.range(2 * page..=2 * page).unwrap(), [9]);
        assert_eq!((map[0], map[page], map[2 * page + 5000]), (7, 0, 0));
        map.close().unwrap();
        assert_eq!(writer[2 * page + 5000], 0, "what was written to a page that was replaced is lost");
    }
}

fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

fn a_part_of_a_huge_page_is_unmapped_as_a_whole(dir: &Path) {
    let (file, page) = file_of(dir, 2);
    for guard in [false, true] {
        let mut options = MmapOptions::new();
        options.len(page + 5000).guard(guard);
        drop(mapped(&file, &options));
        let before = mappings();
        for round in 1..=10 {
            let mut map = mapped(&file, &options);
            map[page + 4999] = round;
            assert_eq!(map.len(), page + 5000);
            assert_eq!(mapped(&file, &options)[page + 4999], round);
            drop(map);
            assert_eq!(mappings(), before, "round {round}, guard: {guard}");
        }
    }
}
