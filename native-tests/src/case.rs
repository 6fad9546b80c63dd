//! A case, and the scene that it plays on.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hasher};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portable_mmap::{Backend, Error, Mapping, MmapOptions};

use crate::counted::Source;
use crate::counts::{Bounds, Tally};

/// The name of the backend whose mappings a host has placed in a guest.
pub const HOSTED: &str = "hosted";

/// What a scene writes to standard error for each file that it maps where [`HOSTED`] is demanded. The host counts the mappings
/// that it places, and cannot have placed fewer.
pub const MAPPED_BY_HOST: &str = "a file is mapped by the host";

/// A backend that maps files: what cases are generic over.
pub trait FileBackend: Backend<Source: Source> {}
impl<B: Backend<Source: Source>> FileBackend for B {}

/// One case, over the backend `B`.
#[derive(Debug)]
pub struct Case<B: FileBackend> {
    /// `subject/what_holds`.
    pub name: &'static str,
    /// How it ends where all is well.
    pub ends: Ends,
    /// Moves hundreds of megabytes: too much for an interpreter such as Miri.
    pub large: bool,
    /// What it needs that some platforms do not have.
    pub needs: &'static [Need],
    /// What it does.
    pub run: fn(&mut Scene<B>),
}

/// What a case needs of a platform, where some platforms do not have it. The [ledger](crate::ledger) speaks of needs, so
/// that it covers a case that is added later. A test finds out what each case needs, and fails if the case says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A file can be truncated while it is mapped.
    Truncation,
    /// A guard learns where a page behind the end of a file was touched.
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

    /// The same case, which needs this.
    #[must_use]
    pub const fn needing(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }
}

/// Makes the list of cases of one subject: a case is named after its function, and what it [needs](Need) follows it.
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

/// Is called with a path.
type Watch = Box<dyn Fn(&Path)>;

/// Where a case plays: an empty directory, and a transcript.
pub struct Scene<B> {
    dir: PathBuf,
    transcript: Box<dyn FnMut(&str)>,
    lines: usize,
    /// The name of the backend that has to map the files.
    demanded: Option<String>,
    /// Is called with the path of each file that is about to be truncated behind the back of its mappings.
    before_truncation: Option<Watch>,
    backend: PhantomData<B>,
}

impl<B> std::fmt::Debug for Scene<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("dir", &self.dir).field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl<B: FileBackend> Scene<B> {
    /// A scene in an empty directory, that hands each line of its transcript to `transcript`.
    pub fn new(dir: impl Into<PathBuf>, transcript: impl FnMut(&str) + 'static) -> Self {
        Self {
            dir: dir.into(),
            transcript: Box::new(transcript),
            lines: 0,
            demanded: None,
            before_truncation: None,
            backend: PhantomData,
        }
    }

    /// The same scene, where `watch` is called with the path of each file that is about to be truncated behind the back of
    /// its mappings.
    #[must_use]
    pub fn watching_truncations(mut self, watch: impl Fn(&Path) + 'static) -> Self {
        self.before_truncation = Some(Box::new(watch));
        self
    }

    /// The same scene, where every file that is mapped has to be mapped by the backend of this name.
    #[must_use]
    pub fn demanding(mut self, backend: &str) -> Self {
        self.demanded = Some(backend.to_owned());
        self
    }

    pub(crate) fn announce_truncation(&self, name: &str) {
        if let Some(watch) = &self.before_truncation {
            watch(&self.path(name));
        }
    }

    /// How many lines the transcript has. A case that observes nothing proves nothing.
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
        let mut file = File::create(self.path(name)).expect("a file can be made in the scene's directory");
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

    /// Opens a file of the directory for reading alone.
    #[must_use]
    pub fn open_read(&self, name: &str) -> Arc<File> {
        self.open(name, OpenOptions::new().read(true))
    }

    /// What a file of the directory holds now, read through a descriptor of its own.
    #[must_use]
    pub fn content(&self, name: &str) -> Vec<u8> {
        let mut file = File::open(self.path(name)).expect("a file of the scene can be opened");
        let len = file.metadata().expect("a file has a length").len();
        let mut content = vec![0; usize::try_from(len).expect("a small file")];
        for part in content.chunks_mut(1 << 16) {
            std::io::Read::read_exact(&mut file, part).expect("a file is as long as it says");
        }
        content
    }

