//! The steps of hostile programs, and how a program is generated from a seed.

use std::ops::Range;

use fastrand::Rng;
use portable_mmap_wasmtime::OnFault;

use crate::common::{BLOCK, PAGE, SHARED};
use crate::places::{address, file_len, file_offset, handle, len, map_len, map_offset, map_place, part, read_place};

/// The largest number of stores.
pub(crate) const STORES: usize = 4;
/// The number of files. Guests and others change the first ones.
pub(crate) const FILES: usize = 5;
/// The sealed file, which cannot change.
pub(crate) const SEALED: usize = 3;
/// The file that does not change, and that guests open only for reading. So a read without a copy has the same bytes as
/// a copy.
pub(crate) const FIXED: usize = 4;
/// The initial number of blocks of a memory, which belong to its module.
pub(crate) const INITIAL: usize = 2;
/// The number of blocks when a program starts, and the largest number.
pub(crate) const BLOCKS: usize = 12;
pub(crate) const MOST_BLOCKS: usize = 18;
/// The largest length of a file in bytes.
pub(crate) const MOST_BYTES: usize = 5 * BLOCK;

/// The policy for the files that a guest may map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// The default policy.
    Immutable,
    /// An operator's policy: private mappings of all files.
    Private,
    Trusted,
}

/// The settings of a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) policy: Policy,
    pub(crate) is_read_only: bool,
    pub(crate) has_sealed: bool,
    pub(crate) max_mappings: usize,
    pub(crate) max_bytes: usize,
    pub(crate) max_process_mappings: usize,
    /// What happens on a load or store to a truncated page.
    pub(crate) on_fault: OnFault,
    /// Whether whole pages of [`FIXED`] are mapped when the guest reads them.
    pub(crate) is_zero_copy: bool,
}

/// How a store ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Drop,
    DropOnAnotherThread,
    DropAfterTrap,
    /// The store is detached, and its data is kept to the end of the program.
    IntoData,
}

/// A handle that is selected when the step runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handle {
    /// A handle of the store's own mappings, if it has one.
    Own(usize),
    /// A handle of a mapping that has ended.
    Unmapped(usize),
    /// A handle of another store.
    Of(usize, usize),
    Number(i32),
}

/// The file in a request of a guest.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name {
    File(usize),
    Directory,
    Inode(u64),
}

/// One step of a program. Steps of a store that does not exist do nothing.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    New {
        kind: Kind,
    },
    End {
        how: End,
    },
    Attach,
    Detach,
    Open {
        file: usize,
        reads: bool,
        writes: bool,
    },
    Close {
        nth: usize,
    },
    Map {
        file: Name,
        offset: u64,
        at: usize,
        len: usize,
        flags: u32,
    },
    Unmap {
        handle: Handle,
    },
    Sync {
        handle: Handle,
        offset: usize,
        len: usize,
        how: u32,
    },
    Advise {
        handle: Handle,
        offset: usize,
        len: usize,
        advice: u32,
    },
    Refresh {
        handle: Handle,
        offset: usize,
        len: usize,
    },
    Fault {
        handle: Handle,
    },
    Lost {
        handle: Handle,
        offset: usize,
    },
    Load {
        at: usize,
    },
    Store {
        at: usize,
        byte: u8,
    },
    Fill {
        at: usize,
        len: usize,
        byte: u8,
    },
    Copy {
        to: usize,
        from: usize,
        len: usize,
    },
    Grow {
        blocks: usize,
    },
    /// Reads bytes of the file into memory through WASI.
    Read {
        nth: usize,
        offset: usize,
        at: usize,
        len: usize,
    },
    /// Reads many bytes of [`FIXED`] into memory through WASI, from a page boundary on, if the guest has it open.
    ReadFixed {
        offset: usize,
        at: usize,
        len: usize,
    },
    /// Writes bytes of memory to the file through WASI.
    Write {
        nth: usize,
        offset: usize,
        at: usize,
        len: usize,
    },
    SetLen {
        nth: usize,
        len: usize,
    },
    Trap,
    Interrupt,
    /// The host reads the guest's memory.
    Check {
        range: Range<usize>,
    },
    /// The host stores to the guest's memory.
    HostStore {
        at: usize,
        len: usize,
        byte: u8,
    },
    /// A change of a file by the host.
    HostSetLen {
        file: usize,
        len: usize,
    },
    HostWrite {
        file: usize,
        offset: usize,
        len: usize,
        byte: u8,
    },
}

