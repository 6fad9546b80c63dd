//! Lists the cases of the suite, or runs one of them. It runs natively, and hosts run it in a sandbox.

use std::io::Write;
use std::process::ExitCode;

use native_tests::counted::CountedFile;
use native_tests::{Case, Ends, FileBackend, HOSTED, Scene, cases};
use portable_mmap::{Buffered, DefaultBackend, Mapped};

/// The name of the backend that maps files: through the operating system, or through the host of a guest.
const MAPPED: &str = if cfg!(any(unix, windows)) { "mapped" } else { HOSTED };
const BUFFERED: &str = "buffered";

const USAGE: &str = "usage: suite list
       suite run CASE --dir DIR [--backend mapped|hosted|buffered]

A guest has the backend `hosted` in the place of `mapped`. DIR is an empty directory.
The transcript goes to standard output and ends in `end of CASE`.";

fn main() -> ExitCode {
    // A panic aborts as in a sandbox: it does not unwind, so no drop writes back.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["list"] => list(),
        ["run", case, "--dir", dir] => run(case, Scene::<DefaultBackend>::new(dir, say)),
        ["run", case, "--dir", dir, "--backend", BUFFERED] => {
            run(case, Scene::<Buffered<CountedFile>>::new(dir, say).requiring(BUFFERED))
        }
        ["run", case, "--dir", dir, "--backend", MAPPED] => run(case, Scene::<Mapped>::new(dir, say).requiring(MAPPED)),
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

fn run<B: FileBackend>(name: &str, mut scene: Scene<B>) -> ExitCode {
    let Some(case) = cases::all::<B>().into_iter().find(|case| case.name == name) else {
        return fail(&format!("there is no case `{name}`: see `suite list`"));
    };
    (case.run)(&mut scene);
    if scene.lines() == 0 {
        return fail("the transcript of the case is empty");
    }
    say(&format!("end of {name}"));
    ExitCode::SUCCESS
}

/// Prints a line and flushes it, because the next act may end the program.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // If a line cannot be written, nobody reads the transcript. The host detects that its end is missing.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}
