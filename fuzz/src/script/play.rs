//! Runs a script: each step on the mappings and on the model, and then compares all observable state.

use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use portable_mmap::{Access, Fault, FaultKind, Flags, Mapping, MmapOptions};

use super::call::{Call, Outcome, Value, outcome};
use super::file::{File, MAX_PAGES, PAGE};
use super::input::{Context, Input, Kind, MapRequest, Operation, SLOTS, Step};
use super::memory::Observation;
use super::rows::{Backend, Row};
use super::view::View;
use super::window::Window;

/// The one file of this process, without a name, and in memory if the system has such a directory.
struct SharedFile {
    /// The file for mappings.
    mapped: Arc<std::fs::File>,
    /// The same file, opened again, for other writers.
    others: std::fs::File,
}

fn shared_file() -> &'static SharedFile {
    static FILE: OnceLock<SharedFile> = OnceLock::new();
    FILE.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let file = if memory.is_dir() { tempfile::tempfile_in(memory) } else { tempfile::tempfile() };
        let mapped = file.expect("a temporary file can be created");
        let path = format!("/proc/self/fd/{}", mapped.as_raw_fd());
        let others = OpenOptions::new().read(true).write(true).open(path).expect("an open file can be opened again");
        SharedFile { mapped: Arc::new(mapped), others }
    })
}

/// The initial content of files: lines of few letters, or bytes without a pattern.
fn content(is_text: bool) -> &'static [u8] {
    static CONTENTS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let make = || {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        let bytes: Vec<u8> = (0..MAX_PAGES * PAGE).map(|_| next()).collect();
        [bytes.iter().map(|byte| b"abc\n"[usize::from(byte % 4)]).collect(), bytes]
    };
    let [text, bytes] = CONTENTS.get_or_init(make);
    if is_text { text } else { bytes }
}

/// The observable state of a mapping.
struct Shown {
    len: usize,
    position: u64,
    fault: Option<Fault>,
    is_closed: bool,
}

/// A mapping of any backend.
trait AnyMapping {
    fn perform(&mut self, call: &Call) -> Outcome;
    fn shown(&self) -> Shown;
}

impl<B: portable_mmap::Backend> AnyMapping for Mapping<B> {
    fn perform(&mut self, call: &Call) -> Outcome {
        call.perform(self)
    }

    fn shown(&self) -> Shown {
        Shown { len: self.len(), position: self.tell(), fault: self.fault(), is_closed: self.is_closed() }
    }
}

/// A mapping and its model.
struct Pair {
    map: Box<dyn AnyMapping>,
    view: View,
}

/// A step in the message of a finding.
#[derive(Debug)]
#[expect(dead_code, reason = "it is printed")]
enum LoggedStep {
    Map(usize, MapRequest),
    Drop(usize),
    Write { at: usize, len: usize },
    SetLen(usize),
    Look(usize, Call),
    Call(usize, Call),
}

/// Mappings of one file, and the model.
struct Player {
    backends: [Backend; SLOTS],
    file: &'static SharedFile,
    model: File,
    pairs: [Option<Pair>; SLOTS],
    has_cuts: bool,
    is_text: bool,
    log: Vec<LoggedStep>,
}

/// Runs a script, and panics if the mappings and the model differ.
pub(super) fn play(backends: [Backend; SLOTS], input: &Input) {
    assert!(portable_mmap::Mmap::page_size() == PAGE, "scripts are for systems with pages of {PAGE} bytes");
    let content = &content(input.is_text)[..input.len.of_file(0)];
    let file = shared_file();
    file.others.set_len(0).and_then(|()| file.others.write_all_at(content, 0)).expect("the file can be written");
    let mut player = Player {
        backends,
        file,
        model: File::new(content),
        pairs: [const { None }; SLOTS],
        has_cuts: input.has_cuts,
        is_text: input.is_text,
        log: Vec::new(),
    };
    let played = input.steps.iter().try_for_each(|step| player.step(*step)).and_then(|()| player.end());
    if let Err(Stop::Finding(finding)) = played {
        panic!("{finding}\n{}", player.state(content.len()));
    }
}

