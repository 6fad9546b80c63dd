//! Counts host calls for files by name: the functions of WASI are shadowed by functions that count and then do the
//! same.
//!
//! `p1` and `p2` stand between the guest and wasmtime-wasi. Every call for a file goes through one function there,
//! which passes its name to the counter of the `guest`. To fail or shorten the n-th call of a name, change that
//! function. Standard streams are not counted. `marks` reads the guest's output, and takes the counts at the lines
//! between which a case is [`counted`](native_tests::Scene::counted).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use native_tests::counts::{Bounds, Group, Kind, Tally};

use crate::memory;

pub(crate) mod guest;
pub(crate) mod marks;
pub(crate) mod p1;
pub(crate) mod p2;

/// The calls that a guest has made.
#[derive(Clone, Debug, Default)]
pub struct HostCalls {
    /// All calls of the run, by name.
    pub total: Tally,
    /// The stretches that its output marks, in order.
    pub stretches: Vec<Stretch>,
    /// The stretch that had not ended when the guest ended.
    pub unended: Option<String>,
}

impl HostCalls {
    /// How many mappings the guest has requested that the host was ready to make.
    #[must_use]
    pub fn maps(&self) -> u64 {
        self.named(MAP)
    }

    /// How often the guest has queried whether the host maps files, in a host that does not.
    #[must_use]
    pub fn handshakes(&self) -> u64 {
        self.named(HANDSHAKE)
    }

    fn named(&self, name: &str) -> u64 {
        self.total.iter().filter(|(other, _)| *other == name).map(|(_, count)| count.calls).sum()
    }
}

/// A counted stretch of a case.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// What it did.
    pub what: String,
    /// Its calls, by name.
    pub calls: Tally,
    /// The increase of the resident part of the guest's memory in bytes, or `None` if the system does not report it.
    pub resident: Option<u64>,
    /// The bounds that it violates, or why they could not be parsed. Bounds do not apply to a guest whose files the
    /// host maps: as natively, its bytes move without calls.
    pub broken: Vec<String>,
    /// The kinds that have bounds and cannot be counted here.
    pub unknown: Vec<Kind>,
}

/// The name under which requests for mappings are counted.
pub(crate) const MAP: &str = "map";

/// The name under which queries whether the host maps files are counted.
pub(crate) const HANDSHAKE: &str = "handshake";

/// Counts the calls of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    calls: HostCalls,
    open: Option<Open>,
    /// Whether the host maps the guest's files, so that their bytes move without calls and bounds do not apply.
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
    /// A counter for a guest. `is_mapped`: the host maps its files.
    pub(crate) fn new(is_mapped: bool) -> Self {
        Self(Arc::new(Mutex::new(State { is_mapped, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and the bytes that it moved.
    pub(crate) fn add(&self, group: Group, name: &'static str, bytes: u64) {
        self.state().calls.total.add(group, name, bytes);
    }

    /// Returns the counts. Call it when the guest has ended.
    pub(crate) fn take(&self) -> HostCalls {
        let mut state = self.state();
        let unended = state.open.take().map(|open| open.what);
        HostCalls { unended, ..std::mem::take(&mut state.calls) }
    }

    /// Parses a line of the guest's output. Call it on the guest's own thread, on which its memory was allocated.
    fn parse_line(&self, line: &str) {
        let mut state = self.state();
        let is_mapped = state.is_mapped;
        if let Some(what) = line.strip_prefix("counting ") {
            let (what, before) = (what.to_owned(), state.calls.total.clone());
            let resident = resident(is_mapped);
            if let Some(open) = state.open.replace(Open { what, before, resident }) {
                let stretch =
                    close(open, &state.calls.total, Err("another stretch began within it".to_owned()), is_mapped);
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

/// The resident memory of this thread's guest. If the host maps the guest's files, this is the private memory of this
/// process, which other guests change too; it does not include the pages of mapped files.
fn resident(is_mapped: bool) -> Option<u64> {
    if is_mapped { native_tests::jobs::own_memory() } else { memory::resident() }
}

/// Ends a stretch, and checks it against its bounds.
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

    /// The violated bounds of each stretch, after these lines with a read before each.
    fn broken(lines: &[&str]) -> Vec<Vec<String>> {
        broken_of(Counter::default(), lines)
    }

    #[expect(clippy::needless_pass_by_value, reason = "each counter is used for one run")]
    fn broken_of(counter: Counter, lines: &[&str]) -> Vec<Vec<String>> {
        for line in lines {
            counter.add(Group::Read, "fd_pread", 10);
            counter.parse_line(line);
        }
        counter.take().stretches.into_iter().map(|stretch| stretch.broken).collect()
    }

    #[test]
    fn a_stretch_is_checked_against_its_bounds() {
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
    fn bounds_do_not_apply_if_the_host_maps_files() {
        let none: [&str; 0] = [];
        assert_eq!(broken_of(Counter::new(true), &["counting a", "counted a: reads 0..=0"]), [none]);
        // The lines are parsed anyway.
        assert_eq!(broken_of(Counter::new(true), &["counting a", "counted a: x"]), [["\"x\" is not a bound"]]);
    }

    #[test]
    fn a_stretch_without_its_own_end_is_broken() {
        assert_eq!(
            broken(&["counting a", "counting b", "counted b: syncs 0..=0"]),
            [vec!["another stretch began within it"], vec![]]
        );
        assert_eq!(broken(&["counting a", "counted b: reads 1..=1"]), [["ended as \"b: reads 1..=1\""]]);
        assert_eq!(broken(&["counting a", "counted a: sheep 1..=1"]), [["\"sheep 1..=1\" is not a bound"]]);

        let counter = Counter::default();
        counter.parse_line("counting a");
        assert_eq!(counter.take().unended.as_deref(), Some("a"));
    }
}
