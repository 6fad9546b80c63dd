//! The harness as a program: `wasm-tests --help` prints its usage.

mod args;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use native_tests::ledger::Platform;
use wasm_tests::{
    bench, column::Column, compare, consumers, crash, demo, mutants, package, placed, power, report, runner, sandbox,
    sandbox::Sandbox, suite,
};

use args::{Command, SuiteArgs};

const HELP: &str = "\
wasm-tests: runs WASI programs in wasmtime, and compares their results with those of native programs.
`wasm-tests COMMAND --help` prints the usage of one command.

wasm-tests suite --native PROGRAM --wasip1 WASM --wasip2 WASM --wasip2-hosted WASM [--filter TEXT] [--show]
                 [--jobs N] [--time SECONDS] [--memory MIB] [--scratch DIR]
    Runs every case of the suite's program in each column: natively with the backends Mapped and Buffered, in wasmtime,
    and in wasmtime with mappings of the host. With these mappings it runs the program of --wasip1, and the program of
    --wasip2-hosted, which is built with the feature host-mapping. Succeeds only if every case passes in every column
    with the same transcript. --filter runs the cases whose names contain TEXT, or the case with this name. --show
    prints their transcripts and, in wasmtime, their calls for files by name.

wasm-tests compare [--columns KEYS] [--filter TEXT] [--out DIR] [--target-dir DIR] [--no-build]
                   [--program NAME] [--jobs N] [--time SECONDS]
    Builds the suite's program for each column and runs it there. Start this command in the directory of the workspace.
    The columns of the façade run memmap2's own tests and the façade's instead. --columns requires columns by their
    keys, or `suite`, `facade`, `ci` or `all`. Without it every column that can run here runs. Writes report.html,
    report.json and junit.xml. Succeeds only if every required column has run every case with the same transcript.

wasm-tests hosts REPORT
    Prints the page about hosts for a report.json of `wasm-tests compare`.

wasm-tests run [--dir HOST[::GUEST]]... [--read-only-dir HOST[::GUEST]]... [--env NAME[=VALUE]]...
               [--time SECONDS] [--memory MIB] [--host-mapping] WASM [ARGUMENT]...
    Runs one program, which may use the current directory, and exits with its exit code. Use it as cargo's runner:
    CARGO_TARGET_WASM32_WASIP1_RUNNER='wasm-tests run' cargo test --target wasm32-wasip1
    --host-mapping lets the host map files into the program's memory. The program must be for wasm32-wasip1, or for
    wasm32-wasip2 with portable-mmap's feature host-mapping. Use it only for programs that you trust as much as this
    one.

wasm-tests crate [--package DIR|MANIFEST | --published NAME[@VERSION]] [--wasi-dir DIR] [--target TARGET,...]
                 [--host HOST,...] [--filter TEXT] [--skip TEXT]... [--jobs N] [--time SECONDS] [--memory MIB]
                 [--target-dir DIR] [--out DIR] [-- CARGO-ARGUMENT...]
    Builds the tests of a package with cargo, runs each alone, natively and on WASI, and compares outcomes and output.
    TARGETs are native, wasm32-wasip1 and wasm32-wasip2. The default is all of them. The others are compared with the
    first. HOSTs are wasmtime, which is the default, node, deno, bun, wasmtime-oldest, wasmtime-newest, wasmi, jco, and
    hosted, which is wasmtime with mappings of the host.
    The package is that of the current directory or of DIR, or a published one, which is downloaded into the target
    directory. --wasi-dir names the directory in which cargo runs if it builds for WASI, with a configuration of its own
    and links to the package's files. --out writes report.html, report.json and junit.xml.

wasm-tests mutants --native PROGRAM --scratch DIR --target-dir DIR [--workspace DIR] [--only TEXT]
                   [--skip TEXT] [--jobs N]
    Makes a copy of the library in DIR, breaks it in one place at a time, and compares each broken library with PROGRAM,
    the suite's program with the unchanged library. Succeeds only if a case fails with each broken library, and none
    fails with the unchanged copy.

wasm-tests crash --native PROGRAM --wasip1 WASM --wasip2 WASM [--kills N] [--seed N]
    Kills the program `crash` at random moments while it edits and flushes a file: as a child process with both
    backends, in wasmtime by dropping its store, and by killing the process of wasmtime. Succeeds only if the file has
    every byte of each flush that returned, and no byte that the program did not write. --kills is the number for all
    columns together.