    /// How long a file of the directory is now.
    #[must_use]
    pub fn file_len(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).expect("a file of the scene has a length").len()
    }

    /// Maps a file with the backend under test.
    ///
    /// # Errors
    /// What mapping says.
    pub fn map(&self, options: &MmapOptions, file: &Arc<File>) -> Result<Mapping<B>, Error> {
        // SAFETY: a case borrows no slice while it changes the file behind a mapping's back.
        let map = unsafe { options.map_with::<B>(file.clone()) }?;
        if let Some(demanded) = &self.demanded {
            assert_eq!(map.backend_name(), demanded, "the backend that maps the files is the one asked for");
            if demanded == HOSTED {
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

    /// Anonymous memory of the backend under test.
    #[must_use]
    pub fn anonymous(&self, len: usize) -> Mapping<B> {
        Mapping::anonymous(len).expect("there is memory")
    }

    /// Adds a line to the transcript.
    pub fn note(&mut self, label: &str, value: impl Debug) {
        self.lines += 1;
        (self.transcript)(&format!("{label} = {value:?}"));
    }

    /// Observes a value, and demands that it is the one expected.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "so that a literal can be given")]
    pub fn eq<T: Debug + PartialEq<W>, W: Debug>(&mut self, label: &str, got: T, want: W) {
        self.note(label, &got);
        assert!(got == want, "{label}: got {got:?}, want {want:?}");
    }

    /// Observes bytes, long ones by length and hash, and demands that they are those expected.
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

    /// Observes what a file of the directory holds, and demands that it is what is expected.
    #[track_caller]
    pub fn file_is(&mut self, name: &str, want: impl AsRef<[u8]>) {
        let content = self.content(name);
        self.bytes(&format!("file {name}"), content, want);
    }

    /// Does something that may cost no more and no less than `bounds`, between the lines `counting WHAT` and
    /// `counted WHAT: BOUNDS` of the transcript. They say what is allowed and not what it was: that differs from target to
    /// target.
    ///
    /// Where the files are [`CountedFile`](crate::counted::CountedFile)s the bounds are asserted here, of the calls for
    /// files that are mapped. In a sandbox the host counts every call for any file, and asserts them between those lines.
    /// Nobody counts what an OS mapping costs. Memory is known in a sandbox only.
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

    /// Observes an error, and demands that it is this variant, or for [`Error::Io`] this kind: `"Io(PermissionDenied)"`.
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

    /// Does something to a mapping that has to fail with `variant`, and demands that bytes, length and position are as
    /// before.
    #[track_caller]
    pub fn refused<T: Debug>(
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

/// An error with its numbers, the same on every target: of what the operating system says only the kind, and no path.
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
        // A path differs from run to run, and who has no memory from backend to backend.
        Error::EmptyFile { .. } => error.name().to_owned(),
        Error::NoMemory { len, .. } => format!("NoMemory {{ len: {len} }}"),
        // The unit is the system's page, which differs by machine.
        Error::Misaligned { offset, .. } => format!("Misaligned {{ offset: {offset} }}"),
        error => format!("{error:?}"),
    }
}

/// Short bytes escaped, long ones by length and hash.
fn shown(bytes: &[u8]) -> String {
    if bytes.len() <= 80 {
        format!("b\"{}\"", bytes.escape_ascii())
    } else {
        format!("{} bytes, hash {:016x}", bytes.len(), hash(bytes))
    }
}

/// What bytes were, to be compared.
#[derive(Debug, PartialEq)]
enum Snapshot {
    /// Enough for large mappings.
    Hash(u64),
    /// An interpreter copies faster than it hashes.
    Copy(Vec<u8>),
}

impl Snapshot {
    fn of(bytes: &[u8]) -> Self {
        if cfg!(miri) { Self::Copy(bytes.to_vec()) } else { Self::Hash(hash(bytes)) }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    if cfg!(miri) {
        // Nobody compares the transcripts of an interpreter, which takes seconds for a page.
        return 0;
    }
    // Not `Hash for [u8]`, which takes the length in as a word of the target.
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