/// The reason why a script ends before its last step.
enum Stop {
    /// A difference.
    Finding(String),
    /// A page is zeros, and both a lost page and a loaded one can be; or a change is in the page with the file's end.
    /// The model cannot determine the following states.
    Unknown,
}

type Checked<T = ()> = Result<T, Stop>;

fn finding<T>(text: impl Into<String>) -> Checked<T> {
    Err(Stop::Finding(text.into()))
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: std::io::Error) -> Stop {
    Stop::Finding(format!("the file cannot be used: {error}"))
}

impl Player {
    fn step(&mut self, step: Step) -> Checked {
        let slot = usize::from(step.slot) % SLOTS;
        match step.operation() {
            Operation::Map => self.map(slot, step.map_request())?,
            Operation::Call(kind) => self.mapped_call(slot, step, kind)?,
            Operation::Drop => self.drop(slot),
            Operation::Write => {
                let (at, bytes) = step.write(self.is_text);
                if !bytes.is_empty() {
                    self.log.push(LoggedStep::Write { at, len: bytes.len() });
                    self.file.others.write_all_at(&bytes, at as u64).map_err(failed)?;
                    self.model.write(at, &bytes);
                }
            }
            Operation::SetLen => {
                let (len, old) = (step.file_len(), self.model.size());
                if len >= old || self.has_cuts {
                    self.set_len(len)?;
                }
                if len < old && self.has_cuts && step.grows_again() {
                    self.set_len(old)?;
                }
            }
        }
        self.check_file()
    }

    /// Describes the steps, the initial length of the file, and the mappings, for the message of a finding.
    fn state(&self, len: usize) -> String {
        let log: Vec<_> = self.log.iter().map(|step| format!("{:.200}", format!("{step:?}"))).collect();
        let pair = |(pair, backend): (&Option<Pair>, &Backend)| match pair {
            None => format!("{backend:?}: none"),
            Some(Pair { view, .. }) => format!(
                "{backend:?}: {:?}, guard {}, position {}, fault {:?}",
                view.bytes.window(),
                view.bytes.has_guard(),
                view.position,
                view.bytes.fault()
            ),
        };
        let pairs: Vec<_> = self.pairs.iter().zip(&self.backends).map(pair).collect();
        let (log, pairs, size) = (log.join("\n"), pairs.join("\n"), self.model.size());
        format!("the file had {len} bytes\n{log}\nthe file has {size} bytes, mappings:\n{pairs}")
    }

    fn set_len(&mut self, len: usize) -> Checked {
        self.log.push(LoggedStep::SetLen(len));
        self.file.others.set_len(len as u64).map_err(failed)?;
        self.model.set_len(len);
        self.note_len();
        Ok(())
    }

    fn note_len(&mut self) {
        self.pairs.iter_mut().flatten().for_each(|pair| pair.view.bytes.truncate(&self.model));
    }

    fn map(&mut self, slot: usize, request: MapRequest) -> Checked {
        self.drop(slot);
        self.log.push(LoggedStep::Map(slot, request));
        let backend = self.backends[slot];
        let MapRequest { offset, len, access, extend, populate, .. } = request;
        // Without a guard, touching an OS mapping of a truncated file would end the process.
        let guard = request.guard || self.has_cuts && !backend.differs(Row::UnguardedShrink);
        let mut options = MmapOptions::new();
        options.offset(offset as u64).len(len).access(access).guard(guard).extend(extend);
        if populate {
            options.flags(Flags::SHARED | Flags::POPULATE);
        }
        let file = Arc::clone(&self.file.mapped);
        let made: portable_mmap::Result<Box<dyn AnyMapping>> = match backend {
            // SAFETY: others write to the file only while no slice of the mapping is borrowed, and if the file is
            // truncated there is a guard.
            Backend::Mapped => unsafe { options.map(file) }.map(|map| Box::new(map) as _),
            Backend::Buffered => options.map_buffered(file).map(|map| Box::new(map) as _),
        };
        let size = self.model.size();
        let want = if len == 0 && size == 0 {
            Err("EmptyFile")
        } else if len == 0 && offset >= size {
            Err("OffsetPastEnd")
        } else if offset + len > size && !extend {
            Err("LengthPastEnd")
        } else {
            Ok(Value::Number(if len == 0 { size - offset } else { len } as u64))
        };
        let mut map = None;
        let got = outcome(made, |made| Value::Number(map.insert(made).shown().len as u64));
        same("mapping", &got, &want)?;
        if let Some(map) = map {
            self.model.set_len(size.max(offset + len));
            let window = Window { offset, len: map.shown().len, access };
            let mut view = View::new(backend, window, guard);
            if populate {
                (0..window.pages()).for_each(|page| view.bytes.may_load(&self.model, page));
            }
            self.pairs[slot] = Some(Pair { map, view });
        }
        Ok(())
    }

