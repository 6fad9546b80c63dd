//! Files of an overlay, as in a container: the first write to one makes a copy of it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use portable_mmap::{Access, Backend, Mapping, Mmap, MmapOptions};

use crate::grounds::{Ground, Test, mount};

pub(crate) const TESTS: &[Test] = &[
    test("a_refreshed_mapping_shows_the_copy_that_an_overlay_made", a_refresh_shows_the_copy),
    test("a_refreshed_buffer_shows_the_copy_that_an_overlay_made", a_buffer_shows_the_copy),
    test("a_refreshed_private_mapping_keeps_its_changes_on_an_overlay", a_private_mapping_keeps_its_changes),
];

const fn test(name: &'static str, play: fn(&Path)) -> Test {
    Test { name, ground: Ground::Overlay, ends_by: None, play }
}

const PAGES: usize = 5;

/// The name of the overlay in the directory of a test.
const MERGED: &str = "merged";

/// Makes a directory with a file `f` as the lower layer, and its overlay.
pub(crate) fn make(dir: &Path) -> Result<(), String> {
    mount(c"tmpfs", dir, "size=1m")?;
    for layer in ["lower", "upper", "work", MERGED] {
        fs::create_dir(dir.join(layer)).map_err(|error| error.to_string())?;
    }
    fs::write(dir.join("lower/f"), vec![1; PAGES * Mmap::page_size()]).map_err(|error| error.to_string())?;
    let layer = |name: &str| dir.join(name).display().to_string();
    let options = format!("lowerdir={},upperdir={},workdir={}", layer("lower"), layer("upper"), layer("work"));
    mount(c"overlay", &dir.join(MERGED), &options)
}

/// Writes to pages of the file by its path, which makes the overlay copy the file.
fn write(path: &Path, pages: &[usize]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    for page in pages {
        file.write_all_at(b"NEWER", (page * Mmap::page_size()) as u64).unwrap();
    }
}

/// The first byte of each page.
fn firsts<B: Backend>(map: &Mapping<B>) -> Vec<u8> {
    map.as_slice().unwrap().iter().step_by(Mmap::page_size()).copied().collect()
}

fn a_refresh_shows_the_copy(dir: &Path) {
    let (path, page) = (dir.join(MERGED).join("f"), Mmap::page_size());
    for (round, guard) in [false, true].into_iter().enumerate() {
        // In the second round the copy of the first one exists.
        let [before, after] = [[1, b'N'], [b'N', b'N']][round];
        let options = MmapOptions::new().access(Access::Read).guard(guard).clone();
        // SAFETY: no slice is borrowed while the file is written to.
        let mut map = unsafe { options.map(File::open(&path).unwrap()) }.unwrap();
        // SAFETY: as above.
        let mut part = unsafe { options.clone().offset(page as u64).map(File::open(&path).unwrap()) }.unwrap();
        assert_eq!(firsts(&map), [before, 1, before, 1, 1]);
        let (address, backing) = (map.as_ptr(), part.as_ptr());
        write(&path, &[0, 2]);
        map.refresh_range(2 * page, 1).unwrap();
        assert_eq!(firsts(&map), [before, 1, after, 1, 1], "the page that was refreshed");
        map.refresh_range(0, 0).unwrap();
        map.refresh().unwrap();
        part.refresh().unwrap();
        assert_eq!((firsts(&map), firsts(&part)), (vec![after, 1, after, 1, 1], vec![1, after, 1, 1]));
        assert_eq!((map.as_ptr(), part.as_ptr()), (address, backing), "the address is the same");
        // From now on the mapping shows the file that is written to.
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(b"N", 0).unwrap();
        assert_eq!((map[0], map.size().unwrap()), (b'N', (PAGES * page) as u64));
        assert!(guard || map.close().is_ok());
        if guard {
            OpenOptions::new().write(true).open(&path).unwrap().set_len(page as u64).unwrap();
            assert!(map.get_item(-1).is_err() && map.fault().is_some());
            map.close().unwrap();
        }
    }
}

fn a_buffer_shows_the_copy(dir: &Path) {
    let path = dir.join(MERGED).join("f");
    let mut map = MmapOptions::new().access(Access::Read).map_buffered(File::open(&path).unwrap()).unwrap();
    assert_eq!(firsts(&map), [1; PAGES]);
    write(&path, &[4]);
    map.refresh().unwrap();
    assert_eq!(firsts(&map), [1, 1, 1, 1, b'N']);
}

/// It continues to show the file of the lower layer, as documented.
fn a_private_mapping_keeps_its_changes(dir: &Path) {
    let path = dir.join(MERGED).join("f");
    // SAFETY: no slice is borrowed while the file is written to.
    let mut map = unsafe { MmapOptions::new().access(Access::Copy).map(File::open(&path).unwrap()) }.unwrap();
    map[0] = 7;
    write(&path, &[0, 4]);
    map.refresh().unwrap();
    assert_eq!(firsts(&map), [7, 1, 1, 1, 1]);
}
