//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use lexopt::{Arg, Error, Parser};
use wasm_tests::compare::{self, builder::Builder, columns::Selection};
use wasm_tests::outcome::Limits;
use wasm_tests::sandbox::MEMORY_LIMIT;
use wasm_tests::{bench, consumers, crash, demo, mutants, package, placed, power, runner, suite};
use wasmtime_wasi::FsPerms;

/// Long enough for a case that moves half a gigabyte on a slow machine.
const CASE_TIME: Duration = Duration::from_mins(3);

/// More cases at once would save little time, and need more memory.
const MOST_JOBS: usize = 4;

pub(crate) enum Command {
    /// Print the usage of one command, or of all of them.
    Help(Option<String>),
    Suite(SuiteArgs),
    Compare(compare::Plan),
    Hosts(PathBuf),
    Run(runner::Options),
    Package(package::Plan),
    Mutants(mutants::Plan),
    Crash(crash::Plan),
    Power(power::Plan),
    Demo(demo::Plan),
    Bench(bench::Plan),
    Consumers(consumers::Plan),
    Placed(placed::Plan),
    Fleet(placed::Fleet),
}

pub(crate) struct SuiteArgs {
    pub(crate) native: PathBuf,
    pub(crate) wasip1: PathBuf,
    pub(crate) wasip2: PathBuf,
    pub(crate) wasip2_hosted: PathBuf,
    pub(crate) show: bool,
    pub(crate) plan: suite::Plan,
}

pub(crate) fn parse() -> Result<Command, Error> {
    let mut parser = Parser::from_env();
    let name = match parser.next()? {
        Some(Long("help") | Short('h')) => return Ok(Command::Help(None)),
        Some(Value(name)) => name.string()?,
        Some(other) => return Err(other.unexpected()),
        None => {
            let commands = "suite, compare, hosts, run, crate, mutants, crash, power, demo, bench, consumers or placed";
            return Err(format!("a command is missing: {commands}").into());
        }
    };
    match command(&name, parser) {
        Err(Error::Custom(error)) if error.is::<HelpRequested>() => Ok(Command::Help(Some(name))),
        parsed => parsed,
    }
}

fn command(name: &str, parser: Parser) -> Result<Command, Error> {
    match name {
        "suite" => suite(parser).map(Command::Suite),
        "compare" => compare(parser).map(Command::Compare),
        "hosts" => hosts(parser).map(Command::Hosts),
        "run" => run(parser).map(Command::Run),
        "crate" => package(parser).map(Command::Package),
        "mutants" => mutants(parser).map(Command::Mutants),
        "crash" => crash(parser).map(Command::Crash),
        "power" => power(parser).map(Command::Power),
        "demo" => demo(parser).map(Command::Demo),
        "bench" => bench(parser).map(Command::Bench),
        "consumers" => consumers(parser).map(Command::Consumers),
        "placed" => placed(parser).map(Command::Placed),
        "fleet" => fleet(parser).map(Command::Fleet),
        _ => Err(format!("there is no command {name}").into()),
    }
}

/// The user requested the usage of a command instead of running it.
#[derive(Debug)]
struct HelpRequested;

impl std::fmt::Display for HelpRequested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the usage is requested")
    }
}

impl std::error::Error for HelpRequested {}

/// The error for an argument that a command does not have. `--help` is an argument of every command.
fn unexpected(arg: Arg<'_>) -> Error {
    match arg {
        Long("help") | Short('h') => Error::Custom(HelpRequested.into()),
        other => other.unexpected(),
    }
}

fn hosts(mut parser: Parser) -> Result<PathBuf, Error> {
    match parser.next()? {
        Some(Value(report)) => Ok(report.into()),
        Some(other) => Err(unexpected(other)),
        None => Err("a report is missing".into()),
    }
}

/// The default settings of a run of the suite.
fn plan() -> suite::Plan {
    let limits = Limits { time: CASE_TIME, memory: MEMORY_LIMIT };
    suite::Plan { filter: None, limits, jobs: jobs(), scratch: None }
}

