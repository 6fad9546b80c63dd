//! File systems of this process, mounted through FUSE.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{BackgroundSession, Config, FileAttr, FileType, Filesystem, INodeNo, MountOption};
use rustix::mount::UnmountFlags;
use tempfile::TempDir;

/// How long the kernel may cache a reply. Only the kernel changes anything.
pub const TTL: Duration = Duration::from_mins(1);

/// A file system that is mounted until this is dropped.
///
/// It must be used from another process: a thread of this process that waits for a reply could not be killed before it
/// arrives.
#[derive(Debug)]
pub struct Mounted {
    session: Option<BackgroundSession>,
    path: PathBuf,
    /// The open root. The file system exists as long as this is open, and is not attached to a directory.
    root: Option<File>,
    /// Dropped last.
    _dir: TempDir,
}

impl Mounted {
    /// Mounts a file system under a name.
    ///
    /// # Errors
    ///
    /// Fails if the system has no FUSE, or does not allow this user to mount.
    pub fn new(name: &str, server: impl Filesystem + 'static) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName(name.into()), MountOption::NoAtime];
        let session = fuser::spawn_mount(server, dir.path(), &config)?;
        let mut mounted = Self { session: Some(session), path: dir.path().into(), root: None, _dir: dir };
        // Detaches the mount, so that it ends with this process even if that is killed. Without the right to unmount,
        // the file system stays in the directory.
        let root = File::open(&mounted.path)?;
        if rustix::mount::unmount(&mounted.path, UnmountFlags::DETACH).is_ok() {
            mounted.path = format!("/proc/{}/fd/{}", std::process::id(), root.as_raw_fd()).into();
            mounted.root = Some(root);
        }
        Ok(mounted)
    }

    /// The directory of the files, for this process and its children.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Unmounts the file system, which must not be used any more.
    ///
    /// # Errors
    ///
    /// Fails if the system or the thread that serves the file system reports an error.
    pub fn unmount(mut self) -> io::Result<()> {
        let Some(session) = self.session.take() else { return Ok(()) };
        let ended = if self.root.take().is_some() { session.join() } else { session.umount_and_join() };
        match ended {
            // The thread may receive this error at the end, instead of the error for a removed device.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => Ok(()),
            ended => ended,
        }
    }
}

/// The attributes of a file or a directory.
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
