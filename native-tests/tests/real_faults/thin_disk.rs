//! A disk that accepts a write without having room for it: the sync fails, the kernel marks the pages clean, and the
//! next sync succeeds although no byte is on the disk. A flush must succeed only when the bytes are on the disk.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use portable_mmap::{Backend, Buffered, Mapped, Mapping, MmapOptions};

use crate::grounds::{Ground, Test, mount};

pub(crate) const TESTS: &[Test] = &[
    test("a_flush_of_a_mapping_succeeds_once_its_bytes_are_on_the_disk", flush_until_on_disk::<Mapped>),
    test("a_flush_of_a_buffer_succeeds_once_its_bytes_are_on_the_disk", flush_until_on_disk::<Buffered>),
    test("a_close_of_a_mapping_after_a_failed_flush_syncs", close_after_a_failed_flush::<Mapped>),
    test("a_close_of_a_buffer_after_a_failed_flush_syncs", close_after_a_failed_flush::<Buffered>),
    test("a_failed_flush_of_a_part_of_a_mapping_affects_all_of_it", flush_of_another_part::<Mapped>),
    test("a_failed_flush_of_a_part_of_a_buffer_affects_all_of_it", flush_of_another_part::<Buffered>),
    test("a_failed_flush_of_a_mapping_affects_another_of_the_same_file", flush_of_another_mapping::<Mapped>),
    test("a_failed_flush_of_a_buffer_affects_another_of_the_same_file", flush_of_another_mapping::<Buffered>),
    test("a_drop_of_a_mapping_after_a_failed_flush_syncs", drop_after_a_failed_flush::<Mapped>),
    test("a_drop_of_a_buffer_after_a_failed_flush_syncs", drop_after_a_failed_flush::<Buffered>),
];

const fn test(name: &'static str, play: fn(&Path)) -> Test {
    Test { name, ground: Ground::ThinDisk, ends_by: None, play }
}

/// The length of the file, in bytes.
const LEN: usize = 1 << 20;
const BLOCK: usize = 4096;

/// Mounts a file system whose disk is a sparse file on a full disk, with a file whose blocks are holes of the sparse
/// file.
pub(crate) fn make(dir: &Path) -> Result<(), String> {
    mount(c"tmpfs", dir, "size=24m")?;
    let (image, disk) = (dir.join("image"), dir.join("disk"));
    let failed = |error: std::io::Error| error.to_string();
    File::create(&image).and_then(|image| image.set_len(64 << 20)).map_err(failed)?;
    fs::create_dir(&disk).map_err(failed)?;
    let (image, disk) = (path_text(&image)?, path_text(&disk)?);
    run("mkfs.ext4", &["-q", "-F", "-b", "4096", "-O", "^has_journal", "-E", "lazy_itable_init=1", image])?;
    run("mount", &["-o", "loop", image, disk])?;
    let mut file = File::create(dir.join("disk/f")).map_err(failed)?;
    file.write_all(&vec![0; LEN]).and_then(|()| file.sync_all()).map_err(failed)?;
    drop(file);
    let blocks = run("filefrag", &["-v", "-b4096", &format!("{disk}/f")])?;
    let extent = blocks.lines().find(|line| line.trim_start().starts_with("0:")).ok_or("no blocks of the file")?;
    let numbers: Vec<usize> = extent
        .split(|c: char| !c.is_ascii_digit())
        .filter(|text| !text.is_empty())
        .filter_map(|n| n.parse().ok())
        .collect();
    let [_, _, last, start, ..] = numbers[..] else { return Err(format!("no blocks of the file: {extent}")) };
    if last + 1 != LEN / BLOCK {
        return Err("the blocks of the file are not contiguous".to_owned());
    }
    let start = start * BLOCK;
    run("fallocate", &["-p", "-o", &start.to_string(), "-l", &LEN.to_string(), image])?;
    fs::write(dir.join("start"), start.to_string()).map_err(failed)?;
    // Until not even a block fits.
    let mut filler = File::create(dir.join("filler")).map_err(failed)?;
    for block in [1 << 20, BLOCK] {
        while filler.write_all(&vec![1; block]).is_ok() {}
    }
    Ok(())
}

fn path_text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| "the path is not UTF-8".to_owned())
}

