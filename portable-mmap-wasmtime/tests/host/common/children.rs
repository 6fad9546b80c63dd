//! Plays each test in a child process.

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Arguments, Trial};

use super::{Ground, Scene};

/// A test, which plays in an empty directory.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) grounds: &'static [Ground],
    pub(crate) play: fn(&Scene),
}

/// Tests by the names of their functions, on all grounds or on those named.
macro_rules! tests {
    ($($name:ident),* $(,)?) => { tests!(Ground::ALL; $($name),*) };
    ($grounds:expr; $($name:ident),* $(,)?) => {
        &[$(Test { name: stringify!($name), grounds: $grounds, play: $name }),*]
    };
}
pub(crate) use tests;

/// Names the test that a child process is to play, and its directory.
const ROLE: [&str; 2] = ["HOST_TEST", "HOST_TEST_DIR"];

/// Runs the tests; or plays one, in a child process.
pub(crate) fn main(tests: &[Test]) {
    let all = tests.iter().flat_map(|test| {
        test.grounds.iter().map(move |&ground| (format!("{}::{}", ground.name(), test.name), ground, test.play))
    });
    if let [Some(role), Some(dir)] = ROLE.map(std::env::var_os) {
        let (_, ground, play) = all.into_iter().find(|(name, ..)| **name == *role).expect("a test");
        return play(&Scene { ground, dir: dir.into() });
    }
    let trials = all.map(|(name, ..)| Trial::test(name.clone(), move || in_child(&name).map_err(Into::into)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn in_child(name: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let run = |dir: &Path| {
        let program = std::env::current_exe()?;
        Command::new(program).env(ROLE[0], name).env(ROLE[1], dir).env("RUST_BACKTRACE", "0").output()
    };
    let output = run(dir.path()).map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end()))
}
