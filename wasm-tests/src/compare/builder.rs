//! Makes columns: builds the suite's program or the tests of the façade for each, and finds the host that runs it.

use std::env::consts::EXE_EXTENSION;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::columns::{Definition, Host, Mappings};
use crate::child;
use crate::column::Column;
use crate::hosts;
use crate::outcome::{End, Limits};
use crate::package::{Target, cases, set_flags};
use crate::sandbox::{HAS_HOST_MAPPING, NO_HOST_MAPPING, Sandbox};

const WINDOWS: &str = "x86_64-pc-windows-gnu";
const WINDOWS_LINKER: &str = "x86_64-w64-mingw32-gcc";

/// Rust's standard library uses this library of Windows for random numbers, and Wine 8 does not have it.
const RANDOM: &str = include_str!("../../bcryptprimitives.c");

/// Wine is not on the path if a distribution has only its 64-bit half.
const WINE: [&str; 3] = ["wine64", "/usr/lib/wine/wine64", "wine"];

/// A program of Windows that aborts ends with the code C0000409, of which unix keeps eight bits.
const WINE_ABORTED: i32 = 9;

/// The first start of Wine creates its Windows directory.
const WINE_SETUP_TIME: Duration = Duration::from_mins(5);

/// The workspace of the façade, and the tests of it that are compared. They are not selected by package, because two
/// packages have the name memmap2.
const FACADE: &str = "compat";
const FACADE_TESTS: [&str; 9] = [
    "--quiet",
    "--tests",
    "--workspace",
    "--exclude",
    "api",
    "--exclude",
    "component-type",
    "--exclude",
    "portable-mmap-emulation",
];

/// How to install the tools that a column of another system needs.
const TOOLS: &str = "`make compare-tools` installs what this column needs on Debian";

/// Builds and finds programs.
#[derive(Clone, Debug)]
pub struct Builder {
    /// Cargo.
    pub cargo: OsString,
    /// Cargo's target directory.
    pub target_dir: PathBuf,
    /// The program of `native-tests` that has the cases.
    pub program: String,
    /// Whether to build. Otherwise existing programs are used as they are.
    pub build: bool,
}

/// Why a column cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Something is not installed here.
    Absent(String),
    /// Everything is installed, but it does not work.
    Broken(String),
}

/// How the program is built; without a target it is built for this machine.
#[derive(Clone, Copy, Debug, Default)]
struct Build<'b> {
    target: Option<&'b str>,
    flags: Option<&'b str>,
    linker: Option<&'b str>,
    features: Option<&'b str>,
    /// A folder of the target directory that is used as a separate target directory. Otherwise cargo would rebuild for
    /// other flags or features, and then again for the former ones.
    separate_dir: Option<&'b str>,
}

fn broken(error: impl Display) -> Missing {
    Missing::Broken(error.to_string())
}

impl Builder {
    /// Makes a column that is ready to run.
    ///
    /// # Errors
    ///
    /// Fails if something is missing for it, or does not work.
    pub fn column(&self, definition: &Definition, limits: Limits) -> Result<Column, Missing> {
        let Definition { name, backend, host, time_factor, .. } = *definition;
        let column = match host {
            Host::Native => Column::child(name, vec![self.build(&Build::default())?.into()], backend),
            Host::Wasmtime { target, simd } => {
                self.needs_target(target, None)?;
                let flags = simd.then_some("-C target-feature=+simd128");
                let separate_dir = simd.then_some("compare-tools/simd128");
                let program = self.build(&Build { target: Some(target), flags, separate_dir, ..Build::default() })?;
                let sandbox = Sandbox::load(&program).map_err(|error| Missing::Broken(format!("{error:#}")))?;
                Column::sandbox(name, sandbox).with_version(wasmtime_version())
            }
            Host::Hosted { target } => self.hosted(name, target)?,
            Host::Guest { key, target } => self.guest(name, key, target)?,
            Host::Linux { target, linker, emulator } => self.linux(definition, target, linker, emulator)?,
            Host::Wine => self.wine(definition)?,
            Host::Facade { target, mappings } => Column::tests(name, self.facade(target, mappings, limits)?),
        };
        Ok(column.with_time_factor(time_factor))
    }

    fn hosted(&self, name: &str, target: &str) -> Result<Column, Missing> {
        if !HAS_HOST_MAPPING {
            return Err(Missing::Absent(NO_HOST_MAPPING.into()));
        }
        self.needs_target(target, None)?;
        // A module requests mappings with a call that every host has. A component imports the interface.
        let (features, separate_dir) =
            if target == "wasm32-wasip1" { (None, None) } else { (Some("host-mapping"), Some("hosted")) };
        let program = self.build(&Build { target: Some(target), features, separate_dir, ..Build::default() })?;
        let sandbox = Sandbox::load_with_host_mapping(&program);
        let sandbox = sandbox.map_err(|error| Missing::Broken(format!("{error:#}")))?;
        Ok(Column::hosted(name, sandbox).with_version(wasmtime_version()))
    }