fn suite(mut parser: Parser) -> Result<SuiteArgs, Error> {
    let (mut native, mut wasip1, mut wasip2, mut wasip2_hosted, mut show) = (None, None, None, None, false);
    let mut plan = plan();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("native") => native = Some(parser.value()?.into()),
            Long("wasip1") => wasip1 = Some(parser.value()?.into()),
            Long("wasip2") => wasip2 = Some(parser.value()?.into()),
            Long("wasip2-hosted") => wasip2_hosted = Some(parser.value()?.into()),
            Long("show") => show = true,
            Long("filter") => plan.filter = Some(parser.value()?.string()?).filter(|text| !text.is_empty()),
            Long("jobs") => plan.jobs = parser.value()?.parse()?,
            Long("time") => plan.limits.time = seconds(&mut parser)?,
            Long("memory") => plan.limits.memory = mebibytes(&mut parser)?,
            Long("scratch") => plan.scratch = Some(parser.value()?.into()),
            other => return Err(unexpected(other)),
        }
    }
    Ok(SuiteArgs {
        native: required(native, "--native")?,
        wasip1: required(wasip1, "--wasip1")?,
        wasip2: required(wasip2, "--wasip2")?,
        wasip2_hosted: required(wasip2_hosted, "--wasip2-hosted")?,
        show,
        plan,
    })
}

fn compare(mut parser: Parser) -> Result<compare::Plan, Error> {
    let (mut selection, mut plan, mut out) = (Selection::Possible, plan(), None);
    let mut builder = Builder {
        cargo: std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        target_dir: "target".into(),
        program: "suite".to_owned(),
        build: true,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("columns") => selection = Selection::parse(&parser.value()?.string()?)?,
            Long("target-dir") => builder.target_dir = parser.value()?.into(),
            Long("out") => out = Some(parser.value()?.into()),
            Long("program") => builder.program = parser.value()?.string()?,
            Long("no-build") => builder.build = false,
            Long("filter") => plan.filter = Some(parser.value()?.string()?).filter(|text| !text.is_empty()),
            Long("jobs") => plan.jobs = parser.value()?.parse()?,
            Long("time") => plan.limits.time = seconds(&mut parser)?,
            other => return Err(unexpected(other)),
        }
    }
    // The path must be absolute, because some programs are started in other directories.
    builder.target_dir = std::path::absolute(&builder.target_dir).map_err(|error| Error::Custom(error.into()))?;
    // The reports of a part do not overwrite those of the whole.
    let default = if plan.filter.is_some() { "compare/filtered" } else { "compare" };
    let out = out.unwrap_or_else(|| builder.target_dir.join(default));
    Ok(compare::Plan { selection, builder, suite: plan, out })
}

fn run(mut parser: Parser) -> Result<runner::Options, Error> {
    let (mut grants, mut env, mut memory, mut time) = (Vec::new(), Vec::new(), None, None);
    let mut host_mapping = false;
    while let Some(arg) = parser.next()? {
        match arg {
            Long("dir") => grants.push(runner::grant(&parser.value()?.string()?, FsPerms::ReadWrite)),
            Long("read-only-dir") => {
                grants.push(runner::grant(&parser.value()?.string()?, FsPerms::ReadOnly));
            }
            Long("env") => env.push(variable(parser.value()?)?),
            Long("memory") => memory = Some(mebibytes(&mut parser)?),
            Long("time") => time = Some(seconds(&mut parser)?),
            Long("host-mapping") => host_mapping = true,
            Value(program) => {
                // Everything that follows belongs to the guest, including options.
                let args = parser.raw_args()?.map(OsString::into_string).collect::<Result<_, _>>()?;
                let mut options = runner::Options::new(program.into(), args);
                (options.grants, options.env, options.time) = (grants, env, time);
                options.host_mapping = host_mapping;
                options.memory = memory.unwrap_or(options.memory);
                return Ok(options);
            }
            other => return Err(unexpected(other)),
        }
    }
    Err("a WebAssembly file to run is missing".into())
}

