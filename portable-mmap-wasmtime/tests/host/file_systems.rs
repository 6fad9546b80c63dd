//! What the default policy says of files on real file systems, which root alone can mount.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;

use crate::common::children::Need;
use crate::common::{AT, BLOCK, Ground, SHARED, Scene, Test, pattern};
use crate::policies::{NOT_ALLOWED, guest_with};

/// What a policy says is the same on all grounds.
const fn test(name: &'static str, needs: Need, play: fn(&Scene)) -> Test {
    Test { name, grounds: &[Ground::OnDemand], needs: Some(needs), play }
}

pub(crate) const TESTS: &[Test] = &[
    test("by_default_a_file_on_squashfs_is_mapped_privately", SQUASHFS, is_mapped_privately),
    test("by_default_a_file_on_erofs_is_mapped_privately", EROFS, is_mapped_privately),
    test("by_default_a_file_with_fs_verity_is_mapped_privately", VERITY, is_mapped_privately),
    test("by_default_a_file_beside_one_with_fs_verity_is_not_mapped", VERITY, the_other_is_not_mapped),
    test("by_default_a_file_on_a_read_only_mount_is_not_mapped", READ_ONLY, is_not_mapped),
];

const SQUASHFS: Need = Need { name: "squashfs", make: |dir| read_only_system(dir, &["mksquashfs", "tree", "image"]) };
const EROFS: Need = Need { name: "erofs", make: |dir| read_only_system(dir, &["mkfs.erofs", "image", "tree"]) };
const VERITY: Need = Need { name: "fs-verity", make: verity };
const READ_ONLY: Need = Need { name: "a read-only mount", make: read_only_mount };

/// Where the file system is, in the directory of a test.
const MOUNTED: &str = "mounted";

/// A file of a pattern, for a file system to have, beside a directory to mount it on.
fn tree(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir.join(MOUNTED))?;
    fs::create_dir(dir.join("tree"))?;
    fs::write(dir.join("tree/f"), pattern(3 * BLOCK))
}

/// Runs a program in a directory.
fn run(dir: &Path, command: &[&str]) -> Result<(), String> {
    let mut program = Command::new(command[0]);
    // The programs of the system are not on the path of everybody.
    let path =
        [std::env::var_os("PATH").unwrap_or_default().as_os_str(), OsStr::new("/usr/sbin:/sbin")].join(OsStr::new(":"));
    let output = program.args(&command[1..]).env("PATH", path).current_dir(dir).output();
    let output = output.map_err(|error| format!("{}: {error}", command[0]))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", command.join(" "), String::from_utf8_lossy(&output.stderr).trim_end()))
}

/// Mounts for this process alone: it is all gone when the process ends.
fn mount(dir: &Path, arguments: &[&str]) -> Result<(), String> {
    // SAFETY: concerns this process alone.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(format!("unshare: {}", io::Error::last_os_error()));
    }
    run(dir, &["mount", "--make-rprivate", "/"])?;
    run(dir, &[&["mount"], arguments, &[MOUNTED]].concat())
}

/// The file system that a program makes of the tree.
fn read_only_system(dir: &Path, maker: &[&str]) -> Result<(), String> {
    tree(dir).map_err(|error| error.to_string())?;
    run(dir, maker)?;
    mount(dir, &["-o", "loop,ro", "image"])
}

/// ext4 with the file, and another one that anybody may write to.
fn verity(dir: &Path) -> Result<(), String> {
    tree(dir).map_err(|error| error.to_string())?;
    File::create(dir.join("image")).and_then(|image| image.set_len(16 << 20)).map_err(|error| error.to_string())?;
    run(dir, &["mkfs.ext4", "-q", "-b", "4096", "-O", "verity", "image"])?;
    mount(dir, &["-o", "loop", "image"])?;
    for name in ["f", "other"] {
        fs::copy(dir.join("tree/f"), dir.join(MOUNTED).join(name)).map_err(|error| error.to_string())?;
    }
    run(dir, &["fsverity", "enable", "mounted/f"])
}

/// A directory that is mounted in a second place, for reading alone.
fn read_only_mount(dir: &Path) -> Result<(), String> {
    tree(dir).map_err(|error| error.to_string())?;
    mount(dir, &["-o", "bind,ro", "tree"])
}

fn open(scene: &Scene, name: &str) -> File {
    File::open(scene.dir.join(MOUNTED).join(name)).unwrap()
}

fn is_mapped_privately(scene: &Scene) {
    let file = open(scene, "f");
    // Whatever the guest may do with it.
    let (mut guest, inode) = guest_with(scene, &file);
    assert_eq!(guest.map(inode, 0, AT, 3 * BLOCK, SHARED), NOT_ALLOWED);
    guest.assert_zeros(AT..AT + 3 * BLOCK);
    guest.mapped(inode, 0, AT, 3 * BLOCK, 0);
    assert!(guest.bytes(AT..AT + 3 * BLOCK) == pattern(3 * BLOCK), "the guest has the file's bytes");
    guest.store(AT, 98);
    assert_eq!((guest.load(AT), crate::common::host::read(&file, 0, 1)), (98, pattern(1)));
}

fn assert_not_mapped(scene: &Scene, file: &File) {
    let (mut guest, inode) = guest_with(scene, file);
    for flags in [0, SHARED] {
        assert_eq!(guest.map(inode, 0, AT, BLOCK, flags), NOT_ALLOWED);
    }
    guest.assert_zeros(AT..AT + BLOCK);
}

fn the_other_is_not_mapped(scene: &Scene) {
    assert_not_mapped(scene, &open(scene, "other"));
}

fn is_not_mapped(scene: &Scene) {
    let path = scene.dir.join(MOUNTED).join("f");
    let error = File::options().write(true).open(path).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
    let file = open(scene, "f");
    assert_not_mapped(scene, &file);
    // For somebody can change it, in another place.
    fs::write(scene.dir.join("tree/f"), b"changed").unwrap();
    assert_eq!(crate::common::host::read(&file, 0, 7), b"changed");
}
