//! A guest that does nothing by itself: tests call its functions.

use std::fmt::Write as _;
use std::ops::Range;

use portable_mmap::FaultKind;
use portable_mmap::host::{MODULE, read_fault_word};
use wasmtime::{Instance, Memory, Result, Store, Val, ValType};

use super::{Data, host};

/// Memory of two pages that may grow. The second page contains a data segment.
pub(crate) const TWO_PAGES: &str = r#"(memory (export "memory") 2) (data (i32.const 65536) "segment")"#;

const WASI: &str = "wasi_snapshot_preview1";

/// The imports of the guest, which it exports again with its own functions, because the host searches for the memory of
/// the caller.
const IMPORTS: [(&str, &str, &str, &str); 15] = [
    (MODULE, "map", "i64 i64 i32 i32 i32", "i32"),
    (MODULE, "unmap", "i32", "i32"),
    (MODULE, "sync", "i32 i32 i32 i32", "i32"),
    (MODULE, "advise", "i32 i32 i32 i32", "i32"),
    (MODULE, "refresh", "i32 i32 i32", "i32"),
    (MODULE, "fault", "i32", "i64"),
    (MODULE, "lost", "i32 i32", "i32"),
    (WASI, "path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32", "i32"),
    (WASI, "fd_close", "i32", "i32"),
    (WASI, "fd_filestat_get", "i32 i32", "i32"),
    (WASI, "fd_filestat_set_size", "i32 i64", "i32"),
    (WASI, "fd_read", "i32 i32 i32 i32", "i32"),
    (WASI, "fd_tell", "i32 i32", "i32"),
    (WASI, "fd_pread", "i32 i32 i32 i64 i32", "i32"),
    (WASI, "fd_pwrite", "i32 i32 i32 i64 i32", "i32"),
];

/// The guest's own code.
const CODE: &str = r#"
    (func (export "load") (param i32) (result i32) local.get 0 i32.load8_u)
    (func (export "store") (param i32 i32) local.get 0 local.get 1 i32.store8)
    (func (export "fill") (param i32 i32 i32) local.get 0 local.get 1 local.get 2 memory.fill)
    (func (export "copy") (param i32 i32 i32) local.get 0 local.get 1 local.get 2 memory.copy)
    (func (export "copy16") (param i32 i32) local.get 0 local.get 1 i32.const 16 memory.copy)
    (func (export "grow") (param i32) (result i32) local.get 0 memory.grow)
    (func (export "trap") unreachable)
    (func (export "spin") (loop br 0))
"#;

