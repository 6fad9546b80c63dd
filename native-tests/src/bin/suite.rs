//! Lists the cases of the suite, or runs one of them: the program that hosts run, natively and in a sandbox.

use std::io::Write;
use std::process::ExitCode;

use native_tests::counted::CountedFile;
use native_tests::{Case, Ends, FileBackend, Scene, cases};
use portable_mmap::{Buffered, DefaultBackend};

const USAGE: &str = "usage: suite list
       suite run CASE --dir DIR [--backend mapped|buffered]

DIR is an empty directory. The transcript goes to standard output and ends in `end of CASE`.";

fn main() -> ExitCode {
    // As in a sandbox: nothing is unwound, and nothing written back by it.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["list"] => list(),
        ["run", case, "--dir", dir] => run::<DefaultBackend>(case, dir),
        ["run", case, "--dir", dir, "--backend", "buffered"] => run::<Buffered<CountedFile>>(case, dir),
        #[cfg(any(unix, windows))]
        ["run", case, "--dir", dir, "--backend", "mapped"] => run::<portable_mmap::Mapped>(case, dir),
        _ => fail(USAGE),
    }
}

fn list() -> ExitCode {
    for Case { name, ends, .. } in cases::all::<DefaultBackend>() {
        match ends {
            Ends::Finishing => say(&format!("{name}\tfinishes")),
            Ends::Panicking(text) => say(&format!("{name}\tpanics: {text}")),
        }
    }
    ExitCode::SUCCESS
}

fn run<B: FileBackend>(name: &str, dir: &str) -> ExitCode {
    let Some(case) = cases::all::<B>().into_iter().find(|case| case.name == name) else {
        return fail(&format!("there is no case `{name}`: see `suite list`"));
    };
    let mut scene = Scene::new(dir, say);
    (case.run)(&mut scene);
    if scene.lines() == 0 {
        return fail("the case observed nothing");
    }
    say(&format!("end of {name}"));
    ExitCode::SUCCESS
}

/// A line that is out even if the next act ends the program.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody listens to a transcript that cannot be written: the host sees that its end is missing.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}
