//! Cases, and the scenes in which they run.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hasher};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portable_mmap::{Backend, Error, Mapping, MmapOptions};

use crate::counted::Source;
use crate::counts::{Bounds, Tally};

/// The name of the backend of hosted mappings.
pub const HOSTED: &str = "hosted";

/// A scene that requires [`HOSTED`] prints this to standard error for each file that it maps. The host checks that it
/// has placed at least as many mappings.
pub const MAPPED_BY_HOST: &str = "a file is mapped by the host";

/// A backend that maps files. Cases are generic over it.
pub trait FileBackend: Backend<Source: Source> {}
impl<B: Backend<Source: Source>> FileBackend for B {}

/// One case, over the backend `B`.
#[derive(Debug)]
pub struct Case<B: FileBackend> {
    /// `subject/what_holds`.
    pub name: &'static str,
    /// How the case ends if it passes.
    pub ends: Ends,
    /// Whether it moves hundreds of megabytes, which is too much for Miri.
    pub large: bool,
    /// The properties that it needs and that some platforms do not have.
    pub needs: &'static [Need],
    /// The function of the case.
    pub run: fn(&mut Scene<B>),
}

/// A property that some platforms do not have. The [ledger](crate::ledger) can list a need instead of names, so that it
/// covers cases that are added later. A test measures the needs of each case, and fails if the case lists others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A file can be truncated while it is mapped.
    Truncation,
    /// A guard gets the address of a fault.
    FaultAddress,
}

/// How a case ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// It returns.
    Finishing,
    /// It panics, and the message contains this text.
    Panicking(&'static str),
}

impl<B: FileBackend> Case<B> {
    /// A case that returns.
    pub const fn finishing(name: &'static str, run: fn(&mut Scene<B>)) -> Self {
        Self { name, ends: Ends::Finishing, large: false, needs: &[], run }
    }

    /// A case that moves hundreds of megabytes.
    pub const fn large(name: &'static str, run: fn(&mut Scene<B>)) -> Self {
        Self { name, ends: Ends::Finishing, large: true, needs: &[], run }
    }

    /// A case whose last act panics with a message that contains `text`.
    pub const fn panicking(name: &'static str, text: &'static str, run: fn(&mut Scene<B>)) -> Self {
        Self { name, ends: Ends::Panicking(text), large: false, needs: &[], run }
    }

    /// The same case with these needs.
    #[must_use]
    pub const fn needing(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }
}

/// Makes the list of cases of one subject. A case is named after its function; its [needs](Need) follow it.
///
/// `cases!("slice": a, b [Truncation]; panicking c "text"; large d)`
#[macro_export]
macro_rules! cases {
    ($subject:literal: $($case:ident $([$($need:ident),+])?),* $(; panicking $panicking:ident $text:literal)* $(; large $large:ident)* $(;)?) => {
        /// The cases of this subject.
        #[must_use]
        pub(super) fn cases<B: $crate::FileBackend>() -> Vec<$crate::Case<B>> {
            vec![
                $($crate::Case::finishing(concat!($subject, "/", stringify!($case)), $case::<B>)
                    .needing(&[$($($crate::Need::$need),+)?]),)*
                $($crate::Case::panicking(concat!($subject, "/", stringify!($panicking)), $text, $panicking::<B>),)*
                $($crate::Case::large(concat!($subject, "/", stringify!($large)), $large::<B>),)*
            ]
        }
    };
}

/// A function that is called with a path.
type Watch = Box<dyn Fn(&Path)>;

/// The environment of a case: an empty directory, and a transcript.
pub struct Scene<B> {
    dir: PathBuf,
    transcript: Box<dyn FnMut(&str)>,
    lines: usize,
    /// The name of the backend that has to map files, if one is required.
    required: Option<String>,
    /// Called with the path of each file just before the case truncates it while it may be mapped.
    before_truncation: Option<Watch>,
    backend: PhantomData<B>,
}

impl<B> std::fmt::Debug for Scene<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("dir", &self.dir).field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl<B: FileBackend> Scene<B> {
    /// Makes a scene in an empty directory. It passes each line of its transcript to `transcript`.
    pub fn new(dir: impl Into<PathBuf>, transcript: impl FnMut(&str) + 'static) -> Self {
        Self {
            dir: dir.into(),
            transcript: Box::new(transcript),
            lines: 0,
            required: None,
            before_truncation: None,
            backend: PhantomData,
        }
    }

    /// Calls `watch` with the path of each file just before the case truncates it while it may be mapped.
    #[must_use]
    pub fn watching_truncations(mut self, watch: impl Fn(&Path) + 'static) -> Self {
        self.before_truncation = Some(Box::new(watch));
        self
    }

