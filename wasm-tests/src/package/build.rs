//! Builds a package's test programs with cargo, and checks that the tools for that are installed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
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
    /// The directory of its package, where cargo runs it.
    pub(super) directory: PathBuf,
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

    /// The output of a test, in which the directory of the target is replaced with that for this machine. The names of
    /// temporary and of generated files contain it.
    pub(super) fn without_target(&self, printed: &[u8]) -> Vec<u8> {
        let [built, native] = [&self.built.0, &self.built.1].map(|dir| dir.as_os_str().as_encoded_bytes());
        let mut kept = Vec::with_capacity(printed.len());
        let mut rest = printed;
        while let Some(at) = memchr::memmem::find(rest, built) {
            kept.extend_from_slice(&rest[..at]);
            kept.extend_from_slice(native);
            rest = &rest[at + built.len()..];
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
        Ok(Self { manifest, target_dir, cargo_args: cargo_args.to_vec(), flags: None })
    }

    /// The same build with flags for rustc.
    pub(super) fn flags(self, flags: Option<&'static str>) -> Self {
        Self { flags, ..self }
    }

    fn directory(&self) -> &Path {
        self.manifest.parent().expect("a manifest lies in a directory")
    }

    /// The directory in which cargo builds for a target.
    pub(super) fn built(&self, target: &Target) -> PathBuf {
        match target {
            Target::Native => self.target_dir.clone(),
            Target::Wasi(name) => self.target_dir.join(name),
        }
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
        rustc.current_dir(self.directory()).args(["--print", "target-libdir", "--target", name]);
        let output = rustc.output().ok().filter(|output| output.status.success());
        let libraries = output.and_then(|output| String::from_utf8(output.stdout).ok());
        if libraries.is_some_and(|dir| Path::new(dir.trim_end()).is_dir()) {
            return None;
        }
        Some(format!("Rust cannot build for {name} here: `rustup target add {name}` in {}", self.directory().display()))
    }

    /// Builds the test programs for a target. Messages of cargo are printed to standard error.
    ///
    /// # Errors
    ///
    /// Fails if cargo fails, or builds no test program; the text says which.
    pub(super) fn build(&self, target: &Target) -> Result<Vec<Binary>, String> {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(self.directory());
        cargo.args(["test", "--no-run", "--message-format=json-render-diagnostics"]);
        cargo.arg("--manifest-path").arg(&self.manifest).arg("--target-dir").arg(&self.target_dir);
        if let Target::Wasi(name) = target {
            cargo.args(["--target", name]);
            if wrapper::is_supported(self.directory()) {
                let this = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
                wrapper::apply(&mut cargo, &this);
            }
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
        let binaries = binaries(&String::from_utf8_lossy(&output.stdout), &built);
        if binaries.is_empty() { Err("cargo has built no test program".to_owned()) } else { Ok(binaries) }
    }
}

/// The test programs among cargo's messages.
fn binaries(messages: &str, built: &(PathBuf, PathBuf)) -> Vec<Binary> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut binaries: Vec<Binary> = messages.filter_map(|message| binary(&message, built)).collect();
    // The build in which cargo builds varies.
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
    Some(Binary { label, name, path, directory: manifest.parent()?.to_path_buf(), package, built: built.clone() })
}

/// Name and version in the identity of a package: `…#NAME@VERSION`, or `…/NAME#VERSION`.
fn package(identity: &str) -> (String, String) {
    let (place, rest) = identity.rsplit_once('#').unwrap_or((identity, ""));
    let (name, version) = rest.split_once('@').unwrap_or_else(|| (place.rsplit('/').next().unwrap_or(place), rest));
    (name.to_owned(), version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{binaries, package};

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
}
