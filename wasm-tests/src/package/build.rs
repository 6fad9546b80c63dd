//! Builds a package's test programs with cargo, and checks that the tools for that are installed.

use std::cmp::Reverse;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::target::{Host, Target};
use super::wrapper;

/// A test program that cargo has built.
#[derive(Clone, Debug)]
pub(super) struct Binary {
    /// Its name in the table: `lib`, `test NAME` and the like.
    pub(super) label: String,
    /// Its name in cargo. Two programs of a package may have the same name.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// The directory of its package, where it runs.
    pub(super) directory: PathBuf,
    /// The name of that directory in `env!("CARGO_MANIFEST_DIR")`. It is another one if cargo has built the program
    /// through a link to the package's manifest.
    pub(super) named: PathBuf,
    /// The name and the version of the package.
    package: (String, String),
    /// The directory in which cargo has built it, and the directory of native programs.
    built: (PathBuf, PathBuf),
}

impl Binary {
    /// The variables that cargo sets for a test program, as far as tests commonly use them.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![
            variable("CARGO_MANIFEST_DIR", &self.directory.display().to_string()),
            variable("CARGO_PKG_NAME", &self.package.0),
            variable("CARGO_PKG_VERSION", &self.package.1),
        ]
    }

    /// The output of a test, in which the directory of the target is replaced with that for this machine, and the name
    /// of the package's directory with that of a native program. The names of temporary and of generated files contain
    /// them.
    pub(super) fn without_target(&self, printed: &[u8]) -> Vec<u8> {
        let dirs = [(&self.built.0, &self.built.1), (&self.named, &self.directory)];
        let dirs = dirs.map(|(from, to)| (from.as_os_str().as_encoded_bytes(), to.as_os_str().as_encoded_bytes()));
        let mut kept = Vec::with_capacity(printed.len());
        let mut rest = printed;
        // The first name, and the longer one if one directory contains the other.
        let next = |rest: &[u8]| {
            let found = dirs.iter().filter_map(|dir| Some((memchr::memmem::find(rest, dir.0)?, dir)));
            found.min_by_key(|(at, (from, _))| (*at, Reverse(from.len())))
        };
        while let Some((at, (from, to))) = next(rest) {
            kept.extend_from_slice(&rest[..at]);
            kept.extend_from_slice(to);
            rest = &rest[at + from.len()..];
        }
        kept.extend_from_slice(rest);
        kept
    }
}

/// The package to build, and the settings of the build.
#[derive(Debug)]
pub(super) struct CargoBuild {
    /// The package's `Cargo.toml`.
    manifest: PathBuf,
    /// The `Cargo.toml` with which cargo builds for WASI. It is another one if a directory for WASI is given.
    wasi_manifest: PathBuf,
    /// The target of this machine, if cargo is configured to build for a target unless it is given one.
    host: Option<String>,
    target_dir: PathBuf,
    cargo_args: Vec<OsString>,
    flags: Option<&'static str>,
}

/// Sets the flags for rustc, and removes those of the environment.
pub(crate) fn set_flags(cargo: &mut Command, flags: &str) {
    // Either of the two variables overrides all other ways to set flags.
    cargo.env("RUSTFLAGS", flags).env_remove("CARGO_ENCODED_RUSTFLAGS");
}

impl CargoBuild {
    /// A build of the package in a directory, or with a manifest.
    pub(super) fn new(package: &Path, target_dir: Option<&Path>, cargo_args: &[OsString]) -> Result<Self, String> {
        let manifest = if package.is_dir() { package.join("Cargo.toml") } else { package.to_path_buf() };
        let manifest = std::path::absolute(&manifest).map_err(|error| error.to_string())?;
        if !manifest.is_file() {
            return Err(format!("there is no package: no file {}", manifest.display()));
        }
        let own = || manifest.with_file_name("target").join("wasm-tests");
        let target_dir = target_dir.map_or_else(own, Path::to_path_buf);
        let host = if has_build_target(parent(&manifest)) { Some(host(parent(&manifest))?) } else { None };
        let wasi_manifest = manifest.clone();
        Ok(Self { manifest, wasi_manifest, host, target_dir, cargo_args: cargo_args.to_vec(), flags: None })
    }

    /// The same build, in which cargo runs in `dir` if it builds for WASI. The directory has a configuration of cargo
    /// for WASI, and links to the files of the package.
    pub(super) fn wasi_dir(self, dir: Option<&Path>) -> Result<Self, String> {
        let Some(dir) = dir else { return Ok(self) };
        let wasi_manifest = std::path::absolute(dir.join("Cargo.toml")).map_err(|error| error.to_string())?;
        if !wasi_manifest.is_file() {
            return Err(format!("--wasi-dir: there is no file {}", wasi_manifest.display()));
        }
        Ok(Self { wasi_manifest, ..self })
    }

