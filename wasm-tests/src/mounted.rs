//! File systems of this process, mounted through FUSE.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{BackgroundSession, Config, FileAttr, FileType, Filesystem, INodeNo, MountOption};
use rustix::mount::UnmountFlags;
use tempfile::TempDir;

/// How long the kernel may remember an answer: nobody but the kernel changes anything.
pub const TTL: Duration = Duration::from_mins(1);

/// A file system that is mounted until this is dropped.
///
/// Whoever uses it is another process: a thread of this one that waits for an answer could not be ended before it has it.
#[derive(Debug)]
pub struct Mounted {
    session: Option<BackgroundSession>,
    path: PathBuf,
    /// The root, where the file system lives as long as this is open, and is in no directory.
    root: Option<File>,
    /// Goes last.
    _dir: TempDir,
}

impl Mounted {
    /// Mounts a file system under a name.
    ///
    /// # Errors
    ///
    /// The system's, which has no FUSE or lets this user mount nothing.
    pub fn new(name: &str, server: impl Filesystem + 'static) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName(name.into()), MountOption::NoAtime];
        let session = fuser::spawn_mount(server, dir.path(), &config)?;
        let mut mounted = Self { session: Some(session), path: dir.path().into(), root: None, _dir: dir };
        // Whoever ends this process ends the file system, and leaves no mount behind that nobody serves. Without the right
        // to do so it stays in the directory.
        let root = File::open(&mounted.path)?;
        if rustix::mount::unmount(&mounted.path, UnmountFlags::DETACH).is_ok() {
            mounted.path = format!("/proc/{}/fd/{}", std::process::id(), root.as_raw_fd()).into();
            mounted.root = Some(root);
        }
        Ok(mounted)
    }

    /// Where the files are, for this process and its children.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Unmounts. Nobody uses the file system any more.
    ///
    /// # Errors
    ///
    /// The system's, or that of the thread that serves it.
    pub fn unmount(mut self) -> io::Result<()> {
        let Some(session) = self.session.take() else { return Ok(()) };
        let ended = if self.root.take().is_some() { session.join() } else { session.umount_and_join() };
        match ended {
            // What the thread that serves it may be told in the end, if not that the device is gone.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => Ok(()),
            ended => ended,
        }
    }
}

/// What a file or a directory says of itself.
#[must_use]
pub fn attributes(ino: INodeNo, kind: FileType, size: u64) -> FileAttr {
    let perm = if kind == FileType::Directory { 0o755 } else { 0o644 };
    FileAttr {
        ino,
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}
