//! Faults that the operating system causes: full disks, removed permissions, removed files; also block devices, files
//! in huge pages, files of an overlay, and few addresses.
//!
//! Each test runs in a child process that enters the environment of the test first: for example one with its own small
//! disk or device, or one with restricted permissions. If the system does not allow that, the tests that need it are
//! ignored, and a line that starts with NOT RUN gives the reason.

#[cfg(target_os = "linux")]
mod devices;
#[cfg(target_os = "linux")]
mod few_addresses;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(target_os = "linux")]
mod grounds;
#[cfg(target_os = "linux")]
mod huge_pages;
#[cfg(target_os = "linux")]
mod overlay;
#[cfg(target_os = "linux")]
mod permissions;
#[cfg(target_os = "linux")]
mod thin_disk;

#[cfg(target_os = "linux")]
fn main() {
    let tests = [
        full_disk::TESTS,
        permissions::TESTS,
        devices::TESTS,
        huge_pages::TESTS,
        few_addresses::TESTS,
        thin_disk::TESTS,
        overlay::TESTS,
    ];
    grounds::main(&tests.concat());
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("NOT RUN: the faults of full disks, of permissions and of devices, which only Linux can cause");
}
