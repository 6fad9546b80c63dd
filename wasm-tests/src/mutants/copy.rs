//! The copy of the library and its programs that mutants change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files and directories that are copied: the members of the workspace, and those that their manifests name.
const COPIED: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "examples",
    "native-tests",
    "portable-mmap-wasmtime",
    "src",
    "wasm-tests",
];

/// A copy of the workspace.
#[derive(Debug)]
pub(crate) struct Copy {
    source: PathBuf,
    built: PathBuf,
}

impl Copy {
    /// Makes the copy in `scratch`, or updates an existing copy.
    pub(crate) fn make(workspace: &Path, scratch: &Path) -> Result<Self, String> {
        let failed = |error: io::Error| format!("cannot copy the library to {}: {error}", scratch.display());
        // The path must be absolute, because cargo runs in another directory.
        let scratch = std::path::absolute(scratch).map_err(failed)?;
        let copy = Self { source: scratch.join("source"), built: scratch.join("built") };
        fs::create_dir_all(&copy.source).map_err(failed)?;
        for name in COPIED {
            update(&workspace.join(name), &copy.source.join(name)).map_err(failed)?;
        }
        Ok(copy)
    }

    /// A command of cargo in the copy.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&self.source);
        cargo
    }

    /// Builds a program of the suite, for this machine or for another target.
    ///
    /// # Errors
    ///
    /// Fails if the program does not compile.
    pub(crate) fn build(&self, program: &str, target: Option<&str>) -> Result<PathBuf, String> {
        let mut cargo = self.cargo();
        cargo.args(["build", "--quiet", "-p", "native-tests", "--bin", program]);
        cargo.arg("--target-dir").arg(&self.built);
        cargo.args(target.into_iter().flat_map(|target| ["--target", target]));
        // There are many mutants with few cases each, so a fast build saves more time than fast programs.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "false").env("CARGO_PROFILE_DEV_OPT_LEVEL", "0");
        let output = cargo.output().map_err(|error| format!("cannot start cargo: {error}"))?;
        if !output.status.success() {
            return Err(format!("it does not compile:\n{}", String::from_utf8_lossy(&output.stderr).trim_end()));
        }
        let (dir, extension) = match target {
            Some(target) => (self.built.join(target), "wasm"),
            None => (self.built.clone(), std::env::consts::EXE_EXTENSION),
        };
        Ok(dir.join("debug").join(program).with_extension(extension))
    }

    /// Replaces the only occurrence of `old` in a file of the library with `new`.
    ///
    /// # Errors
    ///
    /// Fails if `old` does not occur exactly once.
    pub(crate) fn change(&self, name: &str, old: &str, new: &str) -> Result<Mutated, String> {
        let file = self.source.join(name);
        let failed = |error: io::Error| format!("{name}: {error}");
        let original = fs::read_to_string(&file).map_err(failed)?;
        let text = replaced(&original, old, new).map_err(|why| format!("{name}: {why}"))?;
        fs::write(&file, text).map_err(failed)?;
        Ok(Mutated { file, original })
    }
}

/// A file that was changed.
#[derive(Debug)]
pub(crate) struct Mutated {
    file: PathBuf,
    original: String,
}

impl Mutated {
    pub(crate) fn undo(self) -> Result<(), String> {
        fs::write(&self.file, self.original).map_err(|error| format!("{}: {error}", self.file.display()))
    }
}

/// Replaces the only occurrence of `old` with `new`.
fn replaced(text: &str, old: &str, new: &str) -> Result<String, String> {
    match text.matches(old).count() {
        1 => Ok(text.replacen(old, new, 1)),
        count => Err(format!("this text occurs {count} times instead of once:\n{old}")),
    }
}

/// Makes `to` equal to `from`. Equal files are not written, because cargo rebuilds what is newer.
fn update(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return write(to, &fs::read(from)?);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let old = entry?;
        if !from.join(old.file_name()).exists() {
            if old.file_type()?.is_dir() { fs::remove_dir_all(old.path())? } else { fs::remove_file(old.path())? }
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        update(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn write(to: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(to).is_ok_and(|there| there == bytes) { Ok(()) } else { fs::write(to, bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::table;

    #[test]
    fn a_text_to_change_occurs_once() {
        assert_eq!(replaced("a b c", "b", "d").unwrap(), "a d c");
        assert!(replaced("a b c", "e", "d").unwrap_err().contains("0 times"));
        assert!(replaced("a b b", "b", "d").unwrap_err().contains("2 times"));
    }

    #[test]
    fn every_mutant_applies_to_the_current_library() {
        let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let scratch = tempfile::tempdir().unwrap();
        let copy = Copy::make(workspace, scratch.path()).unwrap();
        for mutant in table::all() {
            let mutated = copy
                .change(mutant.file, mutant.old, mutant.new)
                .unwrap_or_else(|why| panic!("{} does not apply: {why}", mutant.name));
            assert_ne!(fs::read_to_string(&mutated.file).unwrap(), mutated.original, "{} changes nothing", mutant.name);
            mutated.undo().unwrap();
            let [here, there] = [workspace, &copy.source].map(|dir| fs::read(dir.join(mutant.file)).unwrap());
            assert_eq!(here, there, "{} was not undone", mutant.name);
        }
    }

    #[test]
    fn an_update_makes_the_copy_equal() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(from.path().join("dir")).unwrap();
        fs::write(from.path().join("dir/kept"), "1").unwrap();
        fs::write(to.path().join("removed"), "1").unwrap();
        update(from.path(), to.path()).unwrap();
        assert!(!to.path().join("removed").exists());
        assert_eq!(fs::read(to.path().join("dir/kept")).unwrap(), b"1");
        fs::write(from.path().join("dir/kept"), "2").unwrap();
        update(from.path(), to.path()).unwrap();
        assert_eq!(fs::read(to.path().join("dir/kept")).unwrap(), b"2");
    }
}
