//! Playing a script: each step on the mappings and on the model, and then a look at everything that both show.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use portable_mmap::{Access, Backend, FaultKind, Mapping, MmapOptions};

use super::call::{Call, Outcome, Value, outcome};
use super::file::{File, MAX_PAGES, PAGE};
use super::input::{Deed, Input, Kind, SLOTS, Step, Wish};
use super::promise::{Promise, Window, pages};
use super::view::View;

/// The one file of this process, in memory where the system has such a place, and without a name.
fn shared_file() -> Arc<std::fs::File> {
    static FILE: OnceLock<Arc<std::fs::File>> = OnceLock::new();
    let make = || {
        let memory = Path::new("/dev/shm");
        let file = if memory.is_dir() { tempfile::tempfile_in(memory) } else { tempfile::tempfile() };
        Arc::new(file.expect("a temporary file can be made"))
    };
    Arc::clone(FILE.get_or_init(make))
}

/// What files start as: lines of few letters, or bytes without a pattern.
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

/// The mappings of a backend beside the model.
struct Player<B: Backend, P> {
    file: Arc<std::fs::File>,
    maps: [Option<Mapping<B>>; SLOTS],
    model: File,
    views: [Option<View<P>>; SLOTS],
    has_cuts: bool,
    is_text: bool,
}

/// Plays a script, and panics where mappings and model differ.
pub(super) fn play<B, P>(input: &Input)
where
    B: Backend<Source: From<Arc<std::fs::File>>>,
    P: Promise,
{
    assert!(Mapping::<B>::page_size() == PAGE, "scripts are for systems with pages of {PAGE} bytes");
    let content = &content(input.is_text)[..input.len.of_file(0)];
    let file = shared_file();
    file.set_len(0).and_then(|()| file.write_all_at(content, 0)).expect("the file can be written");
    let mut player = Player::<B, P> {
        file,
        maps: [const { None }; SLOTS],
        model: File::new(content),
        views: [const { None }; SLOTS],
        has_cuts: input.has_cuts,
        is_text: input.is_text,
    };
    for (number, step) in input.steps.iter().enumerate() {
        if let Err(finding) = player.step(*step) {
            panic!("{}, step {number}, {step:?}: {finding}\n{}", P::NAME, player.state());
        }
    }
    if let Err(finding) = player.end() {
        panic!("{}, at the end: {finding}\n{}", P::NAME, player.state());
    }
}

/// What differs.
type Checked<T = ()> = Result<T, String>;

impl<B: Backend<Source: From<Arc<std::fs::File>>>, P: Promise> Player<B, P> {
    fn step(&mut self, step: Step) -> Checked {
        let slot = usize::from(step.slot) % SLOTS;
        match step.deed() {
            Deed::Map => self.map(slot, step.wish())?,
            Deed::Call(kind) => self.mapped_call(slot, step, kind)?,
            Deed::Drop => self.drop(slot),
            Deed::Write => {
                let (at, bytes) = step.write(self.is_text);
                if !bytes.is_empty() {
                    self.file.write_all_at(&bytes, at as u64).map_err(|e| e.to_string())?;
                    self.model.write(at, &bytes);
                }
            }
            Deed::SetLen => {
                let len = step.file_len();
                if len >= self.model.size() || self.has_cuts {
                    self.file.set_len(len as u64).map_err(|e| e.to_string())?;
                    self.set_model_len(len);
                }
            }
        }
        self.check_file()
    }

    /// What the model's mappings are, for people.
    fn state(&self) -> String {
        let view = |view: &View<P>| {
            format!("{:?}, guard {}, position {}, vain {:?}", view.bytes.window(), view.guard, view.position, view.vain)
        };
        let views: Vec<_> = self.views.iter().map(|slot| slot.as_ref().map_or("none".into(), view)).collect();
        format!("file of {} bytes, mappings:\n{}", self.model.size(), views.join("\n"))
    }