/// Runs a program, and returns its output.
fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).output().map_err(|error| format!("{program}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(format!("{program}: {}", text(&output.stderr))) }
}

fn make_room(dir: &Path) {
    fs::remove_file(dir.join("filler")).unwrap();
}

/// The number of bytes of the file that are 7 on the disk, read without the system's cache.
fn sevens(dir: &Path) -> usize {
    let start = fs::read_to_string(dir.join("start")).unwrap().parse().unwrap();
    let mut bytes = vec![0; LEN];
    File::open(dir.join("image")).unwrap().read_exact_at(&mut bytes, start).unwrap();
    bytes.iter().map(|&byte| usize::from(byte == 7)).sum()
}

fn mapped<B>(dir: &Path) -> Mapping<B>
where
    B: Backend<Source: From<Arc<File>>>,
{
    let file = OpenOptions::new().read(true).write(true).open(dir.join("disk/f")).unwrap();
    mapped_of(&Arc::new(file))
}

fn mapped_of<B>(file: &Arc<File>) -> Mapping<B>
where
    B: Backend<Source: From<Arc<File>>>,
{
    // SAFETY: nobody else uses the file while a slice is borrowed.
    unsafe { MmapOptions::new().map_with::<B>(file.clone()) }.unwrap()
}

/// Repeats `act` until it succeeds. The system may write back at any time, and reports a failure later.
fn until_it_succeeds(mut act: impl FnMut() -> portable_mmap::Result<()>) {
    let ended = (0..5).map(|_| act()).find(Result::is_ok);
    assert!(ended.is_some(), "it fails although there is room: {:?}", act());
}

fn flush_until_on_disk<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let mut map = mapped::<B>(dir);
    map.range_mut(..).unwrap().fill(7);
    for attempt in 0..3 {
        assert!(map.flush().is_err(), "attempt {attempt}: there is no room");
        assert!(map.flush_async().is_err(), "attempt {attempt}: there is no room");
        assert!(map.close().is_err(), "attempt {attempt}: there is no room");
    }
    assert_eq!(sevens(dir), 0);
    make_room(dir);
    until_it_succeeds(|| map.flush());
    assert_eq!(sevens(dir), LEN);
    map.close().unwrap();
}

fn close_after_a_failed_flush<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let mut map = mapped::<B>(dir);
    map.range_mut(..).unwrap().fill(7);
    assert!(map.flush().is_err(), "there is no room");
    make_room(dir);
    until_it_succeeds(|| map.close());
    assert_eq!(sevens(dir), LEN);
}

fn flush_of_another_part<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let mut map = mapped::<B>(dir);
    map.range_mut(..LEN / 2).unwrap().fill(7);
    map.flush_async().unwrap();
    map.range_mut(LEN / 2..).unwrap().fill(7);
    assert!(map.flush_range(LEN / 2, None).is_err(), "there is no room");
    // The first half was written without a sync, and the system has dropped it together with the second half.
    let _ = map.file().unwrap().sync_all();
    make_room(dir);
    until_it_succeeds(|| map.flush_async_range(0, LEN / 2));
    assert!(sevens(dir) >= LEN / 2, "the first half: {}", sevens(dir));
    until_it_succeeds(|| map.close());
    assert_eq!(sevens(dir), LEN);
}

/// Both mappings share one open file, and the system reports an error once for each open file.
fn flush_of_another_mapping<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let mut map = mapped::<B>(dir);
    let mut other = mapped_of::<B>(&map.file().unwrap().clone());
    map.range_mut(..LEN / 2).unwrap().fill(7);
    map.flush_async().unwrap();
    other.range_mut(LEN / 2..).unwrap().fill(7);
    assert!(other.flush().is_err(), "there is no room");
    make_room(dir);
    until_it_succeeds(|| map.flush());
    assert!(sevens(dir) >= LEN / 2, "the first half: {}", sevens(dir));
    until_it_succeeds(|| other.flush());
    assert_eq!(sevens(dir), LEN);
}

fn drop_after_a_failed_flush<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let mut map = mapped::<B>(dir);
    map.range_mut(..).unwrap().fill(7);
    assert!(map.flush().is_err(), "there is no room");
    make_room(dir);
    drop(map);
    assert_eq!(sevens(dir), LEN);
}
