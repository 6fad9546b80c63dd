//! Runs a program: each step runs with the host's crate and with the model, which must agree.

mod calls;
mod memory;
mod stores;
mod wasi;

use std::fs::File;
use std::path::Path;

use portable_mmap_wasmtime::{HostMapCtx, OnFault};

use crate::common::host::{read, sealed};
use crate::common::{BLOCK, Data, Guest, Host, PAGE, pattern};
use crate::model::{FileModel, Model, Truncated, Usage};
use crate::steps::{FILES, Handle, SEALED, STORES, Step, StoreStep};

/// The counts of what the programs did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) mappings: u64,
    pub(crate) faults: u64,
    /// Loads and stores that have trapped because a page was truncated.
    pub(crate) traps: u64,
    /// Reads that are a mapping.
    pub(crate) reads_mapped: u64,
    pub(crate) ended: u64,
    /// Steps with more than one correct result, which were left out.
    pub(crate) left_out: u64,
}

/// The number of counts.
pub(crate) const COUNTS: usize = 7;

impl Counts {
    pub(crate) fn numbers(self) -> [u64; COUNTS] {
        let Self { calls, mappings, faults, traps, reads_mapped, ended, left_out } = self;
        [calls, mappings, faults, traps, reads_mapped, ended, left_out]
    }

    pub(crate) fn from_numbers(numbers: [u64; COUNTS]) -> Self {
        let [calls, mappings, faults, traps, reads_mapped, ended, left_out] = numbers;
        Self { calls, mappings, faults, traps, reads_mapped, ended, left_out }
    }
}

/// The number of steps between two checks of the files.
const STEPS_BETWEEN_CHECKS: usize = 8;

/// The names of the files. The sealed file has none.
const NAMES: [&str; FILES] = ["a", "b", "c", "", "fixed"];

/// A program that is running.
pub(crate) struct Runner<'h> {
    host: &'h Host,
    dir: &'h Path,
    files: Vec<File>,
    guests: [Option<Guest>; STORES],
    /// The data of stores that have ended.
    kept: Vec<Data>,
    model: Model,
    counts: Counts,
}

/// Runs a program in a directory. `before` is called before each step.
pub(crate) fn run_program(
    host: &Host,
    dir: &Path,
    steps: &[StoreStep],
    mut before: impl FnMut(usize, &StoreStep),
) -> Counts {
    let mut runner = Runner::new(host, dir);
    for (index, placed) in steps.iter().enumerate() {
        before(index, placed);
        runner.step(placed);
        runner.compare_counts();
        if index % STEPS_BETWEEN_CHECKS == 0 {
            runner.compare_files();
        }
    }
    runner.end()
}

/// An ordinary file of these bytes, open for reading and writing.
fn ordinary(path: &Path, bytes: &[u8]) -> File {
    // The file of the last program has no mappings any more. The new file must be another one.
    _ = std::fs::remove_file(path);
    std::fs::write(path, bytes).unwrap();
    File::options().read(true).write(true).open(path).unwrap()
}

impl<'h> Runner<'h> {
    fn new(host: &'h Host, dir: &'h Path) -> Self {
        let lens: [usize; FILES] = [4 * BLOCK, BLOCK + PAGE + 1, PAGE - 1, 3 * BLOCK + 5, 5 * BLOCK + PAGE + 7];
        let bytes = |file: usize| pattern(lens[file]).iter().map(|byte| byte ^ (file as u8 * 2)).collect::<Vec<u8>>();
        let file = |file: usize| match file {
            SEALED => sealed(&bytes(file)),
            _ => ordinary(&dir.join(NAMES[file]), &bytes(file)),
        };
        let files = (0..FILES).map(file).collect();
        let model = Model::new((0..FILES).map(|file| FileModel::new(bytes(file), file == SEALED)).collect());
        Self { host, dir, files, guests: [const { None }; STORES], kept: Vec::new(), model, counts: Counts::default() }
    }

    fn step(&mut self, (slot, step): &StoreStep) {
        let slot = *slot;
        if self.guests[slot].is_none()
            && !matches!(step, Step::New { .. } | Step::HostSetLen { .. } | Step::HostWrite { .. })
        {
            return;
        }
        self.counts.calls += 1;
        match *step {
            Step::New { kind } => self.begin(slot, kind),
            Step::End { how } => self.finish(slot, how),
            Step::Attach => self.attach(slot),
            Step::Detach => self.detach(slot),
            Step::Trap => self.trap(slot),
            Step::Interrupt => self.interrupt(slot),
            Step::Grow { blocks } => self.grow(slot, blocks),
            Step::Map { file, offset, at, len, flags } => self.map(slot, file, offset, at, len, flags),
            Step::Unmap { handle } => self.unmap(slot, handle),
            Step::Sync { handle, offset, len, how } => self.sync(slot, handle, offset, len, how),
            Step::Advise { handle, offset, len, advice } => self.advise(slot, handle, offset, len, advice),
            Step::Refresh { handle, offset, len } => self.refresh(slot, handle, offset, len),
            Step::Fault { handle } => self.fault(slot, handle),
            Step::Lost { handle, offset } => self.lost(slot, handle, offset),
            Step::Load { at } => self.load(slot, at),
            Step::Store { at, byte } => self.store(slot, at, byte),
            Step::Fill { at, len, byte } => self.fill(slot, at, len, byte),
            Step::Copy { to, from, len } => self.copy(slot, to, from, len),
            Step::Check { ref range } => self.check(slot, range.clone()),
            Step::HostStore { at, len, byte } => self.host_store(slot, at, len, byte),
            Step::Open { file, reads, writes } => self.open(slot, file, reads, writes),
            Step::Close { nth } => self.close(slot, nth),
            Step::Read { nth, offset, at, len } => self.read(slot, nth, offset, at, len),
            Step::ReadFixed { offset, at, len } => self.read_fixed(slot, offset, at, len),
            Step::Write { nth, offset, at, len } => self.write(slot, nth, offset, at, len),
            Step::SetLen { nth, len } => self.set_len(slot, nth, len),
            Step::HostSetLen { file, len } => self.host_set_len(file, len),
            Step::HostWrite { file, offset, len, byte } => self.host_write(file, offset, len, byte),
        }
    }