    fn set_model_len(&mut self, len: usize) {
        self.model.set_len(len);
        self.views.iter_mut().flatten().for_each(|view| view.bytes.cut(&self.model));
    }

    fn map(&mut self, slot: usize, wish: Wish) -> Checked {
        self.drop(slot);
        let Wish { offset, len, access, extend, .. } = wish;
        // Without a guard a cut is the death of a process with OS mappings.
        let guard = wish.guard || P::LAZY && self.has_cuts;
        let mut options = MmapOptions::new();
        options.offset(offset as u64).len(len).access(access).guard(guard).extend(extend);
        // SAFETY: who else writes to the file does so while no slice of the mapping is borrowed, and where the file is
        // cut there is a guard.
        let map = unsafe { options.map_with::<B>(Arc::clone(&self.file)) };
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
        let mut made = None;
        let got = outcome(map, |map| Value::Number(made.insert(map).len() as u64));
        same("mapping", &got, &want)?;
        if let Some(map) = &made {
            self.model.set_len(size.max(offset + len));
            self.views[slot] = Some(View::new(Window { offset, len: map.len(), access }, guard));
        }
        self.maps[slot] = made;
        Ok(())
    }

    /// The call of a step, if it can be made at all: the slice face panics where a call answers an error.
    fn call_of(&self, slot: usize, step: Step, kind: Kind) -> Option<Call> {
        let view = self.views[slot].as_ref()?;
        let window = view.bytes.window();
        let content = |at| view.byte(&self.model, at);
        let call = step.call(kind, (window.offset, window.len), self.is_text, &content);
        match call {
            Call::Resize(len) if !self.has_cuts && window.offset + len < self.model.size() => None,
            Call::Index { start, len, change } => {
                let change = change.filter(|_| window.access != Access::Read);
                let ranges = view.reached(&call);
                let is_unsure = ranges.iter().flat_map(pages).any(|page| view.bytes.is_unsure(&self.model, page));
                if !view.guard && (is_unsure || view.has_gone(&self.model, &ranges)) {
                    return Some(Call::Range { start, len, change });
                }
                (!self.is_blind(slot, &call)).then_some(Call::Index { start, len, change })
            }
            call => Some(call),
        }
    }

    /// Whether a call reaches pages that show one thing or another, and none can be looked at: with a fault there is no
    /// call that looks without touching.
    fn is_blind(&self, slot: usize, call: &Call) -> bool {
        self.views[slot].as_ref().is_some_and(|view| {
            let is_unsure = |page| view.bytes.is_unsure(&self.model, page);
            !view.vain.is_empty() && view.reached(call).iter().flat_map(pages).any(is_unsure)
        })
    }

    /// The call of a step, on the mapping in this slot or the next that there is.
    fn mapped_call(&mut self, slot: usize, step: Step, kind: Kind) -> Checked {
        let slots = (0..SLOTS).map(|next| (slot + next) % SLOTS);
        let Some(slot) = slots.into_iter().find(|&slot| self.views[slot].is_some()) else { return Ok(()) };
        let Some(call) = self.call_of(slot, step, kind) else { return Ok(()) };
        self.look(slot, &call)?;
        if matches!(call, Call::Index { .. }) && self.is_blind(slot, &call) {
            // The look itself met the fault.
            return Ok(());
        }
        let done = self.call(slot, &call);
        if matches!(call, Call::Resize(_)) {
            self.set_model_len(self.model.size());
        }
        done.map_err(|finding| format!("{call:?}: {finding}"))
    }

