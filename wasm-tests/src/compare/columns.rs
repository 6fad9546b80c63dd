//! The columns of the comparison: what each is, what it has to say about which subject, and which are asked for.

use native_tests::ledger::Platform;

/// What is compared: columns of one subject have the same cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The library, with the cases of its suite.
    Library,
    /// The façade of memmap2, with memmap2's own tests and its own.
    Facade,
}

impl Subject {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 2] = [Self::Library, Self::Facade];

    /// What programs call it: the word for its columns in `--columns` too.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Library => "suite",
            Self::Facade => "facade",
        }
    }

    /// What reports call its cases.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Library => "The suite of portable-mmap",
            Self::Facade => "The tests of memmap2 and of its façade",
        }
    }
}

/// One column: a way to build the suite's program, or tests, and to run them.
#[derive(Debug)]
pub struct Definition {
    /// What `--columns` calls it.
    pub key: &'static str,
    /// What tables and the ledger call it.
    pub name: &'static str,
    /// What it is, for a reader of the report.
    pub what: &'static str,
    /// Whether continuous integration demands it.
    pub ci: bool,
    /// Which exceptions it has.
    pub platform: Platform,
    /// The backend to ask for, where the program has more than that of its platform.
    pub backend: Option<&'static str>,
    /// How it is built and run.
    pub host: Host,
    /// How many times longer than on this machine itself a case may take. Emulators were measured: large cases take six to
    /// eight times as long in qemu-user, seeded scripts six times as long under Wine.
    pub patience: u32,
}

/// How a column is built and run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Here, as it is.
    Native,
    /// In wasmtime, compiled for this target.
    Wasmtime {
        /// A target of WASI.
        target: &'static str,
        /// Whether the guest is compiled for 128-bit vectors.
        simd: bool,
    },
    /// In wasmtime, which maps files into the guest's memory, compiled for this target.
    Hosted {
        /// A target of WASI.
        target: &'static str,
    },
    /// In Node's WASI.
    Node,
    /// As a program of another Linux, linked by `linker`, in `emulator` unless this machine runs it by itself.
    Linux {
        /// A target of Linux.
        target: &'static str,
        /// The C compiler that links for it.
        linker: &'static str,
        /// The program that plays its processor.
        emulator: Option<&'static str>,
    },
    /// As a program of Windows, under Wine.
    Wine,
    /// The tests of the façade instead of the suite: here, or compiled for a target of WASI in wasmtime.
    Facade {
        /// A target of WASI.
        target: Option<&'static str>,
        /// Whether the emulation stands in for mappings where there are some.
        emulated: bool,
    },
}

const MAPPED: Option<&str> = Some("mapped");
const BUFFERED: Option<&str> = Some("buffered");
const HOSTED: Option<&str> = Some(native_tests::HOSTED);

const WASIP1: Host = Host::Wasmtime { target: "wasm32-wasip1", simd: false };
const AARCH64: Host = Host::Linux {
    target: "aarch64-unknown-linux-gnu",
    linker: "aarch64-linux-gnu-gcc",
    emulator: Some("qemu-aarch64"),
};
const S390X: Host =
    Host::Linux { target: "s390x-unknown-linux-gnu", linker: "s390x-linux-gnu-gcc", emulator: Some("qemu-s390x") };
const I686: Host = Host::Linux { target: "i686-unknown-linux-gnu", linker: "i686-linux-gnu-gcc", emulator: None };

const FACADE: Host = Host::Facade { target: None, emulated: false };
const FACADE_EMULATED: Host = Host::Facade { target: None, emulated: true };
const FACADE_WASIP1: Host = Host::Facade { target: Some("wasm32-wasip1"), emulated: false };
const FACADE_WASIP2: Host = Host::Facade { target: Some("wasm32-wasip2"), emulated: false };