    /// The call of a step, if it can be made at all.
    fn call_of(&self, slot: usize, step: Step, kind: Kind) -> Option<Call> {
        let Pair { view, .. } = self.pairs[slot].as_ref()?;
        let window = view.bytes.window();
        let content = |at| view.byte(&self.model, at);
        let context = Context { offset: window.offset, len: window.len, is_text: self.is_text, content: &content };
        match step.call(kind, &context) {
            Call::Resize(len) if !self.has_cuts && window.offset + len < self.model.size() => None,
            Call::Index { start, len, change } => {
                let change = change.filter(|_| window.access != Access::Read);
                let call = Call::Index { start, len, change };
                let reached = view.reached(&self.model, &call);
                // The content of these pages as a slice is not defined.
                if reached.iter().any(|&page| view.bytes.may_be_restored(page)) {
                    return None;
                }
                // Where use as a slice panics, a call returns an error.
                let may_panic =
                    |&page: &usize| view.bytes.is_unsure(&self.model, page) || view.bytes.is_gone(&self.model, page);
                let is_call = !view.bytes.has_guard() && reached.iter().any(may_panic);
                Some(if is_call { Call::Range { start, len, change } } else { call })
            }
            call => Some(call),
        }
    }

    /// Makes the call of a step, on the mapping in this slot or in the next used one.
    fn mapped_call(&mut self, slot: usize, step: Step, kind: Kind) -> Checked {
        let slots = (0..SLOTS).map(|next| (slot + next) % SLOTS);
        let Some(slot) = slots.into_iter().find(|&slot| self.pairs[slot].is_some()) else { return Ok(()) };
        let Some(call) = self.call_of(slot, step, kind) else { return Ok(()) };
        self.look(slot, &call)?;
        let is_resize = matches!(call, Call::Resize(_));
        let done = self.call(slot, call);
        if is_resize {
            self.note_len();
        }
        done
    }

    /// Reads the pages that a call will touch and that have several allowed contents. After a fault they can only be
    /// read as a slice.
    fn look(&mut self, slot: usize, call: &Call) -> Checked {
        // Bytes stored past the file's end never become certain, so reading once is enough.
        let mut seen_pages = Vec::new();
        loop {
            let Some(Pair { map, view }) = &mut self.pairs[slot] else { return Ok(()) };
            let by_slice = view.bytes.fault().is_some();
            if by_slice && !matches!(call, Call::Index { .. }) {
                return Ok(());
            }
            let is_next = |page: &usize| !seen_pages.contains(page) && view.bytes.is_unsure(&self.model, *page);
            let Some(page) = view.reached(&self.model, call).into_iter().find(is_next) else { return Ok(()) };
            seen_pages.push(page);
            let range = view.bytes.window().page(page);
            let (start, len) = (range.start, range.len());
            let look = if by_slice {
                Call::Index { start, len, change: None }
            } else {
                Call::Range { start, len, change: None }
            };
            let got = map.perform(&look);
            self.log.push(LoggedStep::Look(slot, look.clone()));
            let seen = match &got {
                Ok(Value::Bytes(bytes)) => Some(&bytes[..]),
                _ => None,
            };
            match view.bytes.observe(&mut self.model, page, seen, by_slice) {
                Observation::Known => {}
                Observation::Ambiguous => return Err(Stop::Unknown),
                Observation::Impossible => {
                    return finding(format!(
                        "page {page} has a content that is not allowed: {:.99}",
                        format!("{got:?}")
                    ));
                }
            }
            let want = view.expect(&mut self.model, &look, None);
            same("reading a page", &got, &want)?;
            self.check_pair(slot)?;
        }
    }

