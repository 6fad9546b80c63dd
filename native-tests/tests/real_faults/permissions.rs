//! Removed permissions and removed files: open files still work, and opening fails.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use portable_mmap::{Access, Backend, Buffered, Error, Mapped, Mapping, MmapOptions};

use crate::grounds::{Ground, Test};

pub(crate) const TESTS: &[Test] = &[
    test("a_mapping_works_after_its_permissions_are_removed", works_without_permissions::<Mapped>),
    test("a_buffer_works_after_its_permissions_are_removed", works_without_permissions::<Buffered>),
    test("missing_permissions_are_an_error", missing_permissions_are_an_error),
    test("a_mapping_works_after_its_file_is_removed", works_after_removal::<Mapped>),
    test("a_buffer_works_after_its_file_is_removed", works_after_removal::<Buffered>),
];

const fn test(name: &'static str, play: fn(&Path)) -> Test {
    Test { name, ground: Ground::OrdinaryUser, ends_by: None, play }
}

const CONTENT: &[u8] = b"Hello world!";

fn mapped<B>(path: &Path) -> (Mapping<B>, Arc<File>)
where
    B: Backend<Source: From<Arc<File>>>,
{
    fs::write(path, CONTENT).unwrap();
    let file = Arc::new(OpenOptions::new().read(true).write(true).open(path).unwrap());
    // SAFETY: nobody else changes the file while a slice is borrowed.
    (unsafe { MmapOptions::new().map_with(file.clone()) }.unwrap(), file)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Checks that all operations of a mapping on its file still work.
fn works<B: Backend>(map: &mut Mapping<B>, file: &File) {
    assert_eq!(map.as_slice().unwrap(), CONTENT);
    map.set_slice(..5, b"Adieu").unwrap();
    map.flush().unwrap();
    map.resize(20_000).unwrap();
    map.set_item(-1, b'!').unwrap();
    map.flush().unwrap();
    map.refresh().unwrap();
    assert_eq!((map.size().unwrap(), map.get_item(-1).unwrap()), (20_000, b'!'));
    map.resize(11).unwrap();
    map.close().unwrap();
    let mut content = vec![0; 12];
    assert_eq!(file.read_at(&mut content, 0).unwrap(), 11);
    assert_eq!(&content[..11], b"Adieu world");
}

fn works_without_permissions<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let path = dir.join("f");
    let (mut map, file) = mapped::<B>(&path);
    set_mode(&path, 0);
    let opened = File::open(&path).map_err(|error| error.kind());
    assert_eq!(opened.map(drop), Err(ErrorKind::PermissionDenied), "permissions restrict this process");
    works(&mut map, &file);
}

/// Checks that opening failed, and that the error names the file.
fn assert_denied<T: std::fmt::Debug>(result: Result<T, Error>, path: &Path) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let advice = "Access::Read and Access::Copy open a file only for reading, the others for writing too";
    assert_eq!(error.to_string(), format!("cannot open `{}`: the system does not allow it; {advice}", path.display()));
}

fn missing_permissions_are_an_error(dir: &Path) {
    let path = dir.join("f");
    fs::write(&path, vec![7; 70_000]).unwrap();
    let mut options = MmapOptions::new();
    options.offset(65_536).len(5);
    let reader = options.clone().access(Access::Read).clone();
    set_mode(&path, 0o444);
    assert_denied(options.open_buffered(&path), &path);
    // SAFETY: nobody changes the file.
    assert_denied(unsafe { options.open(&path) }, &path);
    // SAFETY: as above.
    assert_eq!(unsafe { reader.open(&path) }.unwrap().as_slice().unwrap(), [7; 5]);
    assert_eq!(reader.open_buffered(&path).unwrap().as_slice().unwrap(), [7; 5]);
    set_mode(&path, 0);
    assert_denied(reader.open_buffered(&path), &path);
    // SAFETY: as above.
    assert_denied(unsafe { reader.open(&path) }, &path);
    // A directory without the permission to enter it.
    let folder = dir.join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("f"), CONTENT).unwrap();
    set_mode(&folder, 0o600);
    assert_denied(reader.open_buffered(folder.join("f")), &folder.join("f"));
    set_mode(&folder, 0o700);
}

fn works_after_removal<B>(dir: &Path)
where
    B: Backend<Source: From<Arc<File>>>,
{
    let path = dir.join("f");
    let (mut map, file) = mapped::<B>(&path);
    fs::remove_file(&path).unwrap();
    // A new file of the same name is another file.
    fs::write(&path, b"new").unwrap();
    works(&mut map, &file);
    assert_eq!(fs::read(&path).unwrap(), b"new");
}
