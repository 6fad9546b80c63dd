//! Block devices over files: loop devices, which only root can make.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A block device over a file. The system removes it when it is no longer open anywhere, including here.
#[derive(Debug)]
pub struct LoopDevice {
    path: PathBuf,
    file: File,
}

impl LoopDevice {
    /// Makes a block device over a file.
    ///
    /// # Errors
    /// The message of `losetup`, or the error of opening the device.
    pub fn new(image: &Path) -> Result<Self, String> {
        let path = losetup(&["-f".as_ref(), "--show".as_ref(), image.as_ref()])?;
        let opened = File::open(&path).map_err(|error| format!("{path}: {error}"));
        // The device stays for as long as somebody has it open.
        losetup(&["-d".as_ref(), path.as_ref()])?;
        Ok(Self { path: path.into(), file: opened? })
    }

    /// The path of the device.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The device, open for reading.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }
}

fn losetup(args: &[&OsStr]) -> Result<String, String> {
    let output = Command::new("losetup").args(args).output().map_err(|error| format!("losetup: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