    /// Looks at the pages that a call will touch and that show one thing or another.
    fn look(&mut self, slot: usize, call: &Call) -> Checked {
        let Some(view) = &self.views[slot] else { return Ok(()) };
        for page in view.reached(call).iter().flat_map(pages) {
            let (Some(map), Some(view)) = (&mut self.maps[slot], &mut self.views[slot]) else { return Ok(()) };
            if !view.vain.is_empty() || !view.bytes.is_unsure(&self.model, page) {
                continue;
            }
            let range = view.bytes.window().page(page);
            let call = Call::Range { start: range.start, len: range.len(), change: None };
            let got = call.perform(map);
            let seen = match &got {
                Ok(Value::Bytes(bytes)) => Some(&bytes[..]),
                _ => None,
            };
            if !view.bytes.saw(&mut self.model, page, seen) {
                return Err(format!("page {page} shows what it can never have held: {:.99}", format!("{got:?}")));
            }
            let want = view.expect(&mut self.model, &call, &got);
            same("a look", &got, &want)?;
            self.check_view(slot)?;
        }
        Ok(())
    }

    fn call(&mut self, slot: usize, call: &Call) -> Checked {
        let (Some(map), Some(view)) = (&mut self.maps[slot], &mut self.views[slot]) else { return Ok(()) };
        let before = view.vain.clone();
        let got = call.perform(map);
        let want = view.expect(&mut self.model, call, &got);
        same("the call", &got, &want)?;
        if matches!(call, Call::Close) && got.is_ok() {
            if !map.is_closed() || !map.is_empty() {
                return Err("closed, and not".into());
            }
            (self.maps[slot], self.views[slot]) = (None, None);
            return Ok(());
        }
        if P::LAZY {
            // A call may have stopped at the first of these; now all are replaced.
            let more: Vec<usize> = view.vain.difference(&before).copied().collect();
            for page in more {
                let range = view.bytes.window().page(page);
                let call = Call::Index { start: range.start, len: range.len(), change: None };
                let got = call.perform(map);
                same("what is gone", &got, &view.expect(&mut self.model, &call, &got))?;
            }
        }
        self.check_view(slot)
    }

    fn check_view(&self, slot: usize) -> Checked {
        let (Some(map), Some(view)) = (&self.maps[slot], &self.views[slot]) else { return Ok(()) };
        let window = view.bytes.window();
        let got = (map.len(), map.tell(), map.fault().is_some());
        let want = (view.len(), view.position as u64, !view.vain.is_empty());
        if got != want {
            return Err(format!("length, position, fault are {got:?}, not {want:?}"));
        }
        let Some(fault) = map.fault() else { return Ok(()) };
        let offset = usize::try_from(fault.offset).unwrap_or(usize::MAX);
        let is_page = (0..window.pages()).any(|page| window.start_of(page) == offset);
        if !is_page || fault.kind != FaultKind::Shortened {
            return Err(format!("{fault:?} in {window:?}"));
        }
        Ok(())
    }

    /// Drops a mapping, which writes back what can be.
    fn drop(&mut self, slot: usize) {
        self.maps[slot] = None;
        if let Some(mut view) = self.views[slot].take() {
            let all = 0..view.len();
            view.bytes.flush(&mut self.model, &all, true);
        }
    }

    fn check_file(&mut self) -> Checked {
        let size = self.file.metadata().map_err(|e| e.to_string())?.len();
        if size != self.model.size() as u64 {
            return Err(format!("the file has {size} bytes, not {}", self.model.size()));
        }
        let mut bytes = vec![0; self.model.size()];
        self.file.read_exact_at(&mut bytes, 0).map_err(|e| e.to_string())?;
        match self.model.saw(0, &bytes) {
            None => Ok(()),
            Some(at) => Err(format!(
                "byte {at} of the file is {}, not {}",
                bytes[at],
                self.model.page(at / PAGE * PAGE)[at % PAGE]
            )),
        }
    }

    /// A last look at all that can be seen, and the file once everything is closed.
    fn end(&mut self) -> Checked {
        for slot in 0..SLOTS {
            let Some(view) = &self.views[slot] else { continue };
            let all = Call::Range { start: 0, len: view.len(), change: None };
            self.look(slot, &all)?;
            self.call(slot, &all)?;
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
        return Err(format!("{what} gives {} bytes, not {}; first different at {at:?}", got.len(), want.len()));
    }
    Err(format!("{what} gives {got:?}, not {want:?}"))
}