    /// Requires that the backend with this name maps every file.
    #[must_use]
    pub fn requiring(mut self, backend: &str) -> Self {
        self.required = Some(backend.to_owned());
        self
    }

    pub(crate) fn announce_truncation(&self, name: &str) {
        if let Some(watch) = &self.before_truncation {
            watch(&self.path(name));
        }
    }

    /// The number of lines of the transcript. A case with an empty transcript tests nothing.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of a file in the directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes a file and opens it for reading and writing.
    #[must_use]
    pub fn file(&self, name: &str, content: &[u8]) -> Arc<File> {
        self.announce_truncation(name);
        // In steps: one call that moves 128 MiB fails on some hosts.
        let mut file = File::create(self.path(name)).expect("a file can be created in the scene's directory");
        for part in content.chunks(1 << 20) {
            std::io::Write::write_all(&mut file, part).expect("a file in the scene's directory can be written");
        }
        self.open(name, OpenOptions::new().read(true).write(true))
    }

    /// Opens a file of the directory.
    #[must_use]
    pub fn open(&self, name: &str, options: &OpenOptions) -> Arc<File> {
        Arc::new(options.open(self.path(name)).unwrap_or_else(|e| panic!("{name} can be opened: {e}")))
    }

    /// Opens a file of the directory only for reading.
    #[must_use]
    pub fn open_read(&self, name: &str) -> Arc<File> {
        self.open(name, OpenOptions::new().read(true))
    }

    /// Returns the bytes of a file of the directory, read through a new descriptor.
    #[must_use]
    pub fn content(&self, name: &str) -> Vec<u8> {
        let mut file = File::open(self.path(name)).expect("a file of the scene can be opened");
        let len = file.metadata().expect("a file has a length").len();
        let mut content = vec![0; usize::try_from(len).expect("a small file")];
        for part in content.chunks_mut(1 << 16) {
            std::io::Read::read_exact(&mut file, part).expect("a file has the length that it reports");
        }
        content
    }

    /// The length of a file of the directory.
    #[must_use]
    pub fn file_len(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).expect("a file of the scene has a length").len()
    }

    /// Maps a file with the backend under test.
    ///
    /// # Errors
    /// Those of mapping.
    pub fn map(&self, options: &MmapOptions, file: &Arc<File>) -> Result<Mapping<B>, Error> {
        // SAFETY: a case borrows no slice while it changes a file in another way than through the mapping.
        let map = unsafe { options.map_with::<B>(file.clone()) }?;
        if let Some(required) = &self.required {
            assert_eq!(map.backend_name(), required, "the required backend maps the file");
            if required == HOSTED {
                eprintln!("{MAPPED_BY_HOST}");
            }
        }
        Ok(map)
    }

    /// Writes a file and maps the whole of it for reading and writing.
    #[must_use]
    pub fn mapped(&self, name: &str, content: &[u8]) -> Mapping<B> {
        self.map(&MmapOptions::new(), &self.file(name, content)).expect("a file that is not empty can be mapped")
    }

    /// Makes anonymous memory with the backend under test.
    #[must_use]
    pub fn anonymous(&self, len: usize) -> Mapping<B> {
        Mapping::anonymous(len).expect("there is memory")
    }

    /// Adds a line to the transcript.
    pub fn note(&mut self, label: &str, value: impl Debug) {
        self.lines += 1;
        (self.transcript)(&format!("{label} = {value:?}"));
    }

    /// Adds a value to the transcript, and requires that it is the expected one.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "so that a literal can be given")]
    pub fn eq<T: Debug + PartialEq<W>, W: Debug>(&mut self, label: &str, got: T, want: W) {
        self.note(label, &got);
        assert!(got == want, "{label}: got {got:?}, want {want:?}");
    }

    /// Adds bytes to the transcript, long ones by length and hash, and requires that they are the expected ones.
    #[track_caller]
    pub fn bytes(&mut self, label: &str, got: impl AsRef<[u8]>, want: impl AsRef<[u8]>) {
        let (got, want) = (got.as_ref(), want.as_ref());
        self.lines += 1;
        (self.transcript)(&format!("{label} = {}", shown(got)));
        if got != want {
            let at = got.iter().zip(want).position(|(g, w)| g != w).unwrap_or(got.len().min(want.len()));
            panic!("{label}: got {}, want {}; they differ at byte {at}", shown(got), shown(want));
        }
    }

    /// Adds the bytes of a file of the directory to the transcript, and requires that they are the expected ones.
    #[track_caller]
    pub fn file_is(&mut self, name: &str, want: impl AsRef<[u8]>) {
        let content = self.content(name);
        self.bytes(&format!("file {name}"), content, want);
    }

    /// Runs `act`, whose cost has to be within `bounds`, between the lines `counting WHAT` and `counted WHAT: BOUNDS`
    /// of the transcript. The lines have the bounds and not the cost, because the cost differs by target.
    ///
    /// If the files are [`CountedFile`](crate::counted::CountedFile)s, the bounds are checked here, for the calls on
    /// mapped files. In a sandbox the host counts every call on any file between these lines, and checks the bounds.
    /// The cost of an OS mapping is not counted. Memory is only counted in a sandbox.
    #[track_caller]
    pub fn counted<T>(&mut self, what: &str, bounds: impl Into<Bounds>, act: impl FnOnce(&mut Self) -> T) -> T {
        let bounds = bounds.into();
        self.lines += 2;
        (self.transcript)(&format!("counting {what}"));
        let before = B::Source::tally();
        let value = act(self);
        let tally = before.zip(B::Source::tally()).map(|(before, after)| after.since(&before));
        (self.transcript)(&format!("counted {what}: {bounds}"));
        let broken = bounds.broken(|kind| tally.as_ref()?.count(kind));
        assert!(broken.is_empty(), "counted {what}: {} ({})", broken.join("; "), tally.unwrap_or(Tally::new()));
        value
    }

    /// Adds an error to the transcript, and requires that it is this variant, or for [`Error::Io`] this kind:
    /// `"Io(PermissionDenied)"`.
    #[track_caller]
    pub fn err<T: Debug>(&mut self, label: &str, result: Result<T, Error>, variant: &str) -> Error {
        match result {
            Ok(value) => panic!("{label}: got {value:?}, want the error {variant}"),
            Err(error) => {
                self.lines += 1;
                (self.transcript)(&format!("{label} = {}", describe(&error)));
                let name = match &error {
                    Error::Io { source, .. } => format!("Io({:?})", source.kind()),
                    error => error.name().to_owned(),
                };
                assert!(name == variant, "{label}: got {}, want the error {variant}", describe(&error));
                error
            }
        }
    }

    /// Runs a call on a mapping that has to fail with `variant`, and requires that bytes, length and position are
    /// unchanged.
    #[track_caller]
    pub fn fails<T: Debug>(
        &mut self,
        label: &str,
        map: &mut Mapping<B>,
        variant: &str,
        act: impl FnOnce(&mut Mapping<B>) -> Result<T, Error>,
    ) {
        let before = (map.tell(), map.len(), Snapshot::of(map));
        let result = act(map).map(|value| format!("{value:?}"));
        self.err(label, result, variant);
        let after = (map.tell(), map.len(), Snapshot::of(map));
        assert!(before == after, "{label}: position, length and bytes were {before:?}, and are {after:?}");
    }
}

