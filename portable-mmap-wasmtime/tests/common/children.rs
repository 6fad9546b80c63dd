//! Plays each test in a child process.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Trial};

use super::{Ground, Scene};

/// A test, which plays in an empty directory.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) grounds: &'static [Ground],
    /// What it needs of the system, which makes it ignored where there is none.
    pub(crate) needs: Option<Need>,
    pub(crate) play: fn(&Scene),
}

/// Something that not every system has, and how a child process gets it into its directory.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&Path) -> Result<(), String>,
}

/// Tests by the names of their functions, on all grounds or on those named.
macro_rules! tests {
    ($($name:ident),* $(,)?) => { tests!(Ground::ALL; $($name),*) };
    ($grounds:expr; $($name:ident),* $(,)?) => {
        &[$(Test { name: stringify!($name), grounds: $grounds, needs: None, play: $name }),*]
    };
}
pub(crate) use tests;

/// Names the test that a child process is to play, and its directory.
const ROLE: [&str; 2] = ["HOST_TEST", "HOST_TEST_DIR"];

/// The exit code of a child that could not make what its test needs.
const CANNOT_MAKE: i32 = 77;

/// Runs the tests; or plays one, in a child process.
pub(crate) fn main(tests: &[Test]) {
    if let [Some(role), Some(dir)] = ROLE.map(std::env::var_os) {
        return play(tests, &role.to_string_lossy(), dir.into());
    }
    let trials = tests.iter().flat_map(|test| {
        // The child that makes what it needs, and nothing else.
        let missing = test.needs.and_then(|need| Some((need.name, in_child(need.name).err()?)));
        if let Some((name, why)) = &missing {
            eprintln!("NOT RUN: {}, which needs {name}: {why}", test.name);
        }
        test.grounds.iter().map(move |ground| {
            let name = format!("{}::{}", ground.name(), test.name);
            Trial::test(name.clone(), move || in_child(&name).map_err(Into::into)).with_ignored_flag(missing.is_some())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// In a child process.
fn play(tests: &[Test], role: &str, dir: PathBuf) {
    let make = |need: Need| {
        if let Err(why) = (need.make)(&dir) {
            eprintln!("{why}");
            std::process::exit(CANNOT_MAKE);
        }
    };
    if let Some(need) = tests.iter().filter_map(|test| test.needs).find(|need| need.name == role) {
        return make(need);
    }
    let grounds = tests.iter().flat_map(|test| test.grounds.iter().map(move |&ground| (test, ground)));
    let mut named = grounds.filter(|(test, ground)| role == format!("{}::{}", ground.name(), test.name));
    let (test, ground) = named.next().expect("a test");
    test.needs.map(make);
    (test.play)(&Scene { ground, dir });
}

/// Plays a test, or makes what one needs.
fn in_child(name: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let run = |dir: &Path| {
        let program = std::env::current_exe()?;
        Command::new(program).env(ROLE[0], name).env(ROLE[1], dir).env("RUST_BACKTRACE", "0").output()
    };
    let output = run(dir.path()).map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    match output.status.code() {
        Some(0) => Ok(()),
        Some(CANNOT_MAKE) => Err(said),
        _ => Err(format!("{}\n{said}", output.status)),
    }
}