fn package(mut parser: Parser) -> Result<package::Plan, Error> {
    let (mut place, mut published, mut target_dir) = (PathBuf::from("."), None, None);
    let mut wasi_dir = None;
    let (mut targets, mut hosts) = ("native,wasm32-wasip1,wasm32-wasip2".to_owned(), "wasmtime".to_owned());
    let (mut filter, mut skip, mut jobs, mut cargo_args) = (None, Vec::new(), jobs(), Vec::new());
    let mut out = None;
    let mut limits = Limits { time: CASE_TIME, memory: MEMORY_LIMIT };
    loop {
        // Everything after `--` belongs to cargo. The parser would drop the two dashes.
        if parser.try_raw_args().is_some_and(|mut rest| rest.next_if(|arg| arg == "--").is_some()) {
            cargo_args.extend(parser.raw_args()?);
        }
        let Some(arg) = parser.next()? else { break };
        match arg {
            Long("package" | "manifest-path") => place = parser.value()?.into(),
            Long("published") => published = Some(parser.value()?.string()?),
            Long("wasi-dir") => wasi_dir = Some(parser.value()?.into()),
            Long("target") => targets = parser.value()?.string()?,
            Long("host") => hosts = parser.value()?.string()?,
            Long("filter") => filter = Some(parser.value()?.string()?),
            Long("skip") => skip.push(parser.value()?.string()?),
            Long("jobs") => jobs = parser.value()?.parse()?,
            Long("time") => limits.time = seconds(&mut parser)?,
            Long("memory") => limits.memory = mebibytes(&mut parser)?,
            Long("target-dir") => target_dir = Some(absolute(parser.value()?)?),
            Long("out") => out = Some(parser.value()?.into()),
            other => return Err(unexpected(other)),
        }
    }
    let source = match published {
        Some(_) if wasi_dir.is_some() => return Err("--wasi-dir belongs to a local package".into()),
        Some(name) => package::Source::Published(package::Published::parse(&name)?),
        None => package::Source::Local(place),
    };
    let columns = package::columns(&targets, &hosts)?;
    // After the name of this program, and that of the command.
    let args = std::env::args_os().skip(2).collect();
    Ok(package::Plan { source, wasi_dir, target_dir, cargo_args, columns, filter, skip, limits, jobs, out, args })
}

fn mutants(mut parser: Parser) -> Result<mutants::Plan, Error> {
    let (mut workspace, mut native, mut scratch, mut target_dir) = (PathBuf::from("."), None, None, None);
    let (mut only, mut skip, mut jobs) = (None, None, jobs());
    while let Some(arg) = parser.next()? {
        match arg {
            Long("workspace") => workspace = parser.value()?.into(),
            Long("native") => native = Some(parser.value()?.into()),
            Long("scratch") => scratch = Some(parser.value()?.into()),
            Long("skip") => skip = Some(parser.value()?.string()?).filter(|text| !text.is_empty()),
            Long("target-dir") => target_dir = Some(absolute(parser.value()?)?),
            Long("only") => only = Some(parser.value()?.string()?),
            Long("jobs") => jobs = parser.value()?.parse()?,
            other => return Err(unexpected(other)),
        }
    }
    Ok(mutants::Plan {
        workspace,
        native: required(native, "--native")?,
        scratch: required(scratch, "--scratch")?,
        target_dir: required(target_dir, "--target-dir")?,
        only,
        skip,
        jobs,
    })
}

fn crash(mut parser: Parser) -> Result<crash::Plan, Error> {
    let (mut native, mut wasip1, mut wasip2, mut kills, mut seed) = (None, None, None, 1000, 1);
    while let Some(arg) = parser.next()? {
        match arg {
            Long("native") => native = Some(parser.value()?.into()),
            Long("wasip1") => wasip1 = Some(parser.value()?.into()),
            Long("wasip2") => wasip2 = Some(parser.value()?.into()),
            Long("kills") => kills = parser.value()?.parse()?,
            Long("seed") => seed = parser.value()?.parse()?,
            other => return Err(unexpected(other)),
        }
    }
    Ok(crash::Plan {
        native: required(native, "--native")?,
        wasip1: required(wasip1, "--wasip1")?,
        wasip2: required(wasip2, "--wasip2")?,
        harness: harness()?,
        kills,
        seed,
        flaw: None,
    })
}