wasm-tests power --native PROGRAM --wasip1 WASM --wasip2 WASM [--points N] [--seed N] [--controls DIR [--workspace DIR]]
    Runs the program `power` on a disk that loses bytes that were not synced, and simulates N power failures: natively
    with both backends, and in wasmtime. Succeeds only if the disk then has every byte of each flush that returned, and
    no byte that the program did not write. If no file system can be mounted here, it prints NOT RUN and succeeds.
    --controls builds libraries in DIR that do not sync, requires that each of them loses bytes where it can, and fails
    without a mount.

wasm-tests demo --file FILE --native-dir DIR --wasip1-dir DIR --wasip2-dir DIR [--pattern TEXT]
    Runs the example programs hello, grep and replace from each of the directories on copies of FILE. Runs those of
    --wasip1-dir also with mappings of the host.

wasm-tests bench --native PROGRAM --wasip1 WASM --simd WASM --wasip2 WASM --sources DIR --dir DIR
                 [--size MAPS READS]... [--filter TEXT] [--python PROGRAM] [--wasi-cc PROGRAM] [--rounds N]
                 [--milliseconds N]
    Runs the workloads and the jobs of the program `bench` natively and in wasmtime, one after the other. Compares the
    ways to do them and checks the goals. Prints the results, and writes them to DIR. The text to work on is made of the
    Rust files in --sources. --size names two programs whose sizes are compared. --wasi-cc compiles a C program that
    maps files with wasi-libc. --filter runs those whose names contain TEXT; the name of a job begins with `job`.

wasm-tests placed --native PROGRAM --guest WASM --dir DIR [--blocks N]
    Measures mappings of the operating system, of the emulation and of the host in one run. Also measures the memory of
    1 to 1,000 instances that map one file and access N blocks of it, and draws it as DIR/fleets.svg. Each fleet of
    instances has a process of its own: `wasm-tests fleet --module WASM --dir DIR --file PATH [--instances N] [--blocks
    N] [--pooling] [--host-mapping]`.

wasm-tests consumers --without DIR --with DIR --hosted DIR PROGRAM...
    Runs each program from the directories of three builds: with the memmap2 of crates.io, with the façade, and as a
    component with the façade that uses mappings of the host. Runs them natively, in wasmtime, and in wasmtime with
    mappings of the host. Compares their output and their files with those of the native run with memmap2.
";

/// The columns of guests whose files the host maps.
const HOSTED: [&str; 2] = ["wasip1 hosted", "wasip2 hosted"];

fn main() -> ExitCode {
    if let Some(code) = package::wrapper::run_if_called() {
        return code;
    }
    let result = match args::parse() {
        Ok(Command::Help(command)) => {
            println!("{}", usage(command.as_deref()));
            Ok(ExitCode::SUCCESS)
        }
        Ok(Command::Suite(args)) => run_suite(&args),
        Ok(Command::Compare(plan)) => run_compare(&plan),
        Ok(Command::Hosts(report)) => print_hosts(&report),
        Ok(Command::Run(options)) => runner::run(&options).map(|code| {
            // An exit code has eight bits on unix; one beyond them must not become success.
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }),
        Ok(Command::Package(plan)) => run_package(&plan),
        Ok(Command::Mutants(plan)) => run_mutants(&plan),
        Ok(Command::Crash(plan)) => run_crash(&plan),
        Ok(Command::Power(plan)) => run_power(&plan),
        Ok(Command::Demo(plan)) => run_demo(&plan),
        Ok(Command::Bench(plan)) => run_bench(&plan),
        Ok(Command::Consumers(plan)) => run_consumers(&plan),
        Ok(Command::Placed(plan)) => placed::run(&plan).map(|text| {
            print!("{text}");
            ExitCode::SUCCESS
        }),
        Ok(Command::Fleet(fleet)) => placed::run_fleet(&fleet).map(|measured| {
            print!("{}", measured.render());
            ExitCode::SUCCESS
        }),
        Err(error) => {
            eprintln!("wasm-tests: {error}\n`wasm-tests [COMMAND] --help` prints the usage");
            return ExitCode::from(2);
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("wasm-tests: {error:#}");
        ExitCode::from(2)
    })
}

/// The usage of a command, or of all of them if it has none of its own.
fn usage(command: Option<&str>) -> &'static str {
    let is_its_own = |part: &&str| {
        let words = part.strip_prefix("wasm-tests ").map(|rest| rest.split_whitespace().next());
        command.is_some() && words == Some(command)
    };
    HELP.split("\n\n").find(is_its_own).unwrap_or(HELP).trim_end()
}

