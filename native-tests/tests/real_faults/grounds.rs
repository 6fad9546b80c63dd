//! The environments of the tests, and how a child process enters them.

use std::ffi::{CStr, CString};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Output};
use std::ptr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};
use native_tests::loops::LoopDevice;
use portable_mmap::Mmap;

use crate::{overlay, thin_disk};

/// The size of the small disk, in pages.
pub(crate) const DISK_PAGES: usize = 64;

/// The name of the block device.
pub(crate) const DEVICE: &str = "device";

/// The length of the block device, in bytes.
pub(crate) const DEVICE_LEN: usize = 1 << 20;

/// The number of huge pages.
pub(crate) const HUGE_PAGES: usize = 4;

/// The limit of the address space, in bytes.
pub(crate) const ADDRESSES: usize = 1 << 30;

/// The user that owns no files.
const NOBODY: u32 = 65534;

/// The variables with the name of the test that a child process runs, and its directory.
const ROLE: [&str; 2] = ["REAL_FAULT", "REAL_FAULT_DIR"];

/// The environment that a child process enters before it runs a test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// Its directory is a separate file system in memory, of [`DISK_PAGES`].
    SmallDisk,
    /// Its directory has a block device of [`DEVICE_LEN`] bytes with the name [`DEVICE`].
    BlockDevice,
    /// Its user is not root, and owns only the files that it creates in its directory.
    OrdinaryUser,
    /// Its directory is a file system of [`HUGE_PAGES`] huge pages.
    HugePages,
    /// It can use only [`ADDRESSES`], like a process of a 32-bit machine.
    FewAddresses,
    /// Its directory has a file on a disk that accepts writes without having room for them: see [`thin_disk::make`].
    ThinDisk,
    /// It has an overlay of a file: see [`overlay::make`].
    Overlay,
}

/// A test, which runs in an empty directory.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) ground: Ground,
    /// The signal that ends the test if it succeeds.
    pub(crate) ends_by: Option<i32>,
    pub(crate) play: fn(&Path),
}

/// Runs the tests, each in a child process; or in such a process, runs one test.
pub(crate) fn main(tests: &[Test]) {
    if let [Some(role), Some(dir)] = ROLE.map(std::env::var_os) {
        return play(tests, &role.to_string_lossy(), Path::new(&dir));
    }
    let grounds = [
        (Ground::SmallDisk, "a small disk"),
        (Ground::BlockDevice, "a block device"),
        (Ground::OrdinaryUser, "another user than root"),
        (Ground::HugePages, "a file system in huge pages"),
        (Ground::FewAddresses, "a limit of its addresses"),
        (Ground::ThinDisk, "a disk on a full disk"),
        (Ground::Overlay, "an overlay"),
    ];
    let missing: Vec<Ground> = grounds
        .into_iter()
        .filter_map(|(ground, what)| {
            let reason = in_child(ground.probe(), ground).err()?;
            eprintln!("NOT RUN: the tests that need {what}: {reason}");
            Some(ground)
        })
        .collect();
    let trial = |test: &Test| {
        let Test { name, ground, ends_by, .. } = *test;
        Trial::test(name, move || judge(&in_child(name, ground)?, ends_by)).with_ignored_flag(missing.contains(&ground))
    };
    libtest_mimic::run(&Arguments::from_args(), tests.iter().map(trial).collect()).exit();
}

/// Checks that a child ended as it should.
fn judge(output: &Output, ends_by: Option<i32>) -> Result<(), Failed> {
    let as_it_should = |status: ExitStatus| match ends_by {
        None => status.success(),
        Some(signal) => status.signal() == Some(signal),
    };
    if as_it_should(output.status) {
        return Ok(());
    }
    Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end()).into())
}

/// Runs a test in a child process, or tries to enter a ground. Returns an error if the child could not enter the
/// ground.
fn in_child(role: &str, ground: Ground) -> Result<Output, String> {
    // `make sanitize` sets this. The tests of both grounds count the process's areas of memory, or limit its addresses.
    let counts_areas = matches!(ground, Ground::HugePages | Ground::FewAddresses);
    if counts_areas && std::env::var_os("SANITIZED").is_some() {
        return Err("a sanitizer has its own areas of memory".to_owned());
    }
    let _pool = if ground == Ground::HugePages { Some(HugePages::reserve()?) } else { None };
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).map_err(|error| error.to_string())?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(program);
    let output = child.env(ROLE[0], role).env(ROLE[1], dir.path()).output().map_err(|error| error.to_string())?;
    if output.status.code() == Some(CANNOT_ENTER) {
        return Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned());
    }
    Ok(output)
}

/// The exit code of a child that could not enter the ground of its test.
const CANNOT_ENTER: i32 = 77;

/// Runs one test in a child process, which has one thread.
fn play(tests: &[Test], role: &str, dir: &Path) {
    let test = tests.iter().find(|test| test.name == role);
    let probed = [
        Ground::SmallDisk,
        Ground::BlockDevice,
        Ground::OrdinaryUser,
        Ground::HugePages,
        Ground::FewAddresses,
        Ground::ThinDisk,
        Ground::Overlay,
    ]
    .into_iter()
    .find(|ground| ground.probe() == role);
    let ground = test.map(|test| test.ground).or(probed).expect("a test or a probe");
    if let Err(error) = ground.enter(dir) {
        eprintln!("{error}");
        std::process::exit(CANNOT_ENTER);
    }
    if let Some(test) = test {
        (test.play)(dir);
    }
}

