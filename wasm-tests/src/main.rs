//! The harness as a program: `wasm-tests --help` tells what it does.

mod args;

use std::process::ExitCode;

use wasm_tests::{bench, column::Column, demo, report, runner, sandbox::Sandbox, suite};

use args::{Command, SuiteArgs};

const HELP: &str = "\
wasm-tests: runs WASI programs in wasmtime, and compares what they do there with what they do natively.

wasm-tests suite --native PROGRAM --wasip1 WASM --wasip2 WASM [--filter TEXT] [--show]
                 [--jobs N] [--time SECONDS] [--memory MIB] [--scratch DIR]
    Runs every case of the suite's program on each column: natively with the backends Mapped and Buffered, and in
    wasmtime. Succeeds only if every column has passed every case with one and the same transcript.
    --filter runs the cases whose names contain TEXT; --show prints their transcripts and, in
    wasmtime, their calls for files by name.

wasm-tests run [--dir HOST[::GUEST]]... [--read-only-dir HOST[::GUEST]]... [--env NAME[=VALUE]]...
               [--time SECONDS] [--memory MIB] WASM [ARGUMENT]...
    Runs one program with the current directory, and exits as it does. Meant as cargo's runner:
    CARGO_TARGET_WASM32_WASIP1_RUNNER='wasm-tests run' cargo test --target wasm32-wasip1

wasm-tests demo --file FILE --native-dir DIR --wasip1-dir DIR --wasip2-dir DIR [--pattern TEXT]
    Runs the example programs hello, grep and replace from each of the three folders on copies of FILE.

wasm-tests bench --native PROGRAM --wasip1 WASM --simd WASM --wasip2 WASM --sources DIR --dir DIR
                 [--size MAPS READS]... [--filter TEXT] [--python PROGRAM] [--rounds N] [--milliseconds N]
    Runs the workloads of the program `bench` natively and in wasmtime, one after the other, prints how the ways of
    doing them compare and what became of the goals, and writes that to DIR. The text to work on is made
    of the files of Rust in --sources; --size names programs whose sizes are compared.
";

fn main() -> ExitCode {
    let result = match args::parse() {
        Ok(Command::Help) => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        Ok(Command::Suite(args)) => run_suite(&args),
        Ok(Command::Run(options)) => runner::run(&options).map(|code| {
            // An exit code has eight bits on unix; one beyond them must not become success.
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }),
        Ok(Command::Demo(plan)) => run_demo(&plan),
        Ok(Command::Bench(plan)) => run_bench(&plan),
        Err(error) => {
            eprintln!("wasm-tests: {error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("wasm-tests: {error:#}");
        ExitCode::from(2)
    })
}

fn run_suite(args: &SuiteArgs) -> wasmtime::Result<ExitCode> {
    let native = |name, backend| Column::child(name, vec![args.native.clone().into()], Some(backend));
    let columns = [
        native("native Mapped", "mapped"),
        native("native Buffered", "buffered"),
        Column::sandbox("wasip1", Sandbox::load(&args.wasip1)?),
        Column::sandbox("wasip2", Sandbox::load(&args.wasip2)?),
    ];
    let ledger = native_tests::ledger::LEDGER;
    let results = suite::run(&columns, &args.plan, ledger);
    if args.show {
        print!("{}", report::transcripts(&results));
    }
    print!("{}", report::render(&results, ledger));
    Ok(if results.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_demo(plan: &demo::Plan) -> wasmtime::Result<ExitCode> {
    let results = demo::run(plan)?;
    print!("{}", results.render());
    Ok(if results.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_bench(plan: &bench::Plan) -> wasmtime::Result<ExitCode> {
    let results = bench::run(plan)?;
    print!("{}", bench::render(&results));
    // Times are told and not judged: a machine that is busy with other things would fail at random.
    Ok(ExitCode::SUCCESS)
}