fn power(mut parser: Parser) -> Result<power::Plan, Error> {
    let (mut native, mut wasip1, mut wasip2, mut points, mut seed) = (None, None, None, 1000, 1);
    let (mut workspace, mut scratch) = (PathBuf::from("."), None);
    while let Some(arg) = parser.next()? {
        match arg {
            Long("native") => native = Some(parser.value()?.into()),
            Long("wasip1") => wasip1 = Some(parser.value()?.into()),
            Long("wasip2") => wasip2 = Some(parser.value()?.into()),
            Long("points") => points = parser.value()?.parse()?,
            Long("seed") => seed = parser.value()?.parse()?,
            Long("controls") => scratch = Some(parser.value()?.into()),
            Long("workspace") => workspace = parser.value()?.into(),
            other => return Err(unexpected(other)),
        }
    }
    Ok(power::Plan {
        native: required(native, "--native")?,
        wasip1: required(wasip1, "--wasip1")?,
        wasip2: required(wasip2, "--wasip2")?,
        harness: harness()?,
        points,
        seed,
        controls: scratch.map(|scratch| power::Controls { workspace, scratch }),
        flaw: None,
    })
}

fn demo(mut parser: Parser) -> Result<demo::Plan, Error> {
    let (mut file, mut native, mut wasip1, mut wasip2) = (None, None, None, None);
    let mut pattern = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Long("file") => file = Some(parser.value()?.into()),
            Long("native-dir") => native = Some(parser.value()?.into()),
            Long("wasip1-dir") => wasip1 = Some(parser.value()?.into()),
            Long("wasip2-dir") => wasip2 = Some(parser.value()?.into()),
            Long("pattern") => pattern = Some(parser.value()?.string()?),
            other => return Err(unexpected(other)),
        }
    }
    Ok(demo::Plan {
        file: required(file, "--file")?,
        native_dir: required(native, "--native-dir")?,
        wasip1_dir: required(wasip1, "--wasip1-dir")?,
        wasip2_dir: required(wasip2, "--wasip2-dir")?,
        pattern,
    })
}

fn bench(mut parser: Parser) -> Result<bench::Plan, Error> {
    let (mut native, mut wasip1, mut simd, mut wasip2) = (None, None, None, None);
    let (mut sources, mut dir) = (None, None);
    let (mut sizes, mut filter, mut python) = (Vec::new(), None, "python3".to_owned());
    let mut wasi_cc = "clang".to_owned();
    let mut effort = bench::Plan::EFFORT;
    while let Some(arg) = parser.next()? {
        match arg {
            Long("native") => native = Some(parser.value()?.into()),
            Long("wasip1") => wasip1 = Some(parser.value()?.into()),
            Long("simd") => simd = Some(parser.value()?.into()),
            Long("wasip2") => wasip2 = Some(parser.value()?.into()),
            Long("sources") => sources = Some(parser.value()?.into()),
            Long("dir") => dir = Some(parser.value()?.into()),
            Long("size") => sizes.push((parser.value()?.into(), parser.value()?.into())),
            Long("filter") => filter = Some(parser.value()?.string()?),
            Long("python") => python = parser.value()?.string()?,
            Long("wasi-cc") => wasi_cc = parser.value()?.string()?,
            Long("rounds") => effort.rounds = parser.value()?.parse()?,
            Long("milliseconds") => effort.time = Duration::from_millis(parser.value()?.parse()?),
            other => return Err(unexpected(other)),
        }
    }
    let programs = [
        required(native, "--native")?,
        required(wasip1, "--wasip1")?,
        required(simd, "--simd")?,
        required(wasip2, "--wasip2")?,
    ];
    let (sources, dir) = (required(sources, "--sources")?, required(dir, "--dir")?);
    Ok(bench::Plan { programs, sizes, sources, dir, filter, wasi_cc, python, effort })
}

