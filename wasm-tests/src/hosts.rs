//! The other hosts of WASI: their names, what they need, and how their processes are started.

use std::env::consts::EXE_SUFFIX;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::served::Served;

/// A host.
#[derive(Debug)]
pub struct Host {
    /// Its name in `--host` and `--columns`.
    pub key: &'static str,
    /// Its name in tables.
    pub name: &'static str,
    /// The targets of Rust whose programs it runs.
    pub targets: &'static [&'static str],
    /// The program that runs it.
    program: Program,
    /// The options of the program.
    options: &'static [&'static str],
    /// The script of the harness that implements the host, if the program does not do so itself.
    script: Option<&'static str>,
    /// The packages of npm that the script loads.
    packages: &'static [&'static str],
    /// Whether the script starts a browser, which keeps the files of guests in its memory.
    pub in_browser: bool,
}

/// The location of a program.
#[derive(Debug)]
enum Program {
    /// On the path, with instructions how to get it.
    OnPath(&'static str, &'static str),
    /// In the directory of `make compare-tools`, with the command that installs it there.
    Tool(&'static str, &'static str),
}

/// How to get what a host needs, if the harness chooses the version.
const OF_PYPI: &str = "`make compare-wasmtimes` installs what this host needs";
const OF_NPM: &str = "`make compare-hosts` installs what this host needs";
const OF_ALL: &str = "`make compare-tools` installs what this host needs";

/// The browser, and the environment variable that selects another one.
const CHROMIUM: (&str, &str) = ("chromium", "CHROMIUM");

/// The scripts, which are in one directory when they run.
const SCRIPTS: [(&str, &str); 9] = [
    ("serve.mjs", include_str!("../hosts/serve.mjs")),
    ("chromium.mjs", include_str!("../hosts/chromium.mjs")),
    ("browser.mjs", include_str!("../hosts/browser.mjs")),
    ("browser-page.html", include_str!("../hosts/browser-page.html")),
    ("browser-worker.js", include_str!("../hosts/browser-worker.js")),
    ("preview1.mjs", include_str!("../hosts/preview1.mjs")),
    ("threads.mjs", include_str!("../hosts/threads.mjs")),
    ("jco.mjs", include_str!("../hosts/jco.mjs")),
    ("python_wasmtime.py", include_str!("../hosts/python_wasmtime.py")),
];

const WASIP1: &str = "wasm32-wasip1";
const WASIP2: &str = "wasm32-wasip2";

const NODE: Program = Program::OnPath("node", "it has to be Node 20 or newer, see https://nodejs.org");
// Without the first option, guests whose memory has grown often end with SIGSEGV after correct output. Lazy compilation
// helps because a case runs a small part of its program.
const NODE_OPTIONS: &[&str] = &["--no-turbo-fast-api-calls", "--no-warnings", "--wasm-lazy-compilation", "--expose-gc"];

/// All of them.
pub const ALL: &[Host] = &[
    Host {
        key: "node",
        name: "Node",
        targets: &[WASIP1],
        program: NODE,
        options: NODE_OPTIONS,
        script: Some("preview1.mjs"),
        packages: &[],
        in_browser: false,
    },
    Host {
        key: "threads",
        name: "threads",
        targets: &["wasm32-wasip1-threads"],
        program: NODE,
        options: NODE_OPTIONS,
        script: Some("threads.mjs"),
        packages: &[],
        in_browser: false,
    },
    Host {
        key: "jco",
        name: "jco",
        targets: &[WASIP2],
        program: NODE,
        options: NODE_OPTIONS,
        script: Some("jco.mjs"),
        packages: &["@bytecodealliance/jco-transpile", "@bytecodealliance/preview2-shim"],
        in_browser: false,
    },
    Host {
        key: "deno",
        name: "Deno",
        targets: &[WASIP1],
        program: Program::Tool("node_modules/.bin/deno", OF_NPM),
        options: &["run", "--quiet", "--allow-all", "--no-config", "--v8-flags=--expose-gc,--wasm-lazy-compilation"],
        script: Some("preview1.mjs"),
        packages: &[],
        in_browser: false,
    },
    Host {
        key: "bun",
        name: "Bun",
        targets: &[WASIP1],
        program: Program::Tool("node_modules/.bin/bun", OF_NPM),
        options: &["run"],
        script: Some("preview1.mjs"),
        packages: &[],
        in_browser: false,
    },
    Host {
        key: "browser",
        name: "browser",
        targets: &[WASIP1],
        program: NODE,
        options: &["--no-warnings"],
        script: Some("browser.mjs"),
        packages: &["@bjorn3/browser_wasi_shim"],
        in_browser: true,
    },
    Host {
        key: "wasmtime-oldest",
        name: "wasmtime-oldest",
        targets: &[WASIP1],
        program: Program::Tool("wasmtime-oldest/bin/python", OF_PYPI),
        options: &[],
        script: Some("python_wasmtime.py"),
        packages: &[],
        in_browser: false,
    },
    Host {
        key: "wasmtime-newest",
        name: "wasmtime-newest",
        targets: &[WASIP1, WASIP2],
        program: Program::Tool("wasmtime-newest/bin/python", OF_PYPI),
        options: &[],
        script: Some("python_wasmtime.py"),
        packages: &[],
        in_browser: false,
    },
    Host {
        key: "wasmi",
        name: "wasmi",
        targets: &[WASIP1],
        program: Program::Tool("wasmi/release/wasmi-host", OF_ALL),
        options: &[],
        script: None,
        packages: &[],
        in_browser: false,
    },
];