    fn guest(&mut self, slot: usize) -> &mut Guest {
        self.guests[slot].as_mut().expect("steps are for existing stores")
    }

    /// The number of a handle.
    fn number(&self, slot: usize, handle: Handle) -> i64 {
        let nth = |of: usize, n: usize| {
            let mappings = self.model.stores[of].as_ref().map(|store| &store.mappings);
            mappings.filter(|mappings| !mappings.is_empty()).and_then(|all| all.keys().nth(n % all.len()).copied())
        };
        match handle {
            Handle::Own(n) => nth(slot, n).unwrap_or(1),
            Handle::Of(other, n) => nth(other, n).unwrap_or(1),
            Handle::Unmapped(n) => {
                let handles = &self.model.store(slot).unmapped;
                if handles.is_empty() { 1 } else { handles[n % handles.len()] }
            }
            Handle::Number(number) => number.into(),
        }
    }

    /// Returns the truncated pages that an access to these bytes reaches. The processor chooses which of several pages
    /// a libcall or the host accesses first. If the guest could not determine that page, because there are faults
    /// already, the first page is accessed before.
    fn before_access(&mut self, slot: usize, ranges: &[std::ops::Range<usize>]) -> Vec<Truncated> {
        let mut left = Vec::new();
        for truncated in self.model.truncated(slot, ranges) {
            let mapping = &self.model.store(slot).mappings[&truncated.handle];
            if truncated.pages.len() == 1 || mapping.fault().is_none() {
                left.push(truncated);
                continue;
            }
            let page = truncated.pages[0];
            let at = mapping.start + page * PAGE;
            // The guest's own load may trap, and then no page is lost.
            let traps = self.model.store(slot).kind.on_fault == OnFault::Trap;
            let guest = self.guest(slot);
            let byte = if traps { guest.bytes(at..at + 1)[0] } else { guest.load(at) };
            assert_eq!(byte, 0, "a load of a truncated page, at {at}");
            self.lose(slot, truncated.handle, page);
        }
        left
    }

    /// Truncated pages were accessed, and are lost.
    fn after_access(&mut self, slot: usize, accessed: Vec<Truncated>) {
        for Truncated { handle, pages } in accessed {
            let page = if let [page] = pages[..] {
                page
            } else {
                let fault = self.guest(slot).fault(handle);
                let page = fault.map(|(offset, _)| offset as usize / PAGE);
                page.filter(|page| pages.contains(page)).unwrap_or_else(|| {
                    panic!("one of the pages {pages:?} of mapping {handle} was accessed, and its fault is {fault:?}")
                })
            };
            self.lose(slot, handle, page);
        }
    }

    fn lose(&mut self, slot: usize, handle: i64, page: usize) {
        self.model.lose(slot, handle, page);
        self.counts.faults += 1;
    }

    /// Compares the counts of the host with those of the model. It is not defined how many reads of a store are
    /// mappings.
    fn compare_counts(&self) {
        let mut in_process = 0;
        for (guest, model) in self.guests.iter().zip(&self.model.stores) {
            let (Some(guest), Some(model)) = (guest, model) else { continue };
            let ctx = &guest.store.data().host_map;
            let (own, all) = (Usage::by(model), Usage { mappings: ctx.mappings(), bytes: ctx.mapped_bytes() as usize });
            let of_reads = Usage { mappings: all.mappings - own.mappings, bytes: all.bytes - own.bytes };
            assert_eq!(of_reads.mappings == 0, of_reads.bytes == 0, "mappings of a store have bytes: {all:?}");
            assert!(
                of_reads.bytes <= model.read_bytes(),
                "bytes that a store has mapped: {all:?}, and {own:?} by itself"
            );
            in_process += all.mappings;
        }
        assert_eq!(HostMapCtx::process_mappings(), in_process, "mappings of the process");
    }

    /// The usage that the host counts for a store, and the number of mappings of all stores.
    fn usage(&self, slot: usize) -> (Usage, usize) {
        let ctx = &self.guests[slot].as_ref().expect("a store").store.data().host_map;
        let usage = Usage { mappings: ctx.mappings(), bytes: ctx.mapped_bytes() as usize };
        (usage, HostMapCtx::process_mappings())
    }

    fn compare_files(&self) {
        for (index, (file, model)) in self.files.iter().zip(&self.model.files).enumerate() {
            assert_eq!(file.metadata().unwrap().len(), model.len() as u64, "the length of file {index}");
            let expected = model.show(0..model.len());
            if let Some(at) = expected.mismatch(&read(file, 0, model.len())) {
                let is = read(file, at, 1)[0];
                panic!("byte {at} of file {index} is {is}, and must be {}", expected.describe(at));
            }
        }
    }

    /// Ends all stores, and checks the files.
    fn end(mut self) -> Counts {
        for slot in 0..STORES {
            if self.guests[slot].is_some() {
                self.check(slot, 0..usize::MAX);
                self.finish(slot, crate::steps::End::Drop);
            }
        }
        self.kept.clear();
        self.compare_counts();
        self.compare_files();
        self.counts
    }
}
