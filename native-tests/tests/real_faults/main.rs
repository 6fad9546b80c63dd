//! Faults that the operating system makes: a full disk, permissions that are taken away, a file that is removed;
//! block devices, files in huge pages, files of an overlay, and few addresses.
//!
//! Each test plays in a child process that has become what the test needs: one with a small disk or a device of its own,
//! or one that permissions forbid something. Where the system does not let a process become so, the tests that need it are
//! ignored, and a line that begins with NOT RUN says why.

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
    eprintln!("NOT RUN: the faults of full disks, of permissions and of devices, which are made on Linux alone");
}