impl Ground {
    /// The role of a child that only enters the ground.
    fn probe(self) -> &'static str {
        match self {
            Self::SmallDisk => "probe: small disk",
            Self::BlockDevice => "probe: block device",
            Self::OrdinaryUser => "probe: ordinary user",
            Self::HugePages => "probe: huge pages",
            Self::FewAddresses => "probe: few addresses",
            Self::ThinDisk => "probe: thin disk",
            Self::Overlay => "probe: overlay",
        }
    }

    fn enter(self, dir: &Path) -> Result<(), String> {
        match self {
            Self::SmallDisk => mount(c"tmpfs", dir, &format!("size={}", DISK_PAGES * Mmap::page_size())),
            Self::BlockDevice => attach_device(dir),
            Self::OrdinaryUser => become_nobody(),
            Self::HugePages => mount(c"hugetlbfs", dir, ""),
            Self::FewAddresses => limit_addresses(),
            Self::ThinDisk => thin_disk::make(dir),
            Self::Overlay => overlay::make(dir),
        }
    }
}

fn done(what: &str, answer: libc::c_int) -> Result<(), String> {
    if answer == 0 { Ok(()) } else { Err(format!("{what}: {}", io::Error::last_os_error())) }
}

fn ids() -> (u32, u32) {
    // SAFETY: only returns a number, and cannot fail.
    let user = unsafe { libc::geteuid() };
    // SAFETY: as above.
    (user, unsafe { libc::getegid() })
}

/// Mounts a separate file system. A user that is not root becomes root in a user namespace, where it owns only its own
/// files.
pub(crate) fn mount(name: &CStr, dir: &Path, options: &str) -> Result<(), String> {
    let (user, group) = ids();
    let own_users = if user == 0 { 0 } else { libc::CLONE_NEWUSER };
    // SAFETY: affects only this process, which has one thread.
    done("unshare", unsafe { libc::unshare(libc::CLONE_NEWNS | own_users) })?;
    if user != 0 {
        let maps =
            [("setgroups", "deny".to_owned()), ("uid_map", format!("0 {user} 1")), ("gid_map", format!("0 {group} 1"))];
        for (file, text) in maps {
            fs::write(format!("/proc/self/{file}"), text).map_err(|error| format!("{file}: {error}"))?;
        }
    }
    let root = c"/".as_ptr();
    // The mount is visible only in this process.
    // SAFETY: the strings end with a zero byte, and the other pointers may be null.
    let private = unsafe { libc::mount(ptr::null(), root, ptr::null(), libc::MS_REC | libc::MS_PRIVATE, ptr::null()) };
    done("mount --make-rprivate", private)?;
    let target = CString::new(dir.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    let options = CString::new(options).map_err(|error| error.to_string())?;
    let name = name.as_ptr();
    // SAFETY: the strings end with a zero byte and live as long as the call.
    done("mount", unsafe { libc::mount(name, target.as_ptr(), name, 0, options.as_ptr().cast()) })
}

/// Reserves huge pages, for one child at a time. A drop restores the number that the system had before.
struct HugePages {
    before: usize,
    _alone: MutexGuard<'static, ()>,
}

impl HugePages {
    const COUNT: &'static str = "/proc/sys/vm/nr_hugepages";

    fn count() -> Result<usize, String> {
        let text = fs::read_to_string(Self::COUNT).map_err(|error| format!("{}: {error}", Self::COUNT))?;
        text.trim_end().parse().map_err(|error| format!("{}: {error}", Self::COUNT))
    }

    fn reserve() -> Result<Self, String> {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let pages = Self { before: Self::count()?, _alone: alone };
        // A private mapping takes as many pages again as its file.
        let wanted = pages.before + 2 * HUGE_PAGES;
        fs::write(Self::COUNT, wanted.to_string()).map_err(|error| format!("{}: {error}", Self::COUNT))?;
        let count = Self::count()?;
        if count < wanted { Err(format!("the system has only {count} huge pages of {wanted}")) } else { Ok(pages) }
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        // If writing fails here, it has failed before too.
        let _ = fs::write(Self::COUNT, self.before.to_string());
    }
}

/// Attaches a block device to a file until this process ends.
fn attach_device(dir: &Path) -> Result<(), String> {
    // Nothing drops a static: the device stays attached until this process ends.
    static ATTACHED: OnceLock<LoopDevice> = OnceLock::new();
    let image = dir.join("image");
    fs::write(&image, native_tests::others::pattern(DEVICE_LEN)).map_err(|error| error.to_string())?;
    let device = LoopDevice::new(&image)?;
    let device = ATTACHED.get_or_init(|| device);
    std::os::unix::fs::symlink(device.path(), dir.join(DEVICE)).map_err(|error| error.to_string())
}

fn limit_addresses() -> Result<(), String> {
    let limit = libc::rlimit { rlim_cur: ADDRESSES as libc::rlim_t, rlim_max: ADDRESSES as libc::rlim_t };
    // SAFETY: reads the structure, and affects only this process.
    done("setrlimit", unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) })
}

/// Permissions do not restrict root, so root becomes the user nobody. Other users stay as they are.
fn become_nobody() -> Result<(), String> {
    if ids().0 != 0 {
        return Ok(());
    }
    // SAFETY: the number of groups is 0, so the pointer is not read.
    done("setgroups", unsafe { libc::setgroups(0, ptr::null()) })?;
    // SAFETY: affects only this process.
    done("setgid", unsafe { libc::setgid(NOBODY) })?;
    // SAFETY: as above.
    done("setuid", unsafe { libc::setuid(NOBODY) })
}