/// The index of a store, and a step of it.
pub(crate) type StoreStep = (usize, Step);

/// The steps of the program with this number.
pub(crate) fn program(seed: u64) -> Vec<StoreStep> {
    let mut generator = Generator { rng: Rng::with_seed(seed), exists: [false; STORES], steps: Vec::new() };
    let steps = generator.rng.usize(40..400);
    while generator.steps.len() < steps {
        generator.choose();
    }
    generator.steps
}

struct Generator {
    rng: Rng,
    exists: [bool; STORES],
    steps: Vec<StoreStep>,
}

impl Generator {
    fn choose(&mut self) {
        let slot = self.rng.usize(..STORES);
        if !self.exists[slot] {
            return self.begin(slot);
        }
        match self.rng.u32(..1000) {
            0..6 => {
                let ends = [End::Drop, End::DropOnAnotherThread, End::DropAfterTrap, End::IntoData];
                self.steps.push((slot, Step::End { how: ends[self.rng.usize(..ends.len())] }));
                self.exists[slot] = false;
            }
            6..14 => self.lose_single_pages(slot),
            14..19 => {
                self.steps.push((slot, Step::Detach));
                self.steps.push((slot, Step::Attach));
            }
            number => {
                let step = step(&mut self.rng, number);
                let changes_len = matches!(step, Step::SetLen { .. } | Step::HostSetLen { .. });
                self.steps.push((slot, step));
                if changes_len {
                    self.access(slot);
                }
            }
        }
    }

    /// Adds accesses to a file whose length has changed.
    fn access(&mut self, slot: usize) {
        for _ in 0..self.rng.usize(2..8) {
            let number = self.rng.u32(ACCESSES);
            let step = step(&mut self.rng, number);
            self.steps.push((slot, step));
        }
    }

    /// A new store, whose guest opens files and maps one.
    fn begin(&mut self, slot: usize) {
        let kind = kind(&mut self.rng);
        self.exists[slot] = true;
        self.steps.push((slot, Step::New { kind }));
        for file in 0..SEALED {
            if self.rng.u32(..8) > 0 {
                let (reads, writes) = rights(&mut self.rng);
                let writes = writes && !kind.is_read_only;
                let reads = reads || !writes;
                self.steps.push((slot, Step::Open { file, reads, writes }));
            }
        }
        if kind.is_zero_copy {
            self.steps.push((slot, Step::Open { file: FIXED, reads: true, writes: false }));
        }
        let step = map(&mut self.rng);
        self.steps.push((slot, step));
    }

    /// Loses single pages of a file and restores the file, so that lost pages remain in many pieces.
    fn lose_single_pages(&mut self, slot: usize) {
        let (file, at, own) =
            (self.rng.usize(..SEALED), 2 * self.rng.usize(1..5) * BLOCK, Handle::Own(self.rng.usize(..4)));
        self.steps.push((slot, Step::HostSetLen { file, len: MOST_BYTES }));
        let (offset, flags) = (0, self.rng.u32(..2));
        self.steps.push((slot, Step::Map { file: Name::File(file), offset, at, len: MOST_BYTES, flags }));
        for i in 0..self.rng.usize(2..12) {
            let page = 3 * i + 1;
            self.steps.push((slot, Step::HostSetLen { file, len: page * PAGE }));
            self.steps.push((slot, Step::Load { at: at + page * PAGE }));
            self.steps.push((slot, Step::HostSetLen { file, len: MOST_BYTES }));
            self.steps.push((slot, Step::Refresh { handle: own, offset: 0, len: PAGE }));
        }
    }
}