/// The guest's module with this memory.
pub(crate) fn text(memory: &str) -> String {
    let (mut imports, mut wrappers) = (String::new(), String::new());
    for (module, name, parameters, result) in IMPORTS {
        let signature = format!("(param {parameters}) (result {result})");
        _ = writeln!(imports, r#"(import "{module}" "{name}" (func ${name} {signature}))"#);
        let mut arguments = String::new();
        for i in 0..parameters.split(' ').count() {
            _ = write!(arguments, "local.get {i} ");
        }
        _ = writeln!(wrappers, r#"(func (export "{name}") {signature} {arguments} call ${name})"#);
    }
    let code = if memory.contains("i64") { "" } else { CODE };
    format!("(module {imports} {memory} {wrappers} {code})")
}

/// The rights of WASI Preview 1 with which a file is opened.
pub(crate) const READ: i64 = 1 << 1 | 1 << 21;
pub(crate) const WRITE: i64 = 1 << 6 | 1 << 22;

/// The descriptor of the directory.
const DIR: i64 = 3;

/// The address of the arguments and results of the guest's calls of WASI.
const SCRATCH: usize = 1024;

/// A store with its guest.
pub(crate) struct Guest {
    pub(crate) store: Store<Data>,
    instance: Instance,
    is_async: bool,
}

impl Guest {
    pub(crate) fn new(store: Store<Data>, instance: Instance, is_async: bool) -> Self {
        Self { store, instance, is_async }
    }

    /// Calls a function of the guest, which returns a number or nothing.
    pub(crate) fn try_call(&mut self, name: &str, arguments: &[i64]) -> Result<i64> {
        let function = self.instance.get_func(&mut self.store, name).unwrap_or_else(|| panic!("no function {name}"));
        let ty = function.ty(&self.store);
        let value = |(ty, &number): (ValType, &i64)| match ty {
            ValType::I32 => Val::I32(number as i32),
            _ => Val::I64(number),
        };
        assert_eq!(ty.params().len(), arguments.len(), "arguments of {name}");
        let arguments: Vec<Val> = ty.params().zip(arguments).map(value).collect();
        let mut results = vec![Val::I32(0); ty.results().len()];
        if self.is_async {
            let call = function.call_async(&mut self.store, &arguments, &mut results);
            wasmtime_wasi::runtime::in_tokio(call)?;
        } else {
            function.call(&mut self.store, &arguments, &mut results)?;
        }
        Ok(match results.first() {
            Some(Val::I32(number)) => i64::from(*number),
            Some(Val::I64(number)) => *number,
            _ => 0,
        })
    }

    pub(crate) fn call(&mut self, name: &str, arguments: &[i64]) -> i64 {
        self.try_call(name, arguments).unwrap_or_else(|error| panic!("{name}({arguments:?}): {error:?}"))
    }

    pub(crate) fn memory(&mut self) -> Memory {
        self.instance.get_memory(&mut self.store, "memory").expect("a memory")
    }

    /// Bytes of the guest's memory, as the host reads them.
    pub(crate) fn bytes(&mut self, range: Range<usize>) -> Vec<u8> {
        let memory = self.memory();
        memory.data(&self.store)[range].to_vec()
    }

    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        let memory = self.memory();
        memory.write(&mut self.store, at, bytes).unwrap();
    }

    pub(crate) fn load(&mut self, at: usize) -> u8 {
        u8::try_from(self.call("load", &[at as i64])).unwrap()
    }

    pub(crate) fn store(&mut self, at: usize, byte: u8) {
        self.call("store", &[at as i64, byte.into()]);
    }

    /// Opens a file of the directory, and returns its descriptor.
    pub(crate) fn open(&mut self, name: &str, rights: i64) -> i64 {
        self.write(SCRATCH, name.as_bytes());
        let (path, len, fd) = (SCRATCH as i64, name.len() as i64, 512);
        let opened = self.call("path_open", &[DIR, 0, path, len, 0, rights, rights, 0, fd]);
        assert_eq!(opened, 0, "the guest opens {name}");
        i64::from(u32::from_le_bytes(self.bytes(512..516).try_into().unwrap()))
    }

    pub(crate) fn close(&mut self, fd: i64) {
        assert_eq!(self.call("fd_close", &[fd]), 0);
    }

    /// The inode number that WASI reports to the guest.
    pub(crate) fn inode(&mut self, fd: i64) -> i64 {
        assert_eq!(self.call("fd_filestat_get", &[fd, 512]), 0);
        i64::from_le_bytes(self.bytes(520..528).try_into().unwrap())
    }

    /// Opens a file of the directory for reading and writing, and returns its inode.
    pub(crate) fn open_inode(&mut self, name: &str) -> i64 {
        let fd = self.open(name, READ | WRITE);
        self.inode(fd)
    }

    pub(crate) fn set_size(&mut self, fd: i64, size: usize) {
        assert_eq!(self.call("fd_filestat_set_size", &[fd, size as i64]), 0);
    }

    /// Reads all of these bytes of a file into the guest's memory with WASI.
    pub(crate) fn pread(&mut self, fd: i64, at: usize, len: usize, offset: usize) {
        let mut done = 0;
        while done < len {
            let read = self.read_some(fd, &[[at + done, len - done]], Some(offset + done));
            assert!(read > 0, "the file has {len} bytes at {offset}");
            done += read;
        }
    }

    /// Reads some bytes of a file, at an offset or at its position, into buffers of the guest's memory with WASI.
    pub(crate) fn read_some(&mut self, fd: i64, buffers: &[[usize; 2]], offset: Option<usize>) -> usize {
        let words = buffers.as_flattened().iter().flat_map(|&number| u32::try_from(number).unwrap().to_le_bytes());
        let words: Vec<u8> = words.collect();
        self.write(SCRATCH, &words);
        let (iovs, count) = (SCRATCH as i64, buffers.len() as i64);
        let errno = match offset {
            Some(offset) => self.call("fd_pread", &[fd, iovs, count, offset as i64, 512]),
            None => self.call("fd_read", &[fd, iovs, count, 512]),
        };
        assert_eq!(errno, 0);
        u32::from_le_bytes(self.bytes(512..516).try_into().unwrap()) as usize
    }

    /// The position of a file.
    pub(crate) fn tell(&mut self, fd: i64) -> usize {
        assert_eq!(self.call("fd_tell", &[fd, 512]), 0);
        usize::try_from(u64::from_le_bytes(self.bytes(512..520).try_into().unwrap())).unwrap()
    }

    /// Requests a mapping. Returns a handle, 0, or a negative errno.
    pub(crate) fn map(&mut self, inode: i64, offset: usize, at: usize, len: usize, flags: u32) -> i64 {
        self.call("map", &[inode, offset as i64, at as i64, len as i64, flags.into()])
    }

    /// Maps a file, which must succeed.
    pub(crate) fn mapped(&mut self, inode: i64, offset: usize, at: usize, len: usize, flags: u32) -> i64 {
        let handle = self.map(inode, offset, at, len, flags);
        assert!(handle > 0, "map returns {handle}");
        handle
    }

    pub(crate) fn unmap(&mut self, handle: i64) {
        assert_eq!(self.call("unmap", &[handle]), 0);
    }

    pub(crate) fn sync(&mut self, handle: i64, offset: usize, len: usize, how: u32) -> i64 {
        self.call("sync", &[handle, offset as i64, len as i64, how.into()])
    }

    pub(crate) fn refresh(&mut self, handle: i64, offset: usize, len: usize) -> i64 {
        self.call("refresh", &[handle, offset as i64, len as i64])
    }

    pub(crate) fn fault(&mut self, handle: i64) -> Option<(u32, FaultKind)> {
        let word = self.call("fault", &[handle]);
        assert!(word >= 0, "fault returns {word}");
        read_fault_word(word)
    }

    pub(crate) fn lost(&mut self, handle: i64, offset: usize) -> i64 {
        self.call("lost", &[handle, offset as i64])
    }

    /// How many mappings the store has.
    pub(crate) fn mappings(&self) -> usize {
        self.store.data().host_map.mappings()
    }

    /// How many areas of the process's memory lie in the address range that the guest's memory may grow to.
    pub(crate) fn areas(&mut self) -> usize {
        let memory = self.memory();
        let start = memory.data_ptr(&self.store).addr();
        let list = std::fs::read_to_string("/proc/self/maps").unwrap();
        let starts = list.lines().map(|line| usize::from_str_radix(line.split('-').next().unwrap(), 16).unwrap());
        starts.filter(|&area| (start..start + (4 << 30)).contains(&area)).count()
    }

    /// Checks that the bytes at `at` are those of a file from `offset` on.
    #[track_caller]
    pub(crate) fn assert_shows(&mut self, at: usize, file: &std::fs::File, offset: usize, len: usize) {
        assert!(self.bytes(at..at + len) == host::read(file, offset, len), "the bytes at {at} are those of the file");
    }

    #[track_caller]
    pub(crate) fn assert_zeros(&mut self, range: Range<usize>) {
        assert!(self.bytes(range.clone()).iter().all(|&byte| byte == 0), "the bytes at {range:?} are zeros");
    }
}