impl Host {
    /// The host with this key.
    #[must_use]
    pub fn find(key: &str) -> Option<&'static Self> {
        ALL.iter().find(|host| host.key == key)
    }

    /// The program that runs it, where `tools` is the directory of `make compare-tools`.
    ///
    /// # Errors
    ///
    /// Fails if the host is not installed; the text says how to get it.
    pub fn program(&self, tools: &Path) -> Result<PathBuf, String> {
        let (name, how) = match self.program {
            Program::OnPath(name, how) => (which::which(name).ok().ok_or_else(|| name.to_owned()), how),
            Program::Tool(name, how) => {
                let path = tools.join(format!("{name}{EXE_SUFFIX}"));
                let found = if path.is_file() { Ok(path) } else { Err(path.display().to_string()) };
                (found, how)
            }
        };
        for package in self.packages {
            let package = tools.join("node_modules").join(package);
            if !package.is_dir() {
                return Err(format!("there is no {}: {OF_NPM}", package.display()));
            }
        }
        if self.in_browser {
            chromium()?;
        }
        name.map_err(|name| format!("there is no `{name}`: {how}"))
    }

    /// Whether guests use the files of this machine. Otherwise their directories are empty when they start.
    #[must_use]
    pub fn opens_files(&self) -> bool {
        !self.in_browser
    }

    /// Whether the harness has chosen its version. A host of another version may fail to start.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        matches!(self.program, Program::Tool(..))
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// Fails if the host does not start; the text gives the reason.
    pub fn start(&self, program: PathBuf, tools: &Path) -> Result<Served, String> {
        let mut command: Vec<OsString> = vec![program.into()];
        command.extend(self.options.iter().map(Into::into));
        let scripts = tempfile::tempdir().map_err(|error| format!("no directory for its scripts: {error}"))?;
        if let Some(script) = self.script {
            for (name, text) in SCRIPTS {
                let written = fs::write(scripts.path().join(name), text);
                written.map_err(|error| format!("its scripts cannot be written: {error}"))?;
            }
            command.push(scripts.path().join(script).into());
            if !self.packages.is_empty() {
                command.push(tools.into());
            }
            if self.in_browser {
                command.push(chromium()?.into());
            }
        }
        Served::start(command, scripts)
    }
}

/// The path of the browser.
fn chromium() -> Result<PathBuf, String> {
    let (name, variable) = CHROMIUM;
    let name = std::env::var_os(variable).unwrap_or_else(|| name.into());
    let found = which::which(&name).map_err(|_| name.display().to_string());
    found.map_err(|name| format!("there is no `{name}`: {OF_ALL}, and {variable} selects another Chromium"))
}

/// The directory of `make compare-tools`, in the target directory in which cargo has built this program.
///
/// # Errors
///
/// Fails if the path of this program is unknown.
pub fn tools() -> std::io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    Ok(target.unwrap_or(&program).join("compare-tools"))
}
