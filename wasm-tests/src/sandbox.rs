//! Runs a WASI program in wasmtime. The program is loaded once and can be run many times, each time in a new store.
//!
//! A run has access to what its [`Run`] grants and nothing else: the directories, arguments and environment given
//! there, a clock, random numbers, no network and an empty standard input. It ends by itself, or at its limits of
//! memory, time and output.
//!
//! A program may also be loaded so that the host maps files into its memory when it requests that:
//! [`Sandbox::load_with_host_mapping`].

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use native_tests::counts::Group;
use portable_mmap::host::{INTERFACE, MODULE};
use portable_mmap_wasmtime::{HostMapCtx, policy};
use wasmtime::component::Component;
use wasmtime::error::Context as _;
use wasmtime::{Config, Engine, InstancePre, Linker, Module, Store, Trap};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::bindings::sync::CommandPre;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx};

use crate::calls::guest::Guest;
use crate::calls::marks::Marks;
use crate::calls::{self, Counter, MAP};
use crate::memory::{self, Meter};
use crate::outcome::{End, OUTPUT_LIMIT, Report};

/// The default limit on the linear memory of a guest in bytes.
pub const MEMORY_LIMIT: u64 = 2 << 30;

/// The default limit on the mappings of the host that a guest has at once. No case makes more, and the areas of memory
/// that they use are fewer than a process has.
const MAPPINGS: usize = 1024;

/// Whether this system can place mappings in the memory of guests.
pub const HAS_HOST_MAPPING: bool = cfg!(unix);

/// The message on systems that cannot.
pub const NO_HOST_MAPPING: &str = "this system does not place mappings in the memory of guests";

/// The interval of the clock that ends overdue guests.
const TICK: Duration = Duration::from_millis(10);

/// How much longer than its time limit a guest may take before the sandbox stops waiting for it. An epoch ends a
/// guest's own code but not a call into the host, such as a sleep.
const GRACE: Duration = Duration::from_secs(2);

/// The layer of a core module, in bytes 4 to 8 after the magic number. That of a component is [`COMPONENT_LAYER`].
const MODULE_LAYER: [u8; 4] = [1, 0, 0, 0];

/// Version 13 of the component model's layer.
const COMPONENT_LAYER: [u8; 4] = [0x0d, 0, 1, 0];

/// A directory of the host that a guest may use.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its path on the host.
    pub host: PathBuf,
    /// Its name in the guest. Relative paths in a guest start at `/`, so `.` and `/` are the same directory.
    pub guest: String,
    /// Whether the guest may write there.
    pub perms: FsPerms,
}

/// The destination of a guest's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Into the [`Report`].
    Captured,
    /// To the standard streams of this process, as it is written. Standard input is inherited too.
    Inherited,
}

/// How a program is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    MapsFiles,
    Measured,
}

/// The settings of one run, as a builder.
#[derive(Clone, Debug)]
pub struct Run {
    args: Vec<String>,
    env: Vec<(String, String)>,
    grants: Vec<Grant>,
    memory: u64,
    mappings: usize,
    time: Option<Duration>,
    output: Output,
}

impl Run {
    /// A run of a program with the name `name`, with [`MEMORY_LIMIT`], no limit of time, captured output, and nothing
    /// else.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            args: vec![name.into()],
            env: Vec::new(),
            grants: Vec::new(),
            memory: MEMORY_LIMIT,
            mappings: MAPPINGS,
            time: None,
            output: Output::Captured,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Gives the guest a directory that it may read and write, under the name `guest`.
    #[must_use]
    pub fn dir(self, host: impl Into<PathBuf>, guest: impl Into<String>) -> Self {
        self.grant(Grant { host: host.into(), guest: guest.into(), perms: FsPerms::ReadWrite })
    }

    /// Gives the guest a directory that it may read, under the name `guest`.
    #[must_use]
    pub fn read_only_dir(self, host: impl Into<PathBuf>, guest: impl Into<String>) -> Self {
        self.grant(Grant { host: host.into(), guest: guest.into(), perms: FsPerms::ReadOnly })
    }