    fn call(&mut self, slot: usize, call: Call) -> Checked {
        let Some(Pair { map, view }) = &mut self.pairs[slot] else { return Ok(()) };
        let got = map.perform(&call);
        let Shown { is_closed, len, fault, .. } = map.shown();
        let offset = view.bytes.window().offset as u64;
        let page = fault.and_then(|fault| usize::try_from(fault.offset.checked_sub(offset)? / PAGE as u64).ok());
        let want = view.expect(&mut self.model, &call, page);
        let is_closing = matches!(call, Call::Close);
        let is_undecided = view.is_undecided;
        self.log.push(LoggedStep::Call(slot, call));
        if is_undecided && got == Ok(Value::Nothing) {
            return Err(Stop::Unknown);
        }
        same("the call", &got, &want)?;
        if is_undecided {
            return Err(Stop::Unknown);
        }
        if is_closing && got.is_ok() {
            if !is_closed || len != 0 {
                return finding("after `close` the mapping is open, or has a length");
            }
            self.pairs[slot] = None;
            return Ok(());
        }
        self.check_pair(slot)
    }

    fn check_pair(&self, slot: usize) -> Checked {
        let Some(Pair { map, view }) = &self.pairs[slot] else { return Ok(()) };
        let Shown { len, position, fault, .. } = map.shown();
        let (want_len, want_position) = (view.len(), view.position as u64);
        if (len, position) != (want_len, want_position) {
            return finding(format!("length and position are {len}, {position}, not {want_len}, {want_position}"));
        }
        let want = view.bytes.fault().map(|page| view.bytes.window().start_of(page) as u64);
        let is_right = match (fault, want) {
            (None, None) => true,
            (Some(fault), Some(want)) => fault.offset == want && fault.kind == FaultKind::Truncated,
            _ => false,
        };
        if is_right { Ok(()) } else { finding(format!("the fault is {fault:?}, not at {want:?}")) }
    }

    /// Drops a mapping, which writes back all changes that it can.
    fn drop(&mut self, slot: usize) {
        if let Some(Pair { map, mut view }) = self.pairs[slot].take() {
            self.log.push(LoggedStep::Drop(slot));
            std::mem::drop(map);
            let all = 0..view.len();
            let _ = view.bytes.write_back(&mut self.model, &all);
        }
    }

    fn check_file(&mut self) -> Checked {
        let file = &self.file.others;
        let size = file.metadata().map_err(failed)?.len();
        if size != self.model.size() as u64 {
            return finding(format!("the file has {size} bytes, not {}", self.model.size()));
        }
        let mut bytes = vec![0; self.model.size()];
        file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        match self.model.observe(0, &bytes) {
            None => Ok(()),
            Some(at) => {
                let want = self.model.page(at / PAGE * PAGE)[at % PAGE];
                finding(format!("byte {at} of the file is {}, not {want}", bytes[at]))
            }
        }
    }

    /// Compares all observable state for the last time, and the file after everything is closed.
    fn end(&mut self) -> Checked {
        for slot in 0..SLOTS {
            let Some(Pair { view, .. }) = &self.pairs[slot] else { continue };
            let all = Call::Range { start: 0, len: view.len(), change: None };
            self.look(slot, &all)?;
            self.call(slot, all)?;
            self.drop(slot);
            self.check_file()?;
        }
        Ok(())
    }
}

fn same(what: &str, got: &Outcome, want: &Outcome) -> Checked {
    if got == want {
        return Ok(());
    }
    if let (Ok(Value::Bytes(got)), Ok(Value::Bytes(want))) = (got, want) {
        let at = got.iter().zip(want).position(|(got, want)| got != want);
        return finding(format!(
            "{what} returns {} bytes, not {}; the first difference is at {at:?}",
            got.len(),
            want.len()
        ));
    }
    let short = |outcome: &Outcome| format!("{:.99}", format!("{outcome:?}"));
    finding(format!("{what} returns {}, not {}", short(got), short(want)))
}