    /// A column of guests in another host.
    fn guest(&self, name: &str, key: &str, target: &str) -> Result<Column, Missing> {
        let host = hosts::Host::find(key).expect("the columns name existing hosts");
        self.needs_target(target, None)?;
        let tools = self.target_dir.join("compare-tools");
        let program = host.program(&tools).map_err(Missing::Absent)?;
        let missing = if host.is_pinned() { Missing::Broken } else { Missing::Absent };
        let served = host.start(program, &tools).map_err(missing)?;
        Ok(Column::guest(name, served, self.build(&Build { target: Some(target), ..Build::default() })?))
    }

    fn linux(&self, definition: &Definition, target: &str, linker: &str, emulator: &[&str]) -> Result<Column, Missing> {
        let runs_here = cfg!(target_os = "linux") && (!emulator.is_empty() || cfg!(target_arch = "x86_64"));
        if !runs_here {
            return Err(Missing::Absent(format!("this machine does not run programs for {target}")));
        }
        self.needs_target(target, Some(TOOLS))?;
        needs(linker)?;
        let mut command: Vec<OsString> = Vec::new();
        if let Some((emulator, options)) = emulator.split_first() {
            command.push(needs(emulator)?.into());
            command.extend(options.iter().map(Into::into));
        }
        // Linked statically, so that it needs no libraries of its system at run time.
        let flags = Some("-C target-feature=+crt-static");
        let program = self.build(&Build { target: Some(target), flags, linker: Some(linker), ..Build::default() })?;
        let version = command.first().map(|emulator| version_of(emulator)).transpose()?;
        command.push(program.into());
        let column = Column::child(definition.name, command, definition.backend);
        Ok(if let Some(version) = version { column.with_version(version) } else { column })
    }

    fn wine(&self, definition: &Definition) -> Result<Column, Missing> {
        if cfg!(windows) {
            return Err(Missing::Absent("this machine runs Windows, so native Mapped is the same column".into()));
        }
        self.needs_target(WINDOWS, Some(TOOLS))?;
        let gcc = needs(WINDOWS_LINKER)?;
        let wine = tool(&WINE).ok_or_else(|| Missing::Absent(format!("there is no `wine64`: {TOOLS}")))?;
        let program = self.build(&Build { target: Some(WINDOWS), ..Build::default() })?;
        let tools = self.target_dir.join("compare-tools");
        if self.build {
            let source = tools.join("bcryptprimitives.c");
            write(&source, RANDOM)?;
            let library = program.with_file_name("bcryptprimitives.dll");
            let mut compile: Vec<OsString> = vec![gcc.into(), "-shared".into(), "-O2".into(), "-o".into()];
            compile.extend([library.into(), source.into(), "-ladvapi32".into()]);
            run(&compile, Duration::from_mins(1)).map_err(broken)?;
        }
        let mut prefix: OsString = "WINEPREFIX=".into();
        prefix.push(tools.join("wine"));
        // No messages from Wine, and no dialog that offers to install something.
        let mut command: Vec<OsString> = vec!["env".into(), prefix, "WINEDEBUG=-all".into()];
        command.extend(["WINEDLLOVERRIDES=mscoree,mshtml=".into(), wine.clone().into(), program.into()]);
        let mut first = command.clone();
        first.push("list".into());
        run(&first, WINE_SETUP_TIME).map_err(broken)?;
        let version = version_of(wine.as_os_str())?;
        Ok(Column::child(definition.name, command, definition.backend)
            .with_version(version)
            .aborting_with(WINE_ABORTED))
    }

    /// Builds the tests of memmap2 and of its façade, which are in another workspace.
    fn facade(&self, target: Option<&str>, mappings: Mappings, limits: Limits) -> Result<cases::Tests, Missing> {
        if !self.build {
            return Err(Missing::Absent("its programs are known only after a build".into()));
        }
        if cfg!(windows) && mappings == Mappings::Emulated {
            return Err(Missing::Absent("the emulation needs descriptors, which Windows does not have".into()));
        }
        if !HAS_HOST_MAPPING && mappings == Mappings::Hosted {
            return Err(Missing::Absent(NO_HOST_MAPPING.into()));
        }
        if let Some(target) = target {
            self.needs_target(target, None)?;
        }
        let dir = self.target_dir.join("compat");
        // A separate directory, as for vectors: the flag changes everything that is built. The tests' files are also in
        // it.
        let (target_dir, flags) = match mappings {
            Mappings::Own => (dir, None),
            Mappings::Emulated => (dir.join("emulated"), Some("--cfg memmap2_emulated")),
            // The flag does not change what a module does. It tells the tests which mappings to expect.
            Mappings::Hosted => (dir.join("hosted"), Some("--cfg memmap2_host_mapping")),
        };
        let build = cases::Build {
            source: FACADE.into(),
            target_dir,
            cargo_args: FACADE_TESTS.map(Into::into).to_vec(),
            target: target.map_or(Ok(Target::Native), Target::parse).map_err(Missing::Broken)?,
            flags,
            maps_files: mappings == Mappings::Hosted,
        };
        cases::Tests::build(&build, limits).map_err(Missing::Broken)
    }