fn run_suite(args: &SuiteArgs) -> wasmtime::Result<ExitCode> {
    let native = |name, backend| Column::child(name, vec![args.native.clone().into()], Some(backend));
    let mut columns = vec![
        native("native Mapped", "mapped"),
        native("native Buffered", "buffered"),
        Column::sandbox("wasip1", Sandbox::load(&args.wasip1)?),
        Column::sandbox("wasip2", Sandbox::load(&args.wasip2)?),
    ];
    let mut platforms = vec![
        (Platform::MAPPED_HERE, "native Mapped"),
        (Platform::BufferedWasi, "wasip1"),
        (Platform::BufferedWasi, "wasip2"),
    ];
    for (name, program) in HOSTED.into_iter().zip([&args.wasip1, &args.wasip2_hosted]) {
        if sandbox::HAS_HOST_MAPPING {
            columns.push(Column::hosted(name, Sandbox::load_with_host_mapping(program)?));
            platforms.push((Platform::Hosted, name));
        } else {
            println!("NOT RUN: {name}, because {}", sandbox::NO_HOST_MAPPING);
        }
    }
    let ledger: Vec<_> = platforms.into_iter().flat_map(|(platform, column)| platform.exceptions(column)).collect();
    let results = suite::run(&columns, &args.plan, &ledger);
    if args.show {
        print!("{}", report::transcripts(&results));
    }
    print!("{}", report::render(&results, &ledger));
    Ok(if results.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_compare(plan: &compare::Plan) -> wasmtime::Result<ExitCode> {
    compare::clear(&plan.out)?;
    let comparison = compare::run(plan);
    print!("{}", comparison.render());
    let reports = comparison.write(&plan.out)?;
    if comparison.has_run() {
        for path in reports {
            println!("{}", path.display());
        }
    }
    Ok(if comparison.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_hosts(report: &Path) -> wasmtime::Result<ExitCode> {
    let report = serde_json::from_slice(&fs::read(report)?).map_err(wasmtime::Error::msg)?;
    print!("{}", compare::hosts_page::page(&report).map_err(wasmtime::Error::msg)?);
    Ok(ExitCode::SUCCESS)
}

fn run_package(plan: &package::Plan) -> wasmtime::Result<ExitCode> {
    if let Some(out) = &plan.out {
        compare::clear(out)?;
    }
    let started = SystemTime::now();
    let results = package::run(plan).map_err(wasmtime::Error::msg)?;
    print!("{}", package::render(&results));
    if let Some(out) = &plan.out {
        for path in package::write_reports(&results, started, &plan.args, out)? {
            println!("{}", path.display());
        }
    }
    Ok(if results.are_equal() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_mutants(plan: &mutants::Plan) -> wasmtime::Result<ExitCode> {
    let results = mutants::run(plan).map_err(wasmtime::Error::msg)?;
    print!("{}", mutants::render(&results));
    Ok(if mutants::all_found(&results) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_crash(plan: &crash::Plan) -> wasmtime::Result<ExitCode> {
    let tallies = crash::run(plan)?;
    print!("{}", crash::render(&tallies));
    Ok(if tallies.iter().all(crash::Tally::passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_power(plan: &power::Plan) -> wasmtime::Result<ExitCode> {
    if let Some(obstacle) = power::obstacle() {
        println!("NOT RUN: power failures, because no file system can be mounted through /dev/fuse: {obstacle}");
        // A run with controls must not succeed without a mount.
        return Ok(if plan.controls.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let results = power::run(plan).map_err(wasmtime::Error::msg)?;
    print!("{}", power::render(&results));
    Ok(if results.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_demo(plan: &demo::Plan) -> wasmtime::Result<ExitCode> {
    let results = demo::run(plan)?;
    print!("{}", results.render());
    Ok(if results.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_consumers(plan: &consumers::Plan) -> wasmtime::Result<ExitCode> {
    let results = consumers::run(plan)?;
    print!("{}", results.render());
    Ok(if results.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_bench(plan: &bench::Plan) -> wasmtime::Result<ExitCode> {
    let results = bench::run(plan)?;
    print!("{}", bench::render(&results));
    // Times do not make the command fail, because a busy machine would fail at random.
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::{HELP, usage};

    #[test]
    fn each_command_has_a_usage_of_its_own() {
        for name in [
            "suite",
            "compare",
            "hosts",
            "run",
            "crate",
            "mutants",
            "crash",
            "power",
            "demo",
            "bench",
            "placed",
            "consumers",
        ] {
            let own = usage(Some(name));
            assert!(own.starts_with(&format!("wasm-tests {name} ")) && !own.contains("\n\n"), "{own}");
        }
        assert_eq!(usage(None), HELP.trim_end());
        assert_eq!(usage(Some("fleet")), HELP.trim_end());
    }
}
