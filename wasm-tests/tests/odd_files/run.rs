//! Runs of the guest program `odd`.

use std::path::Path;
use std::time::Duration;

use wasm_tests::child;
use wasm_tests::outcome::{End, Report};
use wasm_tests::sandbox::{Run, Sandbox};

use crate::common::{Target, guest};

/// The time limit of a run.
const TIME: Duration = Duration::from_mins(1);

/// The place where the program runs: this machine or the sandbox.
#[derive(Clone, Copy)]
pub(crate) struct Place<'s>(Option<&'s Sandbox>);

impl<'s> Place<'s> {
    /// This machine, and the sandbox.
    pub(crate) fn both(sandbox: &'s Sandbox) -> [Self; 2] {
        [Self(None), Self(Some(sandbox))]
    }

    pub(crate) fn is_native(self) -> bool {
        self.0.is_none()
    }

    /// The output of the program for a command, the paths of files in a directory, and more arguments. In the sandbox
    /// the directory is `/`, and writable if `write` is true.
    pub(crate) fn run(self, dir: &Path, write: bool, command: &str, files: &[&str], rest: &[&str]) -> String {
        let root = if self.is_native() { dir } else { Path::new("/") };
        let mut args = vec![command.to_owned()];
        args.extend(files.iter().map(|file| root.join(file).to_str().expect("a path of these tests").to_owned()));
        args.extend(rest.iter().map(|&arg| arg.to_owned()));
        let report = match self.0 {
            None => child::run(guest(Target::Native, "odd").as_os_str(), &args, Some(TIME)).unwrap().0,
            Some(sandbox) => {
                let run = Run::new("odd").args(args).time(TIME);
                sandbox.run(&if write { run.dir(dir, "/") } else { run.read_only_dir(dir, "/") }).unwrap()
            }
        };
        printed(&report)
    }
}

fn printed(report: &Report) -> String {
    assert_eq!(report.end, End::Exited(0), "{}", report.stderr.escape_ascii());
    String::from_utf8(report.stdout.clone()).unwrap()
}