    /// Builds the program, and returns its path.
    fn build(&self, build: &Build) -> Result<PathBuf, Missing> {
        let Build { target, flags, linker, features, separate_dir } = *build;
        let mut dir = self.target_dir.clone();
        dir.extend(separate_dir);
        let mut program = dir.clone();
        program.extend(target);
        program.extend(["debug", &self.program]);
        program.set_extension(match target {
            None => EXE_EXTENSION,
            Some(WINDOWS) => "exe",
            Some(target) if target.starts_with("wasm32") => "wasm",
            Some(_) => "",
        });
        if self.build {
            let mut command = Command::new(&self.cargo);
            command.args(["build", "--quiet", "-p", "native-tests", "--bin", &self.program]);
            command.arg("--target-dir").arg(&dir);
            if let Some(target) = target {
                command.args(["--target", target]);
            }
            if let Some(features) = features {
                command.args(["--features", features]);
            }
            if let Some(flags) = flags {
                set_flags(&mut command, flags);
            }
            if let (Some(target), Some(linker)) = (target, linker) {
                command.env(format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_")), linker);
            }
            let status = command.stdin(Stdio::null()).status();
            let status = status.map_err(|error| broken(format!("cannot start {}: {error}", self.cargo.display())))?;
            if !status.success() {
                return Err(Missing::Broken(format!("its program is not built: cargo ended with {status}")));
            }
        }
        if !program.is_file() {
            return Err(Missing::Absent(format!("its program is not built: there is no {}", program.display())));
        }
        Ok(program)
    }

    /// Checks that Rust's standard library is installed for a target.
    fn needs_target(&self, target: &str, how: Option<&str>) -> Result<(), Missing> {
        if !self.build {
            return Ok(());
        }
        let command = ["rustc", "--print", "target-libdir", "--target", target].map(OsString::from);
        let dir = run(&command, Duration::from_mins(1)).map_err(broken)?;
        if Path::new(dir.trim_end()).is_dir() {
            return Ok(());
        }
        let how = how.map_or_else(|| format!("`rustup target add {target}`"), str::to_owned);
        Err(Missing::Absent(format!("Rust has no library for {target} here: {how}")))
    }
}

/// The first line of the output of an emulator's `--version`.
fn version_of(emulator: &OsStr) -> Result<String, Missing> {
    let said = run(&[emulator.to_owned(), "--version".into()], Duration::from_mins(1)).map_err(broken)?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

/// The version of the wasmtime that this program is built with.
fn wasmtime_version() -> String {
    let locked = include_str!("../../../Cargo.lock").split_once("name = \"wasmtime\"\nversion = \"");
    let version = locked.and_then(|(_, rest)| rest.split_once('"')).expect("this program is built with wasmtime");
    version.0.to_owned()
}

fn needs(name: &str) -> Result<PathBuf, Missing> {
    tool(&[name]).ok_or_else(|| Missing::Absent(format!("there is no `{name}`: {TOOLS}")))
}

/// The first of these programs that is on the path.
fn tool(names: &[&str]) -> Option<PathBuf> {
    names.iter().find_map(|name| which::which(name).ok())
}

fn write(path: &Path, text: &str) -> Result<(), Missing> {
    let dir = path.parent().expect("it has a directory");
    let written = fs::create_dir_all(dir).and_then(|()| fs::write(path, text));
    written.map_err(|error| broken(format!("cannot write {}: {error}", path.display())))
}

/// The output of a tool, or the first line of its standard error if it fails.
fn run(command: &[OsString], time: Duration) -> Result<String, String> {
    let (program, args) = command.split_first().expect("a command has at least a program");
    let (report, _) = child::run(program, args, Some(time)).map_err(|error| error.to_string())?;
    if report.end == End::Exited(0) {
        return Ok(String::from_utf8_lossy(&report.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&report.stderr);
    let first = stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(format!("{} ended with {:?}: {first}", program.display(), report.end))
}
