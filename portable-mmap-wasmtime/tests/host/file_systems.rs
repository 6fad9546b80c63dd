//! The default policy for files on real file systems, which only root can mount.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;

use crate::common::children::Need;
use crate::common::{AT, BLOCK, HostKind, SHARED, Scene, Test, pattern};
use crate::policies::{NOT_ALLOWED, guest_with};

/// The result of a policy does not depend on the kind of host.
const fn test(name: &'static str, needs: Need, run: fn(&Scene)) -> Test {
    Test { name, kinds: &[HostKind::OnDemand], needs: Some(needs), run }
}

pub(crate) const TESTS: &[Test] = &[
    test("by_default_a_file_on_squashfs_is_mapped_privately", SQUASHFS, is_mapped_privately),
    test("by_default_a_file_on_erofs_is_mapped_privately", EROFS, is_mapped_privately),
    test("by_default_a_file_with_fs_verity_is_mapped_privately", VERITY, is_mapped_privately),
    test("by_default_a_file_without_fs_verity_is_not_mapped", VERITY, the_other_is_not_mapped),
    test("by_default_a_file_on_a_read_only_mount_is_not_mapped", READ_ONLY, is_not_mapped),
];

const SQUASHFS: Need = Need { name: "squashfs", make: |dir| read_only_system(dir, &["mksquashfs", "tree", "image"]) };
const EROFS: Need = Need { name: "erofs", make: |dir| read_only_system(dir, &["mkfs.erofs", "image", "tree"]) };
const VERITY: Need = Need { name: "fs-verity", make: verity };
const READ_ONLY: Need = Need { name: "a read-only mount", make: read_only_mount };

/// The name of the mount point in the directory of a test.
const MOUNTED: &str = "mounted";

/// Creates a file for a file system, and a directory to mount it on.
fn tree(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir.join(MOUNTED))?;
    fs::create_dir(dir.join("tree"))?;
    fs::write(dir.join("tree/f"), pattern(3 * BLOCK))
}

/// Runs a program in a directory.
fn run(dir: &Path, command: &[&str]) -> Result<(), String> {
    let mut program = Command::new(command[0]);
    // The system's programs are not on the path of every user.
    let path =
        [std::env::var_os("PATH").unwrap_or_default().as_os_str(), OsStr::new("/usr/sbin:/sbin")].join(OsStr::new(":"));
    let output = program.args(&command[1..]).env("PATH", path).current_dir(dir).output();
    let output = output.map_err(|error| format!("{}: {error}", command[0]))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", command.join(" "), String::from_utf8_lossy(&output.stderr).trim_end()))
}

/// Mounts for this process only: the system unmounts when the process ends.
fn mount(dir: &Path, arguments: &[&str]) -> Result<(), String> {
    // SAFETY: affects only this process.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(format!("unshare: {}", io::Error::last_os_error()));
    }
    run(dir, &["mount", "--make-rprivate", "/"])?;
    run(dir, &[&["mount"], arguments, &[MOUNTED]].concat())
}

/// Makes a file system of the tree with a program, and mounts it.
fn read_only_system(dir: &Path, maker: &[&str]) -> Result<(), String> {
    tree(dir).map_err(|error| error.to_string())?;
    run(dir, maker)?;
    mount(dir, &["-o", "loop,ro", "image"])
}

/// Mounts ext4 with the file, and with another file that can be written.
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

/// Mounts a directory in a second place, read-only.
fn read_only_mount(dir: &Path) -> Result<(), String> {
    tree(dir).map_err(|error| error.to_string())?;
    mount(dir, &["-o", "bind,ro", "tree"])
}

fn open(scene: &Scene, name: &str) -> File {
    File::open(scene.dir.join(MOUNTED).join(name)).unwrap()
}

fn is_mapped_privately(scene: &Scene) {
    let file = open(scene, "f");
    // The guest has it open for reading and writing.
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
    // Because it can be changed in the other place.
    fs::write(scene.dir.join("tree/f"), b"changed").unwrap();
    assert_eq!(crate::common::host::read(&file, 0, 7), b"changed");
}