    /// The same build with flags for rustc.
    pub(super) fn flags(self, flags: Option<&'static str>) -> Self {
        Self { flags, ..self }
    }

    fn manifest(&self, target: &Target) -> &Path {
        if *target == Target::Native { &self.manifest } else { &self.wasi_manifest }
    }

    /// The argument of cargo's `--target`. Without it cargo builds for this machine.
    fn triple<'a>(&'a self, target: &'a Target) -> Option<&'a str> {
        match target {
            Target::Native => self.host.as_deref(),
            Target::Wasi(name) => Some(name),
        }
    }

    /// The directory in which cargo builds for a target.
    pub(super) fn built(&self, target: &Target) -> PathBuf {
        self.triple(target).map_or_else(|| self.target_dir.clone(), |name| self.target_dir.join(name))
    }

    /// The directory of a package, by its manifest. If this is a link to a file of the package that is compared, the
    /// directory is that of the file: relative paths in tests then name the same files as natively. A guest could not
    /// open them through links, because it cannot follow links that leave its directories.
    fn package_directory(&self, manifest: &Path) -> Option<PathBuf> {
        let own = parent(&self.manifest);
        let real = fs::canonicalize(manifest).ok()?;
        let below = real.parent()?.strip_prefix(fs::canonicalize(own).ok()?).ok()?;
        Some(normalized(own).components().chain(below.components()).collect())
    }

    /// Describes what is missing to build for a target and to run on a host.
    pub(super) fn missing(&self, target: &Target, host: Host, tools: &Path) -> Option<String> {
        let Target::Wasi(name) = target else { return None };
        if let Host::Other(host) = host
            && let Err(missing) = host.program(tools)
        {
            return Some(format!("--host {}: {missing}", host.key));
        }
        let mut rustc = Command::new("rustc");
        let directory = parent(self.manifest(target));
        rustc.current_dir(directory).args(["--print", "target-libdir", "--target", name]);
        let output = rustc.output().ok().filter(|output| output.status.success());
        let libraries = output.and_then(|output| String::from_utf8(output.stdout).ok());
        if libraries.is_some_and(|dir| Path::new(dir.trim_end()).is_dir()) {
            return None;
        }
        Some(format!("Rust cannot build for {name} here: `rustup target add {name}` in {}", directory.display()))
    }

    /// Builds the test programs for a target. Messages of cargo are printed to standard error.
    ///
    /// # Errors
    ///
    /// Fails if cargo fails, or builds no test program; the text says which.
    pub(super) fn build(&self, target: &Target) -> Result<Vec<Binary>, String> {
        let manifest = self.manifest(target);
        let mut cargo = Command::new("cargo");
        cargo.current_dir(parent(manifest));
        cargo.args(["test", "--no-run", "--message-format=json-render-diagnostics"]);
        cargo.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(&self.target_dir);
        if let Some(name) = self.triple(target) {
            cargo.args(["--target", name]);
        }
        if *target != Target::Native && wrapper::is_supported(parent(manifest)) {
            let this = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
            wrapper::apply(&mut cargo, &this);
        }
        if let Some(flags) = self.flags {
            set_flags(&mut cargo, flags);
        }
        cargo.args(&self.cargo_args).stderr(Stdio::inherit());
        let output = cargo.output().map_err(|error| format!("cannot start cargo: {error}; see https://rustup.rs"))?;
        if !output.status.success() {
            return Err(format!("cargo test --no-run failed: {}", output.status));
        }
        let built = (self.built(target), self.target_dir.clone());
        let mut binaries = binaries(&String::from_utf8_lossy(&output.stdout), &built);
        if *target != Target::Native && self.wasi_manifest != self.manifest {
            for binary in &mut binaries {
                if let Some(directory) = self.package_directory(&binary.named.join("Cargo.toml")) {
                    binary.directory = directory;
                }
            }
        }
        if binaries.is_empty() { Err("cargo has built no test program".to_owned()) } else { Ok(binaries) }
    }
}

/// The directory of a manifest.
fn parent(manifest: &Path) -> &Path {
    manifest.parent().expect("a manifest lies in a directory")
}

/// A path without `..`, as cargo writes it.
fn normalized(path: &Path) -> PathBuf {
    let mut normalized = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            normalized.pop();
        } else {
            normalized.push(component);
        }
    }
    normalized
}

