//! The columns of the comparison: what each is, what it has to say about which subject, and which are asked for.

use native_tests::ledger::Platform;

pub use super::table::COLUMNS;

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
    /// In another host, by its key in [`hosts`](crate::hosts).
    Guest {
        /// The key.
        key: &'static str,
        /// One of its targets.
        target: &'static str,
    },
    /// As a program of another Linux, linked by `linker`, in `emulator` unless this machine runs it by itself.
    Linux {
        /// A target of Linux.
        target: &'static str,
        /// The C compiler that links for it.
        linker: &'static str,
        /// The program that plays its processor, with its options; nothing where this machine has it.
        emulator: &'static [&'static str],
    },
    /// As a program of Windows, under Wine.
    Wine,
    /// The tests of the façade instead of the suite: here, or compiled for a target of WASI in wasmtime.
    Facade {
        /// A target of WASI.
        target: Option<&'static str>,
        /// Whose mappings they have.
        mappings: Mappings,
    },
}

/// Whose mappings the tests of the façade have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mappings {
    /// Those of memmap2 where files can be mapped, and else those of the emulation.
    Own,
    /// Those of the emulation, in place of memmap2's.
    Emulated,
    /// Those that wasmtime places in the guest's memory.
    Hosted,
}

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
        let facade = [
            "memmap2",
            "memmap2-emulated",
            "memmap2-wasip1",
            "memmap2-wasip1-hosted",
            "memmap2-wasip2",
            "memmap2-wasip2-hosted",
        ];
        assert_eq!(keys("facade"), facade);
        let suite = ["mapped", "buffered", "wasip1", "simd128", "hosted", "wasip2", "wasip2-hosted"];
        let hosts = ["node", "wasmtime-oldest", "wasmtime-newest"];
        assert_eq!(keys("ci"), [&suite[..], &hosts, &facade].concat());
        assert_eq!(keys("suite memmap2").len(), COLUMNS.len() - 5);
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