    /// Gives the guest a directory.
    #[must_use]
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grants.push(grant);
        self
    }

    /// Limits the sum of the linear memories of the guest to this many bytes. Growing beyond it fails, as it does if
    /// the host has no memory left.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Limits the mappings that the host places in the guest's memory to this many at once.
    #[must_use]
    pub fn mappings(mut self, mappings: usize) -> Self {
        self.mappings = mappings;
        self
    }

    /// Ends the guest when it has run this long.
    #[must_use]
    pub fn time(mut self, limit: Duration) -> Self {
        self.time = Some(limit);
        self
    }

    /// Sets the destination of output.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    fn context(&self, stdout: Marks, stderr: MemoryOutputPipe) -> wasmtime::Result<WasiP1Ctx> {
        let mut builder = WasiCtx::builder();
        // This must precede the directories, which copy it. Without it each call switches threads and costs five times
        // as much.
        builder.allow_blocking_current_thread(true);
        builder.args(&self.args).envs(&self.env);
        match self.output {
            Output::Captured => builder.stdout(stdout).stderr(stderr),
            Output::Inherited => builder.inherit_stdio(),
        };
        for Grant { host, guest, perms } in &self.grants {
            builder
                .preopened_dir(host, guest, *perms)
                .with_context(|| format!("cannot give the guest {}", host.display()))?;
        }
        Ok(builder.build_p1())
    }

    /// If the host maps files for the guest, it may map all files that it has open. Its requests are counted.
    fn host_map(&self, calls: Counter, program: &Program) -> HostMapCtx {
        let policy = move |file: &File, access| {
            calls.add(Group::Other, MAP, 0);
            policy::trusted(file, access)
        };
        let builder = HostMapCtx::builder().max_mappings(self.mappings).policy(policy);
        match program {
            Program::Module(_) => builder.build(),
            Program::Component(command) => builder.component(command.instance_pre().component()).build(),
        }
    }
}

enum Program {
    Module(InstancePre<Guest>),
    Component(CommandPre<Guest>),
}

impl Program {
    fn start(&self, store: &mut Store<Guest>) -> wasmtime::Result<()> {
        match self {
            Self::Module(module) => {
                let instance = module.instantiate(&mut *store)?;
                instance.get_typed_func::<(), ()>(&mut *store, "_start")?.call(&mut *store, ())
            }
            Self::Component(component) => {
                let command = component.instantiate(&mut *store)?;
                // A component returns `Err(())` if it failed, without a number.
                match command.wasi_cli_run().call_run(&mut *store)? {
                    Ok(()) => Ok(()),
                    Err(()) => Err(I32Exit(1).into()),
                }
            }
        }
    }
}

/// A loaded program, ready to run.
#[derive(Clone)]
pub struct Sandbox {
    engine: Engine,
    program: Arc<Program>,
    maps_files: bool,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &*self.program {
            Program::Module(_) => "module",
            Program::Component(_) => "component",
        };
        f.debug_struct("Sandbox").field("kind", &kind).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Reads and compiles a program: a Preview 1 core module or a Preview 2 component.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, is neither of the two, does not compile, or imports something that is not
    /// WASI.
    pub fn load(path: &Path) -> wasmtime::Result<Self> {
        Self::load_as(path, Kind::Plain)
    }