/// Whether a configuration file or a variable sets `build.target` for cargo in a directory.
fn has_build_target(here: &Path) -> bool {
    let mut cargo = Command::new("cargo");
    // The subcommand is unstable, and this variable permits it on every channel.
    cargo.current_dir(here).env("RUSTC_BOOTSTRAP", "1").args(["-Zunstable-options", "config", "get", "build.target"]);
    // It fails if nothing sets the value.
    cargo.output().is_ok_and(|output| output.status.success())
}

/// The target of this machine.
fn host(here: &Path) -> Result<String, String> {
    let mut rustc = Command::new("rustc");
    let output = rustc.current_dir(here).arg("-vV").output().map_err(|error| format!("cannot start rustc: {error}"))?;
    let version = String::from_utf8_lossy(&output.stdout);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "`rustc -vV` does not name its host".to_owned())
}

/// The test programs among cargo's messages.
fn binaries(messages: &str, built: &(PathBuf, PathBuf)) -> Vec<Binary> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut binaries: Vec<Binary> = messages.filter_map(|message| binary(&message, built)).collect();
    // The order in which cargo builds the programs varies.
    binaries.sort_by(|a, b| (&a.package, &a.label).cmp(&(&b.package, &b.label)));
    let packages = binaries.iter().any(|binary| binary.package != binaries[0].package);
    for binary in binaries.iter_mut().filter(|_| packages) {
        binary.label = format!("{} {}", binary.package.0, binary.label);
    }
    binaries
}

fn binary(message: &Value, built: &(PathBuf, PathBuf)) -> Option<Binary> {
    if message["profile"]["test"] != true {
        return None;
    }
    let path = PathBuf::from(message["executable"].as_str()?);
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let (kind, name) = (message["target"]["kind"][0].as_str()?, message["target"]["name"].as_str()?);
    let label = match kind {
        "test" | "bin" | "example" | "bench" => format!("{kind} {name}"),
        // A library of any type.
        _ => "lib".to_owned(),
    };
    let package = package(message["package_id"].as_str()?);
    let name = name.to_owned();
    let directory = manifest.parent()?.to_path_buf();
    Some(Binary { label, name, path, named: directory.clone(), directory, package, built: built.clone() })
}

/// Name and version in the identity of a package: `…#NAME@VERSION`, or `…/NAME#VERSION`.
fn package(identity: &str) -> (String, String) {
    let (place, rest) = identity.rsplit_once('#').unwrap_or((identity, ""));
    let (name, version) = rest.split_once('@').unwrap_or_else(|| (place.rsplit('/').next().unwrap_or(place), rest));
    (name.to_owned(), version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_parsed_from_its_identity() {
        let expected = ("hex".to_owned(), "0.4.3".to_owned());
        assert_eq!(package("path+file:///a/b#hex@0.4.3"), expected);
        assert_eq!(package("path+file:///a/hex#0.4.3"), expected);
    }

    #[test]
    fn only_programs_that_cargo_built_as_tests_are_found() {
        let message = |kind: &str, name: &str, test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"path+file:///a/p#1.0.0","manifest_path":"/a/p/Cargo.toml",
                "target":{{"kind":["{kind}"],"name":"{name}"}},"profile":{{"test":{test}}},"executable":"/t/{name}-1"}}"#
            )
            .replace('\n', "")
        };
        let messages = [message("test", "files", true), message("bin", "p", false), message("rlib", "p", true)];
        let built = ("/t/wasm32-wasip1".into(), "/t".into());
        let binaries = binaries(&format!("{}\n{{\"reason\":\"build-finished\"}}\n", messages.join("\n")), &built);

        let labels: Vec<&str> = binaries.iter().map(|binary| binary.label.as_str()).collect();
        assert_eq!(labels, ["lib", "test files"]);
        assert_eq!(binaries[0].variables()[1].1, "p");
        assert_eq!(binaries[0].without_target(b"in /t/wasm32-wasip1/tmp, /t/wasm32-wasip1"), b"in /t/tmp, /t");
    }

    #[test]
    fn the_name_of_a_directory_for_wasi_is_replaced_with_that_of_the_package() {
        let binary = |built: &str| Binary {
            label: "lib".into(),
            name: "p".into(),
            path: "/p/program".into(),
            directory: "/p".into(),
            named: "/p/wasi".into(),
            package: ("p".into(), "1.0.0".into()),
            built: (format!("{built}/wasm32-wasip1").into(), built.into()),
        };
        let printed =
            |built: &str| binary(built).without_target(format!("{built}/wasm32-wasip1/tmp /p/wasi/f").as_bytes());
        assert_eq!(printed("/t"), b"/t/tmp /p/f");
        assert_eq!(printed("/p/wasi/t"), b"/p/wasi/t/tmp /p/f");
        assert_eq!(normalized("/a/../b/./c".as_ref()), Path::new("/b/c"));
    }
}