/// All columns, in the order of tables. A case is measured by the first that holds it.
pub const COLUMNS: &[Definition] = &[
    Definition {
        key: "mapped",
        name: "native Mapped",
        what: "this machine, mappings of its operating system",
        ci: true,
        platform: Platform::MAPPED_HERE,
        backend: MAPPED,
        host: Host::Native,
        patience: 1,
    },
    Definition {
        key: "buffered",
        name: "native Buffered",
        what: "this machine, the emulation",
        ci: true,
        platform: Platform::Buffered,
        backend: BUFFERED,
        host: Host::Native,
        patience: 1,
    },
    Definition {
        key: "wasip1",
        name: "wasip1",
        what: "WASI Preview 1 in wasmtime",
        ci: true,
        platform: Platform::BufferedWasi,
        backend: None,
        host: WASIP1,
        patience: 1,
    },
    Definition {
        key: "simd128",
        name: "wasip1 simd128",
        what: "WASI Preview 1 in wasmtime, compiled with vectors of 128 bits",
        ci: true,
        platform: Platform::BufferedWasi,
        backend: None,
        host: Host::Wasmtime { target: "wasm32-wasip1", simd: true },
        patience: 1,
    },
    Definition {
        key: "hosted",
        name: "wasip1 hosted",
        what: "WASI Preview 1 in wasmtime, which maps the files into the guest's memory",
        ci: true,
        platform: Platform::Hosted,
        backend: HOSTED,
        host: Host::Hosted { target: "wasm32-wasip1" },
        patience: 1,
    },
    Definition {
        key: "wasip2",
        name: "wasip2",
        what: "WASI Preview 2, a component, in wasmtime",
        ci: true,
        platform: Platform::BufferedWasi,
        backend: None,
        host: Host::Wasmtime { target: "wasm32-wasip2", simd: false },
        patience: 1,
    },
    Definition {
        key: "wasip2-hosted",
        name: "wasip2 hosted",
        what: "WASI Preview 2, a component, in wasmtime, which maps the files into its memory",
        ci: true,
        platform: Platform::Hosted,
        backend: HOSTED,
        host: Host::Hosted { target: "wasm32-wasip2" },
        patience: 1,
    },
    Definition {
        key: "node",
        name: "wasip1 Node",
        what: "WASI Preview 1 in Node's own implementation",
        ci: true,
        platform: Platform::BufferedNode,
        backend: None,
        host: Host::Node,
        patience: 2,
    },
    Definition {
        key: "aarch64",
        name: "aarch64 Linux",
        what: "ARM with 64 bits in qemu-user, mappings of the operating system",
        ci: false,
        platform: Platform::MappedUnix,
        backend: MAPPED,
        host: AARCH64,
        patience: 8,
    },
    Definition {
        key: "s390x",
        name: "s390x Linux",
        what: "a machine that stores numbers big end first, in qemu-user, mappings of the operating system",
        ci: false,
        platform: Platform::MappedS390x,
        backend: MAPPED,
        host: S390X,
        patience: 8,
    },
    Definition {
        key: "s390x-buffered",
        name: "s390x Buffered",
        what: "a machine that stores numbers big end first, in qemu-user, the emulation",
        ci: false,
        platform: Platform::Buffered,
        backend: BUFFERED,
        host: S390X,
        patience: 8,
    },
    Definition {
        key: "i686",
        name: "i686 Linux",
        what: "this machine with 32 bits, mappings of the operating system",
        ci: false,
        platform: Platform::MappedUnix32,
        backend: MAPPED,
        host: I686,
        patience: 1,
    },
    Definition {
        key: "windows",
        name: "Windows Mapped",
        what: "Windows under Wine, mappings of the operating system",
        ci: false,
        platform: Platform::MappedWindows,
        backend: MAPPED,
        host: Host::Wine,
        patience: 8,
    },
    Definition {
        key: "windows-buffered",
        name: "Windows Buffered",
        what: "Windows under Wine, the emulation",
        ci: false,
        platform: Platform::Buffered,
        backend: BUFFERED,
        host: Host::Wine,
        patience: 8,
    },
    Definition {
        key: "memmap2",
        name: "memmap2 native",
        what: "this machine, memmap2 itself",
        ci: true,
        platform: Platform::Memmap2,
        backend: None,
        host: FACADE,
        patience: 1,
    },
    Definition {
        key: "memmap2-emulated",
        name: "memmap2 emulated",
        what: "this machine, the emulation in the place of its mappings",
        ci: true,
        platform: Platform::Memmap2Emulated,
        backend: None,
        host: FACADE_EMULATED,
        patience: 1,
    },
    Definition {
        key: "memmap2-wasip1",
        name: "memmap2 wasip1",
        what: "WASI Preview 1 in wasmtime",
        ci: true,
        platform: Platform::Memmap2Wasip1,
        backend: None,
        host: FACADE_WASIP1,
        patience: 1,
    },
    Definition {
        key: "memmap2-wasip2",
        name: "memmap2 wasip2",
        what: "WASI Preview 2, a component, in wasmtime",
        ci: true,
        platform: Platform::Memmap2Wasip2,
        backend: None,
        host: FACADE_WASIP2,
        patience: 1,
    },
];

