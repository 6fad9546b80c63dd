//! A published package: cargo fetches it, and it is built like a local package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A published package: its name, and its version; the default is the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    name: String,
    version: Option<String>,
}

impl Published {
    /// Parses `NAME` or `NAME@VERSION`.
    ///
    /// # Errors
    ///
    /// Fails if the text is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
        let plain = |text: &str, others: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        if !plain(name, "-_") || !version.is_none_or(|version| plain(version, ".-+")) {
            return Err(format!("{text:?} is not NAME or NAME@VERSION"));
        }
        Ok(Self { name: name.to_owned(), version: version.map(str::to_owned) })
    }

    /// Fetches the package with its dependencies, and moves its source into its own workspace below `dir`. Returns the
    /// directory of the package.
    ///
    /// # Errors
    ///
    /// Fails if cargo does not find the package, or it cannot be written; the text says which.
    pub(super) fn fetch(&self, dir: &Path) -> Result<PathBuf, String> {
        let failed =
            |error: std::io::Error| format!("cannot create the files for {} in {}: {error}", self.name, dir.display());
        let request = dir.join("request");
        fs::create_dir_all(request.join("src")).map_err(failed)?;
        fs::write(request.join("src/lib.rs"), "").map_err(failed)?;
        let version = self.version.as_ref().map_or("*".to_owned(), |version| format!("={version}"));
        let package = "[package]\nname = \"request\"\nedition = \"2021\"\n[workspace]\n[dependencies]\n";
        fs::write(request.join("Cargo.toml"), format!("{package}{} = \"{version}\"\n", self.name)).map_err(failed)?;
        if request.join("Cargo.lock").is_file() {
            // Removes an old lock file, so that cargo selects the newest version again.
            fs::remove_file(request.join("Cargo.lock")).map_err(failed)?;
        }

        let mut cargo = Command::new("cargo");
        cargo.current_dir(&request).args(["vendor", "--quiet", "--versioned-dirs", "sources"]);
        let output = cargo.output().map_err(|error| format!("cannot start cargo: {error}; see https://rustup.rs"))?;
        if !output.status.success() {
            return Err(format!("cargo cannot fetch {}: {}", self.name, String::from_utf8_lossy(&output.stderr)));
        }
        let source = self.source_in(&request.join("sources")).map_err(failed)?;
        let source = source.ok_or_else(|| format!("cargo has not fetched {}", self.name))?;

        // In a new workspace the package does not belong to one in a parent directory, and its own manifest is not
        // changed.
        let name = source.file_name().expect("an entry of a directory has a name");
        let workspace = dir.join(name);
        let package = workspace.join("package");
        fs::create_dir_all(&workspace).map_err(failed)?;
        fs::write(workspace.join("Cargo.toml"), "[workspace]\nmembers = [\"package\"]\nresolver = \"2\"\n")
            .map_err(failed)?;
        if !package.is_dir() {
            fs::rename(&source, &package).map_err(failed)?;
        }
        Ok(package)
    }

    /// The directory `NAME-VERSION` in `dir`. Another package's name may begin with this name.
    fn source_in(&self, dir: &Path) -> std::io::Result<Option<PathBuf>> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            let version = name.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('-'));
            if version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit())) {
                return Ok(Some(entry.path()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::Published;

    #[test]
    fn a_published_package_has_a_name_and_perhaps_a_version() {
        let parsed = Published::parse("unicode-width@0.2.0").unwrap();
        assert_eq!((parsed.name.as_str(), parsed.version.as_deref()), ("unicode-width", Some("0.2.0")));
        assert_eq!(Published::parse("hex").unwrap().version, None);
        for wrong in ["", "@1", "a@", "a b", "../a", "a@1\""] {
            assert!(Published::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
