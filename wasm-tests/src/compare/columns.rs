//! The columns of the comparison: their definitions, their subjects, and the selection of columns.

use native_tests::ledger::Platform;

pub use super::table::COLUMNS;

/// The subject of a comparison. Columns of one subject have the same cases.
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

    /// Its name for programs. In `--columns` it stands for its columns.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Library => "suite",
            Self::Facade => "facade",
        }
    }

    /// The title of its cases in reports.
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
    /// Its name in `--columns`.
    pub key: &'static str,
    /// Its name in tables and in the ledger.
    pub name: &'static str,
    /// A description for readers of the report.
    pub what: &'static str,
    /// Whether continuous integration requires it.
    pub ci: bool,
    /// The platform, which determines its exceptions.
    pub platform: Platform,
    /// The backend to select, if the program has more than the one of its platform.
    pub backend: Option<&'static str>,
    /// How it is built and run.
    pub host: Host,
    /// The time limit of a case, as a multiple of the limit on this machine itself. It is measured for emulators: large
    /// cases take six to eight times as long in qemu-user, seeded scripts six times as long under Wine.
    pub time_factor: u32,
}

/// How a column is built and run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// On this machine, without an emulator.
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
    /// As a program of another Linux, linked by `linker`, in `emulator` unless this machine can run it itself.
    Linux {
        /// A target of Linux.
        target: &'static str,
        /// The C compiler that links for it.
        linker: &'static str,
        /// The program that emulates its processor, with its options; empty if this machine has that processor.
        emulator: &'static [&'static str],
    },
    /// As a program of Windows, under Wine.
    Wine,
    /// The tests of the façade instead of the suite: here, or compiled for a target of WASI in wasmtime.
    Facade {
        /// A target of WASI.
        target: Option<&'static str>,
        /// The mappings that they use.
        mappings: Mappings,
    },
}

/// The mappings that the tests of the façade use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mappings {
    /// Those of memmap2 on targets that can map files, and otherwise those of the emulation.
    Own,
    /// Those of the emulation, instead of memmap2's.
    Emulated,
    /// Those that wasmtime places in the guest's memory.
    Hosted,
}

impl Definition {
    /// The subject of the column.
    #[must_use]
    pub fn subject(&self) -> Subject {
        if matches!(self.host, Host::Facade { .. }) { Subject::Facade } else { Subject::Library }
    }
}

/// Which columns to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All columns that can run here. A column that cannot run is shown as absent.
    Possible,
    /// These, all of which have to run.
    Required(Vec<&'static str>),
}

impl Selection {
    /// Parses keys with spaces or commas between them. `ci` stands for the columns of continuous integration, the key
    /// of a subject for its columns, `all` for all columns, and no key for those that can run. Numbers are ignored,
    /// because shells export the width of the terminal as `COLUMNS`.
    ///
    /// # Errors
    ///
    /// Fails if no column has a key; the text lists the keys.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut required = Vec::new();
        let words = text.split([' ', ',', '\t', '\n']).filter(|word| word.contains(|c: char| !c.is_ascii_digit()));
        for word in words {
            let before = required.len();
            let of_several = |c: &Definition| word == "all" || word == "ci" && c.ci || word == c.subject().key();
            required.extend(COLUMNS.iter().filter(|c| word == c.key || of_several(c)));
            if required.len() == before {
                let keys: Vec<&str> = COLUMNS.iter().map(|column| column.key).collect();
                let groups = Subject::ALL.map(Subject::key).join(", ");
                return Err(format!("there is no column {word:?}: there are ci, all, {groups}, {}", keys.join(", ")));
            }
        }
        if required.is_empty() {
            return Ok(Self::Possible);
        }
        let is_there = |column: &&Definition| required.iter().any(|wanted| wanted.key == column.key);
        Ok(Self::Required(COLUMNS.iter().filter(is_there).map(|column| column.key).collect()))
    }

    /// The selected columns, in the order of tables.
    pub fn columns(&self) -> impl Iterator<Item = &'static Definition> + '_ {
        COLUMNS.iter().filter(move |column| match self {
            Self::Possible => true,
            Self::Required(keys) => keys.contains(&column.key),
        })
    }

    /// Whether a column that cannot run is a failure.
    #[must_use]
    pub fn requires_all(&self) -> bool {
        matches!(self, Self::Required(_))
    }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, Selection};

    fn keys(text: &str) -> Vec<&'static str> {
        Selection::parse(text).unwrap().columns().map(|column| column.key).collect()
    }

    #[test]
    fn columns_are_selected_by_key_and_keep_their_order() {
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
        let hosts = ["node", "wasmtime-oldest", "wasmtime-newest", "wasip2-wasmtime-newest"];
        assert_eq!(keys("ci"), [&suite[..], &hosts, &facade].concat());
        assert_eq!(keys("suite memmap2").len(), COLUMNS.len() - 5);
        assert_eq!(keys("all").len(), COLUMNS.len());
        let error = Selection::parse("mapped wasip3").unwrap_err();
        assert!(error.contains("\"wasip3\": there are ci, all, suite, facade, mapped, "), "{error}");
    }

    #[test]
    fn no_key_selects_possible_columns_and_requires_none() {
        assert_eq!(Selection::parse(" ").unwrap(), Selection::Possible);
        assert!(!Selection::Possible.requires_all());
        assert_eq!(Selection::parse("80").unwrap(), Selection::Possible);
        assert_eq!(keys("").len(), COLUMNS.len());
        assert!(Selection::parse("all").unwrap().requires_all());
    }

    #[test]
    fn names_and_keys_are_unique() {
        for (index, column) in COLUMNS.iter().enumerate() {
            let others = || COLUMNS[index + 1..].iter();
            assert!(others().all(|other| other.key != column.key && other.name != column.name), "{column:?}");
        }
    }
}