impl Definition {
    /// What it is a column of.
    #[must_use]
    pub fn subject(&self) -> Subject {
        if matches!(self.host, Host::Facade { .. }) { Subject::Facade } else { Subject::Library }
    }
}

/// Which columns to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every one that can run here: one that cannot is shown as absent.
    Possible,
    /// These, all of which have to run.
    Demanded(Vec<&'static str>),
}

impl Selection {
    /// Reads keys with spaces or commas between them. `ci` stands for those of continuous integration, the key of a
    /// subject for its own, `all` for all, and nothing for those that can run. A number is nothing: shells export the
    /// width of the terminal as `COLUMNS`.
    ///
    /// # Errors
    ///
    /// A key that no column has; the text names those that there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut demanded = Vec::new();
        let words = text.split([' ', ',', '\t', '\n']).filter(|word| word.contains(|c: char| !c.is_ascii_digit()));
        for word in words {
            let before = demanded.len();
            let of_several = |c: &Definition| word == "all" || word == "ci" && c.ci || word == c.subject().key();
            demanded.extend(COLUMNS.iter().filter(|c| word == c.key || of_several(c)));
            if demanded.len() == before {
                let keys: Vec<&str> = COLUMNS.iter().map(|column| column.key).collect();
                let groups = Subject::ALL.map(Subject::key).join(", ");
                return Err(format!("there is no column {word:?}: there are ci, all, {groups}, {}", keys.join(", ")));
            }
        }
        if demanded.is_empty() {
            return Ok(Self::Possible);
        }
        let is_there = |column: &&Definition| demanded.iter().any(|wanted| wanted.key == column.key);
        Ok(Self::Demanded(COLUMNS.iter().filter(is_there).map(|column| column.key).collect()))
    }

    /// The columns that are asked for, in the order of tables.
    pub fn columns(&self) -> impl Iterator<Item = &'static Definition> + '_ {
        COLUMNS.iter().filter(move |column| match self {
            Self::Possible => true,
            Self::Demanded(keys) => keys.contains(&column.key),
        })
    }

    /// Whether a column that cannot run is a failure.
    #[must_use]
    pub fn demands(&self) -> bool {
        matches!(self, Self::Demanded(_))
    }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, Selection};

    fn keys(text: &str) -> Vec<&'static str> {
        Selection::parse(text).unwrap().columns().map(|column| column.key).collect()
    }

    #[test]
    fn columns_are_asked_for_by_key_and_keep_their_order() {
        assert_eq!(keys("wasip2 mapped"), ["mapped", "wasip2"]);
        assert_eq!(keys("node,wasip1,node"), ["wasip1", "node"]);
        let facade = ["memmap2", "memmap2-emulated", "memmap2-wasip1", "memmap2-wasip2"];
        assert_eq!(keys("facade"), facade);
        let suite = ["mapped", "buffered", "wasip1", "simd128", "hosted", "wasip2", "wasip2-hosted", "node"];
        assert_eq!(keys("ci"), [&suite[..], &facade].concat());
        assert_eq!(keys("suite memmap2").len(), COLUMNS.len() - 3);
        assert_eq!(keys("all").len(), COLUMNS.len());
        let refused = Selection::parse("mapped wasip3").unwrap_err();
        assert!(refused.contains("\"wasip3\": there are ci, all, suite, facade, mapped, "), "{refused}");
    }

    #[test]
    fn no_key_asks_for_what_is_possible_and_demands_nothing() {
        assert_eq!(Selection::parse(" ").unwrap(), Selection::Possible);
        assert!(!Selection::Possible.demands());
        assert_eq!(Selection::parse("80").unwrap(), Selection::Possible);
        assert_eq!(keys("").len(), COLUMNS.len());
        assert!(Selection::parse("all").unwrap().demands());
    }

    #[test]
    fn names_and_keys_are_those_of_one_column() {
        for (index, column) in COLUMNS.iter().enumerate() {
            let others = || COLUMNS[index + 1..].iter();
            assert!(others().all(|other| other.key != column.key && other.name != column.name), "{column:?}");
        }
    }
}
