//! Runs each test in a child process.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Trial};

use super::{HostKind, Scene};

/// A test, which runs in an empty directory.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) kinds: &'static [HostKind],
    /// A requirement on the system. The test is ignored if the system does not meet it.
    pub(crate) needs: Option<Need>,
    pub(crate) run: fn(&Scene),
}

/// A requirement that not every system meets, and a function that sets it up in the directory of a child process.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&Path) -> Result<(), String>,
}

/// Tests with the names of their functions, with all kinds of hosts or with the given kinds.
macro_rules! tests {
    ($($name:ident),* $(,)?) => { tests!(HostKind::ALL; $($name),*) };
    ($kinds:expr; $($name:ident),* $(,)?) => {
        &[$(Test { name: stringify!($name), kinds: $kinds, needs: None, run: $name }),*]
    };
}
pub(crate) use tests;

/// The variables that contain the test that a child process runs, and its directory.
const ROLE: [&str; 2] = ["HOST_TEST", "HOST_TEST_DIR"];

/// The exit code of a child that could not set up the requirement of its test.
const CANNOT_MAKE: i32 = 77;

/// Runs the tests, or one of them in a child process.
pub(crate) fn main(tests: &[Test]) {
    if let [Some(role), Some(dir)] = ROLE.map(std::env::var_os) {
        return run_test(tests, &role.to_string_lossy(), dir.into());
    }
    let trials = tests.iter().flat_map(|test| {
        // A child that only sets up the requirement.
        let missing = test.needs.and_then(|need| Some((need.name, in_child(need.name).err()?)));
        if let Some((name, why)) = &missing {
            eprintln!("NOT RUN: {}, which needs {name}: {why}", test.name);
        }
        test.kinds.iter().map(move |kind| {
            let name = format!("{}::{}", kind.name(), test.name);
            Trial::test(name.clone(), move || in_child(&name).map_err(Into::into)).with_ignored_flag(missing.is_some())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// Runs a test in this child process.
fn run_test(tests: &[Test], role: &str, dir: PathBuf) {
    let make = |need: Need| {
        if let Err(why) = (need.make)(&dir) {
            eprintln!("{why}");
            std::process::exit(CANNOT_MAKE);
        }
    };
    if let Some(need) = tests.iter().filter_map(|test| test.needs).find(|need| need.name == role) {
        return make(need);
    }
    let kinds = tests.iter().flat_map(|test| test.kinds.iter().map(move |&kind| (test, kind)));
    let mut named = kinds.filter(|(test, kind)| role == format!("{}::{}", kind.name(), test.name));
    let (test, kind) = named.next().expect("a test");
    test.needs.map(make);
    (test.run)(&Scene { kind, dir });
}

/// Runs a test, or sets up a requirement, in a child process.
fn in_child(name: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let run = |dir: &Path| {
        let program = std::env::current_exe()?;
        Command::new(program).env(ROLE[0], name).env(ROLE[1], dir).env("RUST_BACKTRACE", "0").output()
    };
    let output = run(dir.path()).map_err(|error| error.to_string())?;
    let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    match output.status.code() {
        Some(0) => Ok(()),
        Some(CANNOT_MAKE) => Err(stderr),
        _ => Err(format!("{}\n{stderr}", output.status)),
    }
}