fn consumers(mut parser: Parser) -> Result<consumers::Plan, Error> {
    let (mut without, mut with, mut hosted, mut programs) = (None, None, None, Vec::new());
    while let Some(arg) = parser.next()? {
        match arg {
            Long("without") => without = Some(parser.value()?.into()),
            Long("with") => with = Some(parser.value()?.into()),
            Long("hosted") => hosted = Some(parser.value()?.into()),
            Value(program) => programs.push(program.string()?),
            other => return Err(unexpected(other)),
        }
    }
    let (without, with) = (required(without, "--without")?, required(with, "--with")?);
    Ok(consumers::Plan { without, with, hosted: required(hosted, "--hosted")?, programs })
}

/// The default number of blocks that each instance of a fleet accesses.
const BLOCKS: usize = 64;

fn placed(mut parser: Parser) -> Result<placed::Plan, Error> {
    let (mut native, mut guest, mut dir) = (None, None, None);
    let mut blocks = BLOCKS;
    while let Some(arg) = parser.next()? {
        match arg {
            Long("native") => native = Some(parser.value()?.into()),
            Long("guest") => guest = Some(parser.value()?.into()),
            Long("dir") => dir = Some(parser.value()?.into()),
            Long("blocks") => blocks = parser.value()?.parse()?,
            other => return Err(unexpected(other)),
        }
    }
    Ok(placed::Plan {
        native: required(native, "--native")?,
        guest: required(guest, "--guest")?,
        dir: required(dir, "--dir")?,
        harness: harness()?,
        blocks,
    })
}

fn fleet(mut parser: Parser) -> Result<placed::Fleet, Error> {
    let (mut module, mut dir, mut file, mut pooling, mut host_mapping) = (None, None, String::new(), false, false);
    let (mut instances, mut blocks) = (1, BLOCKS);
    while let Some(arg) = parser.next()? {
        match arg {
            Long("module") => module = Some(parser.value()?.into()),
            Long("dir") => dir = Some(parser.value()?.into()),
            Long("file") => file = parser.value()?.string()?,
            Long("instances") => instances = parser.value()?.parse()?,
            Long("blocks") => blocks = parser.value()?.parse()?,
            Long("pooling") => pooling = true,
            Long("host-mapping") => host_mapping = true,
            other => return Err(unexpected(other)),
        }
    }
    let (module, dir) = (required(module, "--module")?, required(dir, "--dir")?);
    Ok(placed::Fleet { module, dir, file, instances, blocks, pooling, host_mapping })
}

/// This program, to run it as a child process.
fn harness() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(|error| Error::Custom(error.into()))
}

/// The default number of cases or tests that run at once.
fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(MOST_JOBS))
}

fn required(value: Option<PathBuf>, option: &str) -> Result<PathBuf, Error> {
    value.ok_or_else(|| format!("{option} is missing").into())
}

/// Makes a path absolute, so that it is valid in every directory.
fn absolute(path: OsString) -> Result<PathBuf, Error> {
    std::path::absolute(PathBuf::from(path)).map_err(|error| error.to_string().into())
}

fn seconds(parser: &mut Parser) -> Result<Duration, Error> {
    Ok(Duration::from_secs(parser.value()?.parse()?))
}

fn mebibytes(parser: &mut Parser) -> Result<u64, Error> {
    Ok(parser.value()?.parse::<u32>().map(u64::from)? << 20)
}

/// Parses `NAME=VALUE`, or `NAME` for a variable of this process.
fn variable(text: OsString) -> Result<(String, String), Error> {
    let text = text.string()?;
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => match std::env::var(&text) {
            Ok(value) => Ok((text, value)),
            Err(error) => Err(format!("the variable {text} cannot be passed: {error}").into()),
        },
    }
}