    /// Like [`load`](Self::load), for a program that is measured. It is compiled as wasmtime does by default, without a
    /// check of a clock in every iteration of every loop. A limit of time in its [`Run`] has no effect.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn load_to_measure(path: &Path) -> wasmtime::Result<Self> {
        Self::load_as(path, Kind::Measured)
    }

    /// Like [`load`](Self::load), for a program into whose memory the host maps files. It may map any file that it has
    /// open, so it has to be trusted as much as this program. How much of its memory was accessed is unknown.
    ///
    /// If [`HAS_HOST_MAPPING`] is false, the guest receives the result that mappings are not supported.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn load_with_host_mapping(path: &Path) -> wasmtime::Result<Self> {
        Self::load_as(path, Kind::MapsFiles)
    }

    fn load_as(path: &Path, kind: Kind) -> wasmtime::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::from_bytes(&bytes, kind).with_context(|| format!("cannot load {}", path.display()))
    }

    fn from_bytes(bytes: &[u8], kind: Kind) -> wasmtime::Result<Self> {
        let maps_files = kind == Kind::MapsFiles;
        let mut config = Config::new();
        config.epoch_interruption(kind != Kind::Measured);
        // Initial memory is small, and is copied in microseconds. To map it, wasmtime would first write it to a file,
        // during the first run, and the counts of bytes would include it.
        config.memory_init_cow(false);
        if maps_files {
            portable_mmap_wasmtime::configure(&mut config);
        } else {
            memory::configure(&mut config);
        }
        let engine = Engine::new(&config)?;
        let layer = bytes.strip_prefix(b"\0asm").and_then(|rest| rest.first_chunk());
        let program = match layer {
            Some(&MODULE_LAYER) => {
                let module = Module::from_binary(&engine, bytes)?;
                let mut linker = Linker::<Guest>::new(&engine);
                p1::add_to_linker_sync(&mut linker, |guest| &mut guest.wasi)?;
                calls::p1::shadow(&mut linker, maps_files)?;
                if maps_files {
                    portable_mmap_wasmtime::p1::add_to_linker_sync(&mut linker)?;
                }
                let imports = module.imports().any(|import| import.module() == MODULE);
                Program::Module(advise(linker.instantiate_pre(&module), imports && !maps_files)?)
            }
            Some(&COMPONENT_LAYER) => {
                let component = Component::from_binary(&engine, bytes)?;
                let mut linker = wasmtime::component::Linker::<Guest>::new(&engine);
                wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
                calls::p2::shadow(&mut linker)?;
                if maps_files {
                    portable_mmap_wasmtime::p2::add_to_linker_sync(&mut linker)?;
                }
                let imports = component.component_type().imports(&engine).any(|(name, _)| name == INTERFACE);
                let component = advise(linker.instantiate_pre(&component), imports && !maps_files)?;
                Program::Component(CommandPre::new(component)?)
            }
            _ => wasmtime::bail!("neither a WebAssembly module nor a component"),
        };
        tick(&engine);
        // Starts wasmtime-wasi's threads now, and not during the first run.
        wasmtime_wasi::runtime::in_tokio(async {});
        Ok(Self { engine, program: Arc::new(program), maps_files })
    }

    /// Runs the program once, in a new store.
    ///
    /// # Errors
    ///
    /// Fails only if the run cannot start, for example because a directory does not exist. The report describes
    /// everything that the guest does.
    pub fn run(&self, run: &Run) -> wasmtime::Result<Report> {
        let (stdout, stderr) = (MemoryOutputPipe::new(OUTPUT_LIMIT), MemoryOutputPipe::new(OUTPUT_LIMIT));
        let memory = Meter::new(run.memory);
        let calls = Counter::new(self.maps_files);
        let wasi = run.context(Marks::new(stdout.clone(), calls.clone()), stderr.clone())?;
        let host_map = run.host_map(calls.clone(), &self.program);
        let mut store = Store::new(&self.engine, Guest { wasi, calls: calls.clone(), memory, host_map });
        if self.maps_files {
            // SAFETY: the data stays in its store, which this function and the guest's thread own one after the other:
            // the context is not moved out of it or swapped, and `into_data` is not called. The engine allocates its
            // memories itself, and has no protection keys. The guest is the harness's own, or belongs to the user who
            // requested mappings, and so is trusted not to change a file while the host borrows its memory: it has one
            // thread, which waits for the host then.
            unsafe { portable_mmap_wasmtime::attach(&mut store) }?;
        }
        store.limiter(|guest| &mut guest.memory);
        let ticks = run.time.map(|limit| limit.as_millis() / TICK.as_millis() + 1);
        // The default is half of the largest number, so that adding it to the current epoch does not overflow.
        let ticks = ticks.and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or(u64::MAX / 2);
        store.set_epoch_deadline(ticks);

        // The guest runs on its own thread, which is abandoned if the guest never returns from a call into the host.
        let program = Arc::clone(&self.program);
        let (done, ended) = channel();
        let start = Instant::now();
        let guest = thread::Builder::new().name("guest".into()).spawn(move || {
            let result = program.start(&mut store);
            let time = start.elapsed();
            let memory = (store.data().memory.most, store.data().memory.over_limit);
            // Memory and files are released before the report is sent.
            drop(store);
            // The receiver is gone if the sandbox has stopped waiting for the guest.
            let _ = done.send((result, time, memory));
        })?;
        let received = match run.time {
            Some(limit) => ended.recv_timeout(limit + GRACE),
            None => ended.recv().map_err(RecvTimeoutError::from),
        };
        let (end, time, (memory, memory_over_limit)) = match received {
            Ok((result, time, memory)) => (end_of(result), time, memory),
            Err(RecvTimeoutError::Timeout) => (End::TimedOut, start.elapsed(), (0, None)),
            Err(RecvTimeoutError::Disconnected) => match guest.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => unreachable!("the thread sends before it ends"),
            },
        };
        let (stdout, stderr) = (stdout.contents().into(), stderr.contents().into());
        Ok(Report { end, stdout, stderr, time, memory, memory_over_limit, calls: Some(calls.take()) })
    }
}

/// Adds advice to the error for a program that imports the functions of a host that maps files, if this host does not.
fn advise<T>(linked: wasmtime::Result<T>, lacks_host: bool) -> wasmtime::Result<T> {
    if !lacks_host {
        return linked;
    }
    linked.context(
        "it is built with the feature host-mapping, so its host must map files: run it with `wasm-tests run \
         --host-mapping`, or build it without the feature",
    )
}

fn end_of(result: wasmtime::Result<()>) -> End {
    let Err(error) = result else { return End::Exited(0) };
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return End::Exited(*code);
    }
    match error.downcast_ref() {
        Some(Trap::Interrupt) => End::TimedOut,
        Some(trap) => End::Trapped(trap.to_string()),
        None => End::Trapped(format!("{error:#}")),
    }
}

/// Advances the engine's epoch every [`TICK`], as long as the engine lives.
fn tick(engine: &Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        loop {
            thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => break,
            }
        }
    });
}
