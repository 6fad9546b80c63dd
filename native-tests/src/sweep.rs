//! Fault sweeps: an act on a mapping runs again and again, and each time another call of the storage fails, until every
//! call has failed once. After each failure nothing is lost and nothing is half done.

use std::fmt::Write as _;
use std::io::{self, ErrorKind};

use portable_mmap::{Error, MmapOptions};

use crate::others::{PAGE, pattern};
use crate::storages::{Emulated, Op};
use crate::{FileBackend, Scene};

/// An act on the mapping. It returns its result as bytes.
pub type Act<E = Error> = fn(&mut Emulated) -> Result<Vec<u8>, E>;

/// How an act fails.
#[derive(Debug)]
pub enum Failure {
    /// With an error of this crate.
    Call(Error),
    /// Through a trait of std, with the error of the storage.
    Trait(io::Error),
}

impl Failure {
    /// The failed operation, and the error kind of the storage; `None` for another error.
    fn cause(&self) -> Option<(String, ErrorKind)> {
        match self {
            Self::Call(Error::Io { operation, source, .. }) => Some((operation.to_string(), source.kind())),
            Self::Call(_) => None,
            Self::Trait(error) => Some((String::from("a trait's call"), error.kind())),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Trait(error)
    }
}

/// The number of pages of the storage before the last one, which is not complete.
const PAGES: usize = 4;

/// The label in transcripts of the number of calls that a sweep has made fail, one in each run. `make faults` adds them
/// up.
const FAILED: &str = "calls failed";

/// The position before the act.
const POSITION: u64 = 6;

/// The content of the storage: lines, the first of them longer than a page.
fn content() -> Vec<u8> {
    let mut content = pattern(PAGES * PAGE + 100);
    for byte in [PAGE + 20, PAGE + 40, 3 * PAGE] {
        content[byte] = b'\n';
    }
    for byte in (9..PAGE).step_by(251) {
        content[byte] = b'.';
    }
    content
}

/// A mapping in use: some pages are loaded, some changed, one of them in more than 32 places; some changes cross the
/// border of two pages; other pages are not touched.
fn stage(options: &MmapOptions) -> Emulated {
    let mut e = Emulated::with(options, content());
    e.map.set_slice(10..13, b"new").expect("a change");
    e.map.set_item(20, 0).expect("a change");
    let (border, many) = (3 * PAGE - 2, 2 * PAGE + 100);
    e.map.range_mut(border..border + 4).expect("a change").fill(0);
    e.map.range_mut(many..many + 80).expect("a change").iter_mut().step_by(2).for_each(|byte| *byte = 0);
    e.map.seek(std::io::SeekFrom::Start(POSITION)).expect("the position is in the mapping");
    let _ = e.rig.take();
    e
}

/// The observable state of a mapping and its storage.
#[derive(Debug, PartialEq, Eq)]
struct State {
    /// `None` if it is closed.
    bytes: Option<Vec<u8>>,
    position: u64,
    storage: Vec<u8>,
}

fn state(e: &Emulated) -> State {
    let bytes = (!e.map.is_closed()).then(|| e.map.get_slice(..).expect("it can be read without faults"));
    State { bytes, position: e.map.tell(), storage: e.memory.content() }
}

/// Writes everything back, and returns the bytes of the storage.
fn finish(e: &mut Emulated) -> Vec<u8> {
    if !e.map.is_closed() {
        e.map.flush().expect("it can be flushed without faults");
        let bytes = e.map.get_slice(..).expect("it can be read without faults");
        assert!(bytes == e.memory.content(), "the storage has the bytes of the mapping");
        assert!(bytes == e.memory.durable(), "and so does its disk, whichever sync failed");
        e.map.close().expect("it can be closed without faults");
    }
    e.memory.content()
}

/// Whether each byte is the old one or that of the mapping, and the length is unchanged.
#[must_use]
pub fn is_partly_written(before: &[u8], own: &[u8], now: &[u8]) -> bool {
    // Compared in pieces, and byte by byte only in pieces that differ, because Miri is slow at single bytes.
    const PIECE: usize = 256;
    now.len() == before.len()
        && own.len() == now.len()
        && now.chunks(PIECE).zip(before.chunks(PIECE)).zip(own.chunks(PIECE)).all(|((now, old), own)| {
            now == old || now == own || now.iter().zip(old).zip(own).all(|((now, old), own)| now == old || now == own)
        })
}

/// The same for a storage.
fn is_storage_partly_written(before: &State, now: &[u8]) -> bool {
    is_partly_written(&before.storage, before.bytes.as_deref().unwrap_or_default(), now)
}

/// Sweeps an act over all its calls, and adds the result of each run to the transcript.
///
/// An act that fails leaves bytes, length and position unchanged, and has written at most a part of the changes to the
/// storage. Run again, it ends as if nothing had failed.
pub fn sweep<B: FileBackend, E: Into<Failure>>(scene: &mut Scene<B>, name: &str, options: &MmapOptions, act: Act<E>) {
    let act = |e: &mut Emulated| act(e).map_err(Into::into);
    let before = state(&stage(options));
    let mut quiet = stage(options);
    let answer = act(&mut quiet).unwrap_or_else(|e| panic!("{name} succeeds if no call fails: {e:?}"));
    let after = state(&quiet);
    let finished = finish(&mut quiet);

    let (mut ends, mut failed) = (String::new(), 0);
    for failing in 0.. {
        let mut has_failed = false;
        // In one run the mapping is read after the failure; in the other it is not touched before the act runs again.
        for look in [true, false] {
            let mut e = stage(options);
            e.rig.fail(None, failing, 1, ErrorKind::TimedOut);
            let result = act(&mut e);
            has_failed = e.rig.has_failed();
            e.rig.mend();
            let context = format!("{name}, call {failing} fails, read afterwards: {look}");
            let got = match result {
                Ok(got) => got,
                Err(error) => {
                    assert!(has_failed, "{context}: an error without a cause: {error:?}");
                    let Some((operation, kind)) = error.cause() else { panic!("{context}: {error:?}") };
                    assert!(kind == ErrorKind::TimedOut, "{context}: {error:?}");
                    if look {
                        write!(ends, "{operation}, ").expect("writing to a string succeeds");
                        let now = state(&e);
                        assert!(now.bytes == before.bytes, "{context}: the bytes are unchanged");
                        assert!(now.position == before.position, "{context}: the position is unchanged");
                        assert!(
                            is_storage_partly_written(&before, &now.storage),
                            "{context}: the storage is unchanged"
                        );
                    }
                    act(&mut e).unwrap_or_else(|error| panic!("{context}: it fails once more: {error:?}"))
                }
            };
            assert!(got == answer, "{context}: the result is the same in the end");
            let now = state(&e);
            assert!(now.bytes == after.bytes, "{context}: the bytes are the same in the end");
            assert!(now.position == after.position, "{context}: the position is the same in the end");
            assert!(finish(&mut e) == finished, "{context}: the storage is the same in the end");
        }
        if !has_failed {
            break;
        }
        failed += 1;
        assert!(failing < 1000, "{name}: its calls end");
    }
    scene.note(name, ends.trim_end_matches(", "));
    scene.note(FAILED, failed);
}

/// Sweeps the call that maps: an error leaves the storage unchanged.
pub fn sweep_mapping<B: FileBackend>(scene: &mut Scene<B>, name: &str, options: &MmapOptions) {
    let (mut ends, mut failed) = (String::new(), 0);
    for failing in 0.. {
        let (memory, rig) = (crate::storages::Memory::new(content()), crate::storages::Rig::default());
        rig.fail(None, failing, 1, ErrorKind::TimedOut);
        let mapped = options.map_storage(rig.around(memory.clone()));
        let has_failed = rig.has_failed();
        rig.mend();
        failed += usize::from(has_failed);
        match mapped {
            Ok(map) => {
                let len = map.as_slice().expect("it can be read without faults").len();
                assert!(len == memory.content().len(), "{name}: all of it is mapped");
                // Advice may have failed without an error.
                if !has_failed {
                    break;
                }
            }
            Err(error) => {
                let Error::Io { operation, source, .. } = &error else {
                    panic!("{name}, call {failing} fails: {error}")
                };
                assert!(has_failed && source.kind() == ErrorKind::TimedOut, "{name}, call {failing} fails: {error}");
                assert!(memory.content() == content(), "{name}, call {failing} fails: the storage is unchanged");
                write!(ends, "{operation}, ").expect("writing to a string succeeds");
            }
        }
    }
    scene.note(name, ends.trim_end_matches(", "));
    scene.note(FAILED, failed);
}

/// Makes all calls of one kind fail from each call on, and drops the mapping: nothing panics, and the storage is at
/// most partly written.
pub fn sweep_drop<B: FileBackend>(scene: &mut Scene<B>, op: Option<Op>) {
    let before = state(&stage(&MmapOptions::new()));
    let mut kept = 0;
    for failing in 0.. {
        let e = stage(&MmapOptions::new());
        e.rig.fail(op, failing, usize::MAX, ErrorKind::TimedOut);
        let Emulated { memory, map, .. } = e;
        drop(map);
        let storage = memory.content();
        assert!(
            is_storage_partly_written(&before, &storage),
            "call {failing} fails: the storage is at most partly written"
        );
        if Some(&storage) == before.bytes.as_ref() {
            break;
        }
        kept += 1;
        assert!(failing < 1000, "its calls end");
    }
    scene.eq("drops that could not write all", kept > 0, true);
    scene.note(FAILED, kept);
}