/// Describes an error with its numbers, in the same way on every target: of an error of the operating system only the
/// kind, and no path.
#[must_use]
pub fn describe(error: &Error) -> String {
    match error {
        Error::Io { operation, offset, len, source, .. } => {
            format!("Io {{ {operation}, offset: {offset}, len: {len}, {:?} }}", source.kind())
        }
        Error::OffsetPastEnd { offset, size, .. } => format!("OffsetPastEnd {{ offset: {offset}, size: {size} }}"),
        Error::LengthPastEnd { offset, len, size, .. } => {
            format!("LengthPastEnd {{ offset: {offset}, len: {len}, size: {size} }}")
        }
        Error::Truncated { offset, len, size, .. } => {
            format!("Truncated {{ offset: {offset}, len: {len}, size: {size} }}")
        }
        // A path differs by run, and the source of a lack of memory by backend.
        Error::EmptyFile { .. } => error.name().to_owned(),
        Error::NoMemory { len, .. } => format!("NoMemory {{ len: {len} }}"),
        // The size of the unit differs by machine.
        Error::Misaligned { offset, unit, .. } => format!("Misaligned {{ offset: {offset}, unit: {unit:?} }}"),
        error => format!("{error:?}"),
    }
}

/// Shows short bytes escaped, long ones by length and hash.
fn shown(bytes: &[u8]) -> String {
    if bytes.len() <= 80 {
        format!("b\"{}\"", bytes.escape_ascii())
    } else {
        format!("{} bytes, hash {:016x}", bytes.len(), hash(bytes))
    }
}

/// A former state of bytes, to compare with.
#[derive(Debug, PartialEq)]
enum Snapshot {
    /// A hash, which is enough for large mappings.
    Hash(u64),
    /// A copy, because Miri copies faster than it hashes.
    Copy(Vec<u8>),
}

impl Snapshot {
    fn of(bytes: &[u8]) -> Self {
        if cfg!(miri) { Self::Copy(bytes.to_vec()) } else { Self::Hash(hash(bytes)) }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    if cfg!(miri) {
        // Miri takes seconds to hash a page, and its transcripts are not compared.
        return 0;
    }
    // Not `Hash for [u8]`, which also hashes the length as a word of the target.
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
