//! Files in huge pages: a guard replaces whole huge pages, and a resize unmaps whole ones.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use portable_mmap::{Access, Error, FaultKind, Flags, Mmap, MmapOptions};

use crate::grounds::{Ground, HUGE_PAGES, Test};

pub(crate) const TESTS: &[Test] = &[
    test("a_guard_replaces_whole_huge_pages", a_guard_replaces_whole_huge_pages),
    test("a_part_of_a_huge_page_is_unmapped_as_a_whole", a_part_of_a_huge_page_is_unmapped_as_a_whole),
    test("memory_in_huge_pages_releases_all_of_them", memory_in_huge_pages_releases_all_of_them),
    test("a_file_in_huge_pages_is_resized_and_leaves_none_behind", a_file_in_huge_pages_is_resized),
    test("the_error_names_missing_huge_pages", the_error_names_missing_huge_pages),
];

const fn test(name: &'static str, play: fn(&Path)) -> Test {
    Test { name, ground: Ground::HugePages, ends_by: None, play }
}

/// Creates a file of this many huge pages. Returns it and the size of a page.
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
        assert_eq!(writer[2 * page + 5000], 0, "bytes written to a replaced page are lost");
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

/// The number of free huge pages of the system, and how many of them are reserved.
fn free() -> [usize; 2] {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    ["HugePages_Free:", "HugePages_Rsvd:"].map(|name| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    })
}

/// The size of the huge pages that `Flags::HUGETLB` requests.
const UNIT: usize = 2 << 20;

fn memory(flags: Flags, len: usize) -> portable_mmap::Result<Mmap> {
    MmapOptions::new().flags(flags | Flags::HUGETLB).len(len).map_anonymous()
}

fn memory_in_huge_pages_releases_all_of_them(_: &Path) {
    let before = (free(), mappings());
    for flags in [Flags::SHARED, Flags::PRIVATE] {
        for len in [1, 5000, UNIT, UNIT + 5000] {
            let mut map = memory(flags, len).unwrap();
            map.fill(7);
            assert_ne!(free(), before.0);
            for shorter in [len, len.div_ceil(2), 1] {
                map.resize(shorter).unwrap();
                assert!(map.len() == shorter && map.iter().all(|&byte| byte == 7));
            }
            if flags == Flags::PRIVATE {
                // Inside the page, inside another one, and past the first length.
                for longer in [3000, UNIT + 1, 3 * UNIT - 1] {
                    map.resize(longer).unwrap();
                    assert!(map[0] == 7 && map[1..].iter().all(|&byte| byte == 0), "{longer}");
                    map[longer - 1] = 9;
                    map.resize(1).unwrap();
                }
            }
            map.close().unwrap();
            assert_eq!((free(), mappings()), before, "{flags:?}, {len} bytes");
        }
    }
}

fn a_file_in_huge_pages_is_resized(dir: &Path) {
    let (file, page) = file_of(dir, 1);
    drop(mapped(&file, MmapOptions::new().guard(true)));
    file.set_len(0).unwrap();
    let before = (free(), mappings());
    for guard in [false, true] {
        file.set_len(2 * page as u64).unwrap();
        let mut map = mapped(&file, MmapOptions::new().guard(guard));
        map[..page].fill(7);
        // The length of such a file is a multiple of huge pages.
        let refused = map.resize(page + 5000).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput, "{refused}");
        assert_eq!((map.len(), map[page - 1], map.size().unwrap()), (2 * page, 7, 2 * page as u64));
        for pages in [1, 3, 2] {
            map.resize(pages * page).unwrap();
            assert_eq!((map.len(), map[page - 1], map[pages * page - 1]), (pages * page, 7, [7, 0][pages.min(2) - 1]));
        }
        if guard {
            file.set_len(page as u64).unwrap();
            assert_eq!((map[page], map.fault().map(|fault| fault.offset)), (0, Some(page as u64)));
            map[2 * page - 1] = 1;
        }
        drop(map);
        file.set_len(0).unwrap();
        assert_eq!((free(), mappings()), before, "guard: {guard}");
    }
}

fn the_error_names_missing_huge_pages(dir: &Path) {
    let before = (free(), mappings());
    let len = (free()[0] + 1) * UNIT;
    for flags in [Flags::SHARED, Flags::PRIVATE] {
        let refused = memory(flags, len).unwrap_err();
        assert!(matches!(refused, Error::NoMemory { huge_pages: true, .. }), "{refused:?}");
        assert!(refused.to_string().contains("vm.nr_hugepages"), "{refused}");
    }
    let mut map = memory(Flags::PRIVATE, 5000).unwrap();
    map[4999] = 7;
    assert!(matches!(map.resize(len), Err(Error::NoMemory { huge_pages: true, .. })));
    assert_eq!((map.len(), map[4999]), (5000, 7));
    drop(map);
    assert_eq!((free(), mappings()), before);

    let (file, page) = file_of(dir, free()[0] + 1);
    // SAFETY: nobody else uses the file.
    let refused = unsafe { MmapOptions::new().map(file.clone()) }.unwrap_err();
    assert!(matches!(refused, Error::NoMemory { huge_pages: true, .. }), "{refused:?}");
    let mut map = mapped(&file, MmapOptions::new().len(page));
    let len = file.metadata().unwrap().len();
    let longer = usize::try_from(len).unwrap() + page;
    assert!(matches!(map.resize(longer), Err(Error::NoMemory { huge_pages: true, .. })));
    assert_eq!((map.len(), file.metadata().unwrap().len()), (page, len));
    drop(map);
    file.set_len(0).unwrap();
    assert_eq!((free(), mappings()), before);
}
