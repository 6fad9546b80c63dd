//! Host calls for files, counted by name: the functions of WASI are shadowed by ones that count and then do the same.
//!
//! `p1` and `p2` stand between the guest and wasmtime-wasi. Every call for a file goes through one function there, which
//! knows its name and tells the counter of the `guest`. To fail or shorten the n-th call of a name, change that function.
//! Standard streams are not counted. `marks` sees the guest's output and takes the counts at the lines between which a case
//! is [`counted`](native_tests::Scene::counted).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use native_tests::counts::{Bounds, Group, Kind, Tally};

use crate::memory;

pub(crate) mod guest;
pub(crate) mod marks;
pub(crate) mod p1;
pub(crate) mod p2;

/// What a guest has cost in calls.
#[derive(Clone, Debug, Default)]
pub struct HostCalls {
    /// All calls of the run, by name.
    pub total: Tally,
    /// The stretches that it asked to have counted, in order.
    pub stretches: Vec<Stretch>,
    /// The one that had not ended when the guest did.
    pub unended: Option<String>,
}

impl HostCalls {
    /// For how many mappings the host was asked that it was ready to make.
    #[must_use]
    pub fn maps(&self) -> u64 {
        self.named(MAP)
    }

    /// How often a host that maps no files was asked whether it does.
    #[must_use]
    pub fn handshakes(&self) -> u64 {
        self.named(HANDSHAKE)
    }

    fn named(&self, name: &str) -> u64 {
        self.total.iter().filter(|(other, _)| *other == name).map(|(_, count)| count.calls).sum()
    }
}

/// A stretch of a case that was counted.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// What it did.
    pub what: String,
    /// Its calls, by name.
    pub calls: Tally,
    /// By how many bytes it made the resident part of the guest's memory larger; nothing where the system does not tell.
    pub resident: Option<u64>,
    /// Where it lay outside its bounds, or why they could not be read. Bounds do not hold for a guest whose files the host
    /// maps: as natively, its bytes move without calls.
    pub broken: Vec<String>,
    /// What was bounded and could not be counted here.
    pub unknown: Vec<Kind>,
}

/// What the calls are named by which a guest has its host map a file.
pub(crate) const MAP: &str = "map";

/// What the call is named by which a guest asks whether its host maps files.
pub(crate) const HANDSHAKE: &str = "handshake";

/// Counts the calls of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    calls: HostCalls,
    open: Option<Open>,
    /// Whether bytes of files reach the guest without calls: then no bounds hold for them.
    is_mapped: bool,
}

/// A stretch that has not ended yet.
#[derive(Debug)]
struct Open {
    what: String,
    before: Tally,
    resident: Option<u64>,
}

