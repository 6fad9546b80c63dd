//! A component that does nothing by itself: tests call its functions.

use std::fmt::Write as _;
use std::fs::File;
use std::ops::Range;

use portable_mmap::host::INTERFACE;
use portable_mmap_wasmtime::{HostMapCtxBuilder, HostMapView as _, attach, p2};
use wasmtime::component::{Component as Loaded, Instance, Linker, Val};
use wasmtime::{Result, Store};
use wasmtime_wasi::{FsPerms, OpenMode};

use super::host::add_open_file;
use super::{BLOCK, Data, Host, HostKind, Scene, host, trusting};

/// The interface of the host, as a component imports it.
const IMPORT: &str = r#"
    (type $kind' (enum "private" "shared"))
    (export "kind" (type $kind (eq $kind')))
    (type $how' (enum "visible" "disk" "dirty"))
    (export "how" (type $how (eq $how')))
    (type $advice' (enum "normal" "sequential" "random" "will-need" "dont-need"))
    (export "advice" (type $advice (eq $advice')))
    (type $error' (enum "access" "address-in-use" "address-not-available" "bad-descriptor" "fault" "invalid" "io"
        "too-many-mappings" "no-device" "no-memory" "no-space" "unsupported" "past-end" "not-permitted"))
    (export "error-code" (type $error (eq $error')))
    (type $fault-kind' (enum "truncated" "io"))
    (export "fault-kind" (type $fault-kind (eq $fault-kind')))
    (type $fault' (record (field "offset" u64) (field "kind" $fault-kind)))
    (export "fault" (type $fault (eq $fault')))
    (export "mapped" (type $mapped (sub resource)))
    (export "[method]mapped.sync" (func (param "self" (borrow $mapped)) (param "offset" u64) (param "len" u64)
        (param "how" $how) (result (result (error $error)))))
    (export "[method]mapped.advise" (func (param "self" (borrow $mapped)) (param "offset" u64) (param "len" u64)
        (param "advice" $advice) (result (result (error $error)))))
    (export "[method]mapped.refresh" (func (param "self" (borrow $mapped)) (param "offset" u64) (param "len" u64)
        (result (result (error $error)))))
    (export "[method]mapped.fault" (func (param "self" (borrow $mapped))
        (result (result (option $fault) (error $error)))))
    (export "[method]mapped.lost" (func (param "self" (borrow $mapped)) (param "offset" u64)
        (result (result bool (error $error)))))
    (export "place" (func (param "file" u64) (param "offset" u64) (param "len" u64) (param "origin" (list u8))
        (param "first" (list u8)) (param "last" (list u8)) (param "kind" $kind)
        (result (result (option (own $mapped)) (error $error)))))
"#;

/// The functions that are lowered for the component's code: the name there, the name in the interface, and the
/// parameters of the code's import. Each takes the address of its result last.
const CALLS: [(&str, &str, &str); 6] = [
    ("place", "place", "i64 i64 i64 i32 i32 i32 i32 i32 i32 i32"),
    ("sync", "[method]mapped.sync", "i32 i64 i64 i32"),
    ("advise", "[method]mapped.advise", "i32 i64 i64 i32"),
    ("refresh", "[method]mapped.refresh", "i32 i64 i64"),
    ("fault", "[method]mapped.fault", "i32"),
    ("lost", "[method]mapped.lost", "i32 i64"),
];

/// The component's own code. The result of a call is at 256, in 32 bytes that were 0.
const CODE: &str = r#"
    (func (export "drop") (param i32) local.get 0 call $drop)
    (func (export "word") (param i32) (result i64) local.get 0 i64.load)
    (func (export "load") (param i32) (result i32) local.get 0 i32.load8_u)
    (func (export "store") (param i32 i32) local.get 0 local.get 1 i32.store8)
    (func (export "fill") (param i32 i32 i32) local.get 0 local.get 1 local.get 2 memory.fill)
    (func (export "grow") (param i32) (result i32) local.get 0 memory.grow)
    (func (export "trap") unreachable)
"#;

const RESULT: i64 = 256;

/// The parameters of a function in types of the component model.
fn lifted(parameters: &str) -> String {
    let mut text = String::new();
    for (i, ty) in parameters.split_whitespace().enumerate() {
        _ = write!(text, r#"(param "p{i}" {}) "#, if ty == "i32" { "u32" } else { "u64" });
    }
    text
}

/// A component whose functions use this memory, with a name so that one component can contain several of them.
fn part(name: &str, memory: &str) -> String {
    let (mut lowered, mut given, mut imports, mut wrappers, mut exports) =
        (String::new(), String::new(), String::new(), String::new(), String::new());
    for (call, function, parameters) in CALLS {
        _ = writeln!(
            lowered,
            r#"(core func ${call}-{name} (canon lower (func $mapping "{function}") (memory $memory-{name} "memory")))"#
        );
        _ = writeln!(given, r#"(export "{call}" (func ${call}-{name}))"#);
        _ = writeln!(imports, r#"(import "host" "{call}" (func ${call} (param {parameters} i32)))"#);
        let mut arguments = String::new();
        for i in 0..parameters.split(' ').count() {
            _ = write!(arguments, "local.get {i} ");
        }
        _ = writeln!(
            wrappers,
            r#"(func (export "{call}") (param {parameters}) i32.const {RESULT} i32.const 0 i32.const 32 memory.fill
                {arguments} i32.const {RESULT} call ${call})"#
        );
        _ = writeln!(
            exports,
            r#"(func (export "{call}{name}") {} (canon lift (core func $main-{name} "{call}")))"#,
            lifted(parameters)
        );
    }
    for (function, parameters, result) in [
        ("drop", "i32", ""),
        ("word", "i32", "(result u64)"),
        ("load", "i32", "(result u32)"),
        ("store", "i32 i32", ""),
        ("fill", "i32 i32 i32", ""),
        ("grow", "i32", "(result u32)"),
        ("trap", "", ""),
    ] {
        _ = writeln!(
            exports,
            r#"(func (export "{function}{name}") {} {result} (canon lift (core func $main-{name} "{function}")))"#,
            lifted(parameters)
        );
    }
    format!(
        r#"
        (core module $memories-{name} {memory})
        (core instance $memory-{name} (instantiate $memories-{name}))
        {lowered}
        (core func $drop-{name} (canon resource.drop $mapped))
        (core module $code-{name}
            {imports}
            (import "host" "drop" (func $drop (param i32)))
            (import "memory" "memory" (memory 0))
            {wrappers}
            {CODE})
        (core instance $main-{name} (instantiate $code-{name}
            (with "host" (instance {given} (export "drop" (func $drop-{name}))))
            (with "memory" (instance $memory-{name}))))
        {exports}
        "#
    )
}

/// The import of the host's interface.
pub(crate) fn import() -> String {
    format!(r#"(import "{INTERFACE}" (instance $mapping {IMPORT})) (alias export $mapping "mapped" (type $mapped))"#)
}

/// A component with these memories: the names of the functions of the second memory end with 1, and so on.
pub(crate) fn text(memories: &[&str]) -> String {
    let parts: String = memories
        .iter()
        .enumerate()
        .map(|(i, memory)| part(&if i == 0 { String::new() } else { i.to_string() }, memory))
        .collect();
    format!("(component {} {parts})", import())
}

/// A host of components.
pub(crate) struct ComponentHost {
    pub(crate) host: Host,
    pub(crate) component: Loaded,
    linker: Linker<Data>,
    is_async: bool,
    dir: std::path::PathBuf,
}

impl Scene {
    /// A host of this component, with room for one at a time if they come from a pool.
    pub(crate) fn components_of(&self, text: &str) -> ComponentHost {
        let host = self.host_of(super::guest::TWO_PAGES, 1, |_, pool| {
            pool.total_memories(3).total_core_instances(16).total_component_instances(1);
        });
        let component = Loaded::new(&host.engine, text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let mut linker = Linker::new(&host.engine);
        let is_async = self.kind == HostKind::Async;
        if is_async {
            p2::add_to_linker_async(&mut linker).unwrap();
        } else {
            p2::add_to_linker_sync(&mut linker).unwrap();
        }
        ComponentHost { host, component, linker, is_async, dir: self.dir.clone() }
    }

    /// A host of components with memory of two pages.
    pub(crate) fn components(&self) -> ComponentHost {
        self.components_of(&text(&[super::guest::TWO_PAGES]))
    }
}

impl ComponentHost {
    /// A store with a context of this builder. It is not attached.
    pub(crate) fn store(&self, ctx: &HostMapCtxBuilder) -> Store<Data> {
        self.host.store(ctx, &self.dir, FsPerms::ReadWrite)
    }

    /// An instance of the component in this store.
    pub(crate) fn instance(&self, mut store: Store<Data>) -> Result<Guest> {
        let instance = if self.is_async {
            wasmtime_wasi::runtime::in_tokio(self.linker.instantiate_async(&mut store, &self.component))?
        } else {
            self.linker.instantiate(&mut store, &self.component)?
        };
        Ok(Guest { store, instance, is_async: self.is_async })
    }

    /// An instance in an attached store whose context has the component and lets it map every file. Its first memory
    /// has grown by 64 MiB.
    pub(crate) fn guest(&self) -> Guest {
        self.guest_with(&trusting().component(&self.component))
    }

    pub(crate) fn guest_with(&self, ctx: &HostMapCtxBuilder) -> Guest {
        let mut store = self.store(ctx);
        // SAFETY: the context stays in the data and has the component, and tests that change a file do not borrow the
        // memory meanwhile.
        unsafe { attach(&mut store) }.unwrap();
        let mut guest = self.instance(store).unwrap();
        assert!(guest.call("grow", &[1024]) >= 0, "there is memory to grow into");
        guest
    }
}

/// A store with its component.
pub(crate) struct Guest {
    pub(crate) store: Store<Data>,
    instance: Instance,
    is_async: bool,
}

/// A request for a mapping. Each list is an address and a length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) file: i64,
    pub(crate) offset: i64,
    pub(crate) len: i64,
    pub(crate) origin: [i64; 2],
    pub(crate) first: [i64; 2],
    pub(crate) last: [i64; 2],
    pub(crate) flags: u32,
}

impl Place {
    /// The correct request for `len` bytes of a file at `at`.
    pub(crate) fn new(file: i64, at: usize, len: usize, flags: u32) -> Self {
        let last = at + len.next_multiple_of(BLOCK) - 1;
        let [first, last] = [at, last].map(|at| [at as i64, 1]);
        Self { file, offset: 0, len: len as i64, origin: [0, 1], first, last, flags }
    }
}

/// What a call returns: the bytes of the canonical ABI, as a number.
pub(crate) type Outcome<R> = std::result::Result<R, &'static str>;

/// The errors of the interface, in its order.
const ERRORS: [&str; 14] = [
    "access",
    "address-in-use",
    "address-not-available",
    "bad-descriptor",
    "fault",
    "invalid",
    "io",
    "too-many-mappings",
    "no-device",
    "no-memory",
    "no-space",
    "unsupported",
    "past-end",
    "not-permitted",
];

impl Guest {
    /// Calls a function of the component, which returns a number or nothing.
    pub(crate) fn try_call(&mut self, name: &str, arguments: &[i64]) -> Result<i64> {
        let function = self.instance.get_func(&mut self.store, name).unwrap_or_else(|| panic!("no function {name}"));
        let ty = function.ty(&self.store);
        let value = |((_, ty), &number): ((&str, wasmtime::component::Type), &i64)| match ty {
            wasmtime::component::Type::U32 => Val::U32(number.cast_unsigned() as u32),
            _ => Val::U64(number.cast_unsigned()),
        };
        assert_eq!(ty.params().len(), arguments.len(), "arguments of {name}");
        let arguments: Vec<Val> = ty.params().zip(arguments).map(value).collect();
        let mut results = vec![Val::U32(0); ty.results().len()];
        if self.is_async {
            let call = function.call_async(&mut self.store, &arguments, &mut results);
            wasmtime_wasi::runtime::in_tokio(call)?;
        } else {
            function.call(&mut self.store, &arguments, &mut results)?;
        }
        Ok(match results.first() {
            Some(Val::U32(number)) => i64::from(number.cast_signed()),
            Some(Val::U64(number)) => number.cast_signed(),
            _ => 0,
        })
    }

    pub(crate) fn call(&mut self, name: &str, arguments: &[i64]) -> i64 {
        self.try_call(name, arguments).unwrap_or_else(|error| panic!("{name}({arguments:?}): {error:?}"))
    }

    /// A call of the host in the memory `part`, and the words that it has written.
    fn make_request(&mut self, call: &str, part: &str, arguments: &[i64]) -> [i64; 4] {
        self.call(&format!("{call}{part}"), arguments);
        [0, 8, 16, 24].map(|word| self.call(&format!("word{part}"), &[RESULT + word]))
    }

    /// Requests a mapping in the memory `part`.
    pub(crate) fn place_in(&mut self, part: &str, place: Place) -> Outcome<Option<i64>> {
        let Place { file, offset, len, origin, first, last, flags } = place;
        let lists = [origin, first, last].concat();
        let arguments = [&[file, offset, len], &lists[..], &[flags.into()]].concat();
        let [word, handle, ..] = self.make_request("place", part, &arguments);
        result(word, word >> 32).map(|is_some| (is_some == 1).then_some(handle & 0xffff_ffff))
    }

    pub(crate) fn place(&mut self, place: Place) -> Outcome<Option<i64>> {
        self.place_in("", place)
    }

    /// Maps the start of a file, which must succeed.
    #[track_caller]
    pub(crate) fn mapped(&mut self, file: i64, at: usize, len: usize, flags: u32) -> i64 {
        self.place(Place::new(file, at, len, flags)).expect("it is mapped").expect("mappings are supported")
    }

    pub(crate) fn drop_mapped(&mut self, handle: i64) {
        self.call("drop", &[handle]);
    }

    pub(crate) fn sync(&mut self, handle: i64, offset: i64, len: i64, how: u32) -> Outcome<()> {
        let [word, ..] = self.make_request("sync", "", &[handle, offset, len, how.into()]);
        result(word, word >> 8).map(drop)
    }

    pub(crate) fn advise(&mut self, handle: i64, offset: i64, len: i64, advice: u32) -> Outcome<()> {
        let [word, ..] = self.make_request("advise", "", &[handle, offset, len, advice.into()]);
        result(word, word >> 8).map(drop)
    }

    pub(crate) fn refresh(&mut self, handle: i64, offset: i64, len: i64) -> Outcome<()> {
        let [word, ..] = self.make_request("refresh", "", &[handle, offset, len]);
        result(word, word >> 8).map(drop)
    }

    /// The page of the first fault, and whether it is an error of the disk.
    pub(crate) fn fault(&mut self, handle: i64) -> Outcome<Option<(i64, bool)>> {
        let [word, value, offset, kind] = self.make_request("fault", "", &[handle]);
        result(word, value).map(|is_some| (is_some == 1).then_some((offset, kind & 0xff == 1)))
    }

    pub(crate) fn lost(&mut self, handle: i64, offset: i64) -> Outcome<bool> {
        let [word, ..] = self.make_request("lost", "", &[handle, offset]);
        result(word, word >> 8).map(|lost| lost == 1)
    }

    pub(crate) fn load(&mut self, at: usize) -> u8 {
        u8::try_from(self.call("load", &[at as i64])).unwrap()
    }

    pub(crate) fn store(&mut self, at: usize, byte: u8) {
        self.call("store", &[at as i64, byte.into()]);
    }

    /// The bytes of the memory `part`.
    pub(crate) fn bytes_in(&mut self, part: &str, range: Range<usize>) -> Vec<u8> {
        let word = format!("word{part}");
        range.step_by(8).flat_map(|at| self.call(&word, &[at as i64]).to_le_bytes()).collect()
    }

    pub(crate) fn bytes(&mut self, range: Range<usize>) -> Vec<u8> {
        self.bytes_in("", range)
    }

    /// Checks that the block at `at` contains the start of a file.
    #[track_caller]
    pub(crate) fn assert_shows(&mut self, at: usize, file: &File) {
        assert!(self.bytes(at..at + BLOCK) == host::read(file, 0, BLOCK), "the bytes at {at} are those of the file");
    }

    #[track_caller]
    pub(crate) fn assert_zeros(&mut self, range: Range<usize>) {
        assert!(self.bytes(range.clone()).iter().all(|&byte| byte == 0), "the bytes at {range:?} are zeros");
    }

    /// How many mappings the store has.
    pub(crate) fn mappings(&self) -> usize {
        self.store.data().host_map.mappings()
    }

    /// Opens a file for the component for reading and writing. Returns its inode.
    pub(crate) fn open(&mut self, file: &File) -> i64 {
        add_open_file(&mut self.store, file, FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE)
    }

    /// Closes all its files.
    pub(crate) fn close_all(&mut self) {
        *self.store.data_mut().host_map().table = wasmtime::component::ResourceTable::new();
    }
}

/// A result of the interface: its first byte marks an error, and the lowest byte of `value` is the value or the error.
fn result(word: i64, value: i64) -> Outcome<i64> {
    let value = value & 0xff;
    if word.to_le_bytes()[0] == 0 { Ok(value) } else { Err(ERRORS[usize::try_from(value).unwrap()]) }
}