fn kind(rng: &mut Rng) -> Kind {
    let mut limit = |small: Range<usize>, all: usize| if rng.u32(..6) == 0 { rng.usize(small) } else { all };
    let max_mappings = limit(0..5, 64);
    let max_bytes = limit(0..4 * BLOCK / PAGE, 1 << 20) * PAGE;
    let max_process_mappings = limit(1..10, 2048);
    Kind {
        policy: match rng.u32(..8) {
            0 => Policy::Immutable,
            1 => Policy::Private,
            _ => Policy::Trusted,
        },
        is_read_only: rng.u32(..8) == 0,
        has_sealed: rng.u32(..8) > 0,
        max_mappings,
        max_bytes,
        max_process_mappings,
        // On other machines a trap is not possible, and zeros are read.
        on_fault: if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) && rng.u32(..4) == 0 {
            OnFault::Trap
        } else {
            OnFault::Zeros
        },
        is_zero_copy: rng.u32(..4) == 0,
    }
}

fn rights(rng: &mut Rng) -> (bool, bool) {
    match rng.u32(..12) {
        0 => (true, false),
        1 => (false, true),
        _ => (true, true),
    }
}

fn map(rng: &mut Rng) -> Step {
    let file = match rng.u32(..40) {
        0 => Name::Directory,
        1 => Name::Inode(rng.u64(..)),
        _ => Name::File(rng.usize(..FILES)),
    };
    let flags = if rng.u32(..40) == 0 { 1 << rng.u32(1..32) } else { SHARED * rng.u32(..2) };
    Step::Map { file, offset: map_offset(rng), at: map_place(rng), len: map_len(rng), flags }
}

/// The numbers of steps for parts of mappings and for bytes of memory.
const ACCESSES: Range<u32> = 250..700;

/// Any step except those that create and end stores.
fn step(rng: &mut Rng, number: u32) -> Step {
    let byte = rng.u8(1..);
    let nth = rng.usize(..4);
    match number {
        ..190 => map(rng),
        190..250 => Step::Unmap { handle: handle(rng) },
        250..310 => {
            let (offset, len) = part(rng);
            Step::Sync { handle: handle(rng), offset, len, how: number_below(rng, 3) }
        }
        310..350 => {
            let (offset, len) = part(rng);
            Step::Advise { handle: handle(rng), offset, len, advice: number_below(rng, 5) }
        }
        350..420 => {
            let (offset, len) = part(rng);
            Step::Refresh { handle: handle(rng), offset, len }
        }
        420..450 => Step::Fault { handle: handle(rng) },
        450..490 => Step::Lost { handle: handle(rng), offset: part(rng).0 },
        490..540 => Step::Load { at: address(rng) },
        540..600 => Step::Store { at: address(rng), byte },
        600..640 => Step::Fill { at: address(rng), len: len(rng), byte },
        640..700 => Step::Copy { to: address(rng), from: address(rng), len: len(rng) },
        700..715 => Step::Grow { blocks: if rng.u32(..8) == 0 { 70_000 } else { rng.usize(..3) } },
        715..730 => {
            let len = rng.usize(1..=5) * BLOCK + if rng.bool() { rng.usize(..BLOCK) } else { 0 };
            Step::ReadFixed { offset: rng.usize(..3 * BLOCK / PAGE) * PAGE, at: read_place(rng), len }
        }
        730..765 => Step::Read { nth, offset: file_offset(rng), at: address(rng), len: len(rng) },
        765..800 => Step::Write { nth, offset: file_offset(rng), at: address(rng), len: len(rng) },
        800..850 => Step::SetLen { nth, len: file_len(rng) },
        850..880 => {
            let (reads, writes) = rights(rng);
            Step::Open { file: rng.usize(..SEALED), reads, writes }
        }
        880..890 => Step::Close { nth },
        890..900 => Step::Trap,
        900..904 => Step::Interrupt,
        904..925 => {
            let start = address(rng);
            Step::Check { range: start..start + 3 * len(rng) }
        }
        925..930 => Step::Check { range: 0..usize::MAX },
        930..950 => Step::HostStore { at: address(rng), len: len(rng), byte },
        950..975 => Step::HostSetLen { file: rng.usize(..SEALED), len: file_len(rng) },
        _ => Step::HostWrite { file: rng.usize(..SEALED), offset: file_offset(rng), len: len(rng), byte },
    }
}

/// A number below `end`, or rarely an invalid number.
fn number_below(rng: &mut Rng, end: u32) -> u32 {
    if rng.u32(..20) == 0 { rng.u32(end..) } else { rng.u32(..end) }
}