impl Counter {
    /// A counter for a guest whose files are mapped by the host, or by nobody.
    pub(crate) fn new(is_mapped: bool) -> Self {
        Self(Arc::new(Mutex::new(State { is_mapped, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call and how many bytes it moved.
    pub(crate) fn add(&self, group: Group, name: &'static str, bytes: u64) {
        self.state().calls.total.add(group, name, bytes);
    }

    /// What was counted, once the guest has ended.
    pub(crate) fn take(&self) -> HostCalls {
        let mut state = self.state();
        let unended = state.open.take().map(|open| open.what);
        HostCalls { unended, ..std::mem::take(&mut state.calls) }
    }

    /// Looks at a line of the guest's output. To be called on the guest's own thread, which knows its memory.
    fn see(&self, line: &str) {
        let mut state = self.state();
        let is_mapped = state.is_mapped;
        if let Some(what) = line.strip_prefix("counting ") {
            let (what, before) = (what.to_owned(), state.calls.total.clone());
            let resident = resident(is_mapped);
            if let Some(open) = state.open.replace(Open { what, before, resident }) {
                let stretch = close(open, &state.calls.total, Err("another began within it".to_owned()), is_mapped);
                state.calls.stretches.push(stretch);
            }
        } else if let Some(text) = line.strip_prefix("counted ")
            && let Some(open) = state.open.take()
        {
            let bounds = text.strip_prefix(&open.what).and_then(|text| text.strip_prefix(": "));
            let bounds = bounds.ok_or_else(|| format!("ended as {text:?}")).and_then(str::parse);
            let stretch = close(open, &state.calls.total, bounds, is_mapped);
            state.calls.stretches.push(stretch);
        }
    }
}

/// The memory of this thread's guest. Of a guest whose files the host maps it is that of this process alone, which other
/// guests change too: the pages of mapped files are no part of it.
fn resident(is_mapped: bool) -> Option<u64> {
    if is_mapped { native_tests::jobs::own_memory() } else { memory::resident() }
}

/// Ends a stretch, and holds it against its bounds.
fn close(open: Open, now: &Tally, bounds: Result<Bounds, String>, is_mapped: bool) -> Stretch {
    let calls = now.since(&open.before);
    let resident = open.resident.zip(resident(is_mapped)).map(|(before, now)| now.saturating_sub(before));
    let count = |kind| if kind == Kind::BytesResident { resident } else { calls.count(kind) };
    let (broken, unknown) = match bounds {
        Ok(_) if is_mapped => (Vec::new(), Vec::new()),
        Ok(bounds) => (bounds.broken(count), bounds.kinds().filter(|&kind| count(kind).is_none()).collect()),
        Err(error) => (vec![error], Vec::new()),
    };
    Stretch { what: open.what, calls, resident, broken, unknown }
}

#[cfg(test)]
mod tests {
    use native_tests::counts::Group;

    use super::Counter;

    /// What is broken in each stretch, after these lines with a read before each.
    fn broken(lines: &[&str]) -> Vec<Vec<String>> {
        broken_of(Counter::default(), lines)
    }

    #[expect(clippy::needless_pass_by_value, reason = "a counter is for one run")]
    fn broken_of(counter: Counter, lines: &[&str]) -> Vec<Vec<String>> {
        for line in lines {
            counter.add(Group::Read, "fd_pread", 10);
            counter.see(line);
        }
        counter.take().stretches.into_iter().map(|stretch| stretch.broken).collect()
    }

    #[test]
    fn a_stretch_is_held_against_its_bounds() {
        let none: [&str; 0] = [];
        assert_eq!(broken(&["counting a", "x = 1", "counted a: reads 2..=2, bytes read 20..=20"]), [none]);
        assert_eq!(
            broken(&["counting a", "counted a: reads 2..=2, bytes read 0..=9"]),
            [["1 reads, not 2", "10 bytes read, at most 9"]]
        );
        assert_eq!(
            broken(&["counting a", "counted a: writes 0..=0", "counting b", "counted b: reads 0..=0"]),
            [vec![], vec!["1 reads, not 0"]]
        );
    }

    #[test]
    fn no_bounds_hold_where_the_host_maps_files() {
        let none: [&str; 0] = [];
        assert_eq!(broken_of(Counter::new(true), &["counting a", "counted a: reads 0..=0"]), [none]);
        // The lines themselves are looked at as anywhere.
        assert_eq!(broken_of(Counter::new(true), &["counting a", "counted a: x"]), [["\"x\" is no bound"]]);
    }

    #[test]
    fn a_stretch_that_does_not_end_as_it_began_is_broken() {
        assert_eq!(
            broken(&["counting a", "counting b", "counted b: syncs 0..=0"]),
            [vec!["another began within it"], vec![]]
        );
        assert_eq!(broken(&["counting a", "counted b: reads 1..=1"]), [["ended as \"b: reads 1..=1\""]]);
        assert_eq!(broken(&["counting a", "counted a: sheep 1..=1"]), [["\"sheep 1..=1\" is no bound"]]);

        let counter = Counter::default();
        counter.see("counting a");
        assert_eq!(counter.take().unended.as_deref(), Some("a"));
    }
}
